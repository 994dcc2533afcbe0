//! Arrow Flight in, Arrow Flight out. It identifies the peer, hands the ticket to the pipeline and sends what comes back; it
//! decides nothing. Beside it, whether the node takes work: that is about the process, and about nothing it holds.

mod narrow;
mod padding;

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Field, Schema};
use arrow::error::ArrowError;
use arrow::ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteContext, IpcWriteOptions};
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightEndpoint, FlightInfo,
    HandshakeRequest, HandshakeResponse, PollInfo, PutResult, Result as ActionResult, SchemaAsIpc,
    SchemaResult, Ticket,
};
use futures::{Stream, StreamExt, stream};
use jigsaw_proto::refusal::{Refusal, RefusalCode};
use jigsaw_proto::release::{DESCRIBE, ReleaseMode};
use jigsaw_proto::tls::{MAX_MESSAGE_BYTES, TlsMaterial};
use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};
use tracing::warn;

use crate::Error;
use crate::authorise::identify;
use crate::disclose::Release;
use crate::node::Node;
use crate::pipeline::answer;
use crate::sources::Dataset;
use narrow::narrowed;

/// Requests that one connection may have open: more than a node runs at once, so that the others wait their turn here.
const MAX_STREAMS: u32 = 256;

/// Rows from which it is worth a look how narrow they can be sent.
const MANY: usize = 1000;

/// Serves until `shutdown`, then lets running fragments finish.
pub(crate) async fn serve(
    node: Arc<Node>,
    tls: &TlsMaterial,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let service = FlightServiceServer::new(NodeService { node })
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    let (readiness, health) = jigsaw_proto::health::service();
    let shutdown = async move {
        shutdown.await;
        drop(readiness);
    };
    Server::builder()
        .tcp_nodelay(true)
        .max_concurrent_streams(Some(MAX_STREAMS))
        .http2_keepalive_interval(Some(std::time::Duration::from_secs(30)))
        .tls_config(tls.server())
        .map_err(Error::Tls)?
        .add_service(service)
        .add_service(health)
        .serve_with_incoming_shutdown(
            tonic::transport::server::TcpIncoming::from(listener).with_nodelay(Some(true)),
            shutdown,
        )
        .await
        .map_err(Error::Serve)
}

/// The messages of a release: its schema, its rows, and its manifest with the last of them, filled up to one of a few sizes.
///
/// Only a [`Release`] can be sent:
/// ```
/// fn sendable(release: &jigsaw_node::Release) -> bool {
///     jigsaw_node::server::messages(release).is_ok()
/// }
/// ```
/// What was computed from rows, before disclosure control, cannot:
/// ```compile_fail
/// fn sendable(raw: &jigsaw_node::Raw) -> bool {
///     jigsaw_node::server::messages(raw).is_ok()
/// }
/// ```
///
/// # Errors
/// Columns that Arrow cannot encode: a fault of this node.
pub fn messages(release: &Release) -> Result<Vec<FlightData>, ArrowError> {
    let options = IpcWriteOptions::default();
    let mut batch = Cow::Borrowed(release.batch());
    if release.manifest().mode == ReleaseMode::Open && batch.num_rows() >= MANY {
        batch = Cow::Owned(narrowed(&batch)?);
    }
    let schema: FlightData = SchemaAsIpc::new(batch.schema_ref(), &options).into();
    let generator = IpcDataGenerator::default();
    let mut dictionaries = DictionaryTracker::new(false);
    let mut context = IpcWriteContext::default();
    let mut messages = vec![schema];
    let mut parts: Vec<RecordBatch> = vec![];
    let rows = rows_per_message(batch.columns().iter().map(bytes).sum(), batch.num_rows());
    let mut from = 0;
    while from < batch.num_rows() {
        let part = batch.slice(from, rows.min(batch.num_rows() - from));
        let (_, encoded) = generator.encode(&part, &mut dictionaries, &options, &mut context)?;
        messages.push(encoded.into());
        parts.push(part);
        from += rows;
    }
    let manifest = release.manifest();
    if manifest.mode == ReleaseMode::Protected {
        let full = padding::full(&messages, &parts, manifest);
        padding::fill(&mut messages, manifest, full);
    } else if let Some(last) = messages.last_mut() {
        last.app_metadata = manifest.encode().into();
    }
    Ok(messages)
}

/// So many bytes as the values of a column take: not what was set aside for groups that are not shown.
fn bytes(column: &ArrayRef) -> usize {
    let texts = column.as_string_opt::<i32>().and_then(|texts| {
        let (first, last) = (texts.value_offsets().first()?, texts.value_offsets().last()?);
        usize::try_from(last - first).ok()
    });
    let width = column.data_type().primitive_width().unwrap_or(size_of::<i32>());
    column.len() * width + texts.unwrap_or(0)
}

/// So many rows that a message stays near 1 MiB.
fn rows_per_message(bytes: usize, rows: usize) -> usize {
    const TARGET: usize = 1024 * 1024;
    if bytes <= TARGET { rows.max(1) } else { (rows * TARGET / bytes).max(1) }
}

struct NodeService {
    node: Arc<Node>,
}

impl NodeService {
    fn coordinator<T>(&self, request: &Request<T>) -> Result<String, Status> {
        let certificates = request.peer_certs();
        let certificate = certificates.as_ref().and_then(|chain| chain.first()).map(AsRef::as_ref);
        identify(certificate, &self.node.coordinators).map_err(|refusal| {
            let peer = request.remote_addr().map_or_else(|| "unknown".to_owned(), |peer| peer.to_string());
            warn!(peer, code = %refusal.code, "a peer that is no coordinator of this node was turned away");
            self.status(&refusal)
        })
    }

    fn status(&self, refusal: &Refusal) -> Status {
        refusal.to_status(self.node.id.as_str())
    }

    fn dataset(&self, descriptor: &FlightDescriptor) -> Result<Arc<Dataset>, Status> {
        let name = descriptor.path.first().and_then(|name| name.parse().ok());
        name.and_then(|name| self.node.datasets().get(&name).cloned()).ok_or_else(|| {
            let message = "there is no such dataset: the path is [dataset name], ListFlights lists them";
            self.status(&Refusal::new(RefusalCode::NoSuchDataset, message))
        })
    }
}

fn unknown(what: &str) -> Status {
    Status::unimplemented(format!(
        "a Jigsaw node does not serve {what}: send a fragment with DoGet, or the action describe"
    ))
}

/// What a dataset's columns are; how many rows there are is nobody's business.
fn info(dataset: &Dataset) -> Result<FlightInfo, Status> {
    let fields = dataset.visible().columns.iter();
    let fields = fields.map(|column| Field::new(column.name.as_str(), column.data_type.to_arrow(), true));
    let name = dataset.visible().name.to_string();
    FlightInfo::new()
        .try_with_schema(&Schema::new(fields.collect::<Vec<_>>()))
        .map(|info| {
            info.with_descriptor(FlightDescriptor::new_path(vec![name])).with_endpoint(FlightEndpoint::new())
        })
        .map_err(|_| Status::internal("the schema cannot be encoded"))
}

type BoxStream<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl FlightService for NodeService {
    type HandshakeStream = BoxStream<HandshakeResponse>;
    type ListFlightsStream = BoxStream<FlightInfo>;
    type DoGetStream = BoxStream<FlightData>;
    type DoPutStream = BoxStream<PutResult>;
    type DoExchangeStream = BoxStream<FlightData>;
    type DoActionStream = BoxStream<ActionResult>;
    type ListActionsStream = BoxStream<ActionType>;

    async fn do_get(&self, request: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        let coordinator = self.coordinator(&request)?;
        let messages = answer(&self.node, &coordinator, &request.get_ref().ticket).await;
        let messages = messages.map_err(|refusal| self.status(&refusal))?;
        Ok(Response::new(stream::iter(messages.into_iter().map(Ok)).boxed()))
    }

    async fn list_flights(
        &self,
        request: Request<Criteria>,
    ) -> Result<Response<Self::ListFlightsStream>, Status> {
        self.coordinator(&request)?;
        let flights: Vec<_> = self.node.datasets().values().map(|dataset| info(dataset)).collect();
        Ok(Response::new(stream::iter(flights).boxed()))
    }

    async fn get_flight_info(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.coordinator(&request)?;
        info(&*self.dataset(request.get_ref())?).map(Response::new)
    }

    async fn get_schema(&self, request: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        self.coordinator(&request)?;
        let info = info(&*self.dataset(request.get_ref())?)?;
        Ok(Response::new(SchemaResult { schema: info.schema }))
    }

    async fn do_action(&self, request: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        self.coordinator(&request)?;
        if request.get_ref().r#type != DESCRIBE {
            return Err(unknown("this action"));
        }
        let body = self.node.description().encode().into();
        Ok(Response::new(stream::iter([Ok(ActionResult { body })]).boxed()))
    }

    async fn list_actions(
        &self,
        request: Request<Empty>,
    ) -> Result<Response<Self::ListActionsStream>, Status> {
        self.coordinator(&request)?;
        let describe = ActionType {
            r#type: DESCRIBE.to_owned(),
            description:
                "who this node is and which datasets it holds; answers with a jigsaw.v1.NodeDescription"
                    .to_owned(),
        };
        Ok(Response::new(stream::iter([Ok(describe)]).boxed()))
    }

    async fn handshake(
        &self,
        _: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        Err(unknown("Handshake"))
    }

    async fn poll_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        Err(unknown("PollFlightInfo"))
    }

    async fn do_put(&self, _: Request<Streaming<FlightData>>) -> Result<Response<Self::DoPutStream>, Status> {
        Err(unknown("DoPut"))
    }

    async fn do_exchange(
        &self,
        _: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        Err(unknown("DoExchange"))
    }
}

#[cfg(test)]
mod tests;
