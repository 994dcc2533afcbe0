//! The hidden columns, and expressions over them.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::{Column, TableReference};
use datafusion::datasource::provider_as_source;
use datafusion::functions::core::expr_fn::greatest;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit, when};

use super::Result;
use crate::query::QueryError;
use crate::split::view::MAY_LACK;
use crate::split::{FragmentTable, View};

/// Grade: what every node has is in the figure, as it is.
pub(super) const EXACT: i64 = 0;
/// Grade: every part is there, at least one was rounded.
pub(super) const ROUNDED: i64 = 1;
/// Grade: every part is there, at least one was perturbed.
pub(super) const PERTURBED: i64 = 2;
/// Grade: a part may be missing.
pub(super) const LACKING: i64 = 3;

/// The hidden columns of a figure: its grade, and how many nodes withheld it or left its group out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) grade: Column,
    pub(super) withheld: Column,
    pub(super) left_out: Column,
}

impl Marks {
    pub(super) fn columns(&self) -> [Column; 3] {
        [self.grade.clone(), self.withheld.clone(), self.left_out.clone()]
    }

    /// The same columns under another qualifier.
    pub(super) fn qualified(&self, qualifier: &TableReference) -> Self {
        let moved = |column: &Column| Column::new(Some(qualifier.clone()), column.name.clone());
        Self { grade: moved(&self.grade), withheld: moved(&self.withheld), left_out: moved(&self.left_out) }
    }
}

/// What the hidden columns of a figure hold.
#[derive(Debug, Clone)]
pub(super) struct MarkExprs {
    pub(super) grade: Expr,
    pub(super) withheld: Expr,
    pub(super) left_out: Expr,
}

impl MarkExprs {
    /// Of what is made of several figures: the weakest grade, the most nodes.
    pub(super) fn weakest(of: &[&Marks]) -> Self {
        let most = |part: fn(&Marks) -> &Column| {
            most(of.iter().map(|marks| Expr::Column(part(marks).clone())).collect())
        };
        Self {
            grade: most(|marks| &marks.grade),
            withheld: most(|marks| &marks.withheld),
            left_out: most(|marks| &marks.left_out),
        }
    }

    /// Of a constant.
    pub(super) fn exact() -> Self {
        Self { grade: lit(EXACT), withheld: lit(0_i64), left_out: lit(0_i64) }
    }

    /// Of a figure beside an outer join: where there is no row for it, `lacking` nodes may hold one and not show it.
    pub(super) fn of_missing(of: &Marks, lacking: &Expr) -> Result<Self> {
        let nobody = Self::of_groups(lacking, lit(0_i64))?;
        let [grade, withheld, left_out] = of.columns().map(Expr::Column);
        Ok(Self {
            grade: or_else(grade, nobody.grade)?,
            withheld: or_zero(withheld),
            left_out: or_else(left_out, nobody.left_out)?,
        })
    }

    /// Of what depends on which groups there are: `lacking` nodes may hold groups that are not shown.
    pub(super) fn of_groups(lacking: &Expr, withheld: Expr) -> Result<Self> {
        Ok(Self {
            grade: when(lacking.clone().gt(lit(0_i64)), lit(LACKING))
                .otherwise(lit(EXACT))
                .map_err(|error| QueryError::planning(&error))?,
            withheld: or_zero(withheld),
            left_out: lacking.clone(),
        })
    }
}

/// The greatest; 0 of none.
pub(super) fn most(exprs: Vec<Expr>) -> Expr {
    match <[Expr; 1]>::try_from(exprs) {
        Ok([only]) => only,
        Err(exprs) if exprs.is_empty() => lit(0_i64),
        Err(exprs) => greatest(exprs),
    }
}

/// A number of nodes; 0 where there is none. `greatest` passes over NULL.
pub(super) fn or_zero(expr: Expr) -> Expr {
    greatest(vec![expr, lit(0_i64)])
}

fn or_else(expr: Expr, other: Expr) -> Result<Expr> {
    let chosen = when(expr.clone().is_null(), other).otherwise(expr);
    chosen.map_err(|error| QueryError::planning(&error))
}

/// A rewritten plan: its own columns as before, hidden ones beside them.
#[derive(Debug)]
pub(super) struct Carried {
    pub(super) plan: LogicalPlan,
    /// for each column of the original plan that is made of released figures
    pub(super) marks: HashMap<Column, Marks>,
    /// the fragments whose groups the rows are made of
    pub(super) fragments: Vec<FragmentTable>,
}

/// Names that nothing else in the plan has.
#[derive(Debug, Default)]
pub(super) struct Fresh {
    made: usize,
}

impl Fresh {
    pub(super) fn name(&mut self) -> String {
        self.made += 1;
        format!("jigsaw__status_{}", self.made)
    }

    /// Names the columns of a figure's marks, and adds them to `outputs`.
    pub(super) fn marks(&mut self, exprs: MarkExprs, outputs: &mut Vec<Expr>) -> Marks {
        let mut named = |expr: Expr| {
            let name = self.name();
            outputs.push(expr.alias(name.clone()));
            Column::new_unqualified(name)
        };
        Marks { grade: named(exprs.grade), withheld: named(exprs.withheld), left_out: named(exprs.left_out) }
    }

    /// `plan` beside what is known of the nodes of `fragments`, and the most nodes that may hold a group and not show it.
    pub(super) fn beside_nodes(
        &mut self,
        mut plan: LogicalPlanBuilder,
        fragments: &[FragmentTable],
    ) -> Result<(LogicalPlanBuilder, Expr)> {
        let planning = |error| QueryError::planning(&error);
        let mut counts = vec![];
        for fragment in fragments {
            let table = Arc::new(fragment.seen_as(View::Nodes));
            let name = self.name();
            let scan = LogicalPlanBuilder::scan(name.clone(), provider_as_source(table), None);
            let scan = scan.and_then(LogicalPlanBuilder::build).map_err(planning)?;
            plan = plan.cross_join(scan).map_err(planning)?;
            counts.push(Expr::Column(Column::new(Some(TableReference::bare(name)), MAY_LACK)));
        }
        Ok((plan, most(counts)))
    }
}
