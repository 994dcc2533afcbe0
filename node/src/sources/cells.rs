//! The first cell of a CSV source that does not have its declared type: file, line and column, never the value.

use std::fmt;
use std::fs::File;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::csv::ReaderBuilder;
use arrow::csv::reader::Format;
use arrow::datatypes::{DataType as ArrowType, Field, Schema};
use jigsaw_proto::types::DataType;

use super::location::local_files;
use crate::config::FormatWord;
use crate::settings::DatasetSettings;

/// Where a cell is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadCell {
    file: String,
    line: usize,
    column: String,
    expected: String,
}

impl fmt::Display for BadCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, expected } = self;
        write!(
            f,
            "{file} line {line}, column {column}: the cell is no {expected}: correct it, or list it in null_values"
        )
    }
}

/// Reads all CSV files of a dataset on this machine; `None` if every cell has its type, or the source is elsewhere.
pub(crate) fn first_bad_cell(settings: &DatasetSettings) -> Result<Option<BadCell>, String> {
    if settings.format != FormatWord::Csv {
        return Ok(None);
    }
    for path in local_files(settings) {
        let name = path.display().to_string();
        let file = File::open(&path).map_err(|error| format!("{name}: {error}"))?;
        if let Some(cell) = scan(settings, &name, file)? {
            return Ok(Some(cell));
        }
    }
    Ok(None)
}

fn scan(settings: &DatasetSettings, name: &str, file: File) -> Result<Option<BadCell>, String> {
    let words = &settings.csv;
    let delimiter =
        u8::try_from(words.delimiter).map_err(|_| "delimiter is one ASCII character".to_owned())?;
    let format = Format::default().with_delimiter(delimiter).with_header(words.header);
    let unreadable = |_| format!("{name}: a line has not as many cells as the first one");
    let mut peek = File::open(name).map_err(|error| format!("{name}: {error}"))?;
    let (header, _) = format
        .infer_schema(&mut peek, Some(0))
        .map_err(|_| format!("{name}: the first line cannot be read"))?;
    let texts = header.fields().iter().map(|field| Field::new(field.name(), ArrowType::Utf8, true));
    let schema = Arc::new(Schema::new(texts.collect::<Vec<_>>()));
    let reader = ReaderBuilder::new(Arc::clone(&schema)).with_format(format).with_batch_size(8192);
    let reader = reader.build(file).map_err(|_| format!("{name}: it cannot be read as CSV"))?;
    let mut line = 1 + usize::from(words.header);
    for batch in reader {
        let batch = batch.map_err(unreadable)?;
        for (field, column) in schema.fields().iter().zip(batch.columns()) {
            let Some(expected) = declared(settings, field.name())? else { continue };
            if let Some(row) = first_bad(column, &expected, &words.null_values) {
                let (file, column) = (name.to_owned(), field.name().clone());
                return Ok(Some(BadCell { file, line: line + row, column, expected: expected.to_string() }));
            }
        }
        line += batch.num_rows();
    }
    Ok(None)
}

/// The type a column of the file is read with, where it is not text.
fn declared(settings: &DatasetSettings, column: &str) -> Result<Option<DataType>, String> {
    if let Some(text) = settings.csv.columns.get(column) {
        return text.parse().map(Some).map_err(|error| format!("[dataset.csv]: {error}"));
    }
    Ok(match &settings.select {
        Some(_) => None,
        None => settings.contract.column(column).map(|column| column.data_type.clone()),
    })
}

fn first_bad(cells: &ArrayRef, expected: &DataType, nulls: &[String]) -> Option<usize> {
    let options = CastOptions { safe: true, ..CastOptions::default() };
    let typed = cast_with_options(cells, &expected.to_arrow(), &options).ok()?;
    let texts = cells.as_string_opt::<i32>()?;
    let is_null = |text: &str| text.is_empty() || nulls.iter().any(|null| null == text);
    (0..cells.len()).find(|row| typed.is_null(*row) && texts.is_valid(*row) && !is_null(texts.value(*row)))
}
