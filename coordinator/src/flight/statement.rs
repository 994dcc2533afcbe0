//! Questions: planned when they are announced, run when they are fetched.

use std::sync::Arc;
use std::time::Duration;

use arrow_flight::sql::{ProstMessageExt, TicketStatementQuery};
use arrow_flight::{Action, FlightDescriptor, FlightEndpoint, FlightInfo, Result as ActionResult, Ticket};
use datafusion::arrow::datatypes::SchemaRef;
use futures::future::BoxFuture;
use futures::{StreamExt, stream};
use jigsaw_proto::identity::FRAGMENTS_ACTION;
use prost::Message as _;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

use super::cancelling::{CANCEL, RENEW};
use super::command::{self, Command};
use super::following::Lead;
use super::options::Options;
use super::session::{CLOSE, GET_OPTIONS, SET_OPTIONS};
use super::sessions::Visit;
use super::tickets::{Question, query_id};
use super::{Actions, Data, Shared, messages, status};
use crate::auth::Caller;
use crate::dispatch::QueryContext;
use crate::query::Planned;

/// The action that follows a question.
pub(super) const PROGRESS: &str = "jigsaw.progress";

impl Shared {
    /// Plans a statement and announces what fetching it will give. No node is contacted.
    pub(super) fn announce<'a>(
        &'a self,
        sql: &'a str,
        principal: String,
        request: Request<FlightDescriptor>,
    ) -> BoxFuture<'a, Result<Response<FlightInfo>, Status>> {
        Box::pin(async move {
            let question = self.question(sql, principal, &request).await?;
            self.promise(&question, request.into_inner())
        })
    }

    /// A statement that is planned, and the circumstances it is asked in.
    pub(super) async fn question(
        &self,
        sql: &str,
        principal: String,
        request: &Request<FlightDescriptor>,
    ) -> Result<Question, Status> {
        let visit = Visit::of(request);
        let known = visit.session().is_some();
        let command = match self.command(sql, &principal, &visit)? {
            Some(command) if known => Some(self.settle(command, &visit, request.metadata())?),
            command => command,
        };
        let asked = self.asked(request)?;
        let form = asked.form();
        let context = Arc::new(self.context(principal, asked)?);
        context.prove(Caller::proof(request));
        let planned = if command.is_some() {
            Planned::of_schema(command::schema())
        } else {
            let planned = self.plans.plan(&self.engine, &context.principal, sql, form).await;
            planned.map_err(|error| status::of(&error, &context.id))?
        };
        Ok(Question { planned, context, command, ahead: Lead::default() })
    }

    /// The command that a statement is. What sets something opens a session, whose cookie goes with the answer.
    pub(super) fn command(
        &self,
        sql: &str,
        principal: &str,
        visit: &Visit,
    ) -> Result<Option<Command>, Status> {
        let command = command::read(sql)?;
        if matches!(command, Some(Command::Set(..))) {
            visit.session_or_new(&self.sessions, principal)?;
        }
        Ok(command)
    }

    /// A single endpoint without location: fetch it here.
    pub(super) fn promise(
        &self,
        question: &Question,
        descriptor: FlightDescriptor,
    ) -> Result<Response<FlightInfo>, Status> {
        let handle = self.tickets.announce(question.clone())?;
        info(question, descriptor, Some(&handle)).map(Response::new)
    }

    /// Runs the question of a ticket. Dropping the stream cancels it at every node.
    pub(super) async fn run(
        &self,
        ticket: &[u8],
        principal: &str,
        request: &Request<Ticket>,
    ) -> Result<Response<Data>, Status> {
        let Question { planned, context, command, ahead } = self.tickets.take(ticket, principal)?;
        let ahead = ahead.running();
        if command.is_none() && ahead.is_none() {
            self.admit(&context)?;
        }
        context.start(timeout(request.metadata()));
        context.prove(Caller::proof(request));
        let id = context.id.clone();
        let batches = match (command, ahead) {
            (Some(command), _) => {
                let answer = self.carry_out(&command, &Visit::of(request), request.metadata())?;
                stream::iter([Ok(answer)]).boxed()
            }
            (None, Some(ahead)) => ahead.batches().await?,
            (None, None) => {
                let batches = planned.execute(&self.engine, Arc::clone(&context));
                let batches = batches.map_err(|error| status::of(&error, &id))?;
                messages::begun_soon(batches, &planned.schema(), &context).await?
            }
        };
        Ok(messages::answer(&planned.schema(), batches, context))
    }

    /// Counts a question that begins to run.
    pub(super) fn admit(&self, context: &QueryContext) -> Result<(), Status> {
        let room = self.pace.enter(&context.principal);
        context.hold(room.map_err(|limit| status::too_much(limit, &context.id))?);
        Ok(())
    }

    /// What holds for a call: its headers, and gRPC's own deadline, before its session.
    pub(super) fn asked<T>(&self, request: &Request<T>) -> Result<Options, Status> {
        let mut sent = Options::of_headers(request.metadata())?;
        sent.timeout = sent.timeout.or_else(|| timeout(request.metadata()));
        Ok(sent.over(Visit::of(request).options(&self.sessions)?))
    }

    /// The circumstances of a question.
    pub(super) fn context(&self, principal: String, asked: Options) -> Result<QueryContext, Status> {
        let limit = asked.timeout.map_or(self.timeout, |asked| asked.min(self.timeout));
        let (purpose, allow_partial) =
            (asked.purpose.unwrap_or_default(), asked.allow_partial.unwrap_or_default());
        Ok(QueryContext::new(query_id()?, principal, purpose, allow_partial, limit))
    }

    /// The schema of what a statement answers, as it is sent.
    pub(super) fn schema_of<'a, T: Sync>(
        &'a self,
        sql: &'a str,
        principal: &'a str,
        request: &'a Request<T>,
    ) -> BoxFuture<'a, Result<SchemaRef, Status>> {
        Box::pin(async move {
            if command::read(sql)?.is_some() {
                return Ok(command::schema());
            }
            Ok(self.planned(sql, principal, request).await?.schema())
        })
    }

    /// A statement that is planned and not asked yet.
    pub(super) async fn planned<T>(
        &self,
        sql: &str,
        principal: &str,
        request: &Request<T>,
    ) -> Result<Planned, Status> {
        let form = self.asked(request)?.form();
        match self.plans.plan(&self.engine, principal, sql, form).await {
            Ok(planned) => Ok(planned),
            Err(error) => Err(status::of(&error, &query_id()?)),
        }
    }

    /// A statement that is sent as an update: a command is carried out, and all else would change something.
    pub(super) fn update(&self, sql: &str, visit: &Visit, headers: &MetadataMap) -> Result<i64, Status> {
        let words = sql.trim_start().to_ascii_lowercase();
        // Drivers set what they know of other databases; it holds here, or does not matter.
        if words.starts_with("set ") && !words.contains("jigsaw.") {
            return Ok(0);
        }
        let command = command::read(sql)?.ok_or_else(status::read_only)?;
        self.carry_out(&command, visit, headers).map(|_| 0)
    }
}

/// What is said of a question; there is an endpoint once its answer can be fetched.
pub(super) fn info(
    question: &Question,
    descriptor: FlightDescriptor,
    ticket: Option<&str>,
) -> Result<FlightInfo, Status> {
    let info =
        FlightInfo::new().try_with_schema(&question.planned.schema()).map_err(|_| status::encoding())?;
    let info = info.with_descriptor(descriptor).with_app_metadata(question.context.id.to_string());
    let Some(ticket) = ticket else { return Ok(info) };
    let ticket = TicketStatementQuery { statement_handle: ticket.to_owned().into() };
    Ok(info.with_endpoint(FlightEndpoint::new().with_ticket(Ticket::new(ticket.as_any().encode_to_vec()))))
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

/// Actions beside Flight SQL's own: progress and sessions.
pub(super) fn action(
    shared: &Shared,
    request: &Request<Action>,
    principal: &str,
) -> Result<Response<Actions>, Status> {
    let action = request.get_ref();
    match action.r#type.as_str() {
        PROGRESS => {
            let id = std::str::from_utf8(&action.body).unwrap_or_default();
            Ok(Response::new(progress(shared.tickets.running(id, principal))))
        }
        FRAGMENTS_ACTION => shared.to_be_signed(&action.body, principal),
        CANCEL | RENEW => shared.question_action(action, principal),
        SET_OPTIONS | GET_OPTIONS | CLOSE => shared.session_action(request, principal),
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
