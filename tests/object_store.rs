//! A node reads its files from S3, through a real S3-speaking server on this machine.
//!
//! Credentials come from the environment and from nowhere else, so the node runs in a process of its own: this test's
//! own program, started again with an environment.
#![cfg(test)]

use std::fs;
use std::path::Path;
use std::process::Command;

use harness::data::{NodeData, Scale, Synthetic};
use harness::federation::{Federation, Policy};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tokio::net::TcpListener;

const KEY: &str = "borough-key";
const SECRET: &str = "borough-secret";
const BUCKET: &str = "borough-data";
const COUNT: &str = "SELECT COUNT(*) FROM property";

/// Serves the folders in `root` as buckets, to whoever has the key.
async fn serve(root: &Path) -> String {
    let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root).unwrap());
    builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
    let service = builder.build();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                // A connection that breaks is the caller's to report.
                _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
            });
        }
    });
    format!("http://{address}")
}

/// One borough in two places: its dwellings in two files and in an object store.
fn camden(dir: &Path) -> NodeData {
    let nodes = Synthetic::new(7, Scale::test()).write_to(dir).unwrap();
    let mut node = nodes.into_iter().find(|node| node.id == "camden").unwrap();
    node.datasets.retain(|files| files.dataset == "property");
    node
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_reads_from_an_object_store() {
    let (dir, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let node = camden(dir.path());
    let bucket = root.path().join(BUCKET).join("dwellings");
    fs::create_dir_all(&bucket).unwrap();
    let file = dir.path().join("camden").join(&node.datasets[0].source);
    fs::copy(&file, bucket.join("a.parquet")).unwrap();
    fs::copy(&file, bucket.join("b.parquet")).unwrap();
    let federation = Federation::builder(dir.path(), vec![node]).policy(Policy::Open).start().await.unwrap();
    let local: u64 = federation.sql(COUNT).await.unwrap().value().parse().unwrap();
    assert!(local > 0);
    let endpoint = serve(root.path()).await;
    let child = |secret: &'static str| {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "object_store::in_a_process_of_its_own", "--ignored", "--nocapture"]);
        child.env("AWS_ACCESS_KEY_ID", KEY).env("AWS_SECRET_ACCESS_KEY", secret);
        child.env("AWS_ENDPOINT", &endpoint).env("AWS_ALLOW_HTTP", "true").env("AWS_REGION", "eu-west-2");
        child.env("JIGSAW_TEST_EXPECTED", (2 * local).to_string());
        tokio::task::spawn_blocking(move || child.output().unwrap())
    };
    let output = child(SECRET).await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    let output = child("wrong").await.unwrap();
    assert!(!output.status.success(), "a wrong key was enough");
    assert!(!text(&output.stdout).contains("borough-secret") && !text(&output.stderr).contains("wrong\""));
}

/// The other process: a federation whose only node reads what the environment opens to it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the environment that a_node_reads_from_an_object_store gives it"]
async fn in_a_process_of_its_own() {
    let expected = std::env::var("JIGSAW_TEST_EXPECTED").expect("started by the other test");
    let dir = tempfile::tempdir().unwrap();
    let mut node = camden(dir.path());
    node.datasets[0].source = format!("s3://{BUCKET}/dwellings/");
    let federation = Federation::builder(dir.path(), vec![node]).policy(Policy::Open).start().await.unwrap();
    assert_eq!(federation.sql(COUNT).await.unwrap().value(), expected);
    let walls = federation.sql("SELECT wall_type, COUNT(*) FROM property GROUP BY wall_type").await.unwrap();
    assert!(walls.rows() > 1);
}
