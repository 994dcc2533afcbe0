//! The calls of Flight, each in the session its cookie names. What Flight SQL leaves unanswered is answered here.

use arrow_flight::flight_service_server::FlightService;
use arrow_flight::sql::{Any, CommandPreparedStatementQuery, CommandStatementQuery};
use arrow_flight::{
    Action, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest, PollInfo,
    SchemaResult, Ticket,
};
use prost::Message as _;
use tonic::{Request, Response, Status, Streaming};

use super::cancelling::CANCEL_QUERY;
use super::following::at_once;
use super::listing::{Flights, path, question};
use super::prepared::encoded;
use super::sessions::{Visit, cookie};
use super::status::QUERY_ID;
use super::tickets::query_id;
use super::{Service, principal, status};
use crate::auth::Signs;

/// The service as gRPC sees it.
#[derive(Debug)]
pub(crate) struct Front(pub(super) Service);

/// Actions of Flight SQL that are refused by name.
const BEGIN_SAVEPOINT: &str = "BeginSavepoint";
const END_SAVEPOINT: &str = "EndSavepoint";
const SUBSTRAIT: &str = "CreatePreparedSubstraitPlan";

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl FlightService for Front {
    type HandshakeStream = <Service as FlightService>::HandshakeStream;
    type ListFlightsStream = Flights;
    type DoGetStream = <Service as FlightService>::DoGetStream;
    type DoPutStream = <Service as FlightService>::DoPutStream;
    type DoActionStream = <Service as FlightService>::DoActionStream;
    type ListActionsStream = <Service as FlightService>::ListActionsStream;
    type DoExchangeStream = <Service as FlightService>::DoExchangeStream;

    async fn get_schema(&self, request: Request<FlightDescriptor>) -> Answer<SchemaResult> {
        self.visited(request, |request| self.0.schema(request)).await
    }

    async fn poll_flight_info(&self, request: Request<FlightDescriptor>) -> Answer<PollInfo> {
        let poll = async |request: Request<FlightDescriptor>| {
            let principal = principal(&request)?;
            match self.0.shared.poll(principal, &request).await? {
                Some(response) => Ok(response),
                None => Ok(at_once(self.0.get_flight_info(request).await?.into_inner())),
            }
        };
        self.visited(request, poll).await
    }

    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Answer<Self::HandshakeStream> {
        self.0.handshake(request).await.map_err(identified)
    }

    /// Every table, named by its path.
    async fn list_flights(&self, request: Request<Criteria>) -> Answer<Flights> {
        let list = async |request: Request<Criteria>| {
            principal(&request)?;
            self.0.shared.flights(&request.get_ref().expression)
        };
        self.visited(request, list).await
    }

    async fn get_flight_info(&self, request: Request<FlightDescriptor>) -> Answer<FlightInfo> {
        let announce = async |request: Request<FlightDescriptor>| match path(request.get_ref())
            .map(question)
            .transpose()?
        {
            Some(sql) => {
                let principal = principal(&request)?;
                self.0.shared.announce(&sql, principal, request).await
            }
            None => self.0.get_flight_info(request).await,
        };
        self.visited(request, announce).await
    }

    async fn do_get(&self, request: Request<Ticket>) -> Answer<Self::DoGetStream> {
        self.visited(request, |request| self.0.do_get(request)).await
    }

    async fn do_put(&self, request: Request<Streaming<FlightData>>) -> Answer<Self::DoPutStream> {
        self.visited(request, |request| self.0.do_put(request)).await
    }

    async fn do_action(&self, request: Request<Action>) -> Answer<Self::DoActionStream> {
        let act = async |request: Request<Action>| {
            let principal = principal(&request)?;
            match request.get_ref().r#type.as_str() {
                // Flight SQL's own reader of this one wants a method for it alone.
                CANCEL_QUERY => self.0.shared.question_action(request.get_ref(), &principal),
                BEGIN_SAVEPOINT | END_SAVEPOINT => Err(status::no_savepoints()),
                SUBSTRAIT => Err(status::no_substrait()),
                _ => self.0.do_action(request).await,
            }
        };
        self.visited(request, act).await
    }

    async fn list_actions(&self, request: Request<Empty>) -> Answer<Self::ListActionsStream> {
        let list = async |request: Request<Empty>| {
            principal(&request)?;
            self.0.list_actions(request).await
        };
        self.visited(request, list).await
    }

    async fn do_exchange(&self, request: Request<Streaming<FlightData>>) -> Answer<Self::DoExchangeStream> {
        self.visited(request, |request| self.0.do_exchange(request)).await
    }
}

/// Every error has an id to ask about: that of its question, or else one of its own, which the log has. What cannot be decoded is
/// told in a sentence, not in the decoder's terms.
pub(super) fn identified(mut status: Status) -> Status {
    if status.message().starts_with("DecodeError") {
        status = status::sql("what was sent is no command of Flight SQL: it cannot be decoded");
    }
    if !status.metadata().contains_key(QUERY_ID)
        && let Ok(id) = query_id()
        && let Ok(value) = id.as_str().parse()
    {
        tracing::info!(query = %id, code = ?status.code(), "a call was refused");
        status.metadata_mut().insert(QUERY_ID, value);
    }
    status
}

impl Front {
    /// A call in its session, whose cookie goes with the answer; its errors have an id.
    async fn visited<T, R, F>(&self, mut request: Request<T>, call: impl FnOnce(Request<T>) -> F) -> Answer<R>
    where
        F: Future<Output = Answer<R>>,
    {
        let answer = async {
            let visit = self.enter(&mut request).await?;
            let mut response = call(request).await?;
            visit.leave(&mut response);
            Ok(response)
        };
        answer.await.map_err(identified)
    }

    /// Finds out who calls, and notes on the request who it is and which session it belongs to.
    async fn enter<T>(&self, request: &mut Request<T>) -> Result<Visit, Status> {
        let signs = Signs::of(request)?;
        let caller = self.0.shared.access.caller(&signs).await?;
        let visit = match cookie(request.metadata()) {
            None => Visit::default(),
            Some(id) => {
                self.0.shared.sessions.enter(&id, &caller.principal)?;
                Visit::to(id)
            }
        };
        request.extensions_mut().insert(visit.clone());
        request.extensions_mut().insert(caller);
        Ok(visit)
    }
}

impl Service {
    /// The schema that fetching a command gives. No ticket is made for it.
    async fn schema(&self, request: Request<FlightDescriptor>) -> Answer<SchemaResult> {
        let principal = principal(&request)?;
        if let Some(path) = path(request.get_ref()) {
            let schema = encoded(&*self.shared.schema_of_path(path)?)?;
            return Ok(Response::new(SchemaResult { schema: schema.into() }));
        }
        let command = Any::decode(&*request.get_ref().cmd)
            .map_err(|_| Status::invalid_argument("the descriptor holds no Flight SQL command"))?;
        let schema = if let Ok(Some(query)) = command.unpack::<CommandStatementQuery>() {
            self.shared.schema_of(&query.query, &principal, &request).await?
        } else if let Ok(Some(query)) = command.unpack::<CommandPreparedStatementQuery>() {
            self.shared.schema_of_prepared(&query.prepared_statement_handle, &principal)?
        } else {
            let info = self.get_flight_info(request).await?.into_inner();
            return Ok(Response::new(SchemaResult { schema: info.schema }));
        };
        Ok(Response::new(SchemaResult { schema: encoded(&schema)?.into() }))
    }
}
