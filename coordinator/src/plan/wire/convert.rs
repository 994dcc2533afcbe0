//! A column in the type it is sent in, at any depth. What is nested is taken apart here and values are cast one by one: the
//! engine's own cast of whole columns reads rows that a slice leaves out, and writes some spans so that nobody reads them right.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, ListArray, MapArray, OffsetSizeTrait, PrimitiveArray, StringArray, StructArray,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::{CastOptions, cast_with_options, take};
use datafusion::arrow::datatypes::{
    DataType, FieldRef, Fields, Int64Type, IntervalUnit, TimeUnit, TimestampMicrosecondType,
    TimestampNanosecondType,
};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::util::display::FormatOptions;

type Result<T> = std::result::Result<T, ArrowError>;

/// The column in the wanted type.
///
/// # Errors
/// A value that does not fit, or a type that cannot become the wanted one.
pub(super) fn convert(column: &ArrayRef, wanted: &DataType) -> Result<ArrayRef> {
    if column.data_type() == wanted {
        return Ok(Arc::clone(column));
    }
    match (column.data_type(), wanted) {
        (_, DataType::Dictionary(..) | DataType::RunEndEncoded(..)) => cast(column, wanted),
        (DataType::Dictionary(..), _) => {
            let dictionary = column.as_any_dictionary();
            convert(&take(dictionary.values(), dictionary.keys(), None)?, wanted)
        }
        (DataType::RunEndEncoded(_, values), _) => convert(&cast(column, values.data_type())?, wanted),
        (
            DataType::List(item)
            | DataType::LargeList(item)
            | DataType::ListView(item)
            | DataType::LargeListView(item)
            | DataType::FixedSizeList(item, _),
            DataType::List(field),
        ) => {
            let plain = cast(column, &DataType::List(Arc::clone(item)))?;
            list(plain.as_list(), field)
        }
        (DataType::Struct(_), DataType::Struct(fields)) => {
            Ok(Arc::new(structure(column.as_struct(), fields)?))
        }
        (DataType::Map(..), DataType::Map(entries, ordered)) => map(column.as_map(), entries, *ordered),
        _ => value(column, wanted),
    }
}

/// Nothing becomes NULL that was not.
fn cast(column: &dyn Array, wanted: &DataType) -> Result<ArrayRef> {
    let options = CastOptions { safe: false, format_options: FormatOptions::default() };
    cast_with_options(column, wanted, &options)
}

fn list(column: &ListArray, field: &FieldRef) -> Result<ArrayRef> {
    let (offsets, from, length) = within(column.offsets());
    let values = convert(&column.values().slice(from, length), field.data_type())?;
    Ok(Arc::new(ListArray::try_new(Arc::clone(field), offsets, values, column.nulls().cloned())?))
}

fn structure(column: &StructArray, fields: &Fields) -> Result<StructArray> {
    let columns = column.columns().iter().zip(fields).map(|(inner, field)| convert(inner, field.data_type()));
    let columns = columns.collect::<Result<Vec<_>>>()?;
    StructArray::try_new_with_length(fields.clone(), columns, column.nulls().cloned(), column.len())
}

fn map(column: &MapArray, entries: &FieldRef, ordered: bool) -> Result<ArrayRef> {
    let DataType::Struct(fields) = entries.data_type() else {
        return cast(column, &map_of(entries, ordered));
    };
    let (offsets, from, length) = within(column.offsets());
    let inner = structure(&column.entries().slice(from, length), fields)?;
    let map = MapArray::try_new(Arc::clone(entries), offsets, inner, column.nulls().cloned(), ordered)?;
    Ok(Arc::new(map))
}

fn map_of(entries: &FieldRef, ordered: bool) -> DataType {
    DataType::Map(Arc::clone(entries), ordered)
}

/// The offsets from 0, and which of the values they are of: a slice of a column has the values of all of it.
fn within<O: OffsetSizeTrait>(offsets: &OffsetBuffer<O>) -> (OffsetBuffer<O>, usize, usize) {
    let (first, length) = (offsets.first().copied().unwrap_or_default(), offsets.lengths().sum());
    (OffsetBuffer::from_lengths(offsets.lengths()), first.as_usize(), length)
}

/// A column of single values.
fn value(column: &ArrayRef, wanted: &DataType) -> Result<ArrayRef> {
    match (column.data_type(), wanted) {
        // Years and months of one sign each: "-1 years 11 mons" is what the engine writes for a month less.
        (DataType::Interval(IntervalUnit::YearMonth | IntervalUnit::DayTime), DataType::Utf8) => {
            cast(&cast(column, &DataType::Interval(IntervalUnit::MonthDayNano))?, wanted)
        }
        (DataType::Duration(unit), DataType::Utf8) => {
            let counts = cast(column, &DataType::Int64)?;
            Ok(Arc::new(durations(counts.as_primitive(), *unit)))
        }
        // Cut off towards the past: towards zero, the last microsecond of 1969 would be 1970.
        (DataType::Timestamp(TimeUnit::Nanosecond, _), DataType::Timestamp(TimeUnit::Microsecond, zone)) => {
            let moments = column.as_primitive::<TimestampNanosecondType>();
            let moments: PrimitiveArray<TimestampMicrosecondType> =
                moments.unary(|moment| moment.div_euclid(1000));
            Ok(Arc::new(moments.with_timezone_opt(zone.clone())))
        }
        // At once, the engine multiplies without a look at what it gets.
        (DataType::Date64, DataType::Timestamp(..)) => {
            cast(&cast(column, &DataType::Timestamp(TimeUnit::Millisecond, None))?, wanted)
        }
        _ => cast(column, wanted),
    }
}

/// Durations as ISO 8601 has them, in seconds: `PT90.5S`, `-PT0.000000001S`.
fn durations(counts: &PrimitiveArray<Int64Type>, unit: TimeUnit) -> StringArray {
    let (in_a_second, digits): (u64, usize) = match unit {
        TimeUnit::Second => (1, 0),
        TimeUnit::Millisecond => (1_000, 3),
        TimeUnit::Microsecond => (1_000_000, 6),
        TimeUnit::Nanosecond => (1_000_000_000, 9),
    };
    let words = |count: i64| {
        let sign = if count < 0 { "-" } else { "" };
        let (whole, part) = (count.unsigned_abs() / in_a_second, count.unsigned_abs() % in_a_second);
        let part = if part == 0 { String::new() } else { format!(".{part:0digits$}") };
        format!("{sign}PT{whole}{}S", part.trim_end_matches('0'))
    };
    counts.iter().map(|count| count.map(words)).collect()
}
