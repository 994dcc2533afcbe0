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

/// An entity is counted without more ado, but not where a value of a measure says which.
#[tokio::test]
async fn people_are_not_counted_by_a_second_argument() {
    let bench = Bench::open().await;
    let beyond = cost().binary(BinaryOp::Divide, double(90_000.0)).binary(BinaryOp::Subtract, double(1.0));
    let is_rich = call(Function::Sqrt, vec![beyond]);
    for argument in [t("person"), t("ward")] {
        let refusal = bench.refusal(one(paired(State::Count, argument.clone(), is_rich.clone()))).await;
        assert_eq!(refusal, "R04", "COUNT({argument}, {is_rich})");
    }
    assert_eq!(bench.refusal(one(paired(State::Count, t("ward"), t("person")))).await, "R02");
}

/// A second argument leaves rows out where it is NULL: under a cube, what is left must be a cell.
#[tokio::test]
async fn a_second_argument_chooses_cells_of_a_cube_only() {
    let bench = Bench::under_conditions("cube", "").await;
    let is = |ward: &str| equal(t("ward"), text(ward));
    let of = |when: Expr| case(when, t("temp"), None);
    let either = is("big").binary(BinaryOp::Or, equal(t("beds"), int(2)));
    let apart = t("ward").binary(BinaryOp::NotEq, text("tiny"));
    for state in [State::Count, State::Mean, State::M2, State::CoMoment] {
        for when in [either.clone(), apart.clone(), is("big").unary(UnaryOp::Not)] {
            let words = format!("{state} where {when}");
            let refusal = bench.refusal(one(paired(state, cost(), of(when)))).await;
            assert!(["R04", "R05"].contains(&refusal.as_str()), "{words}: {refusal}");
        }
        let plain = bench.cell(paired(state, cost(), t("temp"))).await;
        assert!(plain.is_ok(), "{state}: {plain:?}");
    }
}

/// Below another aggregation, pairs are refused: nothing there asks who is behind them.
#[tokio::test]
async fn pairs_are_not_aggregated_below_another_aggregation() {
    let bench = Bench::open().await;
    for state in [State::Count, State::CoMoment] {
        let input = Relation::Aggregate {
            input: Box::new(scan("stay")),
            alias: "a".to_owned(),
            keys: vec![("person".to_owned(), t("person"))],
            measures: vec![("m".to_owned(), paired(state, cost(), t("temp")))],
        };
        let refusal = bench.refusal(fragment(input, vec![], vec![ROWS])).await;
        assert_eq!(refusal, "R06", "{state}");
    }
}

/// Three people fewer are three people fewer, whichever argument is named first.
#[tokio::test]
async fn the_guard_knows_a_pair_in_either_order() {
    let bench = sixty("dominance = \"off\"", |at| 18.0 + f64::from(at % 7)).await;
    let wards = |but: Option<&str>| {
        let all = filtered(scan("stay"), is_null(t("ward")).unary(UnaryOp::Not));
        match but {
            Some(ward) => filtered(all, t("ward").binary(BinaryOp::NotEq, text(ward))),
            None => all,
        }
    };
    let cell = async |input: Relation, measure: Measure| {
        let answer = bench.ask(fragment(input, vec![], vec![measure])).await.unwrap();
        let column = answer.batch.column(0).as_primitive::<Float64Type>();
        arrow::array::Array::is_valid(column, 0).then(|| column.value(0))
    };
    let (one_way, other) =
        (paired(State::CoMoment, cost(), t("temp")), paired(State::CoMoment, t("temp"), cost()));
    let all = cell(wards(None), one_way.clone()).await;
    assert!(all.is_some());
    let fewer = cell(wards(Some("tiny")), other).await;
    assert!(fewer.is_none() || fewer == all, "{all:?} less three people is {fewer:?}");
}

/// Sixty people, the last three in `tiny`, each with a cost of its own; the temperature is theirs by number.
async fn sixty(policy: &str, temp: impl Fn(u8) -> f64) -> Bench {
    let people = 0..60_u8;
    let columns: [(&str, ArrayRef); 6] = [
        ("person", Arc::new(people.clone().map(|at| Some(format!("p{at}"))).collect::<StringArray>())),
        (
            "ward",
            Arc::new(
                people.clone().map(|at| Some(if at < 57 { "big" } else { "tiny" })).collect::<StringArray>(),
            ),
        ),
        ("beds", Arc::new(Int64Array::from(vec![1; 60]))),
        (
            "cost",
            Arc::new(people.clone().map(|at| Some(100 + i64::from(at) * 37 % 50)).collect::<Int64Array>()),
        ),
        ("temp", Arc::new(people.map(|at| Some(temp(at))).collect::<Float64Array>())),
        ("note", Arc::new(StringArray::from(vec![""; 60]))),
    ];
    let rows = RecordBatch::try_from_iter(columns).unwrap();
    let policy = format!("release = \"protected\"\nconditions = \"any\"\n{policy}");
    Bench::with(move |settings| {
        let stay =
            settings.datasets.iter_mut().find(|dataset| dataset.contract.name.as_str() == "stay").unwrap();
        let mut writer =
            ArrowWriter::try_new(File::create(&stay.source).unwrap(), rows.schema(), None).unwrap();
        writer.write(&rows).unwrap();
        writer.close().unwrap();
        stay.policy = Policy::parse(&policy, &stay.contract).unwrap();
    })
    .await
}

/// Where all but one have the same temperature, the covariance is that one's cost less the mean, whatever the others cost. As many
/// must differ as must contribute to any other figure (`R08`), and none of them too much (`R09`).
#[tokio::test]
async fn who_differs_in_one_measure_does_not_show_the_other() {
    let shows = async |temp: fn(u8) -> f64| {
        let bench = sixty("", temp).await;
        let (one_way, other) =
            (paired(State::CoMoment, cost(), t("temp")), paired(State::CoMoment, t("temp"), cost()));
        let shown = bench.cell(one_way).await.unwrap().is_some();
        assert_eq!(shown, bench.cell(other).await.unwrap().is_some());
        shown
    };
    assert!(!shows(|at| if at < 1 { 21.0 } else { 18.0 }).await);
    assert!(!shows(|at| if at < 9 { 21.0 } else { 18.0 }).await);
    assert!(shows(|at| if at < 10 { 21.0 } else { 18.0 }).await);
    assert!(
        !shows(|at| if at < 1 { 900.0 } else { 18.0 + f64::from(at % 2) / 10.0 }).await,
        "one differs most"
    );
    assert!(shows(|at| 18.0 + f64::from(at % 7)).await);
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
    let bench = sixty("", |at| 18.0 + f64::from(at % 7)).await;
    let twice = t("temp").binary(BinaryOp::Multiply, double(2.0));
    assert_eq!(bench.refusal(one(paired(State::CoMoment, t("temp"), twice))).await, "R06");
    let moment = bench.cell(paired(State::CoMoment, cost(), t("temp"))).await.unwrap().unwrap();
    let three: f64 = format!("{moment:.2e}").parse().unwrap();
    assert!((moment - three).abs() <= f64::EPSILON * moment.abs(), "{moment}");
    let pairs = bench.cell(paired(State::Count, cost(), t("temp"))).await.unwrap();
    assert_eq!(pairs, Some(60.0));
}
