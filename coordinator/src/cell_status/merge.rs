//! The marks of a figure where they begin: at the aggregation over the rows of a release.
//!
//! A node has at most one row for each of the fragment's groups. A NULL in it, at a node that protects, is a withheld cell.
//! A node that protects and has no row for a group has nobody there, or withholds the group: nobody outside can tell.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, TableReference};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::functions_aggregate::expr_fn::{count_distinct, max};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{
    Aggregate, Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, TableScan, lit, when,
};
use jigsaw_proto::contract::NODE_COLUMN;
use jigsaw_proto::expr::Expr as FragmentExpr;

use super::Result;
use super::parts::{Carried, EXACT, Fresh, LACKING, MarkExprs, most, or_zero};
use crate::query::QueryError;
use crate::split::view::{CHANGE, NODE, PROTECTED};
use crate::split::{FragmentTable, View, key_columns};

/// The fragment that a scan reads; `None` for any other table.
pub(super) fn fragment(scan: &TableScan) -> Option<FragmentTable> {
    let provider = source_as_provider(&scan.source).ok()?;
    let table = (provider.as_ref() as &dyn std::any::Any).downcast_ref::<FragmentTable>()?;
    Some(table.clone())
}

/// Whether `plan` has rows of a release among its own: a fragment that no aggregation stands above.
pub(super) fn has_release_rows(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    let walked = plan.apply(|node| {
        Ok(match node {
            LogicalPlan::TableScan(scan) if fragment(scan).is_some() => {
                found = true;
                TreeNodeRecursion::Stop
            }
            LogicalPlan::Aggregate(_) => TreeNodeRecursion::Jump,
            _ => TreeNodeRecursion::Continue,
        })
    });
    walked.map_err(|error| QueryError::planning(&error))?;
    Ok(found)
}

/// The rows of a release, each with what is known of its node.
struct Rows {
    plan: LogicalPlan,
    fragment: FragmentTable,
    /// the released cells that a column is computed of
    cells: HashMap<Column, BTreeSet<Column>>,
    /// whether public tables were joined to the rows
    joined: bool,
}

fn of_release(name: &str) -> Column {
    Column::new(Some(TableReference::bare(FragmentTable::NAME)), name)
}

pub(super) fn unfollowed(what: &str) -> QueryError {
    QueryError::sql(format!(
        "the status of cells cannot be followed through {what}: ask without it (x-jigsaw-cell-status: nulls), or write the question \
         with a CTE that aggregates first"
    ))
}

/// The cells that an expression is computed of.
fn cells_of(expr: &Expr, cells: &HashMap<Column, BTreeSet<Column>>) -> BTreeSet<Column> {
    expr.column_refs().into_iter().filter_map(|column| cells.get(column)).flatten().cloned().collect()
}

/// `plan` with [`View::Marked`] in place of the release, and all released cells kept up to the top.
fn rows(plan: &LogicalPlan) -> Result<Rows> {
    let planning = |error| QueryError::planning(&error);
    match plan {
        LogicalPlan::TableScan(scan) => scanned(scan),
        LogicalPlan::Filter(filter) => {
            let below = rows(&filter.input)?;
            let plan = LogicalPlanBuilder::from(below.plan).filter(filter.predicate.clone());
            Ok(Rows { plan: plan.and_then(LogicalPlanBuilder::build).map_err(planning)?, ..below })
        }
        LogicalPlan::Projection(projection) => {
            let below = rows(&projection.input)?;
            let own = projection.schema.columns();
            let mut cells = below.cells.clone();
            for (column, expr) in own.iter().zip(&projection.expr) {
                cells.insert(column.clone(), cells_of(expr, &below.cells));
            }
            let released = below.cells.values().flatten().cloned().collect::<BTreeSet<_>>();
            let kept = released.into_iter().chain([NODE, PROTECTED, CHANGE].map(of_release));
            let kept = kept.filter(|column| !own.contains(column)).map(Expr::Column);
            let exprs: Vec<Expr> = projection.expr.iter().cloned().chain(kept).collect();
            let plan = LogicalPlanBuilder::from(below.plan).project(exprs);
            Ok(Rows { plan: plan.and_then(LogicalPlanBuilder::build).map_err(planning)?, cells, ..below })
        }
        LogicalPlan::Join(join) => {
            let left = has_release_rows(&join.left)?;
            let below = rows(if left { &join.left } else { &join.right })?;
            let mut join = join.clone();
            if left {
                join.left = Arc::new(below.plan);
            } else {
                join.right = Arc::new(below.plan);
            }
            let plan = LogicalPlan::Join(join).recompute_schema().map_err(planning)?;
            Ok(Rows { plan, fragment: below.fragment, cells: below.cells, joined: true })
        }
        other => Err(unfollowed(&format!("{} over rows that nodes released", other.display()))),
    }
}

fn scanned(scan: &TableScan) -> Result<Rows> {
    let planning = |error| QueryError::planning(&error);
    let fragment = fragment(scan)
        .ok_or_else(|| QueryError::internal("a status of a table that nodes did not release"))?;
    if !scan.filters.is_empty() || scan.fetch.is_some() {
        return Err(QueryError::internal("a release that is scanned in part"));
    }
    let table = Arc::new(fragment.seen_as(View::Marked));
    let plan = LogicalPlanBuilder::scan(FragmentTable::NAME, provider_as_source(table), None);
    let plan = plan.and_then(LogicalPlanBuilder::build).map_err(planning)?;
    let columns = plan.schema().columns().into_iter().filter(|column| column.name.starts_with('p'));
    let cells = columns.map(|column| (column.clone(), BTreeSet::from([column]))).collect();
    Ok(Rows { plan, fragment, cells, joined: false })
}

impl Rows {
    /// How far the groups of the merge are those that nodes were asked for.
    fn grouping(&self, groups: &[Expr]) -> Grouping {
        let keys = &self.fragment.fragment().keys;
        let place = |place: usize| Expr::Column(of_release(&format!("g{place}")));
        if self.joined || !(0..keys.len()).all(|key| groups.contains(&place(key))) {
            return Grouping::Coarser;
        }
        let is_node =
            |key: &FragmentExpr| matches!(key, FragmentExpr::Column(column) if column.name == NODE_COLUMN);
        if keys.iter().any(is_node) { Grouping::OneNode } else { Grouping::Same }
    }
}

/// The groups of a merge beside those of the fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grouping {
    /// the same, and each is at one node: whoever is there released it
    OneNode,
    /// the same: a node without a row may hold the group
    Same,
    /// each may be made of several, any of which any node may have left out
    Coarser,
}

/// A merge with the marks of its figures.
pub(super) fn merged(aggregate: &Aggregate, fresh: &mut Fresh) -> Result<Carried> {
    let planning = |error| QueryError::planning(&error);
    let rows = rows(&aggregate.input)?;
    let grouping = rows.grouping(&aggregate.group_expr);
    let own = aggregate.schema.columns();
    let mut calls = aggregate.aggr_expr.clone();
    let mut hidden = |call: Expr| {
        let name = fresh.name();
        calls.push(call.alias(name.clone()));
        Expr::Column(Column::new_unqualified(name))
    };
    let releasing = hidden(count_distinct(protecting(lit(true))?));
    let change = hidden(max(Expr::Column(of_release(CHANGE))));
    let mut figures = vec![];
    for (column, call) in own.iter().skip(key_columns(aggregate)).zip(&aggregate.aggr_expr) {
        if let Some(withheld) = withheld(call, &rows)? {
            figures.push((column.clone(), hidden(withheld)));
        }
    }
    let plan = LogicalPlanBuilder::from(rows.plan).aggregate(aggregate.group_expr.clone(), calls);
    let (plan, may_lack) =
        fresh.beside_nodes(plan.map_err(planning)?, std::slice::from_ref(&rows.fragment))?;
    let left_out = match grouping {
        Grouping::OneNode => lit(0_i64),
        Grouping::Same => most(vec![may_lack - releasing, lit(0_i64)]),
        Grouping::Coarser => may_lack,
    };
    let mut outputs: Vec<Expr> = own.into_iter().map(Expr::Column).collect();
    let mut marks = HashMap::new();
    for (column, withheld) in figures {
        let lacking = withheld.clone().gt(lit(0_i64)).or(left_out.clone().gt(lit(0_i64)));
        let mut grade = when(lacking, lit(LACKING)).when(change.clone().is_null(), lit(EXACT));
        let exprs = MarkExprs {
            grade: grade.otherwise(change.clone()).map_err(planning)?,
            withheld: or_zero(withheld),
            left_out: left_out.clone(),
        };
        marks.insert(column, fresh.marks(exprs, &mut outputs));
    }
    let plan = plan.project(outputs).and_then(LogicalPlanBuilder::build).map_err(planning)?;
    Ok(Carried { plan, marks, fragments: vec![rows.fragment] })
}

/// The node of a row where it protects and `condition` holds; NULL elsewhere.
fn protecting(condition: Expr) -> Result<Expr> {
    let protects = Expr::Column(of_release(PROTECTED)).eq(lit(1_i64)).and(condition);
    when(protects, Expr::Column(of_release(NODE))).end().map_err(|error| QueryError::planning(&error))
}

/// How many nodes withhold a cell that an aggregate call merges; `None` if it merges none.
///
/// The conditions of the call that are about the cells themselves are left aside: they pass over withheld cells.
fn withheld(call: &Expr, rows: &Rows) -> Result<Option<Expr>> {
    let cells = cells_of(call, &rows.cells);
    let null = cells.into_iter().map(|cell| Expr::Column(cell).is_null()).reduce(Expr::or);
    let Some(null) = null else { return Ok(None) };
    let count = count_distinct(protecting(null)?);
    let function = crate::split::aggregate_function(call)?;
    let conditions = function.params.filter.as_deref().map(split_conjunction).unwrap_or_default();
    let about_rows = conditions.into_iter().filter(|condition| cells_of(condition, &rows.cells).is_empty());
    match about_rows.cloned().reduce(Expr::and) {
        Some(condition) => {
            count.filter(condition).build().map(Some).map_err(|error| QueryError::planning(&error))
        }
        None => Ok(Some(count)),
    }
}
