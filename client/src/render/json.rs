//! JSON: an array of objects, or one object a line. Numbers keep every digit; what is no JSON number is text.

use arrow::array::{Array as _, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::util::display::FormatOptions;

use super::{Out, value};
use crate::failure::Failure;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    Array,
    Lines,
}

pub(crate) struct Json<'w> {
    layout: Layout,
    /// Each column's key, quoted, and whether its values stand bare.
    columns: Vec<(String, bool)>,
    rows: u64,
    out: Out<'w>,
}

impl<'w> Json<'w> {
    pub(crate) fn new(schema: &SchemaRef, layout: Layout, out: Out<'w>) -> Self {
        let column = |(name, data_type): (&str, &DataType)| {
            (quoted(name), value::is_number(data_type) || *data_type == DataType::Boolean)
        };
        let columns = schema.fields().iter().map(|field| column((field.name(), field.data_type()))).collect();
        Self { layout, columns, rows: 0, out }
    }

    pub(crate) fn push(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        let options = FormatOptions::default();
        let formatters = value::formatters(batch, &options)?;
        for row in 0..batch.num_rows() {
            let mut line = String::from("{");
            let columns = batch.columns().iter().zip(&formatters).zip(&self.columns);
            for (at, ((column, formatter), (key, bare))) in columns.enumerate() {
                if at > 0 {
                    line.push(',');
                }
                line.push_str(key);
                line.push(':');
                let text = if column.is_null(row) { None } else { Some(value::text(formatter, row)?) };
                line.push_str(&text.map_or_else(|| "null".to_owned(), |text| literal(text, *bare)));
            }
            line.push('}');
            self.out.write_all(match (self.layout, self.rows) {
                (Layout::Lines, _) => b"",
                (Layout::Array, 0) => b"[\n",
                (Layout::Array, _) => b",\n",
            })?;
            self.out.write_all(line.as_bytes())?;
            if self.layout == Layout::Lines {
                self.out.write_all(b"\n")?;
            }
            self.rows += 1;
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<(), Failure> {
        match (self.layout, self.rows) {
            (Layout::Lines, _) => {}
            (Layout::Array, 0) => self.out.write_all(b"[]\n")?,
            (Layout::Array, _) => self.out.write_all(b"\n]\n")?,
        }
        self.out.flush()?;
        Ok(())
    }
}

/// A value as JSON: bare if its type and its text allow it.
fn literal(text: String, bare: bool) -> String {
    if bare && serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok() { text } else { quoted(&text) }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
