//! Partial states against plain SQL over the same rows, again and again, and the counts of entities behind them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Float64Type, Int64Type};
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use jigsaw_proto::aggregate::State;
use jigsaw_proto::expr::{BinaryOp, Column, Expr, Literal, UnaryOp};
use jigsaw_proto::fragment::{Fragment, Join, JoinKind, Measure, Relation};

use super::{Bench, Error, Holders, LARGE, ROWS, column, execute, measure, scan, sorted, write};

const VISIT: &str = r#"
name = "visit"
version = 1
description = "One row per visit."
release = "open"
column = [
  { name = "person", type = "text", role = "entity", description = "" },
  { name = "place", type = "text", role = "dimension", description = "" },
  { name = "cost", type = "int64", role = "measure", description = "" },
  { name = "hours", type = "float64", role = "measure", description = "" },
]
"#;

pub(super) fn protected() -> String {
    VISIT.replace(
        "release = \"open\"",
        "release = \"protected\"\nconditions = \"any\"\nthreshold = 3\nrounding = 1",
    )
}

/// 5,000 visits of 40 people to 7 places.
fn visits() -> RecordBatch {
    let rows = 0..5_000_i64;
    let place = |row: i64| (row % 11 != 0).then(|| format!("place {}", row * row % 7));
    let columns: [(&str, ArrayRef); 4] = [
        ("person", Arc::new(rows.clone().map(|row| Some(format!("p{}", row % 40))).collect::<StringArray>())),
        ("place", Arc::new(rows.clone().map(place).collect::<StringArray>())),
        (
            "cost",
            Arc::new(rows.clone().map(|row| (row % 3 != 0).then_some(row - 900)).collect::<Int64Array>()),
        ),
        (
            "hours",
            Arc::new(
                rows.map(|row| Some(1e9 + f64::from(i32::try_from(row % 17).unwrap())))
                    .collect::<Float64Array>(),
            ),
        ),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

async fn sql(text: &str) -> String {
    let rows = visits();
    let context = SessionContext::new();
    let table = MemTable::try_new(rows.schema(), vec![vec![rows]]).unwrap();
    context.register_table("visit", Arc::new(table)).unwrap();
    let batches = context.sql(text).await.unwrap().collect().await.unwrap();
    sorted(&arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap())
}

fn by_place(measures: Vec<Measure>) -> Fragment {
    Fragment { input: scan("visit", "v"), keys: vec![column("v", "place")], measures }
}

fn positive() -> Expr {
    column("v", "cost").binary(BinaryOp::Gt, Expr::Literal(Literal::int64(0)))
}

/// On one thread and on four, the first time and the third: a plan that is remembered keeps nothing of its runs. Rows that
/// are kept in memory and rows that are read from a large file are the same.
#[tokio::test(flavor = "multi_thread")]
async fn states_are_those_of_sql_each_time_they_are_asked() {
    let (cost, hours) = (|| column("v", "cost"), || column("v", "hours"));
    let filtered = |state, argument| Measure { filter: Some(positive()), ..measure(state, argument) };
    let fragment = by_place(vec![
        ROWS,
        measure(State::Count, cost()),
        measure(State::Sum, cost()),
        measure(State::Min, cost()),
        measure(State::Max, hours()),
        measure(State::Entities, column("v", "person")),
        filtered(State::Sum, cost()),
        filtered(State::Entities, column("v", "person")),
    ]);
    let expected =
        sql("SELECT place, count(*), count(cost), sum(cost), min(cost), max(hours), count(DISTINCT person),
           sum(cost) FILTER (WHERE cost > 0), count(DISTINCT person) FILTER (WHERE cost > 0)
         FROM visit GROUP BY place");
    let expected = tighten(&expected.await);
    for (threads, padding) in [(1, 0), (1, LARGE), (4, 0), (4, LARGE)] {
        let bench = Bench::padded(threads, &[(VISIT, &visits())], padding).await;
        for time in 1..=3 {
            let answer = tighten(&bench.table(fragment.clone()).await);
            assert_eq!(answer, expected, "{threads} threads, padding {padding}, time {time}");
        }
    }
}

/// Tables as text differ in the width of their columns.
fn tighten(table: &str) -> String {
    let mut lines: Vec<String> =
        table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    lines.retain(|line| !line.starts_with('+'));
    lines.sort_unstable();
    lines.join("\n")
}

#[tokio::test]
async fn moments_keep_their_digits_beside_a_large_mean() {
    let bench = Bench::open(1, &[(VISIT, &visits())]).await;
    let hours = || column("v", "hours");
    let measures = vec![measure(State::Mean, hours()), measure(State::M2, hours())];
    let raw = bench.run(Fragment { input: scan("visit", "v"), keys: vec![], measures }).await;
    let value = |place: usize| raw.columns().column(place).as_primitive::<Float64Type>().value(0);
    let cells: Vec<f64> = (0..5_000).map(|row| f64::from(row % 17)).collect();
    let mean = cells.iter().sum::<f64>() / 5_000.0;
    let squares: f64 = cells.iter().map(|cell| (cell - mean).powi(2)).sum();
    assert!((value(0) - 1e9 - mean).abs() < 1e-5, "{}", value(0));
    assert!((value(1) / squares - 1.0).abs() < 1e-6, "{} instead of {squares}", value(1));
}

/// A sum outside BIGINT is no number, rather than a wrong one.
#[tokio::test]
async fn sums_do_not_wrap() {
    let columns: [(&str, ArrayRef); 4] = [
        ("person", Arc::new(StringArray::from(vec!["a", "b", "c"]))),
        ("place", Arc::new(StringArray::from(vec!["x", "x", "y"]))),
        ("cost", Arc::new(Int64Array::from(vec![i64::MAX, 1, i64::MAX]))),
        ("hours", Arc::new(Float64Array::from(vec![0.0; 3]))),
    ];
    let bench = Bench::open(1, &[(VISIT, &RecordBatch::try_from_iter(columns).unwrap())]).await;
    let answer = bench.table(by_place(vec![measure(State::Sum, column("v", "cost"))])).await;
    assert_eq!(tighten(&answer), format!("| x | |\n| y | {} |", i64::MAX));
}

/// For each group: how many people, and how many of them stand behind each measure, counted up to the threshold of 3.
#[tokio::test]
async fn entities_are_counted_up_to_the_threshold() {
    let columns: [(&str, ArrayRef); 4] = [
        (
            "person",
            Arc::new(StringArray::from(vec![
                Some("a"),
                Some("a"),
                Some("b"),
                None,
                Some("a"),
                Some("b"),
                Some("c"),
                Some("d"),
            ])),
        ),
        ("place", Arc::new(StringArray::from(vec!["x", "x", "x", "x", "y", "y", "y", "y"]))),
        (
            "cost",
            Arc::new(Int64Array::from(vec![
                Some(1),
                Some(2),
                Some(0),
                Some(9),
                None,
                Some(5),
                Some(6),
                Some(7),
            ])),
        ),
        ("hours", Arc::new(Float64Array::from(vec![1.0, -0.0, -0.0, 1.0, 1.0, 1.0, 1.0, 1.0]))),
    ];
    let rows = RecordBatch::try_from_iter(columns).unwrap();
    for threads in [1, 4] {
        let bench = Bench::open(threads, &[(protected().as_str(), &rows)]).await;
        let fragment = by_place(vec![
            ROWS,
            measure(State::Sum, column("v", "cost")),
            measure(State::Sum, column("v", "hours")),
            measure(State::Count, column("v", "cost")),
        ]);
        let raw = bench.run(fragment).await;
        let x = usize::from(raw.columns().column(0).as_string::<i32>().value(0) != "x");
        // Beyond the threshold, a policy without names stops counting.
        let of = |holders: &Holders| [holders.count(x).min(3), holders.count(1 - x).min(3)];
        let groups = raw.groups().iter().map(of).collect::<Vec<_>>();
        assert_eq!(groups, [[2, 3]], "a row without an entity is nobody's");
        let behind = |measure| raw.cells(measure).iter().map(of).collect::<Vec<_>>();
        assert_eq!(behind(0), [[2, 3]]);
        assert_eq!(behind(1), [[1, 3]], "zero adds nobody to a sum");
        assert_eq!(behind(2), [[1, 3]], "nor does the other zero");
        assert_eq!(behind(3), [[2, 3]]);
        assert!(!format!("{raw:?}").contains('x'), "{raw:?} shows a value");
    }
}

#[tokio::test]
async fn an_open_release_counts_nobody() {
    let bench = Bench::open(1, &[(VISIT, &visits())]).await;
    let raw = bench.run(by_place(vec![ROWS])).await;
    assert_eq!((raw.groups().len(), raw.cells(0).len()), (0, 0));
}

fn joined(kind: JoinKind) -> Relation {
    let on = ["person", "place"].map(|name| (Column::new("a", name), Column::new("b", name)));
    let costly = Relation::Filter {
        input: Box::new(scan("visit", "b")),
        predicate: column("b", "cost").binary(BinaryOp::Gt, Expr::Literal(Literal::int64(4000))),
    };
    Relation::Join(Box::new(Join {
        left: scan("visit", "a"),
        right: costly,
        kind,
        on: on.into(),
        filter: None,
    }))
}

/// A row without a partner is at no node: `b.node` is NULL there, as every column of `b`.
#[tokio::test(flavor = "multi_thread")]
async fn joins_answer_as_sql_does_each_time() {
    let bench = Bench::open(4, &[(VISIT, &visits())]).await;
    let none = column("b", "node").unary(UnaryOp::IsNull);
    let fragment = Fragment {
        input: joined(JoinKind::Left),
        keys: vec![column("a", "place"), none],
        measures: vec![ROWS, measure(State::Sum, column("b", "cost"))],
    };
    let expected =
        sql("SELECT a.place, b.person IS NULL, count(*), sum(b.cost) FROM visit a LEFT JOIN visit b
         ON a.person = b.person AND a.place = b.place AND b.cost > 4000 GROUP BY a.place, b.person IS NULL");
    let expected = tighten(&expected.await);
    assert!(expected.contains("true") && expected.contains("false"), "{expected}");
    for time in 1..=3 {
        assert_eq!(tighten(&bench.table(fragment.clone()).await), expected, "time {time}");
    }
}

/// A file that is added to a folder is read by the next question, and so is one that is replaced.
#[tokio::test]
async fn changed_files_are_seen() {
    for padding in [0, LARGE] {
        let bench = Bench::padded(1, &[(VISIT, &visits())], padding).await;
        let folder = bench.dir.path().join("visit");
        let all = Fragment { input: scan("visit", "v"), keys: vec![], measures: vec![ROWS] };
        let count = async || {
            let raw = bench.run(all.clone()).await;
            raw.columns().column(0).as_primitive::<Int64Type>().value(0)
        };
        assert_eq!(count().await, 5_000);
        write(&folder.join("b.parquet"), &visits().slice(0, 100), 0);
        assert_eq!(count().await, 5_100);
        write(&folder.join("a.parquet"), &visits().slice(0, 1_000), 0);
        assert_eq!(count().await, 1_100);
        write(&folder.join("b.parquet"), &visits().slice(0, 10), LARGE);
        assert_eq!(count().await, 1_010);
    }
}

/// Few bytes may be many rows: these are read from their file each time.
#[tokio::test]
async fn rows_that_would_fill_the_memory_are_counted_all_the_same() {
    let place: StringArray = (0..300_000).map(|row| Some(if row < 100_000 { "x" } else { "y" })).collect();
    let columns: [(&str, ArrayRef); 4] = [
        ("person", Arc::new(StringArray::from(vec!["a"; 300_000]))),
        ("place", Arc::new(place)),
        ("cost", Arc::new(Int64Array::from(vec![1; 300_000]))),
        ("hours", Arc::new(Float64Array::from(vec![0.0; 300_000]))),
    ];
    let bench = Bench::padded(1, &[(VISIT, &RecordBatch::try_from_iter(columns).unwrap())], 0).await;
    for _ in 0..2 {
        let answer = bench.table(by_place(vec![measure(State::Sum, column("v", "cost"))])).await;
        assert_eq!(tighten(&answer), "| x | 100000 |\n| y | 200000 |");
    }
}

/// Every visit beside every other two at the same place would take minutes.
#[tokio::test]
async fn the_deadline_ends_a_run() {
    let bench = Bench::open(1, &[(VISIT, &visits())]).await;
    let beside = |left: Relation, right: &str| {
        let on = vec![(Column::new("a", "place"), Column::new(right, "place"))];
        let right = scan("visit", right);
        Relation::Join(Box::new(Join { left, right, kind: JoinKind::Inner, on, filter: None }))
    };
    let product = column("a", "cost").binary(BinaryOp::Multiply, column("c", "cost"));
    let input = beside(beside(scan("visit", "a"), "b"), "c");
    let fragment = Fragment { input, keys: vec![], measures: vec![measure(State::Sum, product)] };
    let approved = bench.approve(fragment).await;
    let start = Instant::now();
    let late = execute(&approved, &bench.engine, Duration::from_millis(20)).await;
    assert!(matches!(late, Err(Error::Deadline)), "{late:?}");
    assert!(start.elapsed() < Duration::from_secs(20), "it took {:?}", start.elapsed());
}
