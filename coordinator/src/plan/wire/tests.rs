//! Every type, at every depth, with the values that go wrong first.

use std::sync::Arc;

use datafusion::arrow::array::*;
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::*;
use datafusion::arrow::util::display::array_value_to_string;

use super::*;

type Nest = fn(ArrayRef) -> ArrayRef;

/// A column, the type in which every client can read it, and its first two values there.
type Leaf = (ArrayRef, DataType, [&'static str; 2]);

fn moments(unit: TimeUnit, zone: Option<&str>, values: Vec<i64>) -> ArrayRef {
    cast(&Int64Array::from(values), &DataType::Timestamp(unit, zone.map(Into::into))).unwrap()
}

fn durations(unit: TimeUnit, values: Vec<i64>) -> ArrayRef {
    cast(&Int64Array::from(values), &DataType::Duration(unit)).unwrap()
}

fn in_microseconds(zone: Option<&str>) -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, zone.map(Into::into))
}

fn texts() -> Vec<Leaf> {
    let long = "a text that no view has room for";
    let words = StringArray::from(vec!["", long]);
    let word = |data_type: &DataType| cast(&words, data_type).unwrap();
    let dictionary = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8View));
    let (bytes, hex) = (BinaryArray::from(vec![&b"\0\0"[..], b"\xff\x01"]), ["0000", "ff01"]);
    let byte = |data_type: &DataType| cast(&bytes, data_type).unwrap();
    let fixed = FixedSizeBinaryArray::try_from_iter([b"\0\0", b"\xff\x01"].into_iter()).unwrap();
    let runs =
        RunArray::<Int32Type>::try_new(&Int32Array::from(vec![1, 2]), &StringViewArray::from(vec!["", long]));
    vec![
        (word(&DataType::Utf8), DataType::Utf8, ["", long]),
        (word(&DataType::LargeUtf8), DataType::Utf8, ["", long]),
        (word(&DataType::Utf8View), DataType::Utf8, ["", long]),
        (word(&dictionary), DataType::Utf8, ["", long]),
        (Arc::new(runs.unwrap()), DataType::Utf8, ["", long]),
        (Arc::new(NullArray::new(2)), DataType::Utf8, ["", ""]),
        (byte(&DataType::Binary), DataType::Binary, hex),
        (byte(&DataType::LargeBinary), DataType::Binary, hex),
        (byte(&DataType::BinaryView), DataType::Binary, hex),
        (Arc::new(fixed), DataType::Binary, hex),
    ]
}

fn numbers() -> Vec<Leaf> {
    let number = |data_type: &DataType, values: Vec<i64>| cast(&Int64Array::from(values), data_type).unwrap();
    let digits = |data_type: &DataType, words: Vec<&str>| cast(&StringArray::from(words), data_type).unwrap();
    let most = "1234567890123456789012345678901234567890.12";
    vec![
        (Arc::new(BooleanArray::from(vec![false, true])), DataType::Boolean, ["false", "true"]),
        (number(&DataType::Int8, vec![-128, 127]), DataType::Int8, ["-128", "127"]),
        (number(&DataType::UInt8, vec![0, 255]), DataType::Int32, ["0", "255"]),
        (number(&DataType::UInt16, vec![0, 65535]), DataType::Int32, ["0", "65535"]),
        (number(&DataType::UInt32, vec![0, 4_294_967_295]), DataType::Int64, ["0", "4294967295"]),
        (number(&DataType::UInt64, vec![0, i64::MAX]), DataType::Int64, ["0", "9223372036854775807"]),
        (digits(&DataType::Float16, vec!["-0.5", "65504"]), DataType::Float32, ["-0.5", "65504.0"]),
        (
            digits(&DataType::Decimal32(5, 2), vec!["-1.5", "9"]),
            DataType::Decimal128(5, 2),
            ["-1.50", "9.00"],
        ),
        (
            digits(&DataType::Decimal64(15, 2), vec!["-1.5", "9"]),
            DataType::Decimal128(15, 2),
            ["-1.50", "9.00"],
        ),
        (
            digits(&DataType::Decimal256(38, 2), vec!["-1.5", "9"]),
            DataType::Decimal128(38, 2),
            ["-1.50", "9.00"],
        ),
        (digits(&DataType::Decimal256(50, 2), vec!["-1.5", most]), DataType::Utf8, ["-1.50", most]),
    ]
}

fn times() -> Vec<Leaf> {
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    let london = Some("Europe/London");
    let time64 = DataType::Time64(Microsecond);
    let nanoseconds = Time64NanosecondArray::from(vec![0, 86_399_999_999_999]);
    vec![
        (Arc::new(Date32Array::from(vec![-1, 0])), DataType::Date32, ["1969-12-31", "1970-01-01"]),
        (
            Arc::new(Date64Array::from(vec![-86_400_000, 0])),
            in_microseconds(None),
            ["1969-12-31T00:00:00", "1970-01-01T00:00:00"],
        ),
        (Arc::new(Time32SecondArray::from(vec![0, 86_399])), time64.clone(), ["00:00:00", "23:59:59"]),
        (
            Arc::new(Time32MillisecondArray::from(vec![1, 999])),
            time64.clone(),
            ["00:00:00.001", "00:00:00.999"],
        ),
        (
            Arc::new(Time64MicrosecondArray::from(vec![1, 999])),
            time64.clone(),
            ["00:00:00.000001", "00:00:00.000999"],
        ),
        (Arc::new(nanoseconds), time64, ["00:00:00", "23:59:59.999999"]),
        (
            moments(Second, None, vec![-1, 0]),
            in_microseconds(None),
            ["1969-12-31T23:59:59", "1970-01-01T00:00:00"],
        ),
        (
            moments(Millisecond, Some("UTC"), vec![-1, 0]),
            in_microseconds(Some("UTC")),
            ["1969-12-31T23:59:59.999Z", "1970-01-01T00:00:00Z"],
        ),
        // What is lost is what is after the microsecond, and never a day.
        (
            moments(Nanosecond, None, vec![-1, 1_999]),
            in_microseconds(None),
            ["1969-12-31T23:59:59.999999", "1970-01-01T00:00:00.000001"],
        ),
        (
            moments(Nanosecond, london, vec![1_719_792_000_000_000_000, 1_704_067_200_000_000_000]),
            in_microseconds(london),
            ["2024-07-01T01:00:00+01:00", "2024-01-01T00:00:00Z"],
        ),
    ]
}

fn spans() -> Vec<Leaf> {
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    let months = |values: Vec<i32>| Arc::new(IntervalYearMonthArray::from(values));
    let (day, mixed) = (IntervalDayTime::new, IntervalMonthDayNano::new);
    let days = |values: Vec<IntervalDayTime>| Arc::new(IntervalDayTimeArray::from(values));
    let any = |values: Vec<IntervalMonthDayNano>| Arc::new(IntervalMonthDayNanoArray::from(values));
    vec![
        (months(vec![-1, 14]), DataType::Utf8, ["-1 mons", "14 mons"]),
        (months(vec![-12, 0]), DataType::Utf8, ["-12 mons", "0 secs"]),
        (days(vec![day(-1, -500), day(1, 0)]), DataType::Utf8, ["-1 days -0.500000000 secs", "1 days"]),
        (days(vec![day(2, -3_600_000), day(0, 0)]), DataType::Utf8, ["2 days -1 hours", "0 secs"]),
        (any(vec![mixed(-1, 0, 0), mixed(0, 0, -1)]), DataType::Utf8, ["-1 mons", "-0.000000001 secs"]),
        (
            any(vec![mixed(1, -2, 90_000_000_000), mixed(-13, 40, -5_400_000_000_000)]),
            DataType::Utf8,
            ["1 mons -2 days 1 mins 30.000000000 secs", "-13 mons 40 days -1 hours -30 mins"],
        ),
        (durations(Second, vec![-90, i64::MAX]), DataType::Utf8, ["-PT90S", "PT9223372036854775807S"]),
        (durations(Millisecond, vec![i64::MIN, 500]), DataType::Utf8, ["-PT9223372036854775.808S", "PT0.5S"]),
        (durations(Microsecond, vec![-1, 0]), DataType::Utf8, ["-PT0.000001S", "PT0S"]),
        (durations(Nanosecond, vec![-1, 1_000_000_000]), DataType::Utf8, ["-PT0.000000001S", "PT1S"]),
    ]
}

fn leaves() -> Vec<Leaf> {
    [texts(), numbers(), times(), spans()].concat()
}

fn item(column: &ArrayRef) -> FieldRef {
    Arc::new(Field::new("item", column.data_type().clone(), true))
}

/// One row that has all of the column.
fn of_all<O: OffsetSizeTrait>(column: ArrayRef) -> ArrayRef {
    let offsets = OffsetBuffer::<O>::from_lengths([column.len()]);
    Arc::new(GenericListArray::new(item(&column), offsets, column, None))
}

fn view_of_all<O: OffsetSizeTrait>(column: ArrayRef) -> ArrayRef {
    let (from, length) = (vec![O::zero()].into(), vec![O::usize_as(column.len())].into());
    Arc::new(GenericListViewArray::new(item(&column), from, length, column, None))
}

fn fixed(column: ArrayRef) -> ArrayRef {
    let size = i32::try_from(column.len()).unwrap();
    Arc::new(FixedSizeListArray::new(item(&column), size, column, None))
}

fn structure(column: ArrayRef) -> ArrayRef {
    let field = Field::new("part", column.data_type().clone(), true);
    Arc::new(StructArray::new(vec![field].into(), vec![column], None))
}

/// One row, with the column as values below keys.
fn mapped(column: ArrayRef) -> ArrayRef {
    let keys = StringViewArray::from_iter_values((0..column.len()).map(|place| place.to_string()));
    let fields = vec![
        Field::new("key", DataType::Utf8View, false),
        Field::new("value", column.data_type().clone(), true),
    ];
    let offsets = OffsetBuffer::from_lengths([column.len()]);
    let entries = StructArray::new(fields.into(), vec![Arc::new(keys), column], None);
    let field = Arc::new(Field::new("entries", entries.data_type().clone(), false));
    Arc::new(MapArray::new(field, offsets, entries, None, false))
}

const NESTS: [(&str, Nest); 7] = [
    ("List", of_all::<i32>),
    ("LargeList", of_all::<i64>),
    ("ListView", view_of_all::<i32>),
    ("LargeListView", view_of_all::<i64>),
    ("FixedSizeList", fixed),
    ("Struct", structure),
    ("Map", mapped),
];

/// The column that was nested, out of what its nest has become.
fn unnested(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::List(_) => Arc::clone(column.as_list::<i32>().values()),
        DataType::Struct(_) => Arc::clone(column.as_struct().column(0)),
        DataType::Map(..) => Arc::clone(column.as_map().values()),
        other => panic!("{other}"),
    }
}

/// The column as it is sent, checked against what is announced.
fn sent(column: &ArrayRef, types: WireTypes) -> ArrayRef {
    let field = Field::new("c", column.data_type().clone(), true);
    let batch = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![Arc::clone(column)]).unwrap();
    let schema = wire_schema(&batch.schema(), types, &Marking::default());
    let batch = to_wire(&batch, &schema).unwrap_or_else(|error| panic!("{}: {error}", column.data_type()));
    assert_eq!(batch.schema(), schema);
    batch.column(0).to_data().validate_full().unwrap();
    Arc::clone(batch.column(0))
}

fn words(column: &ArrayRef) -> Vec<String> {
    (0..column.len()).map(|row| array_value_to_string(column, row).unwrap()).collect()
}

#[test]
fn every_type_is_sent_as_one_that_every_client_reads() {
    for (column, wanted, expected) in leaves() {
        let found = sent(&column, WireTypes::Portable);
        assert_eq!((found.data_type(), words(&found)), (&wanted, expected.map(str::to_owned).to_vec()));
        assert_eq!(portable(&wanted), wanted, "what is portable stays what it is");
    }
}

#[test]
fn what_is_nested_is_sent_as_what_is_not_at_two_depths() {
    for (column, wanted, expected) in leaves() {
        for (outer, outermost) in NESTS {
            for (inner, innermost) in NESTS {
                let found = sent(&outermost(innermost(Arc::clone(&column))), WireTypes::Portable);
                let found = unnested(&unnested(&found));
                let place = format!("{outer} of {inner} of {}", column.data_type());
                assert_eq!(found.data_type(), &wanted, "{place}");
                assert_eq!(words(&found), expected, "{place}");
            }
        }
    }
}

#[test]
fn native_types_are_sent_as_they_are() {
    for (column, ..) in leaves() {
        for (_, nest) in NESTS {
            let nested = nest(Arc::clone(&column));
            assert_eq!(&sent(&column, WireTypes::Native), &column);
            assert_eq!(&sent(&nested, WireTypes::Native), &nested);
        }
    }
}

#[test]
fn a_span_as_text_is_the_span_when_it_is_read_back() {
    for (column, ..) in
        spans().into_iter().filter(|(column, ..)| matches!(column.data_type(), DataType::Interval(_)))
    {
        let mixed = DataType::Interval(IntervalUnit::MonthDayNano);
        let text = sent(&column, WireTypes::Portable);
        assert_eq!(cast(&text, &mixed).unwrap().to_data(), cast(&column, &mixed).unwrap().to_data());
    }
}

#[test]
fn nulls_stay_nulls_and_slices_slices() {
    let views = StringViewArray::from(vec![Some("a"), None, Some("b"), Some("c")]);
    let offsets = OffsetBuffer::<i64>::from_lengths([1, 2, 0, 1]);
    let nulls = vec![true, true, false, true].into();
    let list: ArrayRef = Arc::new(LargeListArray::new(
        Arc::new(Field::new("item", DataType::Utf8View, true)),
        offsets,
        Arc::new(views),
        Some(nulls),
    ));
    assert_eq!(words(&sent(&list, WireTypes::Portable)), ["[a]", "[, b]", "", "[c]"]);
    let slice = sent(&list.slice(1, 2), WireTypes::Portable);
    assert_eq!(words(&slice), ["[, b]", ""]);
    assert_eq!(slice.null_count(), 1);
    assert_eq!(slice.as_list::<i32>().values().len(), 2, "what is not of the slice is not sent");
    let dictionary = DictionaryArray::<Int32Type>::from_iter([Some("a"), None, Some("a")]);
    let found = sent(&(Arc::new(dictionary) as ArrayRef), WireTypes::Portable);
    assert_eq!((found.null_count(), words(&found)), (1, ["a", "", "a"].map(str::to_owned).to_vec()));
}

/// The second row does not fit; it is not asked for.
#[test]
fn what_does_not_fit_is_refused_and_what_is_not_asked_for_does_not_matter() {
    let large: ArrayRef = Arc::new(UInt64Array::from(vec![1, u64::MAX]));
    let days: ArrayRef = Arc::new(Date64Array::from(vec![1, i64::MAX]));
    let seconds = moments(TimeUnit::Second, None, vec![1, i64::MAX]);
    for column in [large, days, seconds] {
        let rows: ArrayRef = Arc::new(ListArray::new(
            item(&column),
            OffsetBuffer::from_lengths([1, 1]),
            Arc::clone(&column),
            None,
        ));
        let announced = |column: &ArrayRef| {
            let field = Field::new("late", column.data_type().clone(), true);
            wire_schema(&Schema::new(vec![field]), WireTypes::Portable, &Marking::default())
        };
        for column in [column, rows] {
            let batch =
                |column: &ArrayRef| RecordBatch::try_from_iter([("late", Arc::clone(column))]).unwrap();
            let refused = to_wire(&batch(&column), &announced(&column)).unwrap_err().to_string();
            assert!(refused.contains("late does not fit") && refused.contains("native"), "{refused}");
            to_wire(&batch(&column.slice(0, 1)), &announced(&column)).unwrap();
        }
    }
}
