//! Whether a process takes work: `grpc.health.v1`, the protocol that load balancers and orchestrators ask in.
//!
//! It knows that a process serves or is stopping, and nothing else: no data, no count of requests, nothing that depends on a row
//! or on who asks.

use std::pin::Pin;

use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

/// The one service beside this, which the process is there for; the empty name is the process.
pub const FLIGHT: &str = "arrow.flight.protocol.FlightService";

/// Held by the process while it takes work. Dropping it says that no more is taken, and ends the streams of those who watch, so
/// that nobody who watches keeps a process from stopping.
#[derive(Debug)]
pub struct Readiness {
    serving: watch::Sender<ServingStatus>,
}

impl Drop for Readiness {
    fn drop(&mut self) {
        self.serving.send_replace(ServingStatus::NotServing);
    }
}

/// The service, serving as long as the readiness is held.
pub fn service() -> (Readiness, HealthServer<impl Health>) {
    let (serving, status) = watch::channel(ServingStatus::Serving);
    (Readiness { serving }, HealthServer::new(Answers { status }))
}

#[derive(Debug)]
struct Answers {
    status: watch::Receiver<ServingStatus>,
}

fn message(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

fn is_known(service: &str) -> bool {
    ["", FLIGHT].contains(&service)
}

#[tonic::async_trait]
impl Health for Answers {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        if is_known(&request.get_ref().service) {
            return Ok(Response::new(message(*self.status.borrow())));
        }
        Err(Status::not_found(format!("there is no such service here: ask for \"\" or {FLIGHT}")))
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        if !is_known(&request.get_ref().service) {
            let unknown = tokio_stream::once(Ok(message(ServingStatus::ServiceUnknown)));
            return Ok(Response::new(Box::pin(unknown)));
        }
        // It ends after the last word, with the sender.
        let statuses = WatchStream::new(self.status.clone());
        Ok(Response::new(Box::pin(statuses.map(|status| Ok(message(status))))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(service: &str) -> Request<HealthCheckRequest> {
        Request::new(HealthCheckRequest { service: service.to_owned() })
    }

    #[tokio::test]
    async fn a_process_serves_until_it_stops_and_those_who_watch_are_let_go() {
        let (serving, status) = watch::channel(ServingStatus::Serving);
        let (readiness, answers) = (Readiness { serving }, Answers { status });
        let mut watched = answers.watch(asked(FLIGHT)).await.unwrap().into_inner();
        assert_eq!(watched.next().await.unwrap().unwrap().status(), ServingStatus::Serving);
        assert_eq!(answers.check(asked("")).await.unwrap().get_ref().status(), ServingStatus::Serving);
        drop(readiness);
        assert_eq!(watched.next().await.unwrap().unwrap().status(), ServingStatus::NotServing);
        assert!(watched.next().await.is_none(), "a stream that nobody ends keeps the process");
        assert_eq!(answers.check(asked("")).await.unwrap().get_ref().status(), ServingStatus::NotServing);
        // Who begins to watch now learns the same.
        let late = answers.watch(asked("")).await.unwrap().into_inner();
        let late: Vec<_> = late.map(|message| message.unwrap().status()).collect().await;
        assert_eq!(late, [ServingStatus::NotServing]);
    }

    #[tokio::test]
    async fn other_services_are_unknown() {
        let (_readiness, _) = service();
        let answers = Answers { status: watch::channel(ServingStatus::Serving).1 };
        assert_eq!(answers.check(asked("jigsaw")).await.unwrap_err().code(), tonic::Code::NotFound);
        let watched: Vec<_> = answers.watch(asked("jigsaw")).await.unwrap().into_inner().collect().await;
        assert_eq!(watched.len(), 1);
        assert_eq!(watched[0].as_ref().unwrap().status(), ServingStatus::ServiceUnknown);
    }
}
