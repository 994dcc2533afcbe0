//! Rows made one for each group, and EXISTS: what would be asked to learn of one person, and what it is for.

use arrow::array::Array;
use jigsaw_proto::fragment::{Join, JoinKind};
use jigsaw_proto::types::DataType;

use super::attacks::project;
use super::*;

/// `(SELECT keys, measures FROM input GROUP BY keys) AS a`
fn grouped(input: Relation, keys: &[(&str, Expr)], measures: &[(&str, Measure)]) -> Relation {
    Relation::Aggregate {
        input: Box::new(input),
        alias: "a".to_owned(),
        keys: keys.iter().map(|(name, key)| ((*name).to_owned(), key.clone())).collect(),
        measures: measures.iter().map(|(name, measure)| ((*name).to_owned(), measure.clone())).collect(),
    }
}

/// One row for each person of `stay`, with `measures`.
fn by_person(measures: &[(&str, Measure)]) -> Relation {
    grouped(scan("stay"), &[("person", t("person"))], measures)
}

fn exists(kind: JoinKind, left: Relation, right: Relation, on: &str) -> Relation {
    let on = vec![(Column::new("t", on), Column::new("u", on))];
    Relation::Join(Box::new(Join { left, right, kind, on, filter: None }))
}

/// The only cell of a fragment with one measure and no keys.
async fn cell(bench: &Bench, input: Relation, measure: Measure) -> Result<Option<i64>, Refusal> {
    let answer = bench.ask(fragment(input, vec![], vec![measure])).await?;
    let column = answer.batch.column(0).as_primitive::<Int64Type>();
    Ok((!column.is_empty() && column.is_valid(0)).then(|| column.value(0)))
}

fn at_least(expr: Expr, value: i64) -> Expr {
    expr.binary(BinaryOp::GtEq, int(value))
}

/// A23: whether anybody is there is told of nobody, be the group outside as large as it may.
#[tokio::test]
async fn exists_over_protected_rows_is_about_entities_that_are_counted() {
    let bench = Bench::open().await;
    for kind in [JoinKind::Semi, JoinKind::Anti] {
        let rich = || filtered(aliased("meal", "u"), equal(of("u", "ward"), text("tiny")));
        for (outside, on) in [("stay", "ward"), ("stay", "beds"), ("site", "ward"), ("site", "person")] {
            let asked = fragment(exists(kind, scan(outside), rich(), on), vec![], vec![ROWS]);
            assert_eq!(bench.refusal(asked).await, "R22", "{kind:?} of {outside} on {on}");
        }
        let mixed = Relation::Join(Box::new(Join {
            left: scan("site"),
            right: aliased("stay", "s"),
            kind: JoinKind::Inner,
            on: vec![(Column::new("t", "ward"), Column::new("s", "ward"))],
            filter: None,
        }));
        let asked = fragment(exists(kind, mixed, rich(), "person"), vec![], vec![ROWS]);
        assert_eq!(bench.refusal(asked).await, "R22", "{kind:?}: a person of open rows is nobody's entity");
    }
    // Public rows may decide on protected ones: they are no secret.
    let public = exists(JoinKind::Semi, scan("stay"), aliased("site", "u"), "ward");
    assert_eq!(cell(&bench, public, ROWS).await.unwrap(), Some(3_215));
}

#[tokio::test]
async fn exists_counts_the_entities_outside() {
    let bench = Bench::open().await;
    let meals = |ward: &str| filtered(aliased("meal", "u"), equal(of("u", "ward"), text(ward)));
    let people = |kind, ward| exists(kind, scan("stay"), meals(ward), "person");
    let entities = || measure(State::Entities, t("person"));
    assert_eq!(cell(&bench, people(JoinKind::Semi, "big"), entities()).await.unwrap(), Some(200));
    assert_eq!(cell(&bench, people(JoinKind::Semi, "big"), ROWS).await.unwrap(), Some(200));
    assert_eq!(cell(&bench, people(JoinKind::Anti, "big"), entities()).await.unwrap(), Some(30));
    assert_eq!(cell(&bench, people(JoinKind::Semi, "tiny"), ROWS).await.unwrap(), None, "three people");
    assert_eq!(
        cell(&bench, people(JoinKind::Semi, "sensor"), ROWS).await.unwrap(),
        None,
        "three, in 1000 rows each"
    );
    let shown = fragment(people(JoinKind::Semi, "big"), vec![], vec![measure(State::Count, of("u", "ward"))]);
    assert_eq!(bench.refusal(shown).await, "R02", "columns inside EXISTS cannot be named outside");
}

/// Of an open dataset nobody is counted, and each row outside counts once.
#[tokio::test]
async fn exists_keeps_each_row_once() {
    let bench = Bench::open().await;
    for (kind, ward, expected) in
        [(JoinKind::Semi, "sensor", 3_000), (JoinKind::Anti, "sensor", 225), (JoinKind::Semi, "tiny", 3)]
    {
        let inside = filtered(aliased("site", "u"), equal(of("u", "ward"), text(ward)));
        let rows = exists(kind, scan("site"), inside, "person");
        assert_eq!(cell(&bench, rows, ROWS).await.unwrap(), Some(expected), "{kind:?} {ward}");
    }
}

/// A24: groups that are about no entity are released, or not made.
#[tokio::test]
async fn protected_rows_are_grouped_by_their_entity_below() {
    let bench = Bench::open().await;
    let most = measure(State::Max, t("cost"));
    for key in [t("ward"), t("beds"), t("node"), is_null(t("person"))] {
        let input = grouped(scan("stay"), &[("k", key.clone())], &[("most", most.clone())]);
        assert_eq!(bench.refusal(fragment(input, vec![], vec![ROWS])).await, "R23", "{key}");
    }
    let both = Relation::Join(Box::new(Join {
        left: scan("site"),
        right: aliased("stay", "s"),
        kind: JoinKind::Inner,
        on: vec![(Column::new("t", "ward"), Column::new("s", "ward"))],
        filter: None,
    }));
    let by_public = grouped(both, &[("k", t("person"))], &[("n", ROWS)]);
    assert_eq!(bench.refusal(fragment(by_public, vec![], vec![ROWS])).await, "R23");
    // Of open rows, any group is fine.
    let wards = grouped(scan("site"), &[("ward", t("ward"))], &[("most", most)]);
    assert_eq!(cell(&bench, wards, ROWS).await.unwrap(), Some(5));
}

/// Snowflake's deferral: the threshold is asked of the groups of the parent, in entities and not in rows of the inner block.
#[tokio::test]
async fn the_threshold_is_deferred_to_the_parent() {
    let bench = Bench::open().await;
    let input = || {
        let keys = [("person", t("person")), ("ward", t("ward")), ("temp", t("temp"))];
        grouped(scan("stay"), &keys, &[("n", ROWS), ("cost", measure(State::Sum, t("cost")))])
    };
    let measures = vec![
        ROWS,
        measure(State::Entities, of("a", "person")),
        measure(State::Sum, of("a", "n")),
        measure(State::Sum, of("a", "cost")),
    ];
    let answer = bench.ask(fragment(input(), vec![of("a", "ward")], measures)).await.unwrap();
    let wards: Vec<Option<&str>> = answer.batch.column(0).as_string::<i32>().iter().collect();
    let mut shown = wards.clone();
    shown.sort_unstable();
    // `sensor` has 24 inner rows of three people.
    assert_eq!(shown, [None, Some("big"), Some("edge")]);
    let big = wards.iter().position(|ward| *ward == Some("big")).unwrap();
    let value = |column: usize| answer.batch.column(column).as_primitive::<Int64Type>().value(big);
    assert_eq!([1, 2, 3, 4].map(value), [200, 200, 200, 20_000]);
}

/// What an inner aggregate is made of decides what may be done with it.
#[tokio::test]
async fn an_inner_aggregate_launders_nothing() {
    let bench = Bench::open().await;
    let cost = |state| measure(state, t("cost"));
    let inner = by_person(&[
        ("total", cost(State::Sum)),
        ("most", cost(State::Max)),
        ("least", cost(State::Min)),
        ("cold", measure(State::Min, t("temp"))),
        ("n", ROWS),
    ]);
    let asked = |predicate: Expr| fragment(filtered(inner.clone(), predicate), vec![], vec![ROWS]);
    for name in ["total", "most", "least"] {
        assert_eq!(bench.refusal(asked(at_least(of("a", name), CANARY))).await, "R04", "{name}");
        let shown = fragment(inner.clone(), vec![of("a", name)], vec![ROWS]);
        assert_eq!(bench.refusal(shown).await, "R04", "{name}");
        for state in [State::Min, State::Max] {
            let extreme = fragment(inner.clone(), vec![], vec![measure(state, of("a", name))]);
            assert_eq!(bench.refusal(extreme).await, "R06", "{name}");
        }
    }
    for name in ["most", "least"] {
        let added = fragment(inner.clone(), vec![], vec![measure(State::Sum, of("a", name))]);
        assert_eq!(bench.refusal(added).await, "R06", "{name}");
    }
    let person = fragment(inner.clone(), vec![of("a", "person")], vec![ROWS]);
    assert_eq!(bench.refusal(person).await, "R03");
    let compared = asked(equal(of("a", "person"), text("tiny-1")));
    assert_eq!(bench.refusal(compared).await, "R03");
    let first = by_person(&[("first", measure(State::Min, t("person")))]);
    assert_eq!(bench.refusal(fragment(first, vec![], vec![ROWS])).await, "R03");
    let chosen = Measure { filter: Some(at_least(t("cost"), CANARY)), ..ROWS };
    let chosen = by_person(&[("n", chosen)]);
    assert_eq!(bench.refusal(fragment(chosen, vec![], vec![ROWS])).await, "R04");
    // A measure that is open to conditions, and a number of rows, are open to them here.
    assert_eq!(
        cell(&bench, filtered(inner.clone(), at_least(of("a", "n"), 1)), ROWS).await.unwrap(),
        Some(230)
    );
    let many = filtered(inner.clone(), at_least(of("a", "n"), 1_000));
    assert_eq!(cell(&bench, many, ROWS).await.unwrap(), None, "three people have so many rows");
    let cold = filtered(inner, of("a", "cold").binary(BinaryOp::GtEq, double(18.0)));
    assert_eq!(cell(&bench, cold, ROWS).await.unwrap(), Some(230));
}

/// A union with a constant would make MAX tell those above it from those below, and AVG move the grid that sums are rounded on.
#[tokio::test]
async fn a_constant_beside_a_measure_is_not_added_up_below() {
    let bench = Bench::open().await;
    let branch = |x: Expr| project(scan("stay"), vec![("person", t("person")), ("x", x)]);
    let union =
        || Relation::UnionAll { alias: "t".to_owned(), inputs: vec![branch(t("cost")), branch(int(500))] };
    for state in [State::Max, State::Min, State::Sum] {
        let inner = grouped(union(), &[("person", t("person"))], &[("x", measure(state, t("x")))]);
        let asked = fragment(inner, vec![], vec![measure(State::Sum, of("a", "x"))]);
        assert_eq!(bench.refusal(asked).await, "R06", "{state}");
    }
    let as_double = Expr::TryCast { operand: Box::new(t("x")), to: DataType::Float64 };
    let inner = grouped(union(), &[("person", t("person"))], &[("x", measure(State::Mean, as_double))]);
    let asked = fragment(inner, vec![], vec![measure(State::Sum, of("a", "x"))]);
    assert_eq!(bench.refusal(asked).await, "R06");
}

/// Dominance knows who holds what through an inner aggregation: two people have 2,000 of the 3,225 rows.
#[tokio::test]
async fn holdings_are_known_through_an_inner_aggregation() {
    let added = || measure(State::Sum, of("a", "n"));
    for (k, expected) in [(90, Some(3_225)), (60, None)] {
        let bench = Bench::under(&format!("dominance = {{ p = 10, n = 2, k = {k} }}")).await;
        assert_eq!(cell(&bench, by_person(&[("n", ROWS)]), added()).await.unwrap(), expected, "k = {k}");
    }
}
