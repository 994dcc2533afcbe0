//! The planner's session: our catalogue, an explicit list of optimizer rules, and nothing that reaches outside.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::catalog::{CatalogProvider, MemoryCatalogProvider};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::context::SessionState;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use datafusion::optimizer::OptimizerRule;
use datafusion::optimizer::common_subexpr_eliminate::CommonSubexprEliminate;
use datafusion::optimizer::decorrelate_lateral_join::DecorrelateLateralJoin;
use datafusion::optimizer::decorrelate_predicate_subquery::DecorrelatePredicateSubquery;
use datafusion::optimizer::eliminate_cross_join::EliminateCrossJoin;
use datafusion::optimizer::eliminate_duplicated_expr::EliminateDuplicatedExpr;
use datafusion::optimizer::eliminate_filter::EliminateFilter;
use datafusion::optimizer::eliminate_group_by_constant::EliminateGroupByConstant;
use datafusion::optimizer::eliminate_join::EliminateJoin;
use datafusion::optimizer::eliminate_limit::EliminateLimit;
use datafusion::optimizer::eliminate_outer_join::EliminateOuterJoin;
use datafusion::optimizer::extract_equijoin_predicate::ExtractEquijoinPredicate;
use datafusion::optimizer::optimize_projections::OptimizeProjections;
use datafusion::optimizer::propagate_empty_relation::PropagateEmptyRelation;
use datafusion::optimizer::push_down_filter::PushDownFilter;
use datafusion::optimizer::push_down_limit::PushDownLimit;
use datafusion::optimizer::replace_distinct_aggregate::ReplaceDistinctWithAggregate;
use datafusion::optimizer::scalar_subquery_to_join::ScalarSubqueryToJoin;
use datafusion::optimizer::simplify_expressions::SimplifyExpressions;
use datafusion::optimizer::single_distinct_to_groupby::SingleDistinctToGroupBy;
use datafusion::prelude::SessionConfig;

use crate::catalogue::{CATALOG, Catalogue, INFORMATION, InformationSchema, PUBLIC, SYSTEM};
use crate::dispatch::Federation;
use crate::merge::percentile_disc;
use crate::split::{ConstantsOutside, SplitAggregates};

/// Memory that merges may use at once, in bytes; more spills to disk.
const MERGE_MEMORY: usize = 1 << 30;

/// A session over the catalogue. It is cloned for each question.
pub(crate) fn session(catalogue: &Arc<Catalogue>, federation: &Arc<Federation>) -> Result<SessionState> {
    let catalog = MemoryCatalogProvider::new();
    let schemas = [(PUBLIC, catalogue.public()?), (SYSTEM, catalogue.system(federation)?)];
    let information = InformationSchema::over(&schemas)?;
    for (name, schema) in schemas {
        catalog.register_schema(name, schema)?;
    }
    catalog.register_schema(INFORMATION, Arc::new(information))?;
    let runtime =
        RuntimeEnvBuilder::new().with_memory_pool(Arc::new(FairSpillPool::new(MERGE_MEMORY))).build_arc()?;
    let mut session = SessionStateBuilder::new()
        .with_default_features()
        .with_config(config())
        .with_runtime_env(runtime)
        .with_optimizer_rules(rules(federation))
        // No statement can open a file or make rows out of nothing.
        .with_file_formats(vec![])
        .with_table_functions(std::collections::HashMap::new())
        .build();
    for (name, is) in
        [("current_catalog", CATALOG), ("current_database", CATALOG), ("current_schema", PUBLIC)]
    {
        session.register_udf(Arc::new(constant(name, is)))?;
    }
    for formula in super::formula::formulas() {
        session.register_udf(Arc::new(formula))?;
    }
    session.register_udaf(Arc::new(percentile_disc()))?;
    session.register_udaf(Arc::new(super::mould::mould_index()))?;
    session.catalog_list().register_catalog(CATALOG.to_owned(), Arc::new(catalog));
    Ok(session)
}

/// A function of nothing that says where unqualified names are looked for.
fn constant(name: &str, is: &'static str) -> ScalarUDF {
    let answer = move |_: &[ColumnarValue]| Ok(ColumnarValue::Scalar(ScalarValue::from(is)));
    create_udf(name, vec![], DataType::Utf8, Volatility::Immutable, Arc::new(answer))
}

fn config() -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema(CATALOG, PUBLIC)
        .with_create_default_catalog_and_schema(false)
        // Ours is registered as any other schema.
        .with_information_schema(false)
        // Releases are small: one thread merges them faster than two can share them.
        .with_target_partitions(1);
    let options = config.options_mut();
    options.sql_parser.map_string_types_to_utf8view = false;
    // A CASE that folds may be nullable to one planner and not to the other; the physical plan says what is sent.
    options.execution.skip_physical_aggregate_schema_check = true;
    options.optimizer.skip_failed_rules = false;
    options.optimizer.max_passes = 2;
    config
}

/// Rules in the order in which they are applied.
type Rules = Vec<Arc<dyn OptimizerRule + Send + Sync>>;

/// The engine's logical rules in its own order, less those that only pay off over local scans, with ours after filters
/// have been pushed down (and what takes constants out of sums before all) and before common subexpressions are given names.
fn rules(federation: &Arc<Federation>) -> Rules {
    let after: Rules = vec![
        Arc::new(SplitAggregates { federation: Arc::clone(federation) }),
        Arc::new(SingleDistinctToGroupBy::new()),
        Arc::new(EliminateGroupByConstant::new()),
        Arc::new(CommonSubexprEliminate::new()),
        Arc::new(OptimizeProjections::new()),
    ];
    rules_before_split().into_iter().chain(after).collect()
}

/// Those that are applied before a plan is split: subqueries have become joins, and conditions stand where they apply.
pub(crate) fn rules_before_split() -> Rules {
    vec![
        Arc::new(ConstantsOutside),
        Arc::new(SimplifyExpressions::new()),
        Arc::new(ReplaceDistinctWithAggregate::new()),
        Arc::new(EliminateJoin::new()),
        Arc::new(DecorrelatePredicateSubquery::new()),
        Arc::new(ScalarSubqueryToJoin::new()),
        Arc::new(DecorrelateLateralJoin::new()),
        Arc::new(ExtractEquijoinPredicate::new()),
        Arc::new(EliminateDuplicatedExpr::new()),
        Arc::new(EliminateFilter::new()),
        Arc::new(EliminateCrossJoin::new()),
        Arc::new(EliminateLimit::new()),
        Arc::new(PropagateEmptyRelation::new()),
        Arc::new(EliminateOuterJoin::new()),
        Arc::new(PushDownLimit::new()),
        Arc::new(PushDownFilter::new()),
    ]
}
