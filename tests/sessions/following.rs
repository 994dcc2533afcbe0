//! Questions are followed, kept and cancelled by whoever asked them, and by nobody else.

use std::time::{Duration, Instant};

use arrow_flight::sql::{
    ActionCancelQueryRequest, CommandGetTableTypes, CommandPreparedStatementQuery, ProstMessageExt as _,
};
use arrow_flight::{
    CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightDescriptor, FlightEndpoint,
    FlightInfo, PollInfo, RenewFlightEndpointRequest,
};
use harness::federation::Federation;
use harness::tap::Fault;
use prost::Message as _;
use tonic::{Code, Status};

use super::visitor::{Visitor, descriptor};
use super::{EVE, HOMES, prepare};

/// HTTP/2's frame that ends one call: `RST_STREAM` with the code CANCEL, between its stream's number.
const ENDS_CALL: ([u8; 5], [u8; 4]) = ([0, 0, 4, 3, 0], [0, 0, 0, 8]);

async fn poll(visitor: &mut Visitor, descriptor: FlightDescriptor) -> Result<PollInfo, Status> {
    let request = visitor.request(descriptor);
    Ok(visitor.flight().poll_flight_info(request).await?.into_inner())
}

/// How many calls the coordinator has ended at camden. One that was answered may be among them: the stream of an answer is
/// dropped as soon as its last message is there.
fn ended_at_camden(federation: &Federation) -> usize {
    let (head, code) = ENDS_CALL;
    let ends =
        |bytes: &[u8]| bytes.windows(13).filter(|frame| frame[..5] == head && frame[9..] == code).count();
    federation.tap("camden").recordings().iter().map(|recording| ends(&recording.to_node)).sum()
}

/// Waits until more calls were ended than `before`.
async fn until_ended(federation: &Federation, before: usize) {
    let started = Instant::now();
    while ended_at_camden(federation) <= before {
        assert!(started.elapsed() < Duration::from_secs(5), "the call at the node goes on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn cancel_body(info: &FlightInfo) -> Vec<u8> {
    CancelFlightInfoRequest { info: Some(info.clone()) }.encode_to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_says_how_many_nodes_have_answered() {
    let (_dir, builder) = prepare();
    let federation = builder.tap(["camden"]).start().await.unwrap();
    let mut ada = Visitor::ada(&federation);
    let plain = ada.ask(HOMES).await.unwrap();
    federation.tap("camden").fault(Fault::Stall);
    let first = poll(&mut ada, descriptor(HOMES)).await.unwrap();
    let again = first.flight_descriptor.unwrap();
    let second = poll(&mut ada, again.clone()).await.unwrap();
    assert_eq!(second.progress, Some(0.5), "one of two nodes has answered");
    let (first, second) = (first.info.unwrap(), second.info.unwrap());
    assert!(first.endpoint.is_empty() && second.endpoint.is_empty(), "there is nothing to fetch yet");
    assert_eq!(first.schema, second.schema);
    federation.tap("camden").fault(Fault::None);
    let started = Instant::now();
    let last = loop {
        assert!(started.elapsed() < Duration::from_secs(10), "it never ends");
        let poll = poll(&mut ada, again.clone()).await.unwrap();
        if poll.flight_descriptor.is_none() {
            break poll;
        }
    };
    assert_eq!(last.progress, Some(1.0));
    let ticket = last.info.unwrap().endpoint[0].ticket.clone().unwrap();
    assert_eq!(ada.fetch(ticket.clone()).await.unwrap(), plain);
    assert_eq!(ada.fetch(ticket).await.unwrap_err().code(), Code::NotFound, "an answer is fetched once");

    let metadata = FlightDescriptor::new_cmd(CommandGetTableTypes {}.as_any().encode_to_vec());
    let at_once = poll(&mut ada, metadata).await.unwrap();
    assert!(at_once.flight_descriptor.is_none() && at_once.info.unwrap().endpoint.len() == 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_of_a_question_without_an_answer_says_why() {
    let (_dir, builder) = prepare();
    let mut federation = builder.start().await.unwrap();
    let mut ada = Visitor::ada(&federation);
    federation.stop_node("camden").await.unwrap();
    let mut next = descriptor(HOMES);
    let refused = loop {
        match poll(&mut ada, next).await {
            Ok(poll) => next = poll.flight_descriptor.expect("it cannot be complete"),
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(refused.message().contains("camden"), "{refused}");
    assert!(refused.metadata().contains_key("x-query-id"));
    assert_eq!(
        poll(&mut ada, descriptor("SELECT nonsense FROM property")).await.unwrap_err().code(),
        Code::InvalidArgument
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_ends_the_work_at_the_nodes() {
    let (_dir, builder) = prepare();
    let federation = builder.tap(["camden"]).start().await.unwrap();
    let mut ada = Visitor::ada(&federation);
    ada.ask(HOMES).await.unwrap();
    federation.tap("camden").fault(Fault::Stall);
    let polled = poll(&mut ada, descriptor(HOMES)).await.unwrap();
    let (info, again) = (polled.info.unwrap(), polled.flight_descriptor.unwrap());
    let before = ended_at_camden(&federation);

    let mut eve = Visitor::new(&federation, EVE);
    assert_eq!(poll(&mut eve, again.clone()).await.unwrap_err().code(), Code::NotFound);
    let refused = eve.act("CancelFlightInfo", cancel_body(&info)).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound, "{refused}");
    assert!(poll(&mut ada, again.clone()).await.is_ok(), "it goes on");
    assert_eq!(ended_at_camden(&federation), before, "whoever may not cancel it has ended it");

    let result = ada.act("CancelFlightInfo", cancel_body(&info)).await.unwrap();
    let result = CancelFlightInfoResult::decode(result[0].as_slice()).unwrap();
    assert_eq!(result.status, CancelStatus::Cancelled as i32);
    until_ended(&federation, before).await;
    assert_eq!(poll(&mut ada, again).await.unwrap_err().code(), Code::NotFound);
    let refused = ada.act("CancelFlightInfo", cancel_body(&info)).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_being_fetched_is_cancelled_too() {
    let (_dir, builder) = prepare();
    let federation = builder.tap(["camden"]).start().await.unwrap();
    let mut ada = Visitor::ada(&federation);
    federation.tap("camden").fault(Fault::Stall);
    let info = ada.plan(HOMES).await.unwrap();
    let before = ended_at_camden(&federation);
    let mut fetching = ada.clone();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let fetched = tokio::spawn(async move { fetching.fetch(ticket).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let asked = ActionCancelQueryRequest { info: info.encode_to_vec().into() };
    let mut eve = Visitor::new(&federation, EVE);
    let body = asked.as_any().encode_to_vec();
    assert_eq!(eve.act("CancelQuery", body.clone()).await.unwrap_err().code(), Code::NotFound);
    ada.act("CancelQuery", body).await.unwrap();
    let refused = fetched.await.unwrap().unwrap_err();
    assert_eq!(refused.code(), Code::Cancelled);
    assert!(refused.message().contains("cancelled"), "{refused}");
    until_ended(&federation, before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_stream_ends_the_work_too() {
    let (_dir, builder) = prepare();
    let federation = builder.tap(["camden"]).start().await.unwrap();
    let mut ada = Visitor::ada(&federation);
    federation.tap("camden").fault(Fault::Stall);
    let before = ended_at_camden(&federation);
    let gone = tokio::time::timeout(Duration::from_millis(300), ada.ask(HOMES)).await;
    assert!(gone.is_err(), "it stalls");
    until_ended(&federation, before).await;
}

/// gRPC's own header says how long a caller waits, and is kept to without a word of SQL.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_ends_in_the_time_it_has() {
    let (_dir, builder) = prepare();
    let federation = builder.tap(["camden"]).start().await.unwrap();
    let mut ada = Visitor::ada(&federation);
    ada.ask(HOMES).await.unwrap();
    federation.tap("camden").fault(Fault::Stall);
    let before = ended_at_camden(&federation);
    ada.headers = vec![("grpc-timeout", "1500m")];
    let refused = ada.ask(HOMES).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(refused.message().contains("camden (it did not answer in time)"), "{refused}");
    until_ended(&federation, before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn handles_are_of_use_to_their_owner_alone() {
    let (_dir, builder) = prepare();
    let federation = builder.start().await.unwrap();
    let (mut ada, mut eve) = (Visitor::ada(&federation), Visitor::new(&federation, EVE));
    let info = ada.plan(HOMES).await.unwrap();
    let endpoint = info.endpoint[0].clone();
    let renew = |endpoint: &FlightEndpoint| {
        RenewFlightEndpointRequest { endpoint: Some(endpoint.clone()) }.encode_to_vec()
    };
    let renewed = ada.act("RenewFlightEndpoint", renew(&endpoint)).await.unwrap();
    assert_eq!(FlightEndpoint::decode(renewed[0].as_slice()).unwrap(), endpoint);
    let refused = eve.act("RenewFlightEndpoint", renew(&endpoint)).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    let ticket = endpoint.ticket.clone().unwrap();
    assert_eq!(eve.fetch(ticket.clone()).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(ada.fetch(ticket).await.unwrap().len(), 1, "the thief took nothing away");
    let refused = ada.act("RenewFlightEndpoint", renew(&endpoint)).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound, "a ticket that was used is gone");

    let handle = ada.prepare("SELECT 1 AS one").await.unwrap();
    let command = CommandPreparedStatementQuery { prepared_statement_handle: handle.into() };
    let described = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
    assert_eq!(poll(&mut eve, described.clone()).await.unwrap_err().code(), Code::NotFound);
    let polled = poll(&mut ada, described).await.unwrap();
    let ticket = polled.info.unwrap().endpoint[0].ticket.clone().unwrap();
    assert_eq!(eve.fetch(ticket.clone()).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(ada.fetch(ticket).await.unwrap(), ["1"]);
    for (action, body) in [("CancelFlightInfo", vec![7; 3]), ("RenewFlightEndpoint", vec![])] {
        assert_eq!(ada.act(action, body).await.unwrap_err().code(), Code::InvalidArgument, "{action}");
    }
}
