//! Attacks of the kinds a reader of disclosure control knows: each must be refused with its code, or learn nothing.

use jigsaw_proto::expr::Value;
use jigsaw_proto::fragment::{Join, JoinKind};
use jigsaw_proto::function::Function;
use jigsaw_proto::types::DataType;

use super::*;

pub(super) fn call(function: Function, arguments: Vec<Expr>) -> Expr {
    Expr::Call { function, arguments }
}

pub(super) fn cast(operand: Expr, to: DataType) -> Expr {
    Expr::TryCast { operand: Box::new(operand), to }
}

pub(super) fn project(input: Relation, columns: Vec<(&str, Expr)>) -> Relation {
    let columns = columns.into_iter().map(|(name, expr)| (name.to_owned(), expr)).collect();
    Relation::Project { input: Box::new(input), alias: "p".to_owned(), columns }
}

fn joined(right: &str, on: Vec<(Column, Column)>) -> Relation {
    let (left, right) = (scan("stay"), aliased(right, "u"));
    Relation::Join(Box::new(Join { left, right, kind: JoinKind::Inner, on, filter: None }))
}

fn on(name: &str) -> (Column, Column) {
    (Column::new("t", name), Column::new("u", name))
}

/// A1: an entity is compared with nothing, by no operator, under no name, through no function.
#[tokio::test]
async fn an_entity_is_never_compared() {
    let bench = Bench::open().await;
    let person = || Box::new(t("person"));
    let mut conditions = vec![
        Expr::InList { operand: person(), list: vec![Literal::text("big-1")], negated: false },
        Expr::Like { operand: person(), pattern: "big%".to_owned(), negated: false, ignore_case: true },
        Expr::Between {
            operand: person(),
            low: Box::new(text("a")),
            high: Box::new(text("b")),
            negated: true,
        },
        equal(call(Function::Substr, vec![t("person"), int(1), int(3)]), text("big")),
        call(Function::StartsWith, vec![t("person"), text("big")]),
        equal(call(Function::Coalesce, vec![t("person"), text("x")]), text("x")),
        is_null(call(Function::Nullif, vec![t("person"), text("big-1")])),
        equal(case(is_null(t("ward")), t("person"), Some(text("x"))), text("x")),
        equal(cast(t("person"), DataType::Int64), int(1)),
    ];
    let compared = [BinaryOp::Eq, BinaryOp::NotEq, BinaryOp::Lt, BinaryOp::GtEq, BinaryOp::IsDistinctFrom];
    conditions.extend(compared.map(|op| t("person").binary(op, text("big-1"))));
    conditions.push(equal(t("ward"), t("person")));
    for condition in conditions {
        let words = condition.to_string();
        assert_eq!(bench.refusal(counted(condition.clone())).await, "R03", "WHERE {words}");
        let rows = Measure { filter: Some(condition.clone()), ..ROWS };
        let filter = fragment(scan("stay"), vec![], vec![rows]);
        assert_eq!(bench.refusal(filter).await, "R03", "FILTER {words}");
        let sum = aggregated(State::Sum, case(condition.clone(), t("cost"), None));
        assert_eq!(bench.refusal(sum).await, "R03", "CASE {words}");
        let laundered = project(scan("stay"), vec![("x", condition)]);
        let laundered = fragment(laundered, vec![of("p", "x")], vec![ROWS]);
        assert_eq!(bench.refusal(laundered).await, "R03", "SELECT {words}");
    }
}

/// A1, A3, A12: nor grouped by, nor released, under an alias or through a union.
#[tokio::test]
async fn an_entity_is_never_shown() {
    let bench = Bench::open().await;
    let renamed = || project(scan("stay"), vec![("x", t("person")), ("ward", t("ward"))]);
    let twice = Relation::UnionAll { alias: "u".to_owned(), inputs: vec![renamed(), renamed()] };
    let mixed = project(scan("stay"), vec![("x", t("ward")), ("ward", t("person"))]);
    let mixed = Relation::UnionAll { alias: "u".to_owned(), inputs: vec![mixed, renamed()] };
    for (input, key) in [
        (scan("stay"), t("person")),
        (renamed(), of("p", "x")),
        (twice, of("u", "x")),
        (mixed.clone(), of("u", "x")),
        (mixed, of("u", "ward")),
    ] {
        assert_eq!(bench.refusal(fragment(input, vec![key.clone()], vec![ROWS])).await, "R03", "{key}");
    }
    let greatest = bench.refusal(aggregated(State::Max, t("person"))).await;
    assert!(["R03", "R06"].contains(&greatest.as_str()), "{greatest}");
    // An entity of public data is still somebody.
    let public = fragment(scan("site"), vec![t("person")], vec![ROWS]);
    assert_eq!(bench.refusal(public).await, "R03");
}

/// What an entity is for.
#[tokio::test]
async fn an_entity_is_counted() {
    let bench = Bench::open().await;
    assert_eq!(bench.cell(measure(State::Entities, t("person"))).await.unwrap(), Some(230.0));
    assert_eq!(bench.cell(measure(State::Count, t("person"))).await.unwrap(), Some(3_225.0));
    let nobody = Measure { filter: Some(is_null(t("person"))), ..ROWS };
    assert_eq!(bench.cell(nobody).await.unwrap(), None, "a count of nobody is withheld like any small one");
    let dimension = aggregated(State::Entities, t("ward"));
    assert_eq!(bench.refusal(dimension).await, "R06");
}

/// A12: the extremes are values of single rows, whatever is beside them.
#[tokio::test]
async fn extremes_are_refused_under_protection() {
    let bench = Bench::open().await;
    for state in [State::Min, State::Max] {
        assert_eq!(bench.refusal(aggregated(state, t("cost"))).await, "R06");
        let input = joined("site", vec![on("ward")]);
        let public = fragment(input, vec![], vec![measure(state, of("u", "cost"))]);
        assert_eq!(bench.refusal(public).await, "R06", "the strictest of the datasets read decides");
    }
}

/// R04: a measure that is not opened to it filters, bands and groups nothing.
#[tokio::test]
async fn a_measure_is_not_a_condition() {
    let bench = Bench::open().await;
    let rich = || t("cost").binary(BinaryOp::Gt, int(1_000_000));
    let banded = case(rich(), text("rich"), Some(text("poor")));
    let renamed = project(scan("stay"), vec![("x", t("cost"))]);
    for asked in [
        counted(rich()),
        counted(is_null(t("cost"))),
        fragment(scan("stay"), vec![t("cost")], vec![ROWS]),
        fragment(scan("stay"), vec![banded.clone()], vec![ROWS]),
        fragment(scan("stay"), vec![], vec![Measure { filter: Some(rich()), ..ROWS }]),
        aggregated(State::Sum, case(rich(), t("cost"), None)),
        aggregated(State::Count, call(Function::Nullif, vec![t("cost"), int(CANARY)])),
        fragment(renamed, vec![of("p", "x")], vec![ROWS]),
        fragment(project(scan("stay"), vec![("x", banded)]), vec![of("p", "x")], vec![ROWS]),
    ] {
        let words = asked.to_string();
        assert_eq!(bench.refusal(asked).await, "R04", "{words}");
    }
    let warm = t("temp").binary(BinaryOp::Gt, double(19.0));
    assert!(bench.ask(counted(warm)).await.is_ok(), "the contract opens temp to conditions");
}

/// A15: a choice inside an aggregate is a cell of its own; nothing shows what it is for fewer people than the threshold.
#[tokio::test]
async fn a_choice_inside_an_aggregate_shows_no_small_group() {
    let bench = Bench::open().await;
    let flag = || cast(tiny(), DataType::Int64);
    let weighted = || case(tiny(), int(1000), Some(int(1)));
    let coalesced = call(Function::Coalesce, vec![case(tiny(), int(1000), None), int(1)]);
    let greatest = call(Function::Greatest, vec![case(tiny(), int(1000), None), int(1)]);
    let two = Expr::Case {
        branches: vec![
            Branch { when: tiny(), then: int(1000) },
            Branch { when: is_null(t("ward")), then: int(2000) },
        ],
        otherwise: None,
    };
    let indicator = || case(tiny(), double(1.0), Some(double(0.0)));
    let power = call(Function::Power, vec![double(1000.0), cast(t("beds"), DataType::Float64)]);
    let exponent = call(Function::Exp, vec![case(tiny(), double(7.0), Some(double(0.0)))]);
    for (state, argument) in [
        (State::Sum, weighted()),
        (State::Sum, two),
        (State::Sum, coalesced),
        (State::Sum, greatest),
        (State::Sum, flag()),
        (State::Sum, int(1).binary(BinaryOp::Add, int(1000).binary(BinaryOp::Multiply, flag()))),
        (State::Sum, t("cost").binary(BinaryOp::Add, case(tiny(), int(1000), Some(int(0))))),
        (State::Sum, t("cost").binary(BinaryOp::Multiply, weighted())),
        (State::Sum, t("beds")),
        (State::Sum, power),
        (State::Sum, exponent),
        (State::Sum, cast(call(Function::CharacterLength, vec![t("ward")]), DataType::Int64)),
        (State::Mean, indicator()),
        (State::M2, indicator()),
    ] {
        let asked = aggregated(state, argument.clone());
        let refusal = bench.refusal(asked).await;
        assert!(["R04", "R06"].contains(&refusal.as_str()), "{state}({argument}): {refusal}");
        let laundered = project(scan("stay"), vec![("x", argument.clone())]);
        let laundered = fragment(laundered, vec![], vec![measure(state, of("p", "x"))]);
        let refusal = bench.refusal(laundered).await;
        assert!(
            ["R04", "R06"].contains(&refusal.as_str()),
            "{state} over the alias of {argument}: {refusal}"
        );
    }
}

/// A15: between a value and nothing may be chosen, and then those who are chosen must be enough.
#[tokio::test]
async fn a_choice_between_something_and_nothing_is_a_filter() {
    let bench = Bench::open().await;
    let big = || equal(t("ward"), text("big"));
    let sum = |when, otherwise| measure(State::Sum, case(when, t("cost"), otherwise));
    assert_eq!(bench.cell(sum(big(), None)).await.unwrap(), Some(20_000.0));
    assert_eq!(bench.cell(sum(big(), Some(int(0)))).await.unwrap(), Some(20_000.0));
    assert_eq!(bench.cell(sum(tiny(), None)).await.unwrap(), None);
    assert_eq!(bench.cell(sum(tiny(), Some(int(0)))).await.unwrap(), None);
    let ones = |when| measure(State::Sum, case(when, int(1), Some(int(0))));
    assert_eq!(bench.cell(ones(big())).await.unwrap(), Some(200.0));
    assert_eq!(bench.cell(ones(tiny())).await.unwrap(), None);
    let mean = |when| measure(State::Mean, case(when, t("temp"), None));
    assert_eq!(bench.cell(mean(big())).await.unwrap(), Some(19.8));
    assert_eq!(bench.cell(mean(tiny())).await.unwrap(), None);
    let zeros = call(Function::Coalesce, vec![t("cost"), int(0)]);
    assert!(bench.cell(measure(State::Sum, zeros)).await.unwrap().is_some());
}

/// R13: a constant beside a measure makes a sum no finer.
#[tokio::test]
async fn scaling_does_not_get_behind_the_rounding() {
    let bench = Bench::open().await;
    for (argument, step) in [
        (int(1000), 5_000.0),
        (t("cost").binary(BinaryOp::Multiply, int(1000)), 500_000.0),
        (int(1000).binary(BinaryOp::Multiply, t("cost")), 500_000.0),
    ] {
        let sum = bench.cell(measure(State::Sum, argument.clone())).await.unwrap().unwrap();
        assert!((sum % step).abs() < 1e-9, "sum({argument}) = {sum} is finer than {step}");
    }
    let pence = t("temp").binary(BinaryOp::Divide, double(10.0));
    let sum = bench.cell(measure(State::Sum, pence)).await.unwrap().unwrap();
    assert!((sum * 20.0 - (sum * 20.0).round()).abs() < 1e-6, "{sum} is no multiple of 5 × 0.1 / 10");
}

/// A20, A22: protected rows meet on the person they are about.
#[tokio::test]
async fn protected_datasets_meet_on_their_entity() {
    let bench = Bench::open().await;
    let count = |input| fragment(input, vec![], vec![ROWS]);
    assert_eq!(bench.refusal(count(joined("stay", vec![on("ward")]))).await, "R22");
    assert_eq!(bench.refusal(count(joined("meal", vec![on("ward"), on("node")]))).await, "R22");
    let crossed = (Column::new("t", "person"), Column::new("u", "ward"));
    assert_eq!(bench.refusal(count(joined("meal", vec![crossed]))).await, "R03");
    assert_eq!(bench.refusal(count(joined("site", vec![on("cost")]))).await, "R04");
    assert!(bench.ask(count(joined("meal", vec![on("person"), on("ward")]))).await.is_ok());
}

/// A21: an entity that a join multiplies is one entity.
#[tokio::test]
async fn a_join_multiplies_nobody() {
    let bench = Bench::open().await;
    let input = joined("site", vec![on("ward")]);
    let answer = bench.ask(fragment(input, vec![t("ward")], vec![ROWS])).await.unwrap();
    let wards: Vec<_> = answer.batch.column(0).as_string::<i32>().iter().collect();
    assert_eq!(wards, [Some("big"), Some("edge")]);
}

/// Names a person cannot see in the audit log, or the engine uses itself, are no names.
#[tokio::test]
async fn names_are_printable() {
    let bench = Bench::open().await;
    let forged = project(scan("site"), vec![("\u{0}entity0", t("ward")), ("x", t("cost"))]);
    assert_eq!(bench.refusal(fragment(forged, vec![of("p", "x")], vec![ROWS])).await, "R02");
    let alias = fragment(aliased("site", "a\nb"), vec![], vec![ROWS]);
    assert_eq!(bench.refusal(alias).await, "R02");
}

/// Nothing too large to look at is looked at.
#[tokio::test]
async fn size_has_limits() {
    let bench = Bench::open().await;
    let list = |length: i64| Expr::InList {
        operand: Box::new(t("beds")),
        list: (0..length).map(Literal::int64).collect(),
        negated: false,
    };
    assert!(bench.ask(counted(list(1000))).await.is_ok());
    assert_eq!(bench.refusal(counted(list(1001))).await, "R02");
    let scans = |count| {
        let inputs = (0..count).map(|_| scan("stay")).collect();
        fragment(Relation::UnionAll { alias: "u".to_owned(), inputs }, vec![], vec![ROWS])
    };
    assert!(bench.ask(scans(8)).await.is_ok());
    assert_eq!(bench.refusal(scans(9)).await, "R02");
    assert_eq!(bench.refusal(counted(equal(t("ward"), text(&"x".repeat(5_000))))).await, "R02");
    let unknown = fragment(scan("elsewhere"), vec![], vec![ROWS]);
    assert_eq!(bench.refusal(unknown).await, "R01");
    let interval = Literal::new(DataType::Boolean, Some(Value::Boolean(true))).unwrap();
    assert_eq!(bench.refusal(counted(equal(t("ward"), Expr::Literal(interval)))).await, "R02");
}
