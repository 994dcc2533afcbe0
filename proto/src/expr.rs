//! The closed expression language, and how it reads as SQL.
//!
//! An expression computes one value from one row, without error for any row: arithmetic that overflows or divides by
//! zero is NULL, a cast that fails is NULL, functions come from an allow-list of total ones. There are no subqueries,
//! parameters, volatile functions or references to other rows.

mod display;
mod literal;
mod wire;

use std::fmt;

pub use literal::{Interval, Literal, Value};

use crate::function::Function;
use crate::types::DataType;

/// Deepest nesting of an expression that the message decoder reads.
pub const MAX_DEPTH: usize = 40;

/// A column as a fragment names it: the alias of a relation and the name in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Column {
    /// Alias of a scan, projection or union.
    pub relation: String,
    /// Name within it.
    pub name: String,
}

impl Column {
    /// `relation.name`
    pub fn new(relation: impl Into<String>, name: impl Into<String>) -> Self {
        Self { relation: relation.into(), name: name.into() }
    }
}

/// An expression over one row.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "fields are the operands that the SQL form shows")]
pub enum Expr {
    /// `relation.name`
    Column(Column),
    /// a constant
    Literal(Literal),
    /// `left op right`
    Binary { op: BinaryOp, left: Box<Self>, right: Box<Self> },
    /// `NOT x`, `-x`, `x IS NULL`, …
    Unary { op: UnaryOp, operand: Box<Self> },
    /// `operand [NOT] BETWEEN low AND high`
    Between { operand: Box<Self>, low: Box<Self>, high: Box<Self>, negated: bool },
    /// `operand [NOT] IN (literals)`
    InList { operand: Box<Self>, list: Vec<Literal>, negated: bool },
    /// `operand [NOT] [I]LIKE 'pattern'`
    Like { operand: Box<Self>, pattern: String, negated: bool, ignore_case: bool },
    /// `CASE WHEN … THEN … ELSE … END`
    Case { branches: Vec<Branch>, otherwise: Option<Box<Self>> },
    /// `TRY_CAST(operand AS to)`
    TryCast { operand: Box<Self>, to: DataType },
    /// a function of the allow-list
    Call { function: Function, arguments: Vec<Self> },
}

/// `WHEN when THEN then`
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the SQL form says it")]
pub struct Branch {
    pub when: Expr,
    pub then: Expr,
}

/// Operators with two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the SQL operators")]
pub enum BinaryOp {
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
    Modulo,
}

impl BinaryOp {
    /// `=`, `<`, `IS DISTINCT FROM`, …
    pub fn is_comparison(self) -> bool {
        matches!(
            self,
            Self::Eq
                | Self::NotEq
                | Self::Lt
                | Self::LtEq
                | Self::Gt
                | Self::GtEq
                | Self::IsDistinctFrom
                | Self::IsNotDistinctFrom
        )
    }

    /// The comparison that says the same with its sides exchanged: `a < b` as `b > a`. What is no order is its own.
    #[must_use]
    pub fn turned(self) -> Self {
        match self {
            Self::Lt => Self::Gt,
            Self::LtEq => Self::GtEq,
            Self::Gt => Self::Lt,
            Self::GtEq => Self::LtEq,
            same => same,
        }
    }

    /// `AND`, `OR`
    pub fn is_logical(self) -> bool {
        matches!(self, Self::And | Self::Or)
    }
}

/// Operators with one operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the SQL operators")]
pub enum UnaryOp {
    Not,
    Negate,
    IsNull,
    IsNotNull,
    IsTrue,
    IsNotTrue,
    IsFalse,
    IsNotFalse,
}

impl Expr {
    /// `self op right`
    #[must_use]
    pub fn binary(self, op: BinaryOp, right: Self) -> Self {
        Self::Binary { op, left: Box::new(self), right: Box::new(right) }
    }

    /// `op self`
    #[must_use]
    pub fn unary(self, op: UnaryOp) -> Self {
        Self::Unary { op, operand: Box::new(self) }
    }

    /// `first op second op …` as a tree of least depth, so that long conditions stay within [`MAX_DEPTH`]; `None` of no
    /// terms. The operator must be associative.
    pub fn balanced(op: BinaryOp, mut terms: Vec<Self>) -> Option<Self> {
        if terms.len() <= 1 {
            return terms.pop();
        }
        let right = terms.split_off(terms.len() / 2);
        Some(Self::balanced(op, terms)?.binary(op, Self::balanced(op, right)?))
    }

    /// Levels of nesting; a column or literal has one.
    pub fn depth(&self) -> usize {
        1 + self.operands().into_iter().map(Self::depth).max().unwrap_or(0)
    }

    /// The direct operands, in the order they are written.
    pub fn operands(&self) -> Vec<&Self> {
        match self {
            Self::Column(_) | Self::Literal(_) => vec![],
            Self::Binary { left, right, .. } => vec![left, right],
            Self::Unary { operand, .. }
            | Self::InList { operand, .. }
            | Self::Like { operand, .. }
            | Self::TryCast { operand, .. } => vec![operand],
            Self::Between { operand, low, high, .. } => vec![operand, low, high],
            Self::Case { branches, otherwise } => {
                let pairs = branches.iter().flat_map(|branch| [&branch.when, &branch.then]);
                pairs.chain(otherwise.as_deref()).collect()
            }
            Self::Call { arguments, .. } => arguments.iter().collect(),
        }
    }

    /// Calls `visit` for this expression and everything below it, outermost first.
    pub fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Self)) {
        visit(self);
        for operand in self.operands() {
            operand.walk(visit);
        }
    }

    /// Every column named in it.
    pub fn columns(&self) -> Vec<&Column> {
        let mut columns = vec![];
        self.walk(&mut |expr| {
            if let Self::Column(column) = expr {
                columns.push(column);
            }
        });
        columns
    }
}

/// As SQL; the text is for people and the audit log, never parsed back.
impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        display::expr(self, f)
    }
}

/// `relation.name`, quoted where SQL needs it.
impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", quoted(&self.relation), quoted(&self.name))
    }
}

pub(crate) use display::quoted;
