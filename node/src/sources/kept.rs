//! Small tables, kept decoded: opening a file costs more than reading a few thousand rows of it.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::catalog::TableProvider;
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::physical_plan::execute_stream;
use futures::{FutureExt, TryStreamExt};

/// Files larger than this together, in bytes, are read anew for each question.
const MAX_FILES: u64 = 1024 * 1024;
/// So are rows that take more memory than this, in bytes.
const MAX_ROWS: usize = 4 * 1024 * 1024;

/// The rows of a small table, and the state of its files that they were read in.
#[derive(Default)]
pub(super) struct Kept(Mutex<Option<Rows>>);

struct Rows {
    state: String,
    /// `None`: too many
    table: Option<Arc<dyn TableProvider>>,
}

impl Kept {
    /// `files`, or its rows if they are few. `state` says which files there are, `bytes` how large they are together.
    ///
    /// Files that cannot be read are left for the question to fail over.
    pub(super) async fn or(
        &self,
        files: &Arc<dyn TableProvider>,
        state: &str,
        bytes: Option<u64>,
        session: &SessionState,
    ) -> Arc<dyn TableProvider> {
        if bytes.is_none_or(|bytes| bytes > MAX_FILES) {
            *self.lock() = None;
            return Arc::clone(files);
        }
        if let Some(rows) = self.lock().as_ref().filter(|rows| rows.state == state) {
            return Arc::clone(rows.table.as_ref().unwrap_or(files));
        }
        // A damaged column, over which a reader may even panic, is no reason to fail questions that do not read it.
        let decoded = AssertUnwindSafe(decoded(files, session)).catch_unwind().await;
        let Ok(Ok(table)) = decoded else { return Arc::clone(files) };
        *self.lock() = Some(Rows { state: state.to_owned(), table: table.clone() });
        table.unwrap_or_else(|| Arc::clone(files))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Rows>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All rows; `None` if they take too much memory.
async fn decoded(
    files: &Arc<dyn TableProvider>,
    session: &SessionState,
) -> Result<Option<Arc<dyn TableProvider>>> {
    let scan = LogicalPlanBuilder::scan("kept", provider_as_source(Arc::clone(files)), None)?.build()?;
    let plan = session.create_physical_plan(&session.optimize(&scan)?).await?;
    let mut stream = execute_stream(plan, session.task_ctx())?;
    let (mut rows, mut bytes) = (vec![], 0_usize);
    while let Some(batch) = stream.try_next().await? {
        bytes = bytes.saturating_add(batch.get_array_memory_size());
        if bytes > MAX_ROWS {
            return Ok(None);
        }
        rows.push(batch);
    }
    let rows = arrow::compute::concat_batches(&files.schema(), &rows).map_err(DataFusionError::from)?;
    Ok(Some(Arc::new(MemTable::try_new(files.schema(), vec![vec![rows]])?)))
}
