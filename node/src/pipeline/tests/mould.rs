//! The mould index of a protected home: each of its readings moves it, so it is told of nobody, in whatever form it is asked for.

use jigsaw_proto::expr::Value;
use jigsaw_proto::types::{DataType, TimeUnit};

use super::attacks::cast;
use super::*;

const DAY: i64 = 86_400;

fn at(seconds: i64) -> Expr {
    let stamp = DataType::Timestamp { unit: TimeUnit::Second, zone: None };
    Expr::Literal(Literal::new(stamp, Some(Value::Integer(seconds))).unwrap())
}

/// Two readings of a home whose second argument is `humidity`, at times told apart by `beds`: 2, and 9 in ward `tiny`.
fn index(humidity: Expr) -> Measure {
    let time = case(equal(t("beds"), int(9)), at(DAY), Some(at(0)));
    Measure { paired: Some(humidity), time: Some(time), ..measure(State::MouldIndex, t("temp")) }
}

fn below(input: Relation, key: &str, measure: Measure) -> Relation {
    Relation::Aggregate {
        input: Box::new(input),
        alias: "a".to_owned(),
        keys: vec![(key.to_owned(), t(key))],
        measures: vec![("m".to_owned(), measure)],
    }
}

/// As it is, of few and of many, with a humidity that is a secret or known to all, and below another aggregation whatever is made of
/// it there: its value, a count by it, a count of it.
#[tokio::test]
async fn no_protected_home_has_an_index() {
    let bench = Bench::open().await;
    for humidity in [double(97.0), cast(t("cost"), DataType::Float64), t("temp")] {
        for input in [scan("stay"), filtered(scan("stay"), tiny())] {
            for keys in [vec![], vec![t("ward")], vec![t("node")]] {
                let asked = fragment(input.clone(), keys, vec![ROWS, index(humidity.clone())]);
                assert_eq!(bench.refusal(asked).await, "R06");
            }
            let by_ward = below(input.clone(), "ward", index(humidity.clone()));
            assert_eq!(bench.refusal(fragment(by_ward, vec![], vec![ROWS])).await, "R23");
            let by_person = || below(input.clone(), "person", index(humidity.clone()));
            let above = of("a", "m").binary(BinaryOp::Gt, double(1.0));
            for measure in [
                ROWS,
                Measure { filter: Some(above.clone()), ..ROWS },
                measure(State::Mean, of("a", "m")),
                measure(State::Count, of("a", "m")),
            ] {
                let asked = fragment(by_person(), vec![], vec![measure]);
                assert_eq!(bench.refusal(asked).await, "R06");
            }
            let asked = fragment(by_person(), vec![of("a", "m")], vec![ROWS]);
            assert_eq!(bench.refusal(asked).await, "R06");
        }
    }
}

/// Nor where it is put together of open and protected rows, or a cube decides on conditions.
#[tokio::test]
async fn open_rows_beside_protected_ones_are_no_way_round() {
    let bench = Bench::open().await;
    let project = |dataset: &str| Relation::Project {
        input: Box::new(scan(dataset)),
        alias: "t".to_owned(),
        columns: ["ward", "beds", "temp", "cost"].map(|name| (name.to_owned(), t(name))).into(),
    };
    let union = Relation::UnionAll { alias: "t".to_owned(), inputs: vec![project("site"), project("stay")] };
    let refusal = bench.refusal(fragment(union, vec![], vec![index(double(97.0))])).await;
    assert!(["R02", "R06"].contains(&refusal.as_str()), "{refusal}");
    let cube = Bench::under_conditions("cube", "").await;
    assert_eq!(cube.refusal(fragment(scan("stay"), vec![], vec![index(double(97.0))])).await, "R06");
}

/// What the same question is over open rows, where nothing is withheld; a measure of another kind has no time, and this one has both.
#[tokio::test]
async fn open_rows_have_an_index() {
    let bench = Bench::open().await;
    let value = |answer: Answer| answer.batch.column(0).as_primitive::<Float64Type>().iter().next().unwrap();
    let ask = async |input, measure| value(bench.ask(fragment(input, vec![], vec![measure])).await.unwrap());
    // The mean of all temperatures at the first time, kept for a day.
    let mut readings = jigsaw_proto::mould::Readings::default();
    let temps = rows();
    let temps = temps.column_by_name("temp").unwrap().as_primitive::<Float64Type>().values();
    let beds = rows();
    let beds = beds.column_by_name("beds").unwrap().as_primitive::<Int64Type>().values();
    for (temp, beds) in temps.iter().zip(beds) {
        readings.push(if *beds == 9 { DAY * 1_000_000 } else { 0 }, *temp, 97.0);
    }
    let expected = readings.mould_index();
    assert!(expected > Some(0.05), "{expected:?}");
    assert_eq!(ask(scan("site"), index(double(97.0))).await, expected);
    let most = measure(State::Max, of("a", "m"));
    assert_eq!(
        ask(below(scan("site"), "person", index(double(97.0))), most).await,
        Some(0.0),
        "one reading each"
    );
    for wrong in [
        Measure { time: Some(at(0)), ..measure(State::Mean, t("temp")) },
        Measure { time: None, ..index(double(97.0)) },
        Measure { paired: None, ..index(double(97.0)) },
        Measure { time: Some(t("beds")), ..index(double(97.0)) },
        Measure { argument: None, ..index(double(97.0)) },
    ] {
        assert_eq!(bench.refusal(fragment(scan("site"), vec![], vec![wrong])).await, "R02");
    }
}
