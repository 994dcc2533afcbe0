//! Record batches as Flight messages that every client takes: cut by what rows really take, in the types that were announced.
//!
//! Arrow's own encoder cuts a batch evenly, whatever its rows take, and measures a slice by all that it is a slice of; it also
//! announces large lists as lists. This one does none of that.

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use arrow_flight::FlightData;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, OffsetSizeTrait, RecordBatch, UInt64Array};
use datafusion::arrow::compute::{cast, take};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteContext, IpcWriteOptions};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use prost::Message as _;

use super::messages::Batches;
use crate::query::QueryError;

/// What the rows of a message take, in bytes, where one alone does not take more.
const TARGET: usize = 2 * 1024 * 1024;

/// Largest message sent, in bytes. gRPC's clients read 4 MiB where nobody has told them more; a part of it is left for what goes
/// with the rows.
const LIMIT: usize = 3 * 1024 * 1024;

/// The messages of an answer: its schema, and its batches. A batch without rows is a message too.
pub(super) fn messages(
    schema: &SchemaRef,
    batches: Batches,
) -> BoxStream<'static, Result<FlightData, QueryError>> {
    let mut encoder = Encoder::default();
    let first = encoder.schema(schema);
    let pieces =
        batches.map_ok(|batch| stream::iter(cut(&batch).into_iter().map(Ok::<_, QueryError>))).try_flatten();
    let messages = pieces.map(move |piece| encoder.batch(&piece?));
    let messages = messages.map_ok(|messages| stream::iter(messages.into_iter().map(Ok))).try_flatten();
    stream::iter([Ok(first)]).chain(messages).boxed()
}

/// Encodes a stream, and knows which dictionaries the other side has.
struct Encoder {
    generator: IpcDataGenerator,
    dictionaries: DictionaryTracker,
    options: IpcWriteOptions,
    context: IpcWriteContext,
}

impl Default for Encoder {
    fn default() -> Self {
        Self {
            generator: IpcDataGenerator::default(),
            dictionaries: DictionaryTracker::new(false),
            options: IpcWriteOptions::default(),
            context: IpcWriteContext::default(),
        }
    }
}

impl Encoder {
    fn schema(&mut self, schema: &Schema) -> FlightData {
        let Self { generator, dictionaries, options, .. } = self;
        generator.schema_to_bytes_with_dictionary_tracker(schema, dictionaries, options).into()
    }

    /// The message of a piece, after those of its dictionaries.
    fn batch(&mut self, piece: &RecordBatch) -> Result<Vec<FlightData>, QueryError> {
        let failed = |error: ArrowError| QueryError::internal(error.to_string());
        let piece = packed(piece).map_err(failed)?;
        let Self { generator, dictionaries, options, context } = self;
        let (before, rows) = generator.encode(&piece, dictionaries, options, context).map_err(failed)?;
        let messages: Vec<FlightData> = before.into_iter().chain([rows]).map(FlightData::from).collect();
        if messages.iter().any(|message| message.encoded_len() > LIMIT) {
            Err(too_long())
        } else {
            Ok(messages)
        }
    }
}

fn too_long() -> QueryError {
    let limit = LIMIT / (1024 * 1024);
    QueryError::sql(format!(
        "a row of the answer is longer than {limit} MiB, which is the most that a message to a client may have: ask for fewer columns at once, or for a part of a long value, as left(x, 1000) does"
    ))
}

/// The batch in pieces whose rows take no more than [`TARGET`], or are one row.
fn cut(batch: &RecordBatch) -> Vec<RecordBatch> {
    let (mut pieces, mut from) = (vec![], 0);
    while from < batch.num_rows() {
        let rows = fitting(batch, from);
        pieces.push(batch.slice(from, rows));
        from += rows;
    }
    if pieces.is_empty() { vec![batch.clone()] } else { pieces }
}

/// How many rows from there fit into a message; at least one.
fn fitting(batch: &RecordBatch, from: usize) -> usize {
    let left = batch.num_rows() - from;
    let fit = |rows: usize| batch_size(batch, &(from..from + rows)) <= TARGET;
    let (mut fitting, mut most) = (1, 1);
    while most < left && fit(most) {
        (fitting, most) = (most, left.min(most * 2));
    }
    while fitting < most {
        let middle = (fitting + most).div_ceil(2);
        (fitting, most) = if fit(middle) { (middle, most) } else { (fitting, middle - 1) };
    }
    fitting
}

fn batch_size(batch: &RecordBatch, rows: &Range<usize>) -> usize {
    batch.columns().iter().map(|column| size(column, rows)).sum()
}

/// The bytes that these rows of a column take in a message, but for what is rounded up and what dictionaries take.
fn size(column: &dyn Array, rows: &Range<usize>) -> usize {
    let count = rows.len();
    let validity = if column.nulls().is_some() { count.div_ceil(8) } else { 0 };
    validity
        + match column.data_type() {
            DataType::Null => 0,
            DataType::Boolean => count.div_ceil(8),
            DataType::Utf8 => bytes(column.as_string::<i32>().value_offsets(), rows),
            DataType::Binary => bytes(column.as_binary::<i32>().value_offsets(), rows),
            DataType::LargeUtf8 => bytes(column.as_string::<i64>().value_offsets(), rows),
            DataType::LargeBinary => bytes(column.as_binary::<i64>().value_offsets(), rows),
            DataType::Utf8View => viewed(column.as_string_view().views(), rows),
            DataType::BinaryView => viewed(column.as_binary_view().views(), rows),
            DataType::FixedSizeBinary(width) => of(*width) * count,
            DataType::List(_) => {
                let list = column.as_list::<i32>();
                listed(list.value_offsets(), list.values(), rows)
            }
            DataType::LargeList(_) => {
                let list = column.as_list::<i64>();
                listed(list.value_offsets(), list.values(), rows)
            }
            DataType::ListView(_) => {
                let list = column.as_list_view::<i32>();
                spread((list.offsets(), list.sizes()), list.values(), rows)
            }
            DataType::LargeListView(_) => {
                let list = column.as_list_view::<i64>();
                spread((list.offsets(), list.sizes()), list.values(), rows)
            }
            DataType::Map(..) => {
                let map = column.as_map();
                listed(map.value_offsets(), map.entries(), rows)
            }
            DataType::FixedSizeList(_, length) => {
                let length = of(*length);
                size(column.as_fixed_size_list().values(), &(rows.start * length..rows.end * length))
            }
            DataType::Struct(_) => column.as_struct().columns().iter().map(|inner| size(inner, rows)).sum(),
            DataType::Dictionary(key, _) => key.primitive_width().unwrap_or_default() * count,
            // Runs and unions, which questions do not make by themselves: as if every row took the same.
            other => match other.primitive_width() {
                Some(width) => width * count,
                None => column.get_buffer_memory_size() * count / column.len().max(1),
            },
        }
}

fn of(width: i32) -> usize {
    usize::try_from(width).unwrap_or_default()
}

/// Offsets of these rows, and what is between them.
fn bytes<O: OffsetSizeTrait>(offsets: &[O], rows: &Range<usize>) -> usize {
    within(offsets, rows).len() + size_of::<O>() * rows.len()
}

fn listed<O: OffsetSizeTrait>(offsets: &[O], values: &dyn Array, rows: &Range<usize>) -> usize {
    size(values, &within(offsets, rows)) + size_of::<O>() * rows.len()
}

/// Lists that may be anywhere in their values, each with its place and its length.
fn spread<O: OffsetSizeTrait>(
    (offsets, lengths): (&[O], &[O]),
    values: &dyn Array,
    rows: &Range<usize>,
) -> usize {
    let places = offsets.iter().zip(lengths).map(|(from, length)| (from.as_usize(), length.as_usize()));
    let listed =
        places.skip(rows.start).take(rows.len()).map(|(from, length)| size(values, &(from..from + length)));
    listed.sum::<usize>() + 2 * size_of::<O>() * rows.len()
}

fn within<O: OffsetSizeTrait>(offsets: &[O], rows: &Range<usize>) -> Range<usize> {
    let at = |row: usize| offsets.get(row).map_or(0, |offset| offset.as_usize());
    at(rows.start)..at(rows.end)
}

/// A view is sixteen bytes, of which the last four of a hundred and twenty-eight bits are its length; a short value is in it.
fn viewed(views: &[u128], rows: &Range<usize>) -> usize {
    let length = |view: &u128| usize::try_from(view & u128::from(u32::MAX)).unwrap_or_default();
    let long = views.get(rows.clone()).into_iter().flatten().map(length).filter(|length| *length > 12);
    long.sum::<usize>() + size_of::<u128>() * rows.len()
}

/// The piece without what its views, of texts or of lists, do not look at: a message has all that views look into, and pieces of
/// one batch share it.
fn packed(piece: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let rows = 0..piece.num_rows();
    let spacious = |column: &ArrayRef| {
        let without = without_views(column.data_type());
        without != *column.data_type()
            && column.get_buffer_memory_size() > 2 * size(column, &rows) + TARGET / 64
    };
    if !piece.columns().iter().any(spacious) {
        return Ok(piece.clone());
    }
    let all: UInt64Array = (0..).take(piece.num_rows()).collect();
    let columns = piece.columns().iter().map(|column| {
        if !spacious(column) {
            return Ok(Arc::clone(column));
        }
        let rows = take(column, &all, None)?;
        cast(&cast(&rows, &without_views(column.data_type()))?, column.data_type())
    });
    RecordBatch::try_new(piece.schema(), columns.collect::<Result<_, ArrowError>>()?)
}

/// The type with its values beside each other, where they are in views.
fn without_views(data_type: &DataType) -> DataType {
    let inner = |field: &FieldRef| -> FieldRef {
        let data_type = without_views(field.data_type());
        Arc::new(Field::clone(field).with_data_type(data_type))
    };
    match data_type {
        DataType::Utf8View => DataType::LargeUtf8,
        DataType::BinaryView => DataType::LargeBinary,
        DataType::List(field) | DataType::ListView(field) => DataType::List(inner(field)),
        DataType::LargeList(field) | DataType::LargeListView(field) => DataType::LargeList(inner(field)),
        DataType::FixedSizeList(field, length) => DataType::FixedSizeList(inner(field), *length),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inner).collect()),
        DataType::Map(entries, ordered) => DataType::Map(inner(entries), *ordered),
        other => other.clone(),
    }
}
