//! Connections on which nothing is said for long: tried from time to time, and never silent for as long as proxies wait.

use std::time::{Duration, Instant};

use arrow_flight::FlightData;
use arrow_flight::error::FlightError;
use futures::{StreamExt as _, TryStreamExt as _};
use harness::certificates::Party;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tonic::Code;

use super::visitor::Visitor;
use super::{HOMES, prepare};

/// A node says nothing: after twenty seconds the answer has begun, and after thirty it is an error that names the node.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_takes_long_is_not_silent() {
    let (_dir, builder) = prepare();
    let federation = builder.tap(["camden"]).start().await.unwrap();
    let mut ada = Visitor::ada(&federation);
    ada.ask(HOMES).await.unwrap();
    let ticket = ada.plan(HOMES).await.unwrap().endpoint[0].ticket.clone().unwrap();
    federation.tap("camden").fault(harness::tap::Fault::Stall);
    let (started, request) = (Instant::now(), ada.request(ticket));
    let mut messages = ada.flight().do_get(request).await.unwrap().into_inner();
    let first: FlightData = messages.try_next().await.unwrap().unwrap();
    assert!(arrow::datatypes::Schema::try_from(&first).is_ok(), "{first:?}");
    let waited = started.elapsed();
    assert!((19..29).contains(&waited.as_secs()), "{waited:?}");
    let messages = messages.map_err(FlightError::from).collect::<Vec<_>>().await;
    let Some(Err(FlightError::Tonic(late))) = messages.last() else { panic!("{messages:?}") };
    assert!([Code::Unavailable, Code::DeadlineExceeded].contains(&late.code()), "{late}");
    assert!(late.message().contains("camden") && late.metadata().contains_key("x-query-id"), "{late:?}");
}

/// Frames of HTTP/2 as they come, from a client that says hello and nothing more.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_connection_is_tried_and_given_up_when_nobody_answers() {
    const PING: u8 = 6;
    let (_dir, builder) = prepare();
    let federation = builder.start().await.unwrap();
    let party: Party = federation.authority().sign(&["somebody"]).unwrap();
    let tls = TlsConnector::from(party.client(&federation.authority().pem()).unwrap());
    let line = TcpStream::connect(federation.address()).await.unwrap();
    let mut line = tls.connect(ServerName::try_from("localhost").unwrap(), line).await.unwrap();
    line.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    line.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
    let started = Instant::now();
    let mut pinged = None;
    let reading = async {
        // Length in three bytes, kind, flags, stream in four.
        let mut head = [0; 9];
        while line.read_exact(&mut head).await.is_ok() {
            let mut body =
                vec![0; usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2])];
            line.read_exact(&mut body).await.unwrap();
            if head[3] == PING && head[4] == 0 {
                pinged.get_or_insert_with(|| started.elapsed());
            }
        }
    };
    timeout(Duration::from_secs(90), reading).await.expect("the connection of nobody stays open");
    let pinged = pinged.expect("nobody asked whether anybody is there");
    assert!((25..40).contains(&pinged.as_secs()), "{pinged:?}");
}
