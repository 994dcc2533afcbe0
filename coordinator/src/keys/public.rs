//! What is public, and its keys.

use std::sync::Arc;

use datafusion::arrow::array::{AsArray as _, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::execution::context::SessionState;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan, LogicalPlanBuilder, col, lit};
use datafusion::physical_plan::collect;

use crate::catalogue::PUBLIC;
use crate::split::reads_federated;

/// Most keys of a list: no node takes a longer one.
pub(super) const MOST_KEYS: usize = 1000;

/// Longest text that is a key, in bytes: no node takes a longer one.
const MOST_TEXT_BYTES: usize = 4096;

/// The different keys of public rows, in their order.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) values: Vec<ScalarValue>,
    /// whether each is there once
    pub(super) unique: bool,
}

impl Keys {
    /// About how long a list of them is on the wire, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.values.iter().map(|value| value.to_string().len() + 16).sum()
    }
}

/// Whether `plan` reads public tables and constants only, and would read the same again.
pub(super) fn is_public(plan: &LogicalPlan) -> Result<bool> {
    if reads_federated(plan)? {
        return Ok(false);
    }
    let mut public = true;
    plan.apply(|plan| {
        public &= match plan {
            LogicalPlan::TableScan(scan) => {
                scan.fetch.is_none() && scan.table_name.schema().is_none_or(|schema| schema == PUBLIC)
            }
            LogicalPlan::Join(join) => !join.on.is_empty(),
            LogicalPlan::Sort(sort) => sort.fetch.is_none(),
            LogicalPlan::Distinct(distinct) => matches!(distinct, Distinct::All(_)),
            LogicalPlan::Filter(_)
            | LogicalPlan::Projection(_)
            | LogicalPlan::Aggregate(_)
            | LogicalPlan::SubqueryAlias(_)
            | LogicalPlan::Union(_)
            | LogicalPlan::Values(_)
            | LogicalPlan::EmptyRelation(_) => true,
            _ => false,
        };
        plan.apply_expressions(|expr| {
            public &=
                !expr.is_volatile() && !expr.contains_outer() && !expr.exists(|expr| Ok(is_query(expr)))?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(if public { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    })?;
    Ok(public)
}

fn is_query(expr: &Expr) -> bool {
    matches!(expr, Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_) | Expr::Placeholder(_))
}

/// Whether rows of a table are left out of `plan`.
pub(super) fn has_condition(plan: &LogicalPlan) -> Result<bool> {
    plan.exists(|plan| {
        Ok(match plan {
            LogicalPlan::Filter(_)
            | LogicalPlan::Join(_)
            | LogicalPlan::Values(_)
            | LogicalPlan::EmptyRelation(_) => true,
            LogicalPlan::TableScan(scan) => !scan.filters.is_empty(),
            _ => false,
        })
    })
}

/// The keys of the rows of `plan`, a public one; `None`: they are too many, too long, of no type that a list can be of, or cannot be
/// read.
pub(super) async fn keys(plan: &LogicalPlan, key: &Expr, session: &SessionState) -> Option<Keys> {
    let counted = counted(plan, key).ok()?;
    if !is_listable(counted.schema().field(0).data_type()) {
        return None;
    }
    let physical = session.query_planner().create_physical_plan(&counted, session).await.ok()?;
    let batches = collect(physical, Arc::new(TaskContext::from(session))).await.ok()?;
    listed(&batches).ok()?
}

/// Each key that is not NULL, and how often it is there.
fn counted(plan: &LogicalPlan, key: &Expr) -> Result<LogicalPlan> {
    LogicalPlanBuilder::from(plan.clone())
        .project(vec![key.clone().alias("key")])?
        .filter(col("key").is_not_null())?
        .aggregate(vec![col("key")], vec![count(lit(1_i64)).alias("rows")])?
        .limit(0, Some(MOST_KEYS + 1))?
        .build()
}

/// Types whose equality in a list is that of a join. Doubles are left out: of these, a join takes NaN for equal to itself.
fn is_listable(data_type: &DataType) -> bool {
    data_type.is_integer()
        || data_type.is_string()
        || matches!(
            data_type,
            DataType::Boolean | DataType::Date32 | DataType::Timestamp(..) | DataType::Decimal128(..)
        )
}

fn listed(batches: &[RecordBatch]) -> Result<Option<Keys>> {
    let mut keys = Keys { values: vec![], unique: true };
    for batch in batches {
        let [values, rows] = batch.columns() else { return Ok(None) };
        for row in 0..batch.num_rows() {
            keys.values.push(ScalarValue::try_from_array(values, row)?);
        }
        keys.unique &= rows.as_primitive::<Int64Type>().values().iter().all(|rows| *rows == 1);
    }
    let too_long =
        |value: &ScalarValue| value.try_as_str().flatten().is_some_and(|text| text.len() > MOST_TEXT_BYTES);
    if keys.values.len() > MOST_KEYS || keys.values.iter().any(too_long) {
        return Ok(None);
    }
    // The order makes equal questions equal texts.
    keys.values.sort_by(|one, other| one.partial_cmp(other).unwrap_or(std::cmp::Ordering::Equal));
    Ok(Some(keys))
}
