//! When something breaks, the asker is told which node is missing, in time, or gets an answer that says so.
#![cfg(test)]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use harness::certificates::Authority;
use harness::data::{NodeData, Scale, Synthetic};
use harness::federation::{Answer, Asking, Builder, Federation, Policy, Problem};
use harness::tap::Fault;
use jigsaw_proto::refusal::{Refusal, RefusalCode};
use tempfile::TempDir;
use tonic::Code;

mod other_version;
mod partly;
mod sources;

/// The coordinator's limit for a query, in seconds.
const LIMIT: u32 = 3;

/// Whatever is asked, this much later there is an answer or an error.
const NEVER_LATER: Duration = Duration::from_secs(8);

const NODES: [&str; 4] = ["barnet", "camden", "croydon", "hackney"];

const ASKED: &str = "SELECT COUNT(*) AS homes FROM property";

const PARTIAL: Asking = Asking { allow_partial: true, timeout: None, cell_status: false };

fn rows(dir: &Path) -> Vec<NodeData> {
    let mut nodes = Synthetic::new(7, Scale::test()).write_to(dir).unwrap();
    nodes.retain(|node| NODES.contains(&node.id.as_str()));
    nodes
}

fn prepare() -> (TempDir, Builder) {
    let dir = tempfile::tempdir().unwrap();
    let nodes = rows(dir.path());
    let builder = Federation::builder(dir.path(), nodes).policy(Policy::Open).timeout_seconds(LIMIT);
    (dir, builder)
}

/// Asks, and insists on an end in time.
async fn ask(federation: &Federation, sql: &str, how: Asking) -> Result<Answer, Problem> {
    let start = Instant::now();
    let outcome = tokio::time::timeout(NEVER_LATER, federation.sql_with(sql, how)).await;
    outcome.unwrap_or_else(|_| panic!("no end after {:?}: {sql}", start.elapsed()))
}

/// By default an error that names the node; with leave, an answer whose notes and caveats name it.
async fn misses(federation: &Federation, node: &str, statuses: &[&str]) {
    let problem = ask(federation, ASKED, Asking::default()).await.unwrap_err();
    assert!(problem.message.contains(node), "{problem} does not name {node}");
    assert!(!problem.message.contains("barnet"), "{problem} names a node that is well");
    assert!(matches!(problem.code, Code::Unavailable | Code::DeadlineExceeded), "{problem}");
    let answer = ask(federation, ASKED, PARTIAL).await.unwrap();
    let status = answer.status_of(node).unwrap_or("not asked");
    assert!(statuses.contains(&status), "{node} is {status}: {}", answer.notes);
    assert_eq!(answer.status_of("barnet"), Some("answered"));
    assert!(answer.caveats().join("\n").contains(node), "{} do not name {node}", answer.notes["caveats"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_down_is_named_and_comes_back() {
    let (_dir, builder) = prepare();
    let mut federation = builder.start().await.unwrap();
    let whole = ask(&federation, ASKED, Asking::default()).await.unwrap();
    federation.stop_node("camden").await.unwrap();
    misses(&federation, "camden", &["failed", "late", "not asked"]).await;
    federation.restart_node("camden").await.unwrap();
    federation.wait_until_up(NODES.len()).await.unwrap();
    let again = ask(&federation, ASKED, Asking::default()).await.unwrap();
    assert_eq!(again.value(), whole.value(), "{}", again.notes);
    federation.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_node_is_late_and_nobody_waits_for_it() {
    let (_dir, builder) = prepare();
    let federation = builder.tap(["camden"]).start().await.unwrap();
    ask(&federation, ASKED, Asking::default()).await.unwrap();
    federation.tap("camden").fault(Fault::Stall);
    misses(&federation, "camden", &["late", "failed"]).await;
    let hurried = Asking { timeout: Some(Duration::from_millis(500)), ..Asking::default() };
    let start = Instant::now();
    ask(&federation, ASKED, hurried).await.unwrap_err();
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "the asker's own deadline counts: {:?}",
        start.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_cut_off_in_its_answer_has_not_answered() {
    let (_dir, builder) = prepare();
    let federation = builder.tap(["camden"]).start().await.unwrap();
    ask(&federation, ASKED, Asking::default()).await.unwrap();
    // Long enough for the head of an answer, too short for its end.
    federation.tap("camden").fault(Fault::CutAfter(120));
    misses(&federation, "camden", &["failed", "late"]).await;
    federation.tap("camden").fault(Fault::None);
    federation.wait_until_up(NODES.len()).await.unwrap();
    ask(&federation, ASKED, Asking::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_for_another_name_is_not_the_node() {
    let (_dir, builder) = prepare();
    let federation = builder.stranger("camden", "camden.example.com").start().await.unwrap();
    let statuses = federation.statuses().await.unwrap();
    let (_, status, _) = statuses.iter().find(|(node, ..)| node == "camden").unwrap();
    assert!(status != "up", "{statuses:?}");
    misses(&federation, "camden", &["failed", "late", "not asked"]).await;
}

/// A node serves the coordinators its operator listed, and nobody else the same authority has signed.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_serves_only_its_coordinator() {
    let (_dir, builder) = prepare();
    let federation = builder.start().await.unwrap();
    let authority = federation.authority();
    let neighbour = authority.sign(&["barnet.jigsaw.example"]).unwrap();
    let mut line = federation.line_as("camden", &neighbour, &authority.pem()).await.unwrap();
    let status = line.ask(vec![]).await.unwrap_err();
    assert_eq!(Refusal::from_status(&status).unwrap().code, RefusalCode::NotServed);
    let forger = Authority::new().unwrap().sign(&["coordinator.jigsaw.example"]).unwrap();
    let refused = match federation.line_as("camden", &forger, &authority.pem()).await {
        Ok(mut line) => line.ask(vec![]).await.is_err(),
        Err(_) => true,
    };
    assert!(refused, "a certificate of another authority was accepted");
    federation.line_as("camden", &forger, &Authority::new().unwrap().pem()).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_that_are_none_are_refused_in_words() {
    let (_dir, builder) = prepare();
    let federation = builder.start().await.unwrap();
    let mut line = federation.line("camden").await.unwrap();
    for (name, ticket) in [
        ("nothing", vec![]),
        ("noise", vec![0xff; 64]),
        ("too much", vec![0; 300 * 1024]),
        ("text", b"SELECT 1".into()),
    ] {
        let status = line.ask(ticket).await.unwrap_err();
        let refusal = Refusal::from_status(&status).unwrap_or_else(|| panic!("{name}: {status:?}"));
        assert!(
            matches!(refusal.code, RefusalCode::BadRequest | RefusalCode::OtherVersion),
            "{name}: {refusal}"
        );
    }
    // More than the server reads at all.
    line.ask(vec![0; 20 * 1024 * 1024]).await.unwrap_err();
    ask(&federation, ASKED, Asking::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_is_too_long_is_refused_and_the_next_is_answered() {
    let (_dir, builder) = prepare();
    let federation = builder.start().await.unwrap();
    let list = vec!["'solid brick'"; 400_000].join(", ");
    let long = format!("SELECT COUNT(*) FROM property WHERE wall_type IN ({list})");
    ask(&federation, &long, Asking::default()).await.unwrap_err();
    let deep = format!("SELECT COUNT(*) FROM property WHERE {}TRUE", "NOT ".repeat(20_000));
    ask(&federation, &deep, Asking::default()).await.unwrap_err();
    ask(&federation, ASKED, Asking::default()).await.unwrap();
}

/// A node that follows another version of a contract is left out of that dataset, visibly, and of no other.
#[tokio::test(flavor = "multi_thread")]
async fn contract_drift_is_seen() {
    let (_dir, builder) = prepare();
    let federation = builder.edit(drift).start().await.unwrap();
    let left_out = "SELECT left_out FROM system.datasets WHERE dataset = 'property'";
    let left_out = ask(&federation, left_out, Asking::default()).await.unwrap().value();
    assert!(left_out.contains("camden"), "{left_out}");
    misses(&federation, "camden", &["failed", "refused", "not asked"]).await;
    let other = "SELECT COUNT(*) FROM homelessness_case";
    let other = ask(&federation, other, Asking::default()).await.unwrap();
    assert_eq!(other.status_of("camden"), Some("answered"));
}

fn drift(dir: &Path) {
    let text = fs::read_to_string(dir.join("contracts/property.toml")).unwrap();
    fs::write(dir.join("camden/property.toml"), text.replace("version = 1", "version = 2")).unwrap();
    let config = fs::read_to_string(dir.join("camden/node.toml")).unwrap();
    fs::write(dir.join("camden/node.toml"), config.replace("../contracts/property.toml", "property.toml"))
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_federation_without_nodes_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let federation = Federation::builder(dir.path(), Vec::new()).policy(Policy::Open).start().await.unwrap();
    assert_eq!(federation.statuses().await.unwrap(), []);
    let problem = ask(&federation, ASKED, Asking::default()).await.unwrap_err();
    assert!(problem.message.contains("property"), "{problem}");
    let public = ask(&federation, "SELECT COUNT(*) FROM ref_borough", Asking::default()).await.unwrap();
    assert_eq!(public.value(), "33");
}
