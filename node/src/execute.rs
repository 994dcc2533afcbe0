//! `Approved → Raw`: runs a fragment over this node's rows, to completion, under limits.
//!
//! The plan is built message by message, never from SQL text. Every aggregation is complete at the node: no partial state
//! of the engine's own ever leaves this module.

mod bounds;
mod clamp;
mod contributors;
mod expr;
mod fixed_point;
mod formula;
mod guarded;
mod holders;
mod holdings;
mod measure;
mod mould;
mod relation;
mod session;
mod tallies;
mod total;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{Field, Schema};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, collect};
use jigsaw_proto::types::DataType;
use tokio::time::Instant;

pub(crate) use expr::engine_type;
pub(crate) use guarded::Guarded;
pub(crate) use holders::{Held, Holders, Holding};
pub(crate) use session::Engine;

use measure::Behind;

use crate::secret::Secret;
use crate::validate::Approved;

/// Groups and their partial aggregates as they are in the rows. It cannot leave the node: it has no conversion to bytes or
/// Flight data, and its `Debug` shows the columns only.
pub struct Raw {
    released: RecordBatch,
    groups: Vec<Holders>,
    cells: Vec<Vec<Holders>>,
    spared: Duration,
}

impl Raw {
    /// The columns that a release may have: keys `g0…`, measures `p0…`.
    pub(crate) fn columns(&self) -> &RecordBatch {
        &self.released
    }

    /// For each kind of entity, who is behind each group. Empty when open.
    pub(crate) fn groups(&self) -> &[Holders] {
        &self.groups
    }

    /// How much longer it would have taken to count who is behind the cells, had it not been proved that they are enough.
    pub(crate) fn spared(&self) -> Duration {
        self.spared
    }

    /// The same for those who contribute to one measure. Of a co-moment, they are there with what they hold of the
    /// first of its pair, and after that once more with what they hold of the second.
    pub(crate) fn cells(&self, measure: usize) -> &[Holders] {
        self.cells.get(measure).map_or(&[], Vec::as_slice)
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> =
            self.released.schema_ref().fields().iter().map(|field| field.name()).collect();
        f.debug_struct("Raw").field("columns", &names).finish_non_exhaustive()
    }
}

/// Why a fragment did not run. The source stays in the node; its words may quote a row.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// the engine could not plan it
    #[error("the fragment cannot be planned")]
    Plan(#[source] Box<DataFusionError>),
    /// the engine failed over the rows
    #[error("the fragment failed while reading or aggregating rows")]
    Run(#[source] Box<DataFusionError>),
    /// more memory than one fragment gets
    #[error("the fragment needs more memory than the node gives to one")]
    Memory,
    /// the deadline passed
    #[error("the deadline passed")]
    Deadline,
}

impl Error {
    /// The kind of failure in one word of the engine's own list: safe to log, unlike its message.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Plan(error) | Self::Run(error) => kind(error.find_root()),
            Self::Memory => "memory",
            Self::Deadline => "deadline",
        }
    }

    fn plan(error: DataFusionError) -> Self {
        Self::Plan(Box::new(error))
    }

    fn run(error: DataFusionError) -> Self {
        match error.find_root() {
            DataFusionError::ResourcesExhausted(_) => Self::Memory,
            _ => Self::Run(Box::new(error)),
        }
    }
}

fn kind(error: &DataFusionError) -> &'static str {
    match error {
        DataFusionError::ArrowError(..) => "arrow",
        DataFusionError::ParquetError(_) => "parquet",
        DataFusionError::ObjectStore(_) => "object store",
        DataFusionError::IoError(_) => "input/output",
        DataFusionError::Plan(_) | DataFusionError::SchemaError(..) => "plan",
        DataFusionError::Execution(_) => "execution",
        _ => "other",
    }
}

/// Runs an approved fragment. Dropping the future stops the work.
pub(crate) async fn execute(approved: &Approved, engine: &Engine, deadline: Duration) -> Result<Raw, Error> {
    let run = async {
        if let Some(raw) = proved(approved, engine).await? {
            return Ok(raw);
        }
        let (batch, released) = computed(approved, engine, Behind::Holders).await?;
        let behind = batch.columns().get(released.num_columns()..).unwrap_or(&[]);
        let (groups, cells) = holders(approved, behind).map_err(Error::run)?;
        Ok(Raw { released, groups, cells, spared: Duration::ZERO })
    };
    let ends = Instant::now() + deadline;
    let raw = tokio::time::timeout_at(ends, run).await.map_err(|_| Error::Deadline)??;
    // A run that never paused is not ended by the timer.
    if Instant::now() < ends { Ok(raw) } else { Err(Error::Deadline) }
}

/// The same without a look at who is behind the cells, if it can be proved that there are enough.
async fn proved(approved: &Approved, engine: &Engine) -> Result<Option<Raw>, Error> {
    let Some(proof) = engine.proof(approved).await else { return Ok(None) };
    let (batch, released) = computed(approved, engine, Behind::Evidence).await?;
    if !proof.succeeds(&batch, released.num_columns()) || !proof.holds_of(approved) {
        engine.unproved(approved);
        return Ok(None);
    }
    let enough = || approved.entity_kinds().iter().map(|_| Holders::Enough(approved.threshold())).collect();
    let cells = approved.fragment().measures.iter().map(|_| enough()).collect();
    Ok(Some(Raw { released, groups: enough(), cells, spared: proof.spared() }))
}

/// All columns of a fragment's plan, and those of them that a release may have.
async fn computed(
    approved: &Approved,
    engine: &Engine,
    behind: Behind,
) -> Result<(RecordBatch, RecordBatch), Error> {
    let plan = engine.plan(approved, behind).await?;
    let batches = collect(Arc::clone(&plan), engine.task()).await.map_err(Error::run)?;
    let batch = concat_batches(&plan.schema(), &batches).map_err(|error| Error::run(error.into()))?;
    let released = released(approved, &batch).map_err(Error::run)?;
    Ok((batch, released))
}

/// The logical plan of a fragment: its input, the complete aggregation with what is asked of those behind it, and the final columns.
fn logical(
    approved: &Approved,
    tables: &relation::Tables,
    node: &str,
    behind: Behind,
    secret: Secret,
) -> Result<LogicalPlan, DataFusionError> {
    let input = relation::lower(approved, tables, node)?;
    measure::aggregate(approved, input, behind, secret)
}

fn released(approved: &Approved, batch: &RecordBatch) -> Result<RecordBatch, DataFusionError> {
    let wanted = approved.columns();
    let columns =
        batch.columns().iter().zip(wanted).map(|(column, (_, data_type))| exactly(column, data_type));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let fields: Vec<Field> =
        wanted.iter().map(|(name, data_type)| Field::new(name, data_type.to_arrow(), true)).collect();
    Ok(RecordBatch::try_new_with_options(
        Arc::new(Schema::new(fields)),
        columns,
        &arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows())),
    )?)
}

/// Who is behind the groups, and behind the cells of each measure.
fn holders(
    approved: &Approved,
    columns: &[ArrayRef],
) -> Result<(Vec<Holders>, Vec<Vec<Holders>>), DataFusionError> {
    let kinds = approved.entity_kinds().len();
    let measures = approved.fragment().measures.len();
    if kinds == 0 {
        return Ok((vec![], vec![]));
    }
    if approved.names_holders() {
        let named = |places: Vec<usize>| {
            let places = places.into_iter();
            places.flat_map(|place| columns.iter().map(move |column| Holders::named(column, place))).collect()
        };
        let places = measure::Amounts::of(approved)?.places;
        return Ok((named(vec![0])?, places.into_iter().map(named).collect::<Result<_, _>>()?));
    }
    let mut counted = columns.chunks(kinds).map(|kinds| kinds.iter().map(Holders::counted).collect());
    let groups = counted.next().unwrap_or(Ok(vec![]))?;
    Ok((groups, counted.take(measures).collect::<Result<_, _>>()?))
}

fn exactly(column: &ArrayRef, data_type: &DataType) -> Result<ArrayRef, DataFusionError> {
    let wanted = data_type.to_arrow();
    if *column.data_type() == wanted { Ok(Arc::clone(column)) } else { Ok(cast(column, &wanted)?) }
}

/// A physical plan that can be run again and again.
type Plan = Arc<dyn ExecutionPlan>;

#[cfg(test)]
mod tests;
