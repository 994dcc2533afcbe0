//! What an expression is, as far as cells go: which groupings of a column are dimensions of their own.

use jigsaw_proto::expr::{BinaryOp, Expr, Literal, UnaryOp, Value};
use jigsaw_proto::function::Function;
use jigsaw_proto::refusal::Refusal;
use jigsaw_proto::types::DataType;

use super::Input;
use super::dimension::{Dimension, Shape, Tests, no_cell};
use super::set::{Set, is_ladder, number};

/// A dimension is shifted or scaled by no more than this: more overflows, and what overflows is one group.
const MAX_CONSTANT: f64 = 1e6;

/// Of a day.
const NANOSECONDS: i64 = 86_400_000_000_000;

impl Input<'_> {
    /// What an expression is.
    ///
    /// # Errors
    /// A condition in it is no cell.
    pub(super) fn shape(&self, expr: &Expr) -> Result<Shape, Refusal> {
        match expr {
            Expr::Column(column) => {
                let known = self.columns.iter().find(|(name, _)| name == column);
                Ok(known.map_or_else(Shape::unknown, |(_, shape)| shape.clone()))
            }
            Expr::Literal(literal) => Ok(Shape::Constant(literal.clone())),
            Expr::TryCast { operand, to } => self.cast(expr, operand, to),
            Expr::Unary { op: UnaryOp::Negate, operand } => match self.shape(operand)? {
                Shape::Dimension(dimension) => Ok(grouped(&dimension, "-", "")),
                other => value(expr, [other]),
            },
            Expr::Unary { op: UnaryOp::IsNull | UnaryOp::IsNotNull, operand } => {
                let null = matches!(expr, Expr::Unary { op: UnaryOp::IsNull, .. });
                match self.shape(operand)? {
                    Shape::Dimension(dimension) if dimension.unmatched => {
                        let set = if null { Set::Null } else { Set::Present };
                        Ok(Shape::Outcome(Tests::one(dimension, set)))
                    }
                    Shape::Dimension(dimension) => {
                        let word = if null { "IS NULL" } else { "IS NOT NULL" };
                        Ok(Shape::Dimension(Dimension::truth(format!("{} {word}", dimension.name))))
                    }
                    _ => Err(no_cell(expr)),
                }
            }
            Expr::Unary { op: UnaryOp::Not, operand } => match self.shape(operand)? {
                Shape::Dimension(dimension) => Ok(grouped(&dimension, "NOT ", "")),
                _ => Err(no_cell(expr)),
            },
            Expr::Binary { op, left, right } if !op.is_comparison() && !op.is_logical() => {
                self.arithmetic(expr, *op, left, right)
            }
            Expr::Unary { .. } | Expr::Binary { .. } | Expr::Between { .. } | Expr::InList { .. } => {
                Ok(Shape::Outcome(self.tests(expr)?))
            }
            Expr::Like { .. } => Err(no_cell(expr)),
            Expr::Case { branches, otherwise } => self.case(expr, branches, otherwise.as_deref()),
            Expr::Call { function, arguments } => self.call(expr, *function, arguments),
        }
    }

    /// A cast that leaves the values apart and in order is none; another is a grouping, if no constant decides it.
    fn cast(&self, expr: &Expr, operand: &Expr, to: &DataType) -> Result<Shape, Refusal> {
        use DataType::{Date, Decimal, Float64, Int32, Int64, Text, Timestamp};
        let dimension = match self.shape(operand)? {
            Shape::Dimension(dimension) => dimension,
            other => return value(expr, [other]),
        };
        let digits = |precision: &u8, scale: &u8| (i16::from(*precision) - i16::from(*scale), *scale);
        let keeps = match (&dimension.data_type, to) {
            (from, to) if from == to => true,
            (Int32 | Int64 | Decimal { .. }, Float64)
            | (Int32, Int64)
            | (Date, Timestamp { zone: None, .. }) => true,
            (Int32 | Int64, Decimal { precision, scale }) => digits(precision, scale).0 >= 19,
            (Decimal { precision: had, scale: fine }, Decimal { precision, scale }) => {
                let (had, new) = (digits(had, fine), digits(precision, scale));
                had.0 <= new.0 && had.1 <= new.1
            }
            _ => false,
        };
        if keeps {
            return Ok(Shape::Dimension(dimension));
        }
        match to {
            Date if matches!(dimension.data_type, Timestamp { zone: None, .. })
                && !dimension.is_grouped() =>
            {
                let mut days = dimension;
                days.data_type = Date;
                Ok(Shape::Dimension(days))
            }
            Int32 | Int64 | Text | Date | Float64 | Timestamp { .. } => {
                Ok(grouped(&dimension, "CAST(", &format!(" AS {to})")))
            }
            // What does not fit a decimal, or is not zero, would be one group.
            _ => Ok(Shape::unknown()),
        }
    }

    fn arithmetic(&self, expr: &Expr, op: BinaryOp, left: &Expr, right: &Expr) -> Result<Shape, Refusal> {
        let (one, other) = (self.shape(left)?, self.shape(right)?);
        let small = |literal: &Literal| number(literal).filter(|number| number.abs() <= MAX_CONSTANT);
        match (&one, &other) {
            (Shape::Dimension(dimension), Shape::Constant(literal)) => {
                let Some(constant) = small(literal) else { return value(expr, [one, other]) };
                let whole = matches!(dimension.data_type, DataType::Int32 | DataType::Int64);
                let steps = !dimension.is_grouped() && constant >= 1.0 && is_ladder(constant);
                let apart = match op {
                    BinaryOp::Add | BinaryOp::Subtract => true,
                    BinaryOp::Divide if whole => steps && !dimension.is_binned(),
                    BinaryOp::Multiply | BinaryOp::Divide => constant != 0.0,
                    _ => false,
                };
                if apart {
                    Ok(grouped(dimension, "", &format!(" {op:?} {literal}")))
                } else {
                    value(expr, [one, other])
                }
            }
            (Shape::Constant(literal), Shape::Dimension(dimension))
                if small(literal).is_some_and(|constant| constant != 0.0)
                    && matches!(op, BinaryOp::Add | BinaryOp::Multiply) =>
            {
                Ok(grouped(dimension, "", &format!(" {op:?} {literal}")))
            }
            _ => value(expr, [one, other]),
        }
    }

    fn call(&self, expr: &Expr, function: Function, arguments: &[Expr]) -> Result<Shape, Refusal> {
        let shapes = arguments.iter().map(|argument| self.shape(argument)).collect::<Result<Vec<_>, _>>()?;
        let name = function.name();
        match (function, shapes.as_slice()) {
            (
                Function::DatePart | Function::DateTrunc,
                [Shape::Constant(part), Shape::Dimension(dimension)],
            ) if !dimension.is_grouped() => Ok(grouped(dimension, &format!("{name}({part}, "), ")")),
            (Function::DateBin, [Shape::Constant(width), Shape::Dimension(dimension)])
                if !dimension.is_grouped() && divides_a_day(width) =>
            {
                Ok(grouped(dimension, &format!("{name}({width}, "), ")"))
            }
            (
                Function::CharacterLength
                | Function::Lower
                | Function::Ltrim
                | Function::Rtrim
                | Function::Trim
                | Function::Upper,
                [Shape::Dimension(dimension)],
            ) if !dimension.is_grouped() => Ok(grouped(dimension, &format!("{name}("), ")")),
            (Function::Left, [Shape::Dimension(dimension), Shape::Constant(length)])
                if !dimension.is_grouped() =>
            {
                Ok(grouped(dimension, "left(", &format!(", {length})")))
            }
            (Function::Floor | Function::Trunc, [Shape::Dimension(dimension)])
                if self.is_step(dimension, arguments) =>
            {
                Ok(grouped(dimension, &format!("{name}("), ")"))
            }
            // A name for what has none, which is no other's name.
            (Function::Coalesce, [Shape::Dimension(dimension), Shape::Constant(literal)])
                if dimension.codes.as_ref().is_some_and(|codes| !codes.contains(&literal.to_string())) =>
            {
                Ok(grouped(dimension, "coalesce(", &format!(", {literal})")))
            }
            _ => value(expr, shapes),
        }
    }

    /// Whether a column, or a column divided by a step, is rounded down.
    fn is_step(&self, dimension: &Dimension, arguments: &[Expr]) -> bool {
        match arguments {
            [Expr::Binary { op: BinaryOp::Divide, left, right }] => {
                let named = match &**left {
                    Expr::TryCast { operand, .. } => matches!(**operand, Expr::Column(_)),
                    other => matches!(other, Expr::Column(_)),
                };
                let column =
                    named && self.dimension(left).is_some_and(|of| !of.is_grouped() && !of.is_binned());
                let Expr::Literal(step) = &**right else { return false };
                column && number(step).is_some_and(is_ladder)
            }
            _ => !dimension.is_grouped() && !dimension.is_binned(),
        }
    }
}

fn grouped(dimension: &Dimension, before: &str, after: &str) -> Shape {
    Shape::Dimension(dimension.grouped(format!("{before}{}{after}", dimension.name)))
}

/// Something that may be added up: it is there where all its parts are. What is made of measures alone is checked as a sum
/// ([`super::super::summand`]); of a dimension, a constant beside it could decide whether it is NULL.
fn value(expr: &Expr, parts: impl IntoIterator<Item = Shape>) -> Result<Shape, Refusal> {
    let (mut tests, mut present) = (Tests::default(), true);
    for part in parts {
        present &= match &part {
            Shape::Dimension(dimension) => dimension.summed,
            other => other.is_present(),
        };
        tests = tests.and(part.choice().ok_or_else(|| no_cell(expr))?)?;
    }
    Ok(Shape::Value { tests, present })
}

/// Minutes or hours that a day is a whole number of, days or weeks.
fn divides_a_day(width: &Literal) -> bool {
    match width.value() {
        Some(Value::Interval(interval)) if interval.months == 0 => {
            match (interval.days, interval.nanoseconds) {
                (1 | 7, 0) => true,
                (0, nanoseconds @ 1..) => NANOSECONDS % nanoseconds == 0,
                _ => false,
            }
        }
        _ => false,
    }
}
