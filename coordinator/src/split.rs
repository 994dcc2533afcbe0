//! Cuts a plan where the boroughs' part ends: each aggregation of federated rows becomes a fragment, which nodes answer,
//! and a merge of their releases, which happens here.
//!
//! The rule runs after subqueries are decorrelated and filters pushed down, and cuts at the lowest aggregation over federated
//! tables whose groups may be released: one by an entity is left to the aggregation above it, and is computed at the nodes ([`deferral`]). What lies above the cut (HAVING, ORDER BY, LIMIT, windows, arithmetic) sees released
//! values only. If a scan of a federated table is left, the question is refused: rows never leave a borough.

mod aggregate;
mod constants;
mod deferral;
mod expr;
mod fragment_table;
mod grouping;
mod local;
mod names;
mod reference;
mod relation;
mod reliance;
mod units;
mod values;
pub(crate) mod view;

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Aggregate, LogicalPlan};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

pub(crate) use aggregate::aggregate_function;
pub(crate) use constants::ConstantsOutside;
pub(crate) use fragment_table::{Asking, FragmentTable};
pub(crate) use grouping::key_columns;
pub(crate) use units::check_units;
pub(crate) use view::View;

use crate::dispatch::{Federation, Snapshot};
use crate::query::QueryError;

/// The optimizer rule that splits a plan into fragments and merges. What nodes said of their policies decides how some aggregates are
/// asked, never what is released.
#[derive(Debug)]
pub(crate) struct SplitAggregates {
    pub(crate) federation: Arc<Federation>,
}

impl OptimizerRule for SplitAggregates {
    fn name(&self) -> &'static str {
        "split_aggregates"
    }

    /// One explicit pass of our own.
    fn apply_order(&self) -> Option<ApplyOrder> {
        None
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        if !reads_federated(&plan)? {
            return Ok(Transformed::no(plan));
        }
        let split = split(plan, &self.federation.snapshot())?;
        match first_federated_scan(&split)? {
            Some(table) => Err(rows_wanted(&table).into()),
            None => Ok(Transformed::yes(split)),
        }
    }
}

/// The plan with its aggregations of federated rows cut.
fn split(plan: LogicalPlan, nodes: &Snapshot) -> Result<LogicalPlan> {
    if let LogicalPlan::Aggregate(aggregate) = &plan
        && deferral::holds_deferred(&aggregate.input)?
    {
        return cut(aggregate, nodes);
    }
    let below = plan.map_children(|child| split(child, nodes).map(Transformed::yes))?.data;
    let below = below.map_subqueries(|subquery| split(subquery, nodes).map(Transformed::yes))?.data;
    match &below {
        LogicalPlan::Aggregate(aggregate) if reads_federated(&aggregate.input)? => cut(aggregate, nodes),
        // A release may hold NULL (withheld) where the planner expected none: schemas above follow.
        _ => below.recompute_schema(),
    }
}

/// The split of one aggregation whose input reads federated tables.
fn cut(aggregate: &Aggregate, nodes: &Snapshot) -> Result<LogicalPlan, DataFusionError> {
    if reads_only_federated(&aggregate.input)? {
        local::split(aggregate, nodes).map_err(Into::into)
    } else {
        reference::split(aggregate, nodes).map_err(Into::into)
    }
}

/// Whether `plan` scans a federated table.
pub(crate) fn reads_federated(plan: &LogicalPlan) -> Result<bool> {
    Ok(first_federated_scan(plan)?.is_some())
}

/// Whether any node protects rows of a federated table that `plan` scans; nodes that never said count as their contract has it.
pub(crate) fn protects(plan: &LogicalPlan, nodes: &Snapshot) -> Result<bool> {
    let mut protected = false;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(contract) = relation::federated(scan)
        {
            protected |= relation::is_protected(&contract, nodes);
        }
        Ok(if protected { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(protected)
}

/// The name of the first federated table that `plan` scans.
fn first_federated_scan(plan: &LogicalPlan) -> Result<Option<String>> {
    let mut found = None;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(contract) = relation::federated(scan)
        {
            found = Some(contract.name.to_string());
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// Whether every leaf of `plan` is a federated table.
fn reads_only_federated(plan: &LogicalPlan) -> Result<bool> {
    let mut only = true;
    plan.apply_with_subqueries(|node| {
        let federated = match node {
            LogicalPlan::TableScan(scan) => relation::federated(scan).is_some(),
            other => !other.inputs().is_empty(),
        };
        only &= federated;
        Ok(if only { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    })?;
    Ok(only)
}

fn rows_wanted(table: &str) -> QueryError {
    QueryError::Refused {
        message: format!(
            "rows of {table} never leave a borough: ask for aggregates, for example SELECT …, COUNT(*) FROM {table} GROUP BY …"
        ),
    }
}
