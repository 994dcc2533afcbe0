//! `R12`: every cell of a dense grid, in the order of its keys, whatever is in the rows.
//!
//! A cell without a group, and one whose group was taken out, are NULL in every measure, down to the buffers. A group outside the
//! grid, of a value that the contract does not list, is not shown.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use super::Fired;
use super::cells::Cells;
use super::class::labels;
use crate::validate::Axis;

/// All cells of the grid that these axes span, at the node of that id.
pub(super) fn dense(
    mut cells: Cells<'_>,
    axes: &[Axis],
    node: &str,
) -> Result<(RecordBatch, Fired), ArrowError> {
    let types: Vec<DataType> = cells.keys().iter().map(|key| key.data_type().clone()).collect();
    let keys = keys(axes, &types, node)?;
    let many = keys.first().map_or(1, Array::len);
    let shown = labels(&keys, many)?;
    let places: HashMap<&[u8], usize> =
        shown.iter().enumerate().map(|(place, label)| (label.as_slice(), place)).collect();
    let mut rows = vec![None; many];
    for (row, label) in labels(cells.keys(), cells.rows())?.iter().enumerate() {
        match places.get(label.as_slice()).and_then(|place| rows.get_mut(*place)) {
            Some(place) => *place = Some(row),
            None => cells.drop_group(row, "R12"),
        }
    }
    let fired = cells.fired().clone();
    Ok((cells.into_rows(keys, &rows)?, fired))
}

/// The columns of keys: the last one changes fastest.
fn keys(axes: &[Axis], types: &[DataType], node: &str) -> Result<Vec<ArrayRef>, ArrowError> {
    let many: usize = axes.iter().map(Axis::len).product();
    let mut repeated = many;
    let mut keys = vec![];
    for (axis, data_type) in axes.iter().zip(types) {
        let values: Vec<Option<&str>> = match axis {
            Axis::Values(values) => values.iter().map(Option::as_deref).collect(),
            Axis::Node => vec![Some(node)],
        };
        repeated = repeated.checked_div(values.len()).unwrap_or(0);
        let column = values.iter().flat_map(|value| std::iter::repeat_n(*value, repeated));
        let column: StringArray = column.cycle().take(many).collect();
        keys.push(cast(&(Arc::new(column) as ArrayRef), data_type)?);
    }
    Ok(keys)
}
