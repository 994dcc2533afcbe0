//! Which nodes can have no rows for a question: by its conditions on `node` and on columns whose values nodes have declared.
//!
//! A condition is evaluated once for all rows that a node can serve: of each test, which of true, false and NULL it can be. AND, OR
//! and NOT put these together in SQL's logic of three values. What is not understood can be anything, so that a node is spared
//! only if no row of its can be kept.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use jigsaw_proto::contract::NODE_COLUMN;
use jigsaw_proto::expr::{BinaryOp, Column, Expr, Literal, UnaryOp, Value};
use jigsaw_proto::fragment::{Join, JoinKind, Relation};
use jigsaw_proto::release::Key;
use jigsaw_proto::types::DataType;

use super::{NodeStatus, NodeView};

/// What a condition can be for the rows of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Truth {
    yes: bool,
    no: bool,
    null: bool,
}

/// The values a column can have in the rows of a node.
struct Domain {
    values: BTreeSet<Key>,
    nullable: bool,
}

/// Whether a node can have a row of `relation`, with what it declared; or, without `declared`, by its name alone.
pub(super) fn can_have_rows(relation: &Relation, node: &NodeView, declared: bool) -> bool {
    Rows { node, declared }.of(relation)
}

struct Rows<'a> {
    node: &'a NodeView,
    declared: bool,
}

impl Rows<'_> {
    fn of(&self, relation: &Relation) -> bool {
        match relation {
            // A node that has said what it holds has no rows of anything else.
            Relation::Scan { dataset, .. } => {
                !self.node.described || self.node.datasets.contains_key(dataset)
            }
            Relation::Filter { input, predicate } => self.of(input) && self.truth(predicate, input).yes,
            Relation::Project { input, .. } => self.of(input),
            Relation::Join(join) => self.of_join(join),
            Relation::UnionAll { inputs, .. } => inputs.iter().any(|input| self.of(input)),
            // Without keys there is one row, of nothing at all too.
            Relation::Aggregate { input, keys, .. } => keys.is_empty() || self.of(input),
        }
    }

    fn of_join(&self, join: &Join) -> bool {
        let (left, right) = (self.of(&join.left), self.of(&join.right));
        match join.kind {
            JoinKind::Inner | JoinKind::Semi => left && right,
            JoinKind::Left | JoinKind::Anti => left,
            JoinKind::Right => right,
            JoinKind::Full => left || right,
        }
    }

    fn truth(&self, predicate: &Expr, input: &Relation) -> Truth {
        let truth = |expr: &Expr| self.truth(expr, input);
        match predicate {
            Expr::Literal(literal) => Truth::constant(literal),
            Expr::Binary { op: BinaryOp::And, left, right } => truth(left).and(truth(right)),
            Expr::Binary { op: BinaryOp::Or, left, right } => truth(left).not().and(truth(right).not()).not(),
            Expr::Binary { op, left, right } if op.is_comparison() => {
                let ((column, Expr::Literal(literal)) | (Expr::Literal(literal), column)) =
                    (&**left, &**right)
                else {
                    return Truth::ANY;
                };
                let op = if matches!(**left, Expr::Literal(_)) { op.turned() } else { *op };
                self.domain(column, input).map_or(Truth::ANY, |domain| domain.compared(op, literal))
            }
            Expr::InList { operand, list, negated } => {
                let Some(domain) = self.domain(operand, input) else { return Truth::ANY };
                let truth = domain.listed(list);
                if *negated { truth.not() } else { truth }
            }
            Expr::Unary { op: UnaryOp::Not, operand } => truth(operand).not(),
            Expr::Unary { op: UnaryOp::IsNull, operand } => match self.domain(operand, input) {
                Some(domain) => domain.is_null(),
                None => Truth::ANY,
            },
            Expr::Unary { op: UnaryOp::IsNotNull, operand } => match self.domain(operand, input) {
                Some(domain) => domain.is_null().not(),
                None => Truth::ANY,
            },
            Expr::Unary { op: UnaryOp::IsTrue, operand } => truth(operand).is_true(),
            Expr::Unary { op: UnaryOp::IsNotTrue, operand } => truth(operand).is_true().not(),
            Expr::Unary { op: UnaryOp::IsFalse, operand } => truth(operand).not().is_true(),
            Expr::Unary { op: UnaryOp::IsNotFalse, operand } => truth(operand).not().is_true().not(),
            _ => Truth::ANY,
        }
    }

    /// The values of an expression that is a column of known values, or such a column made a wider whole number.
    fn domain(&self, expr: &Expr, input: &Relation) -> Option<Domain> {
        match expr {
            Expr::Column(column) => self.column(column, input),
            Expr::TryCast { operand, to: DataType::Int64 } => {
                let domain = self.domain(operand, input)?;
                domain.values.iter().all(|value| matches!(value, Key::Integer(_))).then_some(domain)
            }
            _ => None,
        }
    }

    /// Follows a column to the dataset it is of.
    fn column(&self, column: &Column, input: &Relation) -> Option<Domain> {
        match input {
            Relation::Scan { dataset, alias } => {
                if *alias != column.relation {
                    return None;
                }
                if column.name == NODE_COLUMN {
                    let values = BTreeSet::from([Key::Text(self.node.id.to_string())]);
                    return Some(Domain { values, nullable: false });
                }
                let trusted = matches!(self.node.status, NodeStatus::Up | NodeStatus::Down) && self.declared;
                let view = self.node.datasets.get(dataset).filter(|view| trusted && view.agrees.is_ok())?;
                let keys = view.only.iter().find(|keys| keys.column == column.name)?;
                Some(Domain { values: keys.values.clone(), nullable: false })
            }
            Relation::Filter { input, .. } => self.column(column, input),
            Relation::Project { input, alias, columns } => self.named(column, alias, columns, input),
            Relation::Aggregate { input, alias, keys, .. } => self.named(column, alias, keys, input),
            Relation::Join(join) => {
                let (left, right) = (self.column(column, &join.left), self.column(column, &join.right));
                let (domain, padded) = match (left, right) {
                    (Some(left), None) => (left, matches!(join.kind, JoinKind::Right | JoinKind::Full)),
                    (None, Some(right)) if join.kind.shows_right() => {
                        (right, matches!(join.kind, JoinKind::Left | JoinKind::Full))
                    }
                    _ => return None,
                };
                Some(Domain { nullable: domain.nullable || padded, ..domain })
            }
            Relation::UnionAll { alias, inputs } => self.of_union(column, alias, inputs),
        }
    }

    /// A column that is an expression over `input`.
    fn named(
        &self,
        column: &Column,
        alias: &str,
        columns: &[(String, Expr)],
        input: &Relation,
    ) -> Option<Domain> {
        let expr = columns.iter().find(|(name, _)| column.relation == alias && *name == column.name);
        self.domain(&expr?.1, input)
    }

    /// A column of a union: the values it has in each of the projections it is made of.
    fn of_union(&self, column: &Column, alias: &str, inputs: &[Relation]) -> Option<Domain> {
        if column.relation != alias {
            return None;
        }
        let (mut values, mut nullable) = (BTreeSet::new(), false);
        for input in inputs {
            let Relation::Project { alias, .. } = input else { return None };
            let domain = self.column(&Column::new(alias, &column.name), input)?;
            values.extend(domain.values);
            nullable |= domain.nullable;
        }
        Some(Domain { values, nullable })
    }
}

/// A constant of the types that keys have.
fn key(literal: &Literal) -> Option<Key> {
    match (literal.data_type(), literal.value()?) {
        (DataType::Text, Value::Text(text)) => Some(Key::Text(text.clone())),
        (DataType::Int32 | DataType::Int64, Value::Integer(value)) => Some(Key::Integer(*value)),
        _ => None,
    }
}

impl Domain {
    fn compared(&self, op: BinaryOp, literal: &Literal) -> Truth {
        let equal = self.listed(std::slice::from_ref(literal));
        match op {
            BinaryOp::Eq => equal,
            BinaryOp::NotEq => equal.not(),
            BinaryOp::IsNotDistinctFrom if literal.value().is_none() => self.is_null(),
            BinaryOp::IsDistinctFrom if literal.value().is_none() => self.is_null().not(),
            BinaryOp::IsNotDistinctFrom => equal.is_true(),
            BinaryOp::IsDistinctFrom => equal.is_true().not(),
            BinaryOp::Lt => self.ordered(literal, Ordering::is_lt),
            BinaryOp::LtEq => self.ordered(literal, Ordering::is_le),
            BinaryOp::Gt => self.ordered(literal, Ordering::is_gt),
            BinaryOp::GtEq => self.ordered(literal, Ordering::is_ge),
            _ => Truth::ANY,
        }
    }

    /// Whether values stand so to a constant. Texts are in the order of their bytes, at nodes as here.
    fn ordered(&self, literal: &Literal, so: fn(Ordering) -> bool) -> Truth {
        if literal.value().is_none() {
            return Truth { yes: false, no: false, null: true };
        }
        let Some(other) = key(literal) else { return Truth::ANY };
        let mut truth = Truth { yes: false, no: false, null: self.nullable };
        for value in &self.values {
            let order = match (value, &other) {
                (Key::Text(value), Key::Text(other)) => value.as_bytes().cmp(other.as_bytes()),
                (Key::Integer(value), Key::Integer(other)) => value.cmp(other),
                _ => return Truth::ANY,
            };
            if so(order) { truth.yes = true } else { truth.no = true }
        }
        truth
    }

    /// `column IN (list)`: NULL for a column that is NULL, and for no match where the list has a NULL.
    fn listed(&self, list: &[Literal]) -> Truth {
        let mut found = BTreeSet::new();
        let mut has_null = false;
        for literal in list {
            match (literal.value(), key(literal)) {
                (None, _) => has_null = true,
                (_, Some(key)) => _ = found.insert(key),
                _ => return Truth::ANY,
            }
        }
        let yes = self.values.iter().any(|value| found.contains(value));
        let other = self.values.iter().any(|value| !found.contains(value));
        Truth { yes, no: other && !has_null, null: self.nullable || (other && has_null) }
    }

    fn is_null(&self) -> Truth {
        Truth { yes: self.nullable, no: true, null: false }
    }
}

impl Truth {
    const ANY: Self = Self { yes: true, no: true, null: true };

    fn constant(literal: &Literal) -> Self {
        match literal.value() {
            None => Self { yes: false, no: false, null: true },
            Some(Value::Boolean(value)) => Self { yes: *value, no: !value, null: false },
            Some(_) => Self::ANY,
        }
    }

    fn and(self, other: Self) -> Self {
        let known = |truth: Self| truth.yes || truth.null;
        Self {
            yes: self.yes && other.yes,
            no: self.no || other.no,
            null: (self.null && known(other)) || (known(self) && other.null),
        }
    }

    fn not(self) -> Self {
        Self { yes: self.no, no: self.yes, null: self.null }
    }

    fn is_true(self) -> Self {
        Self { yes: self.yes, no: self.no || self.null, null: false }
    }
}
