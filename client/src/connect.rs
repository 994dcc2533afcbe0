//! One channel to the coordinator, and the metadata every request carries.

use std::error::Error as _;
use std::time::Duration;

use arrow_flight::HandshakeRequest;
use arrow_flight::flight_service_client::FlightServiceClient;
use futures::stream;
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};

use crate::credentials::{Header, basic, bearer};
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
    /// User and password, for when what they were exchanged for is no longer good.
    password: Option<MetadataValue<Ascii>>,
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

    /// Signs in with user and password, if that is the way; whether it is.
    pub(crate) async fn sign_in(&mut self) -> Result<bool, Failure> {
        let Some(header) = self.password.clone() else { return Ok(false) };
        let mut request = Request::new(stream::iter([HandshakeRequest::default()]));
        request.metadata_mut().insert("authorization", header);
        let answer = self.flight.handshake(request).await.map_err(not_signed_in)?;
        let token = answer.metadata().get("authorization").and_then(|value| value.to_str().ok());
        let token = token.and_then(|value| value.split_once(' '));
        let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let token = token.and_then(|(_, token)| bearer(token).ok());
        self.authorization = Some(token.ok_or_else(|| {
            Failure::Connection {
                message:
                    "the server takes the password and gives no token for it: is it a Jigsaw coordinator?"
                        .to_owned(),
            }
        })?);
        Ok(true)
    }

    /// Forgets the session; whether there was one.
    pub(crate) fn forget(&mut self) -> bool {
        self.cookie.take().is_some()
    }
}

/// Why signing in failed. The connection is there, and the question has not been asked.
fn not_signed_in(status: Status) -> Failure {
    let message = match status.code() {
        Code::Unauthenticated => return Failure::from(status),
        Code::Unimplemented => "the server signs nobody in with a password".to_owned(),
        _ => format!("signing in failed: {}", status.message()),
    };
    Failure::Connection { message }
}

/// Opens the connection and signs in; the first request shows whether a token is good.
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
        let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca));
        if let Some(own) = &settings.credentials.certificate {
            tls = tls.identity(own.identity.clone());
        }
        endpoint = endpoint.tls_config(tls).map_err(|error| unfit(settings, &error))?;
    }
    let channel = endpoint.connect().await.map_err(wrong)?;
    let flight = FlightServiceClient::new(channel).max_decoding_message_size(MESSAGE_LIMIT);
    let (authorization, password) = match &settings.credentials.header {
        Header::Nothing => (None, None),
        Header::Bearer(token) => (Some(token.clone()), None),
        Header::Password { user, password } => {
            (None, Some(basic(user, password.as_deref().unwrap_or_default())?))
        }
    };
    let mut session =
        Session { flight, proof: settings.proof.clone(), authorization, password, cookie: None };
    session.sign_in().await?;
    Ok(session)
}

/// Why certificates cannot be used.
fn unfit(settings: &Settings, error: &tonic::transport::Error) -> Failure {
    let what = match (&settings.credentials.certificate, &settings.ca_file) {
        (Some(own), _) => format!("the client certificate in {} and its key", own.file.display()),
        (None, Some(file)) => format!("the certificates in {}", file.display()),
        (None, None) => "the certificates".to_owned(),
    };
    Failure::usage(format!("{what} cannot be used: {}", cause(error)))
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
