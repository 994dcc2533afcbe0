//! A table for eyes: fits the terminal, numbers to the right, at most a screenful of scrolling.

use arrow::array::{Array as _, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::util::display::FormatOptions;
use comfy_table::presets::{ASCII_FULL_CONDENSED, ASCII_MARKDOWN, UTF8_FULL_CONDENSED};
use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement};

use super::{Look, Out, value};
use crate::cli::Format;
use crate::failure::Failure;
use crate::notes::plural;
use crate::surroundings::printable;

/// Rows shown; nobody reads more, and all are held in memory to find the widths.
const ROWS: u64 = 10_000;

/// Official statistics' symbol for a confidential figure.
pub(super) const WITHHELD: &str = "[c]";

pub(crate) struct Table<'w> {
    look: Look,
    grid: comfy_table::Table,
    numeric: Vec<bool>,
    shown: u64,
    out: Out<'w>,
}

impl<'w> Table<'w> {
    pub(crate) fn new(look: Look, schema: &SchemaRef, out: Out<'w>) -> Self {
        let mut grid = comfy_table::Table::new();
        grid.load_style(match look.format {
            Format::Markdown => ASCII_MARKDOWN,
            _ if look.ascii => ASCII_FULL_CONDENSED,
            _ => UTF8_FULL_CONDENSED,
        });
        match look.width {
            Some(width) if look.format == Format::Table => {
                grid.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
            }
            _ => {
                grid.set_content_arrangement(ContentArrangement::Disabled);
            }
        }
        if look.dim && look.format == Format::Table {
            grid.enforce_styling();
        } else {
            grid.force_no_tty();
        }
        let numeric: Vec<bool> =
            schema.fields().iter().map(|field| value::is_number(field.data_type())).collect();
        let header = schema.fields().iter().zip(&numeric);
        let header: Vec<Cell> = header.map(|(field, right)| cell(look, field.name(), *right)).collect();
        grid.set_header(header);
        Self { look, grid, numeric, shown: 0, out }
    }

    pub(crate) fn push(&mut self, batch: &RecordBatch, protected: &[bool]) -> Result<(), Failure> {
        let options = FormatOptions::default();
        let formatters = value::formatters(batch, &options)?;
        for row in 0..batch.num_rows() {
            if self.shown == ROWS {
                return Ok(());
            }
            self.shown += 1;
            let mut cells = Vec::with_capacity(formatters.len());
            let columns = batch.columns().iter().zip(&formatters).zip(self.numeric.iter().zip(protected));
            for ((column, formatter), (right, protected)) in columns {
                cells.push(match (column.is_null(row), protected) {
                    (true, true) => cell(self.look, WITHHELD, *right),
                    (true, false) => cell(self.look, "NULL", *right).add_attribute(Attribute::Dim),
                    (false, _) => cell(self.look, &value::text(formatter, row)?, *right),
                });
            }
            self.grid.add_row(cells);
        }
        Ok(())
    }

    pub(crate) fn finish(self, rows: u64) -> Result<(), Failure> {
        writeln!(self.out, "{}", self.grid)?;
        if self.look.format == Format::Table {
            match rows - self.shown {
                0 if self.look.summed_up => {}
                0 => writeln!(self.out, "{}", plural(rows, "row"))?,
                more => writeln!(
                    self.out,
                    "{} ({} not shown: use another format)",
                    plural(rows, "row"),
                    plural(more, "row")
                )?,
            }
        }
        self.out.flush()?;
        Ok(())
    }
}

fn cell(look: Look, text: &str, right: bool) -> Cell {
    let text = match look.format {
        Format::Markdown => printable(text).replace('\\', "\\\\").replace('|', "\\|").replace('\n', "<br>"),
        _ => printable(text),
    };
    Cell::new(text).set_alignment(if right { CellAlignment::Right } else { CellAlignment::Left })
}
