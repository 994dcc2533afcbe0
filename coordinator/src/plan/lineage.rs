//! Which columns of an answer are made of protected aggregates: a NULL in one of them was withheld.

use std::any::Any;
use std::collections::HashSet;

use datafusion::common::Column;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::utils::grouping_set_to_exprlist;
use datafusion::logical_expr::{Expr, LogicalPlan};

use crate::dispatch::Snapshot;
use crate::split::{FragmentTable, key_columns};

/// The places of the columns of `plan` that depend on a measure of a protected dataset.
pub(crate) fn protected_columns(plan: &LogicalPlan, snapshot: &Snapshot) -> HashSet<usize> {
    let own = |expr: &Expr, columns: &HashSet<Column>| {
        expr.column_refs().iter().any(|column| columns.contains(column))
    };
    let below = |plan: &LogicalPlan| -> HashSet<Column> {
        let columns = plan.schema().columns();
        let places = protected_columns(plan, snapshot);
        columns
            .into_iter()
            .enumerate()
            .filter(|(place, _)| places.contains(place))
            .map(|(_, column)| column)
            .collect()
    };
    let marked = |exprs: &mut dyn Iterator<Item = &Expr>, columns: &HashSet<Column>| -> HashSet<usize> {
        exprs.enumerate().filter(|(_, expr)| own(expr, columns)).map(|(place, _)| place).collect()
    };
    match plan {
        LogicalPlan::TableScan(scan) => {
            let provider = source_as_provider(&scan.source).ok();
            let release =
                provider.as_deref().and_then(|table| (table as &dyn Any).downcast_ref::<FragmentTable>());
            match release {
                Some(release) if is_protected(release, snapshot) => {
                    let names = scan.projected_schema.fields().iter().enumerate();
                    names.filter(|(_, field)| field.name().starts_with('p')).map(|(place, _)| place).collect()
                }
                _ => HashSet::new(),
            }
        }
        LogicalPlan::Projection(projection) => marked(&mut projection.expr.iter(), &below(&projection.input)),
        LogicalPlan::Aggregate(aggregate) => {
            let keys = grouping_set_to_exprlist(&aggregate.group_expr).unwrap_or_default();
            let columns = below(&aggregate.input);
            let passed = key_columns(aggregate);
            let made = marked(&mut aggregate.aggr_expr.iter(), &columns);
            marked(&mut keys.into_iter(), &columns)
                .into_iter()
                .chain(made.into_iter().map(|place| place + passed))
                .collect()
        }
        LogicalPlan::Window(window) => {
            let columns = below(&window.input);
            let inputs = window.input.schema().columns();
            let passed = inputs.iter().enumerate().filter(|(_, column)| columns.contains(column));
            let passed: HashSet<usize> = passed.map(|(place, _)| place).collect();
            let made = marked(&mut window.window_expr.iter(), &columns);
            passed.into_iter().chain(made.into_iter().map(|place| place + inputs.len())).collect()
        }
        LogicalPlan::Join(join) => {
            let left = join.left.schema().fields().len();
            let right = protected_columns(&join.right, snapshot).into_iter().map(|place| place + left);
            protected_columns(&join.left, snapshot).into_iter().chain(right).collect()
        }
        // Filter, Sort, Limit, SubqueryAlias, Union, …: the columns of the inputs, by place.
        other => other.inputs().into_iter().flat_map(|input| protected_columns(input, snapshot)).collect(),
    }
}

/// Whether any node protects any of the datasets that a fragment reads.
fn is_protected(release: &FragmentTable, snapshot: &Snapshot) -> bool {
    release.fragment().input.datasets().into_iter().any(|name| snapshot.protects(name))
}
