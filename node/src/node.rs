//! A running node: what it holds and what it gives to questions.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::pending;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::{Stream, StreamExt};
use jigsaw_proto::fragment::Fragment;
use jigsaw_proto::id::{DatasetName, NodeId};
use jigsaw_proto::identity::unix_seconds;
use jigsaw_proto::release::NodeDescription;
use jigsaw_proto::wire::PROTOCOL_VERSION;
use jigsaw_proto::wire::unix_ms;
use tracing::{error, info, warn};

use crate::Error;
use crate::audit::Audit;
use crate::authorise::{Gate, Identity, Tickets};
use crate::disclose::{Discloser, Guard};
use crate::execute::Engine;
use crate::ledger::Ledger;
use crate::secret::Secret;
use crate::settings::{Limits, Settings, SettingsError};
use crate::sources::{Dataset, SourceError};

/// The datasets of a node, each under its policy: one consistent set.
pub(crate) type Datasets = BTreeMap<DatasetName, Arc<Dataset>>;

/// Everything the pipeline needs, opened and checked.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) title: String,
    pub(crate) coordinators: Vec<String>,
    datasets: RwLock<Arc<Datasets>>,
    config: PathBuf,
    pub(crate) engine: Engine,
    pub(crate) discloser: Arc<Discloser>,
    pub(crate) audit: Audit,
    pub(crate) ledger: Ledger,
    pub(crate) gate: Gate,
    pub(crate) tickets: Tickets,
    pub(crate) limits: Limits,
}

impl Node {
    /// Opens the audit log and every dataset.
    pub(crate) async fn open(settings: Settings) -> Result<Self, Error> {
        let Settings {
            id,
            title,
            coordinators,
            audit,
            disclosure,
            limits,
            datasets: listed,
            file,
            identity,
            pace,
            ..
        } = settings;
        let runtime = Engine::runtime(limits.memory).map_err(|_| Error::Engine)?;
        let ledger = Ledger::open(&audit.file).map_err(Error::Ledger)?;
        let audit = Audit::open(&audit).map_err(|source| Error::Audit { path: audit.file, source })?;
        let mut datasets = BTreeMap::new();
        for settings in listed {
            let dataset =
                Dataset::open(settings, &runtime).await.map_err(|error| Error::Source(error.to_string()))?;
            datasets.insert(dataset.contract().name.clone(), Arc::new(dataset));
        }
        let discloser =
            discloser(&id, &disclosure).map_err(|source| Error::Disclosure { folder: disclosure, source })?;
        let engine = Engine::new(id.clone(), discloser.secret, runtime, limits.threads);
        match &identity {
            Some(identity) => info!(%identity, "who asks is verified here"),
            None => {
                warn!("the coordinator's word is taken for who asks and why: [identity] is not configured");
            }
        }
        let identity = identity.map(|settings| Identity::since(settings, unix_seconds()));
        let gate = Gate::new(limits.fragments, identity, pace);
        let (discloser, datasets) = (Arc::new(discloser), RwLock::new(Arc::new(datasets)));
        Ok(Self {
            id,
            title,
            coordinators,
            datasets,
            config: file,
            engine,
            discloser,
            audit,
            ledger,
            gate,
            tickets: Tickets::since(unix_ms()),
            limits,
        })
    }

    /// The datasets and their policies as they are now. Whoever decides about one question asks once: a reload in between
    /// changes nothing for it.
    pub(crate) fn datasets(&self) -> Arc<Datasets> {
        Arc::clone(&self.datasets.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The longest tick of the datasets a fragment names: answers about protected rows leave at its multiples.
    pub(crate) fn tick(&self, fragment: &Fragment) -> Duration {
        let datasets = self.datasets();
        let held = fragment.input.datasets().into_iter().filter_map(|name| datasets.get(name));
        held.map(|dataset| dataset.policy().tick()).max().unwrap_or(Duration::ZERO)
    }

    /// Reads the datasets of the configuration and their policies again, and puts them in force together: a new one is opened, one
    /// that is no longer listed is served no more. What is wrong leaves all as they were.
    ///
    /// # Errors
    /// What is wrong, with file and line; a source that cannot be opened; a contract that is not the one it serves.
    pub(crate) async fn reload(&self) -> Result<(), ReloadError> {
        let held = self.datasets();
        let mut listed = Datasets::new();
        for settings in crate::settings::datasets(&self.config)? {
            let name = settings.contract.name.clone();
            let dataset = match held.get(&name) {
                Some(dataset) if *dataset.contract() != settings.contract => {
                    return Err(ReloadError::Contract(name));
                }
                Some(dataset) if dataset.reads_as(&settings) => dataset.under(settings.policy),
                _ => Dataset::open(settings, self.engine.shared()).await?,
            };
            listed.insert(name, Arc::new(dataset));
        }
        *self.datasets.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(listed);
        Ok(())
    }

    /// How it describes itself to a coordinator.
    pub(crate) fn description(&self) -> NodeDescription {
        NodeDescription {
            node: self.id.clone(),
            title: self.title.clone(),
            protocol: PROTOCOL_VERSION,
            software: concat!("jigsaw-node ", env!("CARGO_PKG_VERSION")).to_owned(),
            datasets: self.datasets().values().map(|dataset| dataset.description()).collect(),
        }
    }
}

/// The node's secret and its memory of released cells, in a folder of its own.
fn discloser(node: &NodeId, folder: &Path) -> std::io::Result<Discloser> {
    std::fs::create_dir_all(folder)?;
    let secret = Secret::open(&folder.join("secret"))?;
    let guard = Guard::open(&folder.join("cells.jsonl"))?;
    Ok(Discloser { node: node.clone(), secret, guard })
}

/// Reloads at each item, and never ends.
pub(crate) async fn reloading(node: Arc<Node>, reloads: impl Stream<Item = ()>) -> Infallible {
    let mut reloads = pin!(reloads);
    while reloads.next().await.is_some() {
        let node = Arc::clone(&node);
        match tokio::spawn(async move { node.reload().await }).await {
            Ok(Ok(())) => info!("the datasets and their policies are read again and in force"),
            Ok(Err(problem)) => error!(%problem, "the datasets and their policies are left as they were"),
            Err(_) => error!("reading the datasets broke off: they are left as they were"),
        }
    }
    pending().await
}

/// Why datasets and policies were not put in force.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReloadError {
    /// a file cannot be used
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// the source of a dataset cannot be opened
    #[error(transparent)]
    Source(#[from] SourceError),
    /// a contract has changed
    #[error("dataset {0}: the contract is not the one this node serves: restart it")]
    Contract(DatasetName),
}

#[cfg(test)]
mod tests;
