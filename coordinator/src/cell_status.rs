//! How good each released figure of an answer is, as columns beside it.
//!
//! For a column `c` made of released figures: `c__status` (`exact`, `rounded`, `perturbed`, `partial`, `withheld`),
//! `c__nodes_withheld` and `c__nodes_left_out`. The words are explained in the README.
//!
//! The optimized plan is rewritten bottom up. Where releases are merged, three hidden columns ([`Marks`]) are made for each
//! figure, from what the manifests say; they are carried to the output beside what is computed of the figure. Nothing is
//! asked of the nodes that would not be asked without. A plan through which marks cannot be carried is refused: a wrong
//! status is worse than none.

mod above;
mod carry;
mod merge;
mod parts;

use std::fmt;

use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit, when};

use crate::query::QueryError;
use carry::Carrier;
use parts::Marks;

type Result<T> = std::result::Result<T, QueryError>;

/// Whether answers carry the status of their cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum CellStatus {
    /// a withheld cell is NULL, and nothing more is said
    #[default]
    Nulls,
    /// columns beside each column of released figures
    Columns,
}

impl CellStatus {
    /// Reads `nulls`, also called `plain`, or `columns`; nothing is `nulls`.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "" | "nulls" | "plain" => Some(Self::Nulls),
            "columns" => Some(Self::Columns),
            _ => None,
        }
    }
}

/// What a status column says of the column it belongs to; the value of the field metadata `jigsaw.cell`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Status,
    NodesWithheld,
    NodesLeftOut,
}

impl Part {
    /// In the order in which they follow one another.
    pub(crate) const ALL: [Self; 3] = [Self::Status, Self::NodesWithheld, Self::NodesLeftOut];
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Status => "status",
            Self::NodesWithheld => "nodes_withheld",
            Self::NodesLeftOut => "nodes_left_out",
        })
    }
}

/// A plan with status columns after its own, and the places of the columns they are about, [`Part::ALL`] for each.
pub(crate) struct WithStatus {
    pub(crate) plan: LogicalPlan,
    pub(crate) about: Vec<usize>,
}

/// Adds status columns to an optimized, split plan.
///
/// # Errors
/// A plan through which the status of a figure cannot be followed, or a column that has the name of a status column.
pub(crate) fn with_status(plan: &LogicalPlan) -> Result<WithStatus> {
    let planning = |error| QueryError::planning(&error);
    let columns = plan.schema().columns();
    let carried = Carrier::default().carry(plan)?;
    let mut outputs: Vec<Expr> = columns.iter().cloned().map(Expr::Column).collect();
    let mut about = vec![];
    for (place, column) in columns.iter().enumerate() {
        let Some(marks) = carried.marks.get(column) else { continue };
        about.push(place);
        for part in Part::ALL {
            let name = format!("{}__{part}", column.name);
            if columns.iter().any(|known| known.name == name) {
                return Err(QueryError::sql(format!(
                    "a column is named {name}, as the status of {} would be: give it another name",
                    column.name
                )));
            }
            outputs.push(said(part, &Expr::Column(column.clone()), marks)?.alias(name));
        }
    }
    if about.is_empty() {
        return Ok(WithStatus { plan: plan.clone(), about });
    }
    let plan = LogicalPlanBuilder::from(carried.plan).project(outputs).map_err(planning)?;
    Ok(WithStatus { plan: plan.build().map_err(planning)?, about })
}

/// What is shown of the marks of a cell. A NULL made of figures that lack a part is withheld; a value made of them is partial.
fn said(part: Part, cell: &Expr, marks: &Marks) -> Result<Expr> {
    let planning = |error| QueryError::planning(&error);
    let grade = || Expr::Column(marks.grade.clone());
    match part {
        Part::NodesWithheld => Ok(Expr::Column(marks.withheld.clone())),
        Part::NodesLeftOut => Ok(Expr::Column(marks.left_out.clone())),
        Part::Status => {
            let is = |known: i64| grade().eq(lit(known));
            when(is(parts::EXACT), lit("exact"))
                .when(is(parts::ROUNDED), lit("rounded"))
                .when(is(parts::PERTURBED), lit("perturbed"))
                .when(cell.clone().is_not_null(), lit("partial"))
                .otherwise(lit("withheld"))
                .map_err(planning)
        }
    }
}
