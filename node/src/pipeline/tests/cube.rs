//! `R04` under `conditions = "cube"`: every way to ask about a set of people that is no cell.

use jigsaw_proto::fragment::{Join, JoinKind};
use jigsaw_proto::function::Function;
use jigsaw_proto::types::DataType;

use super::*;

async fn cube() -> Bench {
    Bench::under_conditions("cube", "").await
}

fn and(one: Expr, other: Expr) -> Expr {
    one.binary(BinaryOp::And, other)
}

fn or(one: Expr, other: Expr) -> Expr {
    one.binary(BinaryOp::Or, other)
}

fn not(expr: Expr) -> Expr {
    expr.unary(UnaryOp::Not)
}

fn big() -> Expr {
    equal(t("ward"), text("big"))
}

fn two() -> Expr {
    equal(t("beds"), int(2))
}

fn beds(op: BinaryOp, value: i64) -> Expr {
    t("beds").binary(op, int(value))
}

fn among(column: &str, values: &[&str], negated: bool) -> Expr {
    let list = values.iter().map(|value| Literal::text(*value)).collect();
    Expr::InList { operand: Box::new(t(column)), list, negated }
}

fn call(function: Function, arguments: Vec<Expr>) -> Expr {
    Expr::Call { function, arguments }
}

fn project(input: Relation, columns: Vec<(&str, Expr)>) -> Relation {
    let columns = columns.into_iter().map(|(name, expr)| (name.to_owned(), expr)).collect();
    Relation::Project { input: Box::new(input), alias: "p".to_owned(), columns }
}

fn joined(kind: JoinKind, right: Relation, filter: Option<Expr>) -> Relation {
    let on = vec![(Column::new("t", "person"), Column::new("u", "person"))];
    Relation::Join(Box::new(Join { left: scan("stay"), right, kind, on, filter }))
}

fn rows_of(input: Relation, keys: Vec<Expr>) -> Fragment {
    fragment(input, keys, vec![ROWS])
}

async fn all_refused(bench: &Bench, questions: Vec<Fragment>) {
    for question in questions {
        let words = question.to_string();
        let refusal = bench.refusal(question).await;
        assert!(refusal == "R04" || refusal == "R05", "{words}: {refusal}");
    }
}

async fn all_answered(bench: &Bench, questions: Vec<Fragment>) {
    for question in questions {
        let words = question.to_string();
        if let Err(refusal) = bench.ask(question).await {
            panic!("{refusal}: {words}");
        }
    }
}

/// Every place where a condition chooses rows.
fn places(condition: &Expr) -> Vec<Fragment> {
    let condition = || condition.clone();
    let filter = Some(condition());
    let renamed = || project(scan("stay"), vec![("x", condition()), ("person", t("person"))]);
    vec![
        counted(condition()),
        fragment(scan("stay"), vec![], vec![Measure { filter, ..ROWS }]),
        aggregated(State::Sum, case(condition(), t("cost"), None)),
        aggregated(State::Count, case(condition(), t("ward"), None)),
        rows_of(filtered(renamed(), of("p", "x")), vec![]),
        rows_of(joined(JoinKind::Inner, aliased("meal", "u"), Some(condition())), vec![]),
    ]
}

/// The conditions of trackers and of those who know nine others.
#[tokio::test]
async fn what_is_no_cell_is_refused_wherever_it_stands() {
    let bench = cube().await;
    for condition in [
        or(big(), two()),
        or(and(big(), two()), tiny()),
        not(and(big(), two())),
        not(or(big(), two())),
        not(big()),
        big().unary(UnaryOp::IsNotTrue),
        big().unary(UnaryOp::IsFalse),
        t("ward").binary(BinaryOp::NotEq, text("tiny")),
        t("ward").binary(BinaryOp::IsDistinctFrom, text("tiny")),
        t("ward").binary(BinaryOp::Lt, text("t")),
        among("ward", &["big", "tiny"], false),
        or(big(), tiny()),
        among("ward", &["tiny"], true),
        Expr::Like {
            operand: Box::new(t("ward")),
            pattern: "b%".to_owned(),
            negated: false,
            ignore_case: false,
        },
        beds(BinaryOp::NotEq, 9),
        beds(BinaryOp::Lt, 9),
        and(beds(BinaryOp::GtEq, 2), beds(BinaryOp::Lt, 4)),
        Expr::Between {
            operand: Box::new(t("beds")),
            low: Box::new(int(2)),
            high: Box::new(int(8)),
            negated: false,
        },
        Expr::Between {
            operand: Box::new(t("beds")),
            low: Box::new(int(5)),
            high: Box::new(int(9)),
            negated: true,
        },
        equal(t("beds").binary(BinaryOp::Modulo, int(7)), int(2)),
        equal(t("beds").binary(BinaryOp::Divide, int(7)), int(1)),
        equal(t("beds").binary(BinaryOp::Multiply, int(i64::MAX / 8)), int(2)),
        equal(call(Function::Greatest, vec![t("beds"), int(5)]), int(5)),
        is_null(call(Function::Nullif, vec![t("ward"), text("tiny")])),
        is_null(int(1).binary(BinaryOp::Divide, t("beds").binary(BinaryOp::Subtract, int(9)))),
        equal(call(Function::Coalesce, vec![t("ward"), text("big")]), text("big")),
        equal(case(big(), text("a"), Some(text("b"))), text("b")),
        case(big(), two(), Some(tiny())),
        call(Function::StartsWith, vec![t("ward"), text("b")]),
    ] {
        all_refused(&bench, places(&condition)).await;
    }
}

#[tokio::test]
async fn cells_are_answered_wherever_they_stand() {
    let bench = cube().await;
    for condition in [
        big(),
        equal(text("big"), t("ward")),
        and(big(), two()),
        among("ward", &["big"], false),
        is_null(t("ward")),
        not(is_null(t("ward"))),
        is_null(t("ward")).unary(UnaryOp::Not),
        and(beds(BinaryOp::GtEq, 0), beds(BinaryOp::Lt, 5)),
        and(beds(BinaryOp::Gt, -1), beds(BinaryOp::LtEq, 9)),
        equal(t("beds").binary(BinaryOp::Divide, int(5)), int(0)),
        Expr::Literal(Literal::boolean(true)),
        and(big(), Expr::Literal(Literal::boolean(true))),
        big().unary(UnaryOp::IsTrue),
    ] {
        all_answered(&bench, places(&condition)).await;
    }
}

/// All but a cell is what is left over of a CASE, of a join and of a truth.
#[tokio::test]
async fn the_rest_of_a_cell_is_no_group() {
    let bench = cube().await;
    let meals = |predicate| filtered(aliased("meal", "u"), predicate);
    let tiny_meals = || meals(equal(of("u", "ward"), text("tiny")));
    let missing = || is_null(of("u", "ward"));
    let (yes, no) = (|| text("yes"), || text("no"));
    let flagged = project(
        meals(equal(of("u", "ward"), text("tiny"))),
        vec![("person", of("u", "person")), ("flag", yes())],
    );
    let flagged = match flagged {
        Relation::Project { input, columns, .. } => {
            Relation::Project { input, alias: "u".to_owned(), columns }
        }
        other => other,
    };
    all_refused(
        &bench,
        vec![
            rows_of(scan("stay"), vec![tiny()]),
            rows_of(scan("stay"), vec![case(tiny(), yes(), Some(no()))]),
            rows_of(scan("stay"), vec![case(tiny(), yes(), None)]),
            rows_of(scan("stay"), vec![case(beds(BinaryOp::Lt, 9), yes(), Some(no()))]),
            aggregated(
                State::Count,
                case(tiny(), Expr::Literal(Literal::new(DataType::Text, None).unwrap()), Some(yes())),
            ),
            aggregated(State::Sum, case(tiny(), int(0), Some(t("cost")))),
            rows_of(filtered(joined(JoinKind::Left, tiny_meals(), None), missing()), vec![]),
            rows_of(joined(JoinKind::Left, tiny_meals(), None), vec![of("u", "ward")]),
            rows_of(joined(JoinKind::Left, tiny_meals(), None), vec![missing()]),
            rows_of(joined(JoinKind::Full, tiny_meals(), None), vec![of("u", "ward")]),
            rows_of(joined(JoinKind::Left, flagged, None), vec![of("u", "flag")]),
            rows_of(
                filtered(
                    joined(JoinKind::Left, aliased("meal", "u"), Some(equal(of("u", "ward"), text("tiny")))),
                    missing(),
                ),
                vec![],
            ),
        ],
    )
    .await;
    all_answered(
        &bench,
        vec![
            rows_of(filtered(joined(JoinKind::Left, tiny_meals(), None), not(missing())), vec![t("ward")]),
            rows_of(joined(JoinKind::Left, aliased("meal", "u"), None), vec![of("u", "ward")]),
            rows_of(scan("stay"), vec![is_null(t("ward"))]),
        ],
    )
    .await;
}

/// Two cells put together are a list, whatever puts them together.
#[tokio::test]
async fn cells_put_together_are_no_cell() {
    let bench = cube().await;
    let of_ward = |ward: &str| filtered(scan("stay"), equal(t("ward"), text(ward)));
    let union = Relation::UnionAll { alias: "t".to_owned(), inputs: vec![of_ward("big"), of_ward("tiny")] };
    let branch = |when, then| Branch { when, then };
    let either = |then: Expr| Expr::Case {
        branches: vec![branch(big(), then.clone()), branch(tiny(), then)],
        otherwise: None,
    };
    all_refused(
        &bench,
        vec![
            rows_of(union, vec![]),
            aggregated(State::Count, either(text("x"))),
            rows_of(scan("stay"), vec![either(text("x"))]),
            rows_of(scan("stay"), vec![call(Function::Coalesce, vec![t("ward"), text("big")])]),
            rows_of(scan("stay"), vec![t("beds").binary(BinaryOp::Modulo, int(2))]),
            rows_of(scan("stay"), vec![t("beds").binary(BinaryOp::Divide, int(3))]),
            rows_of(
                scan("stay"),
                vec![t("beds").binary(BinaryOp::Add, int(2)).binary(BinaryOp::Divide, int(5))],
            ),
            rows_of(scan("stay"), vec![call(Function::Round, vec![t("temp")])]),
            rows_of(
                scan("stay"),
                vec![call(Function::Floor, vec![t("temp").binary(BinaryOp::Multiply, double(0.3))])],
            ),
            aggregated(State::Count, call(Function::Nullif, vec![t("ward"), text("tiny")])),
        ],
    )
    .await;
}

#[tokio::test]
async fn dimensions_and_their_fixed_groupings_are_grouped_by() {
    let bench = cube().await;
    all_answered(
        &bench,
        vec![
            by_ward(),
            rows_of(scan("stay"), vec![t("ward"), t("beds")]),
            rows_of(scan("stay"), vec![t("beds").binary(BinaryOp::Divide, int(5))]),
            rows_of(scan("stay"), vec![t("beds").binary(BinaryOp::Add, int(1))]),
            rows_of(scan("stay"), vec![call(Function::Floor, vec![t("temp")])]),
            rows_of(scan("stay"), vec![call(Function::Upper, vec![t("ward")])]),
            rows_of(scan("stay"), vec![call(Function::Left, vec![t("ward"), int(1)])]),
            aggregated(State::Sum, t("cost").binary(BinaryOp::Multiply, int(2))),
            aggregated(State::Count, t("cost")),
            aggregated(State::Entities, t("person")),
        ],
    )
    .await;
}

/// What the policy lists, the operator has looked at: lists of so many, bins, pairs.
#[tokio::test]
async fn a_policy_can_widen_the_cells_by_name() {
    let ladder = "max_in_list = 2\nbins = { beds = [0, 3, 8] }";
    let bench = Bench::under_conditions("cube", ladder).await;
    let range = |low, high| and(beds(BinaryOp::GtEq, low), beds(BinaryOp::Lt, high));
    let bands = Expr::Case {
        branches: vec![
            Branch { when: beds(BinaryOp::Lt, 3), then: text("few") },
            Branch { when: beds(BinaryOp::Lt, 8), then: text("some") },
        ],
        otherwise: Some(Box::new(text("many"))),
    };
    all_answered(
        &bench,
        vec![
            counted(among("ward", &["big", "tiny"], false)),
            counted(or(big(), tiny())),
            counted(range(0, 8)),
            rows_of(scan("stay"), vec![bands]),
        ],
    )
    .await;
    let gap = Expr::Case {
        branches: vec![Branch { when: range(3, 8), then: text("some") }],
        otherwise: Some(Box::new(text("other"))),
    };
    all_refused(
        &bench,
        vec![
            counted(among("ward", &["big", "tiny", "edge"], false)),
            counted(range(0, 5)),
            rows_of(scan("stay"), vec![gap]),
        ],
    )
    .await;
}

/// The words of a refusal say how to ask instead.
#[tokio::test]
async fn a_refusal_says_how_to_ask() {
    let bench = cube().await;
    for (condition, words) in [
        (or(big(), two()), "joined by AND"),
        (t("ward").binary(BinaryOp::NotEq, text("tiny")), "group by stay.ward"),
        (among("ward", &["big", "tiny"], false), "ask for one, or group by stay.ward"),
        (beds(BinaryOp::Lt, 9), "a step of 1, 5, 10, 50"),
    ] {
        let Err(refusal) = bench.ask(counted(condition)).await else { panic!("answered, not: {words}") };
        assert!(refusal.message.contains(words), "{refusal}");
    }
}
