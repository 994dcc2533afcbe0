//! Small tables, kept decoded: opening a file costs more than reading a few thousand rows of it, and decoding a hundred thousand
//! rows costs more than adding them up.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
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
const MAX_ROWS: usize = 16 * 1024 * 1024;
/// Bytes for the rows of all tables of a node together.
const SHELF: usize = 24 * 1024 * 1024;

/// What is left of a node's memory for rows that are kept: an extension of its session.
#[derive(Debug)]
pub(crate) struct Shelf(AtomicUsize);

impl Default for Shelf {
    fn default() -> Self {
        Self(AtomicUsize::new(SHELF))
    }
}

impl Shelf {
    /// A part of it; `None`: there is not so much left.
    fn place(self: &Arc<Self>, bytes: usize) -> Option<Place> {
        let left = |left: usize| left.checked_sub(bytes);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left).ok()?;
        Some(Place { shelf: Arc::clone(self), bytes })
    }
}

/// A part of a shelf, given back when it is dropped.
#[derive(Debug)]
struct Place {
    shelf: Arc<Shelf>,
    bytes: usize,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shelf.0.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

/// Whether files of so many bytes are read anew for each question.
pub(super) fn is_large(bytes: u64) -> bool {
    bytes > MAX_FILES
}

/// The rows of a small table, and the state of its files that they were read in.
#[derive(Default)]
pub(super) struct Kept(Mutex<Option<Rows>>);

struct Rows {
    state: String,
    /// `None`: too many
    table: Option<Arc<dyn TableProvider>>,
    _place: Option<Place>,
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
        if bytes.is_none_or(is_large) {
            *self.lock() = None;
            return Arc::clone(files);
        }
        if let Some(rows) = self.lock().as_ref().filter(|rows| rows.state == state) {
            return Arc::clone(rows.table.as_ref().unwrap_or(files));
        }
        // What they were makes place for what they are.
        *self.lock() = None;
        // A damaged column, over which a reader may even panic, is no reason to fail questions that do not read it.
        let decoded = AssertUnwindSafe(decoded(files, session)).catch_unwind().await;
        let Ok(Ok(decoded)) = decoded else { return Arc::clone(files) };
        let (table, place) = decoded.unzip();
        *self.lock() = Some(Rows { state: state.to_owned(), table: table.clone(), _place: place });
        table.unwrap_or_else(|| Arc::clone(files))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Rows>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All rows, in batches as large as a file's, and their place; `None` if they take too much memory.
async fn decoded(
    files: &Arc<dyn TableProvider>,
    session: &SessionState,
) -> Result<Option<(Arc<dyn TableProvider>, Place)>> {
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
    let shelf = session.config().get_extension::<Shelf>().unwrap_or_default();
    let Some(place) = shelf.place(rows.get_array_memory_size()) else { return Ok(None) };
    let most = session.config().batch_size();
    let part = |from: usize| rows.slice(from, most.min(rows.num_rows() - from));
    let parts = (0..rows.num_rows()).step_by(most).map(part).collect();
    Ok(Some((Arc::new(MemTable::try_new(files.schema(), vec![parts])?), place)))
}
