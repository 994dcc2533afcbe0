//! A node that speaks a later version of the protocol.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest,
    HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use jigsaw_proto::release::NodeDescription;
use jigsaw_proto::tls::TlsMaterial;
use tonic::transport::{Server, server::TcpIncoming};
use tonic::{Request, Response, Status, Streaming};

use super::prepare;

/// Says who it is, in version 2, and nothing else.
struct Later;

type Stream<T> = BoxStream<'static, Result<T, Status>>;

fn no<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("not in version 2"))
}

#[tonic::async_trait]
impl FlightService for Later {
    type HandshakeStream = Stream<HandshakeResponse>;
    type ListFlightsStream = Stream<FlightInfo>;
    type DoGetStream = Stream<FlightData>;
    type DoPutStream = Stream<PutResult>;
    type DoActionStream = Stream<arrow_flight::Result>;
    type ListActionsStream = Stream<ActionType>;
    type DoExchangeStream = Stream<FlightData>;

    async fn do_action(&self, _: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        let description = NodeDescription {
            node: "camden".parse().unwrap(),
            title: "London Borough of Camden".to_owned(),
            protocol: 2,
            software: "jigsaw-node 2.0.0".to_owned(),
            datasets: Vec::new(),
        };
        let body = description.encode().into();
        Ok(Response::new(stream::iter([Ok(arrow_flight::Result { body })]).boxed()))
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

    async fn do_get(&self, _: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
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

async fn serve(dir: Arc<Path>, address: SocketAddr) {
    let read = |name: &str| fs::read_to_string(dir.join("tls").join(name)).unwrap();
    let material = TlsMaterial {
        certificate: read("camden.pem"),
        key: read("camden.key"),
        authority: read("federation-ca.pem"),
    };
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let server = Server::builder().tls_config(material.server()).unwrap();
    let server = { server }.add_service(FlightServiceServer::new(Later));
    server.serve_with_incoming(TcpIncoming::from(listener)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_another_version_is_named_with_both_versions() {
    let (dir, builder) = prepare();
    let mut federation = builder.start().await.unwrap();
    federation.stop_node("camden").await.unwrap();
    tokio::spawn(serve(dir.path().into(), federation.node_address("camden")));
    // The coordinator asks every node now and then who it is.
    let mut found = Vec::new();
    for _ in 0..400 {
        found = federation.statuses().await.unwrap();
        if found.iter().any(|(node, status, _)| node == "camden" && status == "wrong protocol") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let (_, status, detail) = found.iter().find(|(node, ..)| node == "camden").unwrap();
    assert_eq!(status, "wrong protocol", "{found:?}");
    assert!(detail.contains('1') && detail.contains('2'), "{detail} does not say both versions");
    super::misses(&federation, "camden", &["failed", "refused", "late", "not asked"]).await;
}
