//! Many rows travel in the narrowest numbers that hold them: a count of a few needs one byte of the eight.
//!
//! Only open releases are narrowed. The width of a protected one would follow its figures, and its size tells nothing as it is.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{cast, max, min};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type, Schema};
use arrow::error::ArrowError;

/// The same rows; whole numbers and decimals as narrow as they can be without losing a digit.
///
/// # Errors
/// Columns that cannot be converted: a fault of this node.
pub(super) fn narrowed(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().map(|column| match narrow_type(column) {
        Some(narrow) => cast(column, &narrow),
        None => Ok(Arc::clone(column)),
    });
    let columns = columns.collect::<Result<Vec<ArrayRef>, _>>()?;
    let fields = batch.schema_ref().fields().iter().zip(&columns);
    let fields =
        fields.map(|(field, column)| field.as_ref().clone().with_data_type(column.data_type().clone()));
    RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns)
}

/// The type of fewer bytes that holds every value of a column, if there is one.
fn narrow_type(column: &ArrayRef) -> Option<DataType> {
    match column.data_type() {
        DataType::Int64 => {
            let column = column.as_primitive::<Int64Type>();
            let (least, most) = (min(column)?, max(column)?);
            let holds = |low: i64, high: i64| low <= least && most <= high;
            [
                (DataType::Int8, holds(i8::MIN.into(), i8::MAX.into())),
                (DataType::Int16, holds(i16::MIN.into(), i16::MAX.into())),
                (DataType::Int32, holds(i32::MIN.into(), i32::MAX.into())),
            ]
            .into_iter()
            .find_map(|(narrow, holds)| holds.then_some(narrow))
        }
        DataType::Decimal128(precision, scale) => {
            let column = column.as_primitive::<Decimal128Type>();
            let largest = min(column)?.unsigned_abs().max(max(column)?.unsigned_abs());
            let holds = |digits: u8| {
                digits < *precision && scale.unsigned_abs() <= digits && largest < 10_u128.pow(digits.into())
            };
            if holds(9) {
                Some(DataType::Decimal32(9, *scale))
            } else {
                holds(18).then_some(DataType::Decimal64(18, *scale))
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Decimal128Array, Float64Array, Int64Array, StringArray};

    use super::*;

    fn decimals(values: [i128; 3]) -> Decimal128Array {
        Decimal128Array::from(values.to_vec()).with_precision_and_scale(30, 2).unwrap()
    }

    fn rows() -> RecordBatch {
        let columns: [(&str, ArrayRef); 8] = [
            ("small", Arc::new(Int64Array::from(vec![Some(-128), None, Some(127)]))),
            ("wider", Arc::new(Int64Array::from(vec![128, 0, -1]))),
            ("large", Arc::new(Int64Array::from(vec![i64::MIN, 0, i64::MAX]))),
            ("nothing", Arc::new(Int64Array::from(vec![None::<i64>, None, None]))),
            ("money", Arc::new(decimals([999_999_999, -999_999_999, 0]))),
            ("more", Arc::new(decimals([1_000_000_000, 1, -2_147_483_648]))),
            ("mean", Arc::new(Float64Array::from(vec![0.1, -0.0, f64::NAN]))),
            ("text", Arc::new(StringArray::from(vec!["a", "b", "c"]))),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn no_digit_is_lost() {
        let (wide, narrow) = (rows(), narrowed(&rows()).unwrap());
        for (before, after) in wide.columns().iter().zip(narrow.columns()) {
            assert_eq!(&cast(after, before.data_type()).unwrap(), before);
        }
    }

    #[test]
    fn columns_are_as_narrow_as_their_values() {
        let narrow = narrowed(&rows()).unwrap();
        let types: Vec<_> = narrow.schema().fields().iter().map(|field| field.data_type().clone()).collect();
        assert_eq!(
            types,
            [
                DataType::Int8,
                DataType::Int16,
                DataType::Int64,
                DataType::Int64,
                DataType::Decimal32(9, 2),
                DataType::Decimal64(18, 2),
                DataType::Float64,
                DataType::Utf8
            ]
        );
    }
}
