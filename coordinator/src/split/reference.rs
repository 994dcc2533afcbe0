//! The split of an aggregation over a join of federated rows with public tables held here.
//!
//! The join happens after the merge: nodes group by what the join and the question need of their rows, the groups are
//! joined with the public table, and merged once more. A node is never told the public table's content.
//!
//! With `F` the federated part, `R` the public part, and measures over columns of `F`:
//! `Agg[G; m](F ⋈ R) = Agg[G; merge(m)](Agg[keys; states(m)](F) ⋈ R)`, where the keys are the columns of `F` that the join
//! and `G` use. It holds for inner joins and for outer joins that keep the rows of `F`.

use std::collections::HashSet;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column as PlanColumn, JoinType};
use datafusion::logical_expr::{Aggregate, Expr as PlanExpr, Filter, Join, LogicalPlan, LogicalPlanBuilder};
use jigsaw_proto::fragment::Fragment;

use super::aggregate::{Asked, Circumstances, Merged, aggregate_function};
use super::expr::translate_as_planned;
use super::fragment_table::FragmentTable;
use super::grouping;
use super::local::{Leaf, Measures, merged, output_fields};
use super::reads_only_federated;
use super::relation::RelationBuilder;
use crate::dispatch::Snapshot;
use crate::query::QueryError;

type Result<T> = std::result::Result<T, QueryError>;

/// `Aggregate(F ⋈ R)` becomes `Projection(Aggregate(release of F ⋈ R))`.
pub(super) fn split(aggregate: &Aggregate, nodes: &Snapshot) -> Result<LogicalPlan> {
    let Pulled { groups, calls, input } = pull_through(aggregate)?;
    let federated = federated_part(&input)?;
    let mut builder = RelationBuilder::default();
    let (relation, names) = builder.relation(federated)?;
    let mut keys = Keys { federated, list: vec![] };

    for group in &grouping::keys(&groups)? {
        keys.need(group);
    }
    keys.need_on_path(&input)?;
    let beside_releases = reads_releases(&input)?;
    let divided = calls.iter().map(|call| keys.divide(call)).collect::<Result<Vec<_>>>()?;
    let translated = keys.list.iter().map(|key| translate_as_planned(key, &names, federated.schema()));
    let mut translated = translated.collect::<Result<Vec<_>>>()?;
    let complete = builder.complete(&translated);
    let protected = builder.is_protected(nodes);
    let known = Circumstances { names: &names, builder: &builder, complete, protected };
    let asked = divided.into_iter().map(|(call, outside)| {
        let read = Asked::read(&call, known)?;
        if beside_releases && is_distinct(&call)? {
            return Err(distinct_beside_releases(&call));
        }
        Ok(Divided { asked: read, outside, label: call.to_string() })
    });
    let asked = asked.collect::<Result<Vec<_>>>()?;
    let values: Vec<Option<usize>> =
        asked.iter().map(|divided| divided.asked.value_in(&mut translated)).collect();
    let mut measures = Measures::default();
    let states: Vec<Vec<usize>> = asked.iter().map(|divided| measures.add(&divided.asked)).collect();
    let fragment = Fragment { input: relation, keys: translated, measures: measures.list };
    let relied_on = builder.relied_on();
    let own: Vec<&Asked> = asked.iter().map(|divided| &divided.asked).collect();
    let leaf = Leaf::new(fragment, &builder, relied_on, &own, grouping::has_sets(&groups))?;

    let over_release = |expr: &PlanExpr| keys.replaced(expr);
    let fields = output_fields(aggregate);
    let results = fields.iter().skip(grouping::key_columns(aggregate));
    let merges = asked.iter().zip(states.iter().zip(values)).zip(results);
    let merges = merges.map(|((divided, (states, value)), (_, field))| {
        let outside = divided.outside.as_ref().map(over_release).transpose()?;
        divided.merge(states, value, outside.as_ref(), field.data_type())
    });
    let merges = merges.collect::<Result<Vec<_>>>()?;
    let groups = grouping::replaced(&groups, &over_release)?;
    let joined = rebuilt(&input, federated, &keys, &leaf)?;
    merged(LogicalPlanBuilder::from(joined), groups, merges, &fields)
}

/// Whether rows are joined with figures released of other rows, of which they may meet several.
fn reads_releases(input: &LogicalPlan) -> Result<bool> {
    let released = input.exists(|plan| match plan {
        LogicalPlan::TableScan(scan) => Ok(FragmentTable::of(scan).is_some()),
        _ => Ok(false),
    });
    released.map_err(|error| QueryError::planning(&error))
}

fn is_distinct(call: &PlanExpr) -> Result<bool> {
    Ok(aggregate_function(call)?.params.distinct)
}

fn distinct_beside_releases(call: &PlanExpr) -> QueryError {
    QueryError::sql(format!(
        "{call} over rows joined with figures of other rows needs linking across boroughs, for a row that meets several of them \
         counts once in each: COUNT(*) counts it once for each figure, or join within each borough by node"
    ))
}

/// An aggregation with the projections right below it inlined.
struct Pulled {
    groups: Vec<PlanExpr>,
    calls: Vec<PlanExpr>,
    input: LogicalPlan,
}

fn pull_through(aggregate: &Aggregate) -> Result<Pulled> {
    let mut pulled = Pulled {
        groups: aggregate.group_expr.clone(),
        calls: aggregate.aggr_expr.clone(),
        input: (*aggregate.input).clone(),
    };
    loop {
        let (below, inner): (Vec<PlanExpr>, LogicalPlan) = match &pulled.input {
            LogicalPlan::Projection(projection) => (
                projection.expr.iter().map(|expr| expr.clone().unalias()).collect(),
                (*projection.input).clone(),
            ),
            LogicalPlan::SubqueryAlias(alias) => (
                alias.input.schema().columns().into_iter().map(PlanExpr::Column).collect(),
                (*alias.input).clone(),
            ),
            _ => return Ok(pulled),
        };
        let above = pulled.input.schema().columns();
        let inline = |expr: &PlanExpr| {
            substituted(expr, |column| {
                let place = above.iter().position(|known| known == column)?;
                below.get(place).cloned()
            })
        };
        pulled = Pulled {
            groups: grouping::replaced(&pulled.groups, &inline)?,
            calls: pulled.calls.iter().map(inline).collect::<Result<_>>()?,
            input: inner,
        };
    }
}

fn substituted(expr: &PlanExpr, with: impl Fn(&PlanColumn) -> Option<PlanExpr>) -> Result<PlanExpr> {
    let replaced = expr.clone().transform(|node| {
        Ok(match &node {
            PlanExpr::Column(column) => with(column).map_or_else(|| Transformed::no(node), Transformed::yes),
            _ => Transformed::no(node),
        })
    });
    replaced.map(|replaced| replaced.data).map_err(|error| QueryError::planning(&error))
}

/// The largest part of `plan` that reads federated tables only. Every operator above it must be one that can wait until
/// after the merge.
fn federated_part(plan: &LogicalPlan) -> Result<&LogicalPlan> {
    let only = |plan: &LogicalPlan| reads_only_federated(plan).map_err(|error| QueryError::planning(&error));
    let any = |plan: &LogicalPlan| super::reads_federated(plan).map_err(|error| QueryError::planning(&error));
    if only(plan)? {
        return Ok(plan);
    }
    match plan {
        LogicalPlan::Filter(filter) => federated_part(&filter.input),
        LogicalPlan::Join(join) => match (any(&join.left)?, any(&join.right)?, join.join_type) {
            (true, true, _) => Err(QueryError::sql(
                "this joins two federated tables with a public table between them: join the federated tables first \
                 (ON a.node = b.node AND …), then the public table",
            )),
            (true, false, JoinType::Inner | JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti) => {
                federated_part(&join.left)
            }
            (false, true, JoinType::Inner | JoinType::Right) => federated_part(&join.right),
            _ => Err(QueryError::sql(
                "a join that keeps unmatched rows of the public table cannot be counted before the merge: aggregate the federated \
                 table in a CTE first, then join the public table to the result",
            )),
        },
        _ => Err(QueryError::sql(
            "the join with the public table is inside a subquery that does more than join: aggregate the federated table in a CTE \
             first, then join the public table to the result, or choose rows by at most 1,000 of its keys: x IN (SELECT key FROM …)",
        )),
    }
}

/// The group keys that nodes are asked for: what the join and the question need of the federated part.
struct Keys<'a> {
    federated: &'a LogicalPlan,
    list: Vec<PlanExpr>,
}

/// What an expression is made of.
enum Side {
    Federated,
    Public,
    Both,
}

impl Keys<'_> {
    fn owns(&self, column: &PlanColumn) -> bool {
        self.federated.schema().has_column(column)
    }

    fn side(&self, expr: &PlanExpr) -> Side {
        let columns: HashSet<&PlanColumn> = expr.column_refs();
        let own = columns.iter().filter(|column| self.owns(column)).count();
        match own {
            0 => Side::Public,
            own if own == columns.len() => Side::Federated,
            _ => Side::Both,
        }
    }

    /// An expression over the federated part alone becomes a key; of a mixed one, its federated columns do.
    fn need(&mut self, expr: &PlanExpr) {
        match self.side(expr) {
            Side::Federated => self.add(expr.clone().unalias()),
            Side::Public | Side::Both => self.need_columns(expr),
        }
    }

    fn need_columns(&mut self, expr: &PlanExpr) {
        let mut columns: Vec<PlanColumn> = expr.column_refs().into_iter().cloned().collect();
        columns.sort();
        for column in columns.into_iter().filter(|column| self.federated.schema().has_column(column)) {
            self.add(PlanExpr::Column(column));
        }
    }

    fn add(&mut self, key: PlanExpr) {
        if !self.list.contains(&key) {
            self.list.push(key);
        }
    }

    /// What filters and joins between the federated part and the aggregation need.
    fn need_on_path(&mut self, plan: &LogicalPlan) -> Result<()> {
        if plan == self.federated {
            return Ok(());
        }
        match plan {
            LogicalPlan::Filter(filter) => {
                self.need_columns(&filter.predicate);
                self.need_on_path(&filter.input)
            }
            LogicalPlan::Join(join) => {
                for (left, right) in &join.on {
                    self.need(left);
                    self.need(right);
                }
                if let Some(filter) = &join.filter {
                    self.need_columns(filter);
                }
                self.need_on_path(&join.left)?;
                self.need_on_path(&join.right)
            }
            _ => Ok(()), // a public side
        }
    }

    /// An aggregate call as nodes can compute it, and the condition that is left for after the join.
    fn divide(&mut self, call: &PlanExpr) -> Result<(PlanExpr, Option<PlanExpr>)> {
        let mut function = aggregate_function(call)?.clone();
        let mut outside = None;
        if let Some(filter) = function.params.filter.take() {
            if let Side::Federated = self.side(&filter) {
                function.params.filter = Some(filter);
            } else {
                outside = Some(*filter);
            }
        }
        let public = |argument: &&PlanExpr| {
            !argument.column_refs().is_empty() && !matches!(self.side(argument), Side::Federated)
        };
        if let Some(argument) = function.params.args.iter().find(public).cloned() {
            if function.func.name() != "count" || function.params.distinct || function.params.args.len() > 1 {
                return Err(QueryError::sql(format!(
                    "{call} aggregates a column of a public table over federated rows: aggregate the federated table in a CTE first, \
                     then join the public table to the result"
                )));
            }
            let matched = argument.is_not_null();
            outside = Some(outside.map_or_else(|| matched.clone(), |filter| filter.and(matched.clone())));
            function.params.args = vec![datafusion::logical_expr::lit(1_i64)];
        }
        if let Some(outside) = &outside {
            self.need_columns(outside);
        }
        Ok((PlanExpr::AggregateFunction(function), outside))
    }

    /// `expr` over the release instead of the federated part.
    fn replaced(&self, expr: &PlanExpr) -> Result<PlanExpr> {
        let replaced = expr.clone().unalias().transform_down(|node| {
            Ok(match self.list.iter().position(|key| *key == node) {
                Some(place) => Transformed::new(
                    Leaf::column(&format!("g{place}")),
                    true,
                    datafusion::common::tree_node::TreeNodeRecursion::Jump,
                ),
                None => Transformed::no(node),
            })
        });
        replaced.map(|replaced| replaced.data).map_err(|error| QueryError::planning(&error))
    }
}

/// The joins and filters of `plan` with the federated part replaced by its release.
fn rebuilt(plan: &LogicalPlan, federated: &LogicalPlan, keys: &Keys<'_>, leaf: &Leaf) -> Result<LogicalPlan> {
    let planning = |error| QueryError::planning(&error);
    if plan == federated {
        return leaf.scan()?.build().map_err(planning);
    }
    match plan {
        LogicalPlan::Filter(filter) => {
            let input = rebuilt(&filter.input, federated, keys, leaf)?;
            let predicate = keys.replaced(&filter.predicate)?;
            Filter::try_new(predicate, input.into()).map(LogicalPlan::Filter).map_err(planning)
        }
        LogicalPlan::Join(join) => {
            let on = join.on.iter().map(|(left, right)| Ok((keys.replaced(left)?, keys.replaced(right)?)));
            let filter = join.filter.as_ref().map(|filter| keys.replaced(filter)).transpose()?;
            Join::try_new(
                rebuilt(&join.left, federated, keys, leaf)?.into(),
                rebuilt(&join.right, federated, keys, leaf)?.into(),
                on.collect::<Result<_>>()?,
                filter,
                join.join_type,
                join.join_constraint,
                join.null_equality,
                join.null_aware,
            )
            .map(LogicalPlan::Join)
            .map_err(planning)
        }
        public => Ok(public.clone()),
    }
}

/// An aggregate call as nodes can compute it, and what is left of it for after the join.
struct Divided {
    asked: Asked,
    outside: Option<PlanExpr>,
    /// as it was asked for
    label: String,
}

impl Divided {
    fn merge(
        &self,
        states: &[usize],
        value: Option<usize>,
        outside: Option<&PlanExpr>,
        result: &DataType,
    ) -> Result<Merged> {
        if self.asked.counts_entities() {
            // Distinct entities are not additive over the finer groups of a join.
            let states: Vec<PlanExpr> =
                states.iter().map(|index| Leaf::column(&format!("p{index}"))).collect();
            return Merged::whole(&states, outside, &self.label);
        }
        let value = value.map(|place| Leaf::column(&format!("g{place}")));
        self.asked.merge(states, value, outside, result)
    }
}
