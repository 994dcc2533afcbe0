//! Aggregations and windows over released figures. They depend on which groups there are, so while any node may have left one
//! out, none of their results is whole.

use std::collections::HashMap;

use datafusion::common::Column;
use datafusion::functions_aggregate::expr_fn::max;
use datafusion::functions_aggregate::min_max::max_udaf;
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::utils::grouping_set_to_exprlist;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlanBuilder, Window, WindowFunctionDefinition};

use super::Result;
use super::carry::Carrier;
use super::parts::{Carried, MarkExprs, Marks, most};
use crate::query::QueryError;
use crate::split::key_columns;

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
fn planning(error: datafusion::error::DataFusionError) -> QueryError {
    QueryError::planning(&error)
}

/// The marks of the figures an expression is made of, each once.
fn marks_of<'a>(expr: &Expr, marks: &'a HashMap<Column, Marks>) -> Vec<&'a Marks> {
    let mut of: Vec<&Marks> = expr.column_refs().into_iter().filter_map(|column| marks.get(column)).collect();
    of.sort_by(|one, other| one.grade.cmp(&other.grade));
    of.dedup();
    of
}

impl Carrier {
    /// An aggregation over released figures.
    pub(super) fn aggregate(&mut self, aggregate: &Aggregate) -> Result<Carried> {
        let below = self.carry(&aggregate.input)?;
        let own = aggregate.schema.columns();
        // The number of a grouping set, after the keys, is made of nothing.
        let keys = key_columns(aggregate);
        let key_exprs = grouping_set_to_exprlist(&aggregate.group_expr).map_err(planning)?;
        let mut calls = aggregate.aggr_expr.clone();
        let mut hidden = |carrier: &mut Self, expr: Expr| {
            let name = carrier.fresh.name();
            calls.push(max(expr).alias(name.clone()));
            Expr::Column(Column::new_unqualified(name))
        };
        let (mut key_marks, mut call_marks) = (vec![], vec![]);
        for (column, expr) in own.iter().skip(keys).zip(&aggregate.aggr_expr) {
            let of = MarkExprs::weakest(&marks_of(expr, &below.marks));
            call_marks.push((column.clone(), hidden(self, of.withheld)));
        }
        for (column, expr) in own.iter().zip(key_exprs) {
            let of = MarkExprs::weakest(&marks_of(expr, &below.marks));
            if !marks_of(expr, &below.marks).is_empty() {
                let exprs = MarkExprs {
                    grade: hidden(self, of.grade),
                    withheld: hidden(self, of.withheld),
                    left_out: hidden(self, of.left_out),
                };
                key_marks.push((column.clone(), exprs));
            }
        }
        let plan = LogicalPlanBuilder::from(below.plan).aggregate(aggregate.group_expr.clone(), calls);
        let (plan, lacking) = self.fresh.beside_nodes(plan.map_err(planning)?, &below.fragments)?;
        let mut outputs: Vec<Expr> = own.into_iter().map(Expr::Column).collect();
        let mut marks = HashMap::new();
        for (column, exprs) in key_marks {
            marks.insert(column, self.fresh.marks(exprs, &mut outputs));
        }
        for (column, withheld) in call_marks {
            let exprs = MarkExprs::of_groups(&lacking, withheld)?;
            marks.insert(column, self.fresh.marks(exprs, &mut outputs));
        }
        let plan = plan.project(outputs).and_then(LogicalPlanBuilder::build).map_err(planning)?;
        Ok(Carried { plan, marks, fragments: below.fragments })
    }

    /// Window functions over released figures.
    pub(super) fn window(&mut self, window: &Window) -> Result<Carried> {
        let below = self.carry(&window.input)?;
        let passed = window.input.schema().fields().len();
        let made: Vec<Column> = window.schema.columns().into_iter().skip(passed).collect();
        let plan =
            LogicalPlanBuilder::from(below.plan).window(window.window_expr.clone()).map_err(planning)?;
        let mut most_withheld = vec![];
        let mut names = vec![];
        for expr in &window.window_expr {
            let of = marks_of(expr, &below.marks).into_iter();
            let withheld = most(of.map(|marks| Expr::Column(marks.withheld.clone())).collect());
            let function = WindowFunctionDefinition::AggregateUDF(max_udaf());
            let name = self.fresh.name();
            let over_all = Expr::from(WindowFunction::new(function, vec![withheld]));
            most_withheld.push(over_all.alias(name.clone()));
            names.push(Expr::Column(Column::new_unqualified(name)));
        }
        let plan = plan.window(most_withheld).map_err(planning)?;
        let (plan, lacking) = self.fresh.beside_nodes(plan, &below.fragments)?;
        let mut outputs: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
        let mut marks = below.marks;
        for (column, withheld) in made.into_iter().zip(names) {
            let exprs = MarkExprs::of_groups(&lacking, withheld)?;
            marks.insert(column, self.fresh.marks(exprs, &mut outputs));
        }
        let plan = plan.project(outputs).and_then(LogicalPlanBuilder::build).map_err(planning)?;
        Ok(Carried { plan, marks, fragments: below.fragments })
    }
}
