//! Nodes that declare which keys they serve are spared questions about others, and no answer is another for it.
#![cfg(test)]

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use harness::data::{NodeData, Scale, Synthetic, code_of};
use harness::federation::{Answer, Builder, Federation, Policy};
use harness::oracle::Oracle;
use harness::tap::Fault;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

const NODES: [&str; 5] = ["barnet", "camden", "croydon", "hackney", "thamesbank-shelter"];

/// Questions in one run.
const RUN: usize = 150;

fn prepare(seed: u64) -> (TempDir, Vec<NodeData>) {
    let dir = tempfile::tempdir().unwrap();
    let mut nodes = Synthetic::new(seed, Scale::test()).write_to(dir.path()).unwrap();
    nodes.retain(|node| NODES.contains(&node.id.as_str()));
    (dir, nodes)
}

fn open(dir: &TempDir, nodes: Vec<NodeData>) -> Builder {
    Federation::builder(dir.path(), nodes).policy(Policy::Open).declared()
}

fn asked(answer: &Answer) -> Vec<&str> {
    NODES.into_iter().filter(|node| answer.status_of(node).is_some()).collect()
}

fn code(node: &str) -> &'static str {
    code_of(node).unwrap()
}

/// A condition on the declared column, `node` and a column that nobody declares.
fn condition(random: &mut ChaCha8Rng, depth: usize) -> String {
    if depth > 0 && random.random_bool(0.6) {
        let (left, right) = (condition(random, depth - 1), condition(random, depth - 1));
        return match random.random_range(0..6) {
            0 | 1 => format!("({left} AND {right})"),
            2 | 3 => format!("({left} OR {right})"),
            4 => format!("(NOT {left})"),
            _ => format!(
                "({left}) IS {}",
                ["TRUE", "NOT TRUE", "FALSE", "NOT FALSE"][random.random_range(0..4)]
            ),
        };
    }
    let codes: Vec<String> = NODES[..4].iter().map(|node| format!("'{}'", code(node))).collect();
    let any = ["'e09000007'", "'E09000007 '", "'elsewhere'", "CAST(NULL AS VARCHAR)"];
    let mut value = || match random.random_range(0..6) {
        0 => any[random.random_range(0..any.len())].to_owned(),
        _ => codes[random.random_range(0..codes.len())].clone(),
    };
    let values = [value(), value(), value()];
    let [one, ..] = &values;
    let list = values.join(", ");
    let node = NODES[random.random_range(0..NODES.len())];
    match random.random_range(0..14) {
        0 => format!("borough_gss = {one}"),
        1 => format!("{one} = borough_gss"),
        2 => format!("borough_gss <> {one}"),
        3 | 4 => format!("borough_gss IN ({list})"),
        5 => format!("borough_gss NOT IN ({list})"),
        6 => "borough_gss IS NULL".to_owned(),
        7 => format!("(borough_gss IS DISTINCT FROM {one})"),
        8 => format!("(borough_gss IS NOT DISTINCT FROM {one})"),
        9 => format!("node = '{node}'"),
        10 => format!("node <> '{node}'"),
        11 => format!("borough_gss {} {one}", ["<", "<=", ">", ">="][random.random_range(0..4)]),
        12 => format!("{one} {} borough_gss", ["<", "<=", ">", ">="][random.random_range(0..4)]),
        _ => "wall_type = 'cavity insulated'".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn random_conditions_on_declared_keys_are_answered_as_one_database_would() {
    let given = std::env::var("JIGSAW_SEED").ok().and_then(|seed| seed.parse().ok());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = given.unwrap_or_else(|| u64::from(now.subsec_nanos()));
    let (dir, nodes) = prepare(7);
    let oracle = Oracle::over(dir.path(), &nodes).await.unwrap();
    let federation = open(&dir, nodes).start().await.unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (mut spared, mut problems) = (0, vec![]);
    for number in 0..RUN {
        let condition = condition(&mut random, 3);
        let sql = match number % 4 {
            0 => format!("SELECT COUNT(*), MIN(bedrooms), SUM(bedrooms) FROM property WHERE {condition}"),
            1 => format!(
                "SELECT borough_gss, node, COUNT(*) FROM property WHERE {condition} GROUP BY borough_gss, node"
            ),
            2 => format!(
                "SELECT wall_type, COUNT(*) FROM (SELECT wall_type, borough_gss AS b FROM property WHERE {condition}) AS p \
                 WHERE b <> '{}' GROUP BY wall_type",
                code("camden")
            ),
            _ => format!(
                "SELECT COUNT(*), COUNT(d.uprn_key) FROM (SELECT * FROM property WHERE {condition}) AS p \
                 LEFT JOIN damp_case AS d ON d.node = p.node AND d.uprn_key = p.uprn_key \
                 WHERE d.borough_gss IS NULL OR d.borough_gss = '{}'",
                code("hackney")
            ),
        };
        match federation.sql(&sql).await {
            Err(problem) => problems.push(format!("{sql}\n{problem}")),
            Ok(answer) => {
                spared += usize::from(asked(&answer).len() < 4);
                let batches = federation.ask(&sql).await.unwrap();
                problems.extend(
                    oracle
                        .disagrees(&sql, &batches)
                        .await
                        .unwrap()
                        .map(|problem| format!("{sql}\n{problem}")),
                );
            }
        }
    }
    assert!(problems.is_empty(), "JIGSAW_SEED={seed}: {}", problems.join("\n\n"));
    assert!(spared * 4 > RUN, "JIGSAW_SEED={seed}: nodes were spared {spared} of {RUN} questions");
}

/// Who is spared is not missed, is not in the coverage, and leaves its row to an aggregate of nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_spared_node_that_is_down_does_not_hinder() {
    let (dir, nodes) = prepare(7);
    let mut federation = open(&dir, nodes).start().await.unwrap();
    let sql = format!("SELECT COUNT(*) FROM property WHERE borough_gss IN ('{}', 'x')", code("barnet"));
    let before = federation.sql(&sql).await.unwrap();
    assert_eq!(asked(&before), ["barnet"]);
    federation.stop_node("camden").await.unwrap();
    let after = federation.sql(&sql).await.unwrap();
    assert_eq!((after.value(), asked(&after)), (before.value(), vec!["barnet"]));
    federation.sql("SELECT COUNT(*) FROM property").await.unwrap_err();
    let nobody = "SELECT COUNT(*) AS n, SUM(bedrooms) AS s FROM property WHERE borough_gss = 'x' OR borough_gss IS NULL";
    let none = federation
        .sql(&format!("SELECT CASE WHEN n = 0 AND s IS NULL THEN 'nobody' END FROM ({nobody})"))
        .await;
    let none = none.unwrap();
    assert_eq!((none.value(), asked(&none)), ("nobody".to_owned(), vec![]));
}

/// Has camden declare other keys than it has.
fn declare(dir: &Path, keys: &str) {
    let file = dir.join("camden/node.toml");
    let text = fs::read_to_string(&file).unwrap();
    let lines = text.lines().map(|line| {
        if line.starts_with("borough_gss = ") { format!("borough_gss = {keys}") } else { line.to_owned() }
    });
    fs::write(file, lines.collect::<Vec<_>>().join("\n")).unwrap();
}

/// Rows outside of what a node declares are not served, whether it is asked or not.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_declaration_is_kept() {
    let (dir, nodes) = prepare(7);
    let wrong = |dir: &Path| declare(dir, "[\"E09000099\"]");
    let federation = open(&dir, nodes).edit(wrong).start().await.unwrap();
    let sql = format!("SELECT COUNT(*) FROM property WHERE borough_gss = '{}'", code("camden"));
    let spared = federation.sql(&sql).await.unwrap();
    assert_eq!((spared.value().as_str(), asked(&spared)), ("0", vec![]));
    let asks = "SELECT COUNT(*) FROM property WHERE node = 'camden'";
    let asks = federation.sql(asks).await.unwrap();
    assert_eq!((asks.value().as_str(), asked(&asks)), ("0", vec!["camden"]));
}

/// A node that serves other keys from now on loses no row to what the coordinator knew of it before.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_declares_anew_counts_at_once() {
    let (dir, nodes) = prepare(7);
    let wrong = |dir: &Path| declare(dir, "[\"E09000099\"]");
    let mut federation = open(&dir, nodes).edit(wrong).start().await.unwrap();
    let sql = format!("SELECT COUNT(*) FROM property WHERE borough_gss = '{}'", code("camden"));
    assert_eq!(federation.sql(&sql).await.unwrap().value(), "0");
    declare(dir.path(), &format!("[\"{}\"]", code("camden")));
    federation.restart_node("camden").await.unwrap();
    // Far less than the fifteen seconds after which the coordinator asks for descriptions by itself.
    let start = std::time::Instant::now();
    let answer = federation.sql(&sql).await.unwrap();
    assert_eq!(asked(&answer), ["camden"]);
    assert_ne!(answer.value(), "0");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

/// A node that is up and does not say in time that it still declares the same may have rows by now: it is not passed over.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_does_not_confirm_is_missed() {
    let (dir, nodes) = prepare(7);
    let federation = open(&dir, nodes).tap(["camden"]).timeout_seconds(3).start().await.unwrap();
    let sql = format!("SELECT COUNT(*) FROM property WHERE borough_gss = '{}'", code("barnet"));
    assert_eq!(asked(&federation.sql(&sql).await.unwrap()), ["barnet"]);
    federation.tap("camden").fault(Fault::Stall);
    let problem = federation.sql(&sql).await.unwrap_err();
    assert!(problem.message.contains("camden") && !problem.message.contains("barnet"), "{problem}");
}

/// An attack on protected rows: one set of people asked for by the whole node, by its key, and by leaving out all other
/// keys, in the hope that nodes that were spared make it another set to somebody's memory. Each node remembers who is in its own
/// cells, and whom else a question reaches changes none of them.
#[tokio::test(flavor = "multi_thread")]
async fn leaving_out_nodes_by_key_makes_no_new_set_of_people() {
    let (dir, nodes) = prepare(7);
    let builder = Federation::builder(dir.path(), nodes).policy(Policy::Contract).declared();
    let federation = builder.start().await.unwrap();
    let own = code("camden");
    let mut seen = vec![];
    for condition in [
        "node = 'camden'".to_owned(),
        format!("borough_gss = '{own}'"),
        format!("node = 'camden' AND borough_gss = '{own}'"),
    ] {
        let people = format!(
            "SELECT node, COUNT(DISTINCT person_key) AS n FROM rough_sleeping_contact WHERE {condition} GROUP BY node"
        );
        let sql = format!("SELECT n FROM ({people}) AS p WHERE node = 'camden'");
        let answer = federation.sql(&sql).await.unwrap();
        assert!(asked(&answer).contains(&"camden"), "{sql}");
        seen.push((answer.value(), sql));
    }
    assert!(seen.iter().all(|(value, _)| *value == seen[0].0), "{seen:?}");
    // Everything less everything but one node tells of that node what it tells of itself.
    let by_node = "SELECT node, COUNT(DISTINCT person_key) AS n FROM rough_sleeping_contact GROUP BY node";
    let total =
        federation.sql(&format!("SELECT CAST(SUM(n) AS BIGINT) FROM ({by_node})")).await.unwrap().value();
    let others = format!("{by_node} HAVING node <> 'camden'");
    let others =
        federation.sql(&format!("SELECT CAST(SUM(n) AS BIGINT) FROM ({others})")).await.unwrap().value();
    let number = |text: &str| text.parse::<i64>().unwrap();
    assert_eq!(number(&total) - number(&others), number(&seen[0].0), "{seen:?}");
}
