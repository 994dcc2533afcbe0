//! One value as text: decimals with their scale, ISO times, floats as short as they read back.

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::failure::Failure;

/// One formatter per column.
pub(crate) fn formatters<'b>(
    batch: &'b RecordBatch,
    options: &'b FormatOptions<'b>,
) -> Result<Vec<ArrayFormatter<'b>>, Failure> {
    batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column.as_ref(), options))
        .collect::<Result<_, _>>()
        .map_err(|_| unwritable())
}

/// The text of a cell that is not null.
pub(crate) fn text(formatter: &ArrayFormatter<'_>, row: usize) -> Result<String, Failure> {
    formatter.value(row).try_to_string().map_err(|_| unwritable())
}

/// The type is shown as a number.
pub(crate) fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric()
}

/// A value this format has no form for. The cause may quote the cell and is not repeated.
pub(crate) fn unwritable() -> Failure {
    Failure::failed("the answer holds a value this format cannot write: cast it to text in the query")
}
