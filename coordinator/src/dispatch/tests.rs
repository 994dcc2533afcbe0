//! What becomes of a question when nodes do not do as they should. Nodes are real servers on loopback sockets.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use jigsaw_proto::aggregate::State;
use jigsaw_proto::expr::{BinaryOp, Column, Expr, Literal};
use jigsaw_proto::fragment::{Measure, Relation};
use jigsaw_proto::refusal::RefusalCode;
use tonic::transport::Endpoint;

use super::*;
use crate::query::QueryError;
use node::{CONTRACT, FakeNode, Manner, nobody};

mod node;
mod spared;
mod together;

/// The time of a question.
const LIMIT: Duration = Duration::from_secs(2);

fn federation(nodes: &[(&str, std::net::SocketAddr)]) -> Arc<Federation> {
    let peers = nodes.iter().map(|(id, address)| Peer {
        entry: NodeEntry {
            id: id.parse().unwrap(),
            address: format!("http://{address}"),
            identity: String::new(),
        },
        channel: Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy(),
    });
    let peers: Vec<Peer> = peers.collect();
    let contract = Contract::parse(CONTRACT).unwrap();
    let nodes = peers.iter().map(|peer| NodeView::unknown(&peer.entry)).collect();
    let contracts = BTreeMap::from([(contract.name.clone(), Arc::new(contract))]);
    let view = RwLock::new(Arc::new(Snapshot { nodes }));
    Arc::new(Federation { peers, contracts, view, together: Together::default() })
}

fn fragment() -> Fragment {
    Fragment {
        input: Relation::Scan { dataset: "thing".parse().unwrap(), alias: "thing".to_owned() },
        keys: vec![Expr::Column(Column { relation: "thing".to_owned(), name: "kind".to_owned() })],
        measures: vec![Measure {
            state: State::Rows,
            argument: None,
            paired: None,
            time: None,
            filter: None,
        }],
    }
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("g0", DataType::Utf8, true),
        Field::new("p0", DataType::Int64, true),
    ]))
}

fn context(allow_partial: bool) -> Arc<QueryContext> {
    let id = "q1".parse().unwrap();
    Arc::new(QueryContext::new(id, "ada".to_owned(), String::new(), allow_partial, LIMIT))
}

/// Asks a node that is well and one that answers in `manner`, without and with leave to miss one.
async fn beside_a_good_one(manner: Manner) -> (DispatchError, Arc<QueryContext>, FakeNode) {
    let (good, bad) = (FakeNode::start("good", Manner::Well), FakeNode::start("bad", manner));
    let federation = federation(&[(bad.id, bad.address), (good.id, good.address)]);
    federation.refresh().await;
    let error = federation.ask(&context(false), &fragment(), schema(), None).await.unwrap_err();
    let partial = context(true);
    let batches = federation.ask(&partial, &fragment(), schema(), None).await.unwrap();
    assert_eq!(batches.batches().map(RecordBatch::num_rows).sum::<usize>(), 2, "{manner:?}");
    good.kill();
    (error, partial, bad)
}

fn status(context: &QueryContext, node: &str) -> (&'static str, String) {
    let outcomes = context.outcomes();
    let outcome = outcomes.iter().find(|outcome| outcome.node.as_str() == node).unwrap();
    (outcome.status(), outcome.message())
}

#[tokio::test(flavor = "multi_thread")]
async fn all_answers_together_are_the_answer() {
    let nodes = [FakeNode::start("one", Manner::Well), FakeNode::start("two", Manner::Empty)];
    let federation = federation(&nodes.each_ref().map(|node| (node.id, node.address)));
    // Nothing is known of the nodes yet: they are asked all the same.
    let context = context(false);
    let batches = federation.ask(&context, &fragment(), schema(), None).await.unwrap();
    assert_eq!(batches.batches().map(RecordBatch::num_rows).sum::<usize>(), 2);
    assert!(batches.batches().all(|batch| batch.schema() == schema()));
    assert_eq!(status(&context, "one").0, "answered");
    let progress = context.progress().borrow().clone();
    assert_eq!((progress.asked, progress.answered, progress.waiting.len()), (2, 2, 0));
    let named =
        Expr::Column(Column::new("thing", "node")).binary(BinaryOp::Eq, Expr::Literal(Literal::text("two")));
    let about = Relation::Filter { input: Box::new(fragment().input), predicate: named };
    let pruned = federation.ask(&self::context(false), &fragment(), schema(), Some(&about)).await.unwrap();
    assert_eq!(pruned.batches().map(RecordBatch::num_rows).sum::<usize>(), 0);
    assert_eq!(nodes[0].asked(), 1, "a node whose rows cannot matter was asked");
    for node in nodes {
        node.kill();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_none_are_missed_by_name_and_never_asked_for_twice() {
    for (manner, words) in [
        (Manner::WithoutManifest, "without a manifest"),
        (Manner::AsAnotherNode, "another node's"),
        (Manner::ToAnotherQuestion, "another question"),
        (Manner::OtherNames, "columns"),
        (Manner::OtherTypes, "columns"),
        (Manner::FewerColumns, "columns"),
        (Manner::BreaksOff, "broke off"),
        (Manner::Fails, "it failed"),
    ] {
        let (error, partial, bad) = beside_a_good_one(manner).await;
        let sentence = error.to_string();
        assert!(sentence.contains("bad (") && sentence.contains(words), "{manner:?}: {sentence}");
        assert!(!sentence.contains("good") && !sentence.contains("secret"), "{manner:?}: {sentence}");
        assert_eq!(status(&partial, "bad").0, "failed", "{manner:?}");
        assert_eq!(bad.asked(), 2, "{manner:?}: once for each of two questions");
        bad.kill();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_may_come_in_another_encoding() {
    let node = FakeNode::start("one", Manner::LargeText);
    let federation = federation(&[(node.id, node.address)]);
    let batches = federation.ask(&context(false), &fragment(), schema(), None).await.unwrap();
    assert_eq!(batches.batches().next().unwrap().schema(), schema());
    node.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_node_is_late_and_the_others_are_not() {
    for manner in [Manner::NeverBegins, Manner::NeverEnds] {
        let start = Instant::now();
        let (error, partial, bad) = beside_a_good_one(manner).await;
        assert!(error.to_string().contains("bad (it did not answer in time)"), "{error}");
        assert_eq!(status(&partial, "bad").0, "late");
        assert!(start.elapsed() < 2 * LIMIT + Duration::from_secs(1), "{:?}", start.elapsed());
        assert!(partial.deadline() > tokio::time::Instant::now(), "no time is left to merge the others");
        bad.kill();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_killed_in_its_answer_is_missed_before_the_deadline() {
    let node = FakeNode::start("one", Manner::NeverEnds);
    let federation = federation(&[(node.id, node.address)]);
    let seen = Arc::clone(&node.seen);
    let start = Instant::now();
    let asking = tokio::spawn(async move {
        federation.ask(&context(false), &fragment(), schema(), None).await.unwrap_err()
    });
    while !seen.begun.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    node.kill();
    let error = asking.await.unwrap().to_string();
    assert!(error.contains("one (it broke off in the middle of its answer)"), "{error}");
    assert!(start.elapsed() < LIMIT, "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_back_is_asked_over_the_same_channel() {
    let node = FakeNode::start("one", Manner::Well);
    let federation = federation(&[(node.id, node.address)]);
    federation.refresh().await;
    let address = node.kill();
    let error = federation.ask(&context(false), &fragment(), schema(), None).await.unwrap_err();
    assert!(error.to_string().contains("one (it cannot be reached)"), "{error}");
    let node = FakeNode::start_at("one", Manner::Well, address, CONTRACT);
    federation.ask(&context(false), &fragment(), schema(), None).await.unwrap();
    let address = node.kill();
    // This time nobody asked in between: the first call meets a connection that is closed.
    let node = FakeNode::start_at("one", Manner::Well, address, CONTRACT);
    federation.ask(&context(false), &fragment(), schema(), None).await.unwrap();
    node.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_all_is_told_once_and_of_one_by_name() {
    let refuses = Manner::Refuses(RefusalCode::ColumnRole);
    let nodes = [FakeNode::start("one", refuses), FakeNode::start("two", refuses)];
    let federation = federation(&nodes.each_ref().map(|node| (node.id, node.address)));
    for allow_partial in [false, true] {
        let error = federation.ask(&context(allow_partial), &fragment(), schema(), None).await.unwrap_err();
        assert_eq!(error.to_string(), "all 2 nodes refuse: R04 these words");
        assert!(matches!(QueryError::from(error), QueryError::Refused { .. }));
    }
    for node in nodes {
        node.kill();
    }
    let (error, partial, bad) = beside_a_good_one(refuses).await;
    assert!(error.to_string().contains("bad (R04 these words)"), "{error}");
    assert!(matches!(QueryError::from(error), QueryError::Incomplete { .. }));
    assert_eq!(status(&partial, "bad"), ("refused", "R04 these words".to_owned()));
    bad.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn giving_up_cancels_at_the_nodes() {
    let node = FakeNode::start("one", Manner::NeverEnds);
    let federation = federation(&[(node.id, node.address)]);
    let (context, fragment) = (context(false), fragment());
    let asking = federation.ask(&context, &fragment, schema(), None);
    assert!(tokio::time::timeout(Duration::from_millis(500), asking).await.is_err());
    let start = Instant::now();
    while !node.seen.dropped.load(Ordering::SeqCst) {
        assert!(start.elapsed() < Duration::from_secs(1), "the node still works on it");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    node.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_node_is_said_in_words() {
    let other = CONTRACT.replace("version = 1", "version = 2");
    let any = "127.0.0.1:0".parse().unwrap();
    let (drifted, renamed) =
        (FakeNode::start_at("drifted", Manner::Well, any, &other), FakeNode::start("renamed", Manner::Well));
    let federation =
        federation(&[("drifted", drifted.address), ("called", renamed.address), ("gone", nobody())]);
    federation.refresh().await;
    let snapshot = federation.snapshot();
    let found: Vec<_> =
        snapshot.nodes.iter().map(|node| (node.status.as_str(), node.detail.as_str())).collect();
    assert_eq!(
        found,
        [
            (
                "up",
                "thing: its contract differs from version 1 published here: install the published file on the node"
            ),
            ("wrong identity", "it says it is renamed: correct the roster or the node's id"),
            ("down", "it cannot be reached"),
        ]
    );
    let error = federation.ask(&context(false), &fragment(), schema(), None).await.unwrap_err().to_string();
    for node in ["drifted", "called", "gone"] {
        assert!(error.contains(node), "{error} does not name {node}");
    }
    assert_eq!(drifted.asked() + renamed.asked(), 0, "a node that is left out was asked");
    drifted.kill();
    renamed.kill();
}
