//! Aggregates of the planner: the partial states asked of nodes, and the expression that merges them here.

use datafusion::arrow::datatypes::DataType as ArrowType;
use datafusion::common::ScalarValue;
use datafusion::functions_aggregate::expr_fn::{max, min, sum};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Expr as PlanExpr, ExprFunctionExt, cast, lit, when};
use jigsaw_proto::aggregate::{Aggregate, State};
use jigsaw_proto::contract::Role;
use jigsaw_proto::expr::Expr;
use jigsaw_proto::fragment::Measure;
use jigsaw_proto::types::DataType;

use super::expr::{conform, translate};
use super::names::{Names, as_column};
use super::relation::RelationBuilder;
use crate::merge::{decimal_average, merged_moments, whole};
use crate::query::QueryError;

type Result<T> = std::result::Result<T, QueryError>;

/// One aggregate of the question in the algebra's words.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    aggregate: Aggregate,
    argument: Option<Expr>,
    filter: Option<Expr>,
}

impl Asked {
    /// Reads an aggregate call; `complete` says whether each group is whole at one node.
    pub(super) fn read(
        call: &PlanExpr,
        names: &Names,
        builder: &RelationBuilder,
        complete: bool,
    ) -> Result<Self> {
        let function = aggregate_function(call)?;
        let parameters = &function.params;
        if !parameters.order_by.is_empty() || parameters.null_treatment.is_some() {
            return Err(QueryError::sql(format!(
                "{call}: ORDER BY inside an aggregate would need rows: leave it out"
            )));
        }
        let aggregate = kind(function)?;
        let filter = parameters.filter.as_deref().map(|filter| translate(filter, names)).transpose()?;
        let argument = match (aggregate, parameters.args.first()) {
            (Aggregate::CountRows, _) => None,
            (_, Some(argument)) => Some(translate(argument, names)?),
            (_, None) => return Err(QueryError::sql(format!("{call} needs an argument"))),
        };
        let asked = Self { aggregate, argument, filter };
        if aggregate == Aggregate::CountEntities {
            asked.check_distinct(builder, complete)?;
        }
        asked.with_numeric_argument(names)
    }

    fn check_distinct(&self, builder: &RelationBuilder, complete: bool) -> Result<()> {
        let column = self.argument.as_ref().and_then(as_column);
        match column.and_then(|column| Some((column, builder.role(column)?))) {
            Some((_, Role::Entity { node_scoped })) if complete || *node_scoped => Ok(()),
            Some((column, Role::Entity { .. })) => Err(QueryError::sql(format!(
                "COUNT(DISTINCT {column}) over several boroughs needs linking people across boroughs, or would count a person once in \
                 each: add node to GROUP BY to count the people of each borough, or COUNT(*) what is recorded of them"
            ))),
            _ => Err(QueryError::sql(
                "COUNT(DISTINCT x) is answered for entity columns only: to count the values of a dimension, GROUP BY it and \
                 count the groups in an outer SELECT",
            )),
        }
    }

    /// Variance and averages of numbers that are not decimals are taken over doubles, as the planner takes them.
    fn with_numeric_argument(mut self, names: &Names) -> Result<Self> {
        if let Some(argument) = self.argument.take() {
            let found = names.type_of(&argument)?;
            let wanted = match (self.aggregate, &found) {
                (Aggregate::Avg, DataType::Int32 | DataType::Int64) => DataType::Float64,
                (
                    Aggregate::VarianceSample
                    | Aggregate::VariancePopulation
                    | Aggregate::StddevSample
                    | Aggregate::StddevPopulation,
                    found,
                ) if found.is_numeric() => DataType::Float64,
                _ => found.clone(),
            };
            self.argument = Some(conform(argument, &found, &wanted));
        }
        Ok(self)
    }

    /// Which aggregate of the algebra it is.
    pub(super) fn aggregate(&self) -> Aggregate {
        self.aggregate
    }

    /// The measures it needs, in the order of the algebra's table.
    pub(super) fn measures(&self) -> Vec<Measure> {
        let states = self.aggregate.states().iter();
        states
            .map(|state| {
                // An average divides by the number of values that were summed.
                let argument = if *state == State::Rows { None } else { self.argument.clone() };
                Measure { state: *state, argument, filter: self.filter.clone() }
            })
            .collect()
    }

    /// The aggregate over released rows that merges `states`, its columns there, under the condition `filter`; and whether
    /// the question has one group of everything, which exists even when no node has a row.
    pub(super) fn merge(
        &self,
        states: &[PlanExpr],
        filter: Option<&PlanExpr>,
        result: &ArrowType,
    ) -> Result<Merged> {
        let filtered = |call: PlanExpr, also: Option<PlanExpr>| match [filter.cloned(), also]
            .into_iter()
            .flatten()
            .reduce(PlanExpr::and)
        {
            Some(condition) => call.filter(condition).build().map_err(|error| QueryError::planning(&error)),
            None => Ok(call),
        };
        match (self.aggregate, states) {
            (Aggregate::CountRows | Aggregate::Count | Aggregate::CountEntities, [count]) => {
                let passing = filter.map(|_| filtered(sum(lit(1_i64)), None)).transpose()?;
                Ok(Merged::count(filtered(sum(count.clone()), None)?, passing))
            }
            (Aggregate::Sum, [total]) => Ok(Merged::plain(filtered(wide_sum(total, result), None)?, result)),
            (Aggregate::Min, [least]) => Ok(Merged::plain(filtered(min(least.clone()), None)?, result)),
            (Aggregate::Max, [greatest]) => Ok(Merged::plain(filtered(max(greatest.clone()), None)?, result)),
            (Aggregate::Avg, [total, count]) => {
                let counted = filtered(sum(count.clone()), Some(total.clone().is_not_null()))?;
                let summed = filtered(sum(total.clone()), Some(count.clone().is_not_null()))?;
                Ok(Merged::average(summed, counted, result))
            }
            (aggregate, [count, mean, m2]) => {
                let call = merged_moments(aggregate, &[count.clone(), mean.clone(), m2.clone()])
                    .ok_or_else(|| QueryError::internal("an aggregate without moments"))?;
                Ok(Merged::plain(filtered(call, None)?, result))
            }
            _ => Err(QueryError::internal("an aggregate whose states are not those of the algebra")),
        }
    }
}

impl Merged {
    /// The merge of a count of entities that is released for groups finer than those of the question: a group of the question must
    /// be one of them.
    pub(super) fn whole(states: &[PlanExpr], filter: Option<&PlanExpr>, label: &str) -> Result<Self> {
        let [count] = states else {
            return Err(QueryError::internal("a count of entities has one state"));
        };
        let call = whole(label, count.clone());
        let passing = |call: PlanExpr, filter: &PlanExpr| {
            call.filter(filter.clone()).build().map_err(|error| QueryError::planning(&error))
        };
        Ok(match filter {
            Some(filter) => Self::count(passing(call, filter)?, Some(passing(sum(lit(1_i64)), filter)?)),
            None => Self::count(call, None),
        })
    }
}

/// Sums of integers are merged as decimals, so that nothing wraps; the cast back to the result says so if it must.
fn wide_sum(total: &PlanExpr, result: &ArrowType) -> PlanExpr {
    match result {
        ArrowType::Int64 => sum(cast(total.clone(), ArrowType::Decimal128(38, 0))),
        _ => sum(total.clone()),
    }
}

/// Aggregates over released rows, and the scalar expression over them that is the answer.
pub(super) struct Merged {
    /// aggregate calls
    pub(super) calls: Vec<PlanExpr>,
    /// what the answer is, given the columns of the calls
    pub(super) finish: Box<dyn FnOnce(Vec<PlanExpr>) -> Option<PlanExpr>>,
    /// whether no row at all counts as 0
    pub(super) is_count: bool,
}

impl Merged {
    fn plain(call: PlanExpr, result: &ArrowType) -> Self {
        let result = result.clone();
        let finish = move |columns: Vec<PlanExpr>| Some(cast(columns.into_iter().next()?, result));
        Self { calls: vec![call], finish: Box::new(finish), is_count: false }
    }

    /// `passing` counts the releases that pass the condition, if there is one: where none does, the count is 0.
    fn count(call: PlanExpr, passing: Option<PlanExpr>) -> Self {
        let finish = |columns: Vec<PlanExpr>| {
            let mut columns = columns.into_iter();
            let counted = columns.next()?;
            match columns.next() {
                Some(passing) => when(passing.is_null(), lit(0_i64)).otherwise(counted).ok(),
                None => Some(counted),
            }
        };
        let calls = [call].into_iter().chain(passing).collect();
        Self { calls, finish: Box::new(finish), is_count: true }
    }

    fn average(total: PlanExpr, count: PlanExpr, result: &ArrowType) -> Self {
        let result = result.clone();
        let finish = move |columns: Vec<PlanExpr>| {
            let [total, count]: [PlanExpr; 2] = columns.try_into().ok()?;
            Some(if let ArrowType::Decimal128(..) = result {
                decimal_average(&result, total, count)
            } else {
                let count = cast(count, ArrowType::Float64);
                let none = PlanExpr::Literal(ScalarValue::Float64(None), None);
                when(count.clone().eq(lit(0.0)), none)
                    .otherwise(cast(total, ArrowType::Float64) / count)
                    .ok()?
            })
        };
        Self { calls: vec![total, count], finish: Box::new(finish), is_count: false }
    }
}

/// The aggregate function that a call is of.
pub(crate) fn aggregate_function(call: &PlanExpr) -> Result<&AggregateFunction> {
    match call {
        PlanExpr::Alias(alias) => aggregate_function(&alias.expr),
        PlanExpr::AggregateFunction(function) => Ok(function),
        other => Err(QueryError::sql(format!("{other} is not an aggregate"))),
    }
}

fn kind(function: &AggregateFunction) -> Result<Aggregate> {
    let name = function.func.name();
    let refused = |instead: &str| {
        Err(QueryError::sql(format!("{name}() cannot be merged from aggregates of boroughs: {instead}")))
    };
    match (name, function.params.distinct) {
        ("count", true) => Ok(Aggregate::CountEntities),
        (_, true) => refused("leave out DISTINCT, or group by the column and aggregate in an outer SELECT"),
        ("count", false) => match function.params.args.first() {
            None => Ok(Aggregate::CountRows),
            Some(PlanExpr::Literal(value, _)) if !value.is_null() => Ok(Aggregate::CountRows),
            Some(_) => Ok(Aggregate::Count),
        },
        ("sum", false) => Ok(Aggregate::Sum),
        ("avg", false) => Ok(Aggregate::Avg),
        ("min", false) => Ok(Aggregate::Min),
        ("max", false) => Ok(Aggregate::Max),
        ("var", false) => Ok(Aggregate::VarianceSample),
        ("var_pop", false) => Ok(Aggregate::VariancePopulation),
        ("stddev", false) => Ok(Aggregate::StddevSample),
        ("stddev_pop", false) => Ok(Aggregate::StddevPopulation),
        (
            "median" | "percentile_cont" | "approx_percentile_cont" | "approx_median" | "approx_distinct",
            _,
        ) => refused("count in bands (GROUP BY CASE … END) and read the quantile off the bands"),
        ("array_agg" | "string_agg" | "first_value" | "last_value" | "nth_value", _) => {
            refused("it would hand out values of rows; use COUNT, SUM, AVG, VAR or STDDEV")
        }
        _ => refused("use COUNT, SUM, AVG, VAR, STDDEV, or MIN and MAX on open data"),
    }
}
