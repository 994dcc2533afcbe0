//! `Permit + Fragment → Approved`: every fragment, from scratch, trusting nothing.
//!
//! The fragment language cannot say "row"; what is checked here is that its words make sense for the datasets of this node
//! that whoever asks is granted them, and that every column is used as its role and the policies allow. The wording of a
//! refusal is made of the fragment, the contract and the edges of bins; never of a grant.

mod compared;
mod cube;
mod grid;
mod roles;
mod size;
mod summand;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jigsaw_proto::fragment::Fragment;
use jigsaw_proto::id::DatasetName;
use jigsaw_proto::refusal::{Refusal, RefusalCode};
use jigsaw_proto::release::ReleaseMode;
use jigsaw_proto::types::DataType;

use crate::authorise::Permit;
use crate::disclose::perturbation::PerturbationTable;
use crate::disclose::policy::budget::Budget;
use crate::disclose::policy::rules::Dominance;
use crate::sources::Dataset;

pub(crate) use grid::Axis;
pub(crate) use roles::{carries_right, counted_entities};
pub(crate) use summand::clamped_to;

/// A fragment that this node will run: the datasets exist, the types fit, and every column is used as its role allows.
#[derive(Debug)]
pub(crate) struct Approved {
    fragment: Fragment,
    columns: Vec<(String, DataType)>,
    arguments: Vec<Option<DataType>>,
    steps: Vec<f64>,
    units: Vec<f64>,
    datasets: BTreeMap<DatasetName, Arc<Dataset>>,
    kinds: Vec<String>,
    sources: Vec<roles::Sources>,
    key_sources: Vec<roles::Sources>,
    choices: Vec<roles::Sources>,
    filters: roles::Sources,
    aggregates: BTreeSet<String>,
    grid: Option<Vec<Axis>>,
    agreements: BTreeSet<String>,
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
    let patterns = size::check(fragment)?;
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
    // How long a search takes is a matter of the text, and a pattern can be made to ask more of some texts (A30).
    if patterns && datasets.values().any(|dataset| dataset.policy().mode() == ReleaseMode::Protected) {
        return Err(Refusal::new(
            RefusalCode::ColumnRole,
            "regular expressions are searched for in open data only: use LIKE, starts_with or a list",
        ));
    }
    let agreements = granted(permit, &datasets)?;
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
    let roles::Checked { kinds, steps, units, sources, keys: key_sources, choices, filters } =
        roles::check(fragment, &datasets)?;
    compared::check(fragment, &datasets)?;
    let aggregates = cube::check(fragment, &datasets)?;
    let grid = grid::check(fragment, &datasets)?;
    let fragment = fragment.clone();
    Ok(Approved {
        fragment,
        columns,
        arguments,
        steps,
        units,
        datasets,
        kinds,
        sources,
        key_sources,
        choices,
        filters,
        aggregates,
        grid,
        agreements,
    })
}

/// The agreements under which each of the datasets is asked.
fn granted(
    permit: &Permit,
    datasets: &BTreeMap<DatasetName, Arc<Dataset>>,
) -> Result<BTreeSet<String>, Refusal> {
    let mut agreements = BTreeSet::new();
    for (name, dataset) in datasets {
        let grants = dataset.policy().grants();
        let agreement = grants.agreement(permit.who(), permit.today());
        let agreement = agreement.map_err(|_| {
            Refusal::new(
                RefusalCode::NotGranted,
                format!("{name} is not granted to this principal for this purpose: ask this node's operator, or state the purpose that was agreed"),
            )
        })?;
        agreements.extend(agreement.map(str::to_owned));
    }
    Ok(agreements)
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

    /// In how many units a measure that is a double is added up, for each 1 of it.
    pub(crate) fn units(&self, measure: usize) -> f64 {
        self.units.get(measure).copied().unwrap_or(1.0)
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

    /// Whether a rule asks who is behind a cell, not just how many.
    pub(crate) fn names_holders(&self) -> bool {
        self.datasets.values().any(|dataset| dataset.policy().names_holders())
    }

    /// The entity columns of its protected datasets, over all mentions.
    pub(crate) fn entity_kinds(&self) -> &[String] {
        &self.kinds
    }

    /// The columns, as `dataset.column`, that a measure's argument is made of.
    pub(crate) fn sources(&self, measure: usize) -> BTreeSet<String> {
        self.sources.get(measure).cloned().unwrap_or_default()
    }

    /// The same for everything that decides which rows a measure sees of a group, and for its argument.
    pub(crate) fn choice_sources(&self, measure: usize) -> BTreeSet<String> {
        self.choices.get(measure).cloned().unwrap_or_default()
    }

    /// Whether a sensitive column has a part in which rows a measure sees, or in which group.
    pub(crate) fn chooses_sensitive(&self, measure: usize) -> bool {
        let sensitive = self.sensitive();
        let choices = [&self.filters].into_iter().chain(&self.key_sources).chain(self.choices.get(measure));
        choices.into_iter().any(|sources| !sources.is_disjoint(&sensitive))
    }

    /// Columns whose value must not be told of everybody in a group, as `dataset.column`.
    pub(crate) fn sensitive(&self) -> BTreeSet<String> {
        let of = |(name, dataset): (&DatasetName, &Arc<Dataset>)| {
            let columns = dataset.policy().sensitive().iter();
            columns.map(|column| format!("{name}.{column}")).collect::<Vec<_>>()
        };
        self.datasets.iter().flat_map(of).collect()
    }

    /// The dominance rules of the datasets read.
    pub(crate) fn dominance(&self) -> Vec<Dominance> {
        self.datasets.values().filter_map(|dataset| dataset.policy().dominance()).collect()
    }

    /// What is added to counts; the first table there is.
    pub(crate) fn perturbation(&self) -> Option<Arc<PerturbationTable>> {
        self.datasets.values().find_map(|dataset| dataset.policy().perturbation().cloned())
    }

    /// Whether cells are compared with those released before.
    pub(crate) fn is_guarded(&self) -> bool {
        self.datasets.values().any(|dataset| dataset.policy().is_guarded())
    }

    /// The same for a group key.
    pub(crate) fn key_sources(&self, key: usize) -> BTreeSet<String> {
        self.key_sources.get(key).cloned().unwrap_or_default()
    }

    /// Names of the datasets it reads.
    pub(crate) fn dataset_names(&self) -> BTreeSet<String> {
        self.datasets.keys().map(ToString::to_string).collect()
    }

    /// References of the data-sharing agreements under which it is asked, separated by `, `; empty: none was needed.
    pub(crate) fn agreement(&self) -> String {
        self.agreements.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
    }

    /// The values of each key, where the answer has every cell of the grid that they span.
    pub(crate) fn grid(&self) -> Option<&[Axis]> {
        self.grid.as_deref()
    }

    /// Names of its aggregates, or of its groups alone: two that ask the same of the same cells have one name.
    pub(crate) fn aggregates(&self) -> &BTreeSet<String> {
        &self.aggregates
    }

    /// The datasets it reads that answer a limited amount on one day.
    pub(crate) fn budgets(&self) -> impl Iterator<Item = (DatasetName, Budget)> {
        self.datasets.iter().filter_map(|(name, dataset)| Some((name.clone(), dataset.policy().budget()?)))
    }

    /// One of the datasets it reads.
    pub(crate) fn dataset(&self, name: &DatasetName) -> Option<&Dataset> {
        self.datasets.get(name).map(|dataset| &**dataset)
    }

    /// All datasets it reads.
    pub(crate) fn datasets(&self) -> Vec<Arc<Dataset>> {
        self.datasets.values().cloned().collect()
    }

    /// What decides on the physical plan beside the state of the data: the fragment's words, and the policies, whose thresholds
    /// are what contributors are counted up to.
    pub(crate) fn plan_key(&self) -> String {
        format!("{}\n{:?}", self.policy_hash(), self.fragment)
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
