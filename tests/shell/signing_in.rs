//! Passwords at the keyboard: neither shown nor kept.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{Start, Terminal, federation_with, start};
use crate::identity::signing_in::{HASH, PASSWORD};

/// `bob` may sign in with a password.
fn with_bob(dir: &Path) {
    fs::write(dir.join("users.toml"), format!("[[user]]\nname = \"bob\"\npassword = \"{HASH}\"\n")).unwrap();
    let file = dir.join("coordinator.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("[access]\n", "[access]\nusers = \"users.toml\"\n")).unwrap();
}

/// Answers the question for the password once the terminal shows nothing of it.
fn type_password(terminal: &mut Terminal, keys: &str) {
    terminal.wait_for("Password of bob (not shown):");
    terminal.wait_for_silence();
    terminal.keys(keys);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_is_asked_for_and_neither_shown_nor_kept() {
    let (dir, federation) = federation_with(with_bob).await;
    let home = dir.path().join("home");
    let asked = || start(&federation, &home).unset("JIGSAW_TOKEN_FILE").args(&["--user", "bob"]);

    let mut wrong = asked().open(24, 100);
    type_password(&mut wrong, "a guess at it\r");
    assert_eq!(wrong.wait(), 3);
    let sentence =
        "jigsaw: the server does not sign in \"bob\": user name or password is wrong; check both\n";
    assert!(wrong.screen().ends_with(sentence), "{}", wrong.screen());
    assert!(!wrong.bytes().contains("a guess"), "{:?}", wrong.bytes());
    let mut given_up = asked().open(24, 100);
    type_password(&mut given_up, "half\x03");
    assert_eq!(given_up.wait(), 130);

    let mut shell = asked().open(24, 100);
    type_password(&mut shell, &format!("{PASSWORD}\r"));
    shell.wait_for("6 of 6 nodes up");
    shell.enter("SELECT 40 + 2 AS answer;");
    shell.wait_for("│     42 │");
    shell.enter("\\conninfo");
    shell.wait_for("user          bob, signed in with a password");
    let arguments = fs::read(format!("/proc/{}/cmdline", shell.process())).unwrap_or_default();
    assert!(!String::from_utf8_lossy(&arguments).contains(PASSWORD), "the process list has the password");
    shell.enter("\\q");
    assert_eq!(shell.wait(), 0);
    assert!(!shell.bytes().contains(PASSWORD), "{:?}", shell.bytes());
    let history = fs::read_to_string(home.join("state/jigsaw/history")).unwrap();
    assert!(history.contains("\\conninfo") && !history.contains(PASSWORD), "{history}");

    // A command that is not the shell asks as well.
    let args = ["query", "SELECT 7 AS seven", "--user", "bob"];
    let mut query = start(&federation, &home).unset("JIGSAW_TOKEN_FILE").args(&args).open(24, 100);
    type_password(&mut query, &format!("{PASSWORD}\r"));
    query.wait_for("│     7 │");
    assert_eq!(query.wait(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn connect_keeps_the_name_and_the_password_only_if_told_to() {
    let (dir, federation) = federation_with(with_bob).await;
    let home = dir.path().join("home");
    let profiles = home.join("config/jigsaw/profiles.toml");
    let connect = |args: &[&str]| {
        let start = start(&federation, &home).unset("JIGSAW_TOKEN_FILE");
        start.args(&["connect", "--user", "bob"]).args(args).open(24, 100)
    };
    let mut refused = connect(&[]);
    type_password(&mut refused, "a guess at it\r");
    assert_eq!((refused.wait(), profiles.exists()), (3, false));
    let mut connected = connect(&[]);
    type_password(&mut connected, &format!("{PASSWORD}\r"));
    assert_eq!(connected.wait(), 0, "{}", connected.screen());
    let text = fs::read_to_string(&profiles).unwrap();
    assert!(text.contains("user = \"bob\"") && !text.contains("password"), "{text}");
    // The profile has the name alone, so the shell asks.
    let mut shell = Start::new(&home).open(24, 100);
    type_password(&mut shell, &format!("{PASSWORD}\r"));
    shell.wait_for("6 of 6 nodes up");
    shell.enter("\\q");
    assert_eq!(shell.wait(), 0);

    let mut saved = connect(&["--save-password"]);
    type_password(&mut saved, &format!("{PASSWORD}\r"));
    assert_eq!(saved.wait(), 0, "{}", saved.screen());
    assert!(fs::read_to_string(&profiles).unwrap().contains(PASSWORD));
    assert_eq!(fs::metadata(&profiles).unwrap().permissions().mode() & 0o777, 0o600);
    let mut shell = Start::new(&home).open(24, 100);
    shell.wait_for("6 of 6 nodes up");
    shell.enter("\\q");
    assert_eq!(shell.wait(), 0);
    for terminal in [&refused, &connected, &saved, &shell] {
        assert!(!terminal.bytes().contains(PASSWORD), "{:?}", terminal.bytes());
    }
}
