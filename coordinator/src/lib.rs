#![doc = include_str!("../README.md")]
//!
//! # The life of a question
//! Read `query` first: parse → plan → split → physical plan → dispatch and merge.
//!
//! # Map, in reading order
//! * `query` – the stages in a row
//! * `plan` – SQL text to a plan, and its result to what clients can read
//! * `split` – cuts the plan: fragments for nodes, merges here
//! * `dispatch` – a fragment to all nodes at once, and what became of each
//! * `merge` – states that SQL's own aggregates do not merge
//! * `catalogue` – what can be named: datasets, reference tables, tables about the federation
//! * `notes` – what is said beside an answer
//! * `flight`, `auth` – Flight SQL, and who may speak it
//! * [`config`], [`settings`] – the file's words, and what they mean
//! * [`cli`] – `serve` and `check`

mod auth;
mod catalogue;
pub mod cli;
pub mod config;
mod dispatch;
mod flight;
mod merge;
mod notes;
mod plan;
mod query;
pub mod settings;
mod split;

use std::sync::Arc;

use dispatch::{Federation, REFRESH};
use flight::Service;
use query::Engine;
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Identity, Server, ServerTlsConfig};

pub use query::QueryError;
pub use settings::Settings;

/// Why a coordinator does not start or stopped serving.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// a reference table cannot be read, or the catalogue makes no sense
    #[error(transparent)]
    Catalogue(#[from] QueryError),
    /// the certificate, key, authority or an address cannot be used
    #[error("the certificate, key, node_ca or a node's address cannot be used")]
    Tls(#[source] tonic::transport::Error),
    /// the socket failed
    #[error("the server stopped")]
    Serve(#[source] tonic::transport::Error),
}

/// Serves analysts on `listener` until `shutdown`. Nodes are asked who they are at start and from time to time.
///
/// # Errors
/// Whatever keeps it from starting or serving.
pub async fn run(
    settings: Settings,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let Settings { timeout, tls, plaintext, access, contracts, roster, references, .. } = settings;
    let federation = Federation::new(roster, &tls, contracts.clone()).map_err(Error::Tls)?;
    let engine = Engine::new(Arc::clone(&federation), &contracts, references).await?;
    federation.refresh().await;
    let service = Service::new(engine, access, timeout);
    let mut server = Server::builder().tcp_nodelay(true);
    if !plaintext {
        let identity = Identity::from_pem(&tls.certificate, &tls.key);
        server = server.tls_config(ServerTlsConfig::new().identity(identity)).map_err(Error::Tls)?;
    }
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let answering = server.add_service(service.server()).serve_with_incoming_shutdown(incoming, shutdown);
    let refreshing = async {
        loop {
            tokio::time::sleep(REFRESH).await;
            federation.refresh().await;
        }
    };
    tokio::select! {
        ended = answering => ended.map_err(Error::Serve),
        () = refreshing => Ok(()),
    }
}
