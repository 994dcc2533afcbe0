//! `Permit + Fragment → Approved`: every fragment, from scratch, trusting nothing.
//!
//! The fragment language cannot say "row"; what is checked here is that its words make sense for the datasets of this node
//! and that every column is used as its role allows. The wording of a refusal is made of the fragment and the contract.

mod roles;
mod size;
mod summand;

use std::collections::BTreeMap;
use std::sync::Arc;

use jigsaw_proto::fragment::Fragment;
use jigsaw_proto::id::DatasetName;
use jigsaw_proto::refusal::{Refusal, RefusalCode};
use jigsaw_proto::release::ReleaseMode;
use jigsaw_proto::types::DataType;

use crate::authorise::Permit;
use crate::sources::Dataset;

pub(crate) use roles::counted_entities;

/// A fragment that this node will run: the datasets exist, the types fit, and every column is used as its role allows.
#[derive(Debug)]
pub(crate) struct Approved {
    fragment: Fragment,
    columns: Vec<(String, DataType)>,
    arguments: Vec<Option<DataType>>,
    steps: Vec<f64>,
    datasets: BTreeMap<DatasetName, Arc<Dataset>>,
    kinds: usize,
}

/// Validates the fragment of a permit.
///
/// # Errors
/// The first rule it breaks, in words made of the fragment.
pub(crate) fn validate(
    permit: &Permit,
    held: &BTreeMap<DatasetName, Arc<Dataset>>,
) -> Result<Approved, Refusal> {
    let fragment = &permit.request().fragment;
    size::check(fragment)?;
    let mut datasets = BTreeMap::new();
    for name in fragment.input.datasets() {
        let dataset = held.get(name).ok_or_else(|| {
            Refusal::new(
                RefusalCode::NoSuchDataset,
                format!("this node holds no dataset {name} under a policy"),
            )
        })?;
        datasets.insert(name.clone(), Arc::clone(dataset));
    }
    let nonsense =
        |error: &dyn std::fmt::Display| Refusal::new(RefusalCode::NotInLanguage, error.to_string());
    let contract = |name: &DatasetName| datasets.get(name).map(|dataset| dataset.visible());
    let columns = fragment.columns(&contract).map_err(|error| nonsense(&error))?;
    let scope = fragment.input.scope(&contract).map_err(|error| nonsense(&error))?;
    let arguments = fragment.measures.iter().map(|measure| {
        measure
            .argument
            .as_ref()
            .map(|argument| scope.type_of(argument))
            .transpose()
            .map_err(|error| nonsense(&error))
    });
    let arguments = arguments.collect::<Result<Vec<_>, _>>()?;
    let roles::Checked { kinds, steps } = roles::check(fragment, &datasets)?;
    Ok(Approved { fragment: fragment.clone(), columns, arguments, steps, datasets, kinds })
}

impl Approved {
    pub(crate) fn fragment(&self) -> &Fragment {
        &self.fragment
    }

    /// Names and types of the release's columns.
    pub(crate) fn columns(&self) -> &[(String, DataType)] {
        &self.columns
    }

    /// The type of a measure's argument.
    pub(crate) fn argument_type(&self, measure: usize) -> Option<&DataType> {
        self.arguments.get(measure)?.as_ref()
    }

    /// The step of the published figure of a measure.
    pub(crate) fn step(&self, measure: usize) -> f64 {
        self.steps.get(measure).copied().unwrap_or(1.0)
    }

    /// The strictest mode of the datasets read.
    pub(crate) fn mode(&self) -> ReleaseMode {
        self.datasets.values().map(|dataset| dataset.policy().mode()).max().unwrap_or(ReleaseMode::Protected)
    }

    /// The highest threshold of the datasets read.
    pub(crate) fn threshold(&self) -> u32 {
        self.datasets.values().map(|dataset| dataset.policy().threshold()).max().unwrap_or(u32::MAX)
    }

    /// The coarsest rounding of the datasets read.
    pub(crate) fn rounding(&self) -> u32 {
        self.datasets.values().map(|dataset| dataset.policy().rounding()).max().unwrap_or(1)
    }

    /// How many entity columns its protected datasets have, over all mentions.
    pub(crate) fn entity_kinds(&self) -> usize {
        self.kinds
    }

    /// One of the datasets it reads.
    pub(crate) fn dataset(&self, name: &DatasetName) -> Option<&Dataset> {
        self.datasets.get(name).map(|dataset| &**dataset)
    }

    /// All datasets it reads.
    pub(crate) fn datasets(&self) -> Vec<Arc<Dataset>> {
        self.datasets.values().cloned().collect()
    }

    /// The state of the files of each dataset it reads.
    pub(crate) fn states(&self) -> BTreeMap<DatasetName, String> {
        self.datasets.iter().map(|(name, dataset)| (name.clone(), dataset.state_key())).collect()
    }

    /// Hash of the policies that decide.
    pub(crate) fn policy_hash(&self) -> String {
        self.datasets.values().map(|dataset| dataset.policy().hash()).collect::<Vec<_>>().join("+")
    }

    /// The newest change of the data read; empty: unknown.
    pub(crate) fn data_as_of(&self) -> String {
        self.datasets.values().map(|dataset| dataset.data_as_of()).max().unwrap_or_default()
    }
}
