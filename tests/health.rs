//! Whether a node and a coordinator take work, in the protocol that orchestrators ask in; and that it says nothing else.
#![cfg(test)]

use std::fs;
use std::time::Duration;

use harness::certificates::Party;
use harness::data::{Scale, Synthetic};
use harness::federation::{Federation, Policy, identity};
use jigsaw_proto::health::FLIGHT;
use jigsaw_proto::tls::TlsMaterial;
use tempfile::TempDir;
use tonic::Code;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Error};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

const HOMES: &str = "SELECT COUNT(*) AS homes FROM property";

async fn start(dir: &TempDir) -> Federation {
    let mut nodes = Synthetic::new(7, Scale::test()).write_to(dir.path()).unwrap();
    nodes.retain(|node| ["camden", "hackney"].contains(&node.id.as_str()));
    Federation::builder(dir.path(), nodes).policy(Policy::Contract).start().await.unwrap()
}

fn of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

/// Asks a node with somebody's certificate.
async fn at_node(federation: &Federation, node: &str, party: &Party) -> Result<HealthClient<Channel>, Error> {
    let Party { certificate, key } = party.clone();
    let material = TlsMaterial { certificate, key, authority: federation.authority().pem() };
    let address = format!("https://{}", federation.node_address(node));
    Ok(HealthClient::new(material.endpoint(&address, &identity(node))?.connect().await?))
}

/// Asks the coordinator, and signs in as nobody.
async fn at_coordinator(federation: &Federation) -> HealthClient<Channel> {
    let authority = Certificate::from_pem(fs::read_to_string(federation.ca_file()).unwrap());
    let endpoint = Endpoint::from_shared(format!("https://{}", federation.address())).unwrap();
    let endpoint = endpoint.tls_config(ClientTlsConfig::new().ca_certificate(authority)).unwrap();
    HealthClient::new(endpoint.connect().await.unwrap())
}

fn coordinator(federation: &Federation) -> Party {
    let read = |file| fs::read_to_string(federation.dir().join("tls").join(file)).unwrap();
    Party { certificate: read("coordinator.pem"), key: read("coordinator.key") }
}

async fn check(client: &mut HealthClient<Channel>, service: &str) -> Result<ServingStatus, Code> {
    client.check(of(service)).await.map(|answer| answer.into_inner().status()).map_err(|status| status.code())
}

#[tokio::test(flavor = "multi_thread")]
async fn both_say_that_they_serve_and_that_they_stop() {
    let dir = tempfile::tempdir().unwrap();
    let mut federation = start(&dir).await;
    let mut node = at_node(&federation, "camden", &coordinator(&federation)).await.unwrap();
    let mut front = at_coordinator(&federation).await;
    for client in [&mut node, &mut front] {
        assert_eq!(check(client, "").await, Ok(ServingStatus::Serving));
        assert_eq!(check(client, FLIGHT).await, Ok(ServingStatus::Serving));
        assert_eq!(check(client, "jigsaw").await, Err(Code::NotFound));
    }
    // Who watches is told of the stop, and does not hold it up.
    let mut watched = node.watch(of("")).await.unwrap().into_inner();
    assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    let stopped = tokio::time::timeout(Duration::from_secs(10), federation.stop_node("camden")).await;
    stopped.expect("it waits for those who watch").unwrap();
    assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    assert!(watched.message().await.unwrap().is_none());
    // The coordinator serves on: that a borough is missing is said with the answers.
    assert_eq!(check(&mut front, "").await, Ok(ServingStatus::Serving));
    let mut watched = front.watch(of(FLIGHT)).await.unwrap().into_inner();
    assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    let stopped = tokio::time::timeout(Duration::from_secs(10), federation.stop()).await;
    stopped.expect("it waits for those who watch").unwrap();
    assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
}

/// To steal a record by it: ask what only one person's row answers, and see whether health tells that it was read, refused or
/// slow; or ask without a certificate.
#[tokio::test(flavor = "multi_thread")]
async fn it_says_nothing_of_questions_or_rows() {
    let dir = tempfile::tempdir().unwrap();
    let federation = start(&dir).await;
    let mut node = at_node(&federation, "camden", &coordinator(&federation)).await.unwrap();
    let mut watched = node.watch(of(FLIGHT)).await.unwrap().into_inner();
    assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    federation.sql(HOMES).await.unwrap();
    federation.sql("SELECT MIN(bedrooms) AS least FROM property").await.unwrap_err();
    let more = tokio::time::timeout(Duration::from_millis(200), watched.message()).await;
    assert!(more.is_err(), "the questions changed it: {more:?}");
    // The answer is the status and nothing more: one number, and its tag.
    let answer = node.check(of("")).await.unwrap();
    assert_eq!(prost::Message::encode_to_vec(answer.get_ref()), [8, 1]);
    let own: Vec<String> = answer.metadata().keys().map(|key| format!("{key:?}")).collect();
    assert!(own.iter().all(|key| !key.contains("jigsaw")), "{own:?}");

    // Behind the node's mutual TLS like all else.
    let stranger = harness::certificates::Authority::new().unwrap().sign(&["camden"]).unwrap();
    if let Ok(mut client) = at_node(&federation, "camden", &stranger).await {
        assert!(check(&mut client, "").await.is_err(), "a stranger's certificate was taken");
    }
    // None of it is a question.
    let audit = federation.audit("camden");
    assert!(audit.iter().all(|line| line["principal"] != ""), "a check is in the audit log");
}
