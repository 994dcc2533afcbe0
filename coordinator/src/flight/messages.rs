//! Answers as Flight messages: the schema always, then batches, and the notes with the last message.

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use arrow_flight::FlightData;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use tonic::{Response, Status};

use super::tickets::query_id;
use super::{Data, Message, encoding, status};
use crate::dispatch::QueryContext;
use crate::notes::Notes;
use crate::query::QueryError;

/// An answer as it is made.
pub(super) type Batches = BoxStream<'static, Result<RecordBatch, QueryError>>;

/// How long nothing is sent of an answer before a message without rows is: proxies and load balancers close what is still for a
/// minute. The pings of HTTP/2 are of no use there, for they go from each hop to the next.
const QUIET: Duration = Duration::from_secs(20);

/// Waits for the first batch, which comes when every node has answered, so that a refusal is an error of the call itself.
pub(super) async fn begun(batches: Batches, context: &Arc<QueryContext>) -> Result<Batches, Status> {
    let mut batches = until(Arc::clone(context), batches);
    let first = batches.next().await.transpose().map_err(|error| status::of(&error, &context.id))?;
    Ok(stream::iter(first.map(Ok)).chain(batches).boxed())
}

/// The same, but not for longer than a client can be left without a word: after that, a refusal is an error of the stream.
pub(super) async fn begun_soon(
    batches: Batches,
    schema: &SchemaRef,
    context: &Arc<QueryContext>,
) -> Result<Batches, Status> {
    let mut batches = until(Arc::clone(context), batches);
    let first = tokio::time::timeout(QUIET, batches.next()).await;
    let first = first.unwrap_or_else(|_| Some(Ok(RecordBatch::new_empty(Arc::clone(schema)))));
    let first = first.transpose().map_err(|error| status::of(&error, &context.id))?;
    Ok(kept_alive(stream::iter(first.map(Ok)).chain(batches).boxed(), Arc::clone(schema), QUIET))
}

/// The batches, and one without rows whenever there was none for as long.
fn kept_alive(batches: Batches, schema: SchemaRef, quiet: Duration) -> Batches {
    stream::unfold((batches, schema), move |(mut batches, schema)| async move {
        let next = tokio::time::timeout(quiet, batches.next()).await;
        let next = next.unwrap_or_else(|_| Some(Ok(RecordBatch::new_empty(Arc::clone(&schema)))))?;
        Some((next, (batches, schema)))
    })
    .boxed()
}

/// The messages of an answer that has begun.
pub(super) fn answer(schema: &SchemaRef, batches: Batches, context: Arc<QueryContext>) -> Response<Data> {
    let id = context.id.clone();
    let messages = encoding::messages(schema, batches);
    Response::new(with_notes(messages.map_err(move |error| status::of(&error, &id)).boxed(), context))
}

/// The batches that are there in time and before the question is cancelled; merging what nodes released can take long too.
fn until(context: Arc<QueryContext>, batches: Batches) -> Batches {
    stream::unfold(Some((batches, context)), move |batches| async move {
        let (mut batches, context) = batches?;
        let next = tokio::select! {
            biased;
            () = context.cancelled() => return Some((Err(status::cancelled()), None)),
            next = tokio::time::timeout_at(context.deadline(), batches.next()) => next,
        };
        match next {
            Ok(Some(Ok(batch))) => Some((Ok(batch), Some((batches, context)))),
            Ok(Some(Err(error))) => Some((Err(error), None)),
            Ok(None) => None,
            Err(_) => Some((Err(status::late()), None)),
        }
    })
    .try_filter(|batch| ready(batch.num_rows() > 0))
    .fuse()
    .boxed()
}

/// One message is held back, so that the last one is known when it is sent.
fn with_notes(messages: BoxStream<'static, Message>, context: Arc<QueryContext>) -> Data {
    let held: Option<FlightData> = None;
    stream::unfold((messages, held, Some(context)), |(mut messages, mut held, context)| async move {
        let context = context?;
        loop {
            match messages.next().await {
                Some(Ok(message)) => {
                    if let Some(ready) = held.replace(message) {
                        return Some((Ok(ready), (messages, held, Some(context))));
                    }
                }
                Some(Err(error)) => return Some((Err(error), (messages, None, None))),
                None => {
                    let mut last = held.take()?;
                    last.app_metadata = Notes::of(&context).encode().into();
                    return Some((Ok(last), (messages, None, None)));
                }
            }
        }
    })
    .boxed()
}

/// A batch that is all there is.
pub(super) fn one(batch: RecordBatch) -> Response<Data> {
    let messages = encoding::messages(&batch.schema(), stream::iter([Ok(batch)]).boxed());
    let failed = |error| query_id().map_or_else(|status| status, |id| status::of(&error, &id));
    Response::new(messages.map_err(failed).boxed())
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::datatypes::Schema;

    use super::*;

    #[tokio::test]
    async fn who_waits_for_long_is_sent_batches_without_rows() {
        let schema = Arc::new(Schema::empty());
        let late = stream::once(async {
            tokio::time::sleep(Duration::from_millis(350)).await;
            Err(status::late())
        });
        let mut kept = kept_alive(late.boxed(), schema, Duration::from_millis(100));
        for _ in 0..3 {
            assert_eq!(kept.next().await.unwrap().unwrap().num_rows(), 0);
        }
        assert_eq!(kept.next().await, Some(Err(status::late())));
        assert_eq!(kept.next().await, None);
    }
}
