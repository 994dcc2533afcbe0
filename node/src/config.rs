//! The configuration file's words: they can only be wrong about spelling. What they mean is decided in [`crate::settings`].

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use jigsaw_proto::id::NodeId;
use jigsaw_proto::release::ReleaseMode;
use serde::Deserialize;

/// The whole file; `node.example.toml` explains every key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// who this node is
    pub node: NodeWords,
    /// certificates
    pub tls: TlsWords,
    /// whom it serves
    #[serde(rename = "coordinator")]
    pub coordinators: Vec<CoordinatorWords>,
    /// where it keeps its record
    pub audit: AuditWords,
    /// what it holds
    #[serde(rename = "dataset", default)]
    pub datasets: Vec<DatasetWords>,
}

/// `[node]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeWords {
    /// its id
    pub id: NodeId,
    /// its name for people
    pub title: String,
    /// address and port it listens on
    pub listen: SocketAddr,
    /// fragments run at once
    #[serde(default = "eight")]
    pub max_concurrent_fragments: usize,
    /// memory for all of them, in MiB
    #[serde(default = "half_a_gigabyte")]
    pub max_memory_mb: usize,
    /// longest run of one, in seconds
    #[serde(default = "a_minute")]
    pub deadline_seconds: u64,
    /// threads for one fragment; default: one a core
    pub threads: Option<usize>,
}

fn eight() -> usize {
    8
}

fn half_a_gigabyte() -> usize {
    512
}

fn a_minute() -> u64 {
    60
}

/// `[tls]`: PEM files
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsWords {
    /// this node's certificate chain
    pub certificate: PathBuf,
    /// its private key
    pub key: PathBuf,
    /// authority that signs coordinators
    pub client_ca: PathBuf,
}

/// `[[coordinator]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoordinatorWords {
    /// DNS name in its certificate
    pub identity: String,
}

/// `[audit]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditWords {
    /// the log, JSON lines
    pub file: PathBuf,
    /// the key that signs it, made at the first start; default: beside the log, with `.key` after its name
    pub key: Option<PathBuf>,
    /// size after which the log goes on in a new file, in MiB
    #[serde(default = "sixty_four")]
    pub rotate_mb: u64,
}

fn sixty_four() -> u64 {
    64
}

/// `[[dataset]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetWords {
    /// its contract
    pub contract: PathBuf,
    /// file, glob, folder or URL
    pub source: String,
    /// what the files are; default: from their ending
    pub format: Option<FormatWord>,
    /// how to read CSV
    pub csv: Option<CsvWords>,
    /// mapping from the source's columns to the contract's
    pub select: Option<String>,
    /// what may be released; required
    pub policy: PolicyWords,
}

/// `format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum FormatWord {
    Parquet,
    Csv,
}

/// `[dataset.csv]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CsvWords {
    /// one character
    #[serde(default = "comma")]
    pub delimiter: char,
    /// whether the first line names the columns
    #[serde(default = "yes")]
    pub header: bool,
    /// texts that stand for NULL, beside the empty text
    #[serde(default)]
    pub null_values: Vec<String>,
    /// types of the file's columns, in the file's order; default: all text with `select`, else the contract's
    #[serde(default)]
    pub columns: BTreeMap<String, String>,
}

impl CsvWords {
    /// How CSV is read when nothing is said.
    pub fn plain() -> Self {
        Self { delimiter: comma(), header: yes(), null_values: vec![], columns: BTreeMap::new() }
    }
}

fn comma() -> char {
    ','
}

fn yes() -> bool {
    true
}

/// `[dataset.policy]`
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyWords {
    /// `open` or `protected`
    pub release: ReleaseMode,
    /// least number of entities of a cell
    pub threshold: Option<u32>,
    /// base that counts are rounded to
    pub rounding: Option<u32>,
}
