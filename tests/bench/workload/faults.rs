//! What goes over the wire, and what becomes of questions while a line stalls or breaks.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Array as _, AsArray as _};
use arrow::datatypes::Int64Type;
use harness::data::Result;
use harness::federation::{Answer, Asking, Federation};
use harness::tap::Fault;

use super::questions::{QUESTIONS, Question};
use crate::rows::{NODES, id};

const STALL: Duration = Duration::from_secs(10);
const DEADLINE: Duration = Duration::from_secs(2);
/// Counts that are asked while the line breaks.
const COUNTS: usize = 120;

/// Prints both.
pub(crate) async fn measure(dir: &Path, questions: &[Question]) -> Result<()> {
    let node = id(0);
    let federation = Arc::new(super::start(dir, 30, &[&node]).await?);
    wire(&federation, &node, questions).await;
    let rows = by_node(&federation).await?;
    stalled(&federation, &node, &rows).await?;
    broken(&federation, &node, &rows).await?;
    super::stop(federation).await
}

/// Bytes between the coordinator and one node, of the second time a question is asked: HTTP/2 with all its frames, before TLS.
async fn wire(federation: &Federation, node: &str, questions: &[Question]) {
    println!("Bytes on the wire to and from one node, HTTP/2 frames and headers, without TLS:\n");
    println!("| question | to the node | from it | both, of all nodes |\n|-|-|-|-|");
    let sent = || {
        let recordings = federation.tap(node).recordings();
        recordings
            .iter()
            .fold((0, 0), |(to, from), line| (to + line.to_node.len(), from + line.from_node.len()))
    };
    for question in questions {
        if federation.ask(question.federated()).await.is_err() {
            println!("| {} | refused | | |", question.name);
            continue;
        }
        let before = sent();
        drop(federation.ask(question.federated()).await);
        let after = sent();
        let (to, from) = (after.0 - before.0, after.1 - before.1);
        println!("| {} | {to} | {from} | {} |", question.name, (to + from) * NODES);
    }
    println!();
}

/// One node says nothing for ten seconds; who waits two gets an answer that says so.
async fn stalled(federation: &Federation, node: &str, rows: &BTreeMap<String, i64>) -> Result<()> {
    let [count, ..] = QUESTIONS;
    let how = Asking { allow_partial: true, timeout: Some(DEADLINE), ..Asking::default() };
    federation.tap(node).fault(Fault::Stall);
    let began = Instant::now();
    println!(
        "One node stalled for {} s, deadline {} s, answers without it allowed:\n",
        STALL.as_secs(),
        DEADLINE.as_secs()
    );
    println!("| question | after s | of the deadline | rows counted | missing, as it says |\n|-|-|-|-|-|");
    for number in 1..=3 {
        let started = Instant::now();
        let answer = federation.sql_with(count.federated(), how).await;
        let seconds = started.elapsed().as_secs_f64();
        let share = 100.0 * seconds / DEADLINE.as_secs_f64();
        match answer {
            Ok(answer) => {
                check(&answer, rows)?;
                println!(
                    "| {number} | {seconds:.2} | {share:.0} % | {} | {} |",
                    answer.value(),
                    missing(&answer, rows)
                );
            }
            Err(problem) => println!("| {number} | {seconds:.2} | {share:.0} % | none | {problem} |"),
        }
    }
    tokio::time::sleep(STALL.saturating_sub(began.elapsed())).await;
    federation.tap(node).fault(Fault::None);
    federation.wait_until_up(NODES).await?;
    let answer = federation.sql(count.federated()).await?;
    println!("| after the stall | | | {} | {} |\n", answer.value(), missing(&answer, rows));
    check(&answer, rows)
}

/// Counts while the line to one node stalls, is cut in the middle of an answer, and comes back: each must be the sum of what the nodes
/// hold that it says answered, so that no retry counts a node twice.
async fn broken(federation: &Arc<Federation>, node: &str, rows: &BTreeMap<String, i64>) -> Result<()> {
    let [count, ..] = QUESTIONS;
    let tapped = Arc::clone(federation);
    let name = node.to_owned();
    let breaking = tokio::spawn(async move {
        for cut in (20..).step_by(35) {
            for fault in [Fault::CutAfter(cut % 600), Fault::None, Fault::Stall, Fault::None] {
                tapped.tap(&name).fault(fault);
                tokio::time::sleep(Duration::from_millis(60)).await;
            }
        }
    });
    let how = Asking { allow_partial: true, timeout: Some(Duration::from_millis(700)), ..Asking::default() };
    let (mut whole, mut partial, mut failed) = (0, 0, 0);
    for _ in 0..COUNTS {
        match federation.sql_with(count.federated(), how).await {
            Ok(answer) => {
                check(&answer, rows)?;
                if missing(&answer, rows).is_empty() { whole += 1 } else { partial += 1 }
            }
            Err(_) => failed += 1,
        }
    }
    breaking.abort();
    // It was told to end, and so ends with an error.
    drop(breaking.await);
    federation.tap(node).fault(Fault::None);
    println!(
        "{COUNTS} counts while one line broke: {whole} whole, {partial} without the node and saying so, {failed} failed, none wrong.\n"
    );
    Ok(())
}

/// An error unless the count is exactly what the nodes hold that are said to have answered.
fn check(answer: &Answer, rows: &BTreeMap<String, i64>) -> Result<()> {
    let answered = rows.iter().filter(|(node, _)| answer.status_of(node) == Some("answered"));
    let (expected, found) = (answered.map(|(_, rows)| rows).sum::<i64>(), answer.value());
    if found == expected.to_string() {
        return Ok(());
    }
    Err(format!("WRONG COUNT: {found}, but the nodes that answered hold {expected}: {}", answer.notes).into())
}

fn missing(answer: &Answer, rows: &BTreeMap<String, i64>) -> String {
    let missing = rows.keys().filter(|node| answer.status_of(node) != Some("answered"));
    missing.cloned().collect::<Vec<_>>().join(", ")
}

/// Rows that each node holds.
async fn by_node(federation: &Federation) -> Result<BTreeMap<String, i64>> {
    let batches = federation.ask("SELECT node, COUNT(*) AS n FROM lineitem GROUP BY node").await?;
    let mut rows = BTreeMap::new();
    for batch in &batches {
        let (nodes, counts) =
            (batch.column(0).as_string::<i32>(), batch.column(1).as_primitive::<Int64Type>());
        rows.extend((0..nodes.len()).map(|row| (nodes.value(row).to_owned(), counts.value(row))));
    }
    Ok(rows)
}
