//! A running node: what it holds and what it gives to questions.

use std::collections::BTreeMap;
use std::sync::Arc;

use jigsaw_proto::id::{DatasetName, NodeId};
use jigsaw_proto::release::NodeDescription;
use jigsaw_proto::wire::PROTOCOL_VERSION;
use tokio::sync::Semaphore;

use crate::Error;
use crate::audit::Audit;
use crate::execute::Engine;
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
    pub(crate) audit: Audit,
    pub(crate) turns: Arc<Semaphore>,
    pub(crate) limits: Limits,
}

impl Node {
    /// Opens the audit log and every dataset.
    pub(crate) async fn open(settings: Settings) -> Result<Self, Error> {
        let Settings { id, title, coordinators, audit, limits, datasets: listed, .. } = settings;
        let runtime = Engine::runtime(limits.memory).map_err(|_| Error::Engine)?;
        let audit = Audit::open(&audit).map_err(|source| Error::Audit { path: audit.file, source })?;
        let mut datasets = BTreeMap::new();
        for settings in listed {
            let dataset =
                Dataset::open(settings, &runtime).await.map_err(|error| Error::Source(error.to_string()))?;
            datasets.insert(dataset.contract().name.clone(), Arc::new(dataset));
        }
        let engine = Engine::new(id.clone(), runtime, limits.threads);
        let turns = Arc::new(Semaphore::new(limits.fragments));
        Ok(Self { id, title, coordinators, datasets, engine, audit, turns, limits })
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
