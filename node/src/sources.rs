//! A node's own tables: opened, mapped to their contracts, kept warm.

mod cells;
mod kept;
mod location;
mod mapping;
mod open;

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::catalog::TableProvider;
use datafusion::datasource::empty::EmptyTable;
use datafusion::error::DataFusionError;
use datafusion::execution::context::SessionState;
use datafusion::execution::runtime_env::RuntimeEnv;
use futures::FutureExt;
use jigsaw_proto::contract::{Contract, Role};
use jigsaw_proto::release::DatasetDescription;

pub(crate) use cells::first_bad_cell;
pub(crate) use kept::Shelf;

use crate::disclose::policy::Policy;
use crate::settings::DatasetSettings;

/// One dataset under its policy.
pub(crate) struct Dataset {
    opened: Arc<Opened>,
    visible: Contract,
    policy: Policy,
}

/// A dataset's source, mapped to its contract.
struct Opened {
    contract: Contract,
    contract_text: String,
    provider: Arc<dyn TableProvider>,
    files: location::Files,
    kept: kept::Kept,
    settings: DatasetSettings,
    /// how the files are read, beside which they are
    reading: String,
}

/// A source that cannot be opened: what is wrong, where, and what to do. It is read by the node's own operator.
#[derive(Debug, thiserror::Error)]
#[error("dataset {dataset}: {problem}")]
pub(crate) struct SourceError {
    dataset: String,
    problem: String,
}

impl Dataset {
    /// Opens the source and maps it to the contract.
    pub(crate) async fn open(
        settings: DatasetSettings,
        runtime: &Arc<RuntimeEnv>,
    ) -> Result<Self, SourceError> {
        let name = settings.contract.name.to_string();
        let source = settings.source.clone();
        // A damaged file can make a reader panic; its operator gets a sentence all the same.
        AssertUnwindSafe(Self::open_unguarded(settings, runtime)).catch_unwind().await.unwrap_or_else(|_| {
            let problem = format!("source {source}: a file is damaged beyond reading: replace it");
            Err(SourceError { dataset: name, problem })
        })
    }

    async fn open_unguarded(
        settings: DatasetSettings,
        runtime: &Arc<RuntimeEnv>,
    ) -> Result<Self, SourceError> {
        let name = settings.contract.name.to_string();
        let failed = |problem: String| SourceError { dataset: name.clone(), problem };
        let files = location::Files::find(&settings, runtime).map_err(&failed)?;
        let source = open::open(&settings, &files, runtime).await.map_err(&failed)?;
        let provider = mapping::map(&settings, source).await.map_err(&failed)?;
        Ok(Self::of(settings, provider, files))
    }

    /// A dataset of these settings without a row, whose source is not even looked for: to try a policy on questions.
    pub(crate) fn without_rows(settings: DatasetSettings) -> Result<Self, SourceError> {
        let name = settings.contract.name.to_string();
        let files = location::Files::none().map_err(|problem| SourceError { dataset: name, problem })?;
        let provider = Arc::new(EmptyTable::new(Arc::new(Schema::empty())));
        Ok(Self::of(settings, provider, files))
    }

    fn of(settings: DatasetSettings, provider: Arc<dyn TableProvider>, files: location::Files) -> Self {
        let DatasetSettings { contract, contract_text, policy, .. } = settings.clone();
        let (kept, reading) = (kept::Kept::default(), reading(&settings));
        let visible = visible(&contract, &policy);
        let opened = Opened { contract, contract_text, provider, files, kept, settings, reading };
        Self { opened: Arc::new(opened), visible, policy }
    }

    /// The same rows under another policy.
    pub(crate) fn under(&self, policy: Policy) -> Self {
        let visible = visible(&self.opened.contract, &policy);
        Self { opened: Arc::clone(&self.opened), visible, policy }
    }

    /// Whether settings, which may have another policy, read the same rows of the same files.
    pub(crate) fn reads_as(&self, settings: &DatasetSettings) -> bool {
        let Opened { settings: own, reading: read, .. } = &*self.opened;
        own.source == settings.source && own.folder == settings.folder && *read == reading(settings)
    }

    /// The contract without its hidden columns, and with the bounds of the policy: what a fragment may name.
    pub(crate) fn visible(&self) -> &Contract {
        &self.visible
    }

    pub(crate) fn contract(&self) -> &Contract {
        &self.opened.contract
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The table, with exactly the contract's columns: its files in the state `state`, or their rows where they are few.
    pub(crate) async fn table(&self, state: &str, session: &SessionState) -> Arc<dyn TableProvider> {
        self.opened.kept.or(&self.opened.provider, state, self.opened.files.bytes(), session).await
    }

    /// Whether its files are on this machine, and too large for their rows to be kept in memory.
    pub(crate) fn has_many_rows(&self) -> bool {
        self.opened.files.bytes().is_some_and(kept::is_large)
    }

    #[cfg(test)]
    pub(crate) fn provider(&self) -> Arc<dyn TableProvider> {
        Arc::clone(&self.opened.provider)
    }

    /// Newest change of the files, RFC 3339; empty: unknown.
    pub(crate) fn data_as_of(&self) -> String {
        self.opened.files.newest()
    }

    /// Changes whenever a file does, or how it is read.
    pub(crate) fn state_key(&self) -> String {
        self.opened.files.state_key() + &self.opened.reading
    }

    /// Where its first broken CSV cell is, for the node's log; `None` if none can be found.
    pub(crate) fn first_bad_cell(&self) -> Option<String> {
        first_bad_cell(&self.opened.settings).ok().flatten().map(|cell| cell.to_string())
    }

    /// How the node describes it to a coordinator.
    pub(crate) fn description(&self) -> DatasetDescription {
        DatasetDescription {
            name: self.opened.contract.name.clone(),
            contract: self.opened.contract_text.clone(),
            contract_hash: self.opened.contract.hash(),
            policy_hash: self.policy.hash(),
            mode: self.policy.mode(),
            threshold: self.policy.threshold(),
            rounding: self.policy.rounding(),
            data_as_of: self.data_as_of(),
            rules: self.policy.announced().map(str::to_owned).collect(),
            cells_per_day: self.policy.budget().and_then(|budget| budget.cells_per_day().try_into().ok()),
            only: self.opened.settings.only.clone(),
        }
    }
}

/// What a fragment may name of a contract, between which bounds.
fn visible(contract: &Contract, policy: &Policy) -> Contract {
    let mut visible = policy.measures().narrowed(contract.clone());
    visible.columns.retain(|column| column.role != Role::Hidden);
    visible
}

impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dataset").field("name", &self.opened.contract.name).finish_non_exhaustive()
    }
}

/// What a reload may change of how files are read, and of which of their rows are served.
fn reading(DatasetSettings { format, csv, select, only, .. }: &DatasetSettings) -> String {
    format!("\n{format:?} {csv:?} {select:?} {only:?}")
}

/// The engine's words about a file, for the operator, without anything a cell may have said.
fn sanitised(error: &DataFusionError) -> String {
    match error.find_root() {
        DataFusionError::ObjectStore(error) => format!("the store answered: {error}"),
        DataFusionError::ArrowError(..) => "the file does not have the expected form".to_owned(),
        DataFusionError::ParquetError(_) => "the file is no readable Parquet".to_owned(),
        DataFusionError::SchemaError(error, _) => error.to_string(),
        DataFusionError::Plan(text) | DataFusionError::NotImplemented(text) => text.clone(),
        _ => "the engine cannot read it".to_owned(),
    }
}

#[cfg(test)]
mod tests;
