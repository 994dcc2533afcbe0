//! One question from SQL text to answer: **the file to read first**.
//!
//! ```text
//! SQL ──▶ parse ──▶ plan ──▶ split ──▶ physical plan ──▶ execute ─┬─▶ dispatch fragments to nodes
//!                                                          answer ◀┴── merge releases
//! ```
//!
//! Planning contacts no node and reads no row. Executing asks every node that holds the datasets, waits for all of them, and
//! merges what they released.

mod error;

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::{DFSchema, ParamValues, ScalarValue};
use datafusion::execution::TaskContext;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::{EmptyRelation, LogicalPlan};
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use jigsaw_proto::contract::Contract;
use jigsaw_proto::id::DatasetName;

pub use error::QueryError;

use crate::catalogue::{Catalogue, ReferenceEntry, TableInfo};
use crate::cell_status::{CellStatus, WithStatus, with_status};
use crate::dispatch::{Federation, QueryContext};
use crate::plan::{
    Marking, Statement, explain, parameter_type, parse, protected_columns, session, to_wire, wire_schema,
};
use crate::split::{Asking, check_units};

type Result<T> = std::result::Result<T, QueryError>;

/// Plans and runs questions over one federation.
#[derive(Debug)]
pub(crate) struct Engine {
    session: SessionState,
    catalogue: Arc<Catalogue>,
    federation: Arc<Federation>,
}

/// A question that has been planned; running it asks the nodes.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    statement: LogicalPlan,
    shape: Shape,
    schema: SchemaRef,
    parameters: SchemaRef,
    cell_status: CellStatus,
}

#[derive(Debug, Clone)]
enum Shape {
    /// A physical plan whose leaves are fragments, reference tables and constants.
    Plan(Arc<dyn ExecutionPlan>),
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
        let session = session(&catalogue, &federation).map_err(|error| QueryError::planning(&error))?;
        Ok(Self { session, catalogue, federation })
    }

    /// All tables that can be named.
    pub(crate) fn tables(&self) -> Vec<TableInfo> {
        self.catalogue.tables()
    }

    /// Plans one statement. No node is contacted.
    pub(crate) async fn plan(&self, sql: &str, cell_status: CellStatus) -> Result<Planned> {
        let session = self.session_now();
        let Statement { plan, explain } = parse(sql, &session).await?;
        self.finish(plan, explain, cell_status, &session).await
    }

    /// Gives a planned statement its parameters, in the order of their numbers.
    pub(crate) async fn bind(&self, planned: &Planned, values: Vec<ScalarValue>) -> Result<Planned> {
        let wanted = planned.parameters.fields().len();
        if values.len() != wanted {
            let message = format!("the statement has {wanted} parameters, {} were given", values.len());
            return Err(QueryError::Sql { message });
        }
        let bound = planned.statement.clone().with_param_values(ParamValues::from(values));
        let bound = bound.map_err(|error| QueryError::planning(&error))?;
        let explained = matches!(planned.shape, Shape::Known(_));
        self.finish(bound, explained, planned.cell_status, &self.session_now()).await
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
        explained: bool,
        cell_status: CellStatus,
        session: &SessionState,
    ) -> Result<Planned> {
        let planning = |error| QueryError::planning(&error);
        let parameters = parameters(&statement)?;
        if !parameters.fields().is_empty() {
            let schema = wire_schema(statement.schema().as_arrow(), &Marking::default());
            return Ok(Planned { statement, shape: Shape::Template, schema, parameters, cell_status });
        }
        check_units(&statement)?;
        let split = session.optimize(&statement).map_err(planning)?;
        if explained {
            let answer = explain(&split, &self.federation.snapshot()).map_err(planning)?;
            let schema = answer.schema();
            return Ok(Planned { statement, shape: Shape::Known(answer), schema, parameters, cell_status });
        }
        let protected = protected_columns(&split, &self.federation.snapshot());
        let (split, about) = match cell_status {
            CellStatus::Nulls => (split, vec![]),
            CellStatus::Columns => {
                let WithStatus { plan, about } = with_status(&split)?;
                (plan, about)
            }
        };
        let physical =
            session.query_planner().create_physical_plan(&split, session).await.map_err(planning)?;
        let schema = wire_schema(&physical.schema(), &Marking { protected, about });
        Ok(Planned { statement, shape: Shape::Plan(physical), schema, parameters, cell_status })
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
            cell_status: CellStatus::default(),
        }
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
            Shape::Plan(plan) => {
                // A plan may keep state between runs (`LIMIT`, dynamic filters): each run gets a fresh one.
                let plan =
                    reset_plan_states(Arc::clone(plan)).map_err(|error| QueryError::running(&error))?;
                let batches = execute_stream(plan, engine.task(context))
                    .map_err(|error| QueryError::running(&error))?;
                let batches = batches.map_err(|error| QueryError::running(&error));
                Ok(batches.and_then(move |batch| futures::future::ready(to_wire(&batch, &schema))).boxed())
            }
        }
    }
}

/// `$1`, `$2`, … with their types; text where the planner cannot tell.
fn parameters(statement: &LogicalPlan) -> Result<SchemaRef> {
    let fields = statement.get_parameter_fields().map_err(|error| QueryError::planning(&error))?;
    let mut numbered: Vec<(usize, Field)> = fields
        .into_iter()
        .map(|(name, field)| {
            let number = name.trim_start_matches('$').parse().unwrap_or(usize::MAX);
            (number, Field::new(name, parameter_type(field.map(|field| field.data_type().clone())), true))
        })
        .collect();
    numbered.sort_by_key(|(number, _)| *number);
    Ok(Arc::new(Schema::new(numbered.into_iter().map(|(_, field)| field).collect::<Vec<_>>())))
}
