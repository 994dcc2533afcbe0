//! The split of an aggregation over federated tables only.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Column as PlanColumn, JoinType, NullEquality, TableReference};
use datafusion::datasource::provider_as_source;
use datafusion::functions_aggregate::expr_fn::sum;
use datafusion::logical_expr::{
    Aggregate, Expr as PlanExpr, ExprSchemable as _, LogicalPlan, LogicalPlanBuilder, cast, lit, when,
};
use jigsaw_proto::expr::Expr;
use jigsaw_proto::fragment::{Fragment, Measure, Relation};

use super::aggregate::{Asked, Circumstances, Merged};
use super::expr::translate_as_planned;
use super::fragment_table::FragmentTable;
use super::grouping;
use super::relation::RelationBuilder;
use super::reliance::Reliance;
use super::view::View;
use crate::dispatch::Snapshot;
use crate::query::QueryError;

type Result<T> = std::result::Result<T, QueryError>;

/// `Aggregate(federated)` becomes `Projection(Aggregate(release))`; with aggregates over values, it becomes a join of those.
pub(super) fn split(aggregate: &Aggregate, nodes: &Snapshot) -> Result<LogicalPlan> {
    let mut builder = RelationBuilder::default();
    let (input, names) = builder.relation(&aggregate.input)?;
    let schema = aggregate.input.schema();
    let planned = grouping::keys(&aggregate.group_expr)?;
    let keys = planned.iter().map(|key| translate_as_planned(key, &names, schema));
    let keys = keys.collect::<Result<Vec<_>>>()?;
    let sets = grouping::has_sets(&aggregate.group_expr);
    // Of sets, an aggregate that asks for whole groups is asked of each set by itself.
    let complete = sets || builder.complete(&keys);
    let protected = builder.is_protected(nodes);
    let known = Circumstances { names: &names, builder: &builder, complete, protected };
    let asked =
        aggregate.aggr_expr.iter().map(|call| Asked::read(call, known)).collect::<Result<Vec<_>>>()?;
    if sets && asked.iter().any(Asked::is_of_whole_groups) {
        return if protected && asked.iter().any(Asked::counts_entities) {
            Err(grouping::totals_beside_parts())
        } else {
            grouping::one_by_one(aggregate, |set| split(set, nodes))
        };
    }
    let relied_on = builder.relied_on();
    let question = Question { aggregate, planned, input, keys, builder, relied_on };
    match Part::all(&asked, &question.keys).as_slice() {
        [only] => question.part(only, &asked, &question.fields(only)),
        parts => question.joined(parts, &asked),
    }
}

/// An aggregation in the words of the fragment language.
struct Question<'a> {
    aggregate: &'a Aggregate,
    /// the planner's keys, each once
    planned: Vec<PlanExpr>,
    input: Relation,
    keys: Vec<Expr>,
    builder: RelationBuilder,
    relied_on: Vec<Reliance>,
}

/// The aggregates that are answered by one fragment: those of states, or those over the values of one expression.
#[derive(Debug, Default)]
struct Part {
    value: Option<Expr>,
    /// the places of its aggregates
    calls: Vec<usize>,
}

impl Part {
    /// As many as are needed; if there are several, the first has all groups.
    fn all(asked: &[Asked], keys: &[Expr]) -> Vec<Self> {
        let mut states = Self::default();
        let mut values: Vec<Self> = vec![];
        for (place, asked) in asked.iter().enumerate() {
            let Asked::Values(of) = asked else {
                states.calls.push(place);
                continue;
            };
            let known = values.iter_mut().find(|part| part.value.as_ref() == Some(of.key()));
            match known {
                Some(part) => part.calls.push(place),
                None => values.push(Self { value: Some(of.key().clone()), calls: vec![place] }),
            }
        }
        let alone = values.is_empty() || states.calls.is_empty() && (values.len() == 1 || keys.is_empty());
        if alone && !values.is_empty() {
            return values;
        }
        std::iter::once(states).chain(values).collect()
    }
}

/// Name and type of an output column.
type OutputField = (Option<TableReference>, FieldRef);

pub(super) fn output_fields(aggregate: &Aggregate) -> Vec<OutputField> {
    aggregate.schema.iter().map(|(qualifier, field)| (qualifier.cloned(), Arc::clone(field))).collect()
}

/// The place of an item in a list, at the end of it if it was not there.
fn place_in<T: PartialEq>(list: &mut Vec<T>, item: T) -> usize {
    list.iter().position(|known| *known == item).unwrap_or_else(|| {
        list.push(item);
        list.len() - 1
    })
}

impl Question<'_> {
    /// The output columns of a part under the names of the question.
    fn fields(&self, part: &Part) -> Vec<OutputField> {
        let all = output_fields(self.aggregate);
        let keys = grouping::key_columns(self.aggregate);
        let calls = part.calls.iter().filter_map(|call| all.get(keys + call));
        all.iter().take(keys).chain(calls).cloned().collect()
    }

    /// The merge of the release that answers a part.
    fn part(&self, part: &Part, asked: &[Asked], fields: &[OutputField]) -> Result<LogicalPlan> {
        let mut keys = self.keys.clone();
        let value = part.value.clone().map(|value| place_in(&mut keys, value));
        let own: Vec<&Asked> = part.calls.iter().filter_map(|call| asked.get(*call)).collect();
        let mut measures = Measures::default();
        let states: Vec<Vec<usize>> = own.iter().map(|asked| measures.add(asked)).collect();
        let fragment = Fragment { input: self.input.clone(), keys, measures: measures.list };
        let leaf = Leaf::new(
            fragment,
            &self.builder,
            self.relied_on.clone(),
            &own,
            grouping::has_sets(&self.aggregate.group_expr),
        )?;
        let results = fields.iter().skip(grouping::key_columns(self.aggregate));
        let merges = own.iter().zip(&states).zip(results).map(|((asked, states), (_, field))| {
            let value = value.map(|place| Leaf::column(&format!("g{place}")));
            asked.merge(states, value, None, field.data_type())
        });
        let merges = merges.collect::<Result<Vec<_>>>()?;
        let groups = grouping::replaced(&self.aggregate.group_expr, &|key| {
            let place = self.planned.iter().position(|known| known == key);
            place
                .map(|place| Leaf::column(&format!("g{place}")))
                .ok_or_else(|| QueryError::internal("a key of no place"))
        })?;
        merged(leaf.scan()?, groups, merges, fields)
    }

    /// The parts beside one another, by their groups.
    fn joined(&self, parts: &[Part], asked: &[Asked]) -> Result<LogicalPlan> {
        let planning = |error| QueryError::planning(&error);
        let keys = grouping::key_columns(self.aggregate);
        let mut outputs: Vec<Option<PlanExpr>> = vec![None; self.aggregate.schema.fields().len()];
        let mut all: Option<LogicalPlanBuilder> = None;
        for (number, part) in parts.iter().enumerate() {
            let name = |place: usize| format!("part{number}_{place}");
            let fields = self.fields(part).into_iter().enumerate();
            let fields: Vec<OutputField> = fields
                .map(|(place, (_, field))| (None, Arc::new(field.as_ref().clone().with_name(name(place)))))
                .collect();
            let plan = self.part(part, asked, &fields)?;
            let column = |place: usize| PlanColumn::new_unqualified(name(place));
            let places = (keys..).zip(&part.calls).map(|(own, call)| (own, keys + call));
            let taken = (0..keys).filter(|_| number == 0).map(|key| (key, key)).chain(places);
            for (own, place) in taken {
                if let Some(output) = outputs.get_mut(place) {
                    *output = Some(PlanExpr::Column(column(own)));
                }
            }
            all = Some(match all {
                None => LogicalPlanBuilder::from(plan),
                Some(all) if keys == 0 => all.cross_join(plan).map_err(planning)?,
                Some(all) => {
                    let first = (0..keys).map(|key| PlanColumn::new_unqualified(format!("part0_{key}")));
                    let on = (first.collect::<Vec<_>>(), (0..keys).map(column).collect::<Vec<_>>());
                    let nulls = NullEquality::NullEqualsNull;
                    all.join_detailed(plan, JoinType::Left, on, None, nulls).map_err(planning)?
                }
            });
        }
        let all = all.ok_or_else(|| QueryError::internal("an aggregation of no parts"))?;
        let named =
            outputs.into_iter().zip(output_fields(self.aggregate)).map(|(output, (qualifier, field))| {
                let output =
                    output.ok_or_else(|| QueryError::internal("an aggregate that no part answers"))?;
                Ok(output.alias_qualified(qualifier, field.name()))
            });
        let named = named.collect::<Result<Vec<_>>>()?;
        all.project(named).and_then(LogicalPlanBuilder::build).map_err(planning)
    }
}

impl Asked {
    /// The place among the keys of the one that its values are, added where there is none.
    pub(super) fn value_in(&self, keys: &mut Vec<Expr>) -> Option<usize> {
        match self {
            Self::States(_) => None,
            Self::Values(of) => Some(place_in(keys, of.key().clone())),
        }
    }

    /// The measures it needs.
    fn measures(&self) -> Vec<Measure> {
        match self {
            Self::States(of) => of.measures().to_vec(),
            Self::Values(of) => vec![of.measure()],
        }
    }

    /// The aggregate over released rows that merges the measures at `places`, and the key of its values, under the condition `filter`.
    pub(super) fn merge(
        &self,
        places: &[usize],
        value: Option<PlanExpr>,
        filter: Option<&PlanExpr>,
        result: &DataType,
    ) -> Result<Merged> {
        let mut columns = places.iter().map(|place| Leaf::column(&format!("p{place}")));
        match (self, value) {
            (Self::States(of), _) => of.merge(&columns.collect::<Vec<_>>(), filter, result),
            (Self::Values(of), Some(value)) => {
                let rows = columns.next().ok_or_else(|| QueryError::internal("values without rows"))?;
                Ok(of.merge(value, rows, filter, result))
            }
            (Self::Values(_), None) => {
                Err(QueryError::internal("an aggregate over values without their key"))
            }
        }
    }
}

/// Measures without repetition: `AVG(x)` beside `COUNT(x)` asks for one count.
#[derive(Debug, Default)]
pub(super) struct Measures {
    pub(super) list: Vec<Measure>,
}

impl Measures {
    /// The places of an aggregate's states in the list.
    pub(super) fn add(&mut self, asked: &Asked) -> Vec<usize> {
        asked.measures().into_iter().map(|measure| place_in(&mut self.list, measure)).collect()
    }
}

/// The release of a fragment as a table of the plan.
pub(super) struct Leaf {
    table: Arc<FragmentTable>,
}

impl Leaf {
    /// The release of a fragment that answers `asked`, in `sets` of groups or not, and relies on what its contracts declare.
    pub(super) fn new(
        fragment: Fragment,
        builder: &RelationBuilder,
        relied_on: Vec<Reliance>,
        asked: &[&Asked],
        sets: bool,
    ) -> Result<Self> {
        let columns = fragment
            .columns(&|dataset| builder.contract(dataset))
            .map_err(|error| QueryError::sql(error.to_string()))?;
        let remarks = asked.iter().filter_map(|asked| match asked {
            Asked::Values(of) => Some(of.remark().clone()),
            Asked::States(_) => None,
        });
        let remarks = remarks.chain(sets.then(grouping::remark));
        let table = FragmentTable::new(fragment, &columns, relied_on).with_remarks(remarks.collect());
        let marked = asked.iter().any(|asked| matches!(asked, Asked::States(of) if of.asks_who_protects()));
        Ok(Self { table: Arc::new(if marked { table.seen_as(View::Marked) } else { table }) })
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

/// The merge of a release: an aggregation over it and the projection that has the names and types of `fields`.
pub(super) fn merged(
    release: LogicalPlanBuilder,
    groups: Vec<PlanExpr>,
    merges: Vec<Merged>,
    fields: &[OutputField],
) -> Result<LogicalPlan> {
    let planning = |error| QueryError::planning(&error);
    let has_total = grouping::has_total(&groups);
    let mut calls = vec![];
    let mut finishes = vec![];
    for Merged { calls: own, finish, is_count } in merges {
        let first = calls.len();
        calls.extend(
            own.into_iter().enumerate().map(|(index, call)| call.alias(format!("m{}", first + index))),
        );
        finishes.push((first..calls.len(), finish, is_count));
    }
    if has_total {
        calls.push(sum(lit(1_i64)).alias("releases"));
    }
    let called = calls.len();
    let plan = release.aggregate(groups, calls).map_err(planning)?.build().map_err(planning)?;
    let columns: Vec<PlanExpr> = plan.schema().columns().into_iter().map(PlanExpr::Column).collect();
    let group_count = columns.len() - called;
    let mut fields = fields.iter();
    let mut outputs = vec![];
    for (column, (qualifier, field)) in columns.iter().take(group_count).zip(fields.by_ref()) {
        outputs.push(
            cast(column.clone(), field.data_type().clone()).alias_qualified(qualifier.clone(), field.name()),
        );
    }
    for ((range, finish, is_count), (qualifier, field)) in finishes.into_iter().zip(fields) {
        let states = columns.iter().skip(group_count + range.start).take(range.len()).cloned().collect();
        let value = finish(states).ok_or_else(|| QueryError::internal("a merge without its states"))?;
        // A count over no release at all is 0; over withheld releases it is NULL.
        let value = match columns.last() {
            Some(releases) if is_count && has_total => {
                when(releases.clone().is_null(), lit(0_i64)).otherwise(value).map_err(planning)?
            }
            _ => value,
        };
        let value = value.cast_to(field.data_type(), plan.schema()).map_err(planning)?;
        outputs.push(value.alias_qualified(qualifier.clone(), field.name()));
    }
    LogicalPlanBuilder::from(plan).project(outputs).map_err(planning)?.build().map_err(planning)
}
