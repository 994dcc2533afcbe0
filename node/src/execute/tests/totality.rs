//! No row can make a question fail, whatever it is asked: every function, operator and cast over the worst rows there are.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array,
    RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Float64Type, Int64Type};
use futures::FutureExt;
use jigsaw_proto::aggregate::State;
use jigsaw_proto::expr::{BinaryOp, Branch, Column, Expr, Interval, Literal, UnaryOp, Value};
use jigsaw_proto::fragment::{Fragment, Scope};
use jigsaw_proto::function::Function;
use jigsaw_proto::types::DataType;

use super::{Bench, column, measure, scan};

const CONTRACT: &str = r#"
name = "hostile"
version = 1
description = "The worst rows there are."
release = "open"
column = [
  { name = "b", type = "boolean", role = "dimension", description = "" },
  { name = "i", type = "int32", role = "dimension", description = "" },
  { name = "l", type = "int64", role = "dimension", description = "" },
  { name = "f", type = "float64", role = "dimension", description = "" },
  { name = "d", type = "decimal(38,10)", role = "dimension", description = "" },
  { name = "m", type = "decimal(12,2)", role = "dimension", description = "" },
  { name = "t", type = "text", role = "dimension", description = "" },
  { name = "day", type = "date", role = "dimension", description = "" },
  { name = "ts", type = "timestamp", role = "dimension", description = "" },
  { name = "tz", type = "timestamp(Europe/London)", role = "dimension", description = "" },
]
"#;

const NAMES: [&str; 10] = ["b", "i", "l", "f", "d", "m", "t", "day", "ts", "tz"];

fn rows() -> RecordBatch {
    let decimals = |most: i128, precision: u8, scale: i8| {
        let cells = vec![Some(most), Some(-most), Some(0), None, Some(1)];
        Decimal128Array::from(cells).with_precision_and_scale(precision, scale).unwrap()
    };
    let instants =
        || TimestampMicrosecondArray::from(vec![Some(i64::MAX), Some(i64::MIN), Some(0), None, Some(1)]);
    let long = "\u{fb01}漢\u{1f600}\0".repeat(500);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(BooleanArray::from(vec![Some(true), Some(false), None, None, Some(true)])),
        Arc::new(Int32Array::from(vec![Some(i32::MAX), Some(i32::MIN), Some(0), None, Some(-1)])),
        Arc::new(Int64Array::from(vec![Some(i64::MAX), Some(i64::MIN), Some(0), None, Some(-1)])),
        Arc::new(Float64Array::from(vec![
            Some(f64::NAN),
            Some(f64::INFINITY),
            Some(-0.0),
            None,
            Some(-1e308),
        ])),
        Arc::new(decimals(10_i128.pow(38) - 1, 38, 10)),
        Arc::new(decimals(10_i128.pow(12) - 1, 12, 2)),
        Arc::new(StringArray::from(vec![
            Some(long.as_str()),
            Some(""),
            Some("99999-99-99"),
            None,
            Some("1e999"),
        ])),
        Arc::new(Date32Array::from(vec![Some(i32::MAX), Some(i32::MIN), Some(0), None, Some(1)])),
        Arc::new(instants()),
        Arc::new(instants().with_timezone("Europe/London")),
    ];
    RecordBatch::try_from_iter(NAMES.into_iter().zip(columns)).unwrap()
}

fn literal(data_type: DataType, value: Value) -> Expr {
    Expr::Literal(Literal::new(data_type, Some(value)).unwrap())
}

fn int64(value: i64) -> Expr {
    Expr::Literal(Literal::int64(value))
}

fn text(value: &str) -> Expr {
    Expr::Literal(Literal::text(value))
}

fn interval(months: i32, days: i32, nanoseconds: i64) -> Expr {
    literal(DataType::Interval, Value::Interval(Interval { months, days, nanoseconds }))
}

fn columns() -> Vec<Expr> {
    NAMES.iter().map(|name| column("h", name)).collect()
}

/// Constants that signatures ask for, and hostile ones.
fn constants() -> Vec<Expr> {
    let words =
        ["year", "quarter", "month", "week", "day", "hour", "minute", "second", "dow", "doy", "epoch"];
    let intervals = [
        interval(0, 1, 0),
        interval(0, 0, 1),
        interval(0, i32::MAX, i64::MAX),
        interval(i32::MAX, i32::MAX, i64::MAX),
        interval(i32::MIN, i32::MIN, i64::MIN),
    ];
    let numbers = [int64(0), int64(1), int64(15), int64(1_000_000), int64(i64::MIN)];
    words.map(text).into_iter().chain(intervals).chain(numbers).collect()
}

/// Everything of the language that is not a call, over every combination of columns that makes sense.
fn operators(scope: &Scope) -> Vec<Expr> {
    let all: Vec<Expr> = columns().into_iter().chain(constants()).collect();
    let mut exprs = vec![];
    for left in columns() {
        for right in &all {
            for op in BINARY {
                exprs.push(left.clone().binary(op, right.clone()));
                exprs.push(right.clone().binary(op, left.clone()));
            }
        }
        exprs.extend(UNARY.map(|op| left.clone().unary(op)));
        exprs.extend([false, true].map(|negated| {
            let [operand, low, high] = [(); 3].map(|()| Box::new(left.clone()));
            Expr::Between { operand, low, high, negated }
        }));
        let branch = Branch { when: left.clone().unary(UnaryOp::IsNull), then: left.clone() };
        exprs.push(Expr::Case { branches: vec![branch], otherwise: Some(Box::new(left.clone())) });
        for pattern in ["%", "_\\", "漢%", ""] {
            let (operand, pattern) = (Box::new(left.clone()), pattern.to_owned());
            exprs.push(Expr::Like { operand, pattern, negated: false, ignore_case: true });
        }
        for (_, to) in scope.columns() {
            exprs.push(Expr::TryCast { operand: Box::new(left.clone()), to: to.clone() });
        }
    }
    let list = vec![Literal::int64(0), Literal::int64(i64::MIN)];
    exprs.push(Expr::InList { operand: Box::new(column("h", "l")), list, negated: true });
    exprs.retain(|expr| scope.type_of(expr).is_ok());
    exprs
}

const BINARY: [BinaryOp; 15] = [
    BinaryOp::Eq,
    BinaryOp::NotEq,
    BinaryOp::Lt,
    BinaryOp::LtEq,
    BinaryOp::Gt,
    BinaryOp::GtEq,
    BinaryOp::IsDistinctFrom,
    BinaryOp::IsNotDistinctFrom,
    BinaryOp::And,
    BinaryOp::Or,
    BinaryOp::Add,
    BinaryOp::Subtract,
    BinaryOp::Multiply,
    BinaryOp::Divide,
    BinaryOp::Modulo,
];

const UNARY: [UnaryOp; 8] = [
    UnaryOp::Not,
    UnaryOp::Negate,
    UnaryOp::IsNull,
    UnaryOp::IsNotNull,
    UnaryOp::IsTrue,
    UnaryOp::IsNotTrue,
    UnaryOp::IsFalse,
    UnaryOp::IsNotFalse,
];

/// Every function over every combination of up to two arguments that makes sense, and of three that start with a column
/// or a stride.
fn calls(scope: &Scope) -> Vec<Expr> {
    let all: Vec<Expr> = columns().into_iter().chain(constants()).collect();
    let mut lists: Vec<Vec<Expr>> = all.iter().map(|one| vec![one.clone()]).collect();
    for one in &all {
        lists.extend(all.iter().map(|two| vec![one.clone(), two.clone()]));
    }
    let origin =
        literal(DataType::from_arrow(rows().column(8).data_type()).unwrap(), Value::Integer(i64::MIN));
    lists.push(vec![interval(0, 1, 0), column("h", "ts"), origin]);
    lists.push(vec![column("h", "t"), int64(1_000_000), int64(1_000_000)]);
    lists.extend(columns().into_iter().map(|one| vec![one.clone(), one.clone(), one]));
    lists.push(vec![column("h", "f"); 4]);
    let calls = lists.iter().flat_map(|arguments| {
        Function::ALL.map(|function| Expr::Call { function, arguments: arguments.clone() })
    });
    calls.filter(|call| scope.type_of(call).is_ok()).collect()
}

async fn fails(bench: &Bench, exprs: &[Expr]) -> bool {
    let measures = exprs.iter().map(|expr| measure(State::Count, expr.clone())).collect();
    let run = bench.try_run(Fragment { input: scan("hostile", "h"), keys: vec![], measures });
    !matches!(AssertUnwindSafe(run).catch_unwind().await, Ok(Ok(_)))
}

async fn all_answer(bench: &Bench, exprs: &[Expr]) {
    let mut broken = vec![];
    for chunk in exprs.chunks(48) {
        if fails(bench, chunk).await {
            for expr in chunk {
                if fails(bench, std::slice::from_ref(expr)).await {
                    broken.push(expr.to_string());
                }
            }
        }
    }
    assert!(broken.is_empty(), "{} of {} fail:\n{}", broken.len(), exprs.len(), broken.join("\n"));
}

async fn bench() -> (Bench, Scope) {
    let bench = Bench::open(1, &[(CONTRACT, &rows())]).await;
    let dataset = bench.datasets.values().next().unwrap();
    let columns = dataset.visible().columns.iter();
    let scope = columns.map(|one| (Column::new("h", one.name.as_str()), one.data_type.clone()));
    let scope = Scope::new(scope).unwrap();
    (bench, scope)
}

#[tokio::test]
async fn no_row_breaks_an_operator_or_a_cast() {
    let (bench, scope) = bench().await;
    all_answer(&bench, &operators(&scope)).await;
}

#[tokio::test]
async fn no_row_breaks_a_function() {
    let (bench, scope) = bench().await;
    let calls = calls(&scope);
    let called: HashSet<Function> = calls
        .iter()
        .filter_map(|call| match call {
            Expr::Call { function, .. } => Some(*function),
            _ => None,
        })
        .collect();
    let missing: Vec<Function> =
        Function::ALL.into_iter().filter(|function| !called.contains(function)).collect();
    assert!(missing.is_empty(), "no combination calls {missing:?}");
    all_answer(&bench, &calls).await;
}

/// What has no answer is NULL, and only that.
#[tokio::test]
async fn overflow_and_division_by_zero_are_null() {
    let (bench, _) = bench().await;
    let long = |op, right| column("h", "l").binary(op, int64(right));
    let abs = |name| Expr::Call { function: Function::Abs, arguments: vec![column("h", name)] };
    let counted = [
        (long(BinaryOp::Divide, 0), 0),
        (long(BinaryOp::Modulo, 0), 0),
        (long(BinaryOp::Add, 1), 3),
        (long(BinaryOp::Subtract, 1), 3),
        (long(BinaryOp::Multiply, 2), 2),
        (long(BinaryOp::Divide, -1), 3),
        (column("h", "l").unary(UnaryOp::Negate), 3),
        (abs("l"), 3),
        (abs("i"), 3),
        (abs("f"), 4),
        (column("h", "f").binary(BinaryOp::Divide, column("h", "f")), 3),
    ];
    let measures = counted.iter().map(|(expr, _)| measure(State::Count, expr.clone())).collect();
    let raw = bench.run(Fragment { input: scan("hostile", "h"), keys: vec![], measures }).await;
    for ((expr, expected), column) in counted.iter().zip(raw.columns().columns()) {
        assert_eq!(column.as_primitive::<Int64Type>().value(0), *expected, "{expr}");
    }
    let infinite = column("h", "f").binary(BinaryOp::Gt, literal(DataType::Float64, Value::Float(1.0)));
    let mut most = measure(State::Max, abs("f"));
    most.filter = Some(infinite);
    let raw = bench.run(Fragment { input: scan("hostile", "h"), keys: vec![], measures: vec![most] }).await;
    assert!(raw.columns().column(0).as_primitive::<Float64Type>().value(0).is_nan());
}
