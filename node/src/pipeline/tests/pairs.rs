//! Co-moments: what a covariance, a correlation or a regression is made of, and what it must not tell of one person.

use jigsaw_proto::function::Function;
use jigsaw_proto::types::DataType;

use super::attacks::{call, cast};
use super::*;

fn cost() -> Expr {
    cast(t("cost"), DataType::Float64)
}

fn paired(state: State, argument: Expr, paired: Expr) -> Measure {
    Measure { paired: Some(paired), ..measure(state, argument) }
}

/// The value of a person among many, given by a second argument that is nothing but for a few: as a product, a choice or a condition.
#[tokio::test]
async fn a_second_argument_chooses_nobody() {
    let bench = Bench::open().await;
    let of_tiny = || case(tiny(), t("temp"), None);
    let zero_but_tiny = || case(tiny(), t("temp"), Some(double(0.0)));
    for state in [State::Count, State::Mean, State::M2, State::CoMoment] {
        let cell = bench.cell(paired(state, cost(), of_tiny())).await.unwrap();
        assert_eq!(cell, None, "{state} of three people");
    }
    let refusal = bench.refusal(one(paired(State::CoMoment, cost(), zero_but_tiny()))).await;
    assert_eq!(refusal, "R06", "one value for some rows and another for the rest");
    let beyond = || cost().binary(BinaryOp::Divide, double(90_000.0)).binary(BinaryOp::Subtract, double(1.0));
    for state in [State::Count, State::Mean, State::M2, State::CoMoment] {
        let is_rich = paired(state, t("temp"), call(Function::Sqrt, vec![beyond()]));
        let refusal = bench.refusal(one(is_rich)).await;
        assert!(["R04", "R06"].contains(&refusal.as_str()), "{state}: {refusal}");
    }
}

fn one(measure: Measure) -> Fragment {
    fragment(scan("stay"), vec![], vec![measure])
}

/// A co-moment is no finer than the sum of products: no constant, no square, no third factor.
#[tokio::test]
async fn co_moments_keep_to_the_rules_of_sums() {
    let bench = Bench::open().await;
    let temp = || t("temp");
    for (argument, other) in [
        (cost(), cost()),
        (cost().binary(BinaryOp::Add, double(1.0)), temp()),
        (cost(), temp().binary(BinaryOp::Multiply, cost())),
        (cost(), call(Function::Abs, vec![temp()])),
        (cost(), double(1.0)),
    ] {
        let words = format!("{argument}, {other}");
        for (argument, other) in [(argument.clone(), other.clone()), (other, argument)] {
            let refusal = bench.refusal(one(paired(State::CoMoment, argument, other))).await;
            assert_eq!(refusal, "R06", "{words}");
        }
    }
    for other in [t("person"), cast(t("person"), DataType::Float64)] {
        let refusal = bench.refusal(one(paired(State::CoMoment, cost(), other))).await;
        assert!(["R02", "R03"].contains(&refusal.as_str()), "{refusal}");
    }
}

/// One person's cost is as large as everybody's together (A10): neither place in a co-moment shows it.
#[tokio::test]
async fn one_large_holding_dominates_in_either_place() {
    let bench = Bench::under("dominance = { p = 10, n = 2, k = 64 }").await;
    let big = || equal(t("ward"), text("big"));
    for (argument, other) in [(cost(), t("temp")), (t("temp"), cost())] {
        let of_all = paired(State::CoMoment, argument.clone(), other.clone());
        assert_eq!(
            bench.cell(of_all).await.unwrap(),
            None,
            "three people hold nearly all of {argument} and {other}"
        );
        let of_big = Measure { filter: Some(big()), ..paired(State::CoMoment, argument, other) };
        assert!(bench.cell(of_big).await.unwrap().is_some(), "two hundred hold as much as one another");
    }
}

/// What is released is there, rounded to three digits.
#[tokio::test]
async fn a_co_moment_of_many_is_released() {
    let bench = Bench::open().await;
    let twice = t("temp").binary(BinaryOp::Multiply, double(2.0));
    assert_eq!(bench.refusal(one(paired(State::CoMoment, t("temp"), twice))).await, "R06");
    let moment = bench.cell(paired(State::CoMoment, cost(), t("temp"))).await.unwrap().unwrap();
    let three: f64 = format!("{moment:.2e}").parse().unwrap();
    assert!((moment - three).abs() <= f64::EPSILON * moment.abs(), "{moment}");
    let pairs = bench.cell(paired(State::Count, cost(), t("temp"))).await.unwrap();
    assert_eq!(pairs, Some(3_225.0));
}
