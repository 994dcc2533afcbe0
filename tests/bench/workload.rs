//! Twelve questions to 33 nodes beside peers on the same rows and cores: `cargo run --release --bin bench -- --workload`.
//!
//! * [`data`] – TPC-H's tables split by key, and readings of sensors
//! * [`questions`], [`peers`], [`compare`] – the questions in everybody's words, who is asked, whether all say the same
//! * [`table`] – runs of all peers, one after the other, round by round; medians, CPU, ratios, bytes
//! * [`load`] – throughput, memory over many questions
//! * [`faults`] – bytes on the wire, a node that stalls, answers while lines break
//! * [`simulated`] – a thousand nodes

#[path = "workload/compare.rs"]
mod compare;
#[path = "workload/data.rs"]
mod data;
#[path = "workload/faults.rs"]
mod faults;
#[path = "workload/load.rs"]
mod load;
#[path = "workload/peers.rs"]
mod peers;
#[path = "workload/questions.rs"]
mod questions;
#[path = "workload/simulated.rs"]
mod simulated;
#[path = "workload/table.rs"]
mod table;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use clap::{Args, ValueEnum};
use harness::data::Result;
use harness::federation::{Federation, Policy};

use crate::peers::resident_mib;
use peers::{Kind, Peer, Served};
use questions::{QUESTIONS, Question};

/// What of the workload is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Section {
    /// the twelve questions
    Questions,
    /// answers in a second, one client and eight
    Throughput,
    /// memory before and after many questions
    Soak,
    /// bytes on the wire, a stalled node, broken lines
    Faults,
    /// many nodes
    Simulated,
}

/// How the workload is run.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Ask the twelve questions of 33 nodes and of peers instead
    #[arg(long)]
    pub(crate) workload: bool,
    /// TPC-H scale factor; at 1, a node has a million readings
    #[arg(long, requires = "workload", default_value_t = 1.0)]
    scale: f64,
    /// Peers beside DataFusion, which is always asked: duckdb, duckdb-memory, postgres, postgres-expert, clickhouse; "" for none
    #[arg(long, requires = "workload", value_delimiter = ',', default_value = "duckdb")]
    peers: Vec<String>,
    /// Only these questions, q01 to q12
    #[arg(long, requires = "workload", value_delimiter = ',')]
    queries: Vec<String>,
    /// Only these sections
    #[arg(long, requires = "workload", value_delimiter = ',')]
    sections: Vec<Section>,
    /// Seconds of each measurement of throughput
    #[arg(long, requires = "workload", default_value_t = 10)]
    seconds: u64,
    /// Questions after which memory is looked at again
    #[arg(long, requires = "workload", default_value_t = 1_000)]
    soak: u32,
    /// Nodes of the large federation
    #[arg(long, requires = "workload", default_value_t = 1_000)]
    simulated: usize,
}

impl Options {
    fn has(&self, section: Section) -> bool {
        self.sections.is_empty() || self.sections.contains(&section)
    }

    fn questions(&self) -> Vec<Question> {
        let asked = |question: &Question| {
            self.queries.is_empty() || self.queries.iter().any(|name| name == question.name)
        };
        QUESTIONS.into_iter().filter(asked).collect()
    }

    fn kinds(&self) -> Result<Vec<Kind>> {
        let names = self.peers.iter().filter(|name| !name.is_empty());
        names.map(|name| Kind::from_str(name, true).map_err(Into::into)).collect()
    }
}

/// Prints all that was asked for.
pub(crate) async fn run(options: &Options, runs: usize) -> Result<()> {
    let kinds = options.kinds()?;
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!(
        "TPC-H at scale {}, {} readings a node, load average {}",
        options.scale,
        1e6 * options.scale,
        load.trim()
    );
    let dir = data::folder(options.scale)?;
    beside_peers(options, runs, &dir, &kinds).await?;
    if options.has(Section::Faults) {
        faults::measure(&dir, &options.questions()).await?;
    }
    if options.has(Section::Simulated) {
        simulated::measure(options.simulated, runs).await?;
    }
    Ok(())
}

/// The sections for which the whole federation runs beside its peers.
async fn beside_peers(options: &Options, runs: usize, dir: &Path, kinds: &[Kind]) -> Result<()> {
    let sections = [Section::Questions, Section::Throughput, Section::Soak];
    if !sections.into_iter().any(|section| options.has(section)) {
        return Ok(());
    }
    let before = resident_mib();
    let federation = Arc::new(start(dir, 120, &[]).await?);
    let idle = resident_mib();
    for question in options.questions() {
        // What is refused is told with the answers.
        drop(federation.ask(question.federated()).await);
    }
    println!(
        "Memory, as the process grew for each node: {:.1} MiB idle, {:.1} MiB after each question was asked once
",
        (idle - before) / 33.0,
        (resident_mib() - before) / 33.0
    );
    if options.has(Section::Soak) {
        load::soak(&federation, options.soak).await?;
    }
    let mut peers = vec![Peer::Federation(Arc::clone(&federation)), peers::datafusion(dir).await?];
    for kind in kinds {
        let started = Instant::now();
        match Served::start(*kind, dir, options.scale) {
            Ok(peer) => {
                println!("{peer} is there after {:.1} s\n", started.elapsed().as_secs_f64());
                peers.push(peer);
            }
            Err(error) => println!("{kind} is not asked: {error}\n"),
        }
    }
    if options.has(Section::Questions) {
        table::measure(&mut peers, &federation, &options.questions(), runs, dir).await?;
    }
    if options.has(Section::Throughput) {
        load::throughput(&mut peers, options.seconds).await?;
    }
    for peer in &mut peers {
        if let Some(mib) = peer.memory() {
            println!("memory of {peer}: {mib:.0} MiB in all");
        }
    }
    drop(peers);
    stop(federation).await
}

/// 33 nodes over the folder, open, with taps before some.
async fn start(dir: &Path, timeout_seconds: u32, tapped: &[&str]) -> Result<Federation> {
    let builder =
        Federation::builder(dir, data::nodes()).policy(Policy::Open).contracts(data::contracts(dir)?);
    builder.timeout_seconds(timeout_seconds).tap(tapped.iter().copied()).edit(data::publish).start().await
}

async fn stop(federation: Arc<Federation>) -> Result<()> {
    match Arc::try_unwrap(federation) {
        Ok(federation) => federation.stop().await,
        // Whoever still holds it stops it by dropping it.
        Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Questions that may be refused: `node` or a reference table would have to be joined, or values of a column be carried out.
    const MAY_BE_REFUSED: [&str; 4] = ["q04", "q06", "q07", "q11"];

    #[tokio::test(flavor = "multi_thread")]
    async fn twelve_questions_are_answered_as_one_engine_answers_them() {
        let dir = tempfile::tempdir().unwrap();
        data::write(dir.path(), 0.001).unwrap();
        let federation = Arc::new(start(dir.path(), 60, &[]).await.unwrap());
        let mut ours = Peer::Federation(Arc::clone(&federation));
        let mut one = peers::datafusion(dir.path()).await.unwrap();
        for question in QUESTIONS {
            let expected = one.ask(&one.words(&question)).await.unwrap();
            assert!(!expected.rows.is_empty(), "{} has an empty answer", question.name);
            match ours.ask(&ours.words(&question)).await {
                Ok(found) => assert_eq!(
                    compare::difference(&expected.rows, &found.rows, question.tolerance),
                    None,
                    "{}",
                    question.name
                ),
                Err(sentence) => {
                    assert!(MAY_BE_REFUSED.contains(&question.name), "{}: {sentence}", question.name);
                }
            }
        }
        drop(ours);
        stop(federation).await.unwrap();
    }
}
