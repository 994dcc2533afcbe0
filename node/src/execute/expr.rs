//! Expressions of the language as expressions of the engine: typed already, and total.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType as ArrowType;
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::functions::{core, datetime, math, string, unicode};
use datafusion::logical_expr::expr::{Between, InList, Like, TryCast};
use datafusion::logical_expr::{BinaryExpr, Expr as PlanExpr, Operator, ScalarUDF, lit};
use jigsaw_proto::expr::{BinaryOp, Branch, Expr, Interval, Literal, UnaryOp, Value};
use jigsaw_proto::function::Function;
use jigsaw_proto::types::{DataType, TimeUnit};

use super::formula::{Formula, Matches};
use super::guarded::{Guarded, GuardedCast};
use super::relation::column;
use super::total::{DaysBetween, TotalAbs, TotalArithmetic, TotalNegate};

/// The type that columns and constants have in the engine. Text is read and grouped as views: one copy less of each cell.
pub(crate) fn engine_type(data_type: &DataType) -> ArrowType {
    match data_type {
        DataType::Text => ArrowType::Utf8View,
        other => other.to_arrow(),
    }
}

/// An expression of the language as the engine's.
pub(super) fn lower(expr: &Expr) -> Result<PlanExpr> {
    Ok(match expr {
        Expr::Column(named) => column(&named.relation, &named.name),
        Expr::Literal(literal) => PlanExpr::Literal(scalar(literal)?, None),
        Expr::Binary { op, left, right } => binary(*op, left, right)?,
        Expr::Unary { op, operand } => unary(*op, operand)?,
        Expr::Between { operand, low, high, negated } => {
            let [operand, low, high] = [boxed(operand)?, boxed(low)?, boxed(high)?];
            PlanExpr::Between(Between::new(operand, *negated, low, high))
        }
        Expr::InList { operand, list, negated } => {
            let list = list.iter().map(|item| Ok(PlanExpr::Literal(scalar(item)?, None)));
            PlanExpr::InList(InList::new(boxed(operand)?, list.collect::<Result<_>>()?, *negated))
        }
        Expr::Like { operand, pattern, negated, ignore_case } => {
            let pattern = Box::new(text(pattern));
            PlanExpr::Like(Like::new(*negated, boxed(operand)?, pattern, None, *ignore_case))
        }
        Expr::Case { branches, otherwise } => case(branches, otherwise.as_deref())?,
        Expr::TryCast { operand, to } => cast(lower(operand)?, to),
        Expr::Call { function, arguments } => call(*function, arguments)?,
    })
}

fn boxed(expr: &Expr) -> Result<Box<PlanExpr>> {
    Ok(Box::new(lower(expr)?))
}

fn binary(op: BinaryOp, left: &Expr, right: &Expr) -> Result<PlanExpr> {
    let (left, right) = (lower(left)?, lower(right)?);
    Ok(match operator(op) {
        Some(operator) => PlanExpr::BinaryExpr(BinaryExpr::new(Box::new(left), operator, Box::new(right))),
        None => ScalarUDF::from(TotalArithmetic::new(op)).call(vec![left, right]),
    })
}

fn unary(op: UnaryOp, operand: &Expr) -> Result<PlanExpr> {
    let operand = boxed(operand)?;
    Ok(match op {
        UnaryOp::Not => PlanExpr::Not(operand),
        UnaryOp::Negate => ScalarUDF::from(TotalNegate::new()).call(vec![*operand]),
        UnaryOp::IsNull => PlanExpr::IsNull(operand),
        UnaryOp::IsNotNull => PlanExpr::IsNotNull(operand),
        UnaryOp::IsTrue => PlanExpr::IsTrue(operand),
        UnaryOp::IsNotTrue => PlanExpr::IsNotTrue(operand),
        UnaryOp::IsFalse => PlanExpr::IsFalse(operand),
        UnaryOp::IsNotFalse => PlanExpr::IsNotFalse(operand),
    })
}

fn case(branches: &[Branch], otherwise: Option<&Expr>) -> Result<PlanExpr> {
    let pairs = branches.iter().map(|Branch { when, then }| Ok((boxed(when)?, boxed(then)?)));
    let otherwise = otherwise.map(boxed).transpose()?;
    Ok(PlanExpr::Case(datafusion::logical_expr::Case::new(None, pairs.collect::<Result<_>>()?, otherwise)))
}

fn call(function: Function, arguments: &[Expr]) -> Result<PlanExpr> {
    let lowered = arguments.iter().map(lower).collect::<Result<Vec<_>>>()?;
    Ok(match (function, lowered.as_slice()) {
        (Function::Concat, [first, rest @ ..]) => rest.iter().fold(first.clone(), |text, next| {
            let (left, right) = (Box::new(text), Box::new(next.clone()));
            PlanExpr::BinaryExpr(BinaryExpr::new(left, Operator::StringConcat, right))
        }),
        // The engine's own coalesce exists only until its optimizer has rewritten it like this.
        (Function::Coalesce, [first @ .., last]) => {
            let present = |expr: &PlanExpr| (Box::new(expr.clone().is_not_null()), Box::new(expr.clone()));
            match first {
                [] => last.clone(),
                first => PlanExpr::Case(datafusion::logical_expr::Case::new(
                    None,
                    first.iter().map(present).collect(),
                    Some(Box::new(last.clone())),
                )),
            }
        }
        (Function::RegexpLike, [operand, _]) => {
            let pattern = match arguments.get(1) {
                Some(Expr::Literal(literal)) => literal.value(),
                _ => None,
            };
            let Some(Value::Text(pattern)) = pattern else {
                return Err(DataFusionError::Plan("a pattern that is no constant".to_owned()));
            };
            ScalarUDF::from(Matches::new(pattern)).call(vec![operand.clone()])
        }
        (function, _) if function.formula().is_some() => {
            ScalarUDF::from(Formula::new(function)).call(lowered)
        }
        (Function::Abs, _) => ScalarUDF::from(TotalAbs::new()).call(lowered),
        (Function::DaysBetween, _) => ScalarUDF::from(DaysBetween::new()).call(lowered),
        (Function::DateBin | Function::DateTrunc | Function::Sqrt, _) => {
            ScalarUDF::from(Guarded::new(registered(function)?)).call(lowered)
        }
        (function, _) => registered(function)?.call(lowered),
    })
}

/// `TRY_CAST`, which the engine itself may only be trusted with for numbers.
fn cast(operand: PlanExpr, to: &DataType) -> PlanExpr {
    match to {
        DataType::Text | DataType::Date | DataType::Timestamp { .. } => {
            ScalarUDF::from(GuardedCast::new(engine_type(to))).call(vec![operand])
        }
        _ => PlanExpr::TryCast(TryCast::new(Box::new(operand), engine_type(to))),
    }
}

/// Operators of the engine that are total; arithmetic is not.
fn operator(op: BinaryOp) -> Option<Operator> {
    Some(match op {
        BinaryOp::Eq => Operator::Eq,
        BinaryOp::NotEq => Operator::NotEq,
        BinaryOp::Lt => Operator::Lt,
        BinaryOp::LtEq => Operator::LtEq,
        BinaryOp::Gt => Operator::Gt,
        BinaryOp::GtEq => Operator::GtEq,
        BinaryOp::IsDistinctFrom => Operator::IsDistinctFrom,
        BinaryOp::IsNotDistinctFrom => Operator::IsNotDistinctFrom,
        BinaryOp::And => Operator::And,
        BinaryOp::Or => Operator::Or,
        BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Modulo => {
            return None;
        }
    })
}

/// Functions that the engine computes as the allow-list promises.
fn registered(function: Function) -> Result<Arc<ScalarUDF>> {
    Ok(match function {
        Function::Ceil => math::ceil(),
        Function::CharacterLength => unicode::character_length(),
        Function::DateBin => datetime::date_bin(),
        Function::DatePart => datetime::date_part(),
        Function::DateTrunc => datetime::date_trunc(),
        Function::Exp => math::exp(),
        Function::Floor => math::floor(),
        Function::Greatest => core::greatest(),
        Function::Least => core::least(),
        Function::Left => unicode::left(),
        Function::Ln => math::ln(),
        Function::Log10 => math::log10(),
        Function::Lower => string::lower(),
        Function::Ltrim => string::ltrim(),
        Function::Nullif => core::nullif(),
        Function::Power => math::power(),
        Function::Right => unicode::right(),
        Function::Round => math::round(),
        Function::Rtrim => string::rtrim(),
        Function::Signum => math::signum(),
        Function::Sqrt => math::sqrt(),
        Function::StartsWith => string::starts_with(),
        Function::Strpos => unicode::strpos(),
        Function::Substr => unicode::substr(),
        Function::Trim => string::btrim(),
        Function::Trunc => math::trunc(),
        Function::Upper => string::upper(),
        Function::Abs
        | Function::AbsoluteHumidity
        | Function::Coalesce
        | Function::Concat
        | Function::CriticalHumidity
        | Function::DaysBetween
        | Function::DewPoint
        | Function::RegexpLike
        | Function::SurfaceHumidity => {
            return Err(DataFusionError::Plan("a function that is lowered by itself".to_owned()));
        }
    })
}

/// Constant text.
pub(super) fn text(text: &str) -> PlanExpr {
    lit(ScalarValue::Utf8View(Some(text.to_owned())))
}

/// A constant of the language as the engine's.
pub(super) fn scalar(literal: &Literal) -> Result<ScalarValue> {
    let Some(value) = literal.value() else {
        return ScalarValue::try_from(&engine_type(literal.data_type()));
    };
    let narrow = |value: i64| {
        i32::try_from(value).map_err(|_| DataFusionError::Plan("a constant outside its type".to_owned()))
    };
    Ok(match (literal.data_type(), value) {
        (_, Value::Boolean(value)) => ScalarValue::from(*value),
        (DataType::Int32, Value::Integer(value)) => ScalarValue::Int32(Some(narrow(*value)?)),
        (DataType::Date, Value::Integer(value)) => ScalarValue::Date32(Some(narrow(*value)?)),
        (DataType::Timestamp { unit, zone }, Value::Integer(value)) => {
            let (value, zone) = (Some(*value), zone.clone());
            match unit {
                TimeUnit::Second => ScalarValue::TimestampSecond(value, zone),
                TimeUnit::Millisecond => ScalarValue::TimestampMillisecond(value, zone),
                TimeUnit::Microsecond => ScalarValue::TimestampMicrosecond(value, zone),
                TimeUnit::Nanosecond => ScalarValue::TimestampNanosecond(value, zone),
            }
        }
        (_, Value::Integer(value)) => ScalarValue::from(*value),
        (_, Value::Float(value)) => ScalarValue::from(*value),
        (_, Value::Text(text)) => ScalarValue::Utf8View(Some(text.clone())),
        (DataType::Decimal { precision, scale }, Value::Decimal(value)) => {
            ScalarValue::Decimal128(Some(*value), *precision, scale.cast_signed())
        }
        (_, Value::Decimal(_)) => return Err(DataFusionError::Plan("a decimal of another type".to_owned())),
        (_, Value::Interval(Interval { months, days, nanoseconds })) => {
            ScalarValue::new_interval_mdn(*months, *days, *nanoseconds)
        }
    })
}
