//! Requests that are too long. gRPC refuses them before any call is made, in words for programmers and with a code that drivers
//! take for a fault of the server; here they get a sentence, the code of a wrong question, and an id to ask about.

use std::convert::Infallible;

use arrow_flight::flight_service_server::FlightServiceServer;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::codegen::{BoxFuture, Context, Poll, Service};
use tonic::server::NamedService;
use tonic::{Code, Status};

use super::front::{Front, identified};
use super::{MAX_REQUEST_BYTES, status};

/// What gRPC's reader says, for want of a code of its own.
const TOO_LONG: &str = "Error, decoded message length too large";

/// The service of analysts.
#[derive(Debug, Clone)]
pub(crate) struct Worded(pub(super) FlightServiceServer<Front>);

impl NamedService for Worded {
    const NAME: &'static str = <FlightServiceServer<Front> as NamedService>::NAME;
}

impl Service<Request<Body>> for Worded {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Service::<Request<Body>>::poll_ready(&mut self.0, context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let answer = self.0.call(request);
        Box::pin(async move {
            let response = answer.await?;
            let too_long = response.extensions().get::<Status>().is_some_and(is_too_long);
            Ok(if too_long {
                identified(status::request_too_long(MAX_REQUEST_BYTES)).into_http()
            } else {
                response
            })
        })
    }
}

fn is_too_long(status: &Status) -> bool {
    status.code() == Code::OutOfRange && status.message().starts_with(TOO_LONG)
}
