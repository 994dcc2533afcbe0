//! `GROUP BY` of a question: plain keys, or the sets of `ROLLUP`, `CUBE` and `GROUPING SETS`.
//!
//! Nodes are asked for the finest groups only, and every set is made of those here: whatever adds up over nodes adds up over
//! groups. So a question costs a node one table, and no node publishes a subtotal beside the parts of it, from which a withheld part
//! could be told (`R16`). Where nodes protect, subtotals are therefore sums of what was released, and may lack what was not.
//!
//! Distinct entities do not add up over groups: with `COUNT(DISTINCT entity)`, each set is asked by itself, as if the analyst had
//! written a `UNION ALL`. Where a node protects, that is refused: it would be a total beside its parts.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::utils::grouping_set_to_exprlist;
use datafusion::logical_expr::{Aggregate, Expr, GroupingSet, LogicalPlan, LogicalPlanBuilder, cast, lit};

use super::values::Remark;
use crate::query::QueryError;

type Result<T> = std::result::Result<T, QueryError>;

/// Most sets that are asked one by one: each is a fragment for every node.
const MOST_SETS: usize = 64;

/// What is said beside sums of groups that nodes released.
pub(super) fn remark() -> Remark {
    Remark {
        of_protected: true,
        of_values: false,
        sentence:
            "subtotals are sums of the groups that were released: those of few people are in none of them"
                .to_owned(),
    }
}

/// The keys, each once, in the order of the aggregation's columns.
pub(super) fn keys(group_expr: &[Expr]) -> Result<Vec<Expr>> {
    let keys = grouping_set_to_exprlist(group_expr).map_err(|error| QueryError::planning(&error))?;
    Ok(keys.into_iter().cloned().collect())
}

/// The sets, spelled out.
fn sets(group_expr: &[Expr]) -> Result<Vec<Vec<Expr>>> {
    let [Expr::GroupingSet(grouping)] = group_expr else {
        return Err(QueryError::internal("a grouping without sets"));
    };
    let count = match grouping {
        GroupingSet::GroupingSets(sets) => sets.len(),
        GroupingSet::Rollup(keys) => keys.len() + 1,
        GroupingSet::Cube(keys) => {
            1_usize.checked_shl(u32::try_from(keys.len()).unwrap_or(u32::MAX)).unwrap_or(usize::MAX)
        }
    };
    if count > MOST_SETS {
        return Err(QueryError::sql(format!(
            "COUNT(DISTINCT …) of entities is asked of each grouping set by itself, of {MOST_SETS} sets at most: ask for fewer"
        )));
    }
    Ok(match grouping {
        GroupingSet::GroupingSets(sets) => sets.clone(),
        GroupingSet::Rollup(keys) => {
            (0..=keys.len()).rev().map(|length| keys.iter().take(length).cloned().collect()).collect()
        }
        GroupingSet::Cube(keys) => {
            let chosen = |set: usize| -> Vec<Expr> {
                let keys = keys.iter().enumerate().filter(move |(place, _)| set & (1 << place) != 0);
                keys.map(|(_, key)| key.clone()).collect()
            };
            (0..count).map(chosen).collect()
        }
    })
}

/// How many columns of an aggregation are before its aggregates: the keys, and after those of sets the number of the set.
pub(crate) fn key_columns(aggregate: &Aggregate) -> usize {
    aggregate.schema.fields().len() - aggregate.aggr_expr.len()
}

/// Whether there are sets.
pub(super) fn has_sets(group_expr: &[Expr]) -> bool {
    matches!(group_expr, [Expr::GroupingSet(_)])
}

/// Whether one of the groups is that of everything, which is there even when no node has a row.
pub(super) fn has_total(group_expr: &[Expr]) -> bool {
    match group_expr {
        [] | [Expr::GroupingSet(GroupingSet::Rollup(_) | GroupingSet::Cube(_))] => true,
        [Expr::GroupingSet(GroupingSet::GroupingSets(sets))] => sets.iter().any(Vec::is_empty),
        _ => false,
    }
}

/// The same grouping by other keys.
pub(super) fn replaced(group_expr: &[Expr], with: &impl Fn(&Expr) -> Result<Expr>) -> Result<Vec<Expr>> {
    let all = |exprs: &[Expr]| exprs.iter().map(with).collect::<Result<Vec<_>>>();
    match group_expr {
        [Expr::GroupingSet(grouping)] => {
            let grouping = match grouping {
                GroupingSet::Rollup(exprs) => GroupingSet::Rollup(all(exprs)?),
                GroupingSet::Cube(exprs) => GroupingSet::Cube(all(exprs)?),
                GroupingSet::GroupingSets(sets) => {
                    GroupingSet::GroupingSets(sets.iter().map(|set| all(set)).collect::<Result<_>>()?)
                }
            };
            Ok(vec![Expr::GroupingSet(grouping)])
        }
        plain => all(plain),
    }
}

/// Why distinct entities of protected rows are not counted in sets: a part that is withheld would be told by the total beside it.
pub(super) fn totals_beside_parts() -> QueryError {
    QueryError::sql(
        "COUNT(DISTINCT …) of people with ROLLUP, CUBE or GROUPING SETS would ask for totals beside their parts, of which nodes protect \
         some: ask each grouping by itself, or COUNT(*) with subtotals",
    )
}

/// The aggregation as one for each set, put together: each is split by `split`.
pub(super) fn one_by_one(
    aggregate: &Aggregate,
    split: impl Fn(&Aggregate) -> Result<LogicalPlan>,
) -> Result<LogicalPlan> {
    let planning = |error| QueryError::planning(&error);
    let sets = sets(&aggregate.group_expr)?;
    let all = keys(&aggregate.group_expr)?;
    let mut union: Option<LogicalPlanBuilder> = None;
    for (place, set) in sets.iter().enumerate() {
        let before = sets.iter().take(place).filter(|other| *other == set).count();
        let plan = one(aggregate, &all, set, before, &split)?;
        union = Some(match union {
            None => LogicalPlanBuilder::from(plan),
            Some(union) => union.union(plan).map_err(planning)?,
        });
    }
    let union = union.ok_or_else(|| QueryError::internal("a grouping of no sets"))?;
    let columns = union.schema().columns().into_iter().zip(aggregate.schema.iter());
    let named = columns.map(|(column, (qualifier, field))| {
        cast(Expr::Column(column), field.data_type().clone())
            .alias_qualified(qualifier.cloned(), field.name())
    });
    let named: Vec<Expr> = named.collect();
    union.project(named).and_then(LogicalPlanBuilder::build).map_err(planning)
}

/// The groups of one set, with NULL for the keys that are not in it, and its number.
fn one(
    aggregate: &Aggregate,
    all: &[Expr],
    set: &[Expr],
    before: usize,
    split: &impl Fn(&Aggregate) -> Result<LogicalPlan>,
) -> Result<LogicalPlan> {
    let planning = |error| QueryError::planning(&error);
    let own = Aggregate::try_new(Arc::clone(&aggregate.input), set.to_vec(), aggregate.aggr_expr.clone());
    let plan = split(&own.map_err(planning)?)?;
    let own = keys(set)?;
    let columns = plan.schema().columns();
    let mut id: u64 = 0;
    let mut outputs = vec![];
    for (key, field) in all.iter().zip(aggregate.schema.fields()) {
        let place = own.iter().position(|known| known == key);
        id = id << 1 | u64::from(place.is_none());
        let output = match place.and_then(|place| columns.get(place)) {
            Some(column) => Expr::Column(column.clone()),
            None => Expr::Literal(ScalarValue::try_from(field.data_type()).map_err(planning)?, None),
        };
        outputs.push(output.alias(format!("k{}", outputs.len())));
    }
    let grouping = id | u64::try_from(before).unwrap_or(0) << all.len();
    outputs.push(lit(grouping).alias("k"));
    let calls = columns.into_iter().skip(own.len()).map(Expr::Column);
    outputs.extend(calls.enumerate().map(|(place, call)| call.alias(format!("a{place}"))));
    LogicalPlanBuilder::from(plan).project(outputs).and_then(LogicalPlanBuilder::build).map_err(planning)
}
