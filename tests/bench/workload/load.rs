//! Many questions: at once, and one after the other.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use harness::data::Result;
use harness::federation::Federation;

use super::peers::Peer;
use super::questions::QUESTIONS;
use crate::peers::resident_mib;

/// Who asks without a pause in the measurement of throughput.
const CLIENTS: [usize; 2] = [1, 8];

/// Answers in a second: a count, and one day's readings.
pub(crate) async fn throughput(peers: &mut [Peer], seconds: u64) -> Result<()> {
    let [one, many] = CLIENTS;
    println!("Answers in a second, {one} client / {many} clients, over {seconds} s each:\n");
    println!("| peer | q01 count | q09 one day |\n|-|-|-|");
    for peer in peers {
        let mut line = format!("| {peer} |");
        for question in QUESTIONS.iter().filter(|question| ["q01", "q09"].contains(&question.name)) {
            let sql = peer.words(question);
            let mut rates = Vec::new();
            for clients in CLIENTS {
                rates.push(match peer.throughput(&sql, clients, Duration::from_secs(seconds)).await {
                    Ok(rate) => format!("{rate:.1}"),
                    Err(error) => format!("refused: {error}"),
                });
            }
            write!(line, " {} |", rates.join(" / "))?;
        }
        println!("{line}");
    }
    println!();
    Ok(())
}

/// Memory over many questions by eight who ask at once, in ten equal parts.
pub(crate) async fn soak(federation: &Arc<Federation>, questions: u32) -> Result<()> {
    const CLIENTS: u32 = 8;
    let [count, ..] = QUESTIONS;
    let started = Instant::now();
    println!(
        "Memory of the process (33 nodes, coordinator, asker) over {questions} questions of {CLIENTS} clients:\n"
    );
    println!("| questions | resident MiB |\n|-|-|\n| 0 | {:.1} |", resident_mib());
    let each = (questions / CLIENTS / 10).max(1);
    for part in 1..=10 {
        let client = || {
            let federation = Arc::clone(federation);
            tokio::spawn(async move {
                for _ in 0..each {
                    federation.ask(count.federated()).await?;
                }
                Ok::<_, String>(())
            })
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| client()).collect();
        for client in clients {
            client.await??;
        }
        println!("| {} | {:.1} |", part * each * CLIENTS, resident_mib());
    }
    println!("\nin {:.1} s\n", started.elapsed().as_secs_f64());
    Ok(())
}
