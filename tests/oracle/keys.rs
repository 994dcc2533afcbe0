//! What keys of a reference table save: the same answer, of fewer cells.

use harness::data::{Scale, Synthetic};
use harness::federation::{Federation, Policy};
use harness::oracle::compare::{Table, difference};

use super::SEED;

/// What nodes were asked, how many cells and bytes they released.
#[derive(Debug, Default)]
struct Cost {
    asked: usize,
    cells: u64,
    bytes: u64,
}

/// What all nodes' logs have up to now.
fn cost(federation: &Federation) -> Cost {
    let mut cost = Cost::default();
    for line in federation.nodes().flat_map(|node| federation.audit(node)) {
        let number = |name: &str| line.get(name).and_then(serde_json::Value::as_u64);
        if let (Some(cells), Some(bytes)) = (number("released_cells"), number("bytes")) {
            cost.asked += 1;
            cost.cells += cells;
            cost.bytes += bytes;
        }
    }
    cost
}

async fn cost_of(federation: &Federation, sql: &str) -> (Table, Cost) {
    let before = cost(federation);
    let mut answer = Table::new(&federation.ask(sql).await.unwrap()).unwrap();
    answer.sort();
    let after = cost(federation);
    let Cost { asked, cells, bytes } = before;
    (answer, Cost { asked: after.asked - asked, cells: after.cells - cells, bytes: after.bytes - bytes })
}

/// `{of}` is a reference table, or the first 10,000 rows of it, of which no list is made.
const QUESTIONS: [&str; 4] = [
    "SELECT COUNT(*) FROM school_census_pupil AS p JOIN {of} AS s ON s.urn = p.school_urn WHERE s.phase = 'Secondary' AND s.pct_fsm > 25",
    "SELECT COUNT(*), AVG(p.year_group) FROM school_census_pupil AS p WHERE p.school_urn IN (SELECT urn FROM {of} AS s WHERE s.pct_fsm > 25)",
    "SELECT s.borough_gss, COUNT(*) FROM school_census_pupil AS p JOIN {of} AS s ON s.urn = p.school_urn WHERE s.pct_fsm > 25 GROUP BY s.borough_gss",
    "SELECT MEDIAN(p.year_group) FROM school_census_pupil AS p WHERE p.school_urn IN (SELECT urn FROM {of} AS s WHERE s.pct_fsm > 25)",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_keys_gives_the_same_answer_of_fewer_cells() {
    let dir = tempfile::tempdir().unwrap();
    let nodes = Synthetic::new(SEED, Scale::test()).write_to(dir.path()).unwrap();
    let federation = Federation::builder(dir.path(), nodes).policy(Policy::Open).start().await.unwrap();
    for question in QUESTIONS {
        let groups = question.replace("{of}", "(SELECT * FROM ref_school LIMIT 10000)");
        let (of_groups, groups) = cost_of(&federation, &groups).await;
        let (of_list, list) = cost_of(&federation, &question.replace("{of}", "ref_school")).await;
        assert_eq!(difference(&of_groups, &of_list), None, "{question}");
        assert_eq!(groups.asked, list.asked, "{question}");
        assert!(
            list.cells * 2 < groups.cells && list.bytes <= groups.bytes,
            "{question}: {groups:?} {list:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_key_passes_no_node_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let nodes = Synthetic::new(SEED, Scale::test()).write_to(dir.path()).unwrap();
    let federation = Federation::builder(dir.path(), nodes).policy(Policy::Open).start().await.unwrap();
    let nobody = "SELECT COUNT(*) FROM school_census_pupil AS p JOIN ref_school AS s ON s.urn = p.school_urn WHERE s.pupils < 0";
    let (_, cost) = cost_of(&federation, nobody).await;
    assert_eq!(cost.asked, 0);
    assert_eq!(federation.sql(nobody).await.unwrap().value(), "0");
    let (_, cost) = cost_of(&federation, "SELECT COUNT(*) FROM school_census_pupil").await;
    assert!(cost.asked > 0);
}
