//! The release of a fragment as a leaf of the plan: an ordinary table, whose scan asks the nodes.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::source_as_provider;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableScan, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::future::{try_join, try_join_all};
use futures::{StreamExt, TryStreamExt, stream};
use jigsaw_proto::fragment::{Fragment, Relation};
use jigsaw_proto::release::ReleaseMode;
use jigsaw_proto::types::DataType;
use tokio::sync::OnceCell;

use super::reliance::{Reliance, Values};
use super::values::Remark;
use super::view::View;
use crate::dispatch::{Federation, QueryContext, Released};
use crate::query::QueryError;

/// A fragment whose answer is scanned as a table with the columns `g0…`, `p0…`.
#[derive(Clone)]
pub(crate) struct FragmentTable {
    fragment: Arc<Fragment>,
    released: SchemaRef,
    relied_on: Arc<Vec<Reliance>>,
    view: View,
    remarks: Arc<Vec<Remark>>,
}

/// Most groups of values that are put together here: more would be rows under another name.
const MAX_VALUES: usize = 5_000_000;

/// The schema of a release with these columns.
fn schema(columns: &[(String, DataType)]) -> SchemaRef {
    let fields = columns.iter().map(|(name, data_type)| Field::new(name, data_type.to_arrow(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

impl FragmentTable {
    /// The table of `fragment`, whose release has these columns, and what it relies on.
    pub(super) fn new(fragment: Fragment, columns: &[(String, DataType)], relied_on: Vec<Reliance>) -> Self {
        let (released, relied_on) = (schema(columns), Arc::new(relied_on));
        let remarks = Arc::default();
        Self { fragment: Arc::new(fragment), released, relied_on, view: View::Release, remarks }
    }

    /// The release that a scan is of; `None` for any other table.
    pub(super) fn of(scan: &TableScan) -> Option<Self> {
        let provider = source_as_provider(&scan.source).ok()?;
        (provider.as_ref() as &dyn Any).downcast_ref::<Self>().cloned()
    }

    /// The same, with what is to be said beside an answer that is made of it.
    pub(super) fn with_remarks(self, remarks: Vec<Remark>) -> Self {
        Self { remarks: Arc::new(remarks), ..self }
    }

    /// The same answer seen in another way: nodes are asked once for all views of it.
    pub(crate) fn seen_as(&self, view: View) -> Self {
        Self { view, ..self.clone() }
    }

    /// What is asked.
    pub(crate) fn fragment(&self) -> &Fragment {
        &self.fragment
    }

    /// The name it has in plans.
    pub(crate) const NAME: &str = "release";
}

impl fmt::Debug for FragmentTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FragmentTable({})", self.fragment)
    }
}

#[async_trait]
impl TableProvider for FragmentTable {
    fn schema(&self) -> SchemaRef {
        self.view.schema(&self.released)
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = TableProvider::schema(self);
        let release = Release { table: self.clone(), schema: Arc::clone(&schema) };
        Ok(Arc::new(StreamingTableExec::try_new(
            schema,
            vec![Arc::new(release)],
            projection,
            [],
            false,
            limit,
        )?))
    }
}

/// The one partition of a fragment's table: all nodes are asked at once, and nothing is passed on before all have answered.
struct Release {
    table: FragmentTable,
    schema: SchemaRef,
}

impl fmt::Debug for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Release({})", self.table.fragment)
    }
}

impl PartitionStream for Release {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let FragmentTable { fragment, released, relied_on, view, remarks } = self.table.clone();
        let schema = Arc::clone(&self.schema);
        let answer = async move {
            let asking = context.session_config().get_extension::<Asking>().ok_or_else(|| {
                DataFusionError::from(QueryError::internal("a fragment was scanned outside a question"))
            })?;
            let answer = asking.ask(&fragment, &released, &fragment.input);
            let answer = asking.checked(answer, &relied_on, &fragment.input).await?;
            asking.remark(&answer, &remarks)?;
            let batches = view.batches(&answer, &schema)?;
            Ok::<_, DataFusionError>(stream::iter(batches.into_iter().map(Ok)))
        };
        let stream = stream::once(answer).try_flatten().boxed();
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), stream))
    }
}

type Answer = Arc<Released>;

/// One question while it runs: whom to ask, and what was answered already. Equal fragments of a question are asked once.
pub(crate) struct Asking {
    federation: Arc<Federation>,
    context: Arc<QueryContext>,
    answers: Mutex<HashMap<String, Arc<OnceCell<Answer>>>>,
}

impl Asking {
    pub(crate) fn new(federation: Arc<Federation>, context: Arc<QueryContext>) -> Self {
        Self { federation, context, answers: Mutex::default() }
    }

    /// An answer about rows, held against what it relies on.
    async fn checked(
        &self,
        answer: impl Future<Output = Result<Answer, QueryError>>,
        relied_on: &[Reliance],
        about: &Relation,
    ) -> Result<Answer, QueryError> {
        let values: Vec<&Values> = relied_on
            .iter()
            .filter_map(|reliance| match reliance {
                Reliance::Together(values) => Some(values),
                Reliance::Key { .. } => None,
            })
            .flatten()
            .collect();
        let asked = values.iter().map(|values| async move {
            let schema = schema(&values.columns);
            self.ask(&values.fragment, &schema, about).await
        });
        let (answer, asked) = try_join(answer, try_join_all(asked)).await?;
        let seen: Vec<(&Values, Answer)> = values.into_iter().zip(asked).collect();
        for reliance in relied_on {
            reliance.check(&answer, &seen)?;
        }
        Ok(answer)
    }

    /// Says what is to be said of an answer over values.
    fn remark(&self, answer: &Released, remarks: &[Remark]) -> Result<(), QueryError> {
        let values: usize = answer.batches().map(RecordBatch::num_rows).sum();
        if remarks.iter().any(|remark| remark.of_values) && values > MAX_VALUES {
            return Err(QueryError::sql(format!(
                "DISTINCT or a quantile is over {values} different values, and {MAX_VALUES} are the most: ask for fewer groups, or round \
                 the values (ROUND(x, 1), date_trunc)"
            )));
        }
        let protected = answer.answers.iter().any(|(manifest, _)| manifest.mode == ReleaseMode::Protected);
        for remark in remarks.iter().filter(|remark| protected || !remark.of_protected) {
            self.context.remark(&remark.sentence);
        }
        Ok(())
    }

    async fn ask(
        &self,
        fragment: &Fragment,
        schema: &SchemaRef,
        about: &Relation,
    ) -> Result<Answer, QueryError> {
        let cell = {
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(answers.entry(format!("{fragment} ABOUT {about}")).or_default())
        };
        let answer = cell
            .get_or_try_init(async || {
                let released =
                    self.federation.ask(&self.context, fragment, Arc::clone(schema), Some(about)).await?;
                Ok::<_, QueryError>(released)
            })
            .await?;
        Ok(Arc::clone(answer))
    }
}
