//! `Raw → Release`: what the node's policy lets out, by rules in one fixed order.
//!
//! | rule | what it does |
//! |---|---|
//! | `R07` | a group of fewer entities than the threshold is dropped; without group keys, all its cells are withheld |
//! | `R08` | a cell to which fewer entities contribute than the threshold is withheld |
//! | `R13` | counts are rounded to the rounding base, sums to base × resolution, means and moments to 3 digits |
//!
//! A withheld cell is NULL. Small and absent groups look the same. An open release is left as it is.

pub mod policy;
mod rounding;
mod threshold;

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::{SortColumn, lexsort_to_indices, take_record_batch};
use arrow::error::ArrowError;
use jigsaw_proto::id::{NodeId, QueryId};
use jigsaw_proto::release::{Manifest, ReleaseMode};

use crate::execute::Raw;
use crate::validate::Approved;

/// Aggregates that disclosure control let out: the only thing the server can send.
pub struct Release {
    batch: RecordBatch,
    manifest: Manifest,
}

impl Release {
    /// The released columns.
    pub(crate) fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// What was done to them.
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }
}

impl fmt::Debug for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Release").field("manifest", &self.manifest).finish_non_exhaustive()
    }
}

/// Applies the rules.
///
/// # Errors
/// Columns that are not of the approved types: a fault of this node.
pub(crate) fn disclose(
    raw: &Raw,
    approved: &Approved,
    node: &NodeId,
    query: &QueryId,
) -> Result<Release, ArrowError> {
    let (batch, rules) = match approved.mode() {
        ReleaseMode::Open => (raw.columns().clone(), vec![]),
        ReleaseMode::Protected => {
            let kept = threshold::apply(raw, approved)?;
            let rounded = rounding::apply(&kept, approved)?;
            (ordered(&rounded, approved.fragment().keys.len())?, vec!["R07", "R08", "R13"])
        }
    };
    let keys = approved.fragment().keys.len();
    let cells = batch.num_rows() * batch.num_columns().saturating_sub(keys);
    let withheld: usize = match approved.mode() {
        ReleaseMode::Open => 0,
        ReleaseMode::Protected => batch.columns().iter().skip(keys).map(|column| column.null_count()).sum(),
    };
    let manifest = Manifest {
        node: node.clone(),
        query: query.clone(),
        policy: approved.policy_hash(),
        mode: approved.mode(),
        threshold: approved.threshold(),
        rounding: approved.rounding(),
        released_cells: (cells - withheld) as u64,
        withheld_cells: withheld as u64,
        rules: rules.into_iter().map(str::to_owned).collect(),
        data_as_of: approved.data_as_of(),
    };
    Ok(Release { batch, manifest })
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
