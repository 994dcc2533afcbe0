//! `Raw → Release`: what the node's policy lets out, by rules in one fixed order.
//!
//! | rule | module | what it does |
//! |---|---|---|
//! | `R07` | [`threshold`] | a group of fewer entities than the threshold is dropped; without group keys, all its cells are withheld |
//! | `R08` | [`threshold`] | a cell to which fewer entities contribute than the threshold is withheld |
//! | `R09`, `R10` | [`dominance`] | a cell that is mostly one or two entities' own is withheld |
//! | `R11` | [`class`] | a cell that tells a sensitive category of everybody is withheld |
//! | `R13P` | [`perturbation`] | counts are perturbed by cell key, where the policy has a table |
//! | `R13` | [`rounding`] | counts are rounded to the base, sums to base × step, moments to 3 digits; a mean is that of the rounded sum and count |
//! | `R14`–`R16` | [`overlap`] | figures that would tell of a few people beside earlier ones show those, or nothing |
//! | `R12` | [`grid`] | an answer has every cell of its grid, where the policy says so |
//!
//! A withheld cell is NULL, whatever the rule: small, dominated and overlapping look the same, and so do small and absent groups.
//! An open release is left as it is.

mod cells;
mod class;
mod dominance;
mod grid;
mod overlap;
pub mod perturbation;
pub mod policy;
mod rounding;
mod threshold;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::compute::{SortColumn, lexsort_to_indices, take_record_batch};
use arrow::error::ArrowError;
use jigsaw_proto::id::{NodeId, QueryId};
use jigsaw_proto::release::{Manifest, ReleaseMode};

use crate::execute::Raw;
use crate::secret::Secret;
use crate::validate::Approved;
use cells::Cells;

use overlap::Answer;

pub(crate) use overlap::Guard;

/// How many groups and cells each rule took.
pub(crate) type Fired = BTreeMap<&'static str, u64>;

/// Aggregates that disclosure control let out: the only thing the server can send.
pub struct Release {
    batch: RecordBatch,
    manifest: Manifest,
    fired: Fired,
}

impl Release {
    /// The released columns.
    pub(crate) fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// What was done to them, as far as everybody may know.
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// How many groups and cells each rule took. For the node's own record: it tells why a cell is withheld.
    pub(crate) fn fired(&self) -> &Fired {
        &self.fired
    }
}

impl fmt::Debug for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Release").field("manifest", &self.manifest).finish_non_exhaustive()
    }
}

/// What decides beside the policy: the node's name, its secret and its memory.
#[derive(Debug)]
pub(crate) struct Discloser {
    pub(crate) node: NodeId,
    pub(crate) secret: Secret,
    pub(crate) guard: Guard,
}

/// Why there is no release.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// a fault of this node
    #[error("the columns are not of the approved types")]
    Columns(#[from] ArrowError),
    /// nothing may be released that is not remembered
    #[error("the memory of released cells cannot be written")]
    Memory(#[from] std::io::Error),
}

/// A question, and when its answer began to be computed.
#[derive(Debug)]
pub(crate) struct Question {
    words: String,
    begun: Instant,
}

impl Question {
    /// Of an approved fragment and the files as they are now.
    pub(crate) fn of(approved: &Approved) -> Self {
        let words = if approved.is_guarded() { words(approved) } else { String::new() };
        Self { words, begun: Instant::now() }
    }
}

/// What decides about the answer: the fragment, the policies, the files.
fn words(approved: &Approved) -> String {
    let states = approved.states();
    let states = states.iter().map(|(dataset, state)| format!("\n{dataset}\n{state}"));
    [approved.plan_key()].into_iter().chain(states).collect()
}

/// The release that a question had, where it would have the same again; and how long that took.
pub(crate) fn again(
    question: &Question,
    approved: &Approved,
    by: &Discloser,
    query: &QueryId,
) -> Option<(Release, Duration)> {
    let guarded = approved.is_guarded() && approved.mode() == ReleaseMode::Protected;
    let Answer { batch, fired, took } = guarded.then(|| by.guard.again(&question.words)).flatten()?;
    Some((released(batch, fired, approved, by, query), took))
}

/// Applies the rules.
///
/// # Errors
/// Columns that are not of the approved types, or a memory that cannot be written.
pub(crate) fn disclose(
    raw: &Raw,
    approved: &Approved,
    by: &Discloser,
    query: &QueryId,
    question: Question,
) -> Result<Release, Error> {
    let (batch, fired) = match approved.mode() {
        ReleaseMode::Open => (raw.columns().clone(), Fired::new()),
        ReleaseMode::Protected => protected(raw, approved, by, question)?,
    };
    Ok(released(batch, fired, approved, by, query))
}

fn released(
    batch: RecordBatch,
    fired: Fired,
    approved: &Approved,
    by: &Discloser,
    query: &QueryId,
) -> Release {
    let keys = approved.fragment().keys.len();
    let cells = batch.num_rows() * batch.num_columns().saturating_sub(keys);
    let withheld: usize = match approved.mode() {
        ReleaseMode::Open => 0,
        ReleaseMode::Protected => batch.columns().iter().skip(keys).map(|column| column.null_count()).sum(),
    };
    let manifest = Manifest {
        node: by.node.clone(),
        query: query.clone(),
        policy: approved.policy_hash(),
        mode: approved.mode(),
        threshold: approved.threshold(),
        rounding: approved.rounding(),
        released_cells: (cells - withheld) as u64,
        withheld_cells: withheld as u64,
        rules: rules(approved).into_iter().map(str::to_owned).collect(),
        data_as_of: approved.data_as_of(),
    };
    Release { batch, manifest, fired }
}

fn protected(
    raw: &Raw,
    approved: &Approved,
    by: &Discloser,
    question: Question,
) -> Result<(RecordBatch, Fired), Error> {
    let mut cells = Cells::of(raw, approved)?;
    threshold::apply(&mut cells);
    dominance::apply(&mut cells);
    class::apply(&mut cells)?;
    perturbation::apply(&mut cells, &by.secret);
    rounding::apply(&mut cells);
    let told = by.guard.apply(&mut cells)?;
    let (batch, fired) = if let Some(axes) = approved.grid() {
        grid::dense(cells, axes, by.node.as_str())?
    } else {
        let fired = cells.fired().clone();
        (ordered(&cells.into_batch()?, approved.fragment().keys.len())?, fired)
    };
    // Files that have changed since may be the ones that were read.
    if let Some(told) = told.filter(|_| question.words == words(approved)) {
        let answer = Answer { batch: batch.clone(), fired: fired.clone(), took: question.begun.elapsed() };
        by.guard.remember(question.words, told, answer);
    }
    Ok((batch, fired))
}

/// The rules that the policy applies, whether they took anything or not.
fn rules(approved: &Approved) -> Vec<&'static str> {
    let protected = approved.mode() == ReleaseMode::Protected;
    [
        ("R07", protected),
        ("R08", protected),
        ("R09", !approved.dominance().is_empty()),
        ("R10", !approved.dominance().is_empty()),
        ("R11", !approved.sensitive().is_empty()),
        ("R13P", approved.perturbation().is_some()),
        ("R13", protected),
        ("R14", approved.is_guarded()),
        ("R15", approved.is_guarded()),
        ("R16", approved.is_guarded()),
        ("R12", approved.grid().is_some()),
    ]
    .into_iter()
    .filter_map(|(rule, applied)| applied.then_some(rule))
    .collect()
}

/// The order of rows says nothing: it is that of their keys.
fn ordered(batch: &RecordBatch, keys: usize) -> Result<RecordBatch, ArrowError> {
    if keys == 0 || batch.num_rows() < 2 {
        return Ok(batch.clone());
    }
    let columns = batch.columns().iter().take(keys);
    let columns: Vec<SortColumn> =
        columns.map(|column| SortColumn { values: Arc::clone(column), options: None }).collect();
    take_record_batch(batch, &lexsort_to_indices(&columns, None)?)
}
