//! Questions: planned when they are announced, run when they are fetched.

use std::sync::Arc;
use std::time::Duration;

use arrow_flight::sql::{ProstMessageExt, TicketStatementQuery};
use arrow_flight::{Action, FlightDescriptor, FlightEndpoint, FlightInfo, Result as ActionResult, Ticket};
use datafusion::arrow::datatypes::SchemaRef;
use futures::{StreamExt, stream};
use jigsaw_proto::id::QueryId;
use prost::Message as _;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

use super::session::{self, CLOSE, GET_OPTIONS, SET_OPTIONS};
use super::tickets::{Question, query_id};
use super::{Actions, Data, Shared, messages, status};
use crate::cell_status::CellStatus;
use crate::dispatch::QueryContext;
use crate::query::Planned;

/// The action that follows a question.
pub(super) const PROGRESS: &str = "jigsaw.progress";

/// The header that asks for the status of cells.
const CELL_STATUS: &str = "x-jigsaw-cell-status";

impl Shared {
    /// Plans a statement and announces what fetching it will give. No node is contacted.
    pub(super) async fn announce(
        &self,
        sql: &str,
        principal: String,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let context = self.context(principal, request.metadata())?;
        let cell_status = cell_status(request.metadata())?;
        let planned =
            self.engine.plan(sql, cell_status).await.map_err(|error| status::of(&error, &context.id))?;
        self.promise(planned, context, request.into_inner())
    }

    /// A single endpoint without location: fetch it here.
    pub(super) fn promise(
        &self,
        planned: Planned,
        context: QueryContext,
        descriptor: FlightDescriptor,
    ) -> Result<Response<FlightInfo>, Status> {
        let (schema, id) = (planned.schema(), context.id.to_string());
        let handle = self.tickets.announce(Question { planned, context: Arc::new(context) })?;
        let ticket = TicketStatementQuery { statement_handle: handle.into() };
        let endpoint = FlightEndpoint::new().with_ticket(Ticket::new(ticket.as_any().encode_to_vec()));
        let info = FlightInfo::new().try_with_schema(&schema).map_err(|_| status::encoding())?;
        let info = info.with_descriptor(descriptor).with_endpoint(endpoint).with_app_metadata(id);
        Ok(Response::new(info))
    }

    /// Runs the question of a ticket. Dropping the stream cancels it at every node.
    pub(super) async fn run(
        &self,
        ticket: &[u8],
        principal: &str,
        headers: &MetadataMap,
    ) -> Result<Response<Data>, Status> {
        let Question { planned, context } = self.tickets.take(ticket, principal)?;
        context.start(timeout(headers));
        let id = context.id.clone();
        let batches =
            planned.execute(&self.engine, Arc::clone(&context)).map_err(|error| status::of(&error, &id))?;
        messages::answer(planned.schema(), batches, context).await
    }

    /// The circumstances of a question, from the headers of the call that announces it.
    pub(super) fn context(&self, principal: String, headers: &MetadataMap) -> Result<QueryContext, Status> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let allow_partial = match header("x-jigsaw-allow-partial") {
            "" | "false" => false,
            "true" => true,
            _ => {
                let said = "the header x-jigsaw-allow-partial is neither true nor false";
                return Err(Status::invalid_argument(said));
            }
        };
        let purpose: String = header("x-jigsaw-purpose").chars().take(500).collect();
        let limit = timeout(headers).map_or(self.timeout, |asked| asked.min(self.timeout));
        let id: QueryId = query_id()?;
        Ok(QueryContext::new(id, principal, purpose, allow_partial, limit))
    }

    /// The schema of what a statement answers, as it is sent.
    pub(super) async fn schema_of(&self, sql: &str, headers: &MetadataMap) -> Result<SchemaRef, Status> {
        match self.engine.plan(sql, cell_status(headers)?).await {
            Ok(planned) => Ok(planned.schema()),
            Err(error) => Err(status::of(&error, &query_id()?)),
        }
    }
}

/// Whether the answer carries the status of its cells, from the headers of the call that plans it.
pub(super) fn cell_status(headers: &MetadataMap) -> Result<CellStatus, Status> {
    let word = match headers.get(CELL_STATUS) {
        Some(value) => value.to_str().unwrap_or("?"),
        None => "",
    };
    CellStatus::from_word(word).ok_or_else(|| {
        Status::invalid_argument(format!("the header {CELL_STATUS} is neither nulls nor columns"))
    })
}

/// The time a call has, by gRPC's own header, less what it takes to say that it is over before the transport does.
fn timeout(headers: &MetadataMap) -> Option<Duration> {
    let asked = duration(headers.get("grpc-timeout")?.to_str().ok()?)?;
    Some(asked.saturating_sub(Duration::from_millis(100).min(asked / 10)))
}

/// A number and a unit.
fn duration(header: &str) -> Option<Duration> {
    let (number, unit) = header.split_at_checked(header.len().checked_sub(1)?)?;
    let number: u64 = number.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number.saturating_mul(3600)),
        "M" => Duration::from_secs(number.saturating_mul(60)),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

/// Statements that change nothing, which drivers send as updates; everything else would change something.
pub(super) fn update(sql: &str) -> Result<i64, Status> {
    let word: String = sql.trim_start().chars().take_while(char::is_ascii_alphabetic).collect();
    match word.to_ascii_lowercase().as_str() {
        "set" if sql.to_ascii_lowercase().contains("jigsaw.") => Err(Status::invalid_argument(format!(
            "connections keep no settings here: send the header {CELL_STATUS} with the statement instead"
        ))),
        "begin" | "start" | "commit" | "end" | "rollback" | "set" => Ok(0),
        _ => Err(status::read_only()),
    }
}

/// Actions beside Flight SQL's own: progress, and the session calls that drivers make out of habit.
pub(super) fn action(shared: &Shared, action: &Action, principal: &str) -> Result<Response<Actions>, Status> {
    match action.r#type.as_str() {
        PROGRESS => {
            let id = std::str::from_utf8(&action.body).unwrap_or_default();
            Ok(Response::new(progress(shared.tickets.running(id, principal))))
        }
        SET_OPTIONS | GET_OPTIONS | CLOSE => session::action(action),
        _ => Err(Status::unimplemented("there is no such action: ListActions lists what there is")),
    }
}

/// One JSON message for each change, until the question has ended.
fn progress(context: Option<Arc<QueryContext>>) -> Actions {
    let Some(context) = context else { return stream::empty().boxed() };
    let mut changes = context.progress();
    drop(context);
    changes.mark_changed();
    stream::unfold(changes, |mut changes| async move {
        changes.changed().await.ok()?;
        let body = serde_json::to_vec(&*changes.borrow_and_update()).unwrap_or_default();
        Some((Ok(ActionResult { body: body.into() }), changes))
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_would_not_be_kept_is_an_error() {
        assert_eq!(update("SET autocommit = 1").unwrap(), 0);
        let refused = update("SET jigsaw.cell_status = 'columns'").unwrap_err();
        assert!(refused.message().contains(CELL_STATUS), "{refused}");
    }

    #[test]
    fn the_header_is_one_of_two_words() {
        let mut headers = MetadataMap::new();
        assert_eq!(cell_status(&headers).unwrap(), CellStatus::Nulls);
        headers.insert(CELL_STATUS, "columns".parse().unwrap());
        assert_eq!(cell_status(&headers).unwrap(), CellStatus::Columns);
        headers.insert(CELL_STATUS, "rows".parse().unwrap());
        assert!(cell_status(&headers).is_err());
    }
}
