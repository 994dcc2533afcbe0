//! The twelve questions: all peers in turn, round by round, so that whatever else the machine does meets all of them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Instant;

use harness::data::Result;
use harness::federation::Federation;
use serde_json::Value;

use super::peers::{Peer, Run, cpu};
use super::questions::Question;
use super::{compare, data};
use crate::rows::{NODES, id};

/// A peer that takes so long for a question is asked it no more.
const LONG_MS: f64 = 20_000.0;

/// What came of one question to one peer.
enum Outcome {
    Refused(String),
    Answered {
        runs: Vec<Run>,
        /// of the first run, which is not counted
        rows: Vec<Vec<String>>,
    },
}

/// What is kept of a question.
struct Line {
    question: Question,
    outcomes: Vec<Outcome>,
    /// share of the machine that others had meanwhile, 0 to 1
    foreign: f64,
    /// that the nodes' releases weighed, all together
    bytes: f64,
}

/// Prints the tables.
pub(crate) async fn measure(
    peers: &mut [Peer],
    federation: &Federation,
    questions: &[Question],
    runs: usize,
    dir: &Path,
) -> Result<()> {
    let mut lines = Vec::new();
    for question in questions {
        lines.push(line(peers, federation, *question, runs, dir).await?);
    }
    let names: Vec<_> = peers.iter().map(ToString::to_string).collect();
    println!("{}", times(&names, &lines)?);
    println!("{}", bytes(&lines, dir)?);
    println!("{}", answers(&names, &lines)?);
    Ok(())
}

async fn line(
    peers: &mut [Peer],
    federation: &Federation,
    question: Question,
    runs: usize,
    dir: &Path,
) -> Result<Line> {
    let mut outcomes = Vec::new();
    let before = lengths(dir);
    for peer in &mut *peers {
        let sql = peer.words(&question);
        outcomes.push(match peer.ask(&sql).await {
            Ok(first) => Outcome::Answered { runs: Vec::new(), rows: first.rows },
            Err(sentence) => Outcome::Refused(sentence),
        });
    }
    let bytes = released(dir, &before)?;
    // One more that nobody counts: a coordinator that has seen a question once may still learn from the second.
    drop(federation.ask(question.federated()).await);
    let (busy, started, mut ours) = (busy(), Instant::now(), 0.0);
    for _ in 0..runs {
        for (peer, outcome) in peers.iter_mut().zip(&mut outcomes) {
            let Outcome::Answered { runs, .. } = outcome else { continue };
            if runs.iter().map(|run| run.wall).sum::<f64>() > LONG_MS {
                continue;
            }
            let sql = peer.words(&question);
            let run = peer.ask(&sql).await?;
            ours += run.cpu;
            runs.push(run);
        }
    }
    let cores = f64::from(u32::try_from(std::thread::available_parallelism()?.get())?);
    let foreign = (self::busy() - busy - ours) / (started.elapsed().as_secs_f64() * cores);
    Ok(Line { question, outcomes, foreign, bytes })
}

/// Sorted by `figure`, the middle and the least.
fn middle(runs: &[Run], figure: impl Fn(&Run) -> f64) -> (f64, f64) {
    let mut figures: Vec<f64> = runs.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    let at = |place: usize| figures.get(place).copied().unwrap_or(f64::NAN);
    (at(figures.len() / 2), at(0))
}

fn times(names: &[String], lines: &[Line]) -> Result<String> {
    let mut text =
        "Median wall ms (least), mean CPU seconds of all processes; × is the federation's time over the peer's, by wall and by CPU:\n\n"
            .to_owned();
    write!(text, "| question |")?;
    for (place, name) in names.iter().enumerate() {
        write!(text, " {name} |")?;
        if place > 0 {
            write!(text, " × |")?;
        }
    }
    writeln!(text, " others |\n|-|{}-|", "-|".repeat(names.len() * 2 - 1))?;
    let mut ratios = vec![Vec::new(); names.len()];
    for Line { question, outcomes, foreign, .. } in lines {
        write!(text, "| {} {} |", question.name, question.title)?;
        let own = outcomes.first().and_then(figures);
        for ((place, outcome), ratios) in outcomes.iter().enumerate().zip(&mut ratios) {
            let Some((wall, least, cpu)) = figures(outcome) else {
                text.push_str(if place == 0 { " – |" } else { " – | |" });
                continue;
            };
            write!(text, " {wall:.1} ({least:.1}) {cpu:.3} |")?;
            if place > 0 {
                match own {
                    Some((own_wall, _, own_cpu)) => {
                        ratios.push((question.name, own_wall / wall, own_cpu / cpu));
                        let by_cpu = Some(own_cpu / cpu).filter(|ratio| ratio.is_finite());
                        let by_cpu = by_cpu.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"));
                        write!(text, " {:.2} ({by_cpu}) |", own_wall / wall)?;
                    }
                    None => text.push_str(" |"),
                }
            }
        }
        writeln!(text, " {:.0} % |", foreign * 100.0)?;
    }
    for (title, without) in [("geometric mean", ""), ("without the count", "q01")] {
        write!(text, "| {title} | |")?;
        for ratios in ratios.iter_mut().skip(1) {
            ratios.retain(|(name, ..)| *name != without);
            let (wall, cpu) = (mean(ratios, |ratio| ratio.1), mean(ratios, |ratio| ratio.2));
            write!(text, " | {wall:.2} ({cpu:.2}) of {} |", ratios.len())?;
        }
        text.push_str(" |\n");
    }
    Ok(text)
}

fn figures(outcome: &Outcome) -> Option<(f64, f64, f64)> {
    let Outcome::Answered { runs, .. } = outcome else { return None };
    let (wall, least) = middle(runs, |run| run.wall);
    let count = f64::from(u32::try_from(runs.len()).unwrap_or(u32::MAX));
    Some((wall, least, runs.iter().map(|run| run.cpu).sum::<f64>() / count))
}

/// The geometric mean, but for what took no measurable time.
#[expect(clippy::cast_precision_loss, reason = "a dozen")]
fn mean<T>(values: &[T], figure: impl Fn(&T) -> f64) -> f64 {
    let logarithms = values.iter().map(|value| figure(value).ln()).filter(|logarithm| logarithm.is_finite());
    let logarithms: Vec<f64> = logarithms.collect();
    (logarithms.iter().sum::<f64>() / logarithms.len() as f64).exp()
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn bytes(lines: &[Line], dir: &Path) -> Result<String> {
    let rows = data::rows(dir)?;
    let mut text = "What the nodes' releases weigh (as their audit logs say), and what a scan has to read, eight bytes for each value:\n\n\
        | question | bytes of all nodes | of one | scanned | of scanned |\n|-|-|-|-|-|\n"
        .to_owned();
    for Line { question, bytes, .. } in lines.iter().filter(|line| line.bytes > 0.0) {
        let read = |(table, columns): &(&str, u64)| rows.get(table).copied().unwrap_or(0) * columns * 8;
        let scanned = question.scans.iter().map(read).sum::<u64>() as f64;
        let share =
            if scanned > 0.0 { format!("{:.4} %", 100.0 * bytes / scanned) } else { "–".to_owned() };
        writeln!(
            text,
            "| {} | {bytes:.0} | {:.0} | {scanned:.0} | {share} |",
            question.name,
            bytes / NODES as f64
        )?;
    }
    Ok(text)
}

/// Whether all say the same, and who says nothing.
fn answers(names: &[String], lines: &[Line]) -> Result<String> {
    let (mut text, mut agreed) = (String::new(), 0);
    for Line { question, outcomes, .. } in lines {
        let mut good = true;
        let expected = outcomes.get(1).and_then(rows);
        for (name, outcome) in names.iter().zip(outcomes) {
            let problem = match outcome {
                Outcome::Refused(sentence) => Some(format!("refused: {}", sentence.replace('\n', " "))),
                Outcome::Answered { rows, .. } => expected
                    .and_then(|expected| compare::difference(expected, rows, question.tolerance))
                    .map(|difference| format!("ANOTHER ANSWER than DataFusion: {difference}")),
            };
            if let Some(problem) = problem {
                good = false;
                writeln!(text, "* {} {name} {problem}", question.name)?;
            }
        }
        agreed += usize::from(good);
    }
    Ok(format!("All peers gave the same answer to {agreed} of {} questions.\n\n{text}", lines.len()))
}

fn rows(outcome: &Outcome) -> Option<&[Vec<String>]> {
    let Outcome::Answered { rows, .. } = outcome else { return None };
    Some(rows)
}

/// Lengths of the nodes' audit logs.
fn lengths(dir: &Path) -> Vec<usize> {
    let length = |node| fs::metadata(audit(dir, node)).map_or(0, |file| file.len());
    (0..NODES).map(|node| usize::try_from(length(node)).unwrap_or(usize::MAX)).collect()
}

fn audit(dir: &Path, node: usize) -> std::path::PathBuf {
    dir.join(id(node)).join("audit/audit.jsonl")
}

/// What the nodes' audit logs say left since they were so long.
fn released(dir: &Path, before: &[usize]) -> Result<f64> {
    let mut bytes = 0.0;
    for (node, before) in before.iter().enumerate() {
        let log = fs::read(audit(dir, node))?;
        let new = String::from_utf8_lossy(log.get(*before..).unwrap_or_default()).into_owned();
        for line in new.lines() {
            let entry: Value = serde_json::from_str(line).unwrap_or_default();
            bytes += entry.get("bytes").and_then(Value::as_f64).unwrap_or(0.0);
        }
    }
    Ok(bytes)
}

/// Seconds in which any core of the machine was not idle. Linux counts in hundredths of a second; without it, what this process took.
fn busy() -> f64 {
    let Ok(stat) = fs::read_to_string("/proc/stat") else { return cpu() };
    let ticks = stat.lines().next().unwrap_or_default().split_whitespace().skip(1);
    // user, nice, system, idle, iowait, irq, softirq
    let ticks: Vec<f64> = ticks.map(|ticks| ticks.parse().unwrap_or(0.0)).collect();
    let busy = ticks.iter().enumerate().take(7).filter(|(place, _)| ![3, 4].contains(place));
    busy.map(|(_, ticks)| ticks / 100.0).sum()
}
