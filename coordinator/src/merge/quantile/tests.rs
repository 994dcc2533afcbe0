use std::sync::Arc;

use datafusion::arrow::array::{Decimal128Array, Float64Array, Int64Array};

use super::*;

fn quantile(method: Method, fraction: f64) -> Quantile {
    Quantile { method, fraction: fraction.to_bits(), descending: false }
}

fn ranked(
    quantile: Quantile,
    width: Option<f64>,
    returns: &DataType,
    values: &[ArrayRef],
    rows: &[i64],
) -> ScalarValue {
    let mut ranked = Ranked { quantile, width, returns: returns.clone(), weighted: true, values: vec![] };
    let rows: ArrayRef = Arc::new(Int64Array::from(rows.to_vec()));
    ranked.update_batch(&[Arc::clone(&values[0]), rows]).unwrap();
    // What was put aside and taken up again says the same.
    let state = ranked.state().unwrap().iter().map(|state| state.to_array().unwrap()).collect::<Vec<_>>();
    let mut again = Ranked { quantile, width, returns: returns.clone(), weighted: true, values: vec![] };
    again.merge_batch(&state).unwrap();
    let value = ranked.evaluate().unwrap();
    assert_eq!(again.evaluate().unwrap(), value);
    value
}

fn of_doubles(quantile: Quantile, values: &[f64], rows: &[i64]) -> Option<f64> {
    let values: ArrayRef = Arc::new(Float64Array::from(values.to_vec()));
    match ranked(quantile, None, &DataType::Float64, &[values], rows) {
        ScalarValue::Float64(value) => value,
        other => panic!("{other}"),
    }
}

fn histogram(fraction: f64, edges: &[f64], rows: &[i64]) -> Option<f64> {
    let values: ArrayRef = Arc::new(Float64Array::from(edges.to_vec()));
    match ranked(quantile(Method::Continuous, fraction), Some(10.0), &DataType::Float64, &[values], rows) {
        ScalarValue::Float64(value) => value,
        other => panic!("{other}"),
    }
}

/// 1, 1, 2, 4 and -3, with signs and numbers of rows in no order.
const VALUES: [f64; 4] = [4.0, 1.0, -3.0, 2.0];
const ROWS: [i64; 4] = [1, 2, 1, 1];

#[test]
fn each_value_counts_as_often_as_it_has_rows() {
    let of = |method, fraction| of_doubles(quantile(method, fraction), &VALUES, &ROWS);
    assert_eq!(of(Method::Median, 0.5), Some(1.0));
    assert_eq!(of(Method::Continuous, 0.0), Some(-3.0));
    assert_eq!(of(Method::Continuous, 1.0), Some(4.0));
    assert_eq!(of(Method::Continuous, 0.75), Some(2.0));
    assert_eq!(of(Method::Continuous, 0.875), Some(3.0));
    assert_eq!(of(Method::Discrete, 0.2), Some(-3.0));
    assert_eq!(of(Method::Discrete, 0.21), Some(1.0));
    assert_eq!(of(Method::Discrete, 1.0), Some(4.0));
    let descending = Quantile { descending: true, ..quantile(Method::Discrete, 0.2) };
    assert_eq!(of_doubles(descending, &VALUES, &ROWS), Some(4.0));
}

#[test]
fn the_median_of_an_even_number_is_between_the_middle_two() {
    assert_eq!(of_doubles(quantile(Method::Median, 0.5), &[1.0, 2.0], &[3, 3]), Some(1.5));
    assert_eq!(of_doubles(quantile(Method::Median, 0.5), &[-1.0, -2.0], &[1, 1]), Some(-1.5));
    assert_eq!(of_doubles(quantile(Method::Median, 0.5), &[], &[]), None);
}

#[test]
fn decimals_and_whole_numbers_stay_exact() {
    let values = Decimal128Array::from(vec![100, 105]).with_precision_and_scale(38, 2).unwrap();
    let found = ranked(
        quantile(Method::Median, 0.5),
        None,
        &DataType::Decimal128(38, 2),
        &[Arc::new(values)],
        &[1, 1],
    );
    assert_eq!(found, ScalarValue::Decimal128(Some(102), 38, 2));
    let large: ArrayRef = Arc::new(Int64Array::from(vec![i64::MAX, i64::MAX - 1]));
    let found = ranked(quantile(Method::Discrete, 1.0), None, &DataType::Int64, &[large], &[1, 1]);
    assert_eq!(found, ScalarValue::Int64(Some(i64::MAX)));
}

#[test]
fn a_histogram_is_read_within_its_buckets() {
    let edges = [20.0, 0.0, 10.0];
    let rows = [10, 20, 10];
    assert_eq!(histogram(0.5, &edges, &rows), Some(10.0));
    assert_eq!(histogram(0.25, &edges, &rows), Some(5.0));
    assert_eq!(histogram(0.625, &edges, &rows), Some(15.0));
    assert_eq!(histogram(1.0, &edges, &rows), Some(30.0));
    assert_eq!(histogram(0.0, &edges, &rows), Some(0.0));
    assert_eq!(histogram(0.5, &[], &[]), None);
}
