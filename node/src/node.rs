//! A running node: what it holds and what it gives to questions.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jigsaw_proto::fragment::Fragment;
use jigsaw_proto::id::{DatasetName, NodeId};
use jigsaw_proto::release::NodeDescription;
use jigsaw_proto::wire::PROTOCOL_VERSION;
use tokio::sync::Semaphore;

use crate::Error;
use crate::audit::Audit;
use crate::disclose::{Discloser, Guard};
use crate::execute::Engine;
use crate::secret::Secret;
use crate::settings::{Limits, Settings};
use crate::sources::Dataset;

/// Everything the pipeline needs, opened and checked.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) title: String,
    pub(crate) coordinators: Vec<String>,
    pub(crate) datasets: BTreeMap<DatasetName, Arc<Dataset>>,
    pub(crate) engine: Engine,
    pub(crate) discloser: Arc<Discloser>,
    pub(crate) audit: Audit,
    pub(crate) turns: Arc<Semaphore>,
    pub(crate) limits: Limits,
}

impl Node {
    /// Opens the audit log and every dataset.
    pub(crate) async fn open(settings: Settings) -> Result<Self, Error> {
        let Settings { id, title, coordinators, audit, disclosure, limits, datasets: listed, .. } = settings;
        let runtime = Engine::runtime(limits.memory).map_err(|_| Error::Engine)?;
        let audit = Audit::open(&audit).map_err(|source| Error::Audit { path: audit, source })?;
        let mut datasets = BTreeMap::new();
        for settings in listed {
            let dataset =
                Dataset::open(settings, &runtime).await.map_err(|error| Error::Source(error.to_string()))?;
            datasets.insert(dataset.contract().name.clone(), Arc::new(dataset));
        }
        let discloser =
            discloser(&id, &disclosure).map_err(|source| Error::Disclosure { folder: disclosure, source })?;
        let engine = Engine::new(id.clone(), discloser.secret, runtime, limits.threads);
        let turns = Arc::new(Semaphore::new(limits.fragments));
        let discloser = Arc::new(discloser);
        Ok(Self { id, title, coordinators, datasets, engine, discloser, audit, turns, limits })
    }

    /// The longest tick of the datasets a fragment names: answers about protected rows leave at its multiples.
    pub(crate) fn tick(&self, fragment: &Fragment) -> Duration {
        let held = fragment.input.datasets().into_iter().filter_map(|name| self.datasets.get(name));
        held.map(|dataset| dataset.policy().tick()).max().unwrap_or(Duration::ZERO)
    }

    /// How it describes itself to a coordinator.
    pub(crate) fn description(&self) -> NodeDescription {
        NodeDescription {
            node: self.id.clone(),
            title: self.title.clone(),
            protocol: PROTOCOL_VERSION,
            software: concat!("jigsaw-node ", env!("CARGO_PKG_VERSION")).to_owned(),
            datasets: self.datasets.values().map(|dataset| dataset.description()).collect(),
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
