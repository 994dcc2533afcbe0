//! How fast a federation is next to what it is made of: `cargo run --release --bin bench`.
//!
//! 33 nodes and a coordinator in this process, over real sockets and mutual TLS, on the same files and cores as the peers in the
//! same run. It prints medians and ratios, the machine and the commit; nothing here is asserted.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench that cannot go on stops; it prints its results"
)]

#[path = "bench/fan_out.rs"]
mod fan_out;
#[path = "bench/peers.rs"]
mod peers;
#[path = "bench/rows.rs"]
mod rows;

use std::time::{Duration, Instant};

use clap::Parser;
use harness::federation::{Federation, Policy};

/// Medians of a federation of 33 nodes beside single-process DataFusion and DuckDB over the same files
#[derive(Debug, Parser)]
struct Arguments {
    /// Warm runs of each question; the median is printed
    #[arg(long, default_value_t = 9)]
    runs: usize,
    /// Rows per node, one table each
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 100_000, 1_000_000])]
    rows: Vec<usize>,
}

/// Questions, in the words of everybody.
const QUESTIONS: [(&str, &str); 3] = [
    ("trivial group-by", "SELECT measure, COUNT(*) AS n FROM env_reading GROUP BY measure"),
    (
        "average by site",
        "SELECT site_code, measure, AVG(value) AS mean, COUNT(value) AS n FROM env_reading GROUP BY site_code, measure",
    ),
    (
        "filter by hour",
        "SELECT EXTRACT(HOUR FROM ts) AS hour, SUM(value) AS total FROM env_reading WHERE measure = 'NO2' AND value > 10 GROUP BY EXTRACT(HOUR FROM ts)",
    ),
];

#[tokio::main(worker_threads = 2)]
async fn main() {
    let arguments = Arguments::parse();
    let cores = std::thread::available_parallelism().unwrap();
    println!("33 nodes, {cores} cores, medians of {} warm runs, commit {}\n", arguments.runs, commit());
    println!(
        "| rows per node | question | federation ms | bare fan-out ms | DataFusion ms | DuckDB ms | federation : DataFusion | planning ms | bytes out per node | of bytes on disk |"
    );
    println!("|-|-|-|-|-|-|-|-|-|-|");
    for rows in arguments.rows {
        measure(rows, arguments.runs).await;
    }
}

/// One table of every question over so many rows a node.
async fn measure(rows: usize, runs: usize) {
    let dir = rows::folder(rows).unwrap();
    let nodes = rows::nodes();
    let idle = peers::resident_mib();
    let federation = Federation::builder(&dir, nodes).policy(Policy::Open).start().await.unwrap();
    federation.ask("SELECT COUNT(*) FROM env_reading").await.unwrap();
    let memory = (peers::resident_mib() - idle) / 33.0;
    let single = peers::DataFusion::over(&dir).await;
    let fan_out = fan_out::FanOut::to(&federation).await;
    for (name, sql) in QUESTIONS {
        let bare = median(runs, async || fan_out.ping().await).await;
        let asked = median(runs, async || drop(federation.ask(sql).await.unwrap())).await;
        let planning = median(runs, async || {
            drop(federation.plan(sql, harness::federation::Asking::default()).await.unwrap());
        })
        .await;
        let alone = median(runs, async || single.ask(sql).await).await;
        let duck = peers::duckdb(&dir, sql, runs).map_or_else(|| "–".to_owned(), |ms| format!("{ms:.1}"));
        let bytes = fan_out.bytes(sql, &federation).await;
        println!(
            "| {rows} | {name} | {:.1} | {:.1} | {:.1} | {duck} | {:.2} | {:.1} | {bytes} | {:.4} % |",
            ms(asked),
            ms(bare),
            ms(alone),
            asked.as_secs_f64() / alone.as_secs_f64(),
            ms(planning),
            100.0 * bytes / rows::bytes_per_node(&dir),
        );
    }
    println!("\n{rows} rows a node: {memory:.1} MiB resident per node after the first question\n");
    federation.stop().await.unwrap();
}

/// The median time of `run`, after two that warm up.
async fn median(runs: usize, mut run: impl AsyncFnMut()) -> Duration {
    let mut times = Vec::with_capacity(runs);
    for round in 0..runs + 2 {
        let started = Instant::now();
        run().await;
        if round >= 2 {
            times.push(started.elapsed());
        }
    }
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn commit() -> String {
    let output = std::process::Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    output.map_or_else(
        |_| "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}
