//! Cells that are so large that nobody needs to be counted.
//!
//! If no entity has more than M rows in a table, then whatever is chosen of it, n rows are those of n/M entities or more, and
//! nobody holds more than M of them; of a sum T of amounts no larger than A, nobody holds more than M·A, and T/(M·A) entities or
//! more contribute. Where that proves that every cell of a question reaches the threshold and that nobody dominates one, reading
//! the column of entities would find the same. M is counted once for each state of the files ([`Profiles`]).
//!
//! What cannot be proved of one cell is counted out for all. How long an answer takes then tells whether one was small: where a
//! policy has ticks, an answer that was proved leaves no earlier than if it had been counted out ([`Proof::spared`]).

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type};
use datafusion::arrow::datatypes::DataType as ArrowType;
use datafusion::catalog::TableProvider;
use datafusion::datasource::provider_as_source;
use datafusion::error::Result;
use datafusion::execution::context::SessionState;
use datafusion::functions::math::expr_fn::abs;
use datafusion::functions_aggregate::expr_fn::{count, max, sum};
use datafusion::logical_expr::{Expr as PlanExpr, ExprFunctionExt, LogicalPlanBuilder, cast, col, lit};
use datafusion::physical_plan::collect;
use jigsaw_proto::aggregate::State;
use jigsaw_proto::fragment::{Measure, Relation};
use jigsaw_proto::id::DatasetName;
use jigsaw_proto::release::ReleaseMode;

use super::expr::lower;
use super::relation::column;
use crate::disclose::policy::rules::Dominance;
use crate::sources::Dataset;
use crate::validate::{Approved, counted_entities};

/// What is left of a sum when a millionth is taken away: far more than the rounding of casts and products comes to.
const MARGIN: f64 = 1.0 - 1e-6;

/// How unevenly the rows of tables are spread over entities.
#[derive(Debug, Default)]
pub(super) struct Profiles(Mutex<HashMap<DatasetName, Known>>);

/// A table in one state of its files.
#[derive(Debug)]
struct Known {
    state: String,
    /// `None`: it cannot be used
    profile: Option<Arc<Profile>>,
    /// words of questions that were not proved
    unproved: HashSet<String>,
}

/// One table.
#[derive(Debug)]
struct Profile {
    /// for each kind of entity, the rows of the one who has most
    most: Vec<f64>,
    /// what reading the columns of entities and counting took
    took: Duration,
}

/// What is known of a question before it is run.
pub(super) struct Proof {
    profile: Arc<Profile>,
    /// of the files that the profile is of
    state: String,
    threshold: f64,
    dominance: Vec<Dominance>,
    columns: Vec<Evidence>,
}

impl Profiles {
    /// A proof that may succeed: of questions about many rows of one dataset, whose policy asks no more than how many there are
    /// and whether one dominates. Of pairs nothing is proved: who contributes is a matter of both.
    pub(super) async fn proof(&self, approved: &Approved, session: &SessionState) -> Option<Proof> {
        let asks_who =
            approved.is_guarded() || approved.perturbation().is_some() || !approved.sensitive().is_empty();
        let of_pairs = approved.fragment().measures.iter().any(|measure| measure.paired.is_some());
        if approved.mode() == ReleaseMode::Open || asks_who || of_pairs || approved.entity_kinds().is_empty()
        {
            return None;
        }
        let name = only(&approved.fragment().input)?;
        let dataset = approved.dataset(name).filter(|dataset| dataset.has_many_rows())?;
        let state = dataset.state_key();
        if self.lock().get(name).is_none_or(|known| known.state != state) {
            let profile = profiled(dataset, dataset.table(&state, session).await, session).await;
            // What cannot be read is for the question to fail over; what changes meanwhile is counted again for the next one.
            let profile = profile.ok().flatten().filter(|_| dataset.state_key() == state).map(Arc::new);
            let known = Known { state, profile, unproved: HashSet::new() };
            self.lock().insert(name.clone(), known);
        }
        let known = self.lock();
        let known = known.get(name).filter(|known| !known.unproved.contains(&approved.plan_key()))?;
        let profile = Arc::clone(known.profile.as_ref()?);
        let columns = evidence(approved).ok()?.columns;
        let threshold = f64::from(approved.threshold());
        Some(Proof {
            profile,
            state: known.state.clone(),
            threshold,
            dominance: approved.dominance(),
            columns,
        })
    }

    /// This question is counted out from the beginning when it is asked again.
    pub(super) fn unproved(&self, approved: &Approved) {
        const MOST: usize = 1024;
        let mut known = self.lock();
        let known = only(&approved.fragment().input).and_then(|name| known.get_mut(name));
        if let Some(known) = known.filter(|known| known.unproved.len() < MOST) {
            known.unproved.insert(approved.plan_key());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DatasetName, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one dataset whose rows a relation chooses from; `None`: it puts several together.
fn only(relation: &Relation) -> Option<&DatasetName> {
    match relation {
        Relation::Scan { dataset, .. } => Some(dataset),
        Relation::Filter { input, .. } | Relation::Project { input, .. } => only(input),
        Relation::Join(_) | Relation::UnionAll { .. } | Relation::Aggregate { .. } => None,
    }
}

/// Counts the rows of every entity. `None` if some rows are nobody's.
async fn profiled(
    dataset: &Dataset,
    table: Arc<dyn TableProvider>,
    session: &SessionState,
) -> Result<Option<Profile>> {
    let started = Instant::now();
    let mut most = vec![];
    for name in counted_entities(dataset) {
        let scan = LogicalPlanBuilder::scan("t", provider_as_source(Arc::clone(&table)), None)?;
        // As text, for it is as text that entities are told apart.
        let entity = cast(column("t", name), ArrowType::Utf8View).alias("entity");
        let rows = scan.project([entity])?.aggregate([col("entity")], [count(lit(1_i64)).alias("rows")])?;
        let nobody = col("entity").is_null();
        let nobody = count(lit(1_i64)).filter(nobody).build()?.alias("nobody");
        let most_rows = max(col("rows")).alias("most");
        let plan = rows.aggregate(Vec::<PlanExpr>::new(), [most_rows, nobody])?.build()?;
        let plan = session.query_planner().create_physical_plan(&session.optimize(&plan)?, session).await?;
        let found = collect(plan, session.task_ctx()).await?;
        let number = |column: usize| {
            let column = found.first()?.columns().get(column)?.as_primitive_opt::<Int64Type>()?;
            (column.len() == 1 && column.is_valid(0)).then(|| column.value(0))
        };
        match (number(0), number(1)) {
            (Some(rows), Some(0)) => most.push(double(rows)),
            _ => return Ok(None),
        }
    }
    Ok(Some(Profile { most, took: started.elapsed() }))
}

#[expect(clippy::cast_precision_loss, reason = "a number of rows")]
fn double(rows: i64) -> f64 {
    rows as f64
}

/// What is computed of a cell to prove something of it.
#[derive(Debug, Clone, Copy)]
enum Evidence {
    /// in which column its rows are counted, and whether they are what is held
    Rows(usize, bool),
    /// in which columns its amounts are added up, and the largest is
    Amounts { total: usize, largest: usize },
}

/// The calls that give the evidence, and where that of the group and of each measure is.
struct Calls {
    calls: Vec<PlanExpr>,
    columns: Vec<Evidence>,
}

/// The calls that give the evidence for a fragment.
pub(super) fn calls(approved: &Approved) -> Result<Vec<PlanExpr>> {
    Ok(evidence(approved)?.calls)
}

fn evidence(approved: &Approved) -> Result<Calls> {
    let mut all = Calls { calls: vec![count(lit(1_i64))], columns: vec![Evidence::Rows(0, false)] };
    for measure in &approved.fragment().measures {
        let evidence = all.of(measure)?;
        all.columns.push(evidence);
    }
    Ok(all)
}

impl Calls {
    fn of(&mut self, measure: &Measure) -> Result<Evidence> {
        let filter = measure.filter.as_ref().map(lower).transpose()?;
        let argument = measure.argument.as_ref().map(lower).transpose()?;
        let filtered = |call: PlanExpr| match &filter {
            Some(filter) => call.filter(filter.clone()).build(),
            None => Ok(call),
        };
        Ok(match (measure.state, argument) {
            (State::Sum | State::Mean | State::M2, Some(argument)) => {
                let amount = cast(argument, ArrowType::Float64);
                let total = self.place(filtered(sum(amount.clone()))?);
                Evidence::Amounts { total, largest: self.place(filtered(max(abs(amount)))?) }
            }
            // Rows whose argument is not NULL contribute.
            (state, argument) => {
                let rows = filtered(count(argument.unwrap_or_else(|| lit(1_i64))))?;
                Evidence::Rows(self.place(rows), state != State::Entities)
            }
        })
    }

    /// Where a call is; the same one is made once.
    fn place(&mut self, call: PlanExpr) -> usize {
        self.calls.iter().position(|known| *known == call).unwrap_or_else(|| {
            self.calls.push(call);
            self.calls.len() - 1
        })
    }
}

impl Proof {
    /// Whether every cell is proved to be safe, by its evidence in these columns of a batch.
    pub(super) fn succeeds(&self, batch: &RecordBatch, from: usize) -> bool {
        let columns = batch.columns().get(from..).unwrap_or(&[]);
        (0..batch.num_rows())
            .all(|row| self.columns.iter().all(|evidence| self.is_safe(*evidence, columns, row)))
    }

    /// Whether the files are those that the profile is of: to be asked when they have been read.
    pub(super) fn holds_of(&self, approved: &Approved) -> bool {
        let dataset = only(&approved.fragment().input).and_then(|name| approved.dataset(name));
        dataset.is_some_and(|dataset| dataset.state_key() == self.state)
    }

    /// What the time that was saved is taken for: as much as it took to count everybody.
    pub(super) fn spared(&self) -> Duration {
        self.profile.took
    }

    fn is_safe(&self, evidence: Evidence, columns: &[ArrayRef], row: usize) -> bool {
        let rows = |column: usize| {
            let column = columns.get(column)?.as_primitive_opt::<Int64Type>()?;
            column.is_valid(row).then(|| double(column.value(row)))
        };
        let amount = |column: usize| {
            let column = columns.get(column)?.as_primitive_opt::<Float64Type>()?;
            column.is_valid(row).then(|| column.value(row)).filter(|amount| amount.is_finite())
        };
        // All that is held, and the most that one row adds to it.
        let (total, largest, held) = match evidence {
            Evidence::Rows(column, held) => (rows(column), Some(1.0), held),
            Evidence::Amounts { total, largest } => {
                let largest = amount(largest);
                // The error of adding n numbers up is less than n times ε times the sum of what they are without their signs.
                let error = rows(0).map(|rows| rows * rows * f64::EPSILON);
                let total = amount(total).zip(largest).zip(error);
                (total.map(|((total, largest), error)| total.abs() - error * largest), largest, true)
            }
        };
        let Some((total, largest)) = total.zip(largest) else { return false };
        self.profile.most.iter().all(|most| {
            let most = most * largest;
            let dominance = self.dominance.iter().filter(|_| held);
            most > 0.0
                && total * MARGIN > (self.threshold - 1.0) * most
                && dominance.into_iter().all(|rule| is_undominated(total, most, *rule))
        })
    }
}

/// Whether neither rule can be broken in a cell of which nobody holds more than `most`.
#[expect(clippy::cast_precision_loss, reason = "n is a small number")]
fn is_undominated(total: f64, most: f64, rule: Dominance) -> bool {
    let total = total * MARGIN;
    total - 2.0 * most > rule.p / 100.0 * most && rule.n as f64 * most < rule.k / 100.0 * total
}
