//! Expressions of the language as expressions of the engine: typed already, and total.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::functions::{core, datetime, math, string, unicode};
use datafusion::logical_expr::expr::{Between, InList, Like, TryCast};
use datafusion::logical_expr::{BinaryExpr, Expr as PlanExpr, Operator, ScalarUDF, lit};
use jigsaw_proto::contract::NODE_COLUMN;
use jigsaw_proto::expr::{BinaryOp, Branch, Expr, Interval, Literal, UnaryOp, Value};
use jigsaw_proto::fragment::Relation;
use jigsaw_proto::function::Function;
use jigsaw_proto::types::{DataType, TimeUnit};

use super::relation::column;
use super::total::{DaysBetween, TotalArithmetic, TotalNegate};

/// Turns expressions into the engine's; `alias.node` of a scan is the node's id.
pub(super) struct Lowering {
    node: String,
    scans: HashSet<String>,
}

impl Lowering {
    pub(super) fn new(input: &Relation, node: &str) -> Self {
        let mut scans = HashSet::new();
        aliases(input, &mut scans);
        Self { node: node.to_owned(), scans }
    }

    pub(super) fn expr(&self, expr: &Expr) -> Result<PlanExpr> {
        Ok(match expr {
            Expr::Column(named) if named.name == NODE_COLUMN && self.scans.contains(&named.relation) => {
                lit(self.node.as_str())
            }
            Expr::Column(named) => column(&named.relation, &named.name),
            Expr::Literal(literal) => PlanExpr::Literal(scalar(literal)?, None),
            Expr::Binary { op, left, right } => self.binary(*op, left, right)?,
            Expr::Unary { op, operand } => self.unary(*op, operand)?,
            Expr::Between { operand, low, high, negated } => {
                let [operand, low, high] = [self.boxed(operand)?, self.boxed(low)?, self.boxed(high)?];
                PlanExpr::Between(Between::new(operand, *negated, low, high))
            }
            Expr::InList { operand, list, negated } => {
                let list = list.iter().map(|item| Ok(PlanExpr::Literal(scalar(item)?, None)));
                PlanExpr::InList(InList::new(self.boxed(operand)?, list.collect::<Result<_>>()?, *negated))
            }
            Expr::Like { operand, pattern, negated, ignore_case } => {
                let pattern = Box::new(lit(pattern.as_str()));
                PlanExpr::Like(Like::new(*negated, self.boxed(operand)?, pattern, None, *ignore_case))
            }
            Expr::Case { branches, otherwise } => self.case(branches, otherwise.as_deref())?,
            Expr::TryCast { operand, to } => {
                PlanExpr::TryCast(TryCast::new(self.boxed(operand)?, to.to_arrow()))
            }
            Expr::Call { function, arguments } => self.call(*function, arguments)?,
        })
    }

    fn boxed(&self, expr: &Expr) -> Result<Box<PlanExpr>> {
        Ok(Box::new(self.expr(expr)?))
    }

    fn binary(&self, op: BinaryOp, left: &Expr, right: &Expr) -> Result<PlanExpr> {
        let (left, right) = (self.expr(left)?, self.expr(right)?);
        Ok(match operator(op) {
            Some(operator) => {
                PlanExpr::BinaryExpr(BinaryExpr::new(Box::new(left), operator, Box::new(right)))
            }
            None => ScalarUDF::from(TotalArithmetic::new(op)).call(vec![left, right]),
        })
    }

    fn unary(&self, op: UnaryOp, operand: &Expr) -> Result<PlanExpr> {
        let operand = self.boxed(operand)?;
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

    fn case(&self, branches: &[Branch], otherwise: Option<&Expr>) -> Result<PlanExpr> {
        let pairs = branches.iter().map(|Branch { when, then }| Ok((self.boxed(when)?, self.boxed(then)?)));
        let otherwise = otherwise.map(|expr| self.boxed(expr)).transpose()?;
        Ok(PlanExpr::Case(datafusion::logical_expr::Case::new(
            None,
            pairs.collect::<Result<_>>()?,
            otherwise,
        )))
    }

    fn call(&self, function: Function, arguments: &[Expr]) -> Result<PlanExpr> {
        let mut lowered = arguments.iter().map(|argument| self.expr(argument)).collect::<Result<Vec<_>>>()?;
        Ok(match (function, lowered.as_mut_slice()) {
            (Function::Concat, [first, rest @ ..]) => rest.iter().fold(first.clone(), |text, next| {
                let (left, right) = (Box::new(text), Box::new(next.clone()));
                PlanExpr::BinaryExpr(BinaryExpr::new(left, Operator::StringConcat, right))
            }),
            (Function::Abs, [number]) => {
                let negated = ScalarUDF::from(TotalNegate::new()).call(vec![number.clone()]);
                let negative = ScalarUDF::from(TotalArithmetic::new(BinaryOp::Subtract))
                    .call(vec![number.clone(), number.clone()]);
                let branch = (Box::new(number.clone().lt(negative)), Box::new(negated));
                PlanExpr::Case(datafusion::logical_expr::Case::new(
                    None,
                    vec![branch],
                    Some(Box::new(number.clone())),
                ))
            }
            (Function::DaysBetween, _) => ScalarUDF::from(DaysBetween::new()).call(lowered),
            (function, _) => registered(function)?.call(lowered),
        })
    }
}

fn aliases(relation: &Relation, into: &mut HashSet<String>) {
    match relation {
        Relation::Scan { alias, .. } => {
            into.insert(alias.clone());
        }
        Relation::Filter { input, .. } | Relation::Project { input, .. } => aliases(input, into),
        Relation::Join(join) => {
            aliases(&join.left, into);
            aliases(&join.right, into);
        }
        Relation::UnionAll { inputs, .. } => inputs.iter().for_each(|input| aliases(input, into)),
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
        Function::Coalesce => core::coalesce(),
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
        Function::Abs | Function::Concat | Function::DaysBetween => {
            return Err(DataFusionError::Plan("a function that is lowered by itself".to_owned()));
        }
    })
}

/// A constant of the language as the engine's.
pub(super) fn scalar(literal: &Literal) -> Result<ScalarValue> {
    let Some(value) = literal.value() else { return ScalarValue::try_from(&literal.data_type().to_arrow()) };
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
        (_, Value::Text(text)) => ScalarValue::from(text.as_str()),
        (DataType::Decimal { precision, scale }, Value::Decimal(value)) => {
            ScalarValue::Decimal128(Some(*value), *precision, scale.cast_signed())
        }
        (_, Value::Decimal(_)) => return Err(DataFusionError::Plan("a decimal of another type".to_owned())),
        (_, Value::Interval(Interval { months, days, nanoseconds })) => {
            ScalarValue::new_interval_mdn(*months, *days, *nanoseconds)
        }
    })
}
