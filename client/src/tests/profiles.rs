//! Profiles: who says what, what is saved, and that a token goes to its own server only.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::server::{Coordinator, TOKEN, start};
use super::{Call, Ran};
use crate::Exit;

/// A home with a profile file of this text.
fn home(text: &str) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let file = file(&home);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    home
}

fn file(home: &TempDir) -> PathBuf {
    home.path().join(".config/jigsaw/profiles.toml")
}

/// Asks with nothing in the environment but a home, and what `set` sets.
async fn ask(coordinator: &Coordinator, home: &Path, args: &[&str], set: &[(&'static str, &str)]) -> Ran {
    let mut call = Call::new(coordinator, args);
    call.variables.clear();
    call = call.set("HOME", home.to_str().unwrap());
    for (name, value) in set {
        call = call.set(name, *value);
    }
    call.run().await
}

/// A header of the last request.
fn sent(coordinator: &Coordinator, header: &str) -> Option<String> {
    let seen = coordinator.seen.lock().unwrap();
    let value = seen.last().unwrap().metadata.get(header).cloned();
    value.map(|value| value.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_flag_counts_before_the_environment_and_the_environment_before_the_profile() {
    let coordinator = start(None).await;
    let url = format!("http://{}", coordinator.address);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let home = home(&format!(
        "[profile.default]\nserver = {url:?}\ntoken = {TOKEN:?}\npurpose = \"annual return\"\n\
         [profile.other]\nserver = \"http://{free}\"\n"
    ));
    let rows = ["query", "rows"];
    let ran = ask(&coordinator, home.path(), &rows, &[]).await;
    assert_eq!(ran.exit, Exit::Answered, "the profile called default: {}", ran.stderr);
    assert_eq!(sent(&coordinator, "x-jigsaw-purpose").as_deref(), Some("annual return"));
    let other = ask(&coordinator, home.path(), &rows, &[("JIGSAW_PROFILE", "other")]).await;
    assert_eq!(other.exit, Exit::Connection, "{}", other.stderr);
    let flag = ["query", "rows", "--profile", "default"];
    let ran = ask(&coordinator, home.path(), &flag, &[("JIGSAW_PROFILE", "other")]).await;
    assert_eq!(ran.exit, Exit::Answered, "the flag before the environment: {}", ran.stderr);
    let ran = ask(&coordinator, home.path(), &rows, &[("JIGSAW_TOKEN", "wrong")]).await;
    assert_eq!(ran.exit, Exit::Connection, "the environment before the profile: {}", ran.stderr);
    let purposeful = ["query", "rows", "--purpose", "a check"];
    assert_eq!(ask(&coordinator, home.path(), &purposeful, &[]).await.exit, Exit::Answered);
    assert_eq!(sent(&coordinator, "x-jigsaw-purpose").as_deref(), Some("a check"));
    let missing = ask(&coordinator, home.path(), &["query", "rows", "--profile", "none"], &[]).await;
    let sentence = "jigsaw: there is no profile \"none\" (there are default, other): save one with `jigsaw connect none`\n";
    assert_eq!((missing.exit, missing.stderr.as_str()), (Exit::Usage, sentence));
}

/// How I would steal a token: have somebody ask my server while a profile is in use.
#[tokio::test]
async fn a_profiles_token_goes_to_no_other_server() {
    let (own, thief) = (start(None).await, start(None).await);
    let home = home(&format!(
        "[profile.default]\nserver = \"http://{}\"\ntoken = {TOKEN:?}\npurpose = \"secret plan\"\n",
        own.address
    ));
    let url = format!("http://{}", thief.address);
    for (args, set) in [
        (&["query", "rows", "--server", &url][..], &[][..]),
        (&["query", "rows"], &[("JIGSAW_SERVER", url.as_str())]),
        (&["query", "rows", "--profile", "default"], &[("JIGSAW_SERVER", url.as_str())]),
    ] {
        let ran = ask(&thief, home.path(), args, set).await;
        assert_eq!(ran.exit, Exit::Connection, "{}", ran.stderr);
        assert_eq!(sent(&thief, "authorization"), None, "{args:?}");
        assert!(
            thief.seen.lock().unwrap().iter().all(|seen| !seen.metadata.contains_key("x-jigsaw-purpose"))
        );
    }
    assert!(own.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_file_that_others_can_read_or_that_is_not_as_it_should_be_is_not_used() {
    let coordinator = start(None).await;
    let home = home("[profile.default]\ntoken = \"s3cret\"\n");
    fs::set_permissions(file(&home), fs::Permissions::from_mode(0o640)).unwrap();
    let ran = ask(&coordinator, home.path(), &["query", "rows"], &[]).await;
    assert_eq!(ran.exit, Exit::Usage);
    assert!(ran.stderr.contains("others can read it: chmod 600"), "{}", ran.stderr);
    for text in [
        "[profile.default]\ntokn = \"s3cret\"\n",
        "[profile.default]\n\ntoken = \"s3cret\n",
        "[profile]\ndefault = \"s3cret\"\n",
        "[profile.default]\ntoken = [\"s3cret\"]\n",
        "[profile.\"a b\"]\ntoken = \"s3cret\"\n",
    ] {
        fs::set_permissions(file(&home), fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(file(&home), text).unwrap();
        let ran = ask(&coordinator, home.path(), &["query", "rows"], &[]).await;
        assert_eq!(ran.exit, Exit::Usage, "{text}");
        assert!(!ran.stderr.contains("s3cret"), "{}", ran.stderr);
    }
    fs::write(file(&home), "[profile.default]\ntokn = \"s3cret\"\n").unwrap();
    let ran = ask(&coordinator, home.path(), &["query", "rows"], &[]).await;
    assert!(ran.stderr.contains("line 2 is not as it should be: unknown field `tokn`"), "{}", ran.stderr);
}

#[tokio::test]
async fn connect_saves_what_the_server_accepted_and_nothing_else() {
    let coordinator = start(None).await;
    let url = format!("http://{}", coordinator.address);
    let home = tempfile::tempdir().unwrap();
    let connect = ["connect", "work", "--server", &url];
    let ran = ask(&coordinator, home.path(), &connect, &[("JIGSAW_TOKEN", "wrong")]).await;
    assert_eq!(ran.exit, Exit::Connection, "{}", ran.stderr);
    assert!(!file(&home).exists(), "what was not accepted is not saved");
    let ran = ask(&coordinator, home.path(), &connect, &[("JIGSAW_TOKEN", TOKEN)]).await;
    assert_eq!(ran.exit, Exit::Answered, "{}", ran.stderr);
    assert!(!ran.stderr.contains(TOKEN), "{}", ran.stderr);
    assert_eq!(fs::metadata(file(&home)).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(file(&home).parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    // A token in a file stays there.
    let token = home.path().join("token");
    fs::write(&token, TOKEN).unwrap();
    let from_file =
        ["connect", "--server", &url, "--token-file", token.to_str().unwrap(), "--purpose", "a return"];
    let ran = ask(&coordinator, home.path(), &from_file, &[]).await;
    assert_eq!(ran.exit, Exit::Answered, "{}", ran.stderr);
    let text = fs::read_to_string(file(&home)).unwrap();
    assert_eq!(text.matches(TOKEN).count(), 1, "{text}");
    assert!(
        text.contains("[profile.work]") && text.contains("[profile.default]") && text.contains("a return")
    );
    for args in [&["query", "rows"][..], &["query", "rows", "--profile", "work"]] {
        let ran = ask(&coordinator, home.path(), args, &[]).await;
        assert_eq!(ran.exit, Exit::Answered, "{args:?}: {}", ran.stderr);
    }
    for args in
        [&["connect", "a b"][..], &["connect", "--profile", "x"], &["connect", "--purpose", "two\nlines"]]
    {
        assert_eq!(ask(&coordinator, home.path(), args, &[]).await.exit, Exit::Usage, "{args:?}");
    }
}
