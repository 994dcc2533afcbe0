//! Expressions of the planner in the words of the fragment language.

use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::expr::{Case, InList};
use datafusion::logical_expr::{Between, BinaryExpr, Expr as PlanExpr, ExprSchemable, Like, Operator};
use jigsaw_proto::expr::{BinaryOp, Branch, Column, Expr, Interval, Literal, UnaryOp, Value};
use jigsaw_proto::function::Function;
use jigsaw_proto::types::DataType;

/// An expression over the columns of `schema`.
pub(super) fn translate(expr: &PlanExpr, schema: &DFSchema) -> Result<Expr, String> {
    let each = |expr: &PlanExpr| translate(expr, schema);
    let boxed = |expr: &PlanExpr| translate(expr, schema).map(Box::new);
    let unary = |op: UnaryOp, operand: &PlanExpr| Ok(translate(operand, schema)?.unary(op));
    match expr {
        PlanExpr::Alias(alias) => each(&alias.expr),
        PlanExpr::Column(_) => column(expr).map(Expr::Column),
        PlanExpr::Literal(value, _) => literal(value).map(Expr::Literal),
        PlanExpr::BinaryExpr(BinaryExpr { left, op: Operator::StringConcat, right }) => {
            Ok(Expr::Call { function: Function::Concat, arguments: vec![each(left)?, each(right)?] })
        }
        PlanExpr::BinaryExpr(BinaryExpr { left, op, right }) => {
            Ok(each(left)?.binary(operator(*op)?, each(right)?))
        }
        PlanExpr::Not(operand) => unary(UnaryOp::Not, operand),
        PlanExpr::Negative(operand) => unary(UnaryOp::Negate, operand),
        PlanExpr::IsNull(operand) | PlanExpr::IsUnknown(operand) => unary(UnaryOp::IsNull, operand),
        PlanExpr::IsNotNull(operand) | PlanExpr::IsNotUnknown(operand) => unary(UnaryOp::IsNotNull, operand),
        PlanExpr::IsTrue(operand) => unary(UnaryOp::IsTrue, operand),
        PlanExpr::IsNotTrue(operand) => unary(UnaryOp::IsNotTrue, operand),
        PlanExpr::IsFalse(operand) => unary(UnaryOp::IsFalse, operand),
        PlanExpr::IsNotFalse(operand) => unary(UnaryOp::IsNotFalse, operand),
        PlanExpr::Between(Between { expr, negated, low, high }) => Ok(Expr::Between {
            operand: boxed(expr)?,
            low: boxed(low)?,
            high: boxed(high)?,
            negated: *negated,
        }),
        PlanExpr::InList(InList { expr, list, negated }) => {
            let list = list.iter().map(constant).collect::<Result<_, _>>()?;
            Ok(Expr::InList { operand: boxed(expr)?, list, negated: *negated })
        }
        PlanExpr::Like(Like { negated, expr, pattern, escape_char: None, case_insensitive }) => {
            let Some(Value::Text(pattern)) = constant(pattern)?.value().cloned() else {
                return Err("the pattern of LIKE must be a constant text".to_owned());
            };
            Ok(Expr::Like {
                operand: boxed(expr)?,
                pattern,
                negated: *negated,
                ignore_case: *case_insensitive,
            })
        }
        PlanExpr::Case(case) => choice(case, schema),
        PlanExpr::Cast(cast) => conform(&cast.expr, expr, schema),
        PlanExpr::TryCast(cast) => conform(&cast.expr, expr, schema),
        PlanExpr::ScalarFunction(call) => {
            let function = Function::from_name(call.name()).ok_or_else(|| outside(expr))?;
            let arguments = call.args.iter().map(each).collect::<Result<Vec<_>, _>>()?;
            Ok(Expr::Call { function, arguments: arguments_of(function, arguments) })
        }
        _ => Err(outside(expr)),
    }
}

/// SQL's `concat` takes NULL for the empty text; the language writes the parts of a date in small letters.
fn arguments_of(function: Function, mut arguments: Vec<Expr>) -> Vec<Expr> {
    match (function, arguments.first_mut()) {
        (Function::Concat, _) => {
            let filled = |argument| vec![argument, Expr::Literal(Literal::text(""))];
            let filled = arguments
                .into_iter()
                .map(|argument| Expr::Call { function: Function::Coalesce, arguments: filled(argument) });
            filled.collect()
        }
        (Function::DatePart | Function::DateTrunc, Some(Expr::Literal(part))) => {
            if let Some(Value::Text(text)) = part.value() {
                *part = Literal::text(text.to_lowercase());
            }
            arguments
        }
        _ => arguments,
    }
}

/// A column of a named relation.
pub(super) fn column(expr: &PlanExpr) -> Result<Column, String> {
    match expr {
        PlanExpr::Column(column) => match &column.relation {
            Some(relation) => Ok(Column::new(relation.table(), column.name.as_str())),
            None => Err(format!("column {column} belongs to no named table: give its subquery an alias")),
        },
        _ => Err(format!("{expr} is no column: join on columns")),
    }
}

fn outside(expr: &PlanExpr) -> String {
    format!("{expr} is outside of what nodes compute")
}

fn constant(expr: &PlanExpr) -> Result<Literal, String> {
    match expr {
        PlanExpr::Literal(value, _) => literal(value),
        _ => Err(format!("{expr} is no constant")),
    }
}

fn conform(operand: &PlanExpr, cast: &PlanExpr, schema: &DFSchema) -> Result<Expr, String> {
    let language = |expr: &PlanExpr| {
        let arrow = expr.get_type(schema).ok();
        arrow.and_then(|arrow| DataType::from_arrow(&arrow)).ok_or_else(|| outside(expr))
    };
    let to = language(cast)?;
    let same = language(operand).is_ok_and(|from| from == to);
    let operand = translate(operand, schema)?;
    Ok(if same { operand } else { Expr::TryCast { operand: Box::new(operand), to } })
}

/// `CASE x WHEN a …` is `CASE WHEN x = a …`.
fn choice(case: &Case, schema: &DFSchema) -> Result<Expr, String> {
    let Case { expr, when_then_expr, else_expr } = case;
    let operand = expr.as_deref().map(|expr| translate(expr, schema)).transpose()?;
    let branches = when_then_expr.iter().map(|(when, then)| {
        let when = translate(when, schema)?;
        let when = operand.clone().map_or_else(|| when.clone(), |x| x.binary(BinaryOp::Eq, when.clone()));
        Ok(Branch { when, then: translate(then, schema)? })
    });
    Ok(Expr::Case {
        branches: branches.collect::<Result<_, String>>()?,
        otherwise: else_expr.as_deref().map(|expr| translate(expr, schema).map(Box::new)).transpose()?,
    })
}

fn operator(op: Operator) -> Result<BinaryOp, String> {
    Ok(match op {
        Operator::Eq => BinaryOp::Eq,
        Operator::NotEq => BinaryOp::NotEq,
        Operator::Lt => BinaryOp::Lt,
        Operator::LtEq => BinaryOp::LtEq,
        Operator::Gt => BinaryOp::Gt,
        Operator::GtEq => BinaryOp::GtEq,
        Operator::IsDistinctFrom => BinaryOp::IsDistinctFrom,
        Operator::IsNotDistinctFrom => BinaryOp::IsNotDistinctFrom,
        Operator::And => BinaryOp::And,
        Operator::Or => BinaryOp::Or,
        Operator::Plus => BinaryOp::Add,
        Operator::Minus => BinaryOp::Subtract,
        Operator::Multiply => BinaryOp::Multiply,
        Operator::Divide => BinaryOp::Divide,
        Operator::Modulo => BinaryOp::Modulo,
        _ => return Err(format!("the operator {op} is outside of what nodes compute")),
    })
}

fn literal(value: &ScalarValue) -> Result<Literal, String> {
    let data_type = DataType::from_arrow(&value.data_type());
    let value_of = match value {
        value if value.is_null() => None,
        ScalarValue::Boolean(Some(value)) => Some(Value::Boolean(*value)),
        ScalarValue::Int32(Some(value)) | ScalarValue::Date32(Some(value)) => {
            Some(Value::Integer((*value).into()))
        }
        ScalarValue::Int64(Some(value))
        | ScalarValue::TimestampSecond(Some(value), _)
        | ScalarValue::TimestampMillisecond(Some(value), _)
        | ScalarValue::TimestampMicrosecond(Some(value), _)
        | ScalarValue::TimestampNanosecond(Some(value), _) => Some(Value::Integer(*value)),
        ScalarValue::Float64(Some(value)) => Some(Value::Float(*value)),
        ScalarValue::Decimal128(Some(value), ..) => Some(Value::Decimal(*value)),
        ScalarValue::IntervalMonthDayNano(Some(span)) => Some(Value::Interval(Interval {
            months: span.months,
            days: span.days,
            nanoseconds: span.nanoseconds,
        })),
        ScalarValue::Utf8(Some(text)) => Some(Value::Text(text.clone())),
        other => return Err(format!("the constant {other} is outside of what nodes compute")),
    };
    let literal = data_type.and_then(|data_type| Literal::new(data_type, value_of));
    literal.ok_or_else(|| format!("the constant {value} is outside of what nodes compute"))
}
