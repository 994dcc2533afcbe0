//! CSV files as text, before anything is made of it.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::csv::ReaderBuilder;
use arrow::datatypes::{DataType, Field, Schema};

use super::Result;

/// The rows of a CSV file with a header, every column as text; empty fields are NULL.
pub(crate) fn read(path: &Path, delimiter: char) -> Result<RecordBatch> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let header = text.lines().next().unwrap_or_default();
    let field = |name: &str| Field::new(name.trim_matches('"'), DataType::Utf8, true);
    let schema = Arc::new(Schema::new(header.split(delimiter).map(field).collect::<Vec<_>>()));
    let reader =
        ReaderBuilder::new(Arc::clone(&schema)).with_header(true).with_delimiter(u8::try_from(delimiter)?);
    let batches = reader.build(text.as_bytes())?.collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(concat_batches(&schema, &batches)?)
}
