//! One question from SQL text to answer: **the file to read first**.
//!
//! ```text
//! SQL ──▶ parse ──▶ plan ──▶ keys ──▶ split ──▶ physical plan ──▶ execute ─┬─▶ dispatch fragments to nodes
//!                                                                   answer ◀┴── merge releases
//! ```
//!
//! Planning contacts no node, and reads no row but those of public tables, for their keys. Executing asks every node that holds the
//! datasets, waits for all of them, and merges what they released.

mod error;

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, ParamValues, ScalarValue};
use datafusion::execution::TaskContext;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::{EmptyRelation, Expr, LogicalPlan, Volatility};
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use jigsaw_proto::contract::Contract;
use jigsaw_proto::fragment::Fragment;
use jigsaw_proto::id::DatasetName;

pub use error::QueryError;

use crate::catalogue::{Catalogue, InformationSchema, PUBLIC, ReferenceEntry, TableInfo};
use crate::cell_status::{CellStatus, WithStatus, with_status};
use crate::dispatch::{Federation, QueryContext, Snapshot};
use crate::keys::{Optimized, optimized};
use crate::plan::{
    Explained, Marking, Statement, WireTypes, explain, fragments_of, parameter_type, parse,
    protected_columns, session, to_wire, wire_schema,
};
use crate::split::{Asking, FragmentTable, check_units};

type Result<T> = std::result::Result<T, QueryError>;

/// Plans and runs questions over one federation.
#[derive(Debug)]
pub(crate) struct Engine {
    session: SessionState,
    /// all tables that can be named
    tables: Vec<TableInfo>,
    federation: Arc<Federation>,
}

/// How an answer is put; it decides on the columns that are announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Form {
    pub(crate) cell_status: CellStatus,
    pub(crate) types: WireTypes,
}

/// A question that has been planned; running it asks the nodes.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    statement: LogicalPlan,
    shape: Shape,
    schema: SchemaRef,
    parameters: SchemaRef,
    form: Form,
    /// what nodes will be asked
    fragments: Arc<[FragmentTable]>,
}

#[derive(Debug, Clone)]
enum Shape {
    /// A physical plan whose leaves are fragments, reference tables and constants.
    Plan(Arc<dyn ExecutionPlan>),
    /// One such plan for each row of parameters, run one after the other.
    Each(Vec<Arc<dyn ExecutionPlan>>),
    /// The answer is known already (`EXPLAIN`).
    Known(RecordBatch),
    /// Parameters are missing.
    Template,
}

impl Engine {
    /// An engine over the datasets of `contracts` and the reference tables of `references`.
    pub(crate) async fn new(
        federation: Arc<Federation>,
        contracts: &BTreeMap<DatasetName, Arc<Contract>>,
        references: Vec<ReferenceEntry>,
    ) -> Result<Self> {
        let catalogue = Arc::new(Catalogue::load(contracts, references).await?);
        let planning = |error| QueryError::planning(&error);
        let session = session(&catalogue, &federation).map_err(planning)?;
        let mut tables = catalogue.tables();
        tables.extend(InformationSchema::over(&[]).map_err(planning)?.tables().await.map_err(planning)?);
        Ok(Self { session, tables, federation })
    }

    /// What is known of the nodes now.
    pub(crate) fn view(&self) -> Arc<Snapshot> {
        self.federation.snapshot()
    }

    /// All tables that can be named.
    pub(crate) fn tables(&self) -> &[TableInfo] {
        &self.tables
    }

    /// Plans one statement. No node is contacted.
    pub(crate) async fn plan(&self, sql: &str, form: Form) -> Result<Planned> {
        let session = self.session_now();
        let Statement { plan, explain } = parse(sql, &session).await?;
        self.finish(plan, explain, form, &session).await
    }

    /// Gives a planned statement rows of parameters: it will be answered for one after the other.
    pub(crate) async fn bind(&self, planned: &Planned, rows: Vec<Vec<ScalarValue>>) -> Result<Planned> {
        let (mut first, mut plans) = (None, vec![]);
        for values in rows {
            let bound = self.bind_row(planned, values).await?;
            if let Shape::Plan(plan) = &bound.shape {
                plans.push(Arc::clone(plan));
            }
            first.get_or_insert(bound);
        }
        let first = first.ok_or_else(|| QueryError::sql("bind a row of parameters"))?;
        Ok(if plans.len() > 1 { Planned { shape: Shape::Each(plans), ..first } } else { first })
    }

    /// Parameters in the order of their numbers.
    async fn bind_row(&self, planned: &Planned, values: Vec<ScalarValue>) -> Result<Planned> {
        let wanted = planned.parameters.fields().len();
        if values.len() != wanted {
            let message = format!("the statement has {wanted} parameters, {} were given", values.len());
            return Err(QueryError::Sql { message });
        }
        let values = fitted(&planned.statement, values)?;
        let bound = planned.statement.clone().with_param_values(ParamValues::from(values));
        let bound = bound.map_err(|error| QueryError::planning(&error))?;
        let explained = matches!(planned.shape, Shape::Known(_)).then_some(Explained::Steps);
        self.finish(bound, explained, planned.form, &self.session_now()).await
    }

    /// The session with the clock started, so that `now()` is one instant for the whole question.
    fn session_now(&self) -> SessionState {
        let mut session = self.session.clone();
        session.mark_start_execution();
        session
    }

    async fn finish(
        &self,
        statement: LogicalPlan,
        explained: Option<Explained>,
        form: Form,
        session: &SessionState,
    ) -> Result<Planned> {
        let planning = |error| QueryError::planning(&error);
        let parameters = parameters(&statement)?;
        let fragments = Arc::default();
        if !parameters.fields().is_empty() {
            let schema = wire_schema(statement.schema().as_arrow(), form.types, &Marking::default());
            return Ok(Planned { statement, shape: Shape::Template, schema, parameters, form, fragments });
        }
        check_units(&statement)?;
        let Optimized { plan: split, lists } =
            optimized(&statement, session, &self.federation.snapshot()).await.map_err(planning)?;
        if let Some(how) = explained {
            let answer = explain(&split, &lists, &self.federation.snapshot(), how).map_err(planning)?;
            let schema = answer.schema();
            let shape = Shape::Known(answer);
            return Ok(Planned { statement, shape, schema, parameters, form, fragments });
        }
        let protected = protected_columns(&split, &self.federation.snapshot());
        let (split, about) = match form.cell_status {
            CellStatus::Nulls => (split, vec![]),
            CellStatus::Columns => {
                let WithStatus { plan, about } = with_status(&split)?;
                (plan, about)
            }
        };
        let physical =
            session.query_planner().create_physical_plan(&split, session).await.map_err(planning)?;
        let schema = wire_schema(&physical.schema(), form.types, &Marking { protected, about });
        let fragments = fragments_of(&split).map_err(planning)?.into();
        Ok(Planned { statement, shape: Shape::Plan(physical), schema, parameters, form, fragments })
    }

    fn task(&self, context: Arc<QueryContext>) -> Arc<TaskContext> {
        let asking = Asking::new(Arc::clone(&self.federation), context);
        let config = self.session.config().clone().with_extension(Arc::new(asking));
        let task = TaskContext::from(&self.session).with_session_config(config);
        Arc::new(task)
    }
}

impl Planned {
    /// A statement that asks nothing of data, whose answers have the columns of `schema`.
    pub(crate) fn of_schema(schema: SchemaRef) -> Self {
        let produced = EmptyRelation { produce_one_row: false, schema: Arc::new(DFSchema::empty()) };
        Self {
            statement: LogicalPlan::EmptyRelation(produced),
            shape: Shape::Known(RecordBatch::new_empty(Arc::clone(&schema))),
            schema,
            parameters: Arc::new(Schema::empty()),
            form: Form::default(),
            fragments: Arc::default(),
        }
    }

    /// What nodes will be asked when it is run.
    pub(crate) fn fragments(&self) -> impl Iterator<Item = &Fragment> {
        self.fragments.iter().map(FragmentTable::fragment)
    }

    /// Whether planning the same statement again would give the same: it has no clock and no dice in it, and reads nothing that
    /// changes while nobody asks (tables of the federation and of what there is are read when they are planned).
    pub(crate) fn lasts(&self) -> bool {
        let changing = |expr: &Expr| {
            Ok(match expr {
                Expr::ScalarFunction(call) => call.func.signature().volatility != Volatility::Immutable,
                _ => false,
            })
        };
        let passing = self.statement.exists(|plan| {
            let mut found = match plan {
                LogicalPlan::TableScan(scan) => {
                    scan.table_name.schema().is_some_and(|schema| schema != PUBLIC)
                }
                _ => false,
            };
            plan.apply_expressions(|expr| {
                found = found || expr.exists(changing)?;
                Ok(TreeNodeRecursion::Continue)
            })?;
            plan.apply_subqueries(|_| {
                // Rare, and not worth a second walk.
                found = true;
                Ok(TreeNodeRecursion::Stop)
            })?;
            Ok(found)
        });
        !passing.unwrap_or(true)
    }

    /// The schema of the answer, exactly as it is sent.
    pub(crate) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The parameters, named by their numbers.
    pub(crate) fn parameter_schema(&self) -> SchemaRef {
        Arc::clone(&self.parameters)
    }

    /// Runs the question. Nothing is sent before every node has answered; dropping the stream cancels at the nodes.
    pub(crate) fn execute(
        &self,
        engine: &Engine,
        context: Arc<QueryContext>,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let schema = self.schema();
        match &self.shape {
            Shape::Known(answer) => Ok(stream::iter([Ok(answer.clone())]).boxed()),
            Shape::Template => {
                let message =
                    "the statement has parameters: bind a value to each before running it".to_owned();
                Err(QueryError::Sql { message })
            }
            Shape::Plan(plan) => Ok(sent(run(plan, engine.task(context))?, schema)),
            Shape::Each(plans) => {
                let (plans, task) = (plans.clone(), engine.task(context));
                let runs = stream::iter(plans).map(move |plan| run(&plan, Arc::clone(&task)));
                Ok(sent(runs.try_flatten().boxed(), schema))
            }
        }
    }
}

/// A plan may keep state between runs (`LIMIT`, dynamic filters): each run gets a fresh one.
fn run(
    plan: &Arc<dyn ExecutionPlan>,
    task: Arc<TaskContext>,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let plan = reset_plan_states(Arc::clone(plan)).map_err(|error| QueryError::running(&error))?;
    let batches = execute_stream(plan, task).map_err(|error| QueryError::running(&error))?;
    Ok(batches.map_err(|error| QueryError::running(&error)).boxed())
}

fn sent(
    batches: BoxStream<'static, Result<RecordBatch>>,
    schema: SchemaRef,
) -> BoxStream<'static, Result<RecordBatch>> {
    batches.and_then(move |batch| futures::future::ready(to_wire(&batch, &schema))).boxed()
}

/// Values in the types that the planner inferred; one of a type that it could not tell stays what it is.
fn fitted(statement: &LogicalPlan, values: Vec<ScalarValue>) -> Result<Vec<ScalarValue>> {
    let types = statement.get_parameter_types().map_err(|error| QueryError::planning(&error))?;
    let fit = |(place, value): (usize, ScalarValue)| match types.get(&format!("${}", place + 1)) {
        Some(Some(wanted)) if *wanted != value.data_type() => value.cast_to(wanted).map_err(|_| {
            QueryError::sql(format!(
                "parameter {} does not fit its type, {}",
                place + 1,
                parameter_type(Some(wanted))
            ))
        }),
        _ => Ok(value),
    };
    values.into_iter().enumerate().map(fit).collect()
}

/// `$1`, `$2`, … with their types; text where the planner cannot tell.
fn parameters(statement: &LogicalPlan) -> Result<SchemaRef> {
    let fields = statement.get_parameter_fields().map_err(|error| QueryError::planning(&error))?;
    let mut numbered: Vec<(usize, Field)> = fields
        .into_iter()
        .map(|(name, field)| {
            let number = name.trim_start_matches('$').parse().unwrap_or(usize::MAX);
            let data_type = parameter_type(field.as_ref().map(|field| field.data_type()));
            (number, Field::new(name, data_type, true))
        })
        .collect();
    numbered.sort_by_key(|(number, _)| *number);
    Ok(Arc::new(Schema::new(numbered.into_iter().map(|(_, field)| field).collect::<Vec<_>>())))
}
