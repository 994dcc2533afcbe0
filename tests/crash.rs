//! A node that is killed (SIGKILL) at any time has a record, whole and signed, of whatever it sent.
//!
//! The node runs in a process of its own: this test's own program, started again. Four callers ask it as the coordinator
//! would, as fast as they can, until it dies in the middle; then it starts again on the same files.
#![cfg(test)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use harness::data::{Scale, Synthetic};
use harness::federation::{Federation, Line, Policy};
use jigsaw_proto::aggregate::State;
use jigsaw_proto::expr::Column;
use jigsaw_proto::fragment::{Fragment, Join, JoinKind, Measure, Relation};
use jigsaw_proto::refusal::Refusal;
use jigsaw_proto::wire::{FragmentRequest, unix_ms};
use rand::{RngExt as _, SeedableRng as _};

const CONFIG: &str = "JIGSAW_TEST_NODE";
const NODE: &str = "camden";
const KILLS: usize = 6;
const CALLERS: usize = 4;

fn start(config: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "crash::in_a_process_of_its_own", "--ignored"]).env(CONFIG, config);
    child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// The other process.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs in a process that whatever_was_received_is_recorded starts"]
async fn in_a_process_of_its_own() {
    let config = PathBuf::from(std::env::var(CONFIG).expect("started by the other test"));
    let settings = jigsaw_node::Settings::load(&config).unwrap();
    let listener = tokio::net::TcpListener::bind(settings.listen()).await.unwrap();
    jigsaw_node::run(settings, listener, std::future::pending()).await.unwrap();
}

/// A question that takes no time, or one that takes some: every dwelling beside every other with such walls, three times over.
fn ticket(query: &str, long: bool) -> Vec<u8> {
    let scan = |alias: &str| Relation::Scan { dataset: "property".parse().unwrap(), alias: alias.to_owned() };
    let beside = |left: Relation, right: &str| {
        let on = vec![(Column::new("t", "wall_type"), Column::new(right, "wall_type"))];
        Relation::Join(Box::new(Join { left, right: scan(right), kind: JoinKind::Inner, on, filter: None }))
    };
    let input = if long { beside(beside(beside(scan("t"), "u"), "v"), "w") } else { scan("t") };
    let measures =
        vec![Measure { state: State::Rows, argument: None, paired: None, time: None, filter: None }];
    let fragment = Fragment { input, keys: vec![], measures };
    let (principal, purpose) = ("ada".to_owned(), "a crash".to_owned());
    let query = query.parse().unwrap();
    let issued_ms = unix_ms();
    let assertion = jigsaw_proto::identity::Assertion::default();
    FragmentRequest {
        query,
        principal,
        purpose,
        deadline_ms: 20_000,
        fragment,
        serial: 0,
        issued_ms,
        assertion,
    }
    .encode()
}

/// A line to a node that may still be starting.
async fn line(federation: &Federation, child: &mut Child) -> Line {
    for _ in 0..500 {
        assert!(child.try_wait().unwrap().is_none(), "the node does not start again");
        if let Ok(line) = federation.line(NODE).await {
            return line;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the node is not there after ten seconds");
}

/// Asks until the line breaks; the queries that were answered to the end.
async fn ask(mut line: Line, name: String, long: bool) -> Vec<String> {
    let mut received = Vec::new();
    for number in 0.. {
        let query = format!("{name}-{number}");
        match line.ask(ticket(&query, long)).await {
            Ok(_) => received.push(query),
            Err(status) => {
                assert!(Refusal::from_status(&status).is_none(), "{query} is refused: {status}");
                break;
            }
        }
    }
    received
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_received_is_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let mut nodes = Synthetic::new(7, Scale::test()).write_to(dir.path()).unwrap();
    nodes.retain(|node| node.id == NODE);
    let mut federation = Federation::builder(dir.path(), nodes).policy(Policy::Open).start().await.unwrap();
    federation.stop_node(NODE).await.unwrap();
    let config = dir.path().join(NODE).join("node.toml");
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(7);
    let mut received = Vec::new();
    for kill in 0..KILLS {
        let mut child = start(&config);
        let mut callers = Vec::new();
        for caller in 0..CALLERS {
            let line = line(&federation, &mut child).await;
            callers.push(tokio::spawn(ask(line, format!("q{kill}-{caller}"), caller == 0)));
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(100..600))).await;
        child.kill().unwrap();
        child.wait().unwrap();
        for caller in callers {
            received.extend(caller.await.unwrap());
        }
        assert_eq!(jigsaw_node::audit_problems(&config).unwrap(), [""; 0], "after kill {kill}");
    }
    assert!(received.len() > KILLS, "only {} answers in all", received.len());
    federation.restart_node(NODE).await.unwrap();
    federation.stop_node(NODE).await.unwrap();
    assert_eq!(jigsaw_node::audit_problems(&config).unwrap(), [""; 0]);
    let (mut asked, mut ends) = (Vec::new(), BTreeMap::<String, Vec<String>>::new());
    for line in federation.audit(NODE) {
        let query = line["query"].as_str().unwrap_or_default().to_owned();
        match line["outcome"].as_str().unwrap_or_default() {
            "asked" => asked.push(query),
            end @ ("released" | "refused" | "abandoned" | "crashed") => {
                ends.entry(query).or_default().push(end.to_owned());
            }
            _ => {}
        }
    }
    let crashed = ends.values().flatten().filter(|end| *end == "crashed").count();
    assert!(crashed > 0, "no kill met a question that ran");
    for query in asked {
        assert_eq!(ends[&query].len(), 1, "{query} ended {:?}", ends[&query]);
    }
    for query in received {
        assert_eq!(ends[&query], ["released"], "{query} was received");
    }
}
