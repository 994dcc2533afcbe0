//! The steps of a plan, from its leaves to its answer.

use std::any::Any;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::datasource::source_as_provider;
use datafusion::error::Result;
use datafusion::logical_expr::{Aggregate, Expr, Join, Limit, LogicalPlan, Projection, Sort, TableScan};

use super::words::{columns, expression, expressions, in_lines};
use super::{Step, asked, named};
use crate::dispatch::Snapshot;
use crate::keys::KeyList;
use crate::split::FragmentTable;

/// All steps, and the columns of the answer.
pub(super) fn steps(plan: &LogicalPlan, snapshot: &Snapshot) -> Result<Vec<Step>> {
    let mut steps = below(plan, snapshot)?;
    steps.push(("= answer".to_owned(), columns(plan.schema().fields())));
    Ok(steps)
}

/// How lists of keys came about that nodes are asked with.
pub(super) fn keys(lists: &[KeyList], snapshot: &Snapshot) -> Result<Vec<Step>> {
    let mut steps = vec![];
    for list in lists {
        steps.extend(below(&list.read, snapshot)?);
        let KeyList { key, of, length, instead, .. } = list;
        let count = if *length == 1 { "1 value".to_owned() } else { format!("{length} values") };
        let join = if *instead { ", in place of the join" } else { "" };
        let text = format!("{count} of {} as a condition on {}{join}", unqualified(key)?, expression(of));
        steps.push(("↓ taken as keys".to_owned(), text));
    }
    Ok(steps)
}

/// An expression over the columns of one table, which may have a name that nobody gave it.
fn unqualified(expr: &Expr) -> Result<String> {
    let plain = expr.clone().transform(|expr| {
        Ok(match expr {
            Expr::Column(column) => {
                Transformed::yes(Expr::Column(datafusion::common::Column::new_unqualified(column.name)))
            }
            other => Transformed::no(other),
        })
    })?;
    Ok(expression(&plain.data))
}

fn below(plan: &LogicalPlan, snapshot: &Snapshot) -> Result<Vec<Step>> {
    if let LogicalPlan::TableScan(scan) = plan {
        return leaf(scan, snapshot);
    }
    let mut steps = vec![];
    for (branch, input) in plan.inputs().into_iter().enumerate() {
        let of_branch = below(input, snapshot)?;
        let line = if branch == 0 { "" } else { "│ " };
        steps.extend(of_branch.into_iter().map(|(name, text)| (format!("{line}{name}"), text)));
    }
    // What stands in an expression, such as (SELECT …), is asked for beside it.
    plan.apply_subqueries(|subquery| {
        let asked = below(subquery, snapshot)?;
        steps.extend(asked.into_iter().map(|(name, text)| (format!("│ {name}"), text)));
        Ok(TreeNodeRecursion::Continue)
    })?;
    steps.extend(step(plan).map(|(name, text)| (name.to_owned(), text)));
    Ok(steps)
}

/// What is asked of nodes and what comes back, or what is read here.
fn leaf(scan: &TableScan, snapshot: &Snapshot) -> Result<Vec<Step>> {
    let provider = source_as_provider(&scan.source)?;
    let Some(release) = (provider.as_ref() as &dyn Any).downcast_ref::<FragmentTable>() else {
        let mut text = scan.table_name.table().to_owned();
        if !scan.filters.is_empty() {
            text = format!("{text} WHERE {}", conjunction(&scan.filters));
        }
        return Ok(vec![("read here".to_owned(), text)]);
    };
    let (nodes, spared) = asked(release, snapshot);
    let asked = format!("asked of {}", named(&nodes));
    let mut back = columns(scan.source.schema().fields());
    if !spared.is_empty() {
        back = format!("{back}; {} can have no rows for it", named(&spared));
    }
    let mut steps =
        vec![(asked, in_lines(&release.fragment().to_string())), ("↓ comes back".to_owned(), back)];
    if !scan.filters.is_empty() {
        steps.push(("↓ kept".to_owned(), conjunction(&scan.filters)));
    }
    Ok(steps)
}

fn conjunction(filters: &[Expr]) -> String {
    filters.iter().map(expression).collect::<Vec<_>>().join(" AND ")
}

/// What one operation does here; `None`: nothing that a reader of SQL would miss.
fn step(plan: &LogicalPlan) -> Option<(&'static str, String)> {
    Some(match plan {
        LogicalPlan::Aggregate(aggregate) => ("↓ added up", added_up(aggregate)),
        LogicalPlan::Filter(filter) => ("↓ kept", expression(&filter.predicate)),
        LogicalPlan::Projection(projection) => ("↓ computed", computed(projection)?),
        LogicalPlan::Window(window) => ("↓ over windows", expressions(&window.window_expr)),
        LogicalPlan::Sort(sort) => ("↓ sorted", sorted(sort)),
        LogicalPlan::Limit(limit) => ("↓ cut", cut(limit)),
        LogicalPlan::Distinct(_) => ("↓ made distinct", columns(plan.schema().fields())),
        LogicalPlan::Join(join) => ("↓ joined", joined(join)),
        LogicalPlan::Union(union) => {
            ("↓ put together", format!("{} tables, one below the other", union.inputs.len()))
        }
        LogicalPlan::Values(values) => ("written in the question", format!("{} rows", values.values.len())),
        LogicalPlan::EmptyRelation(empty) if empty.produce_one_row => {
            ("written in the question", "one row".to_owned())
        }
        LogicalPlan::EmptyRelation(_) => ("nothing can be found", "no row".to_owned()),
        LogicalPlan::SubqueryAlias(_) | LogicalPlan::Subquery(_) | LogicalPlan::TableScan(_) => return None,
        other => ("↓ done", other.display().to_string()),
    })
}

fn added_up(aggregate: &Aggregate) -> String {
    let sums = expressions(&aggregate.aggr_expr);
    let keys = expressions(&aggregate.group_expr);
    match (sums.as_str(), keys.as_str()) {
        (sums, "") => sums.to_owned(),
        ("", keys) => format!("one row for each {keys}"),
        (sums, keys) => format!("{sums} for each {keys}"),
    }
}

/// Columns that are more than others under another name or type.
fn computed(projection: &Projection) -> Option<String> {
    let computed = projection.expr.iter().filter(|expr| !is_a_column(expr));
    Some(expressions(computed)).filter(|text| !text.is_empty())
}

fn is_a_column(expr: &Expr) -> bool {
    match expr {
        Expr::Column(_) => true,
        Expr::Alias(alias) => is_a_column(&alias.expr),
        Expr::Cast(cast) => is_a_column(&cast.expr),
        _ => false,
    }
}

fn sorted(sort: &Sort) -> String {
    let keys = sort.expr.iter().map(|key| {
        let direction = if key.asc { "" } else { " DESC" };
        format!("{}{direction}", expression(&key.expr))
    });
    let keys = keys.collect::<Vec<_>>().join(", ");
    match sort.fetch {
        Some(first) => format!("{keys}; the first {first}"),
        None => keys,
    }
}

fn cut(limit: &Limit) -> String {
    let after = limit.skip.iter().map(|skip| format!("from row {} on", expression(skip)));
    let first = limit.fetch.iter().map(|fetch| format!("the first {}", expression(fetch)));
    after.chain(first).collect::<Vec<_>>().join(", ")
}

fn joined(join: &Join) -> String {
    let on = join.on.iter().map(|(left, right)| format!("{} = {}", expression(left), expression(right)));
    let on: Vec<String> = on.chain(join.filter.iter().map(expression)).collect();
    match on.as_slice() {
        [] => "each row with each".to_owned(),
        on => format!("{} JOIN ON {}", join.join_type.to_string().to_uppercase(), on.join(" AND ")),
    }
}
