//! The command `jigsaw` against a live federation: formats, exit codes, what goes where.
#![cfg(test)]

mod charts;

use std::ffi::OsString;
use std::fs;
use std::io::Cursor;

use arrow::ipc::reader::FileReader;
use harness::data::{Scale, Synthetic};
use harness::federation::{Federation, Policy};
use jigsaw_client::{Exit, Surroundings, Terminal};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;

const WALLS: &str =
    "SELECT wall_type, COUNT(*) AS homes FROM property GROUP BY wall_type ORDER BY homes DESC";

/// Large boroughs, so that a small sample of London has cells to show.
const NODES: [&str; 6] = ["barnet", "camden", "croydon", "greenwich", "hackney", "lambeth"];

mod explain;

struct Ran {
    exit: Exit,
    stdout: Vec<u8>,
    stderr: String,
}

impl Ran {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }
}

async fn start() -> (TempDir, Federation) {
    let dir = tempfile::tempdir().unwrap();
    let mut nodes = Synthetic::new(7, Scale::test()).write_to(dir.path()).unwrap();
    nodes.retain(|node| NODES.contains(&node.id.as_str()));
    let federation = Federation::builder(dir.path(), nodes).policy(Policy::Contract).start().await.unwrap();
    (dir, federation)
}

async fn jigsaw(federation: &Federation, stdin: &str, args: &[&str]) -> Ran {
    let (server, ca) = (format!("https://{}", federation.address()), federation.ca_file());
    let token = fs::read_to_string(federation.token_file()).unwrap();
    let variable = |name: &str| match name {
        "JIGSAW_SERVER" => Some(server.clone()),
        "JIGSAW_CA" => ca.to_str().map(str::to_owned),
        "JIGSAW_TOKEN" => Some(token.clone()),
        _ => None,
    };
    let args = std::iter::once("jigsaw").chain(args.iter().copied()).map(OsString::from);
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut around = Surroundings {
        stdin: &mut stdin.as_bytes(),
        stdout: &mut stdout,
        stderr: &mut stderr,
        terminal: Terminal { stdin: false, stdout: false, stderr: false, width: 100 },
        variable: &variable,
    };
    let exit = jigsaw_client::run(args, &mut around, std::future::pending()).await;
    Ran { exit, stdout, stderr: String::from_utf8(stderr).unwrap() }
}

/// What would be asked of whom, without asking; and what would be refused is.
#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_what_would_be_asked() {
    let (dir, federation) = start().await;
    let dry = async |sql: &str, more: &[&str]| {
        jigsaw(&federation, "", &[&["query", sql, "--dry-run"], more].concat()).await
    };
    let walls = dry(WALLS, &[]).await;
    assert_eq!(walls.exit, Exit::Answered, "{}", walls.stderr);
    for words in
        ["asked of 6 nodes:", "camden", "leaves out what fewer than 10 people stand behind", "added up:"]
    {
        assert!(walls.text().contains(words), "{words} is not in:\n{}", walls.text());
    }
    assert!(!walls.text().contains("solid"), "no row is read:\n{}", walls.text());
    let file = dir.path().join("dry.txt");
    let kept = dry(WALLS, &["-o", file.to_str().unwrap()]).await;
    assert_eq!((kept.exit, kept.stdout.len()), (Exit::Answered, 0), "{}", kept.stderr);
    assert_eq!(fs::read(&file).unwrap(), walls.stdout);
    assert!(dry("SELECT 1", &[]).await.text().contains("No node would be asked."));
    let refused = dry("SELECT nothing FROM property", &[]).await;
    assert_ne!(refused.exit, Exit::Answered);
    assert!(refused.stderr.contains("nothing"), "{}", refused.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_format_says_the_same() {
    let (dir, federation) = start().await;
    let csv = jigsaw(&federation, "", &["query", WALLS, "--format", "csv"]).await;
    assert_eq!(csv.exit, Exit::Answered, "{}", csv.stderr);
    let rows = csv.text().lines().count() - 1;
    assert!(rows >= 2, "{}", csv.text());
    assert!(csv.text().starts_with("wall_type,homes"), "{}", csv.text());
    let json = jigsaw(&federation, WALLS, &["query", "--format", "json"]).await;
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json.as_array().unwrap().len(), rows);
    let table = jigsaw(&federation, "", &["query", WALLS]).await;
    assert!(table.text().contains("wall_type"), "{}", table.text());
    let arrow = jigsaw(&federation, "", &["query", WALLS, "--format", "arrow"]).await;
    let batches = FileReader::try_new(Cursor::new(arrow.stdout), None).unwrap();
    assert_eq!(batches.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), rows);
    let file = dir.path().join("walls.parquet");
    let sql = dir.path().join("walls.sql");
    fs::write(&sql, WALLS).unwrap();
    let (sql, path) = (sql.to_str().unwrap(), file.to_str().unwrap());
    let parquet = jigsaw(&federation, "", &["query", "-f", sql, "--format", "parquet", "-o", path]).await;
    assert_eq!((parquet.exit, parquet.stdout.len()), (Exit::Answered, 0), "{}", parquet.stderr);
    let batches =
        ParquetRecordBatchReaderBuilder::try_new(fs::File::open(file).unwrap()).unwrap().build().unwrap();
    assert_eq!(batches.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn caveats_and_withheld_cells_are_seen() {
    let (_dir, federation) = start().await;
    let sql = "SELECT node, built_band, epc_band, COUNT(*) AS homes FROM property GROUP BY node, built_band, epc_band";
    let table = jigsaw(&federation, "", &["query", sql]).await;
    assert_eq!(table.exit, Exit::Answered, "{}", table.stderr);
    assert!(table.stderr.contains("[1]"), "an answer that is rounded says so: {}", table.stderr);
    assert!(table.stderr.contains("6 of 6 nodes answered"), "{}", table.stderr);
    let sums = "SELECT node, epc_band, SUM(rebuild_cost) AS cost FROM property GROUP BY node, epc_band";
    let table = jigsaw(&federation, "", &["query", sums]).await;
    assert_eq!(table.exit, Exit::Answered, "{}", table.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_of_cells_is_shown_when_asked_for() {
    let (_dir, federation) = start().await;
    let csv = jigsaw(&federation, "", &["query", WALLS, "--format", "csv", "--cell-status", "columns"]).await;
    assert_eq!(csv.exit, Exit::Answered, "{}", csv.stderr);
    let mut lines = csv.text().lines();
    let header = "wall_type,homes,homes__status,homes__nodes_withheld,homes__nodes_left_out";
    assert_eq!(lines.next(), Some(header));
    let words = ["rounded", "partial", "withheld"];
    for line in lines {
        assert!(line.split(',').nth(2).is_some_and(|word| words.contains(&word)), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalogue_is_listed() {
    let (_dir, federation) = start().await;
    let nodes = jigsaw(&federation, "", &["nodes"]).await;
    assert!(
        nodes.text().contains("camden") && nodes.text().contains("up"),
        "{}{}",
        nodes.text(),
        nodes.stderr
    );
    let datasets = jigsaw(&federation, "", &["datasets"]).await;
    assert!(datasets.text().contains("rough_sleeping_contact"), "{}{}", datasets.text(), datasets.stderr);
    assert!(datasets.text().contains("ref_borough"), "{}", datasets.text());
    let columns = jigsaw(&federation, "", &["describe", "property", "--format", "csv"]).await;
    assert!(columns.text().contains("wall_type"), "{}{}", columns.text(), columns.stderr);
    assert!(!columns.text().contains("address"), "a hidden column is shown: {}", columns.text());
    let plan = jigsaw(&federation, "", &["explain", WALLS]).await;
    assert_eq!(plan.exit, Exit::Answered, "{}", plan.stderr);
    assert!(plan.text().contains("GROUP BY"), "the plan does not show the fragment: {}", plan.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_code_says_what_happened() {
    let (_dir, mut federation) = start().await;
    for (args, exit) in [
        (&["query", "SELECT nonsense FROM property"][..], Exit::Failed),
        (&["query", "SELEC 1"], Exit::Failed),
        (&["query", "SELECT COUNT(*) FROM no_such_table"], Exit::Failed),
        (&["query"], Exit::Usage),
        (&["no-such-command"], Exit::Usage),
        (&["query", "SELECT 1", "--ca", "/no/such/file"], Exit::Usage),
        (&["query", "SELECT 1", "--server", "https://127.0.0.1:1"], Exit::Connection),
        (
            &["query", "SELECT person_key, COUNT(*) FROM rough_sleeping_contact GROUP BY person_key"],
            Exit::Refused,
        ),
        (&["query", "SELECT COUNT(*) FROM property"], Exit::Answered),
    ] {
        let ran = jigsaw(&federation, "", args).await;
        assert_eq!(ran.exit, exit, "{args:?}: {}", ran.stderr);
        assert_eq!(
            ran.stderr.contains("jigsaw: ") || exit == Exit::Usage,
            exit != Exit::Answered,
            "{}",
            ran.stderr
        );
    }
    federation.stop_node("camden").await.unwrap();
    let count = ["query", "SELECT COUNT(*) FROM property"];
    let missing = jigsaw(&federation, "", &count).await;
    assert_eq!(missing.exit, Exit::Incomplete, "{}", missing.stderr);
    assert!(missing.stderr.contains("camden"), "{}", missing.stderr);
    let partial = jigsaw(&federation, "", &[count[0], count[1], "--allow-partial"]).await;
    assert_eq!(partial.exit, Exit::Answered, "{}", partial.stderr);
    assert!(partial.stderr.contains("camden"), "a partial answer names who is missing: {}", partial.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_not_accepted() {
    let (dir, federation) = start().await;
    let file = dir.path().join("wrong.token");
    fs::write(&file, "0123456789abcdef0123456789abcdef").unwrap();
    let ran = jigsaw(&federation, "", &["nodes", "--token-file", file.to_str().unwrap()]).await;
    assert_eq!(ran.exit, Exit::Connection, "{}", ran.stderr);
}
