//! Rare types and types within types: what is announced is what is sent, in the form that every client reads, or as the engine
//! has it where somebody asked for that.

use arrow::datatypes::Schema;
use arrow::util::display::array_value_to_string;

use super::prepare;
use super::reference::thrice;
use super::visitor::{Visitor, descriptor};

/// Expression, the type in which every client can read it, the value there, the native type.
const RARE: &[(&str, &str, &str, &str)] = &[
    ("arrow_cast(X'0102', 'LargeBinary')", "Binary", "0102", "LargeBinary"),
    ("arrow_cast(X'0102', 'BinaryView')", "Binary", "0102", "BinaryView"),
    ("arrow_cast(X'0102', 'FixedSizeBinary(2)')", "Binary", "0102", "FixedSizeBinary(2)"),
    ("arrow_cast(1.5, 'Float16')", "Float32", "1.5", "Float16"),
    ("arrow_cast('1.5', 'Decimal256(38, 2)')", "Decimal128(38, 2)", "1.50", "Decimal256(38, 2)"),
    ("arrow_cast('-1.5', 'Decimal256(50, 2)')", "Utf8", "-1.50", "Decimal256(50, 2)"),
    ("arrow_cast('12:00:01', 'Time32(Second)')", "Time64(µs)", "12:00:01", "Time32(s)"),
    ("arrow_cast('12:00:00.000000001', 'Time64(Nanosecond)')", "Time64(µs)", "12:00:00", "Time64(ns)"),
    (
        "arrow_cast('1969-12-31T23:59:59', 'Timestamp(Second, None)')",
        "Timestamp(µs)",
        "1969-12-31T23:59:59",
        "Timestamp(s)",
    ),
    (
        "arrow_cast('2024-07-01T00:00:00Z', 'Timestamp(Nanosecond, Some(\"Europe/London\"))')",
        "Timestamp(µs, \"Europe/London\")",
        "2024-07-01T01:00:00+01:00",
        "Timestamp(ns, \"Europe/London\")",
    ),
    ("arrow_cast(arrow_cast(-1, 'Int32'), 'Interval(YearMonth)')", "Utf8", "-1 mons", "Interval(YearMonth)"),
    ("arrow_cast('-1 day', 'Interval(DayTime)')", "Utf8", "-1 days", "Interval(DayTime)"),
    ("INTERVAL '-1 month'", "Utf8", "-1 mons", "Interval(MonthDayNano)"),
    ("arrow_cast(-90, 'Duration(Second)')", "Utf8", "-PT90S", "Duration(s)"),
    ("arrow_cast(-1, 'Duration(Nanosecond)')", "Utf8", "-PT0.000000001S", "Duration(ns)"),
    ("NULL", "Utf8", "", "Null"),
];

/// What is put around an expression, and around its types and its value.
const AROUND: &[(&str, &str, &str, &str)] = &[
    ("{}", "{}", "{}", "{}"),
    ("array_agg({})", "List({})", "[{}]", "List({})"),
    ("arrow_cast({}, 'LargeList({native})')", "List({})", "[{}]", "LargeList({})"),
    ("arrow_cast({}, 'ListView({native})')", "List({})", "[{}]", "ListView({})"),
    ("arrow_cast({}, 'FixedSizeList(1 x {native})')", "List({})", "[{}]", "FixedSizeList(1 x {})"),
    ("named_struct('part', {})", "Struct(\"part\": {})", "{part: {}}", "Struct(\"part\": {})"),
    (
        "named_struct('part', arrow_cast({}, 'LargeList({native})'))",
        "Struct(\"part\": List({}))",
        "{part: [{}]}",
        "Struct(\"part\": LargeList({}))",
    ),
    (
        "arrow_cast(named_struct('part', {}), 'LargeList(Struct(\"part\": {native}))')",
        "List(Struct(\"part\": {}))",
        "[{part: {}}]",
        "LargeList(Struct(\"part\": {}))",
    ),
];

fn types(schema: &Schema) -> Vec<String> {
    schema.fields().iter().map(|field| field.data_type().to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rare_and_nested_types_are_announced_and_sent_alike() {
    let (_dir, builder) = prepare();
    let federation = builder.start().await.unwrap();
    let mut ada = Visitor::ada(&federation);
    for (around, portable_around, value_around, native_around) in AROUND {
        let filled =
            |form: &str, inner: &str, native: &str| form.replace("{}", inner).replace("{native}", native);
        let columns = RARE
            .iter()
            .enumerate()
            .map(|(place, (sql, _, _, native))| format!("{} AS c{place}", filled(around, sql, native)));
        let sql = format!("SELECT {}", columns.collect::<Vec<_>>().join(", "));
        ada.headers.clear();
        let (schema, batches) = thrice(&mut ada, descriptor(&sql)).await.unwrap();
        let expected = RARE.iter().map(|(_, portable, ..)| filled(portable_around, portable, ""));
        assert_eq!(types(&schema), expected.collect::<Vec<_>>());
        let found = batches[0].columns().iter().map(|column| array_value_to_string(column, 0).unwrap());
        let expected = RARE.iter().map(|(sql, _, value, _)| {
            // A NULL becomes a list that is NULL, and not one that has it.
            let is_list = *sql == "NULL" && around.contains("arrow_cast({}");
            filled(
                &if is_list { value_around.replace("[{}]", "") } else { (*value_around).to_owned() },
                value,
                "",
            )
        });
        assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
        ada.headers = vec![("x-jigsaw-wire-types", "native")];
        let (schema, batches) = thrice(&mut ada, descriptor(&sql)).await.unwrap();
        let expected = RARE.iter().map(|(.., native)| filled(native_around, native, native));
        assert_eq!(types(&schema), expected.collect::<Vec<_>>());
        assert_eq!(batches[0].num_rows(), 1);
    }
}
