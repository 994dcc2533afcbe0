//! What the service tells, and to whom.

use arrow_flight::flight_service_server::FlightService as _;
use tonic::Code;

use super::*;
use crate::pipeline::tests::Bench;

async fn service() -> (Bench, NodeService) {
    let bench = Bench::open().await;
    let service = NodeService { node: Arc::clone(&bench.node) };
    (bench, service)
}

/// Without a pinned certificate there is nothing to see, not even which datasets there are.
#[tokio::test]
async fn strangers_are_told_nothing() {
    let (_bench, service) = service().await;
    let path = || Request::new(FlightDescriptor::new_path(vec!["stay".to_owned()]));
    let describe = Action { r#type: DESCRIBE.to_owned(), body: bytes::Bytes::default() };
    let refused = [
        service.do_get(Request::new(Ticket::new(vec![]))).await.err(),
        service.list_flights(Request::new(Criteria::default())).await.err(),
        service.get_flight_info(path()).await.err(),
        service.get_schema(path()).await.err(),
        service.do_action(Request::new(describe)).await.err(),
        service.list_actions(Request::new(Empty {})).await.err(),
    ];
    for status in refused {
        let status = status.unwrap();
        assert_eq!(status.code(), Code::Unauthenticated, "{status}");
        assert!(!status.message().contains("stay"), "{status}");
    }
}

/// A dataset shows its columns: no totals, no hidden columns (A33).
#[tokio::test]
async fn metadata_say_nothing_of_the_rows() {
    let (bench, service) = service().await;
    for dataset in bench.node.datasets().values() {
        let info = info(dataset).unwrap();
        assert_eq!((info.total_records, info.total_bytes), (-1, -1));
        let names: Vec<_> =
            info.try_decode_schema().unwrap().fields().iter().map(|field| field.name().clone()).collect();
        assert_eq!(names, ["person", "ward", "beds", "cost", "temp"]);
    }
    let absent = FlightDescriptor::new_path(vec!["elsewhere".to_owned()]);
    assert_eq!(service.dataset(&absent).unwrap_err().code(), Code::NotFound);
}

/// A message stays far below what a peer reads at once, however many rows there are.
#[test]
fn messages_have_a_size() {
    assert_eq!(rows_per_message(100, 10), 10);
    assert_eq!(rows_per_message(0, 0), 1);
    assert_eq!(rows_per_message(8 * 1024 * 1024, 80_000), 10_000);
    assert_eq!(rows_per_message(usize::MAX / (1024 * 1024), 1), 1);
}
