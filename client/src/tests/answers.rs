//! Answers in every format, and what is said beside them.

use std::fs;

use arrow::ipc::reader::FileReader;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::server::{TOKEN, batch, start};
use super::{Call, PIPES};
use crate::{Exit, Terminal};

#[tokio::test]
async fn a_table_is_data_on_stdout_and_caveats_on_stderr() {
    let coordinator = start(None).await;
    let ran = Call::new(&coordinator, &["query", "rows"]).run().await;
    assert_eq!(ran.exit, Exit::Answered, "{}", ran.stderr);
    let lines: Vec<&str> = ran.text().lines().collect();
    assert!(
        lines[1].starts_with("│ place             ┆           people ┆  cost ┆ share ┆ open"),
        "{}",
        ran.text()
    );
    assert!(
        lines[3].contains("┆ 9007199254740993 ┆ 12.50 ┆   0.1 ┆ true  ┆ 2023-11-14T22:13:20.500Z"),
        "{}",
        lines[3]
    );
    assert!(lines[4].contains("┆              [c] ┆  NULL ┆   NaN ┆ false ┆ NULL"), "{}", lines[4]);
    assert_eq!(lines.last(), Some(&"3 rows"));
    let notes: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(notes[0], "[1] counts are rounded to 5");
    assert_eq!(notes[1], "[2] without camden (late): no answer in time");
    assert_eq!(notes[2], "[3] 1 cell withheld to protect people, shown as [c]");
    assert!(notes[3].starts_with("3 rows · 0."), "{}", notes[3]);
    assert!(notes[3].ends_with(" s · 1 of 2 nodes answered · query 0123abcd"), "{}", notes[3]);
}

#[tokio::test]
async fn csv_json_ndjson_and_markdown_are_exact() {
    let coordinator = start(None).await;
    let ran = Call::new(&coordinator, &["query", "rows", "--format", "csv"]).run().await;
    let csv = "place,people,cost,share,open,seen_at\r\n\
               \"Gospel Oak, \"\"NW5\"\"\",9007199254740993,12.50,0.1,true,2023-11-14T22:13:20.500Z\r\n\
               \"\",,,NaN,false,\r\n,15,-0.05,,,\r\n";
    assert_eq!(ran.text(), csv);
    assert!(ran.stderr.contains("1 cell withheld to protect people, left empty"), "{}", ran.stderr);

    let lines = [
        r#"{"place":"Gospel Oak, \"NW5\"","people":9007199254740993,"cost":12.50,"share":0.1,"open":true,"seen_at":"2023-11-14T22:13:20.500Z"}"#,
        r#"{"place":"","people":null,"cost":null,"share":"NaN","open":false,"seen_at":null}"#,
        r#"{"place":null,"people":15,"cost":-0.05,"share":null,"open":null,"seen_at":null}"#,
    ];
    let ran = Call::new(&coordinator, &["query", "rows", "--format", "ndjson"]).run().await;
    assert_eq!(ran.text(), format!("{}\n", lines.join("\n")));
    let ran = Call::new(&coordinator, &["query", "rows", "--format", "json"]).run().await;
    assert_eq!(ran.text(), format!("[\n{}\n]\n", lines.join(",\n")));

    let ran = Call::new(&coordinator, &["query", "escape", "--format", "markdown"]).run().await;
    assert_eq!(ran.text(), "| x                |\n|------------------|\n| \\\\u{1b}[31m\\|red |\n");
}

#[tokio::test]
async fn an_empty_answer_still_has_its_columns() {
    let coordinator = start(None).await;
    let ran = Call::new(&coordinator, &["query", "empty", "--format", "csv"]).run().await;
    assert_eq!(ran.text(), "place,people,cost,share,open,seen_at\r\n");
    let ran = Call::new(&coordinator, &["query", "empty", "--format", "json"]).run().await;
    assert_eq!(ran.text(), "[]\n");
    let ran = Call::new(&coordinator, &["query", "empty"]).run().await;
    assert!(ran.text().contains("people") && ran.text().ends_with("0 rows\n"), "{}", ran.text());
}

#[tokio::test]
async fn parquet_and_arrow_files_hold_the_rows_and_the_notes() {
    let coordinator = start(None).await;
    let folder = tempfile::tempdir().unwrap();
    for format in ["parquet", "arrow"] {
        let file = folder.path().join(format);
        let path = file.to_str().unwrap();
        let ran = Call::new(&coordinator, &["query", "rows", "--format", format, "-o", path]).run().await;
        assert_eq!((ran.exit, ran.text()), (Exit::Answered, ""), "{}", ran.stderr);
        let opened = fs::File::open(&file).unwrap();
        let (read, notes) = if format == "parquet" {
            let builder = ParquetRecordBatchReaderBuilder::try_new(opened).unwrap();
            let values = builder.metadata().file_metadata().key_value_metadata().unwrap().clone();
            let notes = values.into_iter().find(|pair| pair.key == "jigsaw.notes").unwrap().value.unwrap();
            (builder.build().unwrap().next().unwrap().unwrap(), notes)
        } else {
            let mut reader = FileReader::try_new(opened, None).unwrap();
            let notes = reader.custom_metadata()["jigsaw.notes"].clone();
            (reader.next().unwrap().unwrap(), notes)
        };
        assert_eq!(format!("{:?}", read.columns()), format!("{:?}", batch().columns()));
        assert_eq!(read.schema().field(1).metadata()["jigsaw.cell"], "protected");
        assert!(notes.contains("counts are rounded to 5"), "{notes}");
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "no temporary file is left");
}

#[tokio::test]
async fn statements_come_from_files_and_pipes_in_order() {
    let coordinator = start(None).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("two.sql");
    fs::write(&file, "empty; -- nothing;\nrows;").unwrap();
    let args = ["query", "--format", "csv", "--file", file.to_str().unwrap()];
    let ran = Call::new(&coordinator, &args).run().await;
    assert_eq!(ran.text().matches("place,people").count(), 2);
    let ran = Call { stdin: "empty;wrong;rows", ..Call::new(&coordinator, &["query", "--format", "csv"]) };
    let ran = ran.run().await;
    assert_eq!((ran.exit, ran.text().lines().count()), (Exit::Failed, 1), "stops at the first failure");
}

#[tokio::test]
async fn requests_carry_token_purpose_timeout_and_partial() {
    let coordinator = start(None).await;
    let args = ["query", "rows", "--allow-partial", "--purpose", "annual return", "--timeout", "7"];
    assert_eq!(Call::new(&coordinator, &args).run().await.exit, Exit::Answered);
    let seen = coordinator.seen.lock().unwrap().clone();
    assert_eq!(seen.len(), 2);
    for request in seen {
        let get = |name: &str| request.metadata.get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(get("authorization").unwrap(), format!("Bearer {TOKEN}"));
        assert_eq!(get("x-jigsaw-allow-partial").as_deref(), Some("true"));
        assert_eq!(get("x-jigsaw-purpose").as_deref(), Some("annual return"));
        assert_eq!(get("grpc-timeout").as_deref(), Some("7000000u"));
    }
}

#[tokio::test]
async fn the_other_commands_ask_the_system_tables() {
    let coordinator = start(None).await;
    for args in [&["datasets"][..], &["nodes"], &["explain", "SELECT 1;"]] {
        assert_eq!(Call::new(&coordinator, args).run().await.exit, Exit::Answered);
    }
    let ran = Call::new(&coordinator, &["describe", "o'brien"]).run().await;
    assert_eq!((ran.exit, ran.text()), (Exit::Failed, ""));
    assert_eq!(
        ran.stderr,
        "jigsaw: there is no dataset \"o'brien\": `jigsaw datasets` lists those there are\n"
    );
    let seen = coordinator.seen.lock().unwrap().clone();
    let sql: Vec<&str> = seen.iter().step_by(2).map(|request| request.sql.as_str()).collect();
    assert!(sql[0].contains("FROM system.datasets") && sql[1].contains("FROM system.nodes"));
    assert_eq!(sql[2], "EXPLAIN SELECT 1");
    assert!(sql[3].contains("WHERE dataset = 'o''brien'"));
}

#[tokio::test]
async fn a_terminal_gets_fitting_tables_progress_and_dim_nulls() {
    let coordinator = start(None).await;
    let terminal = Terminal { stdout: true, stderr: true, ..PIPES };
    let ran =
        Call { terminal, ..Call::new(&coordinator, &["query", "rows"]).set("NO_COLOR", "1") }.run().await;
    assert!(ran.text().lines().all(|line| line.chars().count() <= 60), "{}", ran.text());
    assert!(!ran.text().contains('\u{1b}'), "no colour was wanted");
    let ran = Call { terminal, ..Call::new(&coordinator, &["query", "rows"]) }.run().await;
    assert!(ran.text().contains("\u{1b}[2m"), "null is dim: {:?}", ran.text());
    let line = "\r\u{1b}[K1 of 2 nodes answered, waiting for camden\r\u{1b}[K[1] ";
    for sql in ["slow", "late"] {
        let ran = Call { terminal, ..Call::new(&coordinator, &["query", sql]) }.run().await;
        assert!(ran.stderr.starts_with(line), "{sql}: {:?}", ran.stderr);
    }
    let dumb =
        Call { terminal, ..Call::new(&coordinator, &["query", "late"]).set("TERM", "dumb") }.run().await;
    assert!(dumb.stderr.starts_with("[1] ") && !dumb.text().contains('│'), "{}", dumb.text());
    let ran = Call::new(&coordinator, &["query", "slow"]).run().await;
    assert!(ran.stderr.starts_with("[1] "), "no progress in a pipe: {:?}", ran.stderr);
}

#[tokio::test]
async fn long_tables_are_cut_and_say_so() {
    let coordinator = start(None).await;
    let ran = Call::new(&coordinator, &["query", "many"]).run().await;
    let last = ran.text().lines().last().unwrap();
    assert_eq!(last, "10,005 rows (5 rows not shown: use another format)");
    assert!(ran.text().contains(" 9999 ") && !ran.text().contains(" 10000 "));
    let ran = Call::new(&coordinator, &["query", "many", "--format", "csv"]).run().await;
    assert_eq!(ran.text().lines().count(), 10_006);
    let ran = Call::new(&coordinator, &["query", "escape"]).run().await;
    assert!(ran.text().contains("\\u{1b}[31m|red"), "escape codes in data stay text: {}", ran.text());
}

#[tokio::test]
async fn answers_stand_upright_and_are_drawn() {
    let coordinator = start(None).await;
    let ran = Call::new(&coordinator, &["query", "rows", "--format", "vertical"]).run().await;
    assert!(
        ran.text().contains("-- row 2 --\n  place: \n people: [c]\n   cost: NULL\n  share: NaN\n"),
        "{}",
        ran.text()
    );
    assert!(ran.stderr.contains("shown as [c]"), "{}", ran.stderr);
    let ran = Call::new(&coordinator, &["query", "rows", "--chart", "bar"]).run().await;
    assert_eq!(ran.exit, Exit::Answered, "{}", ran.stderr);
    assert!(ran.text().starts_with("people by place"), "{}", ran.text());
    assert!(ran.text().contains("│ [c]\n") && ran.stderr.contains("shown as [c]"), "{}", ran.text());
    let folder = tempfile::tempdir().unwrap();
    for (name, begins) in [("bars.svg", &b"<svg "[..]), ("bars.png", b"\x89PNG")] {
        let file = folder.path().join(name);
        let args = ["query", "rows", "--chart", "bar", "-o", file.to_str().unwrap()];
        let ran = Call::new(&coordinator, &args).run().await;
        assert_eq!((ran.exit, ran.text()), (Exit::Answered, ""), "{}", ran.stderr);
        assert!(fs::read(&file).unwrap().starts_with(begins), "{name}");
    }
    for args in
        [&["query", "rows", "--chart", "map"][..], &["query", "rows", "--chart", "bar", "-o", "x.csv"]]
    {
        assert_eq!(Call::new(&coordinator, args).run().await.exit, Exit::Usage, "{args:?}");
    }
}

#[tokio::test]
async fn the_manual_and_completions_are_printed_without_a_server() {
    let coordinator = start(None).await;
    let man = Call::new(&coordinator, &["man"]).run().await;
    for part in
        [".TH jigsaw 1", ".SH COMMANDS", "\\fB\\-\\-dry\\-run\\fR", ".SH EXIT STATUS", "profiles.toml"]
    {
        assert!(man.text().contains(part), "{part}: {}", man.text());
    }
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ran = Call::new(&coordinator, &["completions", shell]).run().await;
        assert!(ran.exit == Exit::Answered && ran.text().contains("dry-run"), "{shell}");
    }
    assert!(coordinator.seen.lock().unwrap().is_empty());
}
