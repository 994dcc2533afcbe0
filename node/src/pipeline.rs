//! The life of a fragment at a node: **the file to read first**.
//!
//! ```text
//!  ticket ──▶ authorise ──▶ validate ──▶ execute ──▶ disclose ──▶ release
//!              Permit       Approved       Raw        Release
//!                └─────────────── audit entry ──────────┘
//! ```
//!
//! Each stage gives a type that only it can make and that the next one demands. Rows are read in `execute` alone, and what it
//! makes of them, `Raw`, has no way out of the node: only `disclose` takes it, and only a [`Release`] can be sent. What is
//! approved is charged to the budgets of its datasets before a row is read.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use arrow_flight::FlightData;
use futures::FutureExt;
use jigsaw_proto::refusal::{Refusal, RefusalCode};
use jigsaw_proto::wire::unix_ms;
use tokio::time::Instant;
use tracing::{error, info, instrument};

use crate::audit::Entry;
use crate::audit::step::reached;
use crate::authorise::{Heard, Permit, authorise};
use crate::disclose::{self, Question, Release, again, disclose};
use crate::execute::{self, execute};
use crate::node::Node;
use crate::server::messages;
use crate::validate::{Approved, validate};

/// Groups that are disclosed where they were computed: to hand them over takes longer.
const FEW: usize = 1000;

/// Answers one ticket of an identified coordinator with the messages of a release, or refuses.
///
/// Dropping the future abandons the fragment, and the audit log says so.
///
/// # Errors
/// A refusal of the closed list; what happened inside stays in this node's log.
#[instrument(skip_all, fields(query))]
pub(crate) async fn answer(
    node: &Arc<Node>,
    coordinator: &str,
    ticket: &[u8],
) -> Result<Vec<FlightData>, Refusal> {
    let asked = Instant::now();
    let mut entry = node.audit.entry(coordinator);
    let (mut tick, mut spared) = (Duration::ZERO, Duration::ZERO);
    let answered = async {
        let heard = |heard: Heard<'_>| match heard {
            Heard::Asked(request) => entry.asked(request, ticket),
            Heard::Proved(who) => entry.proved(who),
        };
        let permit = authorise(ticket, &node.gate, heard).await?;
        tick = node.tick(&permit.request().fragment);
        tracing::Span::current().record("query", permit.request().query.as_str());
        node.tickets.redeem(permit.request(), unix_ms())?;
        node.gate.take(&permit)?;
        unpanicked(run(node, &permit, &mut entry, &mut spared)).await
    }
    .await;
    let answer = match answered.and_then(encoded) {
        Ok((release, messages)) => record(entry, &release, messages).await,
        Err(refusal) => {
            info!(code = %refusal.code, "refused");
            let recorded = entry.refused(&refusal).await;
            Err(recorded.map_or_else(|problem| unwritable(&problem), |()| refusal))
        }
    };
    tokio::time::sleep_until(next_tick(asked, spared, tick)).await;
    answer
}

/// The first tick that is not over, or would not be had nothing been spared: how long an answer takes tells no more than how many
/// ticks it took, and not whether a proof succeeded (`R20`).
fn next_tick(asked: Instant, spared: Duration, tick: Duration) -> Instant {
    let taken = asked.elapsed() + spared;
    let ticks = taken.as_nanos().checked_div(tick.as_nanos()).unwrap_or(0) + 1;
    asked + tick.saturating_mul(u32::try_from(ticks).unwrap_or(u32::MAX))
}

/// A panic in a stage is a failure of this fragment, not of the node.
async fn unpanicked(stages: impl Future<Output = Result<Release, Refusal>>) -> Result<Release, Refusal> {
    AssertUnwindSafe(stages).catch_unwind().await.unwrap_or_else(|_| {
        error!("a stage panicked");
        Err(failure())
    })
}

/// validate → charge → execute → disclose
///
/// `spared` is what the answer would have taken longer, had nothing been proved.
async fn run(
    node: &Node,
    permit: &Permit,
    entry: &mut Entry,
    spared: &mut Duration,
) -> Result<Release, Refusal> {
    let request = permit.request();
    let approved = validate(permit, &node.datasets())?;
    entry.under(approved.policy_hash());
    entry.granted(&approved.agreement());
    reached("validated");
    node.ledger.charge(&approved, permit.today()).await?;
    let question = Question::of(&approved);
    if let Some((release, took)) = again(&question, &approved, &node.discloser, &request.query) {
        reached("executed");
        *spared = took;
        return Ok(release);
    }
    let deadline = node.limits.deadline.min(permit.time_left());
    let raw = match execute(&approved, &node.engine, deadline).await {
        Ok(raw) => raw,
        Err(problem) => {
            name_bad_cells(&approved).await;
            return Err(failed(&problem));
        }
    };
    reached("executed");
    *spared = raw.spared();
    let (by, query) = (Arc::clone(&node.discloser), request.query.clone());
    let disclosed = if approved.is_guarded() || raw.columns().num_rows() > FEW {
        // The memory of released cells is a file, and many cells take their time.
        let disclosed =
            tokio::task::spawn_blocking(move || disclose(&raw, &approved, &by, &query, question)).await;
        disclosed.map_err(|_| failure())?
    } else {
        disclose(&raw, &approved, &by, &query, question)
    };
    disclosed.map_err(|problem| match problem {
        disclose::Error::Columns(_) => {
            error!("a release could not be made of its columns");
            failure()
        }
        disclose::Error::Memory(problem) => forgetful(&problem),
    })
}

/// A release with the messages that would be sent.
fn encoded(release: Release) -> Result<(Release, Vec<FlightData>), Refusal> {
    reached("disclosed");
    let Ok(messages) = messages(&release) else {
        error!("a release could not be encoded");
        return Err(failure());
    };
    Ok((release, messages))
}

/// The entry is ended, on disk, before the release leaves.
async fn record(
    entry: Entry,
    release: &Release,
    messages: Vec<FlightData>,
) -> Result<Vec<FlightData>, Refusal> {
    let bytes: Vec<u8> = messages.iter().flat_map(|message| message.data_body.iter().copied()).collect();
    entry
        .released(release.manifest(), release.fired(), &bytes)
        .await
        .map_err(|problem| unwritable(&problem))?;
    reached("recorded");
    info!(
        cells = release.manifest().released_cells,
        withheld = release.manifest().withheld_cells,
        "released"
    );
    Ok(messages)
}

/// The log says where a CSV source is broken: file, line and column, never the value.
async fn name_bad_cells(approved: &Approved) {
    for dataset in approved.datasets() {
        let named = tokio::task::spawn_blocking(move || {
            let cell = dataset.first_bad_cell()?;
            Some((dataset.contract().name.clone(), cell))
        });
        if let Ok(Some((dataset, cell))) = named.await {
            error!(%dataset, %cell, "a source is broken");
        }
    }
}

/// An engine's words may quote a row: they are neither sent nor logged, only the kind of failure is.
fn failed(problem: &execute::Error) -> Refusal {
    match problem {
        execute::Error::Deadline => Refusal::new(
            RefusalCode::DeadlinePassed,
            "the node did not finish in time: ask for less at once, or allow more time",
        ),
        execute::Error::Memory => Refusal::new(
            RefusalCode::TooLarge,
            "the question needs more memory than this node gives to one: group by fewer columns",
        ),
        execute::Error::Plan(_) | execute::Error::Run(_) => {
            error!(
                kind = problem.kind(),
                "{problem}; 'jigsaw-node check' names the file, line and column of a broken source"
            );
            failure()
        }
    }
}

fn failure() -> Refusal {
    Refusal::new(
        RefusalCode::Failed,
        "the node could not compute the answer; its operator finds the reason in its log",
    )
}

fn unwritable(problem: &std::io::Error) -> Refusal {
    error!(error = %problem.kind(), "the audit log cannot be written: nothing is released");
    Refusal::new(
        RefusalCode::AuditUnavailable,
        "the node cannot write its audit log, so it releases nothing: try again later",
    )
}

fn forgetful(problem: &std::io::Error) -> Refusal {
    error!(error = %problem.kind(), "the memory of released cells cannot be written: nothing is released");
    Refusal::new(
        RefusalCode::AuditUnavailable,
        "the node cannot write what it releases into its memory, so it releases nothing: try again later",
    )
}

#[cfg(test)]
pub(crate) mod tests;
