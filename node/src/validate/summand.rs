//! What may be added up under a protected policy (`R06`), and how fine the sum may be (`R13`).
//!
//! A sum shows whatever tells its rows apart: `SUM(CASE WHEN few THEN 1000 ELSE 1 END)` is the number of the few. So what is
//! summed is arithmetic over measures that chooses between a value and nothing, if it chooses at all: then the choice is a
//! filter, and those who pass it are counted as contributors. Nothing is NULL, and zero where zero adds nothing.
//!
//! The *step* of a summand is the difference that the published sum must not resolve for one row: the resolution of a
//! measure, the size of a constant. It follows the arithmetic, so that `SUM(1000 * x)` is no finer than `SUM(x)`.

use jigsaw_proto::contract::{ColumnContract, Role};
use jigsaw_proto::expr::{BinaryOp, Column, Expr, Literal, UnaryOp, Value};
use jigsaw_proto::function::Function;
use jigsaw_proto::refusal::{Refusal, RefusalCode};
use jigsaw_proto::types::DataType;

/// Most measures in one product: more would show little but the largest row.
const MAX_FACTORS: u32 = 2;

/// A value that may be summed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Summand {
    step: f64,
    factors: u32,
}

impl Summand {
    /// A column of a dataset: measures that are numbers.
    pub(super) fn of(column: &ColumnContract) -> Option<Self> {
        match column.role {
            Role::Measure { resolution, .. } if column.data_type.is_numeric() => {
                Some(Self { step: resolution, factors: 1 })
            }
            Role::Measure { .. } | Role::Dimension | Role::Entity { .. } | Role::Hidden => None,
        }
    }

    /// A column that is one or the other.
    pub(super) fn either(self, other: Self) -> Self {
        Self { step: self.step.max(other.step), factors: self.factors.max(other.factors) }
    }

    /// What the sum is rounded to, for each unit of the rounding base.
    pub(super) fn step(self) -> f64 {
        if self.step > 0.0 { self.step } else { 1.0 }
    }

    fn constant(size: f64) -> Self {
        Self { step: size.abs(), factors: 0 }
    }

    fn at_least(self, step: f64) -> Self {
        Self { step: self.step.max(step), ..self }
    }
}

/// Whether a row of value zero counts as no row: in a sum, not in a mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zero {
    Nothing,
    Something,
}

/// The columns an expression may name, as summands.
pub(super) struct Sums<F> {
    pub(super) column: F,
}

impl<F: Fn(&Column) -> Option<Summand>> Sums<F> {
    /// The expression as a summand.
    ///
    /// # Errors
    /// What of it is no arithmetic over measures, or chooses between two values.
    pub(super) fn summand(&self, expr: &Expr, zero: Zero) -> Result<Summand, Refusal> {
        match expr {
            Expr::Column(column) => (self.column)(column).ok_or_else(|| {
                refused(format!(
                    "{column} is not a measure, and only measures are added up: COUNT it, or group by it"
                ))
            }),
            Expr::Literal(literal) => constant(literal).map(Summand::constant).ok_or_else(|| condition(expr)),
            Expr::Unary { op: UnaryOp::Negate, operand } => self.summand(operand, zero),
            Expr::Binary { op, left, right } => self.arithmetic(expr, *op, left, right, zero),
            Expr::Case { branches, otherwise } => {
                let results = branches.iter().map(|branch| &branch.then).chain(otherwise.as_deref());
                self.choice(expr, results, zero)
            }
            Expr::TryCast { operand, to } => {
                let operand = self.summand(operand, zero)?;
                Ok(if matches!(to, DataType::Int32 | DataType::Int64) {
                    operand.at_least(1.0)
                } else {
                    operand
                })
            }
            Expr::Call { function, arguments } => self.call(expr, *function, arguments, zero),
            _ => Err(condition(expr)),
        }
    }

    fn arithmetic(
        &self,
        expr: &Expr,
        op: BinaryOp,
        left: &Expr,
        right: &Expr,
        zero: Zero,
    ) -> Result<Summand, Refusal> {
        match op {
            // What adds nothing by itself adds something to something: only NULL takes the other side with it.
            BinaryOp::Add | BinaryOp::Subtract => {
                let (left, right) =
                    (self.summand(left, Zero::Something)?, self.summand(right, Zero::Something)?);
                Ok(Summand { step: left.step + right.step, factors: left.factors.max(right.factors) })
            }
            BinaryOp::Multiply => {
                let (left, right) = (self.summand(left, zero)?, self.summand(right, zero)?);
                let step = if left.factors == 0 || right.factors == 0 {
                    left.step * right.step
                } else {
                    left.step.max(right.step)
                };
                product(expr, left, right, step)
            }
            BinaryOp::Divide => {
                let (left, right) = (self.summand(left, zero)?, self.summand(right, Zero::Something)?);
                let by_constant = right.factors == 0 && right.step > 0.0;
                let step = if by_constant { left.step / right.step } else { left.step.max(1.0) };
                product(expr, left, right, step)
            }
            BinaryOp::Modulo => {
                let (left, right) = (self.summand(left, zero)?, self.summand(right, Zero::Something)?);
                product(expr, left, right, left.step)
            }
            _ => Err(condition(expr)),
        }
    }

    /// At most one of the results is something.
    fn choice<'a>(
        &self,
        expr: &Expr,
        results: impl Iterator<Item = &'a Expr>,
        zero: Zero,
    ) -> Result<Summand, Refusal> {
        let mut results = results.filter(|result| !is_nothing(result, zero));
        let Some(only) = results.next() else { return Ok(Summand::constant(0.0)) };
        if results.next().is_some() {
            let otherwise = if zero == Zero::Nothing { "NULL or 0" } else { "NULL" };
            return Err(refused(format!(
                "{expr} is one value for some rows and another for the rest, and the aggregate would show how many of each: \
                 let all but one be {otherwise}, or ask for each with FILTER"
            )));
        }
        self.summand(only, zero)
    }

    fn call(
        &self,
        expr: &Expr,
        function: Function,
        arguments: &[Expr],
        zero: Zero,
    ) -> Result<Summand, Refusal> {
        match (function, arguments) {
            (Function::Coalesce, _) => self.choice(expr, arguments.iter(), zero),
            (Function::Abs | Function::Sqrt, [argument]) | (Function::Nullif, [argument, _]) => {
                self.summand(argument, zero)
            }
            (
                Function::Ceil | Function::Floor | Function::Round | Function::Signum | Function::Trunc,
                [argument],
            ) => Ok(self.summand(argument, zero)?.at_least(1.0)),
            (Function::Round, [argument, Expr::Literal(digits)]) => {
                let digits = constant(digits).unwrap_or(0.0);
                Ok(self.summand(argument, zero)?.at_least(10_f64.powf(-digits)))
            }
            (Function::Ln | Function::Log10, [argument]) => self.summand(argument, Zero::Something),
            _ => Err(refused(format!(
                "{}() has no place in an aggregate over protected rows, where it could single out a few of them: \
                 add, subtract, multiply and divide measures",
                function.name()
            ))),
        }
    }
}

fn product(expr: &Expr, left: Summand, right: Summand, step: f64) -> Result<Summand, Refusal> {
    let factors = left.factors + right.factors;
    if factors > MAX_FACTORS {
        return Err(refused(format!(
            "{expr} multiplies more than {MAX_FACTORS} measures, which would show little but the largest row: \
             aggregate fewer of them"
        )));
    }
    Ok(Summand { step, factors })
}

/// NULL, and zero where zero adds nothing.
fn is_nothing(expr: &Expr, zero: Zero) -> bool {
    match expr {
        Expr::Literal(literal) if literal.value().is_none() => true,
        Expr::Literal(literal) => zero == Zero::Nothing && constant(literal) == Some(0.0),
        Expr::TryCast { operand, .. } => is_nothing(operand, zero),
        _ => false,
    }
}

/// The number; NULL is none at all.
#[expect(clippy::cast_precision_loss, reason = "the size of a constant, for rounding")]
fn constant(literal: &Literal) -> Option<f64> {
    match (literal.value(), literal.data_type()) {
        (None, _) => Some(0.0),
        (Some(Value::Integer(value)), DataType::Int32 | DataType::Int64) => Some(*value as f64),
        (Some(Value::Float(value)), _) => Some(*value),
        (Some(Value::Decimal(value)), DataType::Decimal { scale, .. }) => {
            Some(*value as f64 / 10_f64.powi((*scale).into()))
        }
        _ => None,
    }
}

fn condition(expr: &Expr) -> Refusal {
    refused(format!(
        "{expr} is no number made of measures, and only those are added up: COUNT with FILTER instead"
    ))
}

fn refused(message: String) -> Refusal {
    Refusal::new(RefusalCode::AggregateNotAllowed, message)
}
