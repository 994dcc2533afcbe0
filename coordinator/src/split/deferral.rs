//! Which aggregations are left to the one above them: those by an entity, whose groups are released by nobody.

use datafusion::common::Column as PlanColumn;
use datafusion::error::Result;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan};
use jigsaw_proto::contract::Role;

use super::reads_federated;
use super::relation::federated;

/// Whether an aggregation over `plan` has to take the ones in it along: one of them, with no other aggregation between, groups
/// federated rows by an entity.
pub(super) fn holds_deferred(plan: &LogicalPlan) -> Result<bool> {
    if let LogicalPlan::Aggregate(aggregate) = plan {
        return by_entity(aggregate);
    }
    for input in plan.inputs() {
        if holds_deferred(input)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn by_entity(aggregate: &Aggregate) -> Result<bool> {
    if !reads_federated(&aggregate.input)? {
        return Ok(false);
    }
    let mut columns = aggregate.group_expr.iter().filter_map(pure_column);
    Ok(columns.any(|column| is_entity(&aggregate.input, column)))
}

fn pure_column(expr: &Expr) -> Option<&PlanColumn> {
    match expr {
        Expr::Alias(alias) => pure_column(&alias.expr),
        Expr::Column(column) => Some(column),
        _ => None,
    }
}

/// Whether a column of `plan` is an entity column of a federated table, under whatever name.
fn is_entity(plan: &LogicalPlan, column: &PlanColumn) -> bool {
    let Some(place) = plan.schema().maybe_index_of_column(column) else { return false };
    let expr_at = |exprs: &[Expr], input: &LogicalPlan| {
        exprs.get(place).and_then(pure_column).is_some_and(|column| is_entity(input, column))
    };
    match plan {
        LogicalPlan::TableScan(scan) => federated(scan).is_some_and(|contract| {
            let role = contract.column(&column.name).map(|column| &column.role);
            matches!(role, Some(Role::Entity { .. }))
        }),
        LogicalPlan::Projection(projection) => expr_at(&projection.expr, &projection.input),
        LogicalPlan::Aggregate(aggregate) => expr_at(&aggregate.group_expr, &aggregate.input),
        LogicalPlan::SubqueryAlias(alias) => {
            let (qualifier, field) = alias.input.schema().qualified_field(place);
            is_entity(&alias.input, &PlanColumn::new(qualifier.cloned(), field.name()))
        }
        LogicalPlan::Union(union) => union.inputs.iter().any(|input| {
            let (qualifier, field) = input.schema().qualified_field(place);
            is_entity(input, &PlanColumn::new(qualifier.cloned(), field.name()))
        }),
        other => other.inputs().into_iter().any(|input| is_entity(input, column)),
    }
}
