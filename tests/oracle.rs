//! The federation answers as one database over everybody's rows would.
#![cfg(test)]

mod keys;

use std::path::{Path, PathBuf};

use harness::data::{NodeData, Scale, Synthetic, real};
use harness::federation::{Federation, Policy};
use harness::oracle::Oracle;
use harness::oracle::script::{Outcome, Script, scripts};
use tempfile::TempDir;

/// Every test of a promise about rows uses the same ones.
const SEED: u64 = 7;

/// Folders of scripts that need real data.
const REAL: [&str; 2] = ["stats19", "laqn"];

/// The scripts of a folder below `sql/`; of all but the real data's folders if it is empty.
fn scripts_of(folder: &str) -> Vec<Script> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
    let mut found = scripts(&root.join(folder)).unwrap();
    if folder.is_empty() {
        found.retain(|script| !REAL.iter().any(|real| script.path.starts_with(root.join(real))));
    }
    found
}

/// Asks every question of a folder twice, of a federation whose policy is open and of one database over all rows, and
/// compares the answers.
async fn check(folder: &str, dir: &TempDir, nodes: &[NodeData]) -> usize {
    let oracle = Oracle::over(dir.path(), nodes).await.unwrap();
    let federation =
        Federation::builder(dir.path(), nodes.to_vec()).policy(Policy::Open).start().await.unwrap();
    let federation = &federation;
    let mut all = Outcome::default();
    for script in scripts_of(folder) {
        let outcome = script.compare(&oracle, |sql| async move { federation.ask(&sql).await }).await;
        assert!(outcome.checked > 0, "{} checks nothing", script.path.display());
        all.checked += outcome.checked;
        all.failures.extend(outcome.failures);
    }
    assert!(all.failures.is_empty(), "{}", all.failures.join("\n\n"));
    all.checked
}

/// Where the open data are, if they are on this machine.
fn open_data(folder: &str) -> Option<PathBuf> {
    let dir = std::env::var_os("JIGSAW_OPEN_DATA").map(PathBuf::from)?.join(folder);
    dir.is_dir().then_some(dir)
}

#[test]
fn there_are_enough_scripts() {
    let real: usize = REAL.iter().map(|folder| scripts_of(folder).len()).sum();
    assert!(scripts_of("").len() + real >= 90);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_over_synthetic_rows_are_right() {
    let dir = tempfile::tempdir().unwrap();
    let nodes = Synthetic::new(SEED, Scale::test()).write_to(dir.path()).unwrap();
    assert!(check("", &dir, &nodes).await >= 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_over_collisions_are_right() {
    let Some(from) = open_data("stats19") else { return }; // not on this machine
    let dir = tempfile::tempdir().unwrap();
    let split = real::stats19(&from, dir.path()).unwrap();
    check("stats19", &dir, &split.nodes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_over_air_quality_are_right() {
    let Some(from) = open_data("laqn") else { return }; // not on this machine
    let dir = tempfile::tempdir().unwrap();
    let split = real::laqn(&from, dir.path()).unwrap();
    check("laqn", &dir, &split.nodes).await;
}
