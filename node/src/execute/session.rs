//! The sealed engine of a node: no tables to name, no files to open, no table functions, bounded memory.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result as EngineResult;
use datafusion::execution::cache::cache_manager::CacheManagerConfig;
use datafusion::execution::context::SessionState;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{SessionStateBuilder, TaskContext};
use datafusion::optimizer::OptimizerRule;
use datafusion::optimizer::common_subexpr_eliminate::CommonSubexprEliminate;
use datafusion::optimizer::optimize_projections::OptimizeProjections;
use datafusion::optimizer::push_down_filter::PushDownFilter;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::prelude::SessionConfig;
use jigsaw_proto::id::NodeId;
use jigsaw_proto::proven::Proven;

use super::bounds::{Profiles, Proof};
use super::measure::Behind;
use super::relation::Tables;
use super::{Error, Plan, logical};
use crate::secret::Secret;
use crate::sources::Shelf;
use crate::validate::Approved;

/// Plans kept for fragments that are asked again.
const MAX_PLANS: usize = 256;

/// Rows in one batch. Larger batches scan faster, but the allocator gives buffers of 32,768 rows back to the system after each
/// question, and fetching them again costs a fifth of a short scan (tests/README.md).
const BATCH_ROWS: usize = 16 * 1024;

/// Plans and runs fragments.
pub(crate) struct Engine {
    node: NodeId,
    secret: Secret,
    session: Proven<SessionState>,
    /// what runs need of the session; making it copies every function's name
    task: Arc<TaskContext>,
    plans: Mutex<HashMap<String, Known>>,
    profiles: Profiles,
}

/// A plan, and the state of the files it was made for.
struct Known {
    state: String,
    plan: Plan,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("node", &self.node).finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine with `threads` partitions and `memory` bytes for all fragments together.
    pub(crate) fn new(node: NodeId, secret: Secret, runtime: Arc<RuntimeEnv>, threads: NonZeroUsize) -> Self {
        let session = SessionStateBuilder::new()
            .with_default_features()
            .with_config(config(threads))
            .with_runtime_env(runtime)
            .with_analyzer_rules(vec![])
            .with_optimizer_rules(rules())
            .with_file_formats(vec![])
            .with_table_functions(HashMap::new())
            .build();
        let task = Arc::new(TaskContext::from(&session));
        let session = Proven::new(session);
        Self { node, secret, session, task, plans: Mutex::default(), profiles: Profiles::default() }
    }

    /// The memory and object stores that engine and sources share.
    pub(crate) fn runtime(memory: usize) -> EngineResult<Arc<RuntimeEnv>> {
        // A list of files that is remembered for ever would hide new files: footers and statistics are, with the size
        // and time of their file.
        let caches = CacheManagerConfig::default().with_list_files_cache_limit(0);
        RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(FairSpillPool::new(memory)))
            .with_cache_manager(caches)
            .build_arc()
    }

    /// The memory and object stores that it shares with the sources.
    pub(crate) fn shared(&self) -> &Arc<RuntimeEnv> {
        self.session.runtime_env()
    }

    /// What may prove that nobody behind a fragment needs to be counted.
    pub(super) async fn proof(&self, approved: &Approved) -> Option<Proof> {
        self.profiles.proof(approved, &self.session).await
    }

    /// Has the fragment counted out at once when it is asked again.
    pub(super) fn unproved(&self, approved: &Approved) {
        self.profiles.unproved(approved);
    }

    /// The physical plan of a fragment, remembered by the fragment's words and the state of the data it reads.
    pub(super) async fn plan(&self, approved: &Approved, behind: Behind) -> Result<Plan, Error> {
        let (words, states) = (format!("{behind:?} {}", approved.plan_key()), approved.states());
        let state: String = states.values().flat_map(|state| [state.as_str(), "\n\n"]).collect();
        if let Some(plan) = self.known(&words, &state) {
            return reset_plan_states(plan).map_err(Error::plan);
        }
        let mut tables = Tables::new();
        for dataset in approved.datasets() {
            let name = &dataset.contract().name;
            let state = states.get(name).map_or("", String::as_str);
            tables.insert(name.clone(), dataset.table(state, &self.session).await);
        }
        let logical =
            logical(approved, &tables, self.node.as_str(), behind, self.secret).map_err(Error::plan)?;
        let optimized = self.session.optimize(&logical).map_err(Error::plan)?;
        let session: &SessionState = &self.session;
        let plan = session.query_planner().create_physical_plan(&optimized, session).await;
        let plan = plan.map_err(Error::plan)?;
        let plan = yielding(plan).map_err(Error::plan)?;
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if plans.len() >= MAX_PLANS {
            plans.clear();
        }
        plans.insert(words, Known { state, plan: Arc::clone(&plan) });
        drop(plans);
        // Repartitions and joins keep the state of their run: what is remembered is never run itself.
        reset_plan_states(plan).map_err(Error::plan)
    }

    /// The plan of a fragment that was asked before. Once files have changed, plans over what they were are forgotten: they
    /// may hold rows.
    fn known(&self, words: &str, state: &str) -> Option<Plan> {
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        match plans.get(words) {
            Some(known) if known.state == state => Some(Arc::clone(&known.plan)),
            Some(_) => {
                plans.clear();
                None
            }
            None => None,
        }
    }

    pub(super) fn task(&self) -> Arc<TaskContext> {
        Arc::clone(&self.task)
    }
}

/// Makes joins pause between batches: out of one batch they can make any number, and a run that never pauses can be neither
/// ended at its deadline nor abandoned.
fn yielding(plan: Plan) -> EngineResult<Plan> {
    let yielding = plan.transform_up(|node| {
        Ok(if node.children().len() > 1 {
            Transformed::yes(Arc::new(CooperativeExec::new(node)) as Plan)
        } else {
            Transformed::no(node)
        })
    })?;
    Ok(yielding.data)
}

fn config(threads: NonZeroUsize) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_target_partitions(threads.get())
        .with_batch_size(BATCH_ROWS)
        .with_extension(Arc::new(Shelf::default()))
        .with_information_schema(false)
        .with_create_default_catalog_and_schema(false);
    let options = config.options_mut();
    options.execution.parquet.pushdown_filters = false;
    options.execution.collect_statistics = false;
    // A CASE that folds may be nullable to one planner and not to the other; what a release declares is nullable throughout.
    options.execution.skip_physical_aggregate_schema_check = true;
    options.optimizer.skip_failed_rules = false;
    options.optimizer.max_passes = 1;
    // What one run learns of the rows has no place in a plan that is run again.
    options.optimizer.enable_dynamic_filter_pushdown = false;
    config
}

/// Fragments arrive simplified and typed: filters and projections go down to the scan, nothing else is worth its time.
fn rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    vec![
        Arc::new(PushDownFilter::new()),
        Arc::new(CommonSubexprEliminate::new()),
        Arc::new(OptimizeProjections::new()),
    ]
}
