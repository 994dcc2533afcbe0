//! A small Flight SQL service on a loopback socket: the statement's text names the answer it gives.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use arrow::array::{
    BooleanArray, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::sql::{Any, CommandStatementQuery};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightEndpoint, FlightInfo,
    HandshakeRequest, HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use prost::Message as _;
use tokio::sync::watch;
use tonic::transport::{Identity, Server, ServerTlsConfig, server::TcpIncoming};
use tonic::{Request, Response, Status, Streaming};

pub(super) const QUERY_ID: &str = "0123abcd";
pub(super) const TOKEN: &str = "ada-token";
/// `bob:correct horse`; who is let in without a token; who has tried too often.
const BOB: &str = "Basic Ym9iOmNvcnJlY3QgaG9yc2U=";
const EVE: &str = "Basic ZXZlOng=";
const MANY: &str = "Basic bWFueTp4";
const NOTES: &str = r#"{"query_id":"0123abcd","elapsed_ms":12,"nodes":[
    {"node":"barnet","status":"answered","message":"","elapsed_ms":3,"data_as_of":""},
    {"node":"camden","status":"late","message":"no answer in time","elapsed_ms":9,"data_as_of":""}],
    "caveats":["counts are rounded to 5"]}"#;

/// One request as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) sql: String,
    pub(super) metadata: tonic::metadata::MetadataMap,
}

/// A running service.
pub(super) struct Coordinator {
    pub(super) address: SocketAddr,
    pub(super) seen: Arc<Mutex<Vec<Seen>>>,
    /// Answers that were dropped before their end.
    pub(super) dropped: watch::Receiver<u32>,
    /// Answers that have begun to hang.
    pub(super) hanging: watch::Receiver<u32>,
}

/// Starts the service; with an identity, over TLS.
pub(super) async fn start(identity: Option<Identity>) -> Coordinator {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::default();
    let (dropped_sender, dropped) = watch::channel(0);
    let (hanging_sender, hanging) = watch::channel(0);
    let canned = Canned { seen: Arc::clone(&seen), dropped: dropped_sender, hanging: hanging_sender };
    let mut server = Server::builder();
    if let Some(identity) = identity {
        server = server.tls_config(ServerTlsConfig::new().identity(identity)).unwrap();
    }
    let service = FlightServiceServer::new(canned);
    tokio::spawn(server.add_service(service).serve_with_incoming(TcpIncoming::from(listener)));
    Coordinator { address, seen, dropped, hanging }
}

struct Canned {
    seen: Arc<Mutex<Vec<Seen>>>,
    dropped: watch::Sender<u32>,
    hanging: watch::Sender<u32>,
}

/// Counts itself when it is dropped.
struct Dropped(watch::Sender<u32>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count += 1);
    }
}

type Rows = BoxStream<'static, Result<FlightData, Status>>;

/// One row of every type, one of nulls, in a column that is protected and others that are not.
pub(super) fn batch() -> RecordBatch {
    let protected = HashMap::from([("jigsaw.cell".to_owned(), "protected".to_owned())]);
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()));
    let schema = Schema::new(vec![
        Field::new("place", DataType::Utf8, true),
        Field::new("people", DataType::Int64, true).with_metadata(protected),
        Field::new("cost", DataType::Decimal128(10, 2), true),
        Field::new("share", DataType::Float64, true),
        Field::new("open", DataType::Boolean, true),
        Field::new("seen_at", utc, true),
    ]);
    let columns: Vec<arrow::array::ArrayRef> = vec![
        Arc::new(StringArray::from(vec![Some("Gospel Oak, \"NW5\""), Some(""), None])),
        Arc::new(Int64Array::from(vec![Some(9_007_199_254_740_993), None, Some(15)])),
        Arc::new(
            Decimal128Array::from(vec![Some(1250), None, Some(-5)]).with_precision_and_scale(10, 2).unwrap(),
        ),
        Arc::new(Float64Array::from(vec![Some(0.1), Some(f64::NAN), None])),
        Arc::new(BooleanArray::from(vec![Some(true), Some(false), None])),
        Arc::new(
            TimestampMicrosecondArray::from(vec![Some(1_700_000_000_500_000), None, None])
                .with_timezone("+00:00"),
        ),
    ];
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

fn numbers(count: i64) -> RecordBatch {
    let schema = Schema::new(vec![Field::new("n", DataType::Int64, false)]);
    RecordBatch::try_new(Arc::new(schema), vec![Arc::new(Int64Array::from_iter_values(0..count))]).unwrap()
}

fn rows(batch: &RecordBatch) -> Rows {
    let builder = FlightDataEncoderBuilder::new().with_schema(batch.schema());
    let batches = stream::iter([Ok::<_, FlightError>(batch.clone())]);
    builder.build(batches).map(|message| message.map_err(|error| Status::internal(error.to_string()))).boxed()
}

fn with_notes(rows: Rows, notes: &'static str) -> Rows {
    let last = FlightData { app_metadata: Bytes::from_static(notes.as_bytes()), ..FlightData::default() };
    rows.chain(stream::iter([Ok(last)])).boxed()
}

fn failure(mut status: Status, code: &'static str) -> Status {
    status.metadata_mut().insert("x-jigsaw-code", code.parse().unwrap());
    status.metadata_mut().insert("x-query-id", QUERY_ID.parse().unwrap());
    status
}

fn hang_after(rows: Rows, guard: Dropped) -> Rows {
    let forever = stream::once(async move {
        let _guard = guard;
        std::future::pending::<Result<FlightData, Status>>().await
    });
    rows.chain(forever).boxed()
}

impl Canned {
    fn note<T>(&self, request: &Request<T>, sql: &str) -> Result<(), Status> {
        let metadata = request.metadata().clone();
        let token = metadata.get("authorization").map(|value| value.to_str().unwrap().to_owned());
        let mut seen = self.seen.lock().unwrap();
        let before = seen.iter().any(|seen| seen.sql == sql);
        seen.push(Seen { sql: sql.to_owned(), metadata });
        match token.as_deref().and_then(|token| token.strip_prefix("Bearer ")) {
            Some(TOKEN) if sql == "restart" && !before => Err(Status::unauthenticated("unknown token")),
            Some(TOKEN) => Ok(()),
            _ => Err(Status::unauthenticated("unknown token")),
        }
    }

    fn answer(&self, sql: &str) -> Result<Rows, Status> {
        Ok(match sql {
            "incomplete" => return Err(failure(Status::unavailable("no answer from camden"), "incomplete")),
            "midway" => {
                let error = failure(Status::internal("the query failed at barnet"), "internal");
                rows(&batch()).chain(stream::iter([Err(error)])).boxed()
            }
            "hang" => {
                self.hanging.send_modify(|count| *count += 1);
                hang_after(rows(&batch()), Dropped(self.dropped.clone()))
            }
            "slow" => {
                let late = stream::once(tokio::time::sleep(std::time::Duration::from_millis(300)));
                let late = late.flat_map(|()| with_notes(rows(&numbers(1)), NOTES));
                late.boxed()
            }
            "many" => with_notes(rows(&numbers(10_005)), r#"{"nodes":[],"caveats":[]}"#),
            "empty" => with_notes(rows(&batch().slice(0, 0)), r#"{"nodes":[],"caveats":[]}"#),
            "escape" => {
                let text = Arc::new(StringArray::from(vec!["\u{1b}[31m|red"]));
                with_notes(
                    rows(&RecordBatch::try_from_iter([("x", text as _)]).unwrap()),
                    r#"{"caveats":[]}"#,
                )
            }
            "no notes" => rows(&batch()),
            _ if sql.contains("system.columns") => {
                with_notes(rows(&batch().slice(0, 0)), r#"{"nodes":[],"caveats":[]}"#)
            }
            _ => with_notes(rows(&batch()), NOTES),
        })
    }
}

fn unimplemented<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("not part of this service"))
}

#[tonic::async_trait]
impl FlightService for Canned {
    type HandshakeStream = BoxStream<'static, Result<HandshakeResponse, Status>>;
    type ListFlightsStream = BoxStream<'static, Result<FlightInfo, Status>>;
    type DoGetStream = Rows;
    type DoPutStream = BoxStream<'static, Result<PutResult, Status>>;
    type DoActionStream = BoxStream<'static, Result<arrow_flight::Result, Status>>;
    type ListActionsStream = BoxStream<'static, Result<ActionType, Status>>;
    type DoExchangeStream = Rows;

    async fn get_flight_info(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let any = Any::decode(&*request.get_ref().cmd).unwrap();
        let sql = any.unpack::<CommandStatementQuery>().unwrap().unwrap().query;
        self.note(&request, &sql)?;
        match sql.as_str() {
            "wrong" => return Err(failure(Status::invalid_argument("no column x; did you mean y?"), "sql")),
            "refused" => {
                return Err(failure(Status::permission_denied("R07: person_key is hidden"), "refused"));
            }
            "bare refusal" => return Err(Status::permission_denied("not for you")),
            _ => {}
        }
        let endpoint = FlightEndpoint::new().with_ticket(Ticket::new(sql));
        Ok(Response::new(FlightInfo::new().with_endpoint(endpoint).with_app_metadata(QUERY_ID)))
    }

    async fn do_get(&self, request: Request<Ticket>) -> Result<Response<Rows>, Status> {
        let sql = String::from_utf8(request.get_ref().ticket.to_vec()).unwrap();
        self.note(&request, &sql)?;
        if sql == "late" {
            // A coordinator sends even the head only when its nodes have answered.
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        }
        self.answer(&sql).map(Response::new)
    }

    async fn do_action(&self, request: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        let action = request.get_ref();
        assert_eq!((action.r#type.as_str(), &*action.body), ("jigsaw.progress", QUERY_ID.as_bytes()));
        let body = Bytes::from_static(br#"{"asked":2,"answered":1,"waiting":["camden"]}"#);
        Ok(Response::new(stream::iter([Ok(arrow_flight::Result { body })]).boxed()))
    }

    /// `bob` has the password `correct horse`, and what he is given is good until the statement `restart`.
    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        let metadata = request.metadata().clone();
        let header = metadata.get("authorization").map(|value| value.to_str().unwrap().to_owned());
        self.seen.lock().unwrap().push(Seen { sql: "handshake".to_owned(), metadata });
        match header.as_deref() {
            Some(BOB) => {}
            Some(EVE) => return Ok(Response::new(stream::iter([]).boxed())),
            Some(MANY) => return Err(Status::resource_exhausted("too many attempts")),
            _ => return Err(Status::unauthenticated("user name or password is wrong")),
        }
        let mut response = Response::new(stream::iter([Ok(HandshakeResponse::default())]).boxed());
        response.metadata_mut().insert("authorization", format!("Bearer {TOKEN}").parse().unwrap());
        Ok(response)
    }

    async fn list_flights(&self, _: Request<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        unimplemented()
    }

    async fn poll_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        unimplemented()
    }

    async fn get_schema(&self, _: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        unimplemented()
    }

    async fn do_put(&self, _: Request<Streaming<FlightData>>) -> Result<Response<Self::DoPutStream>, Status> {
        unimplemented()
    }

    async fn do_exchange(&self, _: Request<Streaming<FlightData>>) -> Result<Response<Rows>, Status> {
        unimplemented()
    }

    async fn list_actions(&self, _: Request<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        unimplemented()
    }
}
