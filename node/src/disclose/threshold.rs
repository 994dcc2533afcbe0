//! `R07` and `R08`: no cell for fewer entities than the threshold.
//!
//! Entities are counted, not rows: ten thousand readings of three homes are three. With several kinds of entity, each must
//! reach the threshold. The boundary: exactly the threshold is released.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray, RecordBatch, UInt64Array,
};
use arrow::compute::{and, filter_record_batch};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};
use arrow::error::ArrowError;

use crate::execute::Raw;
use crate::validate::Approved;

pub(super) fn apply(raw: &Raw, approved: &Approved) -> Result<RecordBatch, ArrowError> {
    let threshold = u64::from(approved.threshold());
    let columns = raw.columns();
    let group = enough(raw.entities(), columns.num_rows(), threshold)?;
    let keys = approved.fragment().keys.len();
    let cells = columns.columns().iter().enumerate().map(|(place, column)| match place.checked_sub(keys) {
        None => Ok(Arc::clone(column)),
        Some(measure) => {
            let contributors = enough(raw.contributors(measure), columns.num_rows(), threshold)?;
            withheld_unless(column, &and(&group, &contributors)?)
        }
    });
    let cells = cells.collect::<Result<Vec<_>, _>>()?;
    let batch = RecordBatch::try_new_with_options(
        columns.schema(),
        cells,
        &arrow::array::RecordBatchOptions::new().with_row_count(Some(columns.num_rows())),
    )?;
    // The one group of everything exists whatever the rows are; others are known by being there.
    if keys == 0 { Ok(batch) } else { filter_record_batch(&batch, &group) }
}

/// Where every kind of entity reaches the threshold. No kind at all is never enough.
fn enough<'a>(
    counts: impl Iterator<Item = &'a UInt64Array>,
    rows: usize,
    threshold: u64,
) -> Result<BooleanArray, ArrowError> {
    let mut all: Option<BooleanArray> = None;
    for counts in counts {
        let reached: BooleanArray =
            counts.iter().map(|count| Some(count.is_some_and(|count| count >= threshold))).collect();
        all = Some(match all {
            Some(all) => and(&all, &reached)?,
            None => reached,
        });
    }
    Ok(all.unwrap_or_else(|| BooleanArray::from(vec![false; rows])))
}

/// A withheld cell is empty all the way down. The kernels that set a NULL leave the value in the buffer below it, and buffers
/// are sent whole.
fn withheld_unless(cells: &ArrayRef, released: &BooleanArray) -> Result<ArrayRef, ArrowError> {
    match cells.data_type() {
        DataType::Int64 => Ok(Arc::new(kept(cells.as_primitive::<Int64Type>(), released))),
        DataType::Float64 => Ok(Arc::new(kept(cells.as_primitive::<Float64Type>(), released))),
        DataType::Decimal128(..) => Ok(Arc::new(kept(cells.as_primitive::<Decimal128Type>(), released))),
        other => Err(ArrowError::InvalidArgumentError(format!("no protected measure is of type {other}"))),
    }
}

fn kept<T: ArrowPrimitiveType>(cells: &PrimitiveArray<T>, released: &BooleanArray) -> PrimitiveArray<T> {
    let data_type = cells.data_type().clone();
    let cells = cells.iter().zip(released).map(|(cell, released)| cell.filter(|_| released == Some(true)));
    cells.collect::<PrimitiveArray<T>>().with_data_type(data_type)
}
