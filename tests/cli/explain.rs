//! The way of a question from the nodes to its answer, as `jigsaw explain` draws it: pictures in `explain/`, each below its SQL.
//!
//! `JIGSAW_ACCEPT=1` writes the pictures anew; a change of them is then to be read like one of code.

use std::path::{Path, PathBuf};

use super::{Exit, jigsaw, start};

const LINE: &str = "\n----\n";

fn pictures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cli/explain");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files.collect();
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_drawn_from_the_nodes_to_its_answer() {
    let (_dir, federation) = start().await;
    let (mut seen, mut wrong) = (0, vec![]);
    for file in pictures() {
        let text = std::fs::read_to_string(&file).unwrap();
        let (sql, picture) = text.split_once(LINE).unwrap_or((&text, ""));
        let ran = match sql.strip_prefix("VERBOSE ") {
            Some(sql) => jigsaw(&federation, "", &["query", &format!("EXPLAIN VERBOSE {sql}")]).await,
            None => jigsaw(&federation, "", &["explain", sql]).await,
        };
        let drawn = match ran.exit {
            Exit::Answered => ran.text().to_owned(),
            // A refusal, whose query has an id of its own.
            _ => ran.stderr.split(" (query ").next().unwrap_or_default().to_owned() + "\n",
        };
        seen += 1;
        if drawn != picture {
            if std::env::var_os("JIGSAW_ACCEPT").is_some() {
                std::fs::write(&file, format!("{}{LINE}{drawn}", sql.trim_end())).unwrap();
            }
            wrong.push(format!("{}:\n{drawn}", file.display()));
        }
    }
    assert_eq!(seen, 25, "pictures");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
