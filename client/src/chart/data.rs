//! The rows of an answer as a chart needs them: what labels, what is a figure.

use arrow::array::{Array as _, ArrayRef, Float64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::failure::Failure;
use crate::render::value;
use crate::surroundings::printable;

/// Most rows that are drawn: a picture of more shows nothing.
const MOST: usize = 10_000;

/// One figure of one row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Figure {
    /// Its size, and how a table would print it.
    Known(f64, String),
    /// There is one, and disclosure control keeps it back.
    Withheld,
    /// There is none.
    Missing,
}

impl Figure {
    pub(super) fn size(&self) -> Option<f64> {
        match self {
            Self::Known(size, _) => Some(*size),
            Self::Withheld | Self::Missing => None,
        }
    }

    /// As a table prints it.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Known(_, text) => text,
            Self::Withheld => "[c]",
            Self::Missing => "NULL",
        }
    }
}

/// One column of figures.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) figures: Vec<Figure>,
}

impl Series {
    fn push(
        &mut self,
        column: &ArrayRef,
        formatter: &ArrayFormatter<'_>,
        protected: bool,
    ) -> Result<(), Failure> {
        for (row, number) in numbers(column)?.iter().enumerate() {
            self.figures.push(match number {
                Some(size) if size.is_finite() => Figure::Known(size, value::text(formatter, row)?),
                None if protected => Figure::Withheld,
                _ => Figure::Missing,
            });
        }
        Ok(())
    }

    /// The smallest and the largest figure.
    pub(super) fn range(&self) -> Option<(f64, f64)> {
        let sizes = || self.figures.iter().filter_map(Figure::size);
        Some((sizes().reduce(f64::min)?, sizes().reduce(f64::max)?))
    }
}

/// One column of labels.
#[derive(Debug)]
pub(super) struct Labels {
    pub(super) name: String,
    pub(super) texts: Vec<String>,
    /// Where each stands on an axis, if the column has an order of its own: numbers, dates, times.
    pub(super) places: Option<Vec<f64>>,
}

impl Labels {
    fn push(&mut self, column: &ArrayRef, formatter: &ArrayFormatter<'_>) -> Result<(), Failure> {
        for row in 0..column.len() {
            let text = if column.is_null(row) { "NULL".to_owned() } else { value::text(formatter, row)? };
            self.texts.push(printable(&text).replace(['\n', '\t'], " "));
        }
        if let Some(places) = &mut self.places {
            places.extend(numbers(column)?.iter().map(|place| place.unwrap_or(f64::NAN)));
        }
        Ok(())
    }
}

/// All of it.
#[derive(Debug)]
pub(super) struct Data {
    pub(super) labels: Vec<Labels>,
    pub(super) series: Vec<Series>,
    pub(super) rows: usize,
}

impl Data {
    /// What a row is called.
    pub(super) fn label(&self, row: usize) -> String {
        let texts = self.labels.iter().filter_map(|labels| labels.texts.get(row).map(String::as_str));
        texts.collect::<Vec<_>>().join(" · ")
    }

    /// What the labels are of.
    pub(super) fn label_name(&self) -> String {
        self.labels.iter().map(|labels| labels.name.as_str()).collect::<Vec<_>>().join(" · ")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Label,
    Figure { protected: bool },
    Neither,
}

pub(super) struct Collector {
    roles: Vec<Role>,
    data: Data,
}

impl Collector {
    pub(super) fn new(schema: &SchemaRef) -> Result<Self, Failure> {
        let fields: Vec<&Field> = schema.fields().iter().map(AsRef::as_ref).collect();
        let roles = roles(&fields);
        let mut data = Data { labels: Vec::new(), series: Vec::new(), rows: 0 };
        for (field, role) in fields.iter().zip(&roles) {
            let name = printable(field.name()).replace('\n', " ");
            match role {
                Role::Label => {
                    let places = has_order(field.data_type()).then(Vec::new);
                    data.labels.push(Labels { name, texts: Vec::new(), places });
                }
                Role::Figure { .. } => data.series.push(Series { name, figures: Vec::new() }),
                Role::Neither => {}
            }
        }
        if data.series.is_empty() || data.labels.is_empty() {
            return Err(Failure::usage(
                "a chart needs a column of labels and a column of numbers: SELECT label, number …",
            ));
        }
        Ok(Self { roles, data })
    }

    pub(super) fn push(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        self.data.rows += batch.num_rows();
        if self.data.rows > MOST {
            return Err(Failure::usage(format!(
                "a chart of more than {MOST} rows shows nothing: group further, or use LIMIT"
            )));
        }
        let options = FormatOptions::default();
        let formatters = value::formatters(batch, &options)?;
        let (mut labels, mut series) = (self.data.labels.iter_mut(), self.data.series.iter_mut());
        for ((column, formatter), role) in batch.columns().iter().zip(&formatters).zip(&self.roles) {
            match role {
                Role::Neither => {}
                Role::Label => labels.next().map_or(Ok(()), |labels| labels.push(column, formatter))?,
                Role::Figure { protected } => {
                    series.next().map_or(Ok(()), |series| series.push(column, formatter, *protected))?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Data {
        self.data
    }
}

/// Released figures are marked by the server, and then all else labels. Where nothing is marked, numbers that follow the last
/// other column are figures; if all are numbers, the first labels.
fn roles(fields: &[&Field]) -> Vec<Role> {
    let mark = |field: &Field| field.metadata().get("jigsaw.cell").cloned();
    if fields.iter().any(|field| mark(field).as_deref() == Some("protected")) {
        let role = |field: &&Field| match mark(field).as_deref() {
            Some("protected") if value::is_number(field.data_type()) => Role::Figure { protected: true },
            Some(_) => Role::Neither,
            None => Role::Label,
        };
        return fields.iter().map(role).collect();
    }
    let labelling = fields.iter().rposition(|field| !value::is_number(field.data_type())).unwrap_or(0);
    let role = |(place, field): (usize, &&Field)| match mark(field) {
        Some(_) => Role::Neither,
        None if place > labelling => Role::Figure { protected: false },
        None => Role::Label,
    };
    fields.iter().enumerate().map(role).collect()
}

fn has_order(data_type: &DataType) -> bool {
    data_type.is_numeric() || data_type.is_temporal()
}

/// A column as numbers; times as what is counted from their epoch.
fn numbers(column: &ArrayRef) -> Result<Float64Array, Failure> {
    let narrow = match column.data_type() {
        DataType::Date32 | DataType::Time32(_) => Some(DataType::Int32),
        temporal if temporal.is_temporal() => Some(DataType::Int64),
        _ => None,
    };
    let cast = |column: &ArrayRef, to: &DataType| cast(column, to).map_err(|_| value::unwritable());
    let column = match narrow {
        Some(narrow) => cast(column, &narrow)?,
        None => ArrayRef::clone(column),
    };
    let column = cast(&column, &DataType::Float64)?;
    column.as_any().downcast_ref::<Float64Array>().cloned().ok_or_else(value::unwritable)
}
