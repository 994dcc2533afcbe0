//! Flight SQL: what every driver in the field speaks. The trait implementation only delegates.
//!
//! * `front` – the calls of Flight, each in its session; most go straight to Flight SQL
//! * `listing` – tables as flights
//! * `statement` – questions: planned when announced, run when fetched
//! * `prepared` – statements with parameters; preparing plans only
//! * `plans` – plans of statements that come again
//! * `metadata` – catalogs, schemas, tables, types; no node is contacted
//! * `options`, `sessions` – what can be set, and where it is kept; `command`, `session` – how: by SQL, by actions
//! * `tickets` – what clients hold on to: unguessable, bound to who made it, gone after a while
//! * `proving` – what nodes will be asked, for the analyst to sign
//! * `following`, `cancelling` – polls that say how far a question is, and its end before its answer
//! * `messages`, `encoding` – an answer as it is sent: record batches cut to size, notes with the last of them
//! * `oversize` – requests that are too long
//! * `status` – errors as gRPC statuses

mod cancelling;
mod command;
mod encoding;
mod following;
mod front;
mod listing;
mod messages;
mod metadata;
mod options;
mod oversize;
mod plans;
mod prepared;
mod proving;
mod session;
mod sessions;
mod sql_info;
mod statement;
mod status;
mod tickets;

use std::pin::Pin;
use std::time::Duration;

use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::sql::server::{FlightSqlService, PeekableFlightDataStream};
use arrow_flight::sql::{
    ActionBeginTransactionRequest, ActionBeginTransactionResult, ActionClosePreparedStatementRequest,
    ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, ActionEndTransactionRequest,
    CommandGetCatalogs, CommandGetCrossReference, CommandGetDbSchemas, CommandGetExportedKeys,
    CommandGetImportedKeys, CommandGetPrimaryKeys, CommandGetSqlInfo, CommandGetTableTypes, CommandGetTables,
    CommandGetXdbcTypeInfo, CommandPreparedStatementQuery, CommandPreparedStatementUpdate,
    CommandStatementIngest, CommandStatementQuery, CommandStatementSubstraitPlan, CommandStatementUpdate,
    DoPutPreparedStatementResult, SqlInfo, TicketStatementQuery,
};
use arrow_flight::{
    Action, ActionType, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest, HandshakeResponse, Ticket,
};
use futures::{Stream, stream};
use jigsaw_proto::pace::{Limits, Pace};
use jigsaw_proto::proven::Proven;
use tonic::{Request, Response, Status, Streaming};

use crate::auth::{Access, Caller, Signs};
use crate::query::Engine;
use front::Front;
use oversize::Worded;
use plans::Plans;
use sessions::{Sessions, Visit};
use tickets::Tickets;

/// Largest message read from a client, in bytes.
const MAX_REQUEST_BYTES: usize = 4 * 1024 * 1024;

/// The service of one coordinator.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    shared: Proven<Shared>,
}

#[derive(Debug)]
struct Shared {
    engine: Engine,
    access: Access,
    timeout: Duration,
    plans: Plans,
    tickets: Tickets,
    sessions: Sessions,
    pace: Pace,
}

impl Service {
    pub(crate) fn new(
        engine: Engine,
        access: Access,
        timeout: Duration,
        idle: Duration,
        limits: Limits,
    ) -> Self {
        let (plans, tickets) = (Plans::default(), Tickets::new(idle));
        let (sessions, pace) = (Sessions::new(idle), Pace::new(limits));
        Self { shared: Proven::new(Shared { engine, access, timeout, plans, tickets, sessions, pace }) }
    }

    pub(crate) fn server(self) -> Worded {
        Worded(FlightServiceServer::new(Front(self)).max_decoding_message_size(MAX_REQUEST_BYTES))
    }
}

/// Who asks, as the front found out.
fn principal<T>(request: &Request<T>) -> Result<String, Status> {
    let caller = request.extensions().get::<Caller>();
    caller.map(|caller| caller.principal.clone()).ok_or_else(|| Status::unauthenticated("sign in first"))
}

type Handshakes = Pin<Box<dyn Stream<Item = Result<HandshakeResponse, Status>> + Send>>;
type Data = <Service as FlightService>::DoGetStream;
type Actions = <Service as FlightService>::DoActionStream;
type Described = Request<FlightDescriptor>;
type Info = Result<Response<FlightInfo>, Status>;
type Answer = Result<Response<Data>, Status>;
type Put = Request<PeekableFlightDataStream>;
type Updated = Result<i64, Status>;

#[tonic::async_trait]
impl FlightSqlService for Service {
    type FlightService = Self;

    async fn do_handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Handshakes>, Status> {
        let signs = Signs::of(&request)?;
        let token = self.shared.access.handshake(&signs).await?;
        let answer = HandshakeResponse { protocol_version: 0, payload: bytes::Bytes::new() };
        let mut response = Response::new(Box::pin(stream::iter([Ok(answer)])) as Handshakes);
        if let Some(bearer) = token {
            response.metadata_mut().insert("authorization", bearer);
        }
        Ok(response)
    }

    async fn get_flight_info_statement(&self, query: CommandStatementQuery, request: Described) -> Info {
        let principal = principal(&request)?;
        self.shared.announce(&query.query, principal, request).await
    }

    async fn do_get_statement(
        &self,
        ticket: TicketStatementQuery,
        request: Request<Ticket>,
    ) -> Result<Response<Data>, Status> {
        let principal = principal(&request)?;
        self.shared.run(&ticket.statement_handle, &principal, &request).await
    }

    async fn do_action_create_prepared_statement(
        &self,
        query: ActionCreatePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<ActionCreatePreparedStatementResult, Status> {
        let principal = principal(&request)?;
        self.shared.prepare(&query.query, principal, &request).await
    }

    async fn do_action_close_prepared_statement(
        &self,
        query: ActionClosePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<(), Status> {
        let principal = principal(&request)?;
        self.shared.close(&query.prepared_statement_handle, &principal);
        Ok(())
    }

    async fn do_put_prepared_statement_query(
        &self,
        query: CommandPreparedStatementQuery,
        request: Put,
    ) -> Result<DoPutPreparedStatementResult, Status> {
        let principal = principal(&request)?;
        self.shared.bind(&query.prepared_statement_handle, &principal, request.into_inner()).await
    }

    async fn get_flight_info_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Described,
    ) -> Info {
        let principal = principal(&request)?;
        self.shared.announce_prepared(&query.prepared_statement_handle, principal, request)
    }

    async fn get_flight_info_catalogs(&self, query: CommandGetCatalogs, request: Described) -> Info {
        principal(&request)?;
        metadata::announce(&metadata::catalogs(&self.shared.engine, query)?, &query, request.into_inner())
    }

    async fn do_get_catalogs(&self, query: CommandGetCatalogs, request: Request<Ticket>) -> Answer {
        principal(&request)?;
        Ok(messages::one(metadata::catalogs(&self.shared.engine, query)?))
    }

    async fn get_flight_info_schemas(&self, query: CommandGetDbSchemas, request: Described) -> Info {
        principal(&request)?;
        metadata::announce(
            &metadata::schemas(&self.shared.engine, query.clone())?,
            &query,
            request.into_inner(),
        )
    }

    async fn do_get_schemas(&self, query: CommandGetDbSchemas, request: Request<Ticket>) -> Answer {
        principal(&request)?;
        Ok(messages::one(metadata::schemas(&self.shared.engine, query)?))
    }

    async fn get_flight_info_tables(&self, query: CommandGetTables, request: Described) -> Info {
        principal(&request)?;
        metadata::announce(
            &metadata::tables(&self.shared.engine, query.clone())?,
            &query,
            request.into_inner(),
        )
    }

    async fn do_get_tables(&self, query: CommandGetTables, request: Request<Ticket>) -> Answer {
        principal(&request)?;
        Ok(messages::one(metadata::tables(&self.shared.engine, query)?))
    }

    async fn get_flight_info_table_types(&self, query: CommandGetTableTypes, request: Described) -> Info {
        principal(&request)?;
        metadata::announce(&metadata::table_types(&self.shared.engine, query)?, &query, request.into_inner())
    }

    async fn do_get_table_types(&self, query: CommandGetTableTypes, request: Request<Ticket>) -> Answer {
        principal(&request)?;
        Ok(messages::one(metadata::table_types(&self.shared.engine, query)?))
    }

    async fn get_flight_info_sql_info(&self, query: CommandGetSqlInfo, request: Described) -> Info {
        principal(&request)?;
        metadata::announce(
            &sql_info::sql_info(self.shared.timeout, query.clone())?,
            &query,
            request.into_inner(),
        )
    }

    async fn do_get_sql_info(&self, query: CommandGetSqlInfo, request: Request<Ticket>) -> Answer {
        principal(&request)?;
        Ok(messages::one(sql_info::sql_info(self.shared.timeout, query)?))
    }

    async fn get_flight_info_primary_keys(&self, query: CommandGetPrimaryKeys, request: Described) -> Info {
        principal(&request)?;
        metadata::announce(
            &metadata::primary_keys(&self.shared.engine, query.clone())?,
            &query,
            request.into_inner(),
        )
    }

    async fn do_get_primary_keys(&self, query: CommandGetPrimaryKeys, request: Request<Ticket>) -> Answer {
        principal(&request)?;
        Ok(messages::one(metadata::primary_keys(&self.shared.engine, query)?))
    }

    async fn get_flight_info_exported_keys(&self, query: CommandGetExportedKeys, request: Described) -> Info {
        principal(&request)?;
        metadata::announce(
            &metadata::exported_keys(&self.shared.engine, query.clone())?,
            &query,
            request.into_inner(),
        )
    }

    async fn do_get_exported_keys(&self, query: CommandGetExportedKeys, request: Request<Ticket>) -> Answer {
        principal(&request)?;
        Ok(messages::one(metadata::exported_keys(&self.shared.engine, query)?))
    }

    async fn get_flight_info_imported_keys(&self, query: CommandGetImportedKeys, request: Described) -> Info {
        principal(&request)?;
        metadata::announce(
            &metadata::imported_keys(&self.shared.engine, query.clone())?,
            &query,
            request.into_inner(),
        )
    }

    async fn do_get_imported_keys(&self, query: CommandGetImportedKeys, request: Request<Ticket>) -> Answer {
        principal(&request)?;
        Ok(messages::one(metadata::imported_keys(&self.shared.engine, query)?))
    }

    async fn get_flight_info_cross_reference(
        &self,
        query: CommandGetCrossReference,
        request: Described,
    ) -> Info {
        principal(&request)?;
        metadata::announce(
            &metadata::cross_reference(&self.shared.engine, query.clone())?,
            &query,
            request.into_inner(),
        )
    }

    async fn do_get_cross_reference(
        &self,
        query: CommandGetCrossReference,
        request: Request<Ticket>,
    ) -> Answer {
        principal(&request)?;
        Ok(messages::one(metadata::cross_reference(&self.shared.engine, query)?))
    }

    async fn get_flight_info_xdbc_type_info(
        &self,
        query: CommandGetXdbcTypeInfo,
        request: Described,
    ) -> Info {
        principal(&request)?;
        metadata::announce(&sql_info::xdbc_types(query)?, &query, request.into_inner())
    }

    async fn do_get_xdbc_type_info(&self, query: CommandGetXdbcTypeInfo, request: Request<Ticket>) -> Answer {
        principal(&request)?;
        Ok(messages::one(sql_info::xdbc_types(query)?))
    }

    async fn get_flight_info_substrait_plan(
        &self,
        _: CommandStatementSubstraitPlan,
        request: Described,
    ) -> Info {
        principal(&request)?;
        Err(status::no_substrait())
    }

    async fn do_put_substrait_plan(&self, _: CommandStatementSubstraitPlan, request: Put) -> Updated {
        principal(&request)?;
        Err(status::no_substrait())
    }

    async fn do_put_statement_update(&self, query: CommandStatementUpdate, request: Put) -> Updated {
        principal(&request)?;
        self.shared.update(&query.query, &Visit::of(&request), request.metadata())
    }

    async fn do_put_prepared_statement_update(
        &self,
        query: CommandPreparedStatementUpdate,
        request: Put,
    ) -> Updated {
        let principal = principal(&request)?;
        self.shared.update_prepared(&query.prepared_statement_handle, &principal, &request)
    }

    async fn do_put_statement_ingest(&self, _: CommandStatementIngest, request: Put) -> Updated {
        principal(&request)?;
        Err(status::read_only())
    }

    /// There is nothing to commit or undo; drivers ask all the same.
    async fn do_action_begin_transaction(
        &self,
        _: ActionBeginTransactionRequest,
        request: Request<Action>,
    ) -> Result<ActionBeginTransactionResult, Status> {
        principal(&request)?;
        Ok(ActionBeginTransactionResult { transaction_id: tickets::handle()?.into() })
    }

    async fn do_action_end_transaction(
        &self,
        _: ActionEndTransactionRequest,
        request: Request<Action>,
    ) -> Result<(), Status> {
        principal(&request).map(|_| ())
    }

    async fn do_action_fallback(&self, request: Request<Action>) -> Result<Response<Actions>, Status> {
        let principal = principal(&request)?;
        statement::action(&self.shared, &request, &principal)
    }

    async fn list_custom_actions(&self) -> Option<Vec<Result<ActionType, Status>>> {
        Some(session::actions())
    }

    async fn register_sql_info(&self, _: i32, _: &SqlInfo) {}
}

type Message = Result<FlightData, Status>;
