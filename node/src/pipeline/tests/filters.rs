//! `R04`, `R05`: every way to test a column that the policy does not open to it, or a sliver between two edges.

use jigsaw_proto::fragment::{Join, JoinKind};
use jigsaw_proto::function::Function;
use jigsaw_proto::types::DataType;

use super::*;

fn call(function: Function, arguments: Vec<Expr>) -> Expr {
    Expr::Call { function, arguments }
}

fn cast(operand: Expr, to: DataType) -> Expr {
    Expr::TryCast { operand: Box::new(operand), to }
}

fn project(input: Relation, columns: Vec<(&str, Expr)>) -> Relation {
    let columns = columns.into_iter().map(|(name, expr)| (name.to_owned(), expr)).collect();
    Relation::Project { input: Box::new(input), alias: "p".to_owned(), columns }
}

fn union(inputs: Vec<Relation>) -> Relation {
    Relation::UnionAll { alias: "p".to_owned(), inputs }
}

fn joined(right: &str, on: &[(&str, &str)]) -> Relation {
    let on = on.iter().map(|(left, right)| (Column::new("t", *left), Column::new("u", *right))).collect();
    let (left, right) = (scan("stay"), aliased(right, "u"));
    Relation::Join(Box::new(Join { left, right, kind: JoinKind::Inner, on, filter: None }))
}

fn rows_of(input: Relation, keys: Vec<Expr>) -> Fragment {
    fragment(input, keys, vec![ROWS])
}

fn compared(op: BinaryOp, left: Expr, right: Expr) -> Expr {
    left.binary(op, right)
}

/// Every place of a fragment where a condition can stand.
fn places(condition: &Expr) -> Vec<Fragment> {
    let condition = || condition.clone();
    let chosen = || case(condition(), t("temp"), None);
    let renamed = project(scan("stay"), vec![("x", condition())]);
    vec![
        counted(condition()),
        fragment(scan("stay"), vec![], vec![Measure { filter: Some(condition()), ..ROWS }]),
        rows_of(scan("stay"), vec![condition()]),
        rows_of(scan("stay"), vec![case(condition(), text("yes"), Some(text("no")))]),
        aggregated(State::Sum, chosen()),
        aggregated(State::Count, chosen()),
        rows_of(renamed.clone(), vec![of("p", "x")]),
        rows_of(filtered(renamed, of("p", "x")), vec![]),
    ]
}

async fn all_refused(bench: &Bench, code: &str, questions: Vec<Fragment>) {
    for question in questions {
        let words = question.to_string();
        assert_eq!(bench.refusal(question).await, code, "{words}");
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

/// `ward` is not on the list, `beds` is.
#[tokio::test]
async fn a_column_off_the_list_is_not_tested() {
    let bench = Bench::under("compare_literals = [\"beds\"]").await;
    let ward = || t("ward");
    for condition in [
        tiny(),
        compared(BinaryOp::NotEq, text("tiny"), ward()),
        compared(BinaryOp::Gt, ward(), text("t")),
        compared(BinaryOp::IsNotDistinctFrom, ward(), text("tiny")),
        is_null(ward()),
        Expr::InList { operand: Box::new(ward()), list: vec![Literal::text("tiny")], negated: true },
        Expr::Like {
            operand: Box::new(ward()),
            pattern: "t%".to_owned(),
            negated: false,
            ignore_case: false,
        },
        Expr::Between {
            operand: Box::new(text("s")),
            low: Box::new(text("a")),
            high: Box::new(ward()),
            negated: false,
        },
        call(Function::StartsWith, vec![ward(), text("t")]),
        equal(cast(call(Function::Strpos, vec![ward(), text("tiny")]), DataType::Int64), int(1)),
        equal(call(Function::Upper, vec![ward()]), text("TINY")),
        is_null(call(Function::Nullif, vec![ward(), text("tiny")])),
        equal(call(Function::Greatest, vec![ward(), text("tiny")]), text("tiny")),
        equal(call(Function::Coalesce, vec![ward(), text("none")]), text("tiny")),
        equal(case(equal(t("beds"), int(9)), ward(), None), text("tiny")),
        cast(ward(), DataType::Boolean),
        equal(cast(ward(), DataType::Text), text("tiny")),
        tiny().unary(UnaryOp::IsNotTrue),
        tiny().binary(BinaryOp::Or, equal(t("beds"), int(9))),
    ] {
        all_refused(&bench, "R04", places(&condition)).await;
    }
}

#[tokio::test]
async fn a_column_off_the_list_is_not_tested_under_another_name() {
    let bench = Bench::under("compare_literals = [\"beds\"]").await;
    let renamed = |expr| project(scan("stay"), vec![("x", expr), ("y", text("tiny"))]);
    let x = || of("p", "x");
    let either = |second| {
        union(vec![project(scan("stay"), vec![("x", t("ward"))]), project(scan("stay"), vec![("x", second)])])
    };
    let on_constant = |right: &str| {
        let named = Relation::Project {
            input: Box::new(aliased("site", "s")),
            alias: "u".to_owned(),
            columns: vec![("w".to_owned(), text("tiny")), ("ward".to_owned(), of("s", "ward"))],
        };
        let on = vec![(Column::new("t", "ward"), Column::new("u", right))];
        Relation::Join(Box::new(Join {
            left: scan("stay"),
            right: named,
            kind: JoinKind::Inner,
            on,
            filter: None,
        }))
    };
    all_refused(
        &bench,
        "R04",
        vec![
            rows_of(filtered(renamed(t("ward")), equal(x(), text("tiny"))), vec![]),
            rows_of(filtered(renamed(t("ward")), equal(x(), of("p", "y"))), vec![]),
            rows_of(filtered(either(t("ward")), equal(x(), text("tiny"))), vec![]),
            rows_of(filtered(either(text("a")), equal(x(), text("tiny"))), vec![]),
            rows_of(renamed(call(Function::Substr, vec![t("ward"), int(1), int(1)])), vec![x()]),
            rows_of(renamed(call(Function::Concat, vec![t("ward"), text("!")])), vec![x()]),
            rows_of(renamed(call(Function::CharacterLength, vec![t("ward")])), vec![x()]),
            rows_of(on_constant("w"), vec![]),
        ],
    )
    .await;
    // A constant can be made of the column itself.
    let nothing = |x: &str| t(x).binary(BinaryOp::Subtract, t(x));
    let itself = compared(BinaryOp::Gt, nothing("beds"), t("beds").binary(BinaryOp::Subtract, int(8)));
    all_answered(&bench, vec![counted(itself)]).await;
    let itself = |x| counted(equal(t(x), t(x)));
    all_refused(&bench, "R05", vec![itself("ward"), itself("temp")]).await;
    // Through a table that anybody may test: whoever asks there asks here.
    let through = |filter| rows_of(filtered(joined("site", &[("ward", "ward")]), filter), vec![]);
    let tiny_site = equal(of("u", "ward"), text("tiny"));
    assert_eq!(bench.refusal(through(tiny_site)).await, "R05");
}

/// What is divided by zero or too large is missing, and COUNT sees it.
#[tokio::test]
async fn arithmetic_does_not_test_a_column_off_the_list() {
    let bench = Bench::under("compare_literals = [\"ward\"]").await;
    let less = |expr: Expr, value| expr.binary(BinaryOp::Subtract, value);
    let (beds, temp) = (|| t("beds"), || t("temp"));
    all_refused(
        &bench,
        "R04",
        vec![
            aggregated(State::Count, int(1).binary(BinaryOp::Divide, less(beds(), int(9)))),
            aggregated(State::Count, beds().binary(BinaryOp::Multiply, int(i64::MAX / 8))),
            aggregated(State::Count, cast(beds(), DataType::decimal(1, 0).unwrap())),
            aggregated(State::Count, call(Function::Ln, vec![less(temp(), double(19.0))])),
            rows_of(scan("stay"), vec![call(Function::Signum, vec![less(temp(), double(19.0))])]),
            rows_of(scan("stay"), vec![beds().binary(BinaryOp::Divide, int(9))]),
            rows_of(scan("stay"), vec![call(Function::Round, vec![temp()])]),
            rows_of(scan("stay"), vec![cast(temp(), DataType::Int64)]),
        ],
    )
    .await;
}

/// Grouping, counting and adding up are no tests.
#[tokio::test]
async fn a_column_off_the_list_is_still_grouped_and_added_up() {
    let bench = Bench::under("compare_literals = [\"beds\"]\ncompare_columns = []").await;
    let renamed =
        project(scan("stay"), vec![("x", t("ward")), ("few", compared(BinaryOp::Lt, t("beds"), int(5)))]);
    all_answered(
        &bench,
        vec![
            rows_of(scan("stay"), vec![t("ward")]),
            rows_of(filtered(renamed, of("p", "few")), vec![of("p", "x")]),
            counted(equal(t("beds"), int(2))),
            rows_of(filtered(scan("stay"), is_null(t("person")).unary(UnaryOp::Not)), vec![t("ward")]),
            aggregated(State::Sum, t("cost")),
            aggregated(State::Count, t("ward")),
            aggregated(State::Sum, case(equal(t("beds"), int(2)), t("cost"), None)),
            rows_of(joined("meal", &[("person", "person")]), vec![]),
        ],
    )
    .await;
}

#[tokio::test]
async fn only_pairs_on_the_list_are_compared() {
    let asked = |one: &str, other: &str| {
        let input = joined("meal", &[("person", "person")]);
        rows_of(filtered(input, equal(of("t", one), of("u", other))), vec![])
    };
    let within = counted(compared(BinaryOp::Lt, cast(t("beds"), DataType::Float64), t("temp")));
    let hidden = |constant: i64| {
        let sum = t("temp").binary(BinaryOp::Subtract, cast(t("beds"), DataType::Float64));
        counted(compared(BinaryOp::Gt, sum, cast(int(constant), DataType::Float64)))
    };
    let among = call(Function::Nullif, vec![t("temp"), cast(t("beds"), DataType::Float64)]);
    let none = Bench::under("compare_columns = []").await;
    let on_ward = || rows_of(joined("meal", &[("person", "person"), ("ward", "ward")]), vec![]);
    let questions = vec![
        asked("ward", "ward"),
        asked("beds", "beds"),
        on_ward(),
        within.clone(),
        hidden(16),
        hidden(0),
        counted(is_null(among)),
        counted(Expr::Between {
            operand: Box::new(t("temp")),
            low: Box::new(double(0.0)),
            high: Box::new(cast(t("beds"), DataType::Float64)),
            negated: false,
        }),
    ];
    all_refused(&none, "R05", questions).await;
    all_answered(&none, vec![counted(tiny()), counted(equal(t("beds"), int(2)))]).await;
    let pairs = "compare_columns = [[\"meal.ward\", \"ward\"], [\"temp\", \"beds\"]]";
    let some = Bench::under(pairs).await;
    all_answered(&some, vec![asked("ward", "ward"), on_ward(), within, hidden(16)]).await;
    all_refused(&some, "R05", vec![asked("beds", "beds")]).await;
    // The other dataset's policy has its say.
    let silent = Bench::open().await;
    all_answered(&silent, vec![asked("ward", "ward"), asked("beds", "beds"), hidden(16)]).await;
}

/// A long list is a long list when it is spelled out.
#[tokio::test]
async fn a_list_is_as_long_as_its_constants() {
    let bench = Bench::under("max_in_list = 2").await;
    let list = |words: &[&str]| Expr::InList {
        operand: Box::new(t("ward")),
        list: words.iter().map(|word| Literal::text(*word)).collect(),
        negated: false,
    };
    let is = |word| equal(t("ward"), text(word));
    let or = |one: Expr, other| one.binary(BinaryOp::Or, other);
    all_answered(&bench, vec![counted(list(&["a", "b"])), counted(or(is("big"), is("edge")))]).await;
    let twice = filtered(filtered(scan("stay"), list(&["a", "b"])), is("c"));
    let branches =
        [("a", 1), ("b", 2), ("c", 3)].map(|(word, number)| Branch { when: is(word), then: int(number) });
    let renamed = project(scan("stay"), vec![("x", t("ward"))]);
    let measures = ["a", "b", "c"].map(|word| Measure { filter: Some(is(word)), ..ROWS });
    let in_union = |word| filtered(aliased("stay", "t"), is(word));
    all_refused(
        &bench,
        "R04",
        vec![
            counted(list(&["a", "b", "c"])),
            counted(or(or(is("a"), is("b")), is("c"))),
            counted(or(list(&["a", "b"]), is("c"))),
            rows_of(twice, vec![]),
            rows_of(scan("stay"), vec![Expr::Case { branches: branches.into(), otherwise: None }]),
            rows_of(
                filtered(
                    filtered(renamed, equal(of("p", "x"), text("a"))),
                    or(equal(of("p", "x"), text("b")), equal(of("p", "x"), text("c"))),
                ),
                vec![],
            ),
            fragment(scan("stay"), vec![], measures.into()),
            rows_of(union(vec![in_union("a"), in_union("b"), in_union("c")]), vec![]),
        ],
    )
    .await;
}

const BINS: &str = "bins = { temp = [0, 18.5, 20], beds = [3, 5] }";

fn temp() -> Expr {
    t("temp")
}

fn band(low: f64, high: f64) -> Expr {
    let least = compared(BinaryOp::GtEq, temp(), double(low));
    least.binary(BinaryOp::And, compared(BinaryOp::Lt, temp(), double(high)))
}

/// `(SELECT expr AS x FROM stay AS t) AS p`
fn renamed(expr: Expr) -> Relation {
    project(scan("stay"), vec![("x", expr)])
}

#[tokio::test]
async fn a_binned_column_is_tested_at_its_edges() {
    let bench = Bench::under(BINS).await;
    let x = || of("p", "x");
    let bands = |least: Expr| case(least, text("low"), Some(text("high")));
    all_answered(
        &bench,
        vec![
            rows_of(scan("stay"), vec![bands(band(0.0, 18.5))]),
            counted(band(0.0, 20.0)),
            counted(compared(BinaryOp::Gt, double(20.0), temp())),
            counted(compared(BinaryOp::LtEq, int(3), t("beds"))),
            counted(compared(BinaryOp::Lt, cast(t("beds"), DataType::Float64), double(5.0))),
            rows_of(filtered(renamed(temp()), compared(BinaryOp::Lt, x(), double(20.0))), vec![]),
            rows_of(renamed(bands(band(0.0, 18.5))), vec![x()]),
            counted(is_null(temp()).unary(UnaryOp::Not)),
            aggregated(State::Mean, temp()),
        ],
    )
    .await;
}

/// Two questions about a binned column never differ by a sliver.
#[tokio::test]
async fn a_binned_column_is_not_tested_between_its_edges() {
    let bench = Bench::under(BINS).await;
    let x = || of("p", "x");
    let mut slivers = vec![
        rows_of(scan("stay"), vec![temp()]),
        rows_of(renamed(temp()), vec![x()]),
        rows_of(renamed(cast(temp(), DataType::Text)), vec![x()]),
        rows_of(filtered(renamed(temp()), compared(BinaryOp::Lt, x(), double(19.0))), vec![]),
        rows_of(union(vec![renamed(temp()), renamed(double(1.0))]), vec![x()]),
        aggregated(
            State::Count,
            double(1.0).binary(BinaryOp::Divide, temp().binary(BinaryOp::Subtract, double(20.0))),
        ),
    ];
    for condition in [
        band(0.0, 19.0),
        compared(BinaryOp::LtEq, temp(), double(20.0)),
        compared(BinaryOp::Gt, temp(), double(18.5)),
        compared(BinaryOp::GtEq, double(20.0), temp()),
        compared(BinaryOp::Lt, double(18.5), temp()),
        equal(temp(), double(20.0)),
        compared(BinaryOp::IsDistinctFrom, temp(), double(20.0)),
        Expr::Between {
            operand: Box::new(temp()),
            low: Box::new(double(0.0)),
            high: Box::new(double(20.0)),
            negated: false,
        },
        Expr::InList { operand: Box::new(t("beds")), list: vec![Literal::int64(3)], negated: false },
        compared(BinaryOp::Lt, temp().binary(BinaryOp::Add, double(0.5)), double(20.0)),
        compared(BinaryOp::Lt, cast(temp(), DataType::Int64), int(20)),
        compared(BinaryOp::Lt, call(Function::Abs, vec![temp()]), double(20.0)),
        compared(BinaryOp::Lt, temp(), cast(t("beds"), DataType::Float64)),
        compared(BinaryOp::Lt, temp(), double(20.0).binary(BinaryOp::Subtract, double(0.5))),
        compared(BinaryOp::Lt, call(Function::Coalesce, vec![temp(), double(20.0)]), double(20.0)),
        is_null(call(Function::Nullif, vec![temp(), double(20.0)])),
        is_null(double(1.0).binary(BinaryOp::Divide, temp())),
    ] {
        slivers.extend(places(&condition));
    }
    all_refused(&bench, "R04", slivers).await;
    let by_temp = rows_of(joined("meal", &[("person", "person"), ("temp", "temp")]), vec![]);
    assert_eq!(bench.refusal(by_temp).await, "R04");
}
