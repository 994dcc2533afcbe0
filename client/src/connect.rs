//! One channel to the coordinator, and the metadata every request carries.

use std::error::Error as _;
use std::time::Duration;

use arrow_flight::flight_service_client::FlightServiceClient;
use tonic::Request;
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use crate::failure::Failure;
use crate::settings::{Proof, Settings};

/// Largest single message accepted: a record batch.
const MESSAGE_LIMIT: usize = 64 << 20;

/// The cookie under which the coordinator keeps what `SET` set.
const COOKIE: &str = "arrow_flight_session_id";

/// A signed-in way to ask.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) flight: FlightServiceClient<Channel>,
    pub(crate) proof: Proof,
    authorization: Option<MetadataValue<Ascii>>,
    cookie: Option<MetadataValue<Ascii>>,
}

impl Session {
    /// A request that says who asks.
    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(value) = &self.authorization {
            request.metadata_mut().insert("authorization", value.clone());
        }
        if let Some(cookie) = &self.cookie {
            request.metadata_mut().insert("cookie", cookie.clone());
        }
        request
    }

    /// Keeps the session's cookie, if the head of an answer has one; an empty one ends the session.
    pub(crate) fn keep(&mut self, head: &MetadataMap) {
        for line in head.get_all("set-cookie").iter().filter_map(|line| line.to_str().ok()) {
            let pair = line.split(';').next().unwrap_or_default().trim();
            match pair.split_once('=') {
                Some((COOKIE, "")) => self.cookie = None,
                Some((COOKIE, _)) => self.cookie = pair.parse().ok(),
                _ => {}
            }
        }
    }

    /// Forgets the session; whether there was one.
    pub(crate) fn forget(&mut self) -> bool {
        self.cookie.take().is_some()
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
    Ok(Session {
        flight,
        proof: settings.proof.clone(),
        authorization: settings.authorization.clone(),
        cookie: None,
    })
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
