//! Expressions as SQL.

use std::fmt;

use super::{BinaryOp, Expr, UnaryOp};

/// An identifier as SQL writes it: bare when it is a plain lower-case word, else in double quotes.
pub(crate) fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_') && name.chars().all(plain) {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// A string literal.
pub(super) fn string(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

pub(super) fn expr(expr: &Expr, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match expr {
        Expr::Column(column) => write!(f, "{column}"),
        Expr::Literal(literal) => write!(f, "{literal}"),
        Expr::Binary { op, left, right } => {
            write!(f, "{} {} {}", Operand(left), op.symbol(), Operand(right))
        }
        Expr::Unary { op, operand } => unary(*op, operand, f),
        Expr::Between { operand, low, high, negated } => {
            write!(f, "{}{} BETWEEN {} AND {}", Operand(operand), not(*negated), Operand(low), Operand(high))
        }
        Expr::InList { operand, list, negated } => {
            let list = list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            write!(f, "{}{} IN ({list})", Operand(operand), not(*negated))
        }
        Expr::Like { operand, pattern, negated, ignore_case } => {
            let like = if *ignore_case { "ILIKE" } else { "LIKE" };
            write!(f, "{}{} {like} {}", Operand(operand), not(*negated), string(pattern))
        }
        Expr::Case { branches, otherwise } => {
            f.write_str("CASE")?;
            for branch in branches {
                write!(f, " WHEN {} THEN {}", branch.when, branch.then)?;
            }
            if let Some(otherwise) = otherwise {
                write!(f, " ELSE {otherwise}")?;
            }
            f.write_str(" END")
        }
        Expr::TryCast { operand, to } => write!(f, "TRY_CAST({operand} AS {to})"),
        Expr::Call { function, arguments } => {
            let arguments = arguments.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            write!(f, "{}({arguments})", function.name())
        }
    }
}

fn unary(op: UnaryOp, operand: &Expr, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let operand = Operand(operand);
    match op {
        UnaryOp::Not => write!(f, "NOT {operand}"),
        UnaryOp::Negate => write!(f, "-{operand}"),
        UnaryOp::IsNull => write!(f, "{operand} IS NULL"),
        UnaryOp::IsNotNull => write!(f, "{operand} IS NOT NULL"),
        UnaryOp::IsTrue => write!(f, "{operand} IS TRUE"),
        UnaryOp::IsNotTrue => write!(f, "{operand} IS NOT TRUE"),
        UnaryOp::IsFalse => write!(f, "{operand} IS FALSE"),
        UnaryOp::IsNotFalse => write!(f, "{operand} IS NOT FALSE"),
    }
}

fn not(negated: bool) -> &'static str {
    if negated { " NOT" } else { "" }
}

/// An operand, in parentheses unless it binds tighter than any operator.
struct Operand<'a>(&'a Expr);

impl fmt::Display for Operand<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Expr::Column(_)
            | Expr::Literal(_)
            | Expr::TryCast { .. }
            | Expr::Call { .. }
            | Expr::Case { .. } => expr(self.0, f),
            _ => {
                f.write_str("(")?;
                expr(self.0, f)?;
                f.write_str(")")
            }
        }
    }
}

impl BinaryOp {
    /// The operator as SQL writes it.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Eq => "=",
            Self::NotEq => "<>",
            Self::Lt => "<",
            Self::LtEq => "<=",
            Self::Gt => ">",
            Self::GtEq => ">=",
            Self::IsDistinctFrom => "IS DISTINCT FROM",
            Self::IsNotDistinctFrom => "IS NOT DISTINCT FROM",
            Self::And => "AND",
            Self::Or => "OR",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
        }
    }
}
