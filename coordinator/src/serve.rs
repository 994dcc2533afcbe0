//! The server of analysts, from its start to its stop.

use std::sync::Arc;
use std::time::Duration;

use jigsaw_proto::tls::TlsMaterial;
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Identity, Server, ServerTlsConfig};

use crate::dispatch::{Federation, REFRESH};
use crate::flight::Service;
use crate::query::Engine;
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
    let Settings { timeout, session_idle, tls, plaintext, access, contracts, roster, references, .. } =
        settings;
    let federation = Federation::new(roster, &tls, contracts.clone()).map_err(Error::Tls)?;
    let engine = Engine::new(Arc::clone(&federation), &contracts, references).await?;
    federation.refresh().await;
    let service = Service::new(engine, access, timeout, session_idle);
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let (stopping, stopped) = tokio::sync::oneshot::channel::<()>();
    let answering = server(&tls, plaintext)?.add_service(service.server()).serve_with_incoming_shutdown(
        incoming,
        async {
            shutdown.await;
            // Nobody listens any more only when serving has ended.
            _ = stopping.send(());
        },
    );
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
pub(crate) fn server(tls: &TlsMaterial, plaintext: bool) -> Result<Server, Error> {
    let server = Server::builder()
        .tcp_nodelay(true)
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .http2_max_header_list_size(MAX_HEADER_BYTES);
    if plaintext {
        return Ok(server);
    }
    let identity = Identity::from_pem(&tls.certificate, &tls.key);
    { server }.tls_config(ServerTlsConfig::new().identity(identity)).map_err(Error::Tls)
}
