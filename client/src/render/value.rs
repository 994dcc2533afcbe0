//! One value as text: decimals with their scale, ISO times, floats as short as they read back.

use arrow::array::{Array as _, ArrayRef, RecordBatch};
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

/// All rows as texts; none for null.
pub(crate) fn rows(batches: &[RecordBatch]) -> Result<Vec<Vec<Option<String>>>, Failure> {
    let options = FormatOptions::default();
    let mut rows = Vec::new();
    for batch in batches {
        let formatters = formatters(batch, &options)?;
        for row in 0..batch.num_rows() {
            let cells = batch.columns().iter().zip(&formatters);
            let cell = |(column, formatter): (&ArrayRef, &ArrayFormatter<'_>)| {
                column.is_valid(row).then(|| text(formatter, row)).transpose()
            };
            rows.push(cells.map(cell).collect::<Result<_, _>>()?);
        }
    }
    Ok(rows)
}
