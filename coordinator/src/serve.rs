//! The server of analysts, from its start to its stop.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};

use crate::dispatch::{Federation, REFRESH};
use crate::flight::Service;
use crate::query::Engine;
use crate::settings::Front;
use crate::{Error, Settings};

/// Longest time that running questions have after the stop.
const GRACE: Duration = Duration::from_secs(30);

/// Longest list of headers read: drivers pass all of a connection's properties on.
const MAX_HEADER_BYTES: u32 = 64 * 1024;

/// Serves analysts on `listener` until `shutdown`. Nodes are asked who they are at start and from time to time.
///
/// # Errors
/// Whatever keeps it from starting or serving.
pub async fn run(
    settings: Settings,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let Settings { timeout, session_idle, tls, front, access, limits, contracts, roster, references, .. } =
        settings;
    if let Some(fingerprint) = &front.fingerprint {
        tracing::warn!(%fingerprint, "analysts are shown the development certificate: compare its SHA-256 fingerprint");
    }
    let federation = Federation::new(roster, &tls, contracts.clone()).map_err(Error::Tls)?;
    let engine = Engine::new(Arc::clone(&federation), &contracts, references).await?;
    federation.refresh().await;
    let service = Service::new(engine, access, timeout, session_idle, limits);
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let (stopping, stopped) = tokio::sync::oneshot::channel::<()>();
    let (readiness, health) = jigsaw_proto::health::service();
    let services = server(&front)?.add_service(service.server()).add_service(health);
    let answering = services.serve_with_incoming_shutdown(incoming, async {
        shutdown.await;
        drop(readiness);
        // Nobody listens any more only when serving has ended.
        _ = stopping.send(());
    });
    let refreshing = async {
        loop {
            tokio::time::sleep(REFRESH).await;
            federation.refresh().await;
        }
    };
    let abandoning = async {
        if stopped.await.is_err() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(timeout.min(GRACE)).await;
        tracing::warn!("clients still hold answers: they are abandoned");
    };
    tokio::select! {
        ended = answering => ended.map_err(Error::Serve),
        () = abandoning => Ok(()),
        () = refreshing => Ok(()),
    }
}

/// A server for analysts. Connections are tried now and then, so that the questions of those that vanished end.
pub(crate) fn server(front: &Front) -> Result<Server, Error> {
    let server = Server::builder()
        .tcp_nodelay(true)
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .http2_max_header_list_size(MAX_HEADER_BYTES);
    let Some((certificate, key)) = &front.certificate else { return Ok(server) };
    let mut tls = ServerTlsConfig::new().identity(Identity::from_pem(certificate, key));
    if let Some(authority) = &front.client_ca {
        tls = tls.client_ca_root(Certificate::from_pem(authority)).client_auth_optional(true);
    }
    { server }.tls_config(tls).map_err(Error::Tls)
}
