//! What is proved without a look at entities is what a look at them finds.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use jigsaw_proto::aggregate::State;
use jigsaw_proto::expr::{BinaryOp, Column, Expr, Literal};
use jigsaw_proto::fragment::{Fragment, Join, JoinKind, Measure, Relation};

use super::super::{Behind, computed, holders, proved};
use super::states::protected;
use super::{Bench, ROWS, column, measure, scan};
use crate::disclose::policy::Policy;
use crate::execute::Held;

const GUARDLESS: &str =
    "release = \"protected\"\nconditions = \"any\"\nthreshold = 5\nrounding = 1\noverlap_guard = false\n";

/// Visits of 300 people to places of more and more visits; in every third, somebody spends far more than the others, and in every
/// fifth, amounts of both signs cancel.
fn visits() -> RecordBatch {
    let mut seed = 1_u64;
    let mut draw = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from((seed >> 33) % below).unwrap()
    };
    let (mut people, mut places, mut costs) = (vec![], vec![], vec![]);
    for place in 0..24_i64 {
        for row in 0..place * place * 2 {
            people.push(format!("p{}", draw(300)));
            places.push(format!("{place}"));
            let sign = if place % 5 == 0 && row % 2 == 0 { -1 } else { 1 };
            let much = if place % 3 == 0 && row == 0 { 100_000 } else { 1 };
            costs.push((draw(10) > 0).then(|| sign * much * draw(50)));
        }
    }
    let hours: Float64Array = costs.iter().map(|cost| cost.map(|_| 0.25)).collect();
    let columns: [(&str, ArrayRef); 4] = [
        ("person", Arc::new(StringArray::from(people))),
        ("place", Arc::new(StringArray::from(places))),
        ("cost", Arc::new(Int64Array::from(costs))),
        ("hours", Arc::new(hours)),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

async fn bench(policy: &str) -> Bench {
    let mut bench = Bench::open(1, &[(protected().as_str(), &visits())]).await;
    for dataset in bench.datasets.values_mut() {
        let policy = Policy::parse(policy, dataset.contract()).unwrap();
        *dataset = Arc::new(dataset.under(policy));
    }
    bench
}

fn at(place: i64) -> Relation {
    let place = Expr::Literal(Literal::text(place.to_string()));
    let predicate = column("v", "place").binary(BinaryOp::Eq, place);
    Relation::Filter { input: Box::new(scan("visit", "v")), predicate }
}

fn measures() -> Vec<Measure> {
    let costly = column("v", "place").binary(BinaryOp::NotEq, Expr::Literal(Literal::text("x")));
    vec![
        ROWS,
        Measure { filter: Some(costly), ..measure(State::Count, column("v", "cost")) },
        measure(State::Sum, column("v", "cost")),
        measure(State::Mean, column("v", "hours")),
        measure(State::Entities, column("v", "person")),
    ]
}

/// The p % and the (n,k) rule at their defaults, in the words of the book.
fn is_dominated(held: Held<'_>) -> bool {
    let mut amounts: Vec<f64> = held.iter().map(|holding| holding.amount.abs()).collect();
    amounts.sort_unstable_by(|one, other| other.total_cmp(one));
    let total: f64 = amounts.iter().sum();
    let two: f64 = amounts.iter().take(2).sum();
    let largest = amounts.first().copied().unwrap_or(0.0);
    largest > 0.0 && (total - two < 0.1 * largest || two >= 0.9 * total)
}

#[tokio::test]
async fn what_is_proved_is_what_counting_finds() {
    for (policy, names) in [("dominance = \"off\"\n", false), ("", true)] {
        let bench = bench(&format!("{GUARDLESS}{policy}")).await;
        let (mut succeeded, mut failed) = (0, 0);
        for (place, measure) in (0..24).flat_map(|place| measures().into_iter().map(move |it| (place, it))) {
            let counts_people = measure.state == State::Entities;
            let fragment = Fragment { input: at(place), keys: vec![], measures: vec![measure] };
            let approved = bench.approve(fragment).await;
            let Some(proved) = proved(&approved, &bench.engine).await.unwrap() else {
                failed += 1;
                continue;
            };
            succeeded += 1;
            let (batch, released) = computed(&approved, &bench.engine, Behind::Holders).await.unwrap();
            assert_eq!(*proved.columns(), released);
            let (groups, cells) = holders(&approved, &batch.columns()[released.num_columns()..]).unwrap();
            assert!(groups[0].count(0) >= 5 && cells[0][0].count(0) >= 5, "place {place}");
            assert!(!names || counts_people || !is_dominated(cells[0][0].holdings(0)), "place {place}");
        }
        assert!(succeeded > 30 && failed > 30, "{succeeded} proved, {failed} not");
    }
}

/// One cell that is small makes all be counted, at once when it is asked again; so does a policy that asks who they are, and a
/// join, after which somebody may have any number of rows.
#[tokio::test]
async fn what_is_not_proved_is_counted() {
    let by_place =
        || Fragment { input: scan("visit", "v"), keys: vec![column("v", "place")], measures: vec![ROWS] };
    let all = || Fragment { keys: vec![], ..by_place() };
    let spared = async |bench: &Bench, fragment| bench.run(fragment).await.spared();
    let free = bench(GUARDLESS).await;
    assert!(!spared(&free, all()).await.is_zero(), "nearly ten thousand rows");
    assert!(spared(&free, by_place()).await.is_zero(), "the first place has two rows");
    assert!(free.engine.proof(&free.approve(by_place()).await).await.is_none(), "it is not tried again");
    assert!(free.engine.proof(&free.approve(all()).await).await.is_some());
    for more in ["overlap_guard = true\n", "overlap_guard = false\nsensitive = [\"place\"]\n"] {
        let strict = bench(&format!("{}{more}", GUARDLESS.replace("overlap_guard = false\n", ""))).await;
        assert!(strict.engine.proof(&strict.approve(all()).await).await.is_none(), "{more}");
    }
    let on = vec![(Column::new("v", "person"), Column::new("w", "person"))];
    let (left, right, kind) = (scan("visit", "v"), scan("visit", "w"), JoinKind::Inner);
    let join = Relation::Join(Box::new(Join { left, right, kind, on, filter: None }));
    let joined = Fragment { input: join, ..all() };
    assert!(free.engine.proof(&free.approve(joined).await).await.is_none());
}
