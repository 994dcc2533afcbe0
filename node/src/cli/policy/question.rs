//! SQL as a fragment, for `policy explain`: one aggregation over the datasets of this node.
//!
//! The engine plans it over tables without rows, and the plan is put into the words of the fragment language. The
//! coordinator does the same with more forms of SQL; what decides is the fragment it sends, and [`crate::validate`].

mod expr;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::JoinType;
use datafusion::datasource::empty::EmptyTable;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Aggregate, Expr as PlanExpr, LogicalPlan, Projection};
use datafusion::optimizer::extract_equijoin_predicate::ExtractEquijoinPredicate;
use datafusion::optimizer::simplify_expressions::SimplifyExpressions;
use datafusion::optimizer::{Optimizer, OptimizerContext};
use datafusion::prelude::{SessionConfig, SessionContext};
use jigsaw_proto::aggregate::{Aggregate as Algebra, Partial};
use jigsaw_proto::contract::NODE_COLUMN;
use jigsaw_proto::fragment::{Fragment, Join, JoinKind, Measure, Relation};

use self::expr::{column, translate};
use crate::node::Datasets;

/// The fragment that a question is at this node.
///
/// # Errors
/// One sentence about SQL that cannot be planned or is more than one aggregation.
pub(super) async fn fragment(sql: &str, held: &Datasets) -> Result<Fragment, String> {
    let plan = plan(sql, held).await.map_err(|error| format!("the SQL cannot be planned: {error}"))?;
    let Aggregate { input, group_expr, aggr_expr, .. } = aggregate(&plan)?;
    let keys = group_expr.iter().map(|key| translate(key, input.schema()));
    let measures = aggr_expr.iter().map(|call| measures(call, input));
    Ok(Fragment {
        input: relation(input)?,
        keys: keys.collect::<Result<_, _>>()?,
        measures: measures.collect::<Result<Vec<_>, _>>()?.concat(),
    })
}

async fn plan(sql: &str, held: &Datasets) -> Result<LogicalPlan, DataFusionError> {
    let mut config = SessionConfig::new();
    config.options_mut().sql_parser.map_string_types_to_utf8view = false;
    let context = SessionContext::new_with_config(config);
    for dataset in held.values() {
        let visible = dataset.visible();
        let fields = visible.columns.iter().map(|column| (column.name.as_str(), column.data_type.to_arrow()));
        let node = (NODE_COLUMN, DataType::Utf8);
        let fields = fields.chain([node]).map(|(name, data_type)| Field::new(name, data_type, true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        context.register_table(visible.name.as_str(), Arc::new(EmptyTable::new(schema)))?;
    }
    let state = context.state();
    let plan = state.create_logical_plan(sql).await?;
    let plan = state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {})?;
    // Types are in place; constants are folded and joins have keys, and nothing else is moved.
    let rules = Optimizer::with_rules(vec![
        Arc::new(SimplifyExpressions::new()),
        Arc::new(ExtractEquijoinPredicate::new()),
    ]);
    rules.optimize(plan, &OptimizerContext::new().with_max_passes(1), |_, _| {})
}

/// The aggregation under what runs over released figures: HAVING, ORDER BY, LIMIT and the choice of columns.
fn aggregate(plan: &LogicalPlan) -> Result<&Aggregate, String> {
    match plan {
        LogicalPlan::Aggregate(aggregate) => Ok(aggregate),
        LogicalPlan::Projection(projection) => aggregate(&projection.input),
        LogicalPlan::Filter(filter) => aggregate(&filter.input),
        LogicalPlan::Sort(sort) => aggregate(&sort.input),
        LogicalPlan::Limit(limit) => aggregate(&limit.input),
        LogicalPlan::SubqueryAlias(alias) => aggregate(&alias.input),
        _ => Err("it is not one SELECT with aggregates or GROUP BY, and rows are never released".to_owned()),
    }
}

fn measures(call: &PlanExpr, input: &LogicalPlan) -> Result<Vec<Measure>, String> {
    let PlanExpr::AggregateFunction(AggregateFunction { func, params }) = call.clone().unalias() else {
        return Err(format!("{call} is no aggregate that nodes compute"));
    };
    let filter = params.filter.as_deref().map(|filter| translate(filter, input.schema())).transpose()?;
    let arguments = params.args.iter().filter(|argument| !matches!(argument, PlanExpr::Literal(..)));
    let arguments =
        arguments.map(|argument| translate(argument, input.schema())).collect::<Result<Vec<_>, _>>()?;
    let unknown = || format!("{call} is no aggregate that nodes compute");
    let aggregate = match (func.name(), params.distinct, arguments.len()) {
        ("count", false, 0) => Some(Algebra::CountRows),
        ("count", true, 1) => Some(Algebra::CountEntities),
        (name, false, _) | (name @ ("min" | "max"), true, _) => Algebra::named(name),
        _ => None,
    };
    let aggregate = aggregate.ok_or_else(unknown)?;
    let measure = |partial: &Partial| Measure::of(*partial, &arguments, filter.as_ref()).ok_or_else(unknown);
    aggregate.partials().iter().map(measure).collect()
}

fn relation(plan: &LogicalPlan) -> Result<Relation, String> {
    match plan {
        LogicalPlan::TableScan(scan) => named(scan.table_name.table(), scan.table_name.table()),
        LogicalPlan::SubqueryAlias(alias) => match &*alias.input {
            LogicalPlan::TableScan(scan) => named(scan.table_name.table(), alias.alias.table()),
            LogicalPlan::Projection(projection) => project(projection, alias.alias.table()),
            _ => Err(unsupported(plan)),
        },
        LogicalPlan::Filter(filter) => {
            let predicate = translate(&filter.predicate, filter.input.schema())?;
            Ok(Relation::Filter { input: Box::new(relation(&filter.input)?), predicate })
        }
        LogicalPlan::Join(join) => {
            let kind = match join.join_type {
                JoinType::Inner => JoinKind::Inner,
                JoinType::Left => JoinKind::Left,
                JoinType::Right => JoinKind::Right,
                JoinType::Full => JoinKind::Full,
                _ => return Err(unsupported(plan)),
            };
            let on = join.on.iter().map(|(left, right)| Ok((column(left)?, column(right)?)));
            let on = on.collect::<Result<_, String>>()?;
            let filter = join.filter.as_ref().map(|filter| translate(filter, &join.schema)).transpose()?;
            let (left, right) = (relation(&join.left)?, relation(&join.right)?);
            Ok(Relation::Join(Box::new(Join { left, right, kind, on, filter })))
        }
        _ => Err(unsupported(plan)),
    }
}

fn named(dataset: &str, alias: &str) -> Result<Relation, String> {
    let dataset = dataset.parse().map_err(|_| format!("{dataset} is no name of a dataset"))?;
    Ok(Relation::Scan { dataset, alias: alias.to_owned() })
}

fn project(projection: &Projection, alias: &str) -> Result<Relation, String> {
    let fields = projection.schema.fields().iter().map(|field| field.name().clone());
    let columns = fields.zip(&projection.expr).map(|(name, expr)| {
        let expr = translate(expr, projection.input.schema())?;
        Ok((name, expr))
    });
    let columns = columns.collect::<Result<_, String>>()?;
    Ok(Relation::Project { input: Box::new(relation(&projection.input)?), alias: alias.to_owned(), columns })
}

fn unsupported(plan: &LogicalPlan) -> String {
    format!(
        "{} is not explained here: write one SELECT over tables, joins and plain subqueries",
        plan.display()
    )
}
