//! Between Arrow's integration client and a coordinator: where the made-up words of its scenarios get a meaning.
//!
//! A scenario asks statements that no engine knows, and expects canned answers. This puts SQL in their place, and gives the fields of
//! the answer the descriptions that the scenario looks for (the coordinator sends none with answers, because JDBC shows them as
//! names). What changes something must be refused by the coordinator as such; then the count that the scenario wants is sent.
//! Everything else is the coordinator's own, byte for byte.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::datatypes::{Field, Schema};
use arrow::ipc::convert::try_schema_from_ipc_buffer;
use arrow::ipc::writer::IpcWriteOptions;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::sql::{
    ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, Any, Command,
    CommandStatementQuery, DoPutUpdateResult, ProstMessageExt as _,
};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest,
    HandshakeResponse, IpcMessage, PollInfo, PutResult, Result as ActionResult, SchemaAsIpc, SchemaResult,
    Ticket,
};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt as _};
use harness::federation::Federation;
use harness::tap::Fault;
use prost::Message as _;
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Response, Status, Streaming};

/// The table that scenarios read: one column `id`.
pub(super) const TABLE: &str = "scenario";

/// What scenarios ask, and what is asked instead.
const STATEMENTS: [(&str, &str); 3] = [
    ("SELECT STATEMENT", "SELECT id FROM scenario"),
    ("SELECT PREPARED STATEMENT", "SELECT id FROM scenario WHERE id = $1"),
    ("UPDATE PREPARED STATEMENT", "SELECT id FROM scenario"),
];

/// Descriptors of scenarios that hold no command of Flight SQL, and what is asked instead: one that takes time, and any.
const DESCRIPTORS: [(&str, &str, &str); 2] = [
    ("poll_flight_info", "heavy query", "SELECT COUNT(*) AS homes FROM property"),
    ("expiration_time:cancel_flight_info", "expiration_time", "SELECT id FROM scenario"),
];

/// How many rows the scenarios want to hear that their updates changed.
const UPDATED: i64 = 10_000;
const UPDATED_PREPARED: i64 = 20_000;

/// What the scenarios want to read about the column `id`.
const ABOUT: [(&str, &str); 8] = [
    ("TABLE_NAME", "test"),
    ("IS_AUTO_INCREMENT", "1"),
    ("IS_CASE_SENSITIVE", "0"),
    ("TYPE_NAME", "type_test"),
    ("SCHEMA_NAME", "schema_test"),
    ("IS_SEARCHABLE", "1"),
    ("CATALOG_NAME", "catalog_test"),
    ("PRECISION", "100"),
];

/// One scenario's way to the coordinator.
pub(super) struct Scenario {
    name: &'static str,
    federation: Arc<Federation>,
    /// handles of prepared statements that scenarios mean to change something with
    updates: Mutex<HashSet<Vec<u8>>>,
}

type Answer<T> = Result<Response<T>, Status>;
type Messages<T> = BoxStream<'static, Result<T, Status>>;

impl Scenario {
    /// Listens, in plain text, on a port of its own.
    pub(super) async fn open(name: &'static str, federation: &Arc<Federation>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let scenario = Self { name, federation: Arc::clone(federation), updates: Mutex::default() };
        let server = Server::builder().add_service(FlightServiceServer::new(scenario));
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        address
    }

    fn coordinator(&self) -> FlightServiceClient<Channel> {
        self.federation.flight()
    }

    /// The same call by somebody who is signed in; scenarios sign in by no way there is, and one is about that.
    fn signed<T>(&self, mut request: Request<T>) -> Request<T> {
        if self.name != "auth:basic_proto" {
            let token = std::fs::read_to_string(self.federation.token_file()).unwrap();
            request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        request
    }

    /// The same descriptor with SQL in place of made-up words.
    fn descriptor(&self, request: Request<FlightDescriptor>) -> Request<FlightDescriptor> {
        self.signed(request).map(|mut descriptor| {
            let made_up = DESCRIPTORS
                .iter()
                .find(|(name, words, _)| *name == self.name && descriptor.cmd.as_ref() == words.as_bytes());
            let command = Any::decode(&*descriptor.cmd).ok().and_then(|any| Command::try_from(any).ok());
            let sql = match (made_up, command) {
                (Some((_, _, sql)), _) => (*sql).to_owned(),
                (None, Some(Command::CommandStatementQuery(query))) => meaning(&query.query),
                (None, _) => return descriptor,
            };
            let command = CommandStatementQuery { query: sql, transaction_id: None };
            descriptor.cmd = command.as_any().encode_to_vec().into();
            descriptor
        })
    }

    /// Prepares a statement with SQL in place of its words.
    async fn prepare(&self, request: Request<Action>) -> Answer<Messages<ActionResult>> {
        let asked = Any::decode(&*request.get_ref().body).unwrap();
        let mut asked: ActionCreatePreparedStatementRequest = asked.unpack().unwrap().unwrap();
        let changes = asked.query.starts_with("UPDATE");
        asked.query = meaning(&asked.query);
        let request = request.map(|action| Action { body: asked.as_any().encode_to_vec().into(), ..action });
        let results = self.coordinator().do_action(request).await?.into_inner();
        let mut results: Vec<ActionResult> = results.try_collect().await?;
        for result in &mut results {
            let made: ActionCreatePreparedStatementResult =
                Any::decode(&*result.body).unwrap().unpack().unwrap().unwrap();
            if changes {
                self.updates.lock().unwrap().insert(made.prepared_statement_handle.to_vec());
            }
            let dataset_schema = described(&made.dataset_schema);
            let made = ActionCreatePreparedStatementResult { dataset_schema, ..made };
            result.body = made.as_any().encode_to_vec().into();
        }
        Ok(Response::new(stream::iter(results.into_iter().map(Ok)).boxed()))
    }
}

fn meaning(words: &str) -> String {
    STATEMENTS.iter().find(|(made_up, _)| *made_up == words).map_or(words, |(_, sql)| sql).to_owned()
}

/// The schema with what the scenarios want to read about their one column.
fn about(schema: &Schema) -> Schema {
    let fields = schema.fields().iter().map(|field| {
        let mut metadata = field.metadata().clone();
        if field.name() == "id" && schema.fields().len() == 1 {
            let said = ABOUT.iter().copied().chain([("REMARKS", "test column")]);
            metadata.extend(said.map(|(name, text)| (format!("ARROW:FLIGHT:SQL:{name}"), text.to_owned())));
        }
        Field::clone(field).with_metadata(metadata)
    });
    Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone())
}

/// An encapsulated schema, described.
fn described(bytes: &bytes::Bytes) -> bytes::Bytes {
    let Ok(schema) = try_schema_from_ipc_buffer(bytes) else { return bytes.clone() };
    let options = IpcWriteOptions::default();
    let message: IpcMessage = SchemaAsIpc::new(&about(&schema), &options).try_into().unwrap();
    message.0
}

fn with_description(info: FlightInfo) -> FlightInfo {
    FlightInfo { schema: described(&info.schema), ..info }
}

/// Every message through, the schema described.
fn rows(message: FlightData) -> FlightData {
    let Ok(schema) = Schema::try_from(&message) else { return message };
    let header = FlightData::from(SchemaAsIpc::new(&about(&schema), &IpcWriteOptions::default()));
    FlightData { app_metadata: message.app_metadata, ..header }
}

#[tonic::async_trait]
impl FlightService for Scenario {
    type HandshakeStream = Streaming<HandshakeResponse>;
    type ListFlightsStream = Streaming<FlightInfo>;
    type DoGetStream = Messages<FlightData>;
    type DoPutStream = Messages<PutResult>;
    type DoExchangeStream = Streaming<FlightData>;
    type DoActionStream = Messages<ActionResult>;
    type ListActionsStream = Streaming<ActionType>;

    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Answer<Self::HandshakeStream> {
        let (metadata, _, messages) = self.signed(request).into_parts();
        let messages: Vec<HandshakeRequest> = messages.take(1).try_collect().await?;
        let request = Request::from_parts(metadata, tonic::Extensions::default(), stream::iter(messages));
        self.coordinator().handshake(request).await
    }

    async fn list_flights(&self, request: Request<Criteria>) -> Answer<Self::ListFlightsStream> {
        self.coordinator().list_flights(self.signed(request)).await
    }

    async fn get_flight_info(&self, request: Request<FlightDescriptor>) -> Answer<FlightInfo> {
        let answer = self.coordinator().get_flight_info(self.descriptor(request)).await?;
        Ok(answer.map(with_description))
    }

    /// Where a question takes time is up to a line that stalls between two polls.
    async fn poll_flight_info(&self, request: Request<FlightDescriptor>) -> Answer<PollInfo> {
        let camden = self.federation.tap("camden");
        if DESCRIPTORS.iter().any(|(_, words, _)| request.get_ref().cmd.as_ref() == words.as_bytes()) {
            camden.fault(Fault::Stall);
        } else {
            camden.fault(Fault::None);
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        self.coordinator().poll_flight_info(self.descriptor(request)).await
    }

    async fn get_schema(&self, request: Request<FlightDescriptor>) -> Answer<SchemaResult> {
        let answer = self.coordinator().get_schema(self.descriptor(request)).await?;
        Ok(answer.map(|result| SchemaResult { schema: described(&result.schema) }))
    }

    async fn do_get(&self, request: Request<Ticket>) -> Answer<Self::DoGetStream> {
        let answer = self.coordinator().do_get(self.signed(request)).await?;
        Ok(answer.map(|messages| messages.map_ok(rows).boxed()))
    }

    async fn do_put(&self, request: Request<Streaming<FlightData>>) -> Answer<Self::DoPutStream> {
        let (metadata, _, mut messages) = self.signed(request).into_parts();
        let first = messages.message().await?.unwrap_or_default();
        let command =
            first.flight_descriptor.as_ref().and_then(|described| Any::decode(&*described.cmd).ok());
        let wanted = match command.and_then(|any| Command::try_from(any).ok()) {
            Some(Command::CommandStatementUpdate(update)) if update.query == "UPDATE STATEMENT" => {
                Some(UPDATED)
            }
            Some(Command::CommandPreparedStatementUpdate(update)) => {
                let updates = self.updates.lock().unwrap();
                updates.contains(&update.prepared_statement_handle[..]).then_some(UPDATED_PREPARED)
            }
            _ => None,
        };
        let rest = messages.filter_map(|message| futures::future::ready(message.ok()));
        let messages = stream::iter([first]).chain(rest);
        let request = Request::from_parts(metadata, tonic::Extensions::default(), messages);
        let answer = self.coordinator().do_put(request).await;
        let Some(record_count) = wanted else { return Ok(answer?.map(StreamExt::boxed)) };
        let refused = answer.err().is_some_and(|status| {
            status.code() == Code::Unimplemented && status.message().contains("changes nothing")
        });
        if !refused {
            return Err(Status::internal("the coordinator did not refuse an update"));
        }
        let result = PutResult { app_metadata: DoPutUpdateResult { record_count }.encode_to_vec().into() };
        Ok(Response::new(stream::iter([Ok(result)]).boxed()))
    }

    async fn do_action(&self, request: Request<Action>) -> Answer<Self::DoActionStream> {
        let request = self.signed(request);
        if request.get_ref().r#type == "CreatePreparedStatement" {
            return self.prepare(request).await;
        }
        let answer = self.coordinator().do_action(request).await?;
        Ok(answer.map(StreamExt::boxed))
    }

    async fn list_actions(&self, request: Request<Empty>) -> Answer<Self::ListActionsStream> {
        self.coordinator().list_actions(self.signed(request)).await
    }

    async fn do_exchange(&self, _: Request<Streaming<FlightData>>) -> Answer<Self::DoExchangeStream> {
        Err(Status::unimplemented("no scenario exchanges anything"))
    }
}

/// What became of a scenario: `pass NAME` or `fail NAME`, and what the client said.
pub(super) fn outcome(name: &str, passed: bool, complained: &str) -> (String, String) {
    let word = if passed { "pass" } else { "fail" };
    let said = complained.lines().find_map(|line| line.strip_prefix("panic: "));
    (format!("{word} {name}"), said.unwrap_or_default().to_owned())
}

/// The scenarios that have names, in the order of the client.
pub(super) const SCENARIOS: [&str; 14] = [
    "auth:basic_proto",
    "middleware",
    "ordered",
    "expiration_time:do_get",
    "expiration_time:list_actions",
    "expiration_time:cancel_flight_info",
    "expiration_time:renew_flight_endpoint",
    "location:reuse_connection",
    "poll_flight_info",
    "app_metadata_flight_info_endpoint",
    "flight_sql",
    "flight_sql:extension",
    "session_options",
    "flight_sql:ingestion",
];
