//! Why a question has no answer: one sentence for the person who asked.

use std::error::Error;

use datafusion::error::DataFusionError;

/// Why a question has no answer. Each says what is wrong and what to do; none holds a value of a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each carries its sentence")]
pub enum QueryError {
    /// the SQL cannot be answered as it is written
    #[error("{message}")]
    Sql { message: String },
    /// a table, statement or ticket that does not exist
    #[error("{message}")]
    NotFound { message: String },
    /// a statement that would change something
    #[error("{message}")]
    ReadOnly { message: String },
    /// disclosure control says no
    #[error("{message}")]
    Refused { message: String },
    /// nodes are missing from the answer
    #[error("{message}")]
    Incomplete { message: String },
    /// the answer took too long
    #[error("{message}")]
    Deadline { message: String },
    /// whoever asked does not want the answer any more
    #[error("{message}")]
    Cancelled { message: String },
    /// a fault of ours
    #[error("{message}")]
    Internal { message: String },
}

impl QueryError {
    pub(crate) fn sql(message: impl Into<String>) -> Self {
        Self::Sql { message: message.into() }
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::Internal { message: format!("internal error: {}; please report it", message.into()) }
    }

    /// An error of planning: the planner's words about the analyst's SQL. No row has been read yet.
    pub(crate) fn planning(error: &DataFusionError) -> Self {
        if let Some(own) = own(error) {
            return own;
        }
        let message = plain(error);
        match error.find_root() {
            DataFusionError::Internal(_) => Self::internal(message),
            DataFusionError::Plan(text) if text.starts_with("table '") => {
                Self::NotFound { message: format!("{message}: see system.datasets for what can be asked") }
            }
            _ => Self::Sql { message },
        }
    }

    /// An error of running a plan here, over released and public values.
    pub(crate) fn running(error: &DataFusionError) -> Self {
        if let Some(own) = own(error) {
            return own;
        }
        match error.find_root() {
            DataFusionError::Internal(_) => Self::internal(plain(error)),
            DataFusionError::ResourcesExhausted(_) => Self::sql(
                "the answer needs more memory than the coordinator gives to one question: group by fewer columns",
            ),
            _ => Self::Sql { message: plain(error) },
        }
    }
}

/// Our own error, where an engine's error only carries it.
fn own(error: &DataFusionError) -> Option<QueryError> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(own) = error.downcast_ref::<QueryError>() {
            return Some(own.clone());
        }
        if let Some(DataFusionError::External(inner)) = error.downcast_ref::<DataFusionError>()
            && let Some(own) = inner.downcast_ref::<QueryError>()
        {
            return Some(own.clone());
        }
        if let Some(DataFusionError::Shared(inner)) = error.downcast_ref::<DataFusionError>() {
            return own(inner);
        }
        cause = error.source();
    }
    None
}

/// Stages that the engine puts before its words.
const STAGES: [&str; 6] = [
    "Error during planning: ",
    "Schema error: ",
    "SQL error: ",
    "Execution error: ",
    "Arrow error: ",
    "This feature is not implemented: ",
];

/// The planner's words on one line, without the names of its stages.
fn plain(error: &DataFusionError) -> String {
    let text = error.find_root().strip_backtrace();
    let text = text.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    STAGES
        .iter()
        .fold(text, |text, stage| text.strip_prefix(stage).map_or_else(|| text.clone(), str::to_owned))
}

impl From<QueryError> for DataFusionError {
    fn from(error: QueryError) -> Self {
        Self::External(Box::new(error))
    }
}
