//! From a source's columns to the contract's: the optional `select`, then one cast for each column where no digit can change, then
//! the declared keys.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType as ArrowType;
use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, ExprSchema, ScalarValue};
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::error::DataFusionError;
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::expr::TryCast;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, ScalarUDF, cast, lit, when};
use datafusion::optimizer::Optimizer;
use datafusion::optimizer::simplify_expressions::SimplifyExpressions;
use datafusion::prelude::{SessionConfig, SessionContext};
use jigsaw_proto::contract::Contract;
use jigsaw_proto::release::{DeclaredKeys, Key};

use super::sanitised;
use crate::config::FormatWord;
use crate::execute::{Guarded, engine_type};
use crate::settings::DatasetSettings;

/// The name of the files in a mapping `select`.
const SOURCE: &str = "source";

/// A table with exactly the contract's columns, in its order.
pub(super) async fn map(
    settings: &DatasetSettings,
    source: Arc<dyn TableProvider>,
) -> Result<Arc<dyn TableProvider>, String> {
    let plan = match &settings.select {
        Some(select) => selected(settings, select, source).await?,
        None => nulled(settings, source).map_err(|error| sanitised(&error))?,
    };
    let plan = conformed(&settings.contract, plan, settings)?;
    let plan = kept_to(&settings.only, plan).map_err(|error| sanitised(&error))?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}

/// The rows whose columns have declared values, and no others: whoever is not asked because of the declaration is not missed.
fn kept_to(only: &[DeclaredKeys], plan: LogicalPlan) -> Result<LogicalPlan, DataFusionError> {
    let mut plan = plan;
    for DeclaredKeys { column, values } in only {
        let place = plan.schema().index_of_column_by_name(None, column);
        let place = place.ok_or_else(|| DataFusionError::Plan(format!("there is no column {column}")))?;
        let (qualifier, field) = plan.schema().qualified_field(place);
        let cell = Expr::Column(Column::new(qualifier.cloned(), field.name()));
        let narrow = *field.data_type() == ArrowType::Int32;
        let values = values.iter().map(|value| match value {
            Key::Text(text) => Ok(ScalarValue::Utf8View(Some(text.clone()))),
            Key::Integer(value) if narrow => {
                Ok(ScalarValue::Int32(Some(i32::try_from(*value).map_err(|_| {
                    DataFusionError::Plan(format!("a declared value of {column} is too large"))
                })?)))
            }
            Key::Integer(value) => Ok(ScalarValue::Int64(Some(*value))),
        });
        let values = values.map(|value| value.map(|value| Expr::Literal(value, None)));
        let values = values.collect::<Result<Vec<_>, DataFusionError>>()?;
        plan = LogicalPlanBuilder::from(plan).filter(cell.in_list(values, false))?.build()?;
    }
    Ok(plan)
}

/// The source with the texts that stand for NULL made NULL.
fn nulled(
    settings: &DatasetSettings,
    source: Arc<dyn TableProvider>,
) -> Result<LogicalPlan, DataFusionError> {
    let scan = LogicalPlanBuilder::scan(SOURCE, provider_as_source(source), None)?;
    if settings.format != FormatWord::Csv {
        return scan.build();
    }
    let columns = scan.schema().columns();
    let mut outputs = vec![];
    for column in columns {
        let name = column.name.clone();
        let text = *scan.schema().field_from_column(&column)?.data_type() == ArrowType::Utf8;
        let cell = Expr::Column(column);
        let nulls: Vec<Expr> =
            settings.csv.null_values.iter().map(|text| lit(text.as_str())).chain([lit("")]).collect();
        let value = if text { when(cell.clone().in_list(nulls, true), cell).end()? } else { cell };
        outputs.push(value.alias(name));
    }
    scan.project(outputs)?.alias(SOURCE)?.build()
}

async fn selected(
    settings: &DatasetSettings,
    select: &str,
    source: Arc<dyn TableProvider>,
) -> Result<LogicalPlan, String> {
    let failed = |error: DataFusionError| format!("select: {}", sanitised(&error));
    let mut config = SessionConfig::new().with_information_schema(false);
    config.options_mut().sql_parser.map_string_types_to_utf8view = false;
    let context = SessionContext::new_with_config(config);
    let view = ViewTable::new(nulled(settings, source).map_err(failed)?, None);
    context.register_table(SOURCE, Arc::new(view)).map_err(failed)?;
    let options = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    let frame = context.sql_with_options(select, options).await.map_err(failed)?;
    let state = context.state();
    let analyzed = state
        .analyzer()
        .execute_and_check(frame.into_unoptimized_plan(), &Arc::clone(state.config_options()), |_, _| {})
        .map_err(failed)?;
    // Some functions, coalesce among them, exist only until they are rewritten; the engine of questions does not do it.
    let simplified = Optimizer::with_rules(vec![Arc::new(SimplifyExpressions::new())])
        .optimize(analyzed, &state, |_, _| {})
        .map_err(failed)?;
    total(simplified).map_err(failed)
}

/// Casts and functions that fail give NULL: one odd cell must neither stop a question nor be told by one.
fn total(plan: LogicalPlan) -> Result<LogicalPlan, DataFusionError> {
    let rewritten = plan.transform_up(|node| {
        // The columns of the select keep their names.
        let preserver = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let name = preserver.save(&expr);
            let total = expr.transform_up(|part| {
                Ok(match part {
                    Expr::Cast(cast) => Transformed::yes(Expr::TryCast(TryCast::new(
                        cast.expr,
                        cast.field.data_type().clone(),
                    ))),
                    Expr::ScalarFunction(call) if call.func.short_circuits() => {
                        Transformed::no(Expr::ScalarFunction(call))
                    }
                    Expr::ScalarFunction(call) => {
                        Transformed::yes(ScalarUDF::from(Guarded::new(call.func)).call(call.args))
                    }
                    part => Transformed::no(part),
                })
            })?;
            Ok(total.update_data(|expr| name.restore(expr)))
        })
    })?;
    rewritten.data.recompute_schema()
}

fn conformed(
    contract: &Contract,
    plan: LogicalPlan,
    settings: &DatasetSettings,
) -> Result<LogicalPlan, String> {
    let from = if settings.select.is_some() { "select" } else { "source" };
    let schema: DFSchema = (**plan.schema()).clone();
    for field in schema.fields() {
        if contract.column(field.name()).is_none() && settings.select.is_some() {
            return Err(format!(
                "select gives a column {} that the contract does not have: take it out",
                field.name()
            ));
        }
    }
    let mut outputs = vec![];
    for column in &contract.columns {
        let name = column.name.as_str();
        let place = schema.fields().iter().position(|field| field.name() == name);
        let place = place.ok_or_else(|| {
            format!("{from} has no column {name}, which the contract has: write a select that gives it, CAST(NULL AS {}) AS {name} if it is not recorded", column.data_type)
        })?;
        let (qualifier, field) = schema.qualified_field(place);
        let wanted = engine_type(&column.data_type);
        let cell = Expr::Column(Column::new(qualifier.cloned(), field.name()));
        let csv = settings.format == FormatWord::Csv && settings.select.is_none();
        let value = if *field.data_type() == wanted {
            cell
        } else if csv || is_lossless(field.data_type(), &wanted) {
            cast(cell, wanted)
        } else {
            return Err(format!(
                "column {name} is {} in the {from} and {} in the contract: write a select with CAST({name} AS {})",
                field.data_type(),
                column.data_type,
                column.data_type
            ));
        };
        outputs.push(value.alias(name));
    }
    let plan = LogicalPlanBuilder::from(plan).project(outputs).and_then(LogicalPlanBuilder::build);
    plan.map_err(|error| sanitised(&error))
}

/// Whether a cast can neither fail nor change a value's digits.
fn is_lossless(from: &ArrowType, to: &ArrowType) -> bool {
    use ArrowType as T;
    match (from, to) {
        (T::Utf8 | T::LargeUtf8 | T::Dictionary(..), T::Utf8View)
        | (T::Int8 | T::Int16 | T::UInt8 | T::UInt16, T::Int32)
        | (T::Int8 | T::Int16 | T::Int32 | T::UInt8 | T::UInt16 | T::UInt32, T::Int64)
        | (T::Float32 | T::Int8 | T::Int16 | T::Int32, T::Float64) => true,
        (T::Timestamp(_, from), T::Timestamp(_, to)) => from == to,
        (T::Decimal128(precision, scale), T::Decimal128(wider, deeper)) => {
            deeper >= scale
                && i16::from(*wider) - i16::from(*deeper) >= i16::from(*precision) - i16::from(*scale)
        }
        _ => false,
    }
}
