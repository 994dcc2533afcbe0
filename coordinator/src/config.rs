//! The configuration file's words; `coordinator.example.toml` explains every key. What they mean is in [`crate::settings`].

use std::net::SocketAddr;
use std::path::PathBuf;

use jigsaw_proto::id::{DatasetName, NodeId};
use serde::Deserialize;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// this coordinator
    pub coordinator: CoordinatorWords,
    /// certificates
    pub tls: TlsWords,
    /// who may ask
    pub access: AccessWords,
    /// the roster
    #[serde(rename = "node", default)]
    pub nodes: Vec<NodeWords>,
    /// public tables
    #[serde(rename = "reference", default)]
    pub references: Vec<ReferenceWords>,
}

/// `[coordinator]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoordinatorWords {
    /// address and port analysts connect to
    pub listen: SocketAddr,
    /// folder of contract files
    pub contracts: PathBuf,
    /// longest time for one question
    #[serde(default = "half_a_minute")]
    pub query_timeout_seconds: u64,
    /// how long a session lives without being used
    #[serde(default = "four_hours")]
    pub session_idle_seconds: u64,
}

fn half_a_minute() -> u64 {
    30
}

fn four_hours() -> u64 {
    14_400
}

/// `[tls]`: PEM files
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsWords {
    /// this coordinator's certificate chain, towards nodes and analysts
    pub certificate: PathBuf,
    /// its private key
    pub key: PathBuf,
    /// authority that signs nodes
    pub node_ca: PathBuf,
}

/// `[access]`: exactly one of `tokens` and `anonymous`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessWords {
    /// file of analysts and the hashes of their tokens
    pub tokens: Option<PathBuf>,
    /// anybody may ask; on a loopback address only
    #[serde(default)]
    pub anonymous: bool,
    /// no TLS towards analysts; on a loopback address only
    #[serde(default)]
    pub plaintext: bool,
}

/// The file of `tokens`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokensFile {
    /// who may ask
    #[serde(rename = "analyst")]
    pub analysts: Vec<AnalystWords>,
}

/// `[[analyst]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnalystWords {
    /// name in the audit logs of nodes
    pub name: String,
    /// SHA-256 of the token, 64 hexadecimal digits
    pub token_sha256: String,
}

/// `[[node]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeWords {
    /// its id
    pub id: NodeId,
    /// `https://host:port`
    pub address: String,
    /// DNS name in its certificate
    pub identity: String,
}

/// `[[reference]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferenceWords {
    /// name in SQL
    pub name: DatasetName,
    /// CSV or Parquet file
    pub source: PathBuf,
    /// what one row is
    #[serde(default)]
    pub description: String,
}
