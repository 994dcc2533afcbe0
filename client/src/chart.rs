//! An answer as a picture: bars, lines, or the boroughs of London, on the screen or in a file.
//!
//! What was withheld is drawn as withheld, and never as zero: there is no bar, the line has a gap, the borough is hatched.

mod bar;
mod data;
mod line;
mod london;
mod map;
mod picture;
mod png;
mod scale;
mod svg;

#[cfg(test)]
mod tests;

use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::cli::Chart;
use crate::failure::Failure;
use crate::render::Out;
use data::Collector;

/// Where a picture goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Medium {
    Screen(Screen),
    Svg,
    Png,
}

/// What a screen can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Screen {
    pub(crate) width: usize,
    /// Block elements can be shown; else ASCII.
    pub(crate) blocks: bool,
    pub(crate) colour: bool,
}

impl Medium {
    /// What the ending of a file's name asks for.
    pub(crate) fn of_file(file: &Path) -> Result<Self, Failure> {
        match file.extension().and_then(|ending| ending.to_str()) {
            Some("svg") => Ok(Self::Svg),
            Some("png") => Ok(Self::Png),
            _ => Err(Failure::usage("a chart goes to the screen, or to a file that ends in .svg or .png")),
        }
    }
}

/// Takes rows, and draws when all are there.
pub(crate) struct Drawing<'w> {
    chart: Chart,
    medium: Medium,
    rows: Collector,
    out: Out<'w>,
}

impl<'w> Drawing<'w> {
    pub(crate) fn new(
        chart: Chart,
        medium: Medium,
        schema: &SchemaRef,
        out: Out<'w>,
    ) -> Result<Self, Failure> {
        Ok(Self { chart, medium, rows: Collector::new(schema)?, out })
    }

    pub(crate) fn push(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        self.rows.push(batch)
    }

    pub(crate) fn finish(self) -> Result<(), Failure> {
        let data = self.rows.finish();
        if let Medium::Screen(screen) = self.medium {
            let text = match self.chart {
                Chart::Bar => bar::screen(&data, screen),
                Chart::Line => line::screen(&data, screen),
                Chart::Map => map::screen(&data, screen)?,
            };
            self.out.write_all(text.as_bytes())?;
        } else {
            let picture = match self.chart {
                Chart::Bar => bar::picture(&data)?,
                Chart::Line => line::picture(&data),
                Chart::Map => map::picture(&data)?,
            };
            match self.medium {
                Medium::Png => self.out.write_all(&png::encode(&picture)?)?,
                _ => self.out.write_all(svg::encode(&picture).as_bytes())?,
            }
        }
        self.out.flush()?;
        Ok(())
    }
}
