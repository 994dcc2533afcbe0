//! An answer in one of the formats. Values print exactly; a withheld cell never looks like a number.

mod columnar;
mod csv;
mod json;
mod table;
pub(crate) mod value;
mod vertical;

use std::io::Write;

use arrow::array::{Array as _, RecordBatch};
use arrow::datatypes::{Field, SchemaRef};

use crate::chart::{Drawing, Medium, Screen};
use crate::cli::{Chart, Format};
use crate::command::Ask;
use crate::failure::Failure;
use crate::surroundings::Surroundings;

/// Where an answer is written.
pub(crate) type Out<'w> = &'w mut (dyn Write + Send);

/// How an answer should look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) format: Format,
    /// Columns to fit a table into; none to let it be as wide as it is.
    pub(crate) width: Option<u16>,
    /// Escape codes may be used to dim what is not data.
    pub(crate) dim: bool,
    /// Lines of tables are drawn with ASCII alone.
    pub(crate) ascii: bool,
    /// The line that sums the answer up, with its number of rows, follows on the same terminal.
    pub(crate) summed_up: bool,
    /// Drawn instead of written.
    pub(crate) drawn: Option<(Chart, Medium)>,
}

/// Columns of a picture where no terminal says how many there are.
const UNTOLD: u16 = 80;

impl Look {
    /// What is asked for, as far as what is around can show it.
    pub(crate) fn of(ask: &Ask, around: &Surroundings<'_>) -> Result<Self, Failure> {
        let seen = around.terminal.stdout && ask.show.output.is_none();
        let width = seen.then_some(around.terminal.width);
        let (dim, ascii) = (seen && around.colour(), seen && around.dumb());
        let screen = Screen { width: width.unwrap_or(UNTOLD).into(), blocks: !around.dumb(), colour: dim };
        let medium = match &ask.show.output {
            Some(file) if ask.chart.is_some() => Medium::of_file(file)?,
            _ => Medium::Screen(screen),
        };
        let drawn = ask.chart.map(|chart| (chart, medium));
        let summed_up = seen && around.terminal.stderr;
        Ok(Self { format: ask.show.format, width, dim, ascii, summed_up, drawn })
    }
}

/// Most rows that are kept to be drawn later.
const MOST_KEPT: u64 = 10_000;

/// The columns and rows of an answer, to be shown another way without asking again.
pub(crate) type Kept = (SchemaRef, Vec<RecordBatch>);

/// What was written.
#[derive(Debug)]
pub(crate) struct Rendered {
    /// The rows, unless there are too many.
    pub(crate) kept: Option<Kept>,
    pub(crate) rows: u64,
    pub(crate) withheld: u64,
    /// How the format shows a withheld cell, for the footnote.
    pub(crate) withheld_as: &'static str,
}

/// Writes batch after batch.
pub(crate) struct Renderer<'w> {
    look: Look,
    body: Body<'w>,
    /// Which columns withhold rather than lack.
    protected: Vec<bool>,
    rows: u64,
    withheld: u64,
    kept: Option<Kept>,
}

enum Body<'w> {
    Waiting(Out<'w>),
    Table(Box<table::Table<'w>>),
    Csv(csv::Csv<'w>),
    Json(json::Json<'w>),
    Columnar(Box<columnar::Columnar<'w>>),
    Vertical(vertical::Vertical<'w>),
    Drawing(Box<Drawing<'w>>),
    Done,
}

impl<'w> Renderer<'w> {
    pub(crate) fn new(look: Look, out: Out<'w>) -> Self {
        Self { look, body: Body::Waiting(out), protected: Vec::new(), rows: 0, withheld: 0, kept: None }
    }

    /// Takes the columns. Nothing is written before the first rows or the end.
    pub(crate) fn begin(&mut self, schema: &SchemaRef) -> Result<(), Failure> {
        let out = match std::mem::replace(&mut self.body, Body::Done) {
            Body::Waiting(out) => out,
            begun => {
                self.body = begun;
                return Ok(());
            }
        };
        self.kept = Some((SchemaRef::clone(schema), Vec::new()));
        self.protected = schema.fields().iter().map(|field| is_protected(field)).collect();
        if let Some((chart, medium)) = self.look.drawn {
            self.body = Body::Drawing(Box::new(Drawing::new(chart, medium, schema, out)?));
            return Ok(());
        }
        self.body = match self.look.format {
            Format::Vertical => Body::Vertical(vertical::Vertical::new(self.look, schema, out)),
            Format::Table | Format::Markdown => {
                Body::Table(Box::new(table::Table::new(self.look, schema, out)))
            }
            Format::Csv => Body::Csv(csv::Csv::new(schema, out)),
            Format::Json => Body::Json(json::Json::new(schema, json::Layout::Array, out)),
            Format::Ndjson => Body::Json(json::Json::new(schema, json::Layout::Lines, out)),
            Format::Parquet => Body::Columnar(Box::new(columnar::Columnar::parquet(schema, out)?)),
            Format::Arrow => Body::Columnar(Box::new(columnar::Columnar::arrow(schema, out)?)),
        };
        Ok(())
    }

    pub(crate) fn push(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        self.rows += batch.num_rows() as u64;
        match &mut self.kept {
            Some((_, batches)) if self.rows <= MOST_KEPT => batches.push(batch.clone()),
            kept => *kept = None,
        }
        for (column, protected) in batch.columns().iter().zip(&self.protected) {
            if *protected {
                self.withheld += column.logical_null_count() as u64;
            }
        }
        match &mut self.body {
            Body::Table(table) => table.push(batch, &self.protected),
            Body::Csv(csv) => csv.push(batch),
            Body::Json(json) => json.push(batch),
            Body::Columnar(columnar) => columnar.push(batch),
            Body::Vertical(vertical) => vertical.push(batch, &self.protected),
            Body::Drawing(drawing) => drawing.push(batch),
            Body::Waiting(_) | Body::Done => Err(Failure::failed("the answer came without its columns")),
        }
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Writes what is left; `notes` (JSON) travel inside the formats that have a place for them.
    pub(crate) fn finish(self, notes: &[u8]) -> Result<Rendered, Failure> {
        match self.body {
            Body::Table(table) => table.finish(self.rows)?,
            Body::Csv(csv) => csv.finish()?,
            Body::Json(json) => json.finish()?,
            Body::Columnar(columnar) => columnar.finish(&String::from_utf8_lossy(notes))?,
            Body::Vertical(vertical) => vertical.finish()?,
            Body::Drawing(drawing) => drawing.finish()?,
            Body::Waiting(_) | Body::Done => {
                return Err(Failure::failed("the answer came without its columns"));
            }
        }
        let withheld_as = match self.look.format {
            _ if self.look.drawn.is_some() => "shown as [c]",
            Format::Table | Format::Markdown | Format::Vertical => "shown as [c]",
            Format::Csv => "left empty",
            Format::Json | Format::Ndjson | Format::Parquet | Format::Arrow => "written as null",
        };
        Ok(Rendered { kept: self.kept, rows: self.rows, withheld: self.withheld, withheld_as })
    }
}

fn is_protected(field: &Field) -> bool {
    field.metadata().get("jigsaw.cell").is_some_and(|cell| cell == "protected")
}
