//! Messages are of a size, and say what was said, whatever the rows are.

use arrow_flight::decode::FlightRecordBatchStream;
use datafusion::arrow::array::*;
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::{Int8Type, Int32Type};

use super::*;

/// The messages of a batch, of which each must be one that clients take.
async fn sent(batch: &RecordBatch) -> Vec<FlightData> {
    let batches = stream::iter([Ok(batch.clone())]).boxed();
    let sent: Vec<_> = messages(&batch.schema(), batches).try_collect().await.unwrap();
    assert!(sent.iter().all(|message| message.encoded_len() <= LIMIT));
    sent
}

/// What a client makes of messages.
async fn read(messages: Vec<FlightData>) -> RecordBatch {
    let mut batches =
        FlightRecordBatchStream::new_from_flight_data(stream::iter(messages.into_iter().map(Ok)));
    let mut all = vec![];
    while let Some(batch) = batches.try_next().await.unwrap() {
        all.push(batch);
    }
    concat_batches(batches.schema().unwrap(), &all).unwrap()
}

fn batch(columns: Vec<ArrayRef>) -> RecordBatch {
    let fields = columns.iter().enumerate().map(|(place, column)| {
        let nullable = column.is_nullable() || column.data_type() == &DataType::Null;
        Field::new(format!("c{place}"), column.data_type().clone(), nullable)
    });
    RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns).unwrap()
}

/// A list of one in each row.
fn list_of(column: &ArrayRef) -> ArrayRef {
    let item = Field::new("item", column.data_type().clone(), true);
    cast(column, &DataType::List(Arc::new(item))).unwrap()
}

const LONG: usize = 2_500_000;

fn texts(rows: usize, long: &[usize]) -> StringArray {
    let text = |row| if long.contains(&row) { "x".repeat(LONG) } else { row.to_string() };
    StringArray::from_iter_values((0..rows).map(text))
}

/// `rows` rows of every type that the encoder treats in its own way.
fn every(rows: usize) -> Vec<ArrayRef> {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..i64::try_from(rows).unwrap()));
    let words = texts(rows, &[]);
    let long: ArrayRef =
        Arc::new(StringArray::from_iter_values(words.iter().flatten().map(|word| word.repeat(9))));
    let dictionary: DictionaryArray<Int8Type> = (0..rows).map(|row| ["few", "values"][row % 2]).collect();
    let item = |column: &ArrayRef| Arc::new(Field::new("item", column.data_type().clone(), true));
    let views = cast(&long, &DataType::Utf8View).unwrap();
    let lengths = (0..rows).map(|row| row % 3);
    let values = take(
        &views,
        &UInt64Array::from_iter_values(lengths.clone().map(|row| row as u64).flat_map(|row| 0..row)),
        None,
    )
    .unwrap();
    let offsets = OffsetBuffer::<i64>::from_lengths(lengths);
    let list: ArrayRef = Arc::new(LargeListArray::new(item(&values), offsets, values, None));
    let fixed: ArrayRef = Arc::new(FixedSizeListArray::new(item(&numbers), 1, Arc::clone(&numbers), None));
    let pair = StructArray::from(vec![
        (item(&list), Arc::clone(&list)),
        (Arc::new(Field::new("other", fixed.data_type().clone(), true)), Arc::clone(&fixed)),
    ]);
    let runs: Vec<i32> = (1..=i32::try_from(rows).unwrap()).collect();
    let runs = RunArray::<Int32Type>::try_new(&Int32Array::from(runs), &words).unwrap();
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    for row in 0..rows {
        map.keys().append_value(row.to_string());
        map.values().append_option((row % 2 == 0).then_some(1));
        map.append(true).unwrap();
    }
    let other =
        [DataType::LargeUtf8, DataType::BinaryView, DataType::LargeBinary, DataType::List(item(&long))];
    let mut columns: Vec<ArrayRef> = other.iter().map(|data_type| cast(&long, data_type).unwrap()).collect();
    columns.extend([numbers, Arc::new(words), views, list, fixed, Arc::new(pair), Arc::new(dictionary)]);
    columns.push(cast(&list_of(&long), &DataType::ListView(item(&long))).unwrap());
    columns.extend([Arc::new(runs) as ArrayRef, Arc::new(map.finish()), Arc::new(NullArray::new(rows))]);
    columns
        .push(Arc::new((0..rows).map(|row| (row % 3 > 0).then_some(row % 2 == 0)).collect::<BooleanArray>()));
    columns.push(Arc::new(
        FixedSizeBinaryArray::try_from_iter((0..rows).map(|row| [row.to_le_bytes()[0]; 5])).unwrap(),
    ));
    columns
}

#[tokio::test]
async fn every_type_is_read_as_it_was_announced() {
    let all = batch(every(20_000));
    let messages = sent(&all).await;
    assert!(messages.len() > 5, "{} messages", messages.len());
    let found = read(messages).await;
    assert_eq!(found.schema(), all.schema());
    assert_eq!(found, all);
}

#[tokio::test]
async fn a_long_row_is_sent_alone_and_the_short_ones_beside_it_together() {
    let all = batch(vec![Arc::new(texts(10_000, &[5_000]))]);
    let messages = sent(&all).await;
    assert_eq!(messages.len(), 4, "schema, before, the long row, after");
    assert_eq!(read(messages).await, all);
    let all = batch(vec![Arc::new(texts(10, &[3, 4, 9]))]);
    let messages = sent(&all).await;
    assert_eq!(messages.len(), 6, "schema, before, two, between, one");
    assert_eq!(read(messages).await, all);
}

#[tokio::test]
async fn a_slice_takes_what_it_is_and_not_what_it_is_a_slice_of() {
    let long: ArrayRef = Arc::new(texts(100, &(10..20).collect::<Vec<_>>()));
    let views = cast(&long, &DataType::Utf8View).unwrap();
    let anywhere = DataType::ListView(Arc::new(Field::new("item", DataType::Utf8, true)));
    let anywhere = cast(&list_of(&long), &anywhere).unwrap();
    for column in [list_of(&long), long, list_of(&views), views, anywhere] {
        let slice = batch(vec![column.slice(30, 70)]);
        let messages = sent(&slice).await;
        assert_eq!(messages.len(), 2, "{}", column.data_type());
        assert!(messages.iter().all(|message| message.encoded_len() < 10_000), "{}", column.data_type());
        assert_eq!(read(messages).await, slice);
        let whole = batch(vec![column]);
        assert_eq!(read(sent(&whole).await).await, whole);
    }
}

#[tokio::test]
async fn a_row_that_no_message_has_room_for_is_refused_in_a_sentence() {
    let long: ArrayRef = Arc::new(texts(2, &[1]));
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let twice = cast(&StringArray::from_iter_values([&*"x".repeat(LIMIT)]), &dictionary).unwrap();
    for all in [batch(vec![Arc::clone(&long), long]), batch(vec![twice])] {
        let messages = messages(&all.schema(), stream::iter([Ok(all.clone())]).boxed());
        let refused = messages.try_collect::<Vec<_>>().await.unwrap_err();
        assert!(matches!(refused, QueryError::Sql { .. }), "{refused:?}");
        assert!(refused.to_string().contains("longer than 3 MiB"), "{refused}");
        assert!(!refused.to_string().contains("xx"), "{refused}");
    }
}

/// What is measured is what is sent, but for what is rounded up: 64 bytes and an offset for each of a few buffers.
#[tokio::test]
async fn what_rows_take_is_what_was_measured() {
    for column in every(5_000) {
        let data_type = column.data_type().clone();
        for rows in [0..5_000, 1_000..1_001, 1_234..4_321] {
            let piece = batch(vec![column.slice(rows.start, rows.len())]);
            let messages = sent(&piece).await;
            let found: usize = messages.iter().map(|message| message.data_body.len()).sum();
            let measured = batch_size(&batch(vec![Arc::clone(&column)]), &rows);
            // Views may take some bytes with them that they do not look at: packing them takes time. Runs are estimated.
            let spare = if without_views(&data_type) == data_type { measured / 50 } else { measured };
            let off = found.abs_diff(measured);
            assert!(off <= TARGET / 64 + spare, "{data_type} {rows:?}: {found}, not {measured}");
        }
    }
}

#[tokio::test]
async fn no_rows_are_a_message_that_says_so() {
    let none = batch(vec![Arc::new(texts(0, &[]))]);
    let messages = sent(&none).await;
    assert_eq!(messages.len(), 2);
    assert_eq!(read(messages).await.num_rows(), 0);
}
