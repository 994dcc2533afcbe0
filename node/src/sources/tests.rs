//! Files as organisations have them: mapped, odd, empty, broken.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::{SessionConfig, SessionContext};
use jigsaw_proto::contract::Contract;

use super::{Dataset, first_bad_cell};
use crate::config::{CsvWords, FormatWord};
use crate::disclose::policy::Policy;
use crate::execute::Engine;
use crate::settings::DatasetSettings;

const READING: &str = r#"
name = "reading"
version = 1
description = "One row per reading."
release = "open"
column = [
  { name = "site", type = "text", role = "dimension", description = "" },
  { name = "ts", type = "timestamp", role = "dimension", description = "" },
  { name = "value", type = "float64", role = "measure", description = "" },
]
"#;

/// The shape of the air quality network's files, with a cell that is no number and one that is no time.
const LAQN: &str = "@SpeciesCode,@MeasurementDateGMT,@Value,SiteCode\n\
    FINE,2023-01-01 00:00:00,6.9,SK6\n\
    FINE,2023-01-01 01:00:00,,SK6\n\
    FINE,yesterday,5.3,SK6\n\
    FINE,2023-01-01 03:00:00,broken,\n";

const SELECT: &str = r#"SELECT COALESCE("SiteCode", 'none') AS site,
    to_timestamp_micros("@MeasurementDateGMT") AS ts, CAST("@Value" AS DOUBLE) AS value FROM source"#;

fn settings(folder: &Path, source: &str, select: Option<&str>) -> DatasetSettings {
    let contract = Contract::parse(READING).unwrap();
    DatasetSettings {
        policy: Policy::parse("release = \"open\"", &contract).unwrap(),
        contract,
        contract_text: String::new(),
        source: source.to_owned(),
        folder: folder.to_path_buf(),
        format: FormatWord::Csv,
        csv: CsvWords::plain(),
        select: select.map(str::to_owned),
        only: vec![],
    }
}

async fn open(settings: DatasetSettings) -> Result<Dataset, String> {
    let runtime = Engine::runtime(64 * 1024 * 1024).unwrap();
    Dataset::open(settings, &runtime).await.map_err(|error| error.to_string())
}

/// The rows as the contract shows them.
async fn rows(dataset: &Dataset) -> RecordBatch {
    let context = SessionContext::new_with_config(SessionConfig::new());
    let batches = context.read_table(dataset.provider()).unwrap().collect().await.unwrap();
    let schema = dataset.provider().schema();
    if batches.is_empty() {
        RecordBatch::new_empty(schema)
    } else {
        concat_batches(&batches[0].schema(), &batches).unwrap()
    }
}

#[tokio::test]
async fn a_select_maps_names_and_types_and_survives_odd_cells() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.csv"), LAQN).unwrap();
    let dataset = open(settings(dir.path(), "a.csv", Some(SELECT))).await.unwrap();
    let rows = rows(&dataset).await;
    let text = pretty_format_batches(&[rows]).unwrap().to_string();
    let cells: Vec<String> = text
        .lines()
        .filter(|line| line.contains("SK6") || line.contains("none"))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        cells,
        [
            "| SK6 | 2023-01-01T00:00:00 | 6.9 |",
            "| SK6 | 2023-01-01T01:00:00 | |",
            "| SK6 | | 5.3 |",
            "| none | 2023-01-01T03:00:00 | |",
        ]
    );
}

/// What is wrong with a mapping is one sentence with the column and what to write.
#[tokio::test]
async fn a_select_that_misses_the_contract_is_explained() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.csv"), LAQN).unwrap();
    for (select, words) in [
        (
            r#"SELECT "SiteCode" AS site, CAST(NULL AS TIMESTAMP) AS ts FROM source"#,
            ["value", "CAST(NULL AS DOUBLE)"],
        ),
        (
            r#"SELECT "SiteCode" AS site, CAST(NULL AS TIMESTAMP) AS ts, "@Value" AS value FROM source"#,
            ["value", "CAST(value AS DOUBLE)"],
        ),
        (
            r#"SELECT "SiteCode" AS site, CAST(NULL AS TIMESTAMP) AS ts, 1.5E0 AS value, 2 AS more FROM source"#,
            ["more", "take it out"],
        ),
        ("SELECT * FROM elsewhere", ["select", "elsewhere"]),
        ("DROP TABLE source", ["select", "DDL"]),
    ] {
        let problem = open(settings(dir.path(), "a.csv", Some(select))).await.unwrap_err();
        assert!(words.iter().all(|word| problem.contains(word)), "{select}: {problem}");
    }
}

#[test]
fn a_bad_cell_is_named_by_file_line_and_column_and_not_quoted() {
    let dir = tempfile::tempdir().unwrap();
    let text = "site,ts,value\nSK6,2023-01-01T00:00:00,1.5\nSK6,,\nSK6,2023-01-01T00:00:00,unspeakable\n";
    fs::write(dir.path().join("a.csv"), text).unwrap();
    let settings = settings(dir.path(), "*.csv", None);
    let cell = first_bad_cell(&settings).unwrap().unwrap().to_string();
    assert!(cell.contains("a.csv line 4, column value"), "{cell}");
    assert!(!cell.contains("unspeakable"), "{cell}");
    let null_values = vec!["unspeakable".to_owned()];
    let nulled = DatasetSettings { csv: CsvWords { null_values, ..CsvWords::plain() }, ..settings };
    assert_eq!(first_bad_cell(&nulled).unwrap(), None);
}

/// Empty folders and files without rows are empty tables; a file that is not there is a mistake.
#[tokio::test]
async fn nothing_is_empty_and_missing_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("empty")).unwrap();
    fs::write(dir.path().join("header.csv"), "site,ts,value\n").unwrap();
    for source in ["empty/", "header.csv"] {
        let dataset = open(settings(dir.path(), source, None)).await.unwrap();
        let rows = rows(&dataset).await;
        assert_eq!((rows.num_rows(), rows.num_columns()), (0, 3), "{source}");
    }
    let problem = open(settings(dir.path(), "nowhere.csv", None)).await.unwrap_err();
    assert!(problem.contains("nowhere.csv") && problem.contains("no such file"), "{problem}");
    let problem = open(settings(dir.path(), "s3://key:secret@bucket/a/", None)).await.unwrap_err();
    assert!(problem.contains("environment") && !problem.contains("secret"), "{problem}");
}

#[tokio::test]
async fn the_time_of_the_newest_file_is_told() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.csv"), "site,ts,value\n").unwrap();
    let dataset = Arc::new(open(settings(dir.path(), "a.csv", None)).await.unwrap());
    let told = chrono::DateTime::parse_from_rfc3339(&dataset.data_as_of()).unwrap();
    assert!((chrono::Utc::now() - told.to_utc()).num_seconds().abs() < 60, "{told}");
}
