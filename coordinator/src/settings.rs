//! What the configuration means: checked, resolved, immutable.

mod access;
mod development;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jigsaw_proto::contract::Contract;
use jigsaw_proto::id::DatasetName;
use jigsaw_proto::pace::Limits;
use jigsaw_proto::tls::TlsMaterial;

use crate::auth::Access;
use crate::catalogue::ReferenceEntry;
use crate::config::{Config, NodeWords, ReferenceWords};
use crate::dispatch::NodeEntry;
use access::Place;
pub(crate) use access::{Front, users};

/// A configuration that can be run.
#[derive(Debug)]
pub struct Settings {
    pub(crate) listen: SocketAddr,
    pub(crate) timeout: Duration,
    pub(crate) session_idle: Duration,
    pub(crate) tls: TlsMaterial,
    pub(crate) front: Front,
    pub(crate) access: Access,
    pub(crate) limits: Limits,
    pub(crate) contracts: BTreeMap<DatasetName, Arc<Contract>>,
    pub(crate) roster: Vec<NodeEntry>,
    pub(crate) references: Vec<ReferenceEntry>,
}

/// A configuration that cannot be run: one sentence that says what is wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {problem}")]
pub struct SettingsError {
    file: String,
    problem: String,
}

/// One day.
const LONGEST_QUERY_SECONDS: u64 = 86_400;

/// One week.
const LONGEST_IDLE_SECONDS: u64 = 604_800;

type Result<T> = std::result::Result<T, SettingsError>;

fn wrong(file: &Path, problem: impl Into<String>) -> SettingsError {
    SettingsError { file: file.display().to_string(), problem: problem.into() }
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| wrong(path, format!("the file cannot be read: {error}")))
}

impl Settings {
    /// Reads and checks a configuration file. Relative paths in it are relative to its folder.
    ///
    /// # Errors
    /// The first thing that is wrong with it, or with a file it names.
    pub fn load(path: &Path) -> Result<Self> {
        let config: Config = toml::from_str(&read(path)?).map_err(|error| wrong(path, error.to_string()))?;
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let Config { coordinator, tls, access, limits, nodes, references } = config;
        if !(1..=LONGEST_QUERY_SECONDS).contains(&coordinator.query_timeout_seconds) {
            let problem = format!("[coordinator]: query_timeout_seconds is not 1 to {LONGEST_QUERY_SECONDS}");
            return Err(wrong(path, problem));
        }
        if !(1..=LONGEST_IDLE_SECONDS).contains(&coordinator.session_idle_seconds) {
            let problem = format!("[coordinator]: session_idle_seconds is not 1 to {LONGEST_IDLE_SECONDS}");
            return Err(wrong(path, problem));
        }
        let place = Place { file: path, folder: &folder, listen: coordinator.listen };
        let tls = TlsMaterial {
            certificate: read(&folder.join(tls.certificate))?,
            key: read(&folder.join(tls.key))?,
            authority: read(&folder.join(tls.node_ca))?,
        };
        Ok(Self {
            listen: coordinator.listen,
            timeout: Duration::from_secs(coordinator.query_timeout_seconds),
            session_idle: Duration::from_secs(coordinator.session_idle_seconds),
            front: place.front(&access, &tls)?,
            access: place.access(access)?,
            tls,
            limits: limits.checked().map_err(|problem| wrong(path, problem))?,
            contracts: contracts(&folder.join(coordinator.contracts))?,
            roster: roster(nodes, path)?,
            references: references
                .into_iter()
                .map(|ReferenceWords { name, source, description }| ReferenceEntry {
                    name,
                    source: folder.join(source),
                    description,
                })
                .collect(),
        })
    }

    /// Where it listens.
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }
}

fn roster(nodes: Vec<NodeWords>, path: &Path) -> Result<Vec<NodeEntry>> {
    let mut ids = BTreeSet::new();
    let entries = nodes.into_iter().map(|NodeWords { id, address, identity }| {
        if !ids.insert(id.clone()) {
            return Err(wrong(path, format!("node {id} is listed twice: one [[node]] each")));
        }
        if !address.starts_with("https://") {
            return Err(wrong(path, format!("node {id}: address {address} must start with https://")));
        }
        Ok(NodeEntry { id, address, identity })
    });
    entries.collect()
}

fn contracts(folder: &Path) -> Result<BTreeMap<DatasetName, Arc<Contract>>> {
    let listed =
        fs::read_dir(folder).map_err(|error| wrong(folder, format!("the folder cannot be read: {error}")))?;
    let mut files: Vec<_> = listed.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "toml"));
    files.sort();
    let mut contracts = BTreeMap::new();
    for file in files {
        let contract = Contract::parse(&read(&file)?).map_err(|error| {
            let cause =
                std::error::Error::source(&error).map_or_else(String::new, |source| format!(": {source}"));
            wrong(&file, format!("{error}{cause}"))
        })?;
        let name = contract.name.clone();
        if contracts.insert(name.clone(), Arc::new(contract)).is_some() {
            return Err(wrong(&file, format!("there are two contracts for {name}: keep the one in force")));
        }
    }
    Ok(contracts)
}
