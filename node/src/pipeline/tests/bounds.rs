//! Values between declared bounds: an outlier's is not read off a figure (A10), and no digit is finer than a sum may be (A46).

use super::*;

/// No rule but the threshold: what is seen or not is the bounds' doing.
const BARE: &str = "dominance = \"off\"\noverlap_guard = false\n";

async fn bench(bounds: &str) -> Bench {
    Bench::under(&format!("{BARE}{bounds}")).await
}

/// Everybody knows what all others cost: the three of `tiny` are what is left of the sum.
#[tokio::test]
async fn an_outlier_is_not_read_off_a_sum() {
    let others = 3222.0 * 100.0;
    #[expect(clippy::cast_precision_loss, reason = "seven digits")]
    let truth = 3.0 * CANARY as f64;
    for (bounds, left) in [("", truth), ("bounds = { cost = [0, 1000] }", 3000.0)] {
        let bench = bench(bounds).await;
        let sum = bench.cell(measure(State::Sum, t("cost"))).await.unwrap().unwrap();
        assert!((sum - others - left).abs() <= 250.0, "{bounds}: {sum}");
        let weighted = t("cost").binary(BinaryOp::Multiply, int(3));
        let sum = bench.cell(measure(State::Sum, weighted)).await.unwrap().unwrap();
        assert!((sum / 3.0 - others - left).abs() <= 250.0, "{bounds}: {sum}");
        let cost = Expr::TryCast { operand: Box::new(t("cost")), to: jigsaw_proto::types::DataType::Float64 };
        let mean = bench.cell(measure(State::Mean, cost.clone())).await.unwrap().unwrap();
        assert!((mean - (others + left) / 3225.0).abs() < 1.0, "{bounds}: {mean}");
        let m2 = bench.cell(measure(State::M2, cost)).await.unwrap().unwrap();
        let variance = left * left / 3.0;
        assert!((m2 / variance - 1.0).abs() < 0.5, "{bounds}: {m2} beside {variance}");
    }
}

/// Nor by a condition, where the contract opens the measure to conditions, nor by grouping.
#[tokio::test]
async fn an_outlier_is_not_found_by_conditions() {
    let bench = bench("threshold = 10\nbounds = { temp = [18, 20] }").await;
    let above = |limit| bench.ask(counted(t("temp").binary(BinaryOp::GtEq, double(limit))));
    let shown = |answer: Answer| answer.batch.column(0).as_primitive::<Int64Type>().iter().next().flatten();
    assert_eq!(shown(above(20.5).await.unwrap()), None, "nobody is above the bound");
    assert!(shown(above(20.0).await.unwrap()).is_some());
    let groups = bench.ask(fragment(scan("stay"), vec![t("temp")], vec![ROWS])).await.unwrap();
    let groups = groups.batch.column(0).as_primitive::<Float64Type>().clone();
    assert!(groups.iter().flatten().all(|temp| temp <= 20.0), "{groups:?}");
}

/// A measure without bounds is taken to be within what the summands of questions are checked for: nothing overflows.
#[tokio::test]
async fn a_value_that_cannot_be_is_no_hole_in_a_sum() {
    let bench = bench("").await;
    let sum = |by: i64| {
        let product = t("cost").binary(BinaryOp::Multiply, int(by));
        bench.cell(measure(State::Sum, product))
    };
    assert!(sum(1_000_000).await.unwrap().is_some(), "the greatest scale is answered");
}

/// Sums of doubles are multiples of base × resolution, whatever the digits of rows are.
#[tokio::test]
async fn sums_of_doubles_have_no_digit_of_their_own() {
    let bench = bench("").await;
    let rows = fragment(scan("stay"), vec![t("ward")], vec![measure(State::Sum, t("temp"))]);
    let answer = bench.ask(rows).await.unwrap();
    let sums = answer.batch.column(1).as_primitive::<Float64Type>().clone();
    assert!(sums.iter().flatten().count() >= 3);
    for sum in sums.iter().flatten() {
        assert!((sum / 0.5 - (sum / 0.5).round()).abs() < 1e-9, "{sum}");
    }
}
