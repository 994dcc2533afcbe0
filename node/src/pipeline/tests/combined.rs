//! `R15`: sums that tell of a few people by being added to and subtracted from one another.

use super::intervals::{BEDS, bench as housed};
use super::*;
use jigsaw_proto::types::DataType;

/// Thirty people in each step of `beds` but the last, where there are three.
async fn bench() -> Bench {
    let policy = "release = \"protected\"\nconditions = \"any\"";
    housed(&[30, 30, 30, 3].map(|people| vec![200_000; people]).into(), policy).await
}

/// A sum, or a mean, of those whose `beds` are among these.
async fn asked(bench: &Bench, state: State, beds: &[i64]) -> bool {
    let cost = match state {
        State::Mean => Expr::TryCast { operand: Box::new(t("cost")), to: DataType::Float64 },
        _ => t("cost"),
    };
    told(bench, state, cost, beds).await
}

async fn told(bench: &Bench, state: State, cost: Expr, beds: &[i64]) -> bool {
    let among = beds.iter().map(|beds| equal(t("beds"), int(*beds)));
    let among = among.reduce(|one, other| one.binary(BinaryOp::Or, other)).unwrap();
    let question = fragment(filtered(scan("stay"), among), vec![], vec![measure(state, cost)]);
    bench.ask(question).await.unwrap().batch.column(0).is_valid(0)
}

/// `total − a − b + both` is the sum of the three who are in neither.
#[tokio::test]
async fn what_is_in_neither_of_two_that_overlap_is_not_told() {
    let parts: [&[i64]; 4] = [&BEDS, &[1, 2], &[2, 3], &[2]];
    for last in 0..parts.len() {
        let bench = bench().await;
        let mut order = parts.to_vec();
        let last = order.remove(last);
        for beds in order {
            assert!(asked(&bench, State::Sum, beds).await, "{beds:?} before {last:?}");
        }
        assert!(!asked(&bench, State::Sum, last).await, "{last:?} leaves over three people");
    }
}

/// Means and counts are sums.
#[tokio::test]
async fn means_do_not_tell_it_either() {
    let bench = bench().await;
    for beds in [&BEDS[..], &[1], &[2]] {
        assert!(asked(&bench, State::Mean, beds).await);
    }
    assert!(!asked(&bench, State::Mean, &[3]).await);
}

/// Nor do sums that are spelled in other ways: each is a multiple of the same figure.
#[tokio::test]
async fn other_spellings_do_not_tell_it_either() {
    let bench = bench().await;
    let times = |factor: i64| t("cost").binary(BinaryOp::Multiply, int(factor));
    for (spelled, beds) in [(t("cost"), &BEDS[..]), (times(2), &[1]), (times(-1), &[2])] {
        assert!(told(&bench, State::Sum, spelled, beds).await);
    }
    assert!(!told(&bench, State::Sum, times(3), &[3]).await);
}
