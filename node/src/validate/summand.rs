//! What may be added up under a protected policy (`R06`), and how fine the sum may be (`R13`).
//!
//! A sum shows whatever tells its rows apart: `SUM(CASE WHEN few THEN 1000 ELSE 1 END)` is the number of the few. So what is
//! summed is arithmetic over measures that chooses between a value and nothing, if it chooses at all: then the choice is a
//! filter, and those who pass it are counted as contributors. Nothing is NULL, and zero where zero adds nothing.
//!
//! Arithmetic can choose too: `x * signum(x / K - 1)` and `x + 0 * sqrt(1 - x / K)` tell the rows above K from those below. So a
//! summand is *smooth and total*: no function with a bend, a jump or a gap is applied to a measure, no measure divides, what is
//! rounded is rounded finely beside the measure's range ([`Summand::grain`]), and nothing can overflow ([`Summand::size`]).
//!
//! Nor does a sum with other constants tell more: `SUM(x + c)` has another rounding grid for each c, and only the true count lies within
//! half a step of all. So what is summed is *even*, a multiple of one figure: no constant is added to a measure, and measures that
//! are added weigh the same ([`Summand::is_even`]).
//!
//! The *step* of a summand is the difference that the published sum must not resolve for one row: the resolution of a
//! measure, the size of a constant. It follows the arithmetic, so that `SUM(1000 * x)` is no finer than `SUM(x)`.

mod constant;
mod grouped;
mod range;

use jigsaw_proto::contract::{ColumnContract, Role};
use jigsaw_proto::expr::{BinaryOp, Column, Expr, UnaryOp};
use jigsaw_proto::function::Function;
use jigsaw_proto::refusal::{Refusal, RefusalCode};
use jigsaw_proto::types::DataType;

pub(crate) use range::clamped_to;

/// Most measures in one product: more would show little but the largest row.
const MAX_FACTORS: u32 = 2;

/// A measure is multiplied or divided by no more than this: more overflows, underflows or drowns everything else.
const MAX_SCALE: f64 = 1e6;

/// What a measure without bounds is taken to be at most, if its type does not say less.
const UNBOUNDED: f64 = 1e12;

/// A value may be rounded to the resolution of its measure; or to so many times that, where its bounds hold as many steps.
const GRAINS: f64 = 100.0;

/// A value that may be summed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Summand {
    step: f64,
    /// how many measures are multiplied; 0: a constant
    factors: u32,
    /// what measures were multiplied with, in all
    scale: f64,
    /// greatest magnitude
    size: f64,
    /// the coarsest step it may be rounded to, row by row
    grain: f64,
    /// the number, if it is a constant; else 0
    value: f64,
    /// whether it is a multiple of a measure, a product of measures, or a sum of those that all weigh the same
    even: bool,
}

impl Summand {
    /// A column of a dataset: measures that are numbers.
    pub(super) fn of(column: &ColumnContract) -> Option<Self> {
        let Role::Measure { resolution, bounds, .. } = column.role else { return None };
        if !column.data_type.is_numeric() {
            return None;
        }
        let size = bounds.map_or(UNBOUNDED, |(low, high)| low.abs().max(high.abs()));
        let grain = bounds.map_or(resolution, |(low, high)| {
            resolution.max(((high - low) / GRAINS).min(resolution * GRAINS))
        });
        let size = size.min(greatest(&column.data_type));
        Some(Self { step: resolution, factors: 1, scale: 1.0, size, grain, value: 0.0, even: true })
    }

    /// A column that is one or the other, in the branches of a union. What it adds up to is one sum and another: they weigh the same.
    pub(super) fn either(self, other: Self) -> Self {
        let alike = self.is_constant() == other.is_constant() && close(self.value, other.value);
        Self { step: self.step.max(other.step), value: self.value, ..self.beside(other, alike) }
    }

    /// One added to the other.
    fn beside(self, other: Self, alike: bool) -> Self {
        let with = self.with(other);
        Self { even: with.even && alike && close(self.scale, other.scale), ..with }
    }

    /// Whether there is one figure that it is a multiple of, whatever its constants are.
    pub(super) fn is_even(self) -> bool {
        self.even
    }

    /// What the sum is rounded to, for each unit of the rounding base.
    pub(super) fn step(self) -> f64 {
        if self.step > 0.0 { self.step } else { 1.0 }
    }

    fn constant(value: f64) -> Self {
        let size = value.abs();
        Self { step: size, factors: 0, scale: 1.0, size, grain: f64::INFINITY, value, even: true }
    }

    fn is_constant(self) -> bool {
        self.factors == 0
    }

    fn at_least(self, step: f64) -> Self {
        Self { step: self.step.max(step), ..self }
    }

    /// Both, whatever is done with them: the strictest of each.
    fn with(self, other: Self) -> Self {
        Self {
            step: self.step + other.step,
            factors: self.factors.max(other.factors),
            scale: self.scale.max(other.scale),
            size: self.size.max(other.size),
            grain: self.grain.min(other.grain),
            value: 0.0,
            even: self.even && other.even,
        }
    }

    fn times(self, constant: f64) -> Self {
        let by = constant.abs();
        Self {
            step: self.step * by,
            scale: self.scale * by,
            size: self.size * by,
            grain: self.grain * by,
            value: self.value * constant,
            ..self
        }
    }
}

/// Whether a row of value zero counts as no row: in a sum, not in a mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zero {
    Nothing,
    Something,
}

/// The columns an expression may name, as summands, and the types of expressions over them.
pub(super) struct Sums<F, T, O> {
    pub(super) column: F,
    pub(super) type_of: T,
    /// whether the two sides of an expression have a column of a dataset in common
    pub(super) overlap: O,
}

impl<F, T, O> Sums<F, T, O>
where
    F: Fn(&Column) -> Option<Summand>,
    T: Fn(&Expr) -> Option<DataType>,
    O: Fn(&Expr, &Expr) -> bool,
{
    /// The expression as a summand.
    ///
    /// # Errors
    /// What of it is no arithmetic over measures, or chooses between two values.
    pub(super) fn summand(&self, expr: &Expr, zero: Zero) -> Result<Summand, Refusal> {
        let summand = match expr {
            Expr::Column(column) => (self.column)(column).ok_or_else(|| {
                refused(format!(
                    "{column} is not a measure, and only measures are added up: COUNT it, or group by it"
                ))
            }),
            Expr::Literal(literal) => {
                constant::value(literal).map(Summand::constant).ok_or_else(|| condition(expr))
            }
            Expr::Unary { op: UnaryOp::Negate, operand } => Ok(self.summand(operand, zero)?.times(-1.0)),
            Expr::Binary { op, left, right } => self.arithmetic(expr, *op, left, right, zero),
            Expr::Case { branches, otherwise } => {
                let results = branches.iter().map(|branch| &branch.then).chain(otherwise.as_deref());
                self.choice(expr, results, zero)
            }
            Expr::TryCast { operand, to } => self.cast(expr, operand, to, zero),
            Expr::Call { function, arguments } => self.call(expr, *function, arguments, zero),
            _ => Err(condition(expr)),
        }?;
        self.checked(expr, summand)
    }

    /// Nothing is so large that its type could not hold it.
    fn checked(&self, expr: &Expr, summand: Summand) -> Result<Summand, Refusal> {
        let fits = (self.type_of)(expr).is_some_and(|found| summand.size <= greatest(&found));
        if summand.is_constant() || matches!(expr, Expr::Column(_)) || fits {
            return Ok(summand);
        }
        Err(refused(format!(
            "{expr} could be too large for its type, and the aggregate would leave out those for whom it is: \
             CAST the measure AS DOUBLE first, or ask the regional office for bounds in the contract"
        )))
    }

    fn arithmetic(
        &self,
        expr: &Expr,
        op: BinaryOp,
        left: &Expr,
        right: &Expr,
        zero: Zero,
    ) -> Result<Summand, Refusal> {
        // What adds nothing by itself adds something to something: only NULL takes the other side with it.
        let (of_left, of_right) = match op {
            BinaryOp::Add | BinaryOp::Subtract => (Zero::Something, Zero::Something),
            BinaryOp::Multiply => (zero, zero),
            BinaryOp::Divide | BinaryOp::Modulo => (zero, Zero::Something),
            _ => return Err(condition(expr)),
        };
        let of_both = (left, right);
        let (left, right) = (self.summand(left, of_left)?, self.summand(right, of_right)?);
        if left.is_constant() && right.is_constant() {
            let value = constant::arithmetic(op, left.value, right.value, (self.type_of)(expr).as_ref());
            return value.map(Summand::constant).ok_or_else(|| condition(expr));
        }
        match op {
            BinaryOp::Add | BinaryOp::Subtract => {
                let nothing = |side: Summand| side.is_constant() && side.value == 0.0;
                let of_others =
                    !left.is_constant() && !right.is_constant() && !(self.overlap)(of_both.0, of_both.1);
                let sum = left.beside(right, of_others);
                let even = if nothing(left) || nothing(right) { left.even && right.even } else { sum.even };
                Ok(Summand { size: left.size + right.size, even, ..sum })
            }
            BinaryOp::Multiply if right.is_constant() => scaled(expr, left, right.value),
            BinaryOp::Multiply if left.is_constant() => scaled(expr, right, left.value),
            BinaryOp::Multiply if (self.overlap)(of_both.0, of_both.1) => Err(refused(format!(
                "{expr} multiplies a measure by itself, and the sum of its squares would tell how many there are: \
                 use VAR or STDDEV"
            ))),
            BinaryOp::Multiply => product(expr, left, right),
            _ if !right.is_constant() => Err(refused(format!(
                "{expr} divides by a measure, which would show little but the rows where it is near 0: \
                 aggregate both, and divide the aggregates"
            ))),
            BinaryOp::Modulo => Err(refused(format!(
                "{expr} tells what rounding would hide of a measure: aggregate the measure itself"
            ))),
            _ if right.value == 0.0 => Err(refused(format!("{expr} divides by zero: leave it out"))),
            _ => {
                let quotient = scaled(expr, left, 1.0 / right.value)?;
                match (self.type_of)(expr) {
                    Some(DataType::Int32 | DataType::Int64) => grained(expr, quotient, 1.0),
                    Some(DataType::Decimal { scale, .. }) => {
                        grained(expr, quotient, 10_f64.powi(-i32::from(scale)))
                    }
                    _ => Ok(quotient),
                }
            }
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

    fn cast(&self, expr: &Expr, operand: &Expr, to: &DataType, zero: Zero) -> Result<Summand, Refusal> {
        let from = (self.type_of)(operand);
        let operand = self.summand(operand, zero)?;
        if operand.is_constant() {
            return constant::cast(operand.value, to).map(Summand::constant).ok_or_else(|| condition(expr));
        }
        let whole = matches!(from, Some(DataType::Int32 | DataType::Int64));
        match (from, to) {
            (_, DataType::Float64) => Ok(operand),
            (_, DataType::Int32 | DataType::Int64 | DataType::Decimal { .. }) if whole => Ok(operand),
            (_, DataType::Int32 | DataType::Int64) => grained(expr, operand, 1.0),
            (Some(DataType::Decimal { scale: had, .. }), DataType::Decimal { scale, .. })
                if had <= *scale =>
            {
                Ok(operand)
            }
            (_, DataType::Decimal { scale, .. }) => grained(expr, operand, 10_f64.powi(-i32::from(*scale))),
            _ => Err(condition(expr)),
        }
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
            (Function::Ceil | Function::Floor | Function::Round | Function::Trunc, [argument]) => {
                grained(expr, self.summand(argument, zero)?, 1.0)
            }
            (Function::Round, [argument, Expr::Literal(digits)]) => {
                let digits = constant::value(digits).unwrap_or(0.0);
                grained(expr, self.summand(argument, zero)?, 10_f64.powf(-digits))
            }
            _ => Err(refused(format!(
                "{}() has no place in an aggregate over protected rows, where it could single out a few of them: \
                 add, subtract and multiply measures",
                function.name()
            ))),
        }
    }
}

/// A measure times a constant; times zero, it is zero.
fn scaled(expr: &Expr, summand: Summand, constant: f64) -> Result<Summand, Refusal> {
    let scaled = summand.times(constant);
    if scaled.scale != 0.0 && !(1.0 / MAX_SCALE..=MAX_SCALE).contains(&scaled.scale) {
        return Err(refused(format!(
            "{expr} scales a measure by more than {MAX_SCALE:.0}: scale the aggregate instead"
        )));
    }
    Ok(scaled)
}

/// A measure that is rounded, row by row, to multiples of `grain`.
fn grained(expr: &Expr, summand: Summand, grain: f64) -> Result<Summand, Refusal> {
    // What every other scale rounds off, added up over many scales, tells how many there are.
    let digits = summand.scale.log10();
    if (digits - digits.round()).abs() > 1e-9 {
        return Err(refused(format!(
            "{expr} rounds a measure that was scaled by something else than a power of ten: scale and round the aggregate instead"
        )));
    }
    // A quotient like 1 / 0.1 is no whole number of doubles.
    if grain <= summand.grain * (1.0 + 1e-9) {
        return Ok(Summand { size: summand.size + grain, ..summand.at_least(grain) });
    }
    Err(refused(format!(
        "{expr} rounds a measure so coarsely that the aggregate would tell those above a limit from those below: \
         round the aggregate instead"
    )))
}

fn product(expr: &Expr, left: Summand, right: Summand) -> Result<Summand, Refusal> {
    let factors = left.factors + right.factors;
    if factors > MAX_FACTORS {
        return Err(refused(format!(
            "{expr} multiplies more than {MAX_FACTORS} measures, which would show little but the largest row: \
             aggregate fewer of them"
        )));
    }
    let (step, size) = (left.step.max(right.step), left.size * right.size);
    scaled(expr, Summand { step, factors, size, scale: left.scale * right.scale, ..left.with(right) }, 1.0)
}

/// Whether two numbers are one, however they were computed.
fn close(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * one.abs().max(other.abs())
}

/// The greatest number of a type.
fn greatest(data_type: &DataType) -> f64 {
    match data_type {
        DataType::Int32 => 2_f64.powi(31) - 1.0,
        // The next smaller double: not beyond the greatest integer.
        DataType::Int64 => 2_f64.powi(63) - 1024.0,
        DataType::Decimal { precision, scale } => 10_f64.powi(i32::from(*precision) - i32::from(*scale)),
        DataType::Float64 => f64::INFINITY,
        _ => 0.0,
    }
}

/// NULL, and zero where zero adds nothing.
fn is_nothing(expr: &Expr, zero: Zero) -> bool {
    match expr {
        Expr::Literal(literal) if literal.value().is_none() => true,
        Expr::Literal(literal) => zero == Zero::Nothing && constant::value(literal) == Some(0.0),
        Expr::TryCast { operand, .. } => is_nothing(operand, zero),
        _ => false,
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
