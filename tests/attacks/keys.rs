//! Public tables that name people. Whoever runs the coordinator fills them, and their keys go to the nodes as lists: nothing can be asked
//! by a table that could not be asked by writing `IN (…)`.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use harness::federation::{Federation, Policy};

use super::POLICY;
use super::paired::told;
use super::population::{self, NOBODYS_AGE, Population};

const SEED: u64 = 5;
const DATASET: &str = "people";

/// A public table of two people: somebody who is alone with her age, and nobody.
fn planted(dir: &Path) {
    let target = Population::new(SEED).target;
    let rows = format!(
        "who,key,age,ward\nher,{},{},w1\nnobody,0000000000000000,{NOBODYS_AGE},w1\n",
        target.key, target.age
    );
    fs::write(dir.join("reference/suspect.csv"), rows).unwrap();
    let mut file = OpenOptions::new().append(true).open(dir.join("coordinator.toml")).unwrap();
    let reference =
        "\n[[reference]]\nname = \"suspect\"\nsource = \"reference/suspect.csv\"\ndescription = \"Who\"\n";
    file.write_all(reference.as_bytes()).unwrap();
}

async fn federation(dir: &Path, policy: Option<&str>) -> Federation {
    let nodes = Population::new(SEED).write_to(dir, &[DATASET]).unwrap();
    let builder = Federation::builder(dir, nodes).contracts(population::contracts(&[DATASET])).edit(planted);
    let builder = match policy {
        Some(lines) => builder.policy(Policy::Contract).policy_text(lines),
        None => builder.policy(Policy::Open),
    };
    builder.start().await.unwrap()
}

/// What is asked of the person whose row is `{who}`.
const OF_SOMEBODY: [&str; 8] = [
    "SELECT COUNT(*) FROM people WHERE age IN (SELECT age FROM suspect WHERE who = '{who}')",
    "SELECT COUNT(*) FROM people AS p JOIN suspect AS s ON s.age = p.age WHERE s.who = '{who}'",
    "SELECT SUM(income), AVG(score) FROM people AS p JOIN suspect AS s ON s.age = p.age WHERE s.who = '{who}'",
    "SELECT p.ward, COUNT(*) FROM people AS p JOIN suspect AS s ON s.age = p.age WHERE s.who = '{who}' GROUP BY p.ward",
    "SELECT COUNT(*) FILTER (WHERE s.who = '{who}') FROM people AS p JOIN suspect AS s ON s.age = p.age",
    "SELECT COUNT(*) FROM people WHERE person_key IN (SELECT key FROM suspect WHERE who = '{who}')",
    "SELECT SUM(n) FROM (SELECT node, person_key, COUNT(*) AS n FROM people \
     WHERE age IN (SELECT age FROM suspect WHERE who = '{who}') GROUP BY node, person_key) AS q",
    "SELECT COUNT(*) FROM (SELECT node, person_key, COUNT(*) AS n FROM people \
     WHERE person_key IN (SELECT key FROM suspect WHERE who = '{who}') GROUP BY node, person_key) AS q",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_public_table_does_not_tell_somebody_from_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let federation = federation(dir.path(), Some(POLICY)).await;
    for question in OF_SOMEBODY {
        let her = told(&federation, &question.replace("{who}", "her")).await;
        let nobody = told(&federation, &question.replace("{who}", "nobody")).await;
        assert_eq!(her, nobody, "{question}");
    }
    // She is there to be found.
    let dir = tempfile::tempdir().unwrap();
    let open = self::federation(dir.path(), None).await;
    for question in OF_SOMEBODY.iter().filter(|question| !question.contains("person_key IN")) {
        let her = told(&open, &question.replace("{who}", "her")).await.unwrap();
        let nobody = told(&open, &question.replace("{who}", "nobody")).await.unwrap();
        assert_ne!(her.0, nobody.0, "{question}");
    }
}

/// Below an inner aggregation a public table is of use only as a list, so that one is made: the question with the table, and the same
/// by hand, and what comes of both.
const BELOW: [(&str, &str, &str); 4] = [
    ("ward IN (SELECT ward FROM suspect)", "ward IN ('w1')", "Ok(([[Some("),
    ("age IN (SELECT age FROM suspect WHERE who = 'her')", "age IN (97)", "Ok(([[None]]"),
    ("age IN (SELECT age FROM suspect)", "age IN (97, 98)", "R04"),
    ("person_key IN (SELECT key FROM suspect WHERE who = 'her')", "person_key IN ('{key}')", "R03"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_list_from_a_public_table_is_judged_like_one_that_the_analyst_wrote() {
    let dir = tempfile::tempdir().unwrap();
    let federation = federation(dir.path(), Some(POLICY)).await;
    let key = Population::new(SEED).target.key;
    let mut asked = vec![];
    for (by_table, by_hand, outcome) in BELOW {
        let mut of_both = vec![];
        for condition in [by_table, by_hand] {
            let condition = condition.replace("{key}", &key);
            let sql = format!(
                "SELECT COUNT(*) FROM (SELECT node, person_key, COUNT(*) AS n FROM people WHERE {condition} GROUP BY node, person_key) AS q"
            );
            let before = federation.audit("north").len();
            let told = told(&federation, &sql).await;
            let audited = federation.audit("north").split_off(before);
            asked.extend(audited.iter().filter_map(|line| Some(line.get("fragment")?.to_string())));
            of_both
                .push((told, audited.iter().map(|line| line.get("fragment").cloned()).collect::<Vec<_>>()));
        }
        let [table, hand] = of_both.as_slice() else { unreachable!() };
        assert_eq!(table, hand, "{by_table}");
        let told = format!("{:?}", table.0);
        assert!(told.contains(outcome), "{by_table}: {told}");
    }
    assert!(asked.iter().any(|fragment| fragment.contains("97")), "the node's log has no list: {asked:?}");
}
