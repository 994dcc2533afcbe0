//! The split of an aggregation over federated tables only.

use std::sync::Arc;

use datafusion::common::{Column as PlanColumn, TableReference};
use datafusion::datasource::provider_as_source;
use datafusion::functions_aggregate::expr_fn::sum;
use datafusion::logical_expr::{
    Aggregate, Expr as PlanExpr, LogicalPlan, LogicalPlanBuilder, cast, lit, when,
};
use jigsaw_proto::fragment::{Fragment, Measure};

use super::aggregate::{Asked, Merged};
use super::expr::{conform, planned_type, translate};
use super::fragment_table::FragmentTable;
use super::relation::RelationBuilder;
use crate::query::QueryError;

type Result<T> = std::result::Result<T, QueryError>;

/// `Aggregate(federated)` becomes `Projection(Aggregate(release))`.
pub(super) fn split(aggregate: &Aggregate) -> Result<LogicalPlan> {
    let mut builder = RelationBuilder::default();
    let (input, names) = builder.relation(&aggregate.input)?;
    let schema = aggregate.input.schema();
    let keys = aggregate.group_expr.iter().map(|key| {
        if matches!(key, PlanExpr::GroupingSet(_)) {
            return Err(QueryError::sql(
                "ROLLUP, CUBE and GROUPING SETS are not answered yet: ask each grouping by itself and put them together with UNION ALL",
            ));
        }
        let expr = translate(key, &names)?;
        Ok(conform(expr.clone(), &names.type_of(&expr)?, &planned_type(key, schema)?))
    });
    let keys = keys.collect::<Result<Vec<_>>>()?;
    let complete = builder.complete(&keys);
    let asked = aggregate.aggr_expr.iter().map(|call| Asked::read(call, &names, &builder, complete));
    let asked = asked.collect::<Result<Vec<_>>>()?;

    let mut measures = Measures::default();
    let states: Vec<Vec<usize>> = asked.iter().map(|asked| measures.add(asked)).collect();
    let leaf = Leaf::new(Fragment { input, keys, measures: measures.list }, &mut builder)?;

    let fields = aggregate.schema.iter().skip(aggregate.group_expr.len());
    let merges = asked.iter().zip(&states).zip(fields).map(|((asked, states), (_, field))| {
        let states: Vec<PlanExpr> = states.iter().map(|index| Leaf::column(&format!("p{index}"))).collect();
        asked.merge(&states, None, field.data_type())
    });
    let merges = merges.collect::<Result<Vec<_>>>()?;
    let groups = (0..aggregate.group_expr.len()).map(|index| Leaf::column(&format!("g{index}"))).collect();
    merged(leaf.scan()?, groups, merges, aggregate)
}

/// Measures without repetition: `AVG(x)` beside `COUNT(x)` asks for one count.
#[derive(Debug, Default)]
pub(super) struct Measures {
    pub(super) list: Vec<Measure>,
}

impl Measures {
    /// The places of an aggregate's states in the list.
    pub(super) fn add(&mut self, asked: &Asked) -> Vec<usize> {
        let places = asked.measures().into_iter().map(|measure| {
            self.list.iter().position(|known| *known == measure).unwrap_or_else(|| {
                self.list.push(measure);
                self.list.len() - 1
            })
        });
        places.collect()
    }
}

/// The release of a fragment as a table of the plan.
pub(super) struct Leaf {
    table: Arc<FragmentTable>,
}

impl Leaf {
    pub(super) fn new(fragment: Fragment, builder: &mut RelationBuilder) -> Result<Self> {
        let columns = fragment
            .columns(&|dataset| builder.contract(dataset))
            .map_err(|error| QueryError::sql(error.to_string()))?;
        Ok(Self { table: Arc::new(FragmentTable::new(fragment, &columns, builder.relied_on())) })
    }

    pub(super) fn column(name: &str) -> PlanExpr {
        PlanExpr::Column(PlanColumn::new(Some(TableReference::bare(FragmentTable::NAME)), name))
    }

    pub(super) fn scan(&self) -> Result<LogicalPlanBuilder> {
        let table: Arc<FragmentTable> = Arc::clone(&self.table);
        LogicalPlanBuilder::scan(FragmentTable::NAME, provider_as_source(table), None)
            .map_err(|error| QueryError::planning(&error))
    }
}

/// The merge of a release: an aggregation over it and the projection that has the names and types of `original`.
pub(super) fn merged(
    release: LogicalPlanBuilder,
    groups: Vec<PlanExpr>,
    merges: Vec<Merged>,
    original: &Aggregate,
) -> Result<LogicalPlan> {
    let planning = |error| QueryError::planning(&error);
    let group_count = groups.len();
    let mut calls = vec![];
    let mut finishes = vec![];
    for Merged { calls: own, finish, is_count } in merges {
        let first = calls.len();
        calls.extend(
            own.into_iter().enumerate().map(|(index, call)| call.alias(format!("m{}", first + index))),
        );
        finishes.push((first..calls.len(), finish, is_count));
    }
    if groups.is_empty() {
        calls.push(sum(lit(1_i64)).alias("releases"));
    }
    let plan = release.aggregate(groups, calls).map_err(planning)?.build().map_err(planning)?;
    let columns: Vec<PlanExpr> = plan.schema().columns().into_iter().map(PlanExpr::Column).collect();
    let mut fields = original.schema.iter();
    let mut outputs = vec![];
    for (column, (qualifier, field)) in columns.iter().take(group_count).zip(fields.by_ref()) {
        outputs.push(
            cast(column.clone(), field.data_type().clone()).alias_qualified(qualifier.cloned(), field.name()),
        );
    }
    for ((range, finish, is_count), (qualifier, field)) in finishes.into_iter().zip(fields) {
        let states = columns.iter().skip(group_count + range.start).take(range.len()).cloned().collect();
        let value = finish(states).ok_or_else(|| QueryError::internal("a merge without its states"))?;
        // A count over no release at all is 0; over withheld releases it is NULL.
        let value = match columns.last() {
            Some(releases) if is_count && group_count == 0 => {
                when(releases.clone().is_null(), lit(0_i64)).otherwise(value).map_err(planning)?
            }
            _ => value,
        };
        outputs.push(value.alias_qualified(qualifier.cloned(), field.name()));
    }
    LogicalPlanBuilder::from(plan).project(outputs).map_err(planning)?.build().map_err(planning)
}
