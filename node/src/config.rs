//! The configuration file's words: they can only be wrong about spelling. What they mean is decided in [`crate::settings`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use jigsaw_proto::contract::Conditions;
use jigsaw_proto::id::NodeId;
use jigsaw_proto::identity::IssuerWords;
use jigsaw_proto::pace::Limits;
use jigsaw_proto::release::ReleaseMode;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use crate::disclose::policy::budget::BudgetWords;
use crate::disclose::policy::grants::GrantWords;

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
    /// how it verifies analysts; absent: it takes the coordinator's word
    pub identity: Option<IdentityWords>,
    /// how much one principal may ask
    #[serde(default)]
    pub limits: Limits,
    /// where it keeps its record
    pub audit: AuditWords,
    /// where it keeps its secret and its memory; default: beside the audit log
    pub disclosure: Option<DisclosureWords>,
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

/// `[identity]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityWords {
    /// the federation that statements must be made for
    pub audience: String,
    /// what a statement must name
    #[serde(default)]
    pub binding: BindingWord,
    /// whether a grant may go by a purpose that only the coordinator states
    #[serde(default)]
    pub stated_purpose: bool,
    /// whether tokens are taken that whoever holds them can use
    #[serde(default)]
    pub bearer_tokens: bool,
    /// how far clocks may be apart, in seconds
    #[serde(default = "half_a_minute")]
    pub clock_skew_seconds: u64,
    /// longest time that a statement is good, in seconds
    #[serde(default = "five_minutes")]
    pub max_statement_seconds: u64,
    /// most uses of a statement that names no fragments
    #[serde(default = "sixteen")]
    pub max_uses: u32,
    /// identity providers whose tokens are taken
    #[serde(rename = "issuer", default)]
    pub issuers: Vec<IssuerWords>,
    /// analysts who sign for themselves
    #[serde(rename = "analyst", default)]
    pub analysts: Vec<AnalystWords>,
}

const fn half_a_minute() -> u64 {
    30
}

const fn five_minutes() -> u64 {
    300
}

const fn sixteen() -> u32 {
    16
}

/// `binding`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BindingWord {
    /// the fragments, each by its SHA-256
    #[default]
    Fragment,
    /// the datasets at least
    Dataset,
}

/// `[[identity.analyst]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnalystWords {
    /// name in grants and in the audit log
    pub name: String,
    /// Ed25519, 32 bytes in base64
    pub public_key: String,
    /// groups for grants
    #[serde(default)]
    pub groups: BTreeSet<String>,
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

/// `[disclosure]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisclosureWords {
    /// folder of this node alone
    pub folder: PathBuf,
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
    /// the only values of dimensions that are served; default: any
    #[serde(default)]
    pub only: BTreeMap<String, Vec<toml::Value>>,
    /// what may be released; required
    pub policy: PolicyPlace,
}

/// `policy = "file"`, or the table `[dataset.policy]`
#[derive(Debug)]
pub enum PolicyPlace {
    /// in the configuration file
    Here(Box<PolicyWords>),
    /// in a file of its own
    File(PathBuf),
}

impl<'de> Deserialize<'de> for PolicyPlace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PolicyVisitor)
    }
}

/// Decides by what it meets, so that a mistake is told with its own words and line.
struct PolicyVisitor;

impl<'de> Visitor<'de> for PolicyVisitor {
    type Value = PolicyPlace;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table, or the path of a policy file")
    }

    fn visit_str<E: de::Error>(self, path: &str) -> Result<PolicyPlace, E> {
        Ok(PolicyPlace::File(path.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PolicyPlace, A::Error> {
        let words = PolicyWords::deserialize(MapAccessDeserializer::new(map))?;
        Ok(PolicyPlace::Here(Box::new(words)))
    }
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

/// `[dataset.policy]`, and the whole of a policy file
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyWords {
    /// `open` or `protected`
    pub release: Spanned<ReleaseMode>,
    /// least number of entities of a cell; default: 10, or the contract's if that is more
    pub threshold: Option<Spanned<u32>>,
    /// base that counts are rounded to; default: 5, or the contract's if that is more
    pub rounding: Option<Spanned<u32>>,
    /// who may ask; default: everyone whom the coordinator serves
    pub grant: Option<Spanned<Vec<GrantWords>>>,
    /// columns that may be tested against a constant; default: those that their role opens to it
    pub compare_literals: Option<Vec<Spanned<String>>>,
    /// pairs of columns that may be compared with each other; default: those that may be tested
    pub compare_columns: Option<Vec<(Spanned<String>, Spanned<String>)>>,
    /// most constants that one question tests one column against; default: one in a cube, else no limit but that of its size
    pub max_in_list: Option<Spanned<usize>>,
    /// edges of the columns that are tested only there
    pub bins: Option<BTreeMap<Spanned<String>, Spanned<Vec<f64>>>>,
    /// which sets of rows a question may ask about; default: `cube`
    pub conditions: Option<Spanned<Conditions>>,
    /// what it answers on one day; default: 1000 aggregates if it is protected, or the contract's number if that is less
    pub budget: Option<BudgetWords>,
    /// `dense`: answers have every cell that the contract's codes span; default: the groups that are shown
    pub grid: Option<Spanned<GridWord>>,
    /// bounds of measures, within the contract's: values outside count as the bound next to them
    pub bounds: Option<BoundsWords>,
    /// how much of a cell may be one or two entities' own
    pub dominance: Option<Spanned<DominanceWords>>,
    /// columns whose value must not be told of everybody in a group
    #[serde(default)]
    pub sensitive: Vec<Spanned<String>>,
    /// table of what is added to counts
    pub perturbation: Option<Spanned<PathBuf>>,
    /// whether cells are compared with those released before
    pub overlap_guard: Option<bool>,
    /// answers leave at multiples of so many milliseconds; 0: at once
    pub tick_milliseconds: Option<u64>,
}

/// `bounds`: least and greatest, by column
pub type BoundsWords = BTreeMap<Spanned<String>, Spanned<(f64, f64)>>;

/// `grid`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GridWord {
    /// the groups that are shown
    Sparse,
    /// every cell that the contract's codes span
    Dense,
}

/// `dominance`
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged, expecting = "dominance is \"off\" or { p = 10, n = 2, k = 90 }")]
pub enum DominanceWords {
    /// `"off"`
    Off(OffWord),
    /// the p % rule and the (n,k) rule
    Rules(DominanceRules),
}

/// `off`
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OffWord {
    /// spelled out
    Off,
}

/// Percentages and a number of entities.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the parameters' names in the literature")]
pub struct DominanceRules {
    pub p: f64,
    pub n: usize,
    pub k: f64,
}
