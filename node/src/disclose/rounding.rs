//! `R13`: counts to the nearest multiple of the base, halves away from zero; sums to the nearest multiple of base ×
//! step of what is summed (the resolution of a measure, at least one unit of the sum's last digit); means and moments to three significant digits. Group keys are left alone.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};
use arrow::error::ArrowError;
use jigsaw_proto::aggregate::State;

use crate::validate::Approved;

pub(super) fn apply(batch: &RecordBatch, approved: &Approved) -> Result<RecordBatch, ArrowError> {
    let keys = approved.fragment().keys.len();
    let columns = batch.columns().iter().enumerate().map(|(place, column)| match place.checked_sub(keys) {
        None => Ok(Arc::clone(column)),
        Some(measure) => rounded(column, measure, approved),
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new_with_options(
        batch.schema(),
        columns,
        &arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows())),
    )
}

fn rounded(column: &ArrayRef, measure: usize, approved: &Approved) -> Result<ArrayRef, ArrowError> {
    let base = i64::from(approved.rounding());
    let state = approved.fragment().measures.get(measure).map(|measure| measure.state);
    match (state, column.data_type()) {
        (Some(State::Rows | State::Count | State::Entities), DataType::Int64) => Ok(Arc::new(
            column.as_primitive::<Int64Type>().unary::<_, Int64Type>(|count| nearest(count, base)),
        )),
        (Some(State::Sum), data_type) => sums(column, data_type, approved.rounding(), approved.step(measure)),
        (Some(State::Mean | State::M2), DataType::Float64) => {
            let digits =
                column.as_primitive::<Float64Type>().unary::<_, Float64Type>(|value| significant(value, 3));
            Ok(Arc::new(digits))
        }
        (state, data_type) => {
            Err(ArrowError::InvalidArgumentError(format!("no rounding for {state:?} of type {data_type}")))
        }
    }
}

fn sums(column: &ArrayRef, data_type: &DataType, base: u32, step: f64) -> Result<ArrayRef, ArrowError> {
    let whole = |scale| whole(step, scale).saturating_mul(base.into());
    match data_type {
        DataType::Int64 => {
            let step = whole(0);
            let sums: Int64Array = column
                .as_primitive::<Int64Type>()
                .unary(|sum| i64::try_from(nearest_wide(sum.into(), step)).unwrap_or(sum));
            Ok(Arc::new(sums))
        }
        DataType::Decimal128(precision, scale) => {
            let step = whole(*scale);
            let sums: Decimal128Array =
                column.as_primitive::<Decimal128Type>().unary(|sum| nearest_wide(sum, step));
            Ok(Arc::new(sums.with_precision_and_scale(*precision, *scale)?))
        }
        DataType::Float64 => {
            let sums: Float64Array =
                column.as_primitive::<Float64Type>().unary(|sum| multiple(sum, f64::from(base) * step));
            Ok(Arc::new(sums))
        }
        other => Err(ArrowError::InvalidArgumentError(format!("no rounding for sums of type {other}"))),
    }
}

/// The step in units of 10^−scale, at least one unit.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a step beyond 2^127 units rounds everything to zero, as it should"
)]
fn whole(step: f64, scale: i8) -> i128 {
    ((step * 10_f64.powi(scale.into())).round() as i128).max(1)
}

/// The multiple of `step` nearest to `value`. Where the step is 1/k, dividing by k leaves no binary dust.
fn multiple(value: f64, step: f64) -> f64 {
    let inverse = 1.0 / step;
    if step < 1.0 && (inverse - inverse.round()).abs() < 1e-9 {
        (value * inverse.round()).round() / inverse.round()
    } else {
        let tenths = (step * 1e6).round();
        (value / step).round() * tenths / 1e6
    }
}

fn nearest(value: i64, base: i64) -> i64 {
    i64::try_from(nearest_wide(value.into(), base.into())).unwrap_or(value)
}

/// `base · ⌊|value| / base + ½⌋` with the sign of `value`.
fn nearest_wide(value: i128, base: i128) -> i128 {
    let base = base.unsigned_abs();
    let multiples = value.unsigned_abs().saturating_mul(2).saturating_add(base) / (2 * base);
    let rounded = i128::try_from(multiples * base).unwrap_or(i128::MAX);
    if value < 0 { -rounded } else { rounded }
}

/// `value` to so many significant digits.
fn significant(value: f64, digits: i32) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    format!("{value:.*e}", usize::try_from(digits - 1).unwrap_or(0)).parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_round_to_the_nearest_multiple() {
        let rounded: Vec<i64> = [0, 2, 3, 7, 8, 12, 13, -3].map(|count| nearest(count, 5)).into();
        assert_eq!(rounded, [0, 0, 5, 5, 10, 10, 15, -5]);
        assert_eq!([nearest(5, 10), nearest(4, 10), nearest(17, 1)], [10, 0, 17]);
    }

    #[test]
    fn sums_are_multiples_of_the_step() {
        assert_eq!(format!("{}", multiple(1234.5678, 0.5)), "1234.5");
        assert_eq!(format!("{}", multiple(1234.5678, 0.05)), "1234.55");
        assert_eq!(format!("{}", multiple(1237.0, 5.0)), "1235");
    }

    #[test]
    fn moments_keep_three_digits() {
        assert!((significant(20.4567, 3) - 20.5).abs() < 1e-12);
        assert!((significant(-0.001_234_5, 3) + 0.001_23).abs() < 1e-12);
    }
}
