//! The command `jigsaw` signs in: with a password, and with a certificate, against a coordinator that means it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use harness::certificates::{Authority, Party};
use harness::federation::Federation;
use jigsaw_client::{Exit, Surroundings, Terminal};

use super::signing_in::{PASSWORD, start_with_bob};
use super::{ACCESS, Ran, start, token};

/// Runs the command with nothing in its environment but the address and what is set.
async fn jigsaw(federation: &Federation, set: &[(&str, &str)], args: &[&str]) -> Ran {
    let (server, ca) = (format!("https://{}", federation.address()), federation.ca_file());
    let variable = |name: &str| match name {
        "JIGSAW_SERVER" => Some(server.clone()),
        "JIGSAW_CA" => ca.to_str().map(str::to_owned),
        _ => set.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned()),
    };
    let args = std::iter::once("jigsaw").chain(args.iter().copied()).map(OsString::from);
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut around = Surroundings {
        stdin: &mut &b""[..],
        stdout: &mut stdout,
        stderr: &mut stderr,
        terminal: Terminal { stdin: false, stdout: false, stderr: false, width: 100 },
        variable: &variable,
    };
    let exit = jigsaw_client::run(args, &mut around, std::future::pending()).await;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { exit, stdout: text(stdout), stderr: text(stderr) }
}

fn secret(dir: &Path, name: &str, text: &str) -> PathBuf {
    let file = dir.join(name);
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_signs_in_with_a_password() {
    let dir = tempfile::tempdir().unwrap();
    let federation = start_with_bob(&dir).await;
    let file = secret(dir.path(), "password", &format!("{PASSWORD}\n"));
    let file = file.to_str().unwrap();
    let (bob, password) = (("JIGSAW_USER", "bob"), ("JIGSAW_PASSWORD", PASSWORD));
    // The purpose and the name are in the audit log of the nodes: who asks is bob, and not the file's analyst.
    let sql = "SELECT node, COUNT(*) FROM env_site GROUP BY node";
    let asked = ["query", sql, "--user", "bob", "--password-file", file];
    let ran = jigsaw(&federation, &[], &asked).await;
    assert_eq!(ran.exit, Exit::Answered, "{}", ran.stderr);
    let log = federation.audit("camden");
    assert!(log.iter().any(|line| line["principal"] == "bob"), "{log:?}");
    assert!(!log.iter().any(|line| line.to_string().contains(PASSWORD)));
    for (set, args) in [
        (&[bob, password][..], &["nodes"][..]),
        (&[bob, ("JIGSAW_PASSWORD_FILE", file)], &["datasets"]),
        (&[password], &["query", "SELECT 1", "--user", "bob"]),
        (&[bob, password], &["query", sql, "--dry-run"]),
    ] {
        let ran = jigsaw(&federation, set, args).await;
        assert_eq!(ran.exit, Exit::Answered, "{args:?}: {}", ran.stderr);
        assert!(!format!("{}{}", ran.stdout, ran.stderr).contains(PASSWORD));
    }
    // A token is somebody's password as well.
    let ada = token(&federation);
    let ran =
        jigsaw(&federation, &[("JIGSAW_USER", "ada"), ("JIGSAW_PASSWORD", ada.trim())], &["nodes"]).await;
    assert_eq!(ran.exit, Exit::Answered, "{}", ran.stderr);
    for user in ["bob", "eve"] {
        let wrong = [("JIGSAW_USER", user), ("JIGSAW_PASSWORD", "a guess at it")];
        let ran = jigsaw(&federation, &wrong, &["nodes"]).await;
        let sentence = format!(
            "jigsaw: the server does not sign in {user:?}: user name or password is wrong; check both\n"
        );
        assert_eq!((ran.exit, ran.stderr), (Exit::Connection, sentence));
    }
    // Ten attempts a minute; the sentence says when to come back.
    let mut last = String::new();
    for _ in 0..10 {
        let ran = jigsaw(&federation, &[bob, ("JIGSAW_PASSWORD", "a guess at it")], &["nodes"]).await;
        assert_eq!(ran.exit, Exit::Connection, "{}", ran.stderr);
        last = ran.stderr;
    }
    assert!(last.starts_with("jigsaw: signing in failed: too many attempts to sign in: "), "{last}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_signs_in_with_a_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let (analysts, strangers) = (Authority::new().unwrap(), Authority::new().unwrap());
    fs::create_dir_all(dir.path().join("tls")).unwrap();
    fs::write(dir.path().join("tls/analysts-ca.pem"), analysts.pem()).unwrap();
    fs::write(dir.path().join(ACCESS), "client_ca = \"tls/analysts-ca.pem\"\n").unwrap();
    let federation = start(&dir).await;
    let written = |party: &Party, name: &str| {
        party.write(dir.path(), name).unwrap();
        ["pem", "key"].map(|ending| dir.path().join(format!("{name}.{ending}")).display().to_string())
    };
    let carol = analysts.sign(&["carol"]).unwrap();
    let [certificate, key] = written(&carol, "carol");
    let both = secret(dir.path(), "both.pem", &format!("{}{}", carol.certificate, carol.key));
    let sql = "SELECT node, COUNT(*) FROM env_site GROUP BY node";
    let ran = jigsaw(&federation, &[], &["query", sql, "--certificate", &certificate, "--key", &key]).await;
    assert_eq!(ran.exit, Exit::Answered, "{}", ran.stderr);
    let log = federation.audit("camden");
    assert!(log.iter().any(|line| line["principal"] == "carol"), "{log:?}");
    let variables = [("JIGSAW_CERTIFICATE", certificate.as_str()), ("JIGSAW_KEY", key.as_str())];
    let one_file = [("JIGSAW_CERTIFICATE", both.to_str().unwrap())];
    for set in [&variables[..], &one_file] {
        let ran = jigsaw(&federation, set, &["nodes"]).await;
        assert_eq!(ran.exit, Exit::Answered, "{}", ran.stderr);
    }
    // A profile has the files, and no secret.
    let home = dir.path().join("home");
    let set = [("HOME", home.to_str().unwrap())];
    let connect = ["connect", "--certificate", &certificate, "--key", &key];
    let ran = jigsaw(&federation, &set, &connect).await;
    assert_eq!(ran.exit, Exit::Answered, "{}", ran.stderr);
    let profile = fs::read_to_string(home.join(".config/jigsaw/profiles.toml")).unwrap();
    assert!(profile.contains(&certificate) && profile.contains(&key), "{profile}");
    assert!(!profile.contains("PRIVATE"), "{profile}");
    let ran = jigsaw(&federation, &set, &["nodes"]).await;
    assert_eq!(ran.exit, Exit::Answered, "{}", ran.stderr);

    // Another authority's, a name too many, another's key, none at all.
    let [stranger, strange_key] = written(&strangers.sign(&["carol"]).unwrap(), "stranger");
    let [two, two_key] = written(&analysts.sign(&["carol", "ada"]).unwrap(), "two");
    for (args, exit, words) in [
        (
            &["--certificate", &stranger, "--key", &strange_key][..],
            Exit::Connection,
            "is the client certificate (--certificate) of an authority that the server trusts?",
        ),
        (
            &["--certificate", &two, "--key", &two_key],
            Exit::Connection,
            "the server does not accept this certificate: ",
        ),
        (&["--certificate", &certificate, "--key", &two_key], Exit::Usage, "and its key cannot be used: "),
        (&[], Exit::Connection, "the server does not answer unknown people: sign in first"),
    ] {
        let ran = jigsaw(&federation, &[], &[&["nodes"][..], args].concat()).await;
        assert_eq!(ran.exit, exit, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(words) && ran.stderr.lines().count() == 1, "{args:?}: {}", ran.stderr);
    }
}
