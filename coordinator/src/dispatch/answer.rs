//! One node's answer to one fragment: read whole, checked, relabelled.

use std::sync::Arc;
use std::time::Duration;

use arrow_flight::decode::{DecodedPayload, FlightDataDecoder};
use arrow_flight::error::FlightError;
use arrow_flight::{FlightData, Ticket};
use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use futures::{StreamExt, TryStreamExt};
use jigsaw_proto::fragment::Fragment;
use jigsaw_proto::refusal::{Refusal, RefusalCode};
use jigsaw_proto::release::Manifest;
use tokio::time::Instant;
use tonic::{Code, Request, Status, Streaming};

use super::describe::trouble;
use super::{NodeOutcome, Outcome, Peer, QueryContext};

/// Most that one node may send for one fragment, in bytes.
const MAX_ANSWER_BYTES: usize = 256 * 1024 * 1024;

/// A call that fails later than this was not sent into a connection that was closed already.
const STALE: Duration = Duration::from_secs(1);

/// Asks one node; dropping the future cancels the work there.
pub(super) async fn answer(
    peer: &Peer,
    context: &QueryContext,
    fragment: &Fragment,
    schema: &SchemaRef,
) -> NodeOutcome {
    let (started, deadline) = (Instant::now(), context.nodes_deadline());
    let outcome = match tokio::time::timeout_at(deadline, ask(peer, context, fragment, schema)).await {
        // The transport has the same deadline, and its own words for it.
        Ok(Outcome::Failed(_)) if Instant::now() >= deadline => Outcome::Late,
        Ok(outcome) => outcome,
        Err(_) => Outcome::Late,
    };
    NodeOutcome { node: peer.entry.id.clone(), outcome, elapsed: started.elapsed() }
}

/// One more try, with a ticket of its own, where the first was not taken; only one answer is ever used.
async fn ask(peer: &Peer, context: &QueryContext, fragment: &Fragment, schema: &SchemaRef) -> Outcome {
    let started = Instant::now();
    let stream = match call(peer, context, fragment).await {
        Err(status) if is_stale(&status, started.elapsed()) => call(peer, context, fragment).await,
        called => called,
    };
    let answered = match stream {
        Ok(stream) => read(peer, context, stream, schema).await,
        Err(status) => Err(Trouble::Call(status)),
    };
    answered.unwrap_or_else(Trouble::outcome)
}

/// What keeps a node from answering.
enum Trouble {
    /// there is no answer
    Call(Status),
    /// the answer is none
    Answer(&'static str),
}

/// A connection that was closed while idle fails the first call on it; a ticket that waited for a node to start is refused as
/// made before it started.
fn is_stale(status: &Status, after: Duration) -> bool {
    match Refusal::from_status(status) {
        Some(refusal) => refusal.code == RefusalCode::TicketUsed,
        None if after > STALE => false,
        None if status.code() == Code::Unknown => status.message().contains("transport"),
        None => status.code() == Code::Unavailable,
    }
}

impl Trouble {
    fn outcome(self) -> Outcome {
        match self {
            Self::Answer(problem) => Outcome::Failed(problem.to_owned()),
            Self::Call(status) => match Refusal::from_status(&status) {
                Some(refusal) if refusal.code == RefusalCode::DeadlinePassed => Outcome::Late,
                Some(refusal) => Outcome::Refused(refusal),
                None if status.code() == Code::DeadlineExceeded => Outcome::Late,
                None => Outcome::Failed(trouble(&status).1),
            },
        }
    }

    /// An error after the answer has begun.
    fn midway(status: Status) -> Self {
        match status.code() {
            _ if Refusal::from_status(&status).is_some() => Self::Call(status),
            Code::DeadlineExceeded => Self::Call(status),
            Code::OutOfRange => Self::Answer("it sent a larger message than any release has"),
            _ => Self::Answer("it broke off in the middle of its answer"),
        }
    }
}

async fn call(
    peer: &Peer,
    context: &QueryContext,
    fragment: &Fragment,
) -> Result<Streaming<FlightData>, Status> {
    let mut request = Request::new(Ticket { ticket: context.ticket(fragment).into() });
    request.set_timeout(context.nodes_deadline().saturating_duration_since(Instant::now()));
    Ok(peer.client().do_get(request).await?.into_inner())
}

async fn read(
    peer: &Peer,
    context: &QueryContext,
    mut stream: Streaming<FlightData>,
    schema: &SchemaRef,
) -> Result<Outcome, Trouble> {
    let (mut messages, mut bytes) = (vec![], 0_usize);
    while let Some(message) = stream.message().await.map_err(Trouble::midway)? {
        bytes = bytes.saturating_add(message.data_header.len()).saturating_add(message.data_body.len());
        if bytes > MAX_ANSWER_BYTES {
            return Err(Trouble::Answer("its answer is larger than 256 MiB: group by fewer columns"));
        }
        messages.push(message);
    }
    let manifest = messages.last().and_then(|last| Manifest::decode(&last.app_metadata).ok());
    let manifest =
        manifest.ok_or(Trouble::Answer("its answer ends without a manifest: it may not be whole"))?;
    if manifest.node != peer.entry.id {
        return Err(Trouble::Answer("its answer is another node's: correct the roster or the node's id"));
    }
    if manifest.query != context.id {
        return Err(Trouble::Answer("its answer is to another question"));
    }
    let batches = decode(messages, schema).await?;
    Ok(Outcome::Answered { batches, manifest: Box::new(manifest) })
}

async fn decode(messages: Vec<FlightData>, schema: &SchemaRef) -> Result<Vec<RecordBatch>, Trouble> {
    let malformed = || Trouble::Answer("its answer does not have the columns that were asked for");
    let stream = futures::stream::iter(messages.into_iter().map(Ok::<_, FlightError>)).boxed();
    let decoded: Vec<_> = FlightDataDecoder::new(stream).try_collect().await.map_err(|_| malformed())?;
    let (mut batches, mut announced) = (vec![], false);
    for message in decoded {
        match message.payload {
            DecodedPayload::None => {}
            DecodedPayload::Schema(sent) if fits(&sent, schema) => announced = true,
            DecodedPayload::Schema(_) => return Err(malformed()),
            DecodedPayload::RecordBatch(batch) => {
                batches.push(relabelled(&batch, schema).ok_or_else(malformed)?);
            }
        }
    }
    if announced { Ok(batches) } else { Err(malformed()) }
}

/// Whether the columns are those that were asked for: as many, of the same names and types.
fn fits(sent: &Schema, wanted: &Schema) -> bool {
    let same = |(sent, wanted): (&FieldRef, &FieldRef)| {
        sent.name() == wanted.name() && is_of_type(sent.data_type(), wanted.data_type())
    };
    sent.fields().len() == wanted.fields().len() && sent.fields().iter().zip(wanted.fields()).all(same)
}

/// Types must be equal; but text has several encodings of the same values, and numbers may travel narrower than they are.
fn is_of_type(sent: &DataType, wanted: &DataType) -> bool {
    use DataType::{Decimal32, Decimal64, Decimal128, Int8, Int16, Int32, Int64, LargeUtf8, Utf8, Utf8View};
    sent == wanted
        || match (sent, wanted) {
            (LargeUtf8 | Utf8View, Utf8) | (Int8 | Int16 | Int32, Int64) => true,
            (Decimal32(_, sent) | Decimal64(_, sent), Decimal128(_, wanted)) => sent == wanted,
            _ => false,
        }
}

fn relabelled(batch: &RecordBatch, schema: &SchemaRef) -> Option<RecordBatch> {
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| {
        if column.data_type() == field.data_type() {
            Some(Arc::clone(column))
        } else {
            // What does not fit is an error, not NULL.
            let exactly = CastOptions { safe: false, ..CastOptions::default() };
            cast_with_options(column, field.data_type(), &exactly).ok()
        }
    });
    RecordBatch::try_new(Arc::clone(schema), columns.collect::<Option<Vec<ArrayRef>>>()?).ok()
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{Decimal32Array, Int16Array, Int64Array};
    use datafusion::arrow::datatypes::Field;

    use super::*;

    fn schema(data_type: DataType) -> SchemaRef {
        Arc::new(Schema::new(vec![Field::new("n", data_type, true)]))
    }

    fn sent(column: ArrayRef) -> RecordBatch {
        RecordBatch::try_from_iter([("n", column)]).unwrap()
    }

    #[test]
    fn narrower_numbers_are_what_they_would_be_at_full_width() {
        let batch = sent(Arc::new(Int16Array::from(vec![Some(-3), None, Some(i16::MAX)])));
        let wanted = schema(DataType::Int64);
        assert!(fits(batch.schema_ref(), &wanted));
        let wide: ArrayRef = Arc::new(Int64Array::from(vec![Some(-3), None, Some(32_767)]));
        assert_eq!(relabelled(&batch, &wanted).unwrap().column(0), &wide);
        for other in [DataType::Int8, DataType::Float64, DataType::Utf8, DataType::Decimal128(9, 0)] {
            assert!(!fits(batch.schema_ref(), &schema(other)));
        }
    }

    #[test]
    fn a_number_that_is_too_large_for_its_type_is_no_null() {
        let decimals = |value| Decimal32Array::from(vec![value]).with_precision_and_scale(9, 2).unwrap();
        let wanted = schema(DataType::Decimal128(5, 2));
        assert!(relabelled(&sent(Arc::new(decimals(99_999))), &wanted).is_some());
        assert!(relabelled(&sent(Arc::new(decimals(100_000))), &wanted).is_none());
        assert!(!fits(sent(Arc::new(decimals(1))).schema_ref(), &schema(DataType::Decimal128(5, 3))));
    }
}
