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

/// Questions about more rows than these nodes have, and the number in them that is a smaller one here, so that there is something to
/// compare. They are asked as they are written, too.
const SCALED: [(&str, &str, &str); 2] =
    [("Q23", "HAVING COUNT(*) >= 10", "HAVING COUNT(*) >= 1"), ("Q26", "0.75 * 8760", "0.75 * 24")];

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
    match compared(federation, oracle, sql).await {
        Ok(0) => Some("has no rows to compare".to_owned()),
        Ok(_) => None,
        Err(problem) => Some(problem),
    }
}

/// How many rows both have, if they are the same.
async fn compared(federation: &Federation, oracle: &Oracle, sql: &str) -> Result<usize, String> {
    let answer = federation.ask(sql).await.map_err(|error| format!("was refused: {error}"))?;
    let answer = Table::new(&answer).unwrap();
    let expected = Table::new(&oracle.ask(sql).await.unwrap()).unwrap();
    difference(&expected, &answer).map_or(Ok(expected.rows.len()), Err)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_question_is_answered_as_one_database_would() {
    let dir = tempfile::tempdir().unwrap();
    let (federation, oracle) = both(dir.path()).await;
    let mut problems = vec![];
    for name in answered() {
        let written = sql(&format!("{name}.sql"));
        let scaled = SCALED.iter().find(|(scaled, ..)| *scaled == name);
        let problem = match scaled {
            None => problem(&federation, &oracle, &written).await,
            Some((_, large, small)) => {
                assert!(written.contains(large), "{name} has no {large}");
                let as_written = compared(&federation, &oracle, &written).await.err();
                as_written.or(problem(&federation, &oracle, &written.replace(large, small)).await)
            }
        };
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
