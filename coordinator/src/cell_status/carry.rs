//! Marks on their way up: through projections, joins, unions and whatever passes rows on.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, JoinType};
use datafusion::logical_expr::{
    Expr, Join, LogicalPlan, LogicalPlanBuilder, Projection, SubqueryAlias, Union,
};

use super::Result;
use super::merge::{fragment, has_release_rows, merged, unfollowed};
use super::parts::{Carried, Fresh, MarkExprs, Marks};
use crate::query::QueryError;

/// Rewrites a plan bottom up.
#[derive(Debug, Default)]
pub(super) struct Carrier {
    pub(super) fresh: Fresh,
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
fn planning(error: datafusion::error::DataFusionError) -> QueryError {
    QueryError::planning(&error)
}

/// Whether any figure in `plan`, subqueries included, was released by nodes.
fn has_figures(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    let walked = plan.apply_with_subqueries(|node| {
        found |= matches!(node, LogicalPlan::TableScan(scan) if fragment(scan).is_some());
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    walked.map_err(planning)?;
    Ok(found)
}

fn has_subquery(expr: &Expr) -> Result<bool> {
    expr.exists(|node| {
        Ok(matches!(
            node,
            Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_)
        ))
    })
    .map_err(planning)
}

impl Carrier {
    /// `plan` with hidden columns beside each column that is made of released figures.
    pub(super) fn carry(&mut self, plan: &LogicalPlan) -> Result<Carried> {
        if !has_figures(plan)? {
            return Ok(Carried { plan: plan.clone(), marks: HashMap::new(), fragments: vec![] });
        }
        for expr in plan.expressions() {
            if has_subquery(&expr)? {
                return Err(unfollowed("a subquery inside an expression"));
            }
        }
        match plan {
            LogicalPlan::Aggregate(aggregate) if has_release_rows(&aggregate.input)? => {
                merged(aggregate, &mut self.fresh)
            }
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate),
            LogicalPlan::Window(window) => self.window(window),
            LogicalPlan::Projection(projection) => self.projection(projection),
            LogicalPlan::SubqueryAlias(alias) => self.alias(alias),
            LogicalPlan::Join(join) => self.join(join),
            LogicalPlan::Union(union) => self.union(union),
            LogicalPlan::Filter(_) | LogicalPlan::Sort(_) | LogicalPlan::Limit(_) => self.rows(plan),
            other => Err(unfollowed(&other.display().to_string())),
        }
    }

    /// What passes rows on as they are.
    fn rows(&mut self, plan: &LogicalPlan) -> Result<Carried> {
        let [input] = <[&LogicalPlan; 1]>::try_from(plan.inputs())
            .map_err(|_| QueryError::internal("a filter of several inputs"))?;
        let below = self.carry(input)?;
        let plan = plan.with_new_exprs(plan.expressions(), vec![below.plan]).map_err(planning)?;
        Ok(Carried { plan, ..below })
    }

    fn projection(&mut self, projection: &Projection) -> Result<Carried> {
        let below = self.carry(&projection.input)?;
        let mut outputs = projection.expr.clone();
        let mut marks = HashMap::new();
        for (column, expr) in projection.schema.columns().into_iter().zip(&projection.expr) {
            let columns = expr.column_refs();
            let mut of: Vec<&Marks> =
                columns.into_iter().filter_map(|column| below.marks.get(column)).collect();
            of.sort_by(|one, other| one.grade.cmp(&other.grade));
            of.dedup();
            if !of.is_empty() {
                let made = self.fresh.marks(MarkExprs::weakest(&of), &mut outputs);
                marks.insert(column, made);
            }
        }
        let plan = LogicalPlanBuilder::from(below.plan).project(outputs);
        let plan = plan.and_then(LogicalPlanBuilder::build).map_err(planning)?;
        Ok(Carried { plan, marks, fragments: below.fragments })
    }

    fn alias(&mut self, alias: &SubqueryAlias) -> Result<Carried> {
        let below = self.carry(&alias.input)?;
        let inner = alias.input.schema().columns().into_iter();
        let renamed = inner.zip(alias.schema.columns());
        let marks = renamed
            .filter_map(|(inner, outer)| Some((outer, below.marks.get(&inner)?.qualified(&alias.alias))));
        let marks = marks.collect();
        let plan = SubqueryAlias::try_new(Arc::new(below.plan), alias.alias.clone());
        let plan = plan.map(LogicalPlan::SubqueryAlias).map_err(planning)?;
        Ok(Carried { plan, marks, fragments: below.fragments })
    }

    fn join(&mut self, join: &Join) -> Result<Carried> {
        if matches!(join.join_type, JoinType::LeftMark | JoinType::RightMark) {
            return Err(unfollowed("EXISTS or IN over released figures"));
        }
        let (left, right) = (self.carry(&join.left)?, self.carry(&join.right)?);
        let mut joined = join.clone();
        (joined.left, joined.right) = (Arc::new(left.plan), Arc::new(right.plan));
        let plan = LogicalPlan::Join(joined).recompute_schema().map_err(planning)?;
        let nullable = match join.join_type {
            JoinType::Left => vec![(&right.marks, &right.fragments)],
            JoinType::Right => vec![(&left.marks, &left.fragments)],
            JoinType::Full => vec![(&left.marks, &left.fragments), (&right.marks, &right.fragments)],
            _ => vec![],
        };
        let mut marks: HashMap<Column, Marks> = HashMap::new();
        if !matches!(join.join_type, JoinType::RightSemi | JoinType::RightAnti) {
            marks.extend(left.marks.clone());
        }
        if !matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti) {
            marks.extend(right.marks.clone());
        }
        let mut builder = LogicalPlanBuilder::from(plan);
        let mut outputs: Vec<Expr> = builder.schema().columns().into_iter().map(Expr::Column).collect();
        let mut replaced = false;
        for (own, fragments) in nullable.into_iter().filter(|(own, _)| !own.is_empty()) {
            let lacking;
            (builder, lacking) = self.fresh.beside_nodes(builder, fragments)?;
            for (column, of) in own {
                let exprs = MarkExprs::of_missing(of, &lacking)?;
                marks.insert(column.clone(), self.fresh.marks(exprs, &mut outputs));
            }
            replaced = true;
        }
        if replaced {
            builder = builder.project(outputs).map_err(planning)?;
        }
        let fragments = left.fragments.into_iter().chain(right.fragments).collect();
        Ok(Carried { plan: builder.build().map_err(planning)?, marks, fragments })
    }

    fn union(&mut self, union: &Union) -> Result<Carried> {
        let inputs = union.inputs.iter().map(|input| self.carry(input));
        let inputs = inputs.collect::<Result<Vec<_>>>()?;
        let columns: Vec<Vec<Column>> = union.inputs.iter().map(|input| input.schema().columns()).collect();
        let marked: Vec<bool> = (0..union.schema.fields().len())
            .map(|place| {
                let mut sides = inputs.iter().zip(&columns);
                sides.any(|(input, columns)| {
                    columns.get(place).is_some_and(|column| input.marks.contains_key(column))
                })
            })
            .collect();
        let (mut plans, mut fragments) = (vec![], vec![]);
        for (input, columns) in inputs.into_iter().zip(columns) {
            let mut outputs: Vec<Expr> = columns.iter().cloned().map(Expr::Column).collect();
            for (column, _) in columns.iter().zip(&marked).filter(|(_, marked)| **marked) {
                let of = input.marks.get(column);
                let exprs = of.map_or_else(MarkExprs::exact, |marks| MarkExprs::weakest(&[marks]));
                self.fresh.marks(exprs, &mut outputs);
            }
            let plan = LogicalPlanBuilder::from(input.plan).project(outputs);
            plans.push(Arc::new(plan.and_then(LogicalPlanBuilder::build).map_err(planning)?));
            fragments.extend(input.fragments);
        }
        let plan = LogicalPlan::Union(Union::try_new_with_loose_types(plans).map_err(planning)?);
        self.named_as(plan, union, &marked, fragments)
    }

    /// A union with the names of the one it stands for.
    fn named_as(
        &mut self,
        plan: LogicalPlan,
        union: &Union,
        marked: &[bool],
        fragments: Vec<crate::split::FragmentTable>,
    ) -> Result<Carried> {
        let found = plan.schema().columns();
        let own = found.iter().zip(union.schema.iter());
        let mut outputs: Vec<Expr> = own
            .map(|(column, (qualifier, field))| {
                Expr::Column(column.clone()).alias_qualified(qualifier.cloned(), field.name())
            })
            .collect();
        let mut hidden = found.iter().skip(marked.len()).cloned().map(Expr::Column);
        let mut marks = HashMap::new();
        let wanted = union.schema.columns().into_iter().zip(marked).filter(|(_, marked)| **marked);
        for (column, _) in wanted {
            let (Some(grade), Some(withheld), Some(left_out)) = (hidden.next(), hidden.next(), hidden.next())
            else {
                return Err(QueryError::internal("a union without its marks"));
            };
            let exprs = MarkExprs { grade, withheld, left_out };
            marks.insert(column, self.fresh.marks(exprs, &mut outputs));
        }
        let plan = LogicalPlanBuilder::from(plan).project(outputs);
        let plan = plan.and_then(LogicalPlanBuilder::build).map_err(planning)?;
        Ok(Carried { plan, marks, fragments })
    }
}
