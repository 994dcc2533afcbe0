//! What may be added up: arithmetic that cannot choose (A10, A12, A15).

use jigsaw_proto::function::Function;
use jigsaw_proto::types::DataType;

use super::attacks::{call, cast, project};
use super::*;

fn op(left: Expr, op: BinaryOp, right: Expr) -> Expr {
    left.binary(op, right)
}

fn over(divisor: f64) -> Expr {
    op(cast(t("cost"), DataType::Float64), BinaryOp::Divide, double(divisor))
}

fn one(function: Function, argument: Expr) -> Expr {
    call(function, vec![argument])
}

fn decimal(precision: u8, scale: u8) -> DataType {
    DataType::decimal(precision, scale).unwrap()
}

/// Arithmetic that tells the rows above a limit from those below: by a bend, a jump, a gap or an overflow.
fn choosing() -> Vec<Expr> {
    let beyond = || op(over(100.0), BinaryOp::Subtract, double(1.0));
    let by_cost = |by| op(cast(t("cost"), DataType::Float64), BinaryOp::Multiply, by);
    let scaled = |by| op(t("cost"), BinaryOp::Multiply, int(by));
    vec![
        by_cost(one(Function::Signum, beyond())),
        one(Function::Abs, beyond()),
        one(Function::Sqrt, beyond()),
        one(Function::Ln, beyond()),
        one(Function::Log10, beyond()),
        one(Function::Floor, over(90_000.0)),
        op(one(Function::Round, over(90_000.0)), BinaryOp::Multiply, double(2.0)),
        one(Function::Trunc, t("temp")),
        call(Function::Nullif, vec![t("cost"), int(CANARY)]),
        cast(over(90_000.0), DataType::Int64),
        cast(over(90_000.0), decimal(38, 0)),
        cast(over(0.001), decimal(5, 0)),
        cast(t("cost"), DataType::Int32),
        op(t("cost"), BinaryOp::Divide, int(90_000)),
        op(t("cost"), BinaryOp::Modulo, int(90_000)),
        op(int(1), BinaryOp::Divide, t("cost")),
        op(double(1.0), BinaryOp::Divide, beyond()),
        op(t("temp"), BinaryOp::Divide, t("temp")),
        op(int(7), BinaryOp::Modulo, t("cost")),
        scaled(i64::MAX / 1000),
        op(scaled(1000), BinaryOp::Multiply, int(100_000)),
        op(over(1e300), BinaryOp::Divide, double(1e20)),
        op(cast(over(1.0), DataType::Int64), BinaryOp::Multiply, scaled(1)),
    ]
}

#[tokio::test]
async fn what_is_added_up_cannot_choose_by_a_measure() {
    let bench = Bench::open().await;
    for argument in choosing() {
        for state in [State::Sum, State::Mean, State::M2] {
            let number = if state == State::Sum {
                argument.clone()
            } else {
                cast(argument.clone(), DataType::Float64)
            };
            let refusal = bench.refusal(aggregated(state, number)).await;
            assert!(["R04", "R06"].contains(&refusal.as_str()), "{state}({argument}): {refusal}");
        }
    }
}

/// A46b: every constant that is added, and every other weight, has a rounding grid of its own; beside A11, squares and remainders tell
/// the count as a mean would.
#[tokio::test]
async fn what_is_added_up_is_a_multiple_of_one_figure() {
    let bench = Bench::open().await;
    let cost = || cast(t("cost"), DataType::Float64);
    let times = |expr, by| op(expr, BinaryOp::Multiply, double(by));
    for argument in [
        op(cost(), BinaryOp::Add, double(0.37)),
        times(op(double(3.7), BinaryOp::Subtract, cost()), 2.0),
        op(times(cost(), 0.37), BinaryOp::Add, t("temp")),
        op(cost(), BinaryOp::Add, cost()),
        op(op(cost(), BinaryOp::Add, double(1.0)), BinaryOp::Multiply, t("temp")),
        op(cost(), BinaryOp::Add, case(tiny(), double(7.0), None)),
        op(cost(), BinaryOp::Multiply, cost()),
        op(cost(), BinaryOp::Modulo, double(7.0)),
        one(Function::Floor, times(cost(), 0.37)),
    ] {
        for state in [State::Sum, State::Mean, State::M2] {
            assert_eq!(
                bench.refusal(aggregated(state, argument.clone())).await,
                "R06",
                "{state}({argument})"
            );
        }
    }
    for other in [double(3.7), times(cost(), 0.37), t("temp").binary(BinaryOp::Add, double(1.0))] {
        let branch = |expr| project(scan("stay"), vec![("x", expr), ("person", t("person"))]);
        let union = Relation::UnionAll { alias: "p".to_owned(), inputs: vec![branch(cost()), branch(other)] };
        let asked = fragment(union, vec![], vec![measure(State::Sum, of("p", "x"))]);
        let words = asked.to_string();
        assert_eq!(bench.refusal(asked).await, "R06", "{words}");
    }
}

/// A11: a mean is its sum over its count, both as they are shown.
#[tokio::test]
async fn a_mean_tells_no_more_than_its_sum_and_count() {
    let bench = Bench::open().await;
    let missing = || filtered(scan("stay"), is_null(t("ward")));
    let asked = [State::Sum, State::Count, State::Mean].map(|state| measure(state, t("temp")));
    let answer = bench.ask(fragment(missing(), vec![], asked.into())).await.unwrap();
    let figure = |column: usize| answer.batch.column(column).as_primitive::<Float64Type>().value(0);
    let count = answer.batch.column(1).as_primitive::<Int64Type>().value(0);
    assert_eq!(count, 10, "of twelve");
    assert!(
        (figure(2) - figure(0) / 10.0).abs() < 0.06,
        "{} is not {} / 10 to three digits",
        figure(2),
        figure(0)
    );
}

/// A15b: a count shows what is NULL, under any name.
#[tokio::test]
async fn what_is_counted_is_not_null_by_the_value_of_a_measure() {
    let bench = Bench::open().await;
    let words = cast(cast(t("cost"), DataType::Text), DataType::Float64);
    for argument in choosing().into_iter().chain([words]) {
        if argument.columns().iter().any(|column| column.name == "temp") {
            continue;
        }
        let asked = aggregated(State::Count, argument.clone());
        assert_eq!(bench.refusal(asked).await, "R04", "count({argument})");
        let renamed = project(scan("stay"), vec![("x", argument.clone())]);
        let asked = fragment(renamed, vec![], vec![measure(State::Count, of("p", "x"))]);
        assert_eq!(bench.refusal(asked).await, "R04", "count of the alias of {argument}");
    }
}

/// What is ordinarily asked stays allowed, and is counted whole.
#[tokio::test]
async fn ordinary_arithmetic_is_added_up_and_counted() {
    let bench = Bench::open().await;
    let big = equal(t("ward"), text("big"));
    for argument in [
        t("cost"),
        op(t("cost"), BinaryOp::Multiply, int(12)),
        op(t("cost"), BinaryOp::Divide, int(100)),
        op(int(0), BinaryOp::Subtract, t("cost")),
        over(100.0),
        op(t("temp"), BinaryOp::Divide, double(10.0)),
        op(t("temp"), BinaryOp::Multiply, cast(t("cost"), DataType::Float64)),
        op(t("temp"), BinaryOp::Add, cast(t("cost"), DataType::Float64)),
        call(Function::Round, vec![t("temp"), int(1)]),
        call(Function::Coalesce, vec![t("temp"), double(0.0)]),
        cast(t("cost"), decimal(20, 2)),
        case(big, t("cost"), None),
    ] {
        for state in [State::Sum, State::Count] {
            let answer = bench.ask(aggregated(state, argument.clone())).await;
            assert!(answer.is_ok(), "{state}({argument}): {}", answer.err().unwrap());
        }
    }
}
