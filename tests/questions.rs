//! The thirty questions of analysts, as they are written: each is answered as one database over everybody's rows would answer it,
//! or refused with the reason and the nearest question that is answered.
#![cfg(test)]

use std::fs;
use std::path::Path;

use harness::data::{Scale, Synthetic};
use harness::federation::{Federation, Policy};
use harness::oracle::Oracle;
use harness::oracle::compare::{Table, difference};

/// Questions that need somebody to link rows of several boroughs, why, and what can be asked instead.
const REFUSED: [(&str, &str, &str); 11] = [
    ("Q02", "linking people across boroughs", "nearest/Q02.sql"),
    ("Q04", "linking across boroughs", "nearest/Q04.sql"),
    ("Q05", "linking people across boroughs", "nearest/Q05.sql"),
    ("Q06", "linking people across boroughs", "nearest/Q06.sql"),
    ("Q07", "linking people across boroughs", "nearest/Q07.sql"),
    ("Q13", "linking people across boroughs", "nearest/Q13.sql"),
    ("Q15", "linking people across boroughs", "nearest/Q15.sql"),
    ("Q16", "linking people across boroughs", "nearest/Q16.sql"),
    ("Q17", "linking people across boroughs", "nearest/Q17.sql"),
    ("Q18", "linking people across boroughs", "nearest/Q18.sql"),
    ("Q27", "linking across boroughs", "nearest/Q27.sql"),
];

fn sql(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("questions").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn number(question: usize) -> String {
    format!("Q{question:02}")
}

fn answered() -> Vec<String> {
    let refused = |name: &String| REFUSED.iter().any(|(refused, ..)| refused == name);
    (1..=30).map(number).filter(|name| !refused(name)).collect()
}

/// The federation, and one database over the same rows.
async fn both(dir: &Path) -> (Federation, Oracle) {
    let scale = Scale { rough_sleepers: 1_200, days: 3, ..Scale::test() };
    let nodes = Synthetic::new(7, scale).write_to(dir).unwrap();
    let oracle = Oracle::over(dir, &nodes).await.unwrap();
    (Federation::builder(dir, nodes).policy(Policy::Open).start().await.unwrap(), oracle)
}

/// What is wrong with the federation's answer, in words.
async fn problem(federation: &Federation, oracle: &Oracle, sql: &str) -> Option<String> {
    let answer = match federation.ask(sql).await {
        Ok(answer) => Table::new(&answer).unwrap(),
        Err(error) => return Some(format!("was refused: {error}")),
    };
    let expected = Table::new(&oracle.ask(sql).await.unwrap()).unwrap();
    if expected.rows.is_empty() {
        return Some("has no rows to compare".to_owned());
    }
    difference(&expected, &answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_question_is_answered_as_one_database_would() {
    let dir = tempfile::tempdir().unwrap();
    let (federation, oracle) = both(dir.path()).await;
    let mut problems = vec![];
    for name in answered() {
        let problem = problem(&federation, &oracle, &sql(&format!("{name}.sql"))).await;
        problems.extend(problem.map(|problem| format!("{name} {problem}")));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_linking_across_boroughs_is_refused_with_its_reason_and_the_nearest_is_answered() {
    let dir = tempfile::tempdir().unwrap();
    let (federation, oracle) = both(dir.path()).await;
    let mut problems = vec![];
    for (name, reason, nearest) in REFUSED {
        match federation.ask(&sql(&format!("{name}.sql"))).await {
            Ok(_) => problems.push(format!("{name} was answered")),
            Err(words) if words.contains(reason) && words.contains("node") => {}
            Err(words) => problems.push(format!("{name} was refused in other words: {words}")),
        }
        let problem = problem(&federation, &oracle, &sql(nearest)).await;
        problems.extend(problem.map(|problem| format!("{nearest} {problem}")));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
