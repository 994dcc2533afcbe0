//! Whatever ticket comes, a node answers with a release or a refusal of the closed list, and lives on.
#![no_main]

use std::sync::{LazyLock, Mutex};

use harness::data::{Scale, Synthetic};
use harness::federation::{Federation, Line, Policy};
use jigsaw_proto::refusal::Refusal;
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A node with protected rows, and a line to it.
struct Node {
    runtime: Runtime,
    line: Mutex<Line>,
    _federation: Federation,
    _dir: TempDir,
}

static NODE: LazyLock<Node> = LazyLock::new(|| {
    let runtime = Runtime::new().expect("a runtime");
    let dir = tempfile::tempdir().expect("a folder");
    let mut nodes = Synthetic::new(7, Scale::test()).write_to(dir.path()).expect("rows");
    nodes.retain(|node| node.id == "camden");
    let (federation, line) = runtime.block_on(async {
        let federation =
            Federation::builder(dir.path(), nodes).policy(Policy::Contract).start().await.expect("a node");
        let line = federation.line("camden").await.expect("a line");
        (federation, line)
    });
    Node { runtime, line: Mutex::new(line), _federation: federation, _dir: dir }
});

fuzz_target!(|bytes: &[u8]| {
    let node = &*NODE;
    let mut line = node.line.lock().expect("one at a time");
    if let Err(status) = node.runtime.block_on(line.ask(bytes.to_vec())) {
        assert!(Refusal::from_status(&status).is_some(), "{status:?}");
    }
});
