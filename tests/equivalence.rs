//! Random legal questions: the federation answers them as one database would.
#![cfg(test)]

use std::time::{SystemTime, UNIX_EPOCH};

use harness::data::{Scale, Synthetic};
use harness::generate::Questions;
use harness::oracle::Oracle;
use harness::oracle::compare::Table;

/// Questions in one run.
const RUN: usize = 300;

/// `JIGSAW_SEED` to repeat a run; else a new one every time.
fn seed() -> u64 {
    let given = std::env::var("JIGSAW_SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        u64::from(now.subsec_nanos())
    })
}

/// What the generator asks is legal SQL with an answer, else a comparison of answers would prove nothing.
#[tokio::test]
async fn random_questions_are_legal_and_mostly_have_rows() {
    let seed = seed();
    let dir = tempfile::tempdir().unwrap();
    let nodes = Synthetic::new(7, Scale::test()).write_to(dir.path()).unwrap();
    let oracle = Oracle::over(dir.path(), &nodes).await.unwrap();
    let mut with_rows = 0;
    for question in Questions::new(seed).unwrap().take(RUN) {
        let answer = oracle.ask(&question.sql).await;
        let answer = answer.unwrap_or_else(|error| panic!("JIGSAW_SEED={seed}: {error}\n{question}"));
        with_rows += usize::from(!Table::new(&answer).unwrap().rows.is_empty());
    }
    assert!(with_rows * 10 >= RUN * 6, "JIGSAW_SEED={seed}: only {with_rows} of {RUN} have rows");
}
