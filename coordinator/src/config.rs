//! The configuration file's words; `coordinator.example.toml` explains every key. What they mean is in [`crate::settings`].

use std::net::SocketAddr;
use std::path::PathBuf;

use jigsaw_proto::id::{DatasetName, NodeId};
use jigsaw_proto::identity::IssuerWords;
use jigsaw_proto::pace::Limits;
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
    /// how much one principal may ask
    #[serde(default)]
    pub limits: Limits,
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

/// `[access]`: at least one way to sign in, or `anonymous` alone
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessWords {
    /// file of analysts and the hashes of their tokens
    pub tokens: Option<PathBuf>,
    /// file of users and the hashes of their passwords
    pub users: Option<PathBuf>,
    /// authority that signs analysts' certificates
    pub client_ca: Option<PathBuf>,
    /// identity providers whose tokens are taken
    #[serde(rename = "issuer", default)]
    pub issuers: Vec<IssuerWords>,
    /// whether tokens of issuers are passed on to nodes
    #[serde(default)]
    pub forward_tokens: bool,
    /// anybody may ask; on a loopback address only
    #[serde(default)]
    pub anonymous: bool,
    /// the certificate shown to analysts
    #[serde(default)]
    pub tls: TlsWord,
    /// no TLS towards analysts; on a loopback address only
    #[serde(default)]
    pub plaintext: bool,
}

/// `tls` in `[access]`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsWord {
    /// that of `[tls]`
    #[default]
    Configured,
    /// one that is made at the first start
    Development,
}

/// The file of `users`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsersFile {
    /// who may ask
    #[serde(rename = "user", default)]
    pub users: Vec<UserWords>,
}

/// `[[user]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserWords {
    /// name in the audit logs of nodes
    pub name: String,
    /// Argon2id hash of the password
    pub password: String,
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
