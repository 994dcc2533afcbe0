//! Series of questions: what one answer does not tell, two do not tell either.

use arrow::array::Array;

use super::*;

fn is_ward(name: &str) -> Expr {
    equal(t("ward"), text(name))
}

fn either(left: Expr, right: Expr) -> Expr {
    left.binary(BinaryOp::Or, right)
}

async fn count(bench: &Bench, predicate: Expr) -> Option<i64> {
    let answer = bench.ask(counted(predicate)).await.unwrap();
    answer.batch.column(0).as_primitive::<Int64Type>().iter().next().flatten()
}

/// A4: with and without three people, in either order, by whomever.
#[tokio::test]
async fn a_difference_of_three_people_is_nothing() {
    for with_first in [true, false] {
        let bench = Bench::open().await;
        let (with, without) = (either(is_ward("big"), tiny()), is_ward("big"));
        let (first, second) = if with_first { (with, without) } else { (without, with) };
        let first = count(&bench, first).await;
        assert_eq!(count(&bench, second).await, first);
        assert!(first.is_some());
    }
}

/// A5: the tracker. `tiny` is C; the target hides in the padding of two legal sets.
#[tokio::test]
async fn a_tracker_finds_nobody() {
    let bench = Bench::open().await;
    let padding = either(is_ward("big"), is_ward("edge"));
    let padded = count(&bench, either(tiny(), padding.clone())).await.unwrap();
    let alone = count(&bench, padding).await.unwrap();
    assert_eq!(padded - alone, 0);
}

/// A27: the wards first, then the total; the total first, then the wards.
#[tokio::test]
async fn a_total_leaves_nobody_over() {
    let bench = Bench::open().await;
    let present = || {
        t("ward")
            .unary(UnaryOp::IsNotNull)
            .binary(BinaryOp::And, t("ward").binary(BinaryOp::NotEq, text("sensor")))
    };
    let wards = fragment(filtered(scan("stay"), present()), vec![t("ward")], vec![ROWS]);
    let answer = bench.ask(wards.clone()).await.unwrap();
    let parts: i64 = answer.batch.column(1).as_primitive::<Int64Type>().iter().flatten().sum();
    assert_eq!(count(&bench, present()).await, Some(parts), "three people of 'tiny' are between them");

    let bench = Bench::open().await;
    let total = count(&bench, present()).await.unwrap();
    let answer = bench.ask(wards).await.unwrap();
    let counts = answer.batch.column(1).as_primitive::<Int64Type>();
    assert!(counts.null_count() > 0, "every ward is told, and {total} with them");
    let again = count(&bench, is_ward("edge")).await;
    assert_eq!(again, None, "what is withheld for a total's sake stays withheld");
}

/// A8: 64 ways to divide the same people in two. The halves of each add up to the same figure.
#[tokio::test]
async fn parts_add_up_however_they_are_cut() {
    let bench = Bench::open().await;
    let whole = count(&bench, is_ward("big")).await.unwrap();
    let mut told = 0;
    for edge in 0..8 {
        let edge = double(18.25 + f64::from(edge) / 2.0);
        let halves = [BinaryOp::Lt, BinaryOp::GtEq].map(|op| {
            let half = t("temp").binary(op, edge.clone());
            is_ward("big").binary(BinaryOp::And, half)
        });
        let [left, right] = halves;
        if let (Some(left), Some(right)) = (count(&bench, left).await, count(&bench, right).await) {
            assert_eq!(left + right, whole);
            told += 1;
        }
    }
    assert!(told >= 5, "only {told} of 8 cuts were answered");
}

/// The counts of a table add up to its total, and each is within one base of the truth.
#[tokio::test]
async fn a_table_adds_up_to_its_total() {
    let bench = Bench::open().await;
    let answer = bench
        .ask(fragment(filtered(scan("stay"), is_ward("big")), vec![t("temp")], vec![ROWS]))
        .await
        .unwrap();
    let counts: Vec<i64> = answer.batch.column(1).as_primitive::<Int64Type>().iter().flatten().collect();
    assert_eq!(counts, [25; 8]);
    assert_eq!(count(&bench, is_ward("big")).await, Some(200));
}

/// A figure that a few people would change by more than a tenth is not replaced, but withheld.
#[tokio::test]
async fn a_known_figure_never_stands_for_a_very_different_one() {
    let bench = Bench::open().await;
    assert_eq!(count(&bench, is_ward("big")).await, Some(200));
    assert_eq!(
        count(&bench, either(is_ward("big"), is_ward("sensor"))).await,
        None,
        "3,000 readings of three homes"
    );
}

/// The memory is the node's, not the process's.
#[tokio::test]
async fn the_guard_remembers_over_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("kept");
    for expected in [Some(200), Some(200)] {
        let kept = folder.clone();
        let bench = Bench::with(move |settings| settings.disclosure = kept).await;
        let asked = if expected.is_some() && folder.join("cells.jsonl").metadata().unwrap().len() == 0 {
            is_ward("big")
        } else {
            either(is_ward("big"), tiny())
        };
        assert_eq!(count(&bench, asked).await, expected);
    }
}

/// Nothing is released that cannot be remembered.
#[tokio::test]
async fn without_a_memory_nothing_is_released() {
    let bench = Bench::open().await;
    bench.node.discloser.guard.lose_its_file();
    assert_eq!(bench.refusal(counted(is_ward("big"))).await, "R25");
}

/// The same question has the same answer without another look at the rows, and another one once the rows are others.
#[tokio::test]
async fn an_answer_is_given_again_until_the_files_change() {
    let bench = Bench::open().await;
    let asked = || async { bench.ask(counted(is_ward("big"))).await.unwrap() };
    let (first, again) = (asked().await, asked().await);
    assert_eq!(first.batch, again.batch);
    assert_eq!(first.manifest, again.manifest);
    let ends = bench.ends();
    assert_eq!(ends.len(), 2, "each has its entry");
    assert_eq!(ends[0]["digest"], ends[1]["digest"]);

    let path = bench.dir.path().join("stay.parquet");
    let old = rows();
    let twice = arrow::compute::concat_batches(&old.schema(), [&others(&old), &old]).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), old.schema(), None).unwrap();
    writer.write(&twice).unwrap();
    writer.close().unwrap();
    assert_eq!(count(&bench, is_ward("big")).await, Some(400));
}

/// The same rows of other people.
fn others(rows: &RecordBatch) -> RecordBatch {
    let mut columns = rows.columns().to_vec();
    let people = columns[0].as_string::<i32>().iter().map(|person| person.map(|person| format!("{person}'")));
    columns[0] = Arc::new(people.collect::<StringArray>());
    RecordBatch::try_new(rows.schema(), columns).unwrap()
}

/// `R20`: an answer that was spared some work leaves with those that were not.
#[test]
fn what_is_spared_is_waited() {
    use super::super::next_tick;
    let (asked, tick) = (tokio::time::Instant::now(), Duration::from_mins(1));
    let leaves = |spared| next_tick(asked, Duration::from_secs(spared), tick) - asked;
    assert_eq!([0, 50, 70, 130].map(leaves), [1, 1, 2, 3].map(Duration::from_mins));
    assert_eq!(next_tick(asked, Duration::from_secs(70), Duration::ZERO), asked, "where nothing is hidden");
}
