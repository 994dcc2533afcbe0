//! One channel to the coordinator, and the metadata every request carries.

use std::error::Error as _;
use std::time::Duration;

use arrow_flight::flight_service_client::FlightServiceClient;
use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use crate::failure::Failure;
use crate::settings::{Proof, Settings};

/// Largest single message accepted: a record batch.
const MESSAGE_LIMIT: usize = 64 << 20;

/// A signed-in way to ask.
pub(crate) struct Session {
    pub(crate) flight: FlightServiceClient<Channel>,
    pub(crate) proof: Proof,
    authorization: Option<MetadataValue<Ascii>>,
}

impl Session {
    /// A request that says who asks.
    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(value) = &self.authorization {
            request.metadata_mut().insert("authorization", value.clone());
        }
        request
    }
}

/// Opens the connection; the first request shows whether the token is good.
pub(crate) async fn connect(settings: &Settings) -> Result<Session, Failure> {
    let server = &settings.server;
    let wrong = |error: tonic::transport::Error| Failure::Connection {
        message: format!(
            "cannot reach {server}: {}; is the address right and the server running?",
            cause(&error)
        ),
    };
    let mut endpoint = Endpoint::from_shared(server.to_string())
        .map_err(wrong)?
        .user_agent(concat!("jigsaw/", env!("CARGO_PKG_VERSION")))
        .map_err(wrong)?
        .connect_timeout(Duration::from_secs(10))
        .http2_keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10));
    if let Some(ca) = &settings.ca {
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca));
        endpoint = endpoint.tls_config(tls).map_err(wrong)?;
    }
    let channel = endpoint.connect().await.map_err(wrong)?;
    let flight = FlightServiceClient::new(channel).max_decoding_message_size(MESSAGE_LIMIT);
    Ok(Session { flight, proof: settings.proof.clone(), authorization: settings.authorization.clone() })
}

/// The innermost cause: the layers above it only say "transport error".
fn cause(error: &tonic::transport::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    if let Some(first) = error.source() {
        cause = first;
    }
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
