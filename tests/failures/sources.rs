//! Files that are broken, empty, or full of nothing.

use std::fs;
use std::path::{Path, PathBuf};

use harness::data::DatasetFiles;
use harness::federation::{Asking, Federation, Policy};
use harness::logs::Logs;

use super::{ASKED, LIMIT, NODES, PARTIAL, ask, prepare, rows};

fn property(dir: &Path, node: &str) -> PathBuf {
    dir.join(node).join("data/property.parquet")
}

/// A node does not start over a table it cannot read, and says which.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_does_not_start_with_a_broken_file() {
    let (_dir, builder) = prepare();
    let mut federation = builder.start().await.unwrap();
    let mut bytes = fs::read(property(federation.dir(), "camden")).unwrap();
    bytes.truncate(bytes.len() / 2);
    bytes.extend(b"unspeakable");
    fs::write(property(federation.dir(), "camden"), bytes).unwrap();
    federation.stop_node("camden").await.unwrap();
    federation.restart_node("camden").await.unwrap();
    let error = federation.stop_node("camden").await.unwrap_err().to_string();
    assert!(error.contains("property") && !error.contains("unspeakable"), "{error}");
}

/// What is wrong in a file, and where, is the operator's business: the asker hears which node failed.
#[tokio::test(flavor = "multi_thread")]
async fn a_cell_that_breaks_a_question_is_named_in_the_log_alone() {
    let logs = Logs::record();
    let dir = tempfile::tempdir().unwrap();
    let nodes = rows(dir.path());
    let path = dir.path().join("barnet/data/property.csv");
    let text = fs::read_to_string(&path).unwrap();
    let bedrooms = text.lines().next().unwrap().split(',').position(|column| column == "bedrooms").unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut cells: Vec<&str> = lines[3].split(',').collect();
    cells[bedrooms] = "unspeakable";
    lines[3] = cells.join(",");
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    let builder = Federation::builder(dir.path(), nodes).policy(Policy::Open).timeout_seconds(LIMIT);
    let federation = builder.start().await.unwrap();
    let asked = "SELECT SUM(bedrooms) FROM property";
    let problem = ask(&federation, asked, Asking::default()).await.unwrap_err();
    assert!(problem.message.contains("barnet"), "{problem}");
    assert!(!problem.message.contains("unspeakable"), "{problem}");
    let partial = ask(&federation, asked, PARTIAL).await.unwrap();
    assert!(matches!(partial.status_of("barnet"), Some("failed" | "refused")), "{}", partial.notes);
    let named = logs.lines_with(&["property", "bedrooms", "4"]);
    assert!(!named.is_empty(), "the log does not name the line and the column");
    assert!(logs.lines_with(&["unspeakable"]).is_empty(), "the log quotes the cell");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_table_counts_as_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut nodes = rows(dir.path());
    for node in &mut nodes {
        node.datasets.retain(|files| files.dataset == "flood_report");
        let none = "SELECT * FROM source WHERE FALSE".to_owned();
        node.datasets[0].select = Some(none);
    }
    let federation = Federation::builder(dir.path(), nodes).policy(Policy::Open).start().await.unwrap();
    let sql = format!("SELECT COUNT(*), SUM({}) FROM flood_report", measure("flood_report"));
    let answer = ask(&federation, &sql, Asking::default()).await.unwrap();
    assert_eq!(answer.value(), "0");
    let grouped = "SELECT borough_gss, COUNT(*) FROM flood_report GROUP BY borough_gss";
    assert_eq!(ask(&federation, grouped, Asking::default()).await.unwrap().rows(), 0);
}

/// The name of a dataset's first measure.
fn measure(dataset: &str) -> String {
    let contract = harness::data::contract(dataset).unwrap();
    contract.columns.iter().find(|column| column.role.as_str() == "measure").unwrap().name.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_of_nothing_but_null_is_null() {
    let dir = tempfile::tempdir().unwrap();
    let mut nodes = rows(dir.path());
    let contract = harness::data::contract("property").unwrap();
    let columns = contract.columns.iter().map(|column| match column.name.as_str() {
        "bedrooms" | "wall_type" => format!("CAST(NULL AS {}) AS {}", column.data_type, column.name),
        name => name.to_owned(),
    });
    let select = format!("SELECT {} FROM source", columns.collect::<Vec<_>>().join(", "));
    for node in &mut nodes {
        node.datasets.retain(|DatasetFiles { dataset, format, .. }| {
            *dataset == "property" && *format == harness::data::Format::Parquet
        });
        for files in &mut node.datasets {
            files.select = Some(select.clone());
        }
    }
    nodes.retain(|node| !node.datasets.is_empty());
    assert!(nodes.len() < NODES.len(), "one of them holds CSV");
    let federation = Federation::builder(dir.path(), nodes).policy(Policy::Open).start().await.unwrap();
    let all = ask(&federation, ASKED, Asking::default()).await.unwrap().value();
    assert_ne!(all, "0");
    let sql = "SELECT COUNT(bedrooms), SUM(bedrooms), AVG(bedrooms), STDDEV(bedrooms) FROM property";
    let answer = ask(&federation, sql, Asking::default()).await.unwrap();
    assert_eq!(answer.value(), "0");
    let nulls = answer.batches[0].columns()[1..].iter().all(|column| column.null_count() == 1);
    assert!(nulls, "{:?}", answer.batches);
    let grouped = "SELECT wall_type, COUNT(*) FROM property GROUP BY wall_type";
    assert_eq!(ask(&federation, grouped, Asking::default()).await.unwrap().rows(), 1);
}
