//! CSV as RFC 4180 has it: null is an empty field, an empty text is `""`.

use std::io;

use arrow::array::{Array as _, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::util::display::FormatOptions;

use super::{Out, value};
use crate::failure::Failure;

pub(crate) struct Csv<'w> {
    /// The header, until it is written.
    header: Option<SchemaRef>,
    out: Out<'w>,
}

impl<'w> Csv<'w> {
    pub(crate) fn new(schema: &SchemaRef, out: Out<'w>) -> Self {
        Self { header: Some(SchemaRef::clone(schema)), out }
    }

    fn head(&mut self) -> io::Result<()> {
        let Some(schema) = self.header.take() else { return Ok(()) };
        for (at, field) in schema.fields().iter().enumerate() {
            self.field(at, Some(field.name()))?;
        }
        self.out.write_all(b"\r\n")
    }

    fn field(&mut self, at: usize, text: Option<&str>) -> io::Result<()> {
        if at > 0 {
            self.out.write_all(b",")?;
        }
        match text {
            None => Ok(()),
            Some(text) if text.is_empty() || text.contains([',', '"', '\r', '\n']) => {
                write!(self.out, "\"{}\"", text.replace('"', "\"\""))
            }
            Some(text) => self.out.write_all(text.as_bytes()),
        }
    }

    pub(crate) fn push(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        self.head()?;
        let options = FormatOptions::default();
        let formatters = value::formatters(batch, &options)?;
        for row in 0..batch.num_rows() {
            for (at, (column, formatter)) in batch.columns().iter().zip(&formatters).enumerate() {
                let text = if column.is_null(row) { None } else { Some(value::text(formatter, row)?) };
                self.field(at, text.as_deref())?;
            }
            self.out.write_all(b"\r\n")?;
        }
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        self.head()?;
        self.out.flush()?;
        Ok(())
    }
}
