//! One node's answer to one fragment: read whole, checked, relabelled.

use std::sync::Arc;

use arrow_flight::decode::{DecodedPayload, FlightDataDecoder};
use arrow_flight::error::FlightError;
use arrow_flight::{FlightData, Ticket};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use futures::{StreamExt, TryStreamExt};
use jigsaw_proto::refusal::{Refusal, RefusalCode};
use jigsaw_proto::release::Manifest;
use tokio::time::Instant;
use tonic::{Code, Request, Status};

use super::describe::trouble;
use super::{NodeOutcome, Outcome, Peer, QueryContext};

/// Asks one node; dropping the future cancels the work there.
pub(super) async fn answer(
    peer: &Peer,
    context: &QueryContext,
    ticket: Vec<u8>,
    schema: &SchemaRef,
) -> NodeOutcome {
    let started = Instant::now();
    let outcome = match tokio::time::timeout_at(context.deadline, ask(peer, context, ticket, schema)).await {
        Ok(outcome) => outcome,
        Err(_) => Outcome::Late,
    };
    NodeOutcome { node: peer.entry.id.clone(), outcome, elapsed: started.elapsed() }
}

/// A connection that was closed while idle fails the first call on it: one more try, and only one answer is ever used.
async fn ask(peer: &Peer, context: &QueryContext, ticket: Vec<u8>, schema: &SchemaRef) -> Outcome {
    match once(peer, context, ticket.clone(), schema).await {
        Err(Trouble::Call(status)) if is_stale(&status) => match once(peer, context, ticket, schema).await {
            Ok(outcome) => outcome,
            Err(again) => again.outcome(),
        },
        Ok(outcome) => outcome,
        Err(trouble) => trouble.outcome(),
    }
}

enum Trouble {
    Call(Status),
    Answer(&'static str),
}

fn is_stale(status: &Status) -> bool {
    status.code() == Code::Unavailable && Refusal::from_status(status).is_none()
        || status.code() == Code::Unknown && status.message().contains("transport")
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
}

async fn once(
    peer: &Peer,
    context: &QueryContext,
    ticket: Vec<u8>,
    schema: &SchemaRef,
) -> Result<Outcome, Trouble> {
    let mut request = Request::new(Ticket { ticket: ticket.into() });
    request.set_timeout(context.deadline.saturating_duration_since(Instant::now()));
    let stream = peer.client().do_get(request).await.map_err(Trouble::Call)?.into_inner();
    let messages: Vec<FlightData> = stream
        .try_collect()
        .await
        .map_err(|_: Status| Trouble::Answer("it broke off in the middle of its answer"))?;
    let manifest = messages.last().and_then(|last| Manifest::decode(&last.app_metadata).ok());
    let manifest = manifest.filter(|manifest| manifest.node == peer.entry.id && manifest.query == context.id);
    let manifest =
        manifest.ok_or(Trouble::Answer("its answer ends without the manifest of this question"))?;
    let batches = decode(messages, schema).await?;
    Ok(Outcome::Answered { batches, manifest: Box::new(manifest) })
}

async fn decode(messages: Vec<FlightData>, schema: &SchemaRef) -> Result<Vec<RecordBatch>, Trouble> {
    let malformed = || Trouble::Answer("its answer does not have the columns that were asked for");
    let stream = futures::stream::iter(messages.into_iter().map(Ok::<_, FlightError>)).boxed();
    let decoded: Vec<_> = FlightDataDecoder::new(stream).try_collect().await.map_err(|_| malformed())?;
    let mut batches = vec![];
    for message in decoded {
        let DecodedPayload::RecordBatch(batch) = message.payload else { continue };
        let types = |batch: &RecordBatch| {
            batch.columns().iter().map(|column| column.data_type().clone()).collect::<Vec<_>>()
        };
        let wanted: Vec<_> = schema.fields().iter().map(|field| field.data_type().clone()).collect();
        if types(&batch) != wanted {
            return Err(malformed());
        }
        batches.push(
            RecordBatch::try_new(Arc::clone(schema), batch.columns().to_vec()).map_err(|_| malformed())?,
        );
    }
    Ok(batches)
}
