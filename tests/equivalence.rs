//! Random legal questions: the federation answers them as one database would.
#![cfg(test)]

use std::time::{SystemTime, UNIX_EPOCH};

use harness::data::{Scale, Synthetic};
use harness::federation::{Federation, Policy};
use harness::generate::Questions;
use harness::oracle::Oracle;
use harness::oracle::compare::{Table, difference};

/// Questions in one run.
const RUN: usize = 300;

/// Pairs of questions with one answer, in one run.
const TWINS: usize = 100;

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

/// The federation agrees with itself, whoever else is right.
#[tokio::test(flavor = "multi_thread")]
async fn parts_are_the_whole() {
    let seed = seed();
    let dir = tempfile::tempdir().unwrap();
    let nodes = Synthetic::new(7, Scale::test()).write_to(dir.path()).unwrap();
    let federation = Federation::builder(dir.path(), nodes).policy(Policy::Open).start().await.unwrap();
    let mut questions = Questions::new(seed).unwrap();
    let mut problems = vec![];
    for _ in 0..TWINS {
        let twins = questions.twins();
        let mut answers = vec![];
        for sql in [&twins.one, &twins.other] {
            match federation.ask(sql).await {
                Ok(answer) => {
                    let mut table = Table::new(&answer).unwrap();
                    table.sort();
                    answers.push(table);
                }
                Err(problem) => problems.push(format!("{sql}\n{problem}")),
            }
        }
        if let [one, other] = answers.as_slice()
            && let Some(difference) = difference(one, other)
        {
            problems.push(format!("{}\n{}\n{difference}", twins.one, twins.other));
        }
    }
    assert!(problems.is_empty(), "JIGSAW_SEED={seed}\n\n{}", problems.join("\n\n"));
}
