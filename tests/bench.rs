//! How fast a federation is next to what it is made of: `cargo run --release --bin bench`.
//!
//! 33 nodes and a coordinator in this process, over real sockets and mutual TLS, on the same files and cores as the peers in the
//! same run. It prints medians and ratios, the machine and the commit; nothing here is asserted.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench that cannot go on stops; it prints its results"
)]

#[path = "bench/clients.rs"]
mod clients;
#[path = "bench/cost.rs"]
mod cost;
#[path = "bench/fan_out.rs"]
mod fan_out;
#[path = "bench/peers.rs"]
mod peers;
#[path = "bench/rows.rs"]
mod rows;
#[path = "bench/workload.rs"]
mod workload;

use std::fmt;
use std::time::Instant;

use clap::Parser;
use harness::federation::{Federation, Policy};

/// As in the services.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Medians of a federation of 33 nodes beside single-process DataFusion and DuckDB over the same files
#[derive(Debug, Parser)]
struct Arguments {
    /// Warm runs of each question; the median is printed
    #[arg(long, default_value_t = 9)]
    runs: usize,
    /// Rows per node, one table each
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 100_000, 1_000_000])]
    rows: Vec<usize>,
    /// Measure what people wait for at their tools instead
    #[arg(long)]
    clients: bool,
    /// Measure what disclosure control costs instead
    #[arg(long)]
    cost: bool,
    /// Ask nothing but the federation, and only questions whose name has this in it: for a profiler
    #[arg(long, value_name = "QUESTION")]
    only: Option<String>,
    #[command(flatten)]
    workload: workload::Options,
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
    if arguments.cost {
        println!("{cores} cores, commit {}\n", commit());
        return cost::measure(arguments.runs).await.unwrap();
    }
    if arguments.workload.workload {
        println!("{cores} cores, commit {}, medians of {} warm runs", commit(), arguments.runs);
        return workload::run(&arguments.workload, arguments.runs).await.unwrap();
    }
    if arguments.clients {
        println!("{cores} cores, medians of {} warm runs, commit {}\n", arguments.runs, commit());
        return clients::measure(arguments.runs).await.unwrap();
    }
    println!("33 nodes, {cores} cores, medians of {} warm runs, commit {}\n", arguments.runs, commit());
    println!(
        "| rows per node | question | federation ms (CPU) | bare fan-out ms (CPU) | DataFusion ms (CPU) | DuckDB ms | federation : DataFusion (CPU) | planning ms | bytes out per node | of bytes on disk |"
    );
    println!("|-|-|-|-|-|-|-|-|-|-|");
    for rows in arguments.rows {
        match &arguments.only {
            Some(name) => alone(rows, arguments.runs, name).await,
            None => measure(rows, arguments.runs).await,
        }
    }
}

/// The federation without its peers.
async fn alone(rows: usize, runs: usize, question: &str) {
    let dir = rows::folder(rows).unwrap();
    let federation = Federation::builder(&dir, rows::nodes()).policy(Policy::Open).start().await.unwrap();
    for (name, sql) in QUESTIONS.iter().filter(|(name, _)| name.contains(question)) {
        let asked = timed(runs, async || drop(federation.ask(sql).await.unwrap())).await;
        println!("| {rows} | {name} | {asked} |");
    }
    federation.stop().await.unwrap();
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
        let bare = timed(runs, async || fan_out.ping().await).await;
        let asked = timed(runs, async || drop(federation.ask(sql).await.unwrap())).await;
        let planning = timed(runs, async || {
            drop(federation.plan(sql, harness::federation::Asking::default()).await.unwrap());
        })
        .await;
        let alone = timed(runs, async || single.ask(sql).await).await;
        let duck = peers::duckdb(&dir, sql, runs).map_or_else(|| "–".to_owned(), |ms| format!("{ms:.1}"));
        let bytes = fan_out.bytes(sql, &federation).await;
        println!(
            "| {rows} | {name} | {asked} | {bare} | {alone} | {duck} | {:.2} ({:.2}) | {:.1} | {bytes} | {:.4} % |",
            asked.wall / alone.wall,
            asked.cpu / alone.cpu,
            planning.wall,
            100.0 * bytes / rows::bytes_per_node(&dir),
        );
    }
    println!("\n{rows} rows a node: {memory:.1} MiB resident per node after the first question\n");
    federation.stop().await.unwrap();
}

/// What one run takes, in milliseconds.
struct Cost {
    /// the median
    wall: f64,
    /// of all cores, the mean: other work on the machine makes a run late, but hardly dearer
    cpu: f64,
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} ({:.1})", self.wall, self.cpu)
    }
}

/// What `run` takes, after two that warm up.
async fn timed(runs: usize, mut run: impl AsyncFnMut()) -> Cost {
    let mut times = Vec::with_capacity(runs);
    for _ in 0..2 {
        run().await;
    }
    let before = peers::cpu_ms();
    for _ in 0..runs {
        let started = Instant::now();
        run().await;
        times.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    let cpu = (peers::cpu_ms() - before) / f64::from(u32::try_from(runs).unwrap_or(1));
    times.sort_by(f64::total_cmp);
    Cost { wall: times.get(times.len() / 2).copied().unwrap_or_default(), cpu }
}

fn commit() -> String {
    let output = std::process::Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    output.map_or_else(
        |_| "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}
