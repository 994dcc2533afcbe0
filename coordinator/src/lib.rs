#![doc = include_str!("../README.md")]
//!
//! # The life of a question
//! Read `query` first: parse → plan → split → physical plan → dispatch and merge.
//!
//! # Map, in reading order
//! * `query` – the stages in a row
//! * `plan` – SQL text to a plan, and its result to what clients can read
//! * `keys` – conditions on public tables as lists of keys, before the cut
//! * `split` – cuts the plan: fragments for nodes, merges here
//! * `dispatch` – a fragment to all nodes at once, and what became of each
//! * `merge` – states that SQL's own aggregates do not merge
//! * `catalogue` – what can be named: datasets, reference tables, tables about the federation
//! * `cell_status` – how good each released figure is, as columns beside it
//! * `notes` – what is said beside an answer
//! * `flight`, `auth` – Flight SQL, and who may speak it
//! * `serve` – the server, from its start to its stop
//! * [`config`], [`settings`] – the file's words, and what they mean
//! * [`cli`] – `serve` and `check`

mod auth;
mod catalogue;
mod cell_status;
pub mod cli;
pub mod config;
mod dispatch;
mod flight;
mod keys;
mod merge;
mod notes;
mod plan;
mod query;
mod serve;
pub mod settings;
mod split;

pub use query::QueryError;
pub use serve::run;
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
