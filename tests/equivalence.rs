//! Random legal questions: the federation answers them as one database would.
#![cfg(test)]

use std::time::{SystemTime, UNIX_EPOCH};

use harness::data::{Scale, Synthetic};
use harness::federation::{Federation, Policy};
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

#[tokio::test(flavor = "multi_thread")]
async fn random_questions_are_answered_as_one_database_would() {
    let seed = seed();
    let dir = tempfile::tempdir().unwrap();
    let nodes = Synthetic::new(7, Scale::test()).write_to(dir.path()).unwrap();
    let oracle = Oracle::over(dir.path(), &nodes).await.unwrap();
    let federation = Federation::builder(dir.path(), nodes).policy(Policy::Open).start().await.unwrap();
    let (mut with_rows, mut problems) = (0, vec![]);
    for question in Questions::new(seed).unwrap().take(RUN) {
        let problem = match federation.ask(&question.sql).await {
            Err(problem) => Some(problem),
            Ok(answer) => {
                with_rows += usize::from(!Table::new(&answer).unwrap().rows.is_empty());
                oracle.disagrees(&question.sql, &answer).await.unwrap()
            }
        };
        problems.extend(problem.map(|problem| format!("{question}\n{problem}")));
    }
    assert!(
        problems.is_empty(),
        "JIGSAW_SEED={seed}: {} problems\n\n{}",
        problems.len(),
        problems.join("\n\n")
    );
    assert!(with_rows * 10 >= RUN * 6, "JIGSAW_SEED={seed}: only {with_rows} of {RUN} have rows");
}
