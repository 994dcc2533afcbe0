//! Expressions over the columns of a relation: which uses of which columns they are.

mod grouped;

use jigsaw_proto::aggregate::State;
use jigsaw_proto::expr::{BinaryOp, Column, Expr, UnaryOp};
use jigsaw_proto::fragment::{Measure, Scope};
use jigsaw_proto::function::Function;
use jigsaw_proto::refusal::{Refusal, RefusalCode};
use jigsaw_proto::types::DataType;

use super::{Known, Sources, Use, refused};
use crate::validate::summand::{Summand, Sums, Zero};

/// Step and units of what is not added up.
const ONE: (f64, f64) = (1.0, 1.0);

/// The columns an expression may name.
pub(super) struct Input<'a> {
    columns: &'a [Known],
    scope: Scope,
}

impl<'a> Input<'a> {
    pub(super) fn new(columns: &'a [Known]) -> Self {
        let typed = columns.iter().filter_map(|known| Some((known.column.clone(), known.data_type.clone()?)));
        // Two columns of one name were refused by the type check; without types, nothing is added up.
        Self { columns, scope: Scope::new(typed).unwrap_or_default() }
    }

    fn known(&self, column: &Column) -> Option<&Known> {
        self.columns.iter().find(|known| known.column == *column)
    }

    pub(super) fn of(&self, column: &Column) -> Use {
        self.known(column).map_or(Use::Entity, |known| known.permitted)
    }

    fn summand(&self, expr: &Expr, zero: Zero) -> Result<Summand, Refusal> {
        let column = |column: &Column| self.known(column)?.summand;
        let type_of = |expr: &Expr| self.scope.type_of(expr).ok();
        let overlap = |one: &Expr, other: &Expr| !self.sources(one).is_disjoint(&self.sources(other));
        Sums { column, type_of, overlap }.summand(expr, zero)
    }

    /// An expression that decides which rows or groups are seen: free columns, and whether an entity is there at all.
    pub(super) fn condition(&self, expr: &Expr, clause: &str) -> Result<(), Refusal> {
        match expr {
            Expr::Unary { op: UnaryOp::IsNull | UnaryOp::IsNotNull, operand } if self.is_entity(operand) => {
                Ok(())
            }
            Expr::Column(column) => match self.of(column) {
                Use::Free => Ok(()),
                Use::Entity => Err(entity(column, clause)),
                Use::Restricted => Err(refused(
                    RefusalCode::ColumnRole,
                    format!(
                        "{column} is a measure that the contract does not open to {clause}: aggregate it, or ask by a dimension"
                    ),
                )),
            },
            other => other.operands().into_iter().try_for_each(|operand| self.condition(operand, clause)),
        }
    }

    /// Whether a column is an entity that stands behind the cells.
    pub(super) fn is_counted(&self, column: &Column) -> bool {
        self.known(column).is_some_and(|known| known.counted)
    }

    pub(super) fn is_entity(&self, expr: &Expr) -> bool {
        matches!(expr, Expr::Column(column) if self.of(column) == Use::Entity)
    }

    /// What may be done with the value of an expression, under its new name. A choice whose other side is zero is not told
    /// from one whose other side is something: it may be summed by its own name only.
    pub(super) fn projected(&self, expr: &Expr, name: Column) -> Result<Known, Refusal> {
        let permitted = if let Expr::Column(column) = expr {
            self.of(column)
        } else {
            self.value(expr, "SELECT")?;
            if self.is_restricted(expr) { Use::Restricted } else { Use::Free }
        };
        let counted = matches!(expr, Expr::Column(column) if self.is_counted(column));
        Ok(Known {
            column: name,
            data_type: self.scope.type_of(expr).ok(),
            permitted,
            counted,
            present: self.is_present(expr),
            summand: self.summand(expr, Zero::Something).ok(),
            sources: self.sources(expr),
        })
    }

    fn is_restricted(&self, expr: &Expr) -> bool {
        expr.columns().into_iter().any(|column| self.of(column) == Use::Restricted)
    }

    /// Whether a value is NULL only where one of its columns is, or where a condition says so. Whether `sqrt(x / K - 1)` is NULL is a
    /// test of x, and a count shows it.
    fn is_present(&self, expr: &Expr) -> bool {
        let numeric = |expr| self.scope.type_of(expr).is_ok_and(|found| found.is_numeric());
        match expr {
            Expr::Column(column) => self.known(column).is_some_and(|known| known.present),
            Expr::Literal(_) => true,
            Expr::Case { branches, otherwise } => {
                let mut results = branches.iter().map(|branch| &branch.then).chain(otherwise.as_deref());
                results.all(|result| self.is_present(result))
            }
            Expr::Call { function: Function::Coalesce, arguments } => {
                arguments.iter().all(|argument| self.is_present(argument))
            }
            Expr::TryCast { operand, to: DataType::Text } => self.is_present(operand),
            Expr::TryCast { operand, to: DataType::Float64 } if numeric(operand) => self.is_present(operand),
            _ => self.summand(expr, Zero::Something).is_ok(),
        }
    }

    /// The columns of datasets that an expression is made of, through every alias.
    pub(super) fn sources(&self, expr: &Expr) -> Sources {
        let known = expr.columns().into_iter().filter_map(|column| self.known(column));
        known.flat_map(|known| known.sources.iter().cloned()).collect()
    }

    /// An expression whose value is only aggregated: arithmetic over measures is fine, choosing by a measure is not.
    fn value(&self, expr: &Expr, clause: &str) -> Result<(), Refusal> {
        match expr {
            Expr::Column(column) if self.of(column) == Use::Entity => Err(entity(column, clause)),
            Expr::Column(_) | Expr::Literal(_) => Ok(()),
            Expr::Case { branches, otherwise } => {
                for branch in branches {
                    self.condition(&branch.when, "CASE WHEN")?;
                    self.value(&branch.then, clause)?;
                }
                otherwise.iter().try_for_each(|otherwise| self.value(otherwise, clause))
            }
            Expr::Binary { op, left, right } if !op.is_comparison() && !op.is_logical() => {
                self.value(left, clause)?;
                self.value(right, clause)
            }
            Expr::Call {
                function: Function::Greatest | Function::Least | Function::Nullif | Function::RegexpLike,
                ..
            } => self.condition(expr, "a comparison"),
            Expr::Call { arguments, .. } => {
                arguments.iter().try_for_each(|argument| self.value(argument, clause))
            }
            Expr::TryCast { operand, .. } | Expr::Unary { op: UnaryOp::Negate, operand } => {
                self.value(operand, clause)
            }
            _ => self.condition(expr, "a comparison"),
        }
    }

    /// The step of the published figure, and in how many units it is added up for each 1 of it.
    pub(super) fn measure(&self, measure: &Measure, protected: bool) -> Result<(f64, f64), Refusal> {
        if let Some(filter) = &measure.filter {
            self.condition(filter, "FILTER")?;
        }
        if let Some(paired) = &measure.paired {
            self.counted(paired, measure)?;
        }
        if let Some(time) = &measure.time {
            self.counted(time, measure)?;
        }
        let Some(argument) = &measure.argument else { return Ok(ONE) };
        match measure.state {
            State::Entities | State::Rows | State::Count if self.is_entity(argument) => return Ok(ONE),
            State::Entities => {
                return Err(refused(
                    RefusalCode::AggregateNotAllowed,
                    format!("{argument} is no entity column: only entities are counted distinct"),
                ));
            }
            State::Min | State::Max if protected => {
                return Err(refused(
                    RefusalCode::AggregateNotAllowed,
                    format!(
                        "{measure} would release the value of a single row: use AVG, or COUNT in bands; of a column that may be \
                         grouped by, MIN over a subquery with GROUP BY gives the least value that enough people share"
                    ),
                ));
            }
            State::MouldIndex if protected => return Err(follows_one(measure)),
            State::Rows | State::Count | State::MouldIndex => self.counted(argument, measure)?,
            State::Sum | State::Mean | State::M2 | State::Min | State::Max | State::CoMoment => {
                self.value(argument, "an aggregate")?;
            }
        }
        let zero = match measure.state {
            State::Sum => Zero::Nothing,
            State::Mean | State::M2 | State::CoMoment => Zero::Something,
            _ => return Ok(ONE),
        };
        if !protected {
            return Ok(ONE);
        }
        // A co-moment tells what the sum of products tells.
        let product = measure.paired.clone().filter(|_| measure.state == State::CoMoment);
        let summed = product.map(|paired| argument.clone().binary(BinaryOp::Multiply, paired));
        let summand = self.summand(summed.as_ref().unwrap_or(argument), zero)?;
        if summand.is_even() {
            return Ok((summand.step(), summand.units()));
        }
        Err(refused(
            RefusalCode::AggregateNotAllowed,
            format!(
                "{measure} adds a constant to a measure, or measures of different weights, and would tell more than each by itself: \
                 for SUM(x + c) ask for SUM(x) + c * COUNT(x), for AVG(x + c) for AVG(x) + c"
            ),
        ))
    }

    /// What rows are counted by, or left out by, is NULL only where a column is.
    fn counted(&self, counted: &Expr, measure: &Measure) -> Result<(), Refusal> {
        self.value(counted, "an aggregate")?;
        if self.is_restricted(counted) && !self.is_present(counted) {
            return Err(refused(
                RefusalCode::ColumnRole,
                format!(
                    "{measure} would count by the value of a measure that the contract does not open to conditions: \
                     COUNT the measure itself"
                ),
            ));
        }
        Ok(())
    }
}

/// A mould index is the course of one home's readings in one number: each of them moves it, and the last ones the most.
fn follows_one(measure: &Measure) -> Refusal {
    refused(
        RefusalCode::AggregateNotAllowed,
        format!(
            "{measure} would tell the course of single readings, and is answered over open data only: COUNT the readings whose humidity \
             is above critical_humidity() of their temperature"
        ),
    )
}

fn entity(column: &Column, clause: &str) -> Refusal {
    refused(
        RefusalCode::EntityColumn,
        format!(
            "{column} is an entity column and has no place in {clause}: COUNT(DISTINCT {column}) it, or join on it within the node"
        ),
    )
}
