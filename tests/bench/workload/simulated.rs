//! A federation of a thousand nodes: each a server with its own certificate, port and audit log, all in this process, over few rows.

use std::fmt::Write as _;
use std::fs;
use std::time::Instant;

use harness::data::{DatasetFiles, Format, NodeData, Result};
use harness::federation::{Federation, Policy};

use super::data;
use crate::peers::resident_mib;
use crate::rows::{NODES, forget, target};
use crate::timed;

/// Files that one node opens, on both ends of its line.
const FILES_PER_NODE: usize = 12;

const QUESTIONS: [(&str, &str); 2] = [
    ("count", "SELECT COUNT(*) AS n FROM reading"),
    (
        "group by",
        "SELECT sensor_id, COUNT(*) AS n, AVG(temp_c) AS temperature FROM reading GROUP BY sensor_id",
    ),
];

/// Prints what questions take at 33 nodes and at so many.
pub(crate) async fn measure(nodes: usize, runs: usize) -> Result<()> {
    let open = FILES_PER_NODE * nodes + 1_000;
    if let Some(limit) = open_files().filter(|limit| *limit < open) {
        println!(
            "{nodes} nodes need about {open} open files and may have {limit}: raise the limit with ulimit -n {open}\n"
        );
        return Ok(());
    }
    println!("Simulated nodes, 4,000 readings of 2 sensors each, median ms (CPU ms) of {runs} warm runs:\n");
    println!("| nodes | start s | MiB a node | count | group by | first question |\n|-|-|-|-|-|-|");
    for nodes in [NODES, nodes] {
        match at(nodes, runs).await {
            Ok(line) => println!("{line}"),
            Err(error) => {
                let sentence = error.to_string();
                println!("| {nodes} | not measured: {sentence:.300} |");
            }
        }
    }
    println!();
    Ok(())
}

async fn at(nodes: usize, runs: usize) -> Result<String> {
    let dir = std::path::absolute(target().join(format!("bench/simulated-{nodes}")))?;
    let list = (0..nodes).map(|node| NodeData {
        id: format!("node-{node:04}"),
        title: format!("Node {node}"),
        datasets: vec![DatasetFiles {
            dataset: "reading",
            contract: "reading.toml".to_owned(),
            source: "data/reading.parquet".to_owned(),
            format: Format::Parquet,
            select: None,
        }],
    });
    let list: Vec<_> = list.collect();
    for (number, node) in list.iter().enumerate() {
        let folder = dir.join(&node.id);
        forget(&folder)?;
        fs::create_dir_all(folder.join("data"))?;
        let file = folder.join("data/reading.parquet");
        if !file.is_file() {
            data::readings(&file, number, 2)?;
        }
    }
    let contract = data::contract_of("reading", &dir.join("node-0000/data/reading.parquet"))?;
    let (before, started) = (resident_mib(), Instant::now());
    let builder = Federation::builder(&dir, list).policy(Policy::Open).contracts([contract]);
    let federation = builder.timeout_seconds(120).start().await?;
    let up = started.elapsed().as_secs_f64();
    let started = Instant::now();
    federation.ask("SELECT COUNT(*) AS n FROM reading").await?;
    let first = started.elapsed().as_secs_f64() * 1e3;
    let memory = (resident_mib() - before) / f64::from(u32::try_from(nodes)?);
    let mut line = format!("| {nodes} | {up:.1} | {memory:.1} |");
    for (_, sql) in QUESTIONS {
        let cost = timed(runs, async || drop(federation.ask(sql).await.unwrap())).await;
        write!(line, " {cost} |")?;
    }
    federation.stop().await?;
    Ok(format!("{line} {first:.0} ms |"))
}

/// How many files this process may open.
fn open_files() -> Option<usize> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}
