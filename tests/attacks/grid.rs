//! Dense grids (`R12`) and filled answers: nobody and a few are one, in rows, statuses and bytes; and how long an answer is says no more
//! than its rows do (A18, A33).

use std::collections::{BTreeMap, BTreeSet};

use harness::exchange::exchanges;
use harness::federation::Federation;

use super::paired::{left, node, one_more, told};
use super::population::{Person, Population};
use super::{ANY, POLICY};

/// What spans a grid.
const QUESTIONS: [&str; 8] = [
    "SELECT ward, COUNT(*) FROM people GROUP BY ward ORDER BY ward",
    "SELECT ward, sex, COUNT(*), SUM(income) FROM people GROUP BY ward, sex ORDER BY ward, sex",
    "SELECT node, ward, AVG(score) FROM people GROUP BY node, ward ORDER BY ward",
    "SELECT zone, condition, COUNT(*) FROM people WHERE ward = 'w4' GROUP BY zone, condition ORDER BY zone, condition",
    "SELECT ward FROM people GROUP BY ward ORDER BY ward",
    "SELECT COUNT(*) FROM (SELECT ward, sex FROM people GROUP BY ward, sex) AS g",
    "SELECT ward, COUNT(*) FROM people GROUP BY ward HAVING COUNT(*) IS NULL ORDER BY ward",
    "SELECT SUM(income) FROM people WHERE sex = 'x'",
];

/// People of whom none, or so many more, are in ward `w4`: 0 to 9 of them are no cell.
fn with(fourth: usize) -> Vec<Person> {
    let rows = Population::new(11).rows[0].clone();
    let mut people: Vec<Person> = rows.iter().filter(|person| person.ward != Some("w4")).cloned().collect();
    people.extend((0..fourth).map(|place| Person {
        key: format!("ffffffffffff{place:04x}"),
        ward: Some("w4"),
        zone: "z4",
        sex: "x",
        ..one_more(&rows[0])
    }));
    people
}

fn dense(policy: &str) -> String {
    format!("{policy}\ngrid = \"dense\"")
}

/// The bytes that each fragment was answered with, all messages together.
fn lengths(federation: &Federation) -> BTreeMap<String, BTreeSet<usize>> {
    let mut lengths: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for recording in federation.tap("north").recordings() {
        for exchange in exchanges(&recording) {
            let Some(request) = exchange.request() else { continue };
            let bytes = exchange.answered.iter().map(Vec::len).sum();
            lengths.entry(request.fragment.to_string()).or_default().insert(bytes);
        }
    }
    lengths
}

/// Nobody in a ward, or nine: nothing that can be seen at the node's border is another, the bytes of rows included.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_and_nine_are_the_same_on_a_dense_grid() {
    for policy in [dense(POLICY), dense(ANY)] {
        let pair = [node(&with(0), Some(&policy)).await, node(&with(9), Some(&policy)).await];
        let mut answered = 0;
        for sql in &QUESTIONS[..7] {
            let (nobody, nine) = (told(&pair[0].1, sql).await, told(&pair[1].1, sql).await);
            // A total over all wards may change: it counts nine people more. None is asked for here.
            assert_eq!(nobody, nine, "{sql}");
            answered += usize::from(nobody.is_ok());
        }
        assert!(answered >= 6, "only {answered} answered");
        assert_eq!(left(&pair[0].1).await, left(&pair[1].1).await);
    }
}

/// The tenth changes a cell, and neither rows nor lengths. On a sparse grid, she brings a row.
#[tokio::test(flavor = "multi_thread")]
async fn the_tenth_changes_one_cell_and_no_length() {
    let policy = dense(POLICY);
    let pair = [node(&with(9), Some(&policy)).await, node(&with(10), Some(&policy)).await];
    let (less, _) = told(&pair[0].1, QUESTIONS[0]).await.unwrap();
    let (more, _) = told(&pair[1].1, QUESTIONS[0]).await.unwrap();
    let changed: Vec<_> = less.iter().zip(&more).filter(|(less, more)| less != more).collect();
    let fourth = |count: Option<&str>| vec![Some("w4".to_owned()), count.map(str::to_owned)];
    assert_eq!(less.len(), more.len());
    assert_eq!(changed, [(&fourth(None), &fourth(Some("10")))]);
    let (less, more) = (lengths(&pair[0].1), lengths(&pair[1].1));
    assert!(!less.is_empty() && less == more, "{less:?}, then {more:?}");
}

/// Whoever sees the bytes pass, and cannot read them, learns nothing of the rows: of other people, answers to the same questions are as
/// long. Without a grid they are not, in any of these populations.
#[tokio::test(flavor = "multi_thread")]
async fn the_length_of_an_answer_on_a_dense_grid_is_the_questions() {
    let mut seen = BTreeSet::new();
    for seed in [3, 4] {
        let federation = node(&Population::new(seed).rows[2], Some(&dense(POLICY))).await;
        for sql in QUESTIONS {
            assert!(told(&federation.1, sql).await.is_ok(), "{sql}");
        }
        seen.insert(format!("{:?}", lengths(&federation.1)));
    }
    assert_eq!(seen.len(), 1, "{seen:?}");
}

/// Without a grid, lengths follow from the rows that are shown: groups that are not, however many, take no byte.
#[tokio::test(flavor = "multi_thread")]
async fn groups_that_are_not_shown_take_no_byte() {
    let pair = [node(&with(0), Some(POLICY)).await, node(&with(9), Some(POLICY)).await];
    for sql in &QUESTIONS[..5] {
        let (nobody, nine) = (told(&pair[0].1, sql).await.unwrap(), told(&pair[1].1, sql).await.unwrap());
        assert_eq!(nobody, nine, "{sql}");
    }
    assert_eq!(left(&pair[0].1).await, left(&pair[1].1).await);
    let all: BTreeSet<usize> = lengths(&pair[0].1).into_values().flatten().collect();
    assert!(all.iter().all(|bytes| bytes.is_power_of_two() || bytes % 1024 == 0), "{all:?}");
}
