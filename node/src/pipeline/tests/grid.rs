//! Dense grids (`R12`, A18): an answer has every cell, and absent, small and withheld ones are the same bytes.

use super::*;

const CODES: &str = "description = \"where\"\ncodes = [\"big\", \"edge\", \"empty\", \"sensor\", \"tiny\"]";

/// A bench whose `stay` is shown in whole grids.
async fn bench() -> Bench {
    Bench::with(|settings| {
        let text = STAY.replace("description = \"where\"", CODES);
        for dataset in settings.datasets.iter_mut().filter(|dataset| dataset.contract.name.as_str() == "stay")
        {
            dataset.contract = Contract::parse(&text).unwrap();
            let policy =
                "release = \"protected\"\nconditions = \"any\"\noverlap_guard = false\ngrid = \"dense\"";
            dataset.policy = Policy::parse(policy, &dataset.contract).unwrap();
        }
    })
    .await
}

/// Everybody but the three of `tiny`.
fn without_tiny() -> Relation {
    filtered(
        scan("stay"),
        is_null(t("ward")).binary(BinaryOp::Or, t("ward").binary(BinaryOp::NotEq, text("tiny"))),
    )
}

fn words(batch: &RecordBatch) -> Vec<(Option<&str>, Option<i64>)> {
    let wards = batch.column(0).as_string::<i32>().iter();
    wards.zip(batch.column(1).as_primitive::<Int64Type>().iter()).collect()
}

#[tokio::test]
async fn every_cell_is_there_whatever_is_in_the_rows() {
    let bench = bench().await;
    let answer = bench.ask(by_ward()).await.unwrap();
    let expected = [
        (Some("big"), Some(200)),
        (Some("edge"), Some(10)),
        (Some("empty"), None),
        (Some("sensor"), None),
        (Some("tiny"), None),
        (None, Some(10)),
    ];
    assert_eq!(words(&answer.batch), expected);
    assert_eq!((answer.manifest.released_cells, answer.manifest.withheld_cells), (3, 3));
    assert!(answer.manifest.rules.contains(&"R12".to_owned()), "{:?}", answer.manifest.rules);
    let none = filtered(scan("stay"), equal(t("ward"), text("nowhere")));
    let answer = bench.ask(fragment(none, vec![t("ward")], vec![ROWS])).await.unwrap();
    assert_eq!(answer.batch.num_rows(), 6, "of no row at all");
    let groups = bench.ask(fragment(scan("stay"), vec![t("ward"), t("node")], vec![])).await.unwrap();
    assert_eq!(groups.batch.num_rows(), 6, "the groups alone");
}

/// Not even the bytes differ.
#[tokio::test]
async fn small_and_absent_are_the_same_bytes() {
    let bench = bench().await;
    let measures = || vec![ROWS, measure(State::Sum, t("cost")), measure(State::Mean, t("temp"))];
    let of = |input| fragment(input, vec![t("ward")], measures());
    let with = bench.ask(of(scan("stay"))).await.unwrap();
    let without = bench.ask(of(without_tiny())).await.unwrap();
    assert_eq!(with.manifest, without.manifest);
    let bytes = |answer: &Answer| -> Vec<_> {
        answer
            .messages
            .iter()
            .map(|message| (message.data_header.clone(), message.data_body.clone()))
            .collect()
    };
    assert_eq!(bytes(&with), bytes(&without));
}

/// How long an answer is follows from the question: with cells and without any.
#[tokio::test]
async fn the_length_of_an_answer_follows_from_the_question() {
    use prost::Message as _;
    let bench = bench().await;
    let length = |answer: Answer| answer.messages.iter().map(FlightData::encoded_len).sum::<usize>();
    let of = |predicate| fragment(filtered(scan("stay"), predicate), vec![t("ward")], vec![ROWS]);
    let mut lengths = vec![];
    for ward in ["big", "edge", "tiny", "none"] {
        lengths.push(length(bench.ask(of(equal(t("ward"), text(ward)))).await.unwrap()));
    }
    assert!(lengths.iter().all(|length| *length == lengths[0] && length % 1024 == 0), "{lengths:?}");
}

/// What spans no grid is refused, whatever is in the rows.
#[tokio::test]
async fn what_spans_no_grid_is_refused() {
    let bench = bench().await;
    for key in [t("beds"), t("temp"), equal(t("ward"), text("big")), is_null(t("ward"))] {
        assert_eq!(bench.refusal(fragment(scan("stay"), vec![key], vec![ROWS])).await, "R12");
    }
    let mixed = fragment(scan("stay"), vec![t("ward"), t("beds")], vec![ROWS]);
    assert_eq!(bench.refusal(mixed).await, "R12");
    assert!(bench.ask(fragment(scan("stay"), vec![], vec![ROWS])).await.is_ok(), "one cell is a grid");
    let open = fragment(scan("site"), vec![t("beds")], vec![ROWS]);
    assert!(bench.ask(open).await.is_ok(), "open data are as they were");
}
