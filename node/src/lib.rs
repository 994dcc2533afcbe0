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
mod error;
mod execute;
mod ledger;
mod node;
mod pipeline;
mod secret;
pub mod server;
pub mod settings;
mod sources;
mod validate;

use std::sync::Arc;

use futures::Stream;
use tokio::net::TcpListener;

pub use audit::verify::{Unreadable as AuditUnreadable, problems as audit_problems};
pub use disclose::Release;
pub use error::Error;
pub use execute::Raw;
pub use settings::Settings;

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

/// As [`run`], and reads the list of datasets and all policies again whenever `reloads` has an item. One that is wrong is logged
/// and leaves all in force as they were.
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
