//! What is too long is refused in a sentence, and what is long is cut so that every client can take it.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow_flight::FlightData;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::sql::{ActionCreatePreparedStatementRequest, ProstMessageExt as _};
use futures::TryStreamExt as _;
use prost::Message as _;
use tonic::{Code, Status};

use super::prepare;
use super::visitor::{Visitor, descriptor, prepared};

/// The code of a wrong question, one sentence, an id.
#[track_caller]
fn is_told(refused: &Status, words: &str) {
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    assert!(refused.message().contains(words), "{refused}");
    assert_eq!(refused.message().lines().count(), 1, "{refused}");
    assert!(refused.message().len() < 300, "{refused}");
    assert!(refused.metadata().contains_key("x-query-id"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_too_long_is_refused_in_a_sentence() {
    let (_dir, builder) = prepare();
    let federation = builder.start().await.unwrap();
    let mut ada = Visitor::ada(&federation);
    let words = "longer than the 4 MiB";
    for length in [5_000_000, 40_000_000] {
        let long = format!("SELECT '{}' AS long", "x".repeat(length));
        is_told(&ada.plan(&long).await.unwrap_err(), words);
        is_told(&ada.prepare(&long).await.unwrap_err(), words);
        let action = ActionCreatePreparedStatementRequest { query: long.clone(), transaction_id: None };
        is_told(&ada.act("no.such.action", action.as_any().encode_to_vec()).await.unwrap_err(), words);
        let request = ada.request(descriptor(&long));
        is_told(&ada.flight().get_schema(request).await.unwrap_err(), words);
        let request = ada.request(descriptor(&long));
        is_told(&ada.flight().poll_flight_info(request).await.unwrap_err(), words);
        let request = ada.request(arrow_flight::Ticket::new(long.clone().into_bytes()));
        is_told(&ada.flight().do_get(request).await.err().unwrap(), words);
        // Parameters come in a stream, of which the first message may be too long, or a later one.
        let handle = ada.prepare("SELECT ? AS long").await.unwrap();
        let values: ArrayRef = Arc::new(StringArray::from(vec![long]));
        let rows = RecordBatch::try_from_iter([("0", values)]).unwrap();
        let encoder = FlightDataEncoderBuilder::new().with_flight_descriptor(Some(prepared(&handle)));
        let messages = encoder.build(futures::stream::iter([Ok(rows)]));
        let messages: Vec<FlightData> = messages.try_collect().await.unwrap();
        let first = FlightData { data_body: vec![0; length].into(), ..messages[0].clone() };
        for messages in [messages, vec![first]] {
            let request = ada.request(()).map(|()| futures::stream::iter(messages));
            let answers = match ada.flight().do_put(request).await {
                Ok(response) => response.into_inner().try_collect::<Vec<_>>().await.map(drop),
                Err(refused) => Err(refused),
            };
            is_told(&answers.unwrap_err(), words);
        }
    }
    // What is read is not read for whoever may not ask.
    let read = "x".repeat(3_000_000);
    let refused = Visitor::new(&federation, "no token").plan(&read).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
    // What is just short enough is read, and a statement may be shorter than that.
    let read = format!("SELECT '{}' AS long", "x".repeat(4_000_000));
    is_told(&ada.plan(&read).await.unwrap_err(), "the statement is longer than 262144 bytes");
}

/// The lengths of the messages of an answer.
async fn lengths(ada: &mut Visitor, sql: &str) -> Result<Vec<usize>, Status> {
    let ticket = ada.plan(sql).await?.endpoint[0].ticket.clone().unwrap();
    let request = ada.request(ticket);
    let messages: Vec<FlightData> = ada.flight().do_get(request).await?.into_inner().try_collect().await?;
    Ok(messages.iter().map(prost::Message::encoded_len).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_row_is_cut_from_short_ones_and_one_that_is_too_long_refused() {
    let (_dir, builder) = prepare();
    let federation = builder.start().await.unwrap();
    let mut ada = Visitor::ada(&federation);
    let text = |length: usize| {
        format!(
            "SELECT CASE WHEN name = 'Camden' THEN repeat('x', {length}) ELSE name END AS long FROM ref_borough"
        )
    };
    for (types, cast) in [
        ("portable", ""),
        ("native", "arrow_cast(long, 'Utf8View') AS "),
        ("native", "arrow_cast(long, 'List(Utf8View)') AS "),
    ] {
        ada.headers = vec![("x-jigsaw-wire-types", types)];
        let sql = |length| {
            format!(
                "SELECT {cast}long FROM ({}) ORDER BY name",
                text(length).replace("AS long", "AS long, name")
            )
        };
        let sent = lengths(&mut ada, &sql(2_500_000)).await.unwrap();
        assert_eq!(sent.len(), 4, "schema, before Camden, Camden, after: {sent:?}");
        assert!(sent[1] < 2_000 && sent[2] > 2_500_000 && sent[3] < 20_000, "{sent:?}");
        let rows = ada.ask(&sql(2_500_000)).await.unwrap();
        assert_eq!((rows.len(), rows.iter().filter(|row| row.len() > 2_000_000).count()), (33, 1));
        is_told(&lengths(&mut ada, &sql(3_500_000)).await.unwrap_err(), "longer than 3 MiB");
    }
    // Thirty-three rows of a tenth of a message each.
    let sent = lengths(&mut ada, "SELECT repeat('x', 200000) AS long FROM ref_borough").await.unwrap();
    assert_eq!(sent.len(), 5, "{sent:?}");
    assert!(sent.iter().all(|length| *length <= 2_100_000), "{sent:?}");
}
