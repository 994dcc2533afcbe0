//! Each row as a block of lines, a column a line: for rows that are wider than the screen.

use arrow::array::{Array as _, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::util::display::FormatOptions;
use unicode_width::UnicodeWidthStr as _;

use super::{Look, Out, value};
use crate::failure::Failure;
use crate::notes::plural;
use crate::surroundings::printable;

pub(crate) struct Vertical<'w> {
    names: Vec<String>,
    rows: u64,
    /// The number of rows follows by itself.
    summed_up: bool,
    out: Out<'w>,
}

impl<'w> Vertical<'w> {
    pub(crate) fn new(look: Look, schema: &SchemaRef, out: Out<'w>) -> Self {
        let names: Vec<String> = schema.fields().iter().map(|field| printable(field.name())).collect();
        let width = names.iter().map(|name| name.width()).max().unwrap_or(0);
        let padded = |name: String| format!("{}{name}", " ".repeat(width - name.width()));
        Self { names: names.into_iter().map(padded).collect(), rows: 0, summed_up: look.summed_up, out }
    }

    pub(crate) fn push(&mut self, batch: &RecordBatch, protected: &[bool]) -> Result<(), Failure> {
        let options = FormatOptions::default();
        let formatters = value::formatters(batch, &options)?;
        for row in 0..batch.num_rows() {
            self.rows += 1;
            writeln!(self.out, "-- row {} --", self.rows)?;
            let columns = batch.columns().iter().zip(&formatters).zip(self.names.iter().zip(protected));
            for ((column, formatter), (name, protected)) in columns {
                let text = match (column.is_null(row), protected) {
                    (true, true) => super::table::WITHHELD.to_owned(),
                    (true, false) => "NULL".to_owned(),
                    (false, _) => printable(&value::text(formatter, row)?),
                };
                writeln!(self.out, "{name}: {text}")?;
            }
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<(), Failure> {
        if !self.summed_up {
            writeln!(self.out, "{}", plural(self.rows, "row"))?;
        }
        self.out.flush()?;
        Ok(())
    }
}
