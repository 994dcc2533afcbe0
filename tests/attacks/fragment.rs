//! Fragments by hand, as a hostile coordinator makes them.

use jigsaw_proto::aggregate::State;
use jigsaw_proto::expr::{BinaryOp, Column, Expr, Literal, Value};
use jigsaw_proto::fragment::{Fragment, Measure, Relation};
use jigsaw_proto::function::Function;
use jigsaw_proto::types::DataType;

pub(super) fn scan(dataset: &str) -> Relation {
    Relation::Scan { dataset: dataset.to_owned().try_into().unwrap(), alias: "t".to_owned() }
}

pub(super) fn column(name: &str) -> Expr {
    Expr::Column(Column::new("t", name))
}

pub(super) fn int(value: i64) -> Expr {
    Expr::Literal(Literal::int64(value))
}

pub(super) fn double(value: f64) -> Expr {
    Expr::Literal(Literal::new(DataType::Float64, Some(Value::Float(value))).unwrap())
}

pub(super) fn words(value: &str) -> Expr {
    Expr::Literal(Literal::text(value))
}

pub(super) fn equal(left: Expr, right: Expr) -> Expr {
    left.binary(BinaryOp::Eq, right)
}

pub(super) fn call(function: Function, arguments: Vec<Expr>) -> Expr {
    Expr::Call { function, arguments }
}

pub(super) fn filtered(input: Relation, predicate: Expr) -> Relation {
    Relation::Filter { input: Box::new(input), predicate }
}

pub(super) fn of(state: State, argument: Expr) -> Measure {
    Measure { state, argument: Some(argument), paired: None, time: None, filter: None }
}

/// `COUNT(*) FILTER (WHERE filter)`
pub(super) fn count_if(filter: Expr) -> Measure {
    Measure { state: State::Rows, argument: None, paired: None, time: None, filter: Some(filter) }
}

pub(super) const ROWS: Measure =
    Measure { state: State::Rows, argument: None, paired: None, time: None, filter: None };

pub(super) fn grouped(input: Relation, keys: Vec<Expr>, measures: Vec<Measure>) -> Fragment {
    Fragment { input, keys, measures }
}

pub(super) fn all(input: Relation, measures: Vec<Measure>) -> Fragment {
    grouped(input, vec![], measures)
}

/// The people of that age.
pub(super) fn aged(dataset: &str, age: i64) -> Relation {
    filtered(scan(dataset), equal(column("age"), int(age)))
}
