//! What clients can read: a profile of Arrow types that every Flight SQL driver in the field understands.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, IntervalUnit, Schema, SchemaRef, TimeUnit};
use jigsaw_proto::types::MAX_PRECISION;

use crate::cell_status::Part;
use crate::query::QueryError;

/// Field metadata key: `protected` marks a column whose NULLs were withheld by disclosure control; `status`,
/// `nodes_withheld` and `nodes_left_out` say what a column of [`Part`] is.
pub(crate) const CELL: &str = "jigsaw.cell";
/// Field metadata key of a column of [`Part`]: the place of the column it is about, from 0.
const ABOUT: &str = "jigsaw.about";

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
pub(crate) fn wire_schema(schema: &Schema, marking: &Marking) -> SchemaRef {
    let fields = schema.fields().iter().zip(marking.metadata(schema.fields().len()));
    let fields = fields.map(|(field, metadata)| {
        Field::new(field.name(), wire_type(field.data_type()), true).with_metadata(metadata)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The batch with exactly the columns of `schema`.
pub(crate) fn to_wire(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, QueryError> {
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| {
        if column.data_type() == field.data_type() {
            Ok(Arc::clone(column))
        } else {
            cast(column, field.data_type())
        }
    });
    let columns = columns.collect::<Result<Vec<_>, _>>();
    columns
        .and_then(|columns| RecordBatch::try_new(Arc::clone(schema), columns))
        .map_err(|error| QueryError::internal(error.to_string()))
}

/// No views, dictionaries, unsigned or half-wide numbers; timestamps in microseconds; spans and NULLs as text.
fn wire_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View
        | DataType::LargeUtf8
        | DataType::Null
        | DataType::Interval(_)
        | DataType::Duration(_) => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::UInt8 | DataType::UInt16 => DataType::Int32,
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Float16 => DataType::Float32,
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        DataType::Time32(_) | DataType::Time64(_) => DataType::Time64(TimeUnit::Microsecond),
        DataType::Date64 => DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal256(precision, scale) => {
            DataType::Decimal128((*precision).min(MAX_PRECISION), *scale)
        }
        DataType::Dictionary(_, values) => wire_type(values),
        DataType::List(field) | DataType::LargeList(field) | DataType::ListView(field) => {
            DataType::List(Arc::new(Field::new(field.name(), wire_type(field.data_type()), true)))
        }
        other => other.clone(),
    }
}

/// The type a parameter is announced with: what the planner inferred, as clients can bind it; text where it could not tell.
pub(crate) fn parameter_type(inferred: Option<DataType>) -> DataType {
    match inferred {
        None | Some(DataType::Null | DataType::Interval(IntervalUnit::MonthDayNano)) => DataType::Utf8,
        Some(data_type) => wire_type(&data_type),
    }
}
