//! Why a node does not run.

use std::path::PathBuf;

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
