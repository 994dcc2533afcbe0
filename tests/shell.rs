//! The shell of `jigsaw`, as a person meets it: the program on a terminal, against a live federation.
//!
//! Screens are compared with those in `shell/golden/`. After a change that is meant, accept them:
//! `JIGSAW_ACCEPT=1 cargo test -p jigsaw-tests shell`, and read the difference.
#![cfg(test)]
#![cfg(unix)]

mod screens;
mod signing_in;
mod terminal;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use harness::data::{Scale, Synthetic};
use harness::federation::{Federation, Policy};
use harness::tap::Fault;
use tempfile::TempDir;
use terminal::{Start, Terminal};

/// Large boroughs, so that a small sample of London has cells to show.
const NODES: [&str; 6] = ["barnet", "camden", "croydon", "greenwich", "hackney", "lambeth"];
const COUNT: &str = "SELECT node, COUNT(*) AS homes FROM property GROUP BY node ORDER BY node";
const WRONG: &str = "0123456789abcdef0123456789abcdef";

async fn federation() -> (TempDir, Federation) {
    federation_with(|_| {}).await
}

/// One whose configurations are edited before it starts.
async fn federation_with(edit: fn(&Path)) -> (TempDir, Federation) {
    let dir = tempfile::tempdir().unwrap();
    let mut nodes = Synthetic::new(7, Scale::test()).write_to(dir.path()).unwrap();
    nodes.retain(|node| NODES.contains(&node.id.as_str()));
    let builder = Federation::builder(dir.path(), nodes).policy(Policy::Contract).tap(["camden"]).edit(edit);
    (dir, builder.start().await.unwrap())
}

/// How the program is started: connected by environment, with a home of its own.
fn start(federation: &Federation, home: &Path) -> Start {
    Start::new(home)
        .set("JIGSAW_SERVER", &format!("https://{}", federation.address()))
        .set("JIGSAW_CA", federation.ca_file().to_str().unwrap())
        .set("JIGSAW_TOKEN_FILE", federation.token_file().to_str().unwrap())
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("shell/golden").join(format!("{name}.txt"))
}

/// What differs from run to run: address, durations, ids of questions.
fn settled(screen: &str, federation: &Federation) -> String {
    let screen = screen.replace(&federation.address().to_string(), "127.0.0.1:50050");
    let mut text = String::new();
    for line in screen.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let mut settled: Vec<String> = words.iter().map(ToString::to_string).collect();
        for at in 0..words.len() {
            if words[at].parse::<f64>().is_ok() && words.get(at + 1) == Some(&"s") && words[at].contains('.')
            {
                "0.00".clone_into(&mut settled[at]);
            }
            if at > 0 && words[at - 1] == "query" && words[at].len() > 8 {
                "ID".clone_into(&mut settled[at]);
            }
        }
        text.push_str(settled.join(" ").trim_end());
        text.push('\n');
    }
    text.trim_end().to_owned() + "\n"
}

#[track_caller]
fn expect_screen(name: &str, terminal: &Terminal, federation: &Federation) {
    let found = settled(&terminal.screen(), federation);
    let file = golden(name);
    if std::env::var_os("JIGSAW_ACCEPT").is_some() {
        fs::write(&file, &found).unwrap();
    }
    let wanted = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(found, wanted, "the screen {name}; if it is meant, accept it as the module says\n{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_completes_remembers_and_ends() {
    let (dir, federation) = federation().await;
    let home = dir.path().join("home");
    let mut shell = start(&federation, &home).open(24, 100);
    shell.wait_prompt();
    shell.enter("\\refresh");
    shell.wait_for(" functions\n");
    shell.keys("select node, count(*) as homes from prop\t");
    shell.wait_for("from property");
    shell.keys(" gro\t by node\r");
    shell.wait_for("group by node");
    shell.enter_more("order by node;");
    shell.wait_for("6 of 6 nodes answered");
    shell.wait_prompt();
    expect_screen("conversation", &shell, &federation);

    shell.clear();
    shell.keys("\x1b[A");
    shell.wait_for("order by node;");
    shell.interrupt();
    shell.keys("\x12refr");
    shell.wait_for("reverse-i-search)`refr': \\refresh");
    expect_screen("history", &shell, &federation);
    shell.keys("\x07");
    shell.interrupt();
    shell.enter(" SELECT 'not kept';");
    shell.wait_for("│ not kept");
    shell.wait_prompt();
    shell.keys("\x04");
    assert_eq!(shell.wait(), 0);

    let history = home.join("state/jigsaw/history");
    let text = fs::read_to_string(&history).unwrap();
    assert!(text.contains("order by node;") && text.contains("\\refresh"), "{text}");
    assert!(!text.contains("not kept"), "a line that begins with a blank is not kept: {text}");
    let token = fs::read_to_string(federation.token_file()).unwrap();
    assert!(!text.contains(token.trim()), "the token is in the history");
    assert_eq!(fs::metadata(&history).unwrap().permissions().mode() & 0o777, 0o600);

    // The next shell remembers; one without history neither reads nor writes it.
    let mut shell = start(&federation, &home).open(24, 100);
    shell.wait_prompt();
    shell.keys("\x12order by");
    shell.wait_for("from property group by node");
    shell.keys("\x07");
    shell.interrupt();
    shell.keys("\x04");
    shell.wait();
    let mut shell = start(&federation, &home).args(&["--no-history"]).open(24, 100);
    shell.wait_prompt();
    shell.enter("SELECT 'unseen';");
    shell.wait_for("│ unseen");
    shell.enter("\\q");
    assert_eq!(shell.wait(), 0);
    assert_eq!(fs::read_to_string(&history).unwrap(), text);
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_the_question_and_not_the_shell() {
    let (dir, federation) = federation().await;
    let mut shell = start(&federation, &dir.path().join("home")).open(24, 100);
    shell.wait_prompt();
    federation.tap("camden").fault(Fault::Stall);
    shell.enter(&format!("{COUNT};"));
    shell.wait_for("5 of 6 nodes answered, waiting for camden");
    shell.keys("\x03");
    shell.wait_for("cancelled\njigsaw> ");
    assert!(!shell.screen().contains("waiting for"), "the progress line is gone: {}", shell.screen());
    federation.tap("camden").fault(Fault::None);
    shell.enter("SELECT 40 + 2 AS answer;");
    shell.wait_for("│     42 │");
    shell.wait_for("1 row ·");
    shell.wait_prompt();
    expect_screen("cancelled", &shell, &federation);
    shell.enter("SELECT nonsense;");
    shell.wait_for("jigsaw: ");
    shell.wait_prompt();
    shell.keys("\x04");
    assert_eq!(shell.wait(), 0, "a wrong statement does not end the shell either");
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_fit_the_terminal_as_it_is_now() {
    let (dir, federation) = federation().await;
    let mut shell = start(&federation, &dir.path().join("home")).open(30, 60);
    shell.wait_prompt();
    shell.enter("\\pager off");
    shell.clear();
    shell.enter("SELECT node, title, status, software FROM system.nodes ORDER BY node;");
    shell.wait_for("6 rows ·");
    shell.wait_prompt();
    expect_screen("narrow", &shell, &federation);
    shell.resize(30, 130);
    shell.clear();
    shell.enter("SELECT node, title, status, software FROM system.nodes ORDER BY node;");
    shell.wait_for("6 rows ·");
    shell.wait_prompt();
    expect_screen("resized", &shell, &federation);
    shell.clear();
    shell.enter("\\nodes");
    shell.wait_for("6 rows ·");
    let widest = shell.screen().lines().map(|line| line.chars().count()).max().unwrap();
    assert!((100..=130).contains(&widest), "{widest}: {}", shell.screen());
    assert!(shell.screen().contains("London Borough of Barnet"), "{}", shell.screen());
    shell.enter("\\x");
    shell.enter("\\nodes");
    shell.wait_for("-- row 6 --");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taller_than_the_screen_goes_to_the_pager() {
    let (dir, federation) = federation().await;
    let home = dir.path().join("home");
    // A pager is nobody to be told a token.
    let pager = "sed 's/^/paged: /'; env | grep -c ^JIGSAW_TOKEN= | sed 's/^/tokens: /'";
    let token = fs::read_to_string(federation.token_file()).unwrap();
    let shell = start(&federation, &home).unset("JIGSAW_TOKEN_FILE").set("JIGSAW_TOKEN", token.trim());
    let mut shell = shell.set("PAGER", pager).open(12, 100);
    shell.wait_prompt();
    shell.enter("SELECT 1 AS one;");
    shell.wait_for("1 row ·");
    assert!(!shell.screen().contains("paged: "), "what fits is not paged: {}", shell.screen());
    shell.enter("\\d property");
    shell.wait_for("tokens: 0");
    assert!(shell.screen().contains("paged: "), "{}", shell.screen());
    shell.wait_for("rows ·");
    shell.enter("\\pager off");
    shell.clear();
    shell.enter("\\d property");
    shell.wait_for("rows ·");
    assert!(!shell.screen().contains("paged: "), "{}", shell.screen());
}

#[tokio::test(flavor = "multi_thread")]
async fn colours_are_shown_where_they_are_wanted() {
    let (dir, federation) = federation().await;
    let home = dir.path().join("home");
    let mut shell = start(&federation, &home).open(24, 100);
    shell.wait_prompt();
    shell.enter("SELECT NULL AS nothing;");
    shell.wait_for("1 row ·");
    assert!(shell.bytes().contains("\x1b[1;34mSELECT\x1b[0m"), "{:?}", shell.bytes());
    assert!(shell.bytes().contains("\x1b[2m"), "null is dim");

    let mut shell = start(&federation, &home).set("NO_COLOR", "1").open(24, 100);
    shell.wait_prompt();
    shell.enter("SELECT NULL AS nothing;");
    shell.wait_for("1 row ·");
    shell.enter(&format!("{COUNT};"));
    shell.wait_for("6 of 6 nodes answered");
    shell.wait_prompt();
    expect_screen("no_colour", &shell, &federation);
    shell.enter("\\chart map");
    shell.wait_for("- not in the answer");
    let coloured = shell.bytes().split('\x1b').skip(1).any(|escape| {
        let code = escape
            .trim_start_matches(['[', ';'])
            .trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
        code.starts_with('m') && !escape.starts_with("[m") && !escape.starts_with("[0m")
    });
    assert!(!coloured, "{:?}", shell.bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dumb_terminal_gets_plain_text() {
    let (dir, federation) = federation().await;
    let mut shell = start(&federation, &dir.path().join("home")).set("TERM", "dumb").open(40, 100);
    shell.wait_prompt();
    shell.keys("SELECT node, COUNT(*) AS homes\nFROM property\nGROUP BY node ORDER BY node;\n");
    shell.wait_for("6 of 6 nodes answered");
    shell.wait_prompt();
    shell.keys("\\chart bar\n");
    shell.wait_for("lambeth   |###");
    shell.wait_prompt();
    shell.keys("\\q\n");
    assert_eq!(shell.wait(), 0);
    assert!(!shell.bytes().contains('\x1b'), "{:?}", shell.bytes());
    expect_screen("dumb", &shell, &federation);
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_are_drawn_of_the_last_answer_without_asking_again() {
    let (dir, federation) = federation().await;
    let home = dir.path().join("home");
    let mut shell = start(&federation, &home).set("NO_COLOR", "1").open(40, 100);
    shell.wait_prompt();
    shell.enter("\\chart bar");
    shell.wait_for("there is no answer to draw");
    shell.enter(&format!("{COUNT};"));
    shell.wait_for("6 of 6 nodes answered");
    let asked = federation.audit("camden").len();
    shell.clear();
    shell.enter("\\chart map");
    shell.wait_for("- not in the answer");
    shell.wait_prompt();
    expect_screen("map", &shell, &federation);
    let file = home.join("london.png");
    shell.enter(&format!("\\chart map {}", file.display()));
    shell.enter("\\timing");
    shell.wait_for("timing        on");
    assert!(fs::read(&file).unwrap().starts_with(b"\x89PNG"));
    let file = home.join("london.svg");
    shell.enter(&format!("\\chart hex {}", file.display()));
    shell.enter("\\timing");
    shell.wait_for("timing        off");
    let svg = fs::read_to_string(&file).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("Cam"), "{svg:.300}");
    assert_eq!(federation.audit("camden").len(), asked, "the node was asked again");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_show_policies_plans_and_options() {
    let (dir, federation) = federation().await;
    let home = dir.path().join("home");
    let script = dir.path().join("script.sql");
    fs::write(&script, "\\set timeout 20\nSELECT 'from a\nfile;' AS text;\n\\timing on\nSELECT 1").unwrap();
    let mut shell = start(&federation, &home).open(50, 120);
    shell.wait_prompt();
    shell.enter("\\pager off");
    shell.enter("\\policy rough_sleeping_contact");
    shell.wait_for("lambeth    protected: leaves out what fewer than");
    shell.clear();
    shell.enter("\\dryrun SELECT wall_type, COUNT(*) FROM property\rGROUP BY wall_type;");
    shell.wait_for("A node may still refuse");
    shell.wait_prompt();
    expect_screen("dry_run", &shell, &federation);
    shell.clear();
    shell.enter(&format!("\\i {}", script.display()));
    shell.wait_for("complete after");
    assert!(shell.screen().contains("timeout       20 s"), "{}", shell.screen());
    shell.enter("\\purpose winter planning");
    shell.clear();
    shell.enter("\\conninfo");
    shell.wait_for("purpose       winter planning\njigsaw> ");
    assert!(shell.screen().contains("token         sent"), "{}", shell.screen());
    shell.enter(&format!("{COUNT};"));
    shell.wait_for("6 of 6 nodes answered");
    let told = federation.audit("camden").iter().any(|line| line.to_string().contains("winter planning"));
    assert!(told, "the node's audit has the purpose: {:?}", federation.audit("camden"));
    // What SET sets is kept in the session of the server.
    shell.enter("\\unset purpose");
    shell.enter("SET jigsaw.purpose = 'from the session';");
    shell.clear();
    shell.enter("SHOW jigsaw.purpose;");
    shell.wait_for("from the session ┆ session");
    shell.clear();
    shell.enter("\\watch 1");
    shell.wait_for("1 row ·");
    shell.keys("\x03");
    shell.wait_prompt();
    let out = dir.path().join("out.csv");
    shell.enter("\\format csv");
    shell.enter(&format!("\\o {}", out.display()));
    shell.enter("SELECT 7 AS seven;");
    shell.enter("SELECT 8 AS eight;");
    shell.wait_for("\neight");
    assert_eq!(fs::read_to_string(&out).unwrap(), "seven\r\n7\r\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_told_before_the_first_question() {
    let (dir, federation) = federation().await;
    let wrong = dir.path().join("wrong.token");
    fs::write(&wrong, WRONG).unwrap();
    let shell = start(&federation, &dir.path().join("home"));
    let mut shell = shell.set("JIGSAW_TOKEN_FILE", wrong.to_str().unwrap()).open(24, 100);
    assert_eq!(shell.wait(), 3);
    assert!(shell.screen().contains("the server does not accept this token"), "{}", shell.screen());
    assert!(!shell.screen().contains("jigsaw> "), "{}", shell.screen());
}

#[tokio::test(flavor = "multi_thread")]
async fn connect_asks_for_the_token_without_showing_it() {
    let (dir, federation) = federation().await;
    let home = dir.path().join("home");
    let token = fs::read_to_string(federation.token_file()).unwrap();
    let connect = || start(&federation, &home).unset("JIGSAW_TOKEN_FILE").args(&["connect"]);
    let profiles = home.join("config/jigsaw/profiles.toml");
    let mut refused = connect().open(24, 100);
    refused.wait_for("Access token");
    refused.wait_for_silence();
    refused.keys(&format!("{WRONG}\r"));
    assert_eq!(refused.wait(), 3);
    assert!(!refused.bytes().contains(WRONG), "the terminal showed the token: {:?}", refused.bytes());
    assert!(!profiles.exists());
    let mut given_up = connect().open(24, 100);
    given_up.wait_for("Access token");
    given_up.wait_for_silence();
    given_up.keys("half\x03");
    assert_eq!(given_up.wait(), 130);
    let mut accepted = connect().open(24, 100);
    accepted.wait_for("Access token");
    accepted.wait_for_silence();
    accepted.keys(&format!("{}\r", token.trim()));
    assert_eq!(accepted.wait(), 0);
    assert!(!accepted.bytes().contains(token.trim()), "the terminal showed the token");
    assert!(accepted.screen().contains("6 of 6 nodes are up"), "{}", accepted.screen());
    assert_eq!(fs::metadata(&profiles).unwrap().permissions().mode() & 0o777, 0o600);
    // Nothing but the profile says where to.
    let mut shell = Start::new(&home).open(24, 100);
    shell.wait_for("6 of 6 nodes up");
    shell.enter("\\conninfo");
    shell.wait_for("profile       default");
    assert!(!shell.bytes().contains(token.trim()));
}
