//! Expressions as messages. Every generated struct is taken apart field by field, so that a new field is a compile error.

use super::{BinaryOp, Branch, Column, Expr, Interval, Literal, UnaryOp, Value};
use crate::function::Function;
use crate::generated as wire;
use crate::wire::Malformed;

type Result<T> = std::result::Result<T, Malformed>;

impl From<&Expr> for wire::Expr {
    fn from(expr: &Expr) -> Self {
        use wire::expr::Kind;
        let kind = match expr {
            Expr::Column(column) => Kind::Column(column.into()),
            Expr::Literal(literal) => Kind::Literal(literal.into()),
            Expr::Binary { op, left, right } => Kind::Binary(Box::new(wire::Binary {
                op: wire::BinaryOp::from(*op).into(),
                left: boxed(left),
                right: boxed(right),
            })),
            Expr::Unary { op, operand } => Kind::Unary(Box::new(wire::Unary {
                op: wire::UnaryOp::from(*op).into(),
                operand: boxed(operand),
            })),
            Expr::Between { operand, low, high, negated } => Kind::Between(Box::new(wire::Between {
                operand: boxed(operand),
                low: boxed(low),
                high: boxed(high),
                negated: *negated,
            })),
            Expr::InList { operand, list, negated } => Kind::InList(Box::new(wire::InList {
                operand: boxed(operand),
                list: list.iter().map(Into::into).collect(),
                negated: *negated,
            })),
            Expr::Like { operand, pattern, negated, ignore_case } => Kind::Like(Box::new(wire::Like {
                operand: boxed(operand),
                pattern: pattern.clone(),
                negated: *negated,
                ignore_case: *ignore_case,
            })),
            Expr::Case { branches, otherwise } => Kind::Case(Box::new(wire::Case {
                branches: branches.iter().map(Into::into).collect(),
                otherwise: otherwise.as_deref().and_then(boxed),
            })),
            Expr::TryCast { operand, to } => {
                Kind::TryCast(Box::new(wire::TryCast { operand: boxed(operand), to: Some(to.into()) }))
            }
            Expr::Call { function, arguments } => Kind::Call(wire::Call {
                function: function.name().to_owned(),
                arguments: arguments.iter().map(Into::into).collect(),
            }),
        };
        Self { kind: Some(kind) }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every generated message field")]
fn boxed(expr: &Expr) -> Option<Box<wire::Expr>> {
    Some(Box::new(expr.into()))
}

fn required(expr: Option<Box<wire::Expr>>) -> Result<Box<Expr>> {
    let expr = expr.ok_or(Malformed("an operand is missing"))?;
    Ok(Box::new((*expr).try_into()?))
}

impl TryFrom<wire::Expr> for Expr {
    type Error = Malformed;

    fn try_from(message: wire::Expr) -> Result<Self> {
        use wire::expr::Kind;
        let wire::Expr { kind } = message;
        Ok(match kind.ok_or(Malformed("an expression is missing or of an unknown kind"))? {
            Kind::Column(column) => Self::Column(column.into()),
            Kind::Literal(literal) => Self::Literal(literal.try_into()?),
            Kind::Binary(binary) => {
                let wire::Binary { op, left, right } = *binary;
                let op = wire::BinaryOp::try_from(op).unwrap_or(wire::BinaryOp::Unspecified);
                Self::Binary { op: op.try_into()?, left: required(left)?, right: required(right)? }
            }
            Kind::Unary(unary) => {
                let wire::Unary { op, operand } = *unary;
                let op = wire::UnaryOp::try_from(op).unwrap_or(wire::UnaryOp::Unspecified);
                Self::Unary { op: op.try_into()?, operand: required(operand)? }
            }
            Kind::Between(between) => {
                let wire::Between { operand, low, high, negated } = *between;
                Self::Between {
                    operand: required(operand)?,
                    low: required(low)?,
                    high: required(high)?,
                    negated,
                }
            }
            Kind::InList(in_list) => {
                let wire::InList { operand, list, negated } = *in_list;
                let list = list.into_iter().map(TryInto::try_into).collect::<Result<_>>()?;
                Self::InList { operand: required(operand)?, list, negated }
            }
            Kind::Like(like) => {
                let wire::Like { operand, pattern, negated, ignore_case } = *like;
                Self::Like { operand: required(operand)?, pattern, negated, ignore_case }
            }
            Kind::Case(case) => {
                let wire::Case { branches, otherwise } = *case;
                let branches = branches.into_iter().map(TryInto::try_into).collect::<Result<Vec<_>>>()?;
                if branches.is_empty() {
                    return Err(Malformed("a CASE has no WHEN"));
                }
                let otherwise = otherwise.map(|otherwise| required(Some(otherwise))).transpose()?;
                Self::Case { branches, otherwise }
            }
            Kind::TryCast(cast) => {
                let wire::TryCast { operand, to } = *cast;
                Self::TryCast {
                    operand: required(operand)?,
                    to: to.ok_or(Malformed("a cast has no type"))?.try_into()?,
                }
            }
            Kind::Call(call) => {
                let wire::Call { function, arguments } = call;
                let function =
                    Function::from_name(&function).ok_or(Malformed("a function is not on the allow-list"))?;
                Self::Call {
                    function,
                    arguments: arguments.into_iter().map(TryInto::try_into).collect::<Result<_>>()?,
                }
            }
        })
    }
}

impl From<&Branch> for wire::Branch {
    fn from(branch: &Branch) -> Self {
        Self { when: Some((&branch.when).into()), then: Some((&branch.then).into()) }
    }
}

impl TryFrom<wire::Branch> for Branch {
    type Error = Malformed;

    fn try_from(message: wire::Branch) -> Result<Self> {
        let wire::Branch { when, then } = message;
        let missing = Malformed("a branch of a CASE is incomplete");
        Ok(Self { when: when.ok_or(missing)?.try_into()?, then: then.ok_or(missing)?.try_into()? })
    }
}

impl From<&Column> for wire::Column {
    fn from(Column { relation, name }: &Column) -> Self {
        Self { relation: relation.clone(), name: name.clone() }
    }
}

impl From<wire::Column> for Column {
    fn from(wire::Column { relation, name }: wire::Column) -> Self {
        Self { relation, name }
    }
}

impl From<&Literal> for wire::Literal {
    fn from(literal: &Literal) -> Self {
        use wire::literal::Value as Wire;
        let value = literal.value().map(|value| match value {
            Value::Boolean(value) => Wire::Boolean(*value),
            Value::Integer(value) => Wire::Integer(*value),
            Value::Float(value) => Wire::Float(*value),
            Value::Text(value) => Wire::Text(value.clone()),
            Value::Decimal(value) => Wire::Decimal(value.to_be_bytes().to_vec()),
            Value::Interval(Interval { months, days, nanoseconds }) => {
                Wire::Interval(wire::Interval { months: *months, days: *days, nanoseconds: *nanoseconds })
            }
        });
        Self { r#type: Some(literal.data_type().into()), value }
    }
}

impl TryFrom<wire::Literal> for Literal {
    type Error = Malformed;

    fn try_from(message: wire::Literal) -> Result<Self> {
        use wire::literal::Value as Wire;
        let wire::Literal { r#type, value } = message;
        let data_type = r#type.ok_or(Malformed("a literal has no type"))?.try_into()?;
        let value = value
            .map(|value| {
                Ok(match value {
                    Wire::Boolean(value) => Value::Boolean(value),
                    Wire::Integer(value) => Value::Integer(value),
                    Wire::Float(value) => Value::Float(value),
                    Wire::Text(value) => Value::Text(value),
                    Wire::Decimal(bytes) => {
                        let bytes = bytes.try_into().map_err(|_| Malformed("a decimal has not 16 bytes"))?;
                        Value::Decimal(i128::from_be_bytes(bytes))
                    }
                    Wire::Interval(wire::Interval { months, days, nanoseconds }) => {
                        Value::Interval(Interval { months, days, nanoseconds })
                    }
                })
            })
            .transpose()?;
        Self::new(data_type, value).ok_or(Malformed("a literal's value is not of its type"))
    }
}

/// Two enums that name the same things, both ways from one list.
macro_rules! mirrored {
    ($name:ident { $($variant:ident),+ $(,)? }, $unknown:literal) => {
        impl From<$name> for wire::$name {
            fn from(value: $name) -> Self {
                match value { $($name::$variant => Self::$variant),+ }
            }
        }

        impl TryFrom<wire::$name> for $name {
            type Error = Malformed;

            fn try_from(value: wire::$name) -> Result<Self> {
                match value {
                    $(wire::$name::$variant => Ok(Self::$variant),)+
                    wire::$name::Unspecified => Err(Malformed($unknown)),
                }
            }
        }
    };
}

mirrored!(
    BinaryOp {
        Eq,
        NotEq,
        Lt,
        LtEq,
        Gt,
        GtEq,
        IsDistinctFrom,
        IsNotDistinctFrom,
        And,
        Or,
        Add,
        Subtract,
        Multiply,
        Divide,
        Modulo
    },
    "an operator is missing or unknown"
);
mirrored!(
    UnaryOp { Not, Negate, IsNull, IsNotNull, IsTrue, IsNotTrue, IsFalse, IsNotFalse },
    "an operator is missing or unknown"
);
