//! Who asks: which name and which password go where, what is said if they are wrong, and that a secret is for one server.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::server::{Coordinator, TOKEN, start};
use super::{Call, Ran};
use crate::Exit;

const PASSWORD: &str = "correct horse";
const QUERY: [&str; 2] = ["query", "rows"];

async fn ask(coordinator: &Coordinator, args: &[&str], set: &[(&'static str, &str)]) -> Ran {
    let mut call = Call::new(coordinator, args);
    call.variables.retain(|(name, _)| *name == "JIGSAW_SERVER");
    for (name, value) in set {
        call = call.set(name, *value);
    }
    call.run().await
}

/// A file with this text and mode.
fn file(folder: &Path, name: &str, text: &str, mode: u32) -> PathBuf {
    let file = folder.join(name);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    file
}

/// What was asked, in order.
fn asked(coordinator: &Coordinator) -> Vec<String> {
    coordinator.seen.lock().unwrap().drain(..).map(|seen| seen.sql).collect()
}

#[tokio::test]
async fn a_password_is_exchanged_for_a_token_once() {
    let coordinator = start(None).await;
    let ran =
        ask(&coordinator, &["query", "rows; many"], &[("JIGSAW_USER", "bob"), ("JIGSAW_PASSWORD", PASSWORD)]);
    let ran = ran.await;
    assert_eq!(ran.exit, Exit::Answered, "{}", ran.stderr);
    let seen = coordinator.seen.lock().unwrap().clone();
    let order: Vec<&str> = seen.iter().map(|seen| seen.sql.as_str()).collect();
    assert_eq!(order, ["handshake", "rows", "rows", "many", "many"]);
    for request in &seen[1..] {
        assert_eq!(request.metadata.get("authorization").unwrap(), &format!("Bearer {TOKEN}"));
    }
    drop(seen);
    asked(&coordinator);
    // What it was exchanged for is good for some hours only; a shell may be open for longer.
    let ran =
        ask(&coordinator, &["query", "restart"], &[("JIGSAW_USER", "bob"), ("JIGSAW_PASSWORD", PASSWORD)]);
    assert_eq!(ran.await.exit, Exit::Answered);
    assert_eq!(asked(&coordinator), ["handshake", "restart", "handshake", "restart", "restart"]);
    // A token is what it is: there is nothing to sign in with again.
    let coordinator = start(None).await;
    assert_eq!(
        ask(&coordinator, &["query", "restart"], &[("JIGSAW_TOKEN", TOKEN)]).await.exit,
        Exit::Connection
    );
}

#[tokio::test]
async fn who_asks_comes_from_the_first_place_that_says_it() {
    let coordinator = start(None).await;
    let home = tempfile::tempdir().unwrap();
    let (right, wrong) = (
        file(home.path(), "right", "correct horse\n", 0o600),
        file(home.path(), "wrong", "a guess\n", 0o600),
    );
    let (right, wrong) = (right.to_str().unwrap(), wrong.to_str().unwrap());
    let user = ("JIGSAW_USER", "bob");
    for (args, set, exit) in [
        (&["--user", "bob", "--password-file", right][..], &[][..], Exit::Answered),
        (&["--user", "bob", "--password-file", right], &[("JIGSAW_PASSWORD", "a guess")], Exit::Answered),
        (&["--user", "bob", "--password-file", wrong], &[("JIGSAW_PASSWORD", PASSWORD)], Exit::Connection),
        (&["--user", "bob"], &[("JIGSAW_PASSWORD_FILE", right)], Exit::Answered),
        (&["--password-file", right], &[user], Exit::Answered),
        (&[], &[user, ("JIGSAW_PASSWORD", PASSWORD), ("JIGSAW_PASSWORD_FILE", wrong)], Exit::Answered),
        // A flag that names the user counts before a token of the environment, and one that names a token before a user.
        (&["--user", "bob", "--password-file", right], &[("JIGSAW_TOKEN", "wrong")], Exit::Answered),
        (&["--token-file", wrong], &[user, ("JIGSAW_PASSWORD", PASSWORD)], Exit::Usage),
        // The password of one is not tried for another.
        (&["--user", "alice"], &[user, ("JIGSAW_PASSWORD", PASSWORD)], Exit::Usage),
        (&[], &[user, ("JIGSAW_TOKEN", TOKEN)], Exit::Usage),
        (&[], &[("JIGSAW_PASSWORD", PASSWORD)], Exit::Usage),
        (&[], &[user], Exit::Usage),
        (&["--user", "bob:x", "--password-file", right], &[], Exit::Usage),
        (&["--user", "bob", "--token-file", right], &[], Exit::Usage),
        (&["--key", right], &[], Exit::Usage),
    ] {
        let args = [&QUERY[..], args].concat();
        let ran = ask(&coordinator, &args, set).await;
        assert_eq!(ran.exit, exit, "{args:?} {set:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains(PASSWORD) && !ran.stderr.contains("a guess"), "{}", ran.stderr);
        if exit == Exit::Usage {
            assert_eq!(asked(&coordinator), [""; 0], "{args:?}: something was asked");
        }
        asked(&coordinator);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_sign_is_said_in_a_sentence() {
    let coordinator = start(None).await;
    let home = tempfile::tempdir().unwrap();
    let seen = file(home.path(), "seen", PASSWORD, 0o644).display().to_string();
    let empty = file(home.path(), "empty", "\nx\n", 0o600).display().to_string();
    let key =
        file(home.path(), "key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n", 0o600).display().to_string();
    let pem = "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n";
    let pair = file(home.path(), "pair", pem, 0o640).display().to_string();
    let locked = ["--certificate", pair.as_str(), "--key", key.as_str()];
    let cases = [
        (&["--user", "bob"][..], "a guess", Exit::Connection, "the server does not sign in \"bob\": user name or password is wrong; check both".to_owned()),
        (&["--user", "eve"], "x", Exit::Connection, "the server takes the password and gives no token for it: is it a Jigsaw coordinator?".to_owned()),
        (&["--user", "many"], "x", Exit::Connection, "signing in failed: too many attempts".to_owned()),
        (&["--user", "bob"], "", Exit::Usage, "there is no password for user \"bob\" and no terminal to ask on: name a file with --password-file or JIGSAW_PASSWORD_FILE".to_owned()),
        (&["--user", "bob", "--password-file", &seen], "", Exit::Usage, format!("the password file {seen} can be read by others: chmod 600, and have the password changed")),
        (&["--user", "bob", "--password-file", &empty], "", Exit::Usage, format!("the password file {empty} has no password in its first line")),
        (&["--user", "bob", "--password-file", "/no/such"], "", Exit::Usage, "the password file /no/such cannot be read: No such file or directory (os error 2)".to_owned()),
        (&[], "", Exit::Connection, "the server does not answer unknown people: unknown token; name a token (--token-file), a user (--user) or a certificate (--certificate)".to_owned()),
        (&["--certificate", &seen], "", Exit::Usage, format!("there is no certificate in {seen}: it has to be a PEM file")),
        (&["--certificate", &pair], "", Exit::Usage, format!("the private key in {pair} can be read by others: chmod 600, and have the certificate replaced")),
        (&locked, "", Exit::Usage, format!("the private key in {key} is encrypted: name a file with the key as it is, which only you can read")),
    ];
    for (args, password, exit, sentence) in cases {
        let ran = ask(&coordinator, &[&QUERY[..], args].concat(), &[("JIGSAW_PASSWORD", password)]).await;
        assert_eq!((ran.exit, ran.stderr), (exit, format!("jigsaw: {sentence}\n")), "{args:?}");
    }
    fs::set_permissions(&pair, fs::Permissions::from_mode(0o600)).unwrap();
    let ran = ask(&coordinator, &["query", "rows", "--certificate", &pair], &[]).await;
    assert_eq!(ran.exit, Exit::Usage);
    assert!(ran.stderr.contains("is shown over TLS only"), "{}", ran.stderr);
}

/// The process list and the history of the command shell are for everybody.
#[tokio::test]
async fn no_argument_takes_a_password() {
    let coordinator = start(None).await;
    for args in [
        &["--password", "s3cret-1"][..],
        &["--password=s3cret-1"],
        &["--user", "bob", "--pass", "s3cret-1"],
        &["--server", "https://bob:s3cret-1@127.0.0.1:1"],
    ] {
        let ran = ask(&coordinator, &[&QUERY[..], args].concat(), &[]).await;
        assert_eq!(ran.exit, Exit::Usage, "{args:?}");
        assert!(!ran.stderr.contains("s3cret-1"), "{args:?}: {}", ran.stderr);
    }
}

/// How I would steal a password: have somebody ask my server while a profile is in use.
#[tokio::test]
async fn a_profiles_password_goes_to_no_other_server() {
    let (own, thief) = (start(None).await, start(None).await);
    let home = tempfile::tempdir().unwrap();
    let text = format!(
        "[profile.default]\nserver = \"http://{}\"\nuser = \"bob\"\npassword = {PASSWORD:?}\n",
        own.address
    );
    let profiles = file(home.path(), ".config/jigsaw/profiles.toml", &text, 0o600);
    let home = ("HOME", home.path().to_str().unwrap());
    let url = format!("http://{}", thief.address);
    let ran = ask(&thief, &["query", "rows", "--server", &url], &[home]).await;
    assert_eq!(ran.exit, Exit::Connection, "{}", ran.stderr);
    assert_eq!(ask(&thief, &QUERY, &[home]).await.exit, Exit::Connection, "JIGSAW_SERVER names another");
    assert!(thief.seen.lock().unwrap().iter().all(|seen| !seen.metadata.contains_key("authorization")));
    assert!(!asked(&thief).contains(&"handshake".to_owned()));
    let own_url = format!("http://{}", own.address);
    let ran = ask(&own, &["query", "rows", "--server", &own_url], &[home]).await;
    assert_eq!(ran.exit, Exit::Answered, "{}", ran.stderr);
    // Nor is the file used once others can read it.
    fs::set_permissions(&profiles, fs::Permissions::from_mode(0o644)).unwrap();
    let ran = ask(&own, &QUERY, &[home]).await;
    assert_eq!(ran.exit, Exit::Usage);
    assert!(ran.stderr.contains("it holds a password and others can read it"), "{}", ran.stderr);
}

#[tokio::test]
async fn connect_saves_a_password_only_if_asked_to() {
    let coordinator = start(None).await;
    let url = format!("http://{}", coordinator.address);
    let home = tempfile::tempdir().unwrap();
    let secret = file(home.path(), "secret", "correct horse\n", 0o600);
    let profiles = home.path().join(".config/jigsaw/profiles.toml");
    let home = ("HOME", home.path().to_str().unwrap());
    let connect = ["connect", "--server", &url, "--user", "bob"];
    let wrong = ask(&coordinator, &connect, &[home, ("JIGSAW_PASSWORD", "a guess")]).await;
    assert_eq!((wrong.exit, profiles.exists()), (Exit::Connection, false), "{}", wrong.stderr);

    let ran = ask(&coordinator, &connect, &[home, ("JIGSAW_PASSWORD", PASSWORD)]).await;
    assert_eq!(ran.exit, Exit::Answered, "{}", ran.stderr);
    let text = fs::read_to_string(&profiles).unwrap();
    assert_eq!(text, format!("[profile.default]\nserver = \"{url}/\"\nuser = \"bob\"\n"));
    let asks = ask(&coordinator, &QUERY, &[home, ("JIGSAW_PASSWORD", PASSWORD)]).await;
    assert_eq!(asks.exit, Exit::Answered, "the profile has the name, the environment the password");

    let from_file = [&connect[..], &["--password-file", secret.to_str().unwrap()]].concat();
    assert_eq!(ask(&coordinator, &from_file, &[home]).await.exit, Exit::Answered);
    let text = fs::read_to_string(&profiles).unwrap();
    assert!(text.contains("password_file = ") && !text.contains(PASSWORD), "{text}");
    assert_eq!(ask(&coordinator, &QUERY, &[home]).await.exit, Exit::Answered);

    let saving = [&connect[..], &["--save-password"]].concat();
    let ran = ask(&coordinator, &saving, &[home, ("JIGSAW_PASSWORD", PASSWORD)]).await;
    assert_eq!(ran.exit, Exit::Answered, "{}", ran.stderr);
    assert!(!ran.stderr.contains(PASSWORD), "{}", ran.stderr);
    assert!(fs::read_to_string(&profiles).unwrap().contains("password = \"correct horse\""));
    assert_eq!(fs::metadata(&profiles).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(ask(&coordinator, &QUERY, &[home]).await.exit, Exit::Answered);
    let none = ["connect", "--server", &url, "--save-password"];
    let ran = ask(&coordinator, &none, &[home, ("JIGSAW_TOKEN", TOKEN)]).await;
    assert_eq!(ran.exit, Exit::Usage, "{}", ran.stderr);
}
