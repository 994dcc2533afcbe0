//! A node as its coordinator meets it: a real server on a loopback socket, in a runtime of its own so that it can be killed.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest,
    HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use jigsaw_proto::contract::Contract;
use jigsaw_proto::refusal::{Refusal, RefusalCode};
use jigsaw_proto::release::{DatasetDescription, Manifest, NodeDescription, ReleaseMode};
use jigsaw_proto::wire::{FragmentRequest, PROTOCOL_VERSION};
use tokio::runtime::Runtime;
use tonic::transport::{Server, server::TcpIncoming};
use tonic::{Request, Response, Status, Streaming};

pub(super) const CONTRACT: &str = r#"
name = "thing"
version = 1
description = "One row per thing."
release = "open"
[[column]]
name = "kind"
type = "text"
role = "dimension"
description = "What it is."
"#;

/// How a node answers a fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Well,
    Empty,
    LargeText,
    Refuses(RefusalCode),
    Fails,
    NeverBegins,
    /// well, after so many milliseconds
    Slowly(u64),
    BreaksOff,
    NeverEnds,
    WithoutManifest,
    AsAnotherNode,
    ToAnotherQuestion,
    OtherNames,
    OtherTypes,
    FewerColumns,
}

/// What was seen at the node.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) asked: AtomicUsize,
    pub(super) begun: AtomicBool,
    pub(super) dropped: AtomicBool,
}

pub(super) struct FakeNode {
    pub(super) id: &'static str,
    pub(super) address: SocketAddr,
    pub(super) seen: Arc<Seen>,
    runtime: Runtime,
}

struct Answering {
    id: &'static str,
    manner: Manner,
    contract: String,
    seen: Arc<Seen>,
}

impl FakeNode {
    pub(super) fn start(id: &'static str, manner: Manner) -> Self {
        Self::start_at(id, manner, "127.0.0.1:0".parse().unwrap(), CONTRACT)
    }

    pub(super) fn start_at(id: &'static str, manner: Manner, address: SocketAddr, contract: &str) -> Self {
        let seen = Arc::new(Seen::default());
        let answering = Answering { id, manner, contract: contract.to_owned(), seen: Arc::clone(&seen) };
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = {
            let _inside = runtime.enter();
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.set_reuseaddr(true).unwrap();
            socket.bind(address).unwrap();
            socket.listen(64).unwrap()
        };
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move {
            let server = Server::builder().add_service(FlightServiceServer::new(answering));
            server.serve_with_incoming(TcpIncoming::from(listener)).await.unwrap();
        });
        Self { id, address, seen, runtime }
    }

    /// As if its machine lost power: connections are closed without a word.
    pub(super) fn kill(self) -> SocketAddr {
        // Its tasks are dropped when this returns: the address is free. A runtime is not waited for on another's thread.
        let stopping = move || self.runtime.shutdown_timeout(std::time::Duration::from_secs(10));
        std::thread::spawn(stopping).join().unwrap();
        self.address
    }

    pub(super) fn asked(&self) -> usize {
        self.seen.asked.load(Ordering::SeqCst)
    }
}

/// An address where nobody listens.
pub(super) fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn column(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn batch(manner: Manner) -> RecordBatch {
    let counts: ArrayRef = Arc::new(Int64Array::from(vec![5, 7]));
    let kinds = column(&["bolt", "nut"]);
    let columns = match manner {
        Manner::Empty => return batch(Manner::Well).slice(0, 0),
        Manner::OtherNames => vec![("g0", kinds), ("p1", counts)],
        Manner::OtherTypes => vec![("g0", kinds), ("p0", column(&["5", "7"]))],
        Manner::FewerColumns => vec![("g0", kinds)],
        Manner::LargeText => {
            let large = arrow::array::LargeStringArray::from(vec!["bolt", "nut"]);
            vec![("g0", Arc::new(large) as ArrayRef), ("p0", counts)]
        }
        _ => vec![("g0", kinds), ("p0", counts)],
    };
    RecordBatch::try_from_iter(columns).unwrap()
}

impl Answering {
    fn manifest(&self, ticket: &[u8]) -> Manifest {
        let query = FragmentRequest::decode(ticket).unwrap().query;
        Manifest {
            node: if self.manner == Manner::AsAnotherNode { "other" } else { self.id }.parse().unwrap(),
            query: if self.manner == Manner::ToAnotherQuestion { "other".parse().unwrap() } else { query },
            policy: String::new(),
            mode: ReleaseMode::Open,
            threshold: 0,
            rounding: 1,
            released_cells: 4,
            withheld_cells: 0,
            rules: vec![],
            data_as_of: "2026-01-01T00:00:00Z".to_owned(),
        }
    }

    async fn messages(&self, ticket: &[u8]) -> Vec<FlightData> {
        let batch = batch(self.manner);
        let encoder = FlightDataEncoderBuilder::new().with_schema(batch.schema());
        let mut messages: Vec<FlightData> =
            encoder.build(stream::iter([Ok(batch)])).try_collect().await.unwrap();
        if self.manner != Manner::WithoutManifest {
            messages.last_mut().unwrap().app_metadata = self.manifest(ticket).encode().into();
        }
        messages
    }
}

/// Tells that a call's stream was dropped.
struct Guard(Arc<Seen>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.dropped.store(true, Ordering::SeqCst);
    }
}

type Stream<T> = BoxStream<'static, Result<T, Status>>;

fn no<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("no"))
}

#[tonic::async_trait]
impl FlightService for Answering {
    type HandshakeStream = Stream<HandshakeResponse>;
    type ListFlightsStream = Stream<FlightInfo>;
    type DoGetStream = Stream<FlightData>;
    type DoPutStream = Stream<PutResult>;
    type DoActionStream = Stream<arrow_flight::Result>;
    type ListActionsStream = Stream<ActionType>;
    type DoExchangeStream = Stream<FlightData>;

    async fn do_action(&self, _: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        let contract = Contract::parse(&self.contract).unwrap();
        let dataset = DatasetDescription {
            contract: self.contract.clone(),
            contract_hash: contract.hash(),
            policy_hash: String::new(),
            mode: ReleaseMode::Open,
            threshold: 0,
            rounding: 1,
            data_as_of: String::new(),
            rules: vec![],
            cells_per_day: None,
            name: contract.name,
            only: vec![],
        };
        let description = NodeDescription {
            node: self.id.parse().unwrap(),
            title: String::new(),
            protocol: PROTOCOL_VERSION,
            software: "fake".to_owned(),
            datasets: vec![dataset],
        };
        let body = description.encode().into();
        Ok(Response::new(stream::iter([Ok(arrow_flight::Result { body })]).boxed()))
    }

    async fn do_get(&self, request: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        self.seen.asked.fetch_add(1, Ordering::SeqCst);
        let guard = Guard(Arc::clone(&self.seen));
        let messages = self.messages(&request.get_ref().ticket).await;
        match self.manner {
            Manner::Refuses(code) => return Err(Refusal::new(code, "these words").to_status(self.id)),
            Manner::Fails => return Err(Status::internal("row 7 has the value 'secret'")),
            Manner::NeverBegins => return std::future::pending().await,
            Manner::Slowly(time) => tokio::time::sleep(std::time::Duration::from_millis(time)).await,
            _ => {}
        }
        let head = stream::iter(messages.clone().into_iter().take(1).map(Ok));
        self.seen.begun.store(true, Ordering::SeqCst);
        let answer = match self.manner {
            Manner::BreaksOff => {
                head.chain(stream::iter([Err(Status::unavailable("row 7 has the value 'secret'"))])).boxed()
            }
            Manner::NeverEnds => head.chain(stream::pending()).boxed(),
            _ => stream::iter(messages.into_iter().map(Ok)).boxed(),
        };
        let guarded = answer.map(move |message| {
            let _kept = &guard;
            message
        });
        Ok(Response::new(guarded.boxed()))
    }

    async fn handshake(
        &self,
        _: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        no()
    }

    async fn list_flights(&self, _: Request<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        no()
    }

    async fn get_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
        no()
    }

    async fn poll_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        no()
    }

    async fn get_schema(&self, _: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        no()
    }

    async fn do_put(&self, _: Request<Streaming<FlightData>>) -> Result<Response<Self::DoPutStream>, Status> {
        no()
    }

    async fn do_exchange(
        &self,
        _: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        no()
    }

    async fn list_actions(&self, _: Request<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        no()
    }
}
