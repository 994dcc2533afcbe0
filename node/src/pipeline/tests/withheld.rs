//! What is withheld is not there: not in the cells, and not in the bytes under them.

use super::*;

/// The eight bytes of a number, as Arrow writes them.
fn holds(messages: &[FlightData], needle: &[u8]) -> bool {
    messages.iter().any(|message| message.data_body.windows(needle.len()).any(|bytes| bytes == needle))
}

/// Kernels that set a NULL leave the value below it; it must not be sent along.
#[tokio::test]
async fn nothing_lies_under_a_withheld_cell() {
    let bench = Bench::open().await;
    let only_tiny = filtered(scan("stay"), tiny());
    let sum = measure(State::Sum, t("cost"));
    let mean = measure(State::Mean, t("temp"));
    let answer = bench.ask(fragment(only_tiny, vec![], vec![ROWS, sum, mean])).await.unwrap();
    assert_eq!(answer.manifest.withheld_cells, 3);
    let bytes: Vec<u8> =
        answer.messages.iter().flat_map(|message| message.data_body.iter().copied()).collect();
    assert!(bytes.iter().all(|byte| *byte == 0), "something is under the NULLs: {bytes:?}");
}

/// The same in a table, where one cell of a released group is withheld.
#[tokio::test]
async fn nothing_lies_under_a_withheld_cell_of_a_group() {
    let bench = Bench::open().await;
    let cost = Measure { filter: Some(tiny()), ..measure(State::Sum, t("cost")) };
    let answer = bench.ask(fragment(scan("stay"), vec![t("node")], vec![ROWS, cost])).await.unwrap();
    assert_eq!((answer.batch.num_rows(), answer.manifest.withheld_cells), (1, 1));
    let total = 3 * CANARY;
    for near in total - 600..=total + 600 {
        assert!(!holds(&answer.messages, &near.to_le_bytes()), "{near} is under the NULL");
    }
    let rounded = 3_225_i64;
    assert!(holds(&answer.messages, &rounded.to_le_bytes()), "the search finds what is there");
}

/// Small groups and absent groups look the same, in rows and in the manifest (A2, A18).
#[tokio::test]
async fn a_small_group_looks_like_no_group() {
    let bench = Bench::open().await;
    let by_ward = |input| fragment(input, vec![t("ward")], vec![ROWS]);
    let whole = bench.ask(by_ward(scan("stay"))).await.unwrap();
    let without = filtered(
        scan("stay"),
        t("ward")
            .unary(UnaryOp::IsNull)
            .binary(BinaryOp::Or, t("ward").binary(BinaryOp::NotEq, text("tiny"))),
    );
    let without = bench.ask(by_ward(without)).await.unwrap();
    assert_eq!(whole.batch, without.batch);
    assert_eq!(whole.manifest, without.manifest);
}

/// NULL is a group like any other (A45); entities are counted, not rows (A21, A48); the threshold itself is enough.
#[tokio::test]
async fn groups_reach_the_threshold_by_people() {
    let bench = Bench::open().await;
    let answer = bench.ask(fragment(scan("stay"), vec![t("ward")], vec![ROWS])).await.unwrap();
    let wards: Vec<_> = answer.batch.column(0).as_string::<i32>().iter().collect();
    let counts: Vec<_> = answer.batch.column(1).as_primitive::<Int64Type>().iter().collect();
    // In the order of their keys (A33).
    assert_eq!(wards, [None, Some("big"), Some("edge")]);
    assert_eq!(counts, [Some(10), Some(200), Some(10)]);
    assert_eq!((answer.manifest.released_cells, answer.manifest.withheld_cells), (3, 0));
}

/// A hidden or absent column is the same to whoever asks.
#[tokio::test]
async fn a_hidden_column_does_not_exist() {
    let bench = Bench::open().await;
    let asked = |name: &str| fragment(scan("stay"), vec![t(name)], vec![ROWS]);
    let hidden = bench.ask(asked("note")).await.err().unwrap();
    let absent = bench.ask(asked("nope")).await.err().unwrap();
    assert_eq!(hidden.to_string().replace("note", "nope"), absent.to_string());
}

/// An open policy changes nothing: exact, in full.
#[tokio::test]
async fn an_open_policy_releases_exact_figures() {
    let bench = Bench::open().await;
    let cost = measure(State::Max, t("cost"));
    let answer = bench.ask(fragment(scan("site"), vec![t("ward")], vec![ROWS, cost])).await.unwrap();
    assert_eq!(answer.batch.num_rows(), WARDS.len());
    assert!(holds(&answer.messages, &CANARY.to_le_bytes()));
    assert_eq!(answer.manifest.rules, [""; 0]);
}

/// A sum is rounded to base × resolution under any name its column goes by.
#[tokio::test]
async fn an_alias_does_not_refine_a_sum() {
    let bench = Bench::open().await;
    let renamed = |expr| {
        let columns = vec![("x".to_owned(), expr)];
        let input = Relation::Project { input: Box::new(scan("stay")), alias: "p".to_owned(), columns };
        fragment(input, vec![], vec![measure(State::Sum, of("p", "x"))])
    };
    for (expr, step) in [(t("cost"), 500), (t("cost").binary(BinaryOp::Multiply, int(2)), 1_000)] {
        let answer = bench.ask(renamed(expr)).await.unwrap();
        let sum = answer.batch.column(0).as_primitive::<Int64Type>().value(0);
        assert_eq!(sum % step, 0, "{sum} is finer than {step}");
    }
}
