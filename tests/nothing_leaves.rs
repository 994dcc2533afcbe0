//! Nothing that is in a row leaves a node: not in an answer, an error, a log line, whatever is asked and whatever breaks.
//!
//! Values that occur nowhere else are planted in the rows of every node. A tap on every node's line records what the
//! node sends, before TLS hides it, while hundreds of questions are asked, legal and illegal, and while files break. Then
//! every recorded byte, every log line and every audit line is searched for every form of every planted value.
#![cfg(test)]

use std::fs;
use std::path::Path;

use harness::data::{NodeData, Scale, Synthetic};
use harness::federation::{Federation, Policy};
use harness::logs::Logs;
use sqllogictest::{DefaultColumnType, Record};

mod huffman;
mod needles;

pub(crate) use needles::Needles;

const SEED: u64 = 7;

/// Enough nodes for every shape that files come in, few enough for a debug build.
const NODES: [&str; 8] =
    ["camden", "hackney", "croydon", "southwark", "barnet", "lambeth", "greenwich", "second-step"];

fn rows(dir: &Path) -> (Vec<NodeData>, Needles) {
    let synthetic = Synthetic::new(SEED, Scale::test()).with_canaries();
    let mut nodes = synthetic.write_to(dir).unwrap();
    nodes.retain(|node| NODES.contains(&node.id.as_str()));
    assert_eq!(nodes.len(), NODES.len());
    (nodes, Needles::of(&synthetic.canaries().unwrap()))
}

/// Everything that left any node so far, with its log and its own record.
fn outside(federation: &Federation, logs: &Logs) -> Vec<u8> {
    let mut bytes = logs.bytes();
    for node in NODES {
        for recording in federation.tap(node).recordings() {
            bytes.extend(recording.from_node);
        }
        for line in federation.audit(node) {
            bytes.extend(line.to_string().into_bytes());
        }
    }
    bytes
}

/// The SQL of every script, refusals included.
fn scripts(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut paths: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            found.extend(scripts(&path));
        } else {
            let records = sqllogictest::parse_file::<DefaultColumnType>(&path).unwrap();
            found.extend(records.into_iter().filter_map(|record| match record {
                Record::Query { sql, .. } | Record::Statement { sql, .. } => Some(sql),
                _ => None,
            }));
        }
    }
    found
}

/// What somebody would try who wants to see a person.
const ATTACKS: [&str; 24] = [
    "SELECT * FROM rough_sleeping_contact",
    "SELECT full_name, nino FROM rough_sleeping_contact",
    "SELECT person_key, COUNT(*) FROM rough_sleeping_contact GROUP BY person_key",
    "SELECT MIN(person_key), MAX(person_key) FROM rough_sleeping_contact",
    "SELECT MAX(full_name) FROM homelessness_case",
    "SELECT MAX(monthly_income) FROM homelessness_case",
    "SELECT SUM(monthly_income) FROM homelessness_case",
    "SELECT ward, COUNT(*) FROM property GROUP BY ward",
    "SELECT ward, SUM(rebuild_cost) FROM property GROUP BY ward",
    "SELECT ward, MAX(rebuild_cost), MIN(rebuild_cost) FROM property GROUP BY ward",
    "SELECT rebuild_cost, COUNT(*) FROM property GROUP BY rebuild_cost",
    "SELECT CAST(ward AS INTEGER), COUNT(*) FROM property GROUP BY 1",
    "SELECT CAST(ward AS DATE), COUNT(*) FROM property GROUP BY 1",
    "SELECT SUM(rebuild_cost * rebuild_cost * rebuild_cost) FROM property",
    "SELECT SUM(rebuild_cost / (bedrooms - bedrooms)) FROM property",
    "SELECT STRING_AGG(ward, ',') FROM property",
    "SELECT ARRAY_AGG(ward) FROM property",
    "SELECT MEDIAN(rebuild_cost) FROM property",
    "SELECT APPROX_DISTINCT(uprn_key) FROM property",
    "SELECT sensor_id, MAX(temp_c) FROM sensor_reading GROUP BY sensor_id",
    "SELECT temp_c, COUNT(*) FROM sensor_reading GROUP BY temp_c",
    "SELECT SUM(temp_c) FROM sensor_reading WHERE temp_c > 900",
    "SELECT wall_type, SUM(rebuild_cost), AVG(rebuild_cost), STDDEV(rebuild_cost) FROM property GROUP BY wall_type",
    "EXPLAIN SELECT wall_type, SUM(rebuild_cost) FROM property WHERE rebuild_cost > 5 GROUP BY wall_type",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_planted_value_leaves_a_protected_node() {
    let logs = Logs::record();
    let dir = tempfile::tempdir().unwrap();
    let (nodes, needles) = rows(dir.path());
    assert!(needles.len() > 5_000, "only {} forms are looked for", needles.len());
    let federation =
        Federation::builder(dir.path(), nodes).policy(Policy::Contract).tap_all().start().await.unwrap();
    let mut queries = scripts(&Path::new(env!("CARGO_MANIFEST_DIR")).join("sql"));
    queries.extend(ATTACKS.map(str::to_owned));
    let (mut answered, mut words) = (0, Vec::new());
    for sql in &queries {
        match federation.sql(sql).await {
            Ok(answer) => answered += usize::from(answer.rows() > 0),
            Err(problem) => words.extend(problem.to_string().into_bytes()),
        }
    }
    assert!(answered > 100, "only {answered} of {} questions had an answer", queries.len());
    let outside = outside(&federation, &logs);
    assert!(outside.len() > 100_000, "{} bytes are too few to mean anything", outside.len());
    assert_eq!(needles.found_in(&outside), [""; 0], "left a node, or was logged");
    assert_eq!(needles.found_in(&words), [""; 0], "is in an error");
    let told = logs.bytes();
    assert!(!String::from_utf8_lossy(&told).contains("panicked"), "a question made something panic");
}

/// The search can find: what an open policy lets out is found, in text and as a number.
#[tokio::test(flavor = "multi_thread")]
async fn the_search_finds_what_an_open_policy_lets_out() {
    let dir = tempfile::tempdir().unwrap();
    let (nodes, needles) = rows(dir.path());
    let federation =
        Federation::builder(dir.path(), nodes).policy(Policy::Open).tap_all().start().await.unwrap();
    federation.sql("SELECT ward, MAX(rebuild_cost) FROM property GROUP BY ward").await.unwrap();
    let sent: Vec<u8> =
        federation.tap("camden").recordings().into_iter().flat_map(|recording| recording.from_node).collect();
    let found = needles.found_in(&sent).join("\n");
    assert!(found.contains("property.ward of camden as text"), "{found}");
    assert!(found.contains("property.rebuild_cost of camden as little-endian bigint"), "{found}");
}

/// A file that breaks while the node runs fails the question, in words that say nothing of what is in it.
#[tokio::test(flavor = "multi_thread")]
async fn no_planted_value_leaves_through_a_broken_file() {
    let logs = Logs::record();
    let dir = tempfile::tempdir().unwrap();
    let (nodes, needles) = rows(dir.path());
    let federation =
        Federation::builder(dir.path(), nodes).policy(Policy::Contract).tap_all().start().await.unwrap();
    let asked = "SELECT duty, COUNT(*), COUNT(DISTINCT case_id) FROM homelessness_case WHERE application_date >= DATE '2020-01-01' GROUP BY duty";
    federation.sql(asked).await.unwrap();
    break_csv(&dir.path().join("croydon/data/homelessness_case.csv"));
    break_parquet(&dir.path().join("camden/data/homelessness_case.parquet"));
    let problem = federation.sql(asked).await.unwrap_err();
    assert!(problem.message.contains("croydon") || problem.message.contains("camden"), "{problem}");
    let outside = outside(&federation, &logs);
    assert_eq!(needles.found_in(&outside), [""; 0], "left a node, or was logged");
    assert_eq!(needles.found_in(problem.to_string().as_bytes()), [""; 0], "is in the error");
}

/// Puts the planted name where a date belongs.
fn break_csv(path: &Path) {
    let text = fs::read_to_string(path).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    let date = header.split(';').position(|column| column == "application_date").unwrap();
    let planted = rows.lines().find(|row| row.contains("Zebedee")).expect("a row is planted");
    let name = planted.split(';').find(|cell| cell.contains("Zebedee")).unwrap().to_owned();
    let mut cells: Vec<&str> = planted.split(';').collect();
    cells[date] = &name;
    fs::write(path, text.replace(planted, &cells.join(";"))).unwrap();
}

/// Overwrites the first pages, and leaves the footer.
fn break_parquet(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let end = bytes.len() / 2;
    bytes[4..end].fill(0xff);
    fs::write(path, bytes).unwrap();
}
