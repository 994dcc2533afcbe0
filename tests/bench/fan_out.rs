//! The floor: one call to each node at once over the same mutual TLS, answered without looking at a row; and what one node's
//! answer weighs.

use futures::future::join_all;
use harness::federation::{Federation, Line};
use tokio::sync::Mutex;

use crate::rows::{NODES, id};

pub(crate) struct FanOut {
    lines: Vec<Mutex<Line>>,
}

impl FanOut {
    pub(crate) async fn to(federation: &Federation) -> Self {
        let lines =
            join_all((0..NODES).map(|node| async move { federation.line(&id(node)).await.unwrap() })).await;
        Self { lines: lines.into_iter().map(Mutex::new).collect() }
    }

    /// All nodes at once.
    pub(crate) async fn ping(&self) {
        join_all(self.lines.iter().map(|line| async { line.lock().await.ping().await.unwrap() })).await;
    }

    /// Bytes of the first node's release of a question's fragment: what its audit log says left is asked again and weighed.
    pub(crate) async fn bytes(&self, sql: &str, federation: &Federation) -> f64 {
        let before = federation.audit(&id(0)).len();
        federation.ask(sql).await.unwrap();
        let entries = federation.audit(&id(0));
        let bytes = entries.get(before..).into_iter().flatten().filter_map(|entry| entry["bytes"].as_f64());
        bytes.sum()
    }
}
