#![doc = include_str!("../README.md")]
//!
//! # Map, in reading order
//! * `pipeline` – the stages in a row: authorise → validate → execute → disclose, with an audit entry from first to last
//! * `authorise` – who asks → `Permit`
//! * `validate` – what is asked, and whether every column is used as its role allows → `Approved`
//! * `execute` – the aggregation over this node's rows → [`Raw`]
//! * [`disclose`] – what the policy lets out → [`Release`]
//! * `secret` – what tells entities apart without naming them
//! * `audit` – the end of every request, chained, signed and on disk before anything leaves
//! * `ledger` – what of the day's budgets is spent
//! * `sources` – the node's own tables, mapped to their contracts
//! * [`server`] – Arrow Flight, and nothing decided
//! * [`config`], [`settings`] – the file's words, and what they mean
//! * [`cli`] – `serve`, `check`, `policy` and `audit`

mod audit;
mod authorise;
pub mod cli;
pub mod config;
pub mod disclose;
mod execute;
mod ledger;
mod node;
mod pipeline;
mod secret;
pub mod server;
pub mod settings;
mod sources;
mod validate;

use std::path::PathBuf;
use std::sync::Arc;

use futures::Stream;
use tokio::net::TcpListener;

pub use audit::verify::{Unreadable as AuditUnreadable, problems as audit_problems};
pub use disclose::Release;
pub use execute::Raw;
pub use settings::Settings;

/// Why a node does not start or stopped serving.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// a dataset cannot be opened
    #[error("{0}")]
    Source(String),
    /// the audit log cannot be opened
    #[error("the audit log {path} cannot be opened for appending", path = path.display())]
    Audit {
        /// where it should be
        path: PathBuf,
        /// why not
        source: std::io::Error,
    },
    /// the secret or the memory of released cells cannot be used
    #[error("the node's secret and its memory of released cells, in {folder}, cannot be used", folder = folder.display())]
    Disclosure {
        /// where they should be
        folder: PathBuf,
        /// why not
        source: std::io::Error,
    },
    /// the record of budgets cannot be used
    #[error("the record of budgets beside the audit log cannot be used")]
    Ledger(#[source] std::io::Error),
    /// the certificate, key or authority cannot be used
    #[error(
        "the certificate, key or client_ca cannot be used: each must be PEM, and the key must fit the certificate"
    )]
    Tls(#[source] tonic::transport::Error),
    /// the socket failed
    #[error("the server stopped")]
    Serve(#[source] tonic::transport::Error),
    /// the engine cannot be set up
    #[error("the query engine cannot be set up: is there memory and a place for temporary files?")]
    Engine,
}

/// Opens everything that `settings` name, then serves on `listener` until `shutdown`. Running fragments may finish.
///
/// # Errors
/// Whatever keeps it from starting or serving.
pub async fn run(
    settings: Settings,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    run_reloading(settings, listener, futures::stream::empty(), shutdown).await
}

/// As [`run`], and reads all policies again whenever `reloads` has an item. One that is wrong is logged and leaves all in
/// force as they were.
///
/// # Errors
/// Whatever keeps it from starting or serving.
pub async fn run_reloading(
    settings: Settings,
    listener: TcpListener,
    reloads: impl Stream<Item = ()> + Send,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let tls = settings.tls.clone();
    let node = Arc::new(node::Node::open(settings).await?);
    tracing::info!(node = %node.id, datasets = node.datasets().len(), "serving");
    tokio::select! {
        served = server::serve(Arc::clone(&node), &tls, listener, shutdown) => served,
        never = node::reloading(Arc::clone(&node), reloads) => match never {},
    }
}
