//! What clients can read: a profile of Arrow types that every Flight SQL driver in the field understands.

mod convert;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, IntervalUnit, Schema, SchemaRef, TimeUnit};
use jigsaw_proto::types::MAX_PRECISION;

use crate::cell_status::Part;
use crate::query::QueryError;

/// Field metadata key: `protected` marks a column whose NULLs were withheld by disclosure control; `status`,
/// `nodes_withheld` and `nodes_left_out` say what a column of [`Part`] is.
pub(crate) const CELL: &str = "jigsaw.cell";
/// Field metadata key of a column of [`Part`]: the place of the column it is about, from 0.
const ABOUT: &str = "jigsaw.about";

/// Which Arrow types an answer is sent in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum WireTypes {
    /// those that every driver in the field reads
    #[default]
    Portable,
    /// those that the engine has: views, dictionaries, unsigned numbers, nanoseconds, spans
    Native,
}

impl WireTypes {
    /// `portable` or `native`
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Native => "native",
        }
    }

    /// The choice of that word.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        [Self::Portable, Self::Native].into_iter().find(|types| types.word().eq_ignore_ascii_case(word))
    }

    fn of(self, data_type: &DataType) -> DataType {
        match self {
            Self::Native => data_type.clone(),
            Self::Portable => portable(data_type),
        }
    }
}

/// What is said of the columns of an answer beside their types.
#[derive(Debug, Default)]
pub(crate) struct Marking {
    /// places of columns made of protected aggregates
    pub(crate) protected: HashSet<usize>,
    /// places of the columns that the last columns are the status of, [`Part::ALL`] for each
    pub(crate) about: Vec<usize>,
}

impl Marking {
    /// The metadata of each column of an answer of `columns`.
    fn metadata(&self, columns: usize) -> Vec<HashMap<String, String>> {
        let pair = |key: &str, value: String| (key.to_owned(), value);
        let own = columns.saturating_sub(self.about.len() * Part::ALL.len());
        let own = (0..own).map(|place| {
            let marked = self.protected.contains(&place);
            marked.then(|| pair(CELL, "protected".to_owned())).into_iter().collect()
        });
        let status = self.about.iter().flat_map(|place| {
            Part::ALL.map(|part| [pair(CELL, part.to_string()), pair(ABOUT, place.to_string())].into())
        });
        own.chain(status).collect()
    }
}

/// The schema of an answer as it is announced and sent. Every column is nullable: disclosure control may withhold any cell.
pub(crate) fn wire_schema(schema: &Schema, types: WireTypes, marking: &Marking) -> SchemaRef {
    let fields = schema.fields().iter().zip(marking.metadata(schema.fields().len()));
    let fields = fields.map(|(field, metadata)| {
        let data_type = types.of(field.data_type());
        let digits = digits(&data_type).into_iter().flatten();
        Field::new(field.name(), data_type, true).with_metadata(metadata.into_iter().chain(digits).collect())
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The digits of an exact number, which JDBC reads beside the type and not from it.
fn digits(data_type: &DataType) -> Option<[(String, String); 2]> {
    let DataType::Decimal128(precision, scale) = data_type else { return None };
    let pair = |key: &str, value: String| (format!("ARROW:FLIGHT:SQL:{key}"), value);
    Some([pair("PRECISION", precision.to_string()), pair("SCALE", scale.to_string())])
}

/// The columns of a table in the types that a question for them is answered in.
pub(crate) fn portable_field(field: &Field) -> Field {
    Field::new(field.name(), portable(field.data_type()), field.is_nullable())
        .with_metadata(field.metadata().clone())
}

/// The batch with exactly the columns of `schema`.
///
/// # Errors
/// A value that does not fit: it is not made NULL.
pub(crate) fn to_wire(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, QueryError> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns
        .map(|(column, field)| convert::convert(column, field.data_type()).map_err(|_| unfitting(field)));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(|error| QueryError::internal(error.to_string()))
}

fn unfitting(field: &Field) -> QueryError {
    QueryError::sql(format!(
        "a value of {} does not fit {}, as which every client can read it: cast it to text, or SET jigsaw.wire_types = native",
        field.name(),
        field.data_type()
    ))
}

/// No views, dictionaries, runs, unsigned or half-wide numbers, at any depth; one kind of list; timestamps in microseconds;
/// spans, NULLs and numbers of more digits than a `Decimal128` has as text. A union, which no question makes, stays what it is.
fn portable(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Decimal256(precision, scale) if *precision <= MAX_PRECISION => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::Utf8View
        | DataType::LargeUtf8
        | DataType::Null
        | DataType::Interval(_)
        | DataType::Duration(_)
        | DataType::Decimal256(..) => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary | DataType::FixedSizeBinary(_) => DataType::Binary,
        DataType::UInt8 | DataType::UInt16 => DataType::Int32,
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Float16 => DataType::Float32,
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        DataType::Time32(_) | DataType::Time64(_) => DataType::Time64(TimeUnit::Microsecond),
        DataType::Date64 => DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::Dictionary(_, values) => portable(values),
        DataType::RunEndEncoded(_, values) => portable(values.data_type()),
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _) => DataType::List(inner(field, true)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|field| inner(field, true)).collect()),
        DataType::Map(entries, sorted) => DataType::Map(map_entries(entries), *sorted),
        other => other.clone(),
    }
}

fn inner(field: &FieldRef, nullable: bool) -> FieldRef {
    Arc::new(Field::new(field.name(), portable(field.data_type()), nullable))
}

/// Keys cannot be NULL, nor entries.
fn map_entries(entries: &FieldRef) -> FieldRef {
    let DataType::Struct(fields) = entries.data_type() else { return Arc::clone(entries) };
    let fields = fields.iter().enumerate().map(|(place, field)| inner(field, place > 0)).collect();
    Arc::new(Field::new(entries.name(), DataType::Struct(fields), false))
}

/// The type a parameter is announced with: what the planner inferred, as clients can bind it; text where it could not tell.
/// Moments are in milliseconds: JDBC binds as many of them, whatever the unit that is announced.
pub(crate) fn parameter_type(inferred: Option<&DataType>) -> DataType {
    match inferred {
        None | Some(DataType::Null | DataType::Interval(IntervalUnit::MonthDayNano)) => DataType::Utf8,
        Some(DataType::Timestamp(_, zone)) => DataType::Timestamp(TimeUnit::Millisecond, zone.clone()),
        Some(DataType::Time32(_) | DataType::Time64(_)) => DataType::Time32(TimeUnit::Millisecond),
        Some(data_type) => portable(data_type),
    }
}
