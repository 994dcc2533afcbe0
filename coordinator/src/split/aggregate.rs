//! Aggregates of the planner: the partial states asked of nodes, and the expression that merges them here.

use datafusion::arrow::datatypes::DataType as ArrowType;
use datafusion::common::ScalarValue;
use datafusion::functions_aggregate::expr_fn::{max, min, sum};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Expr as PlanExpr, ExprFunctionExt, cast, lit, when};
use jigsaw_proto::aggregate::Aggregate;
use jigsaw_proto::contract::Role;
use jigsaw_proto::expr::Expr;
use jigsaw_proto::fragment::Measure;
use jigsaw_proto::types::DataType;

use super::expr::{conform, translate};
use super::names::{Names, as_column};
use super::relation::RelationBuilder;
use super::values::OfValues;
use super::view::PROTECTED;
use crate::merge::{WholeOf, decimal_average, merged_moments, whole};
use crate::query::QueryError;

type Result<T> = std::result::Result<T, QueryError>;

/// One aggregate of the question.
#[derive(Debug, Clone)]
pub(super) enum Asked {
    /// in the algebra's words
    States(OfStates),
    /// over the values of an expression, by which groups are made
    Values(Box<OfValues>),
}

/// An aggregate that is made of partial states.
#[derive(Debug, Clone)]
pub(super) struct OfStates {
    aggregate: Aggregate,
    /// in the order of the algebra's table
    measures: Vec<Measure>,
}

/// What is known beside the question when its aggregates are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circumstances<'a> {
    pub(super) names: &'a Names,
    pub(super) builder: &'a RelationBuilder,
    /// whether each group is whole at one node
    pub(super) complete: bool,
    /// whether any node protects the rows
    pub(super) protected: bool,
}

impl Asked {
    /// Reads an aggregate call.
    pub(super) fn read(call: &PlanExpr, known: Circumstances<'_>) -> Result<Self> {
        let function = aggregate_function(call)?;
        if function.params.null_treatment.is_some() {
            return Err(QueryError::sql(format!(
                "{call}: IGNORE and RESPECT NULLS are for rows: leave it out"
            )));
        }
        if let Some(values) = OfValues::read(function, known)? {
            return Ok(Self::Values(Box::new(values)));
        }
        OfStates::read(function, known).map(Self::States)
    }

    /// Whether it counts distinct entities, which do not add up over finer groups.
    pub(super) fn counts_entities(&self) -> bool {
        matches!(self, Self::States(OfStates { aggregate: Aggregate::CountEntities, .. }))
    }

    /// Whether a figure of it stands for a whole group, and none is made of those of finer groups.
    pub(super) fn is_of_whole_groups(&self) -> bool {
        self.counts_entities()
            || matches!(self, Self::States(OfStates { aggregate: Aggregate::MouldIndex, .. }))
    }
}

impl OfStates {
    fn read(function: &AggregateFunction, known: Circumstances<'_>) -> Result<Self> {
        let name = function.func.name();
        let parameters = &function.params;
        if !parameters.order_by.is_empty() {
            return Err(QueryError::sql(format!(
                "{name}(… ORDER BY …): ORDER BY inside an aggregate would need rows: leave it out"
            )));
        }
        let aggregate = kind(function)?;
        let filter = parameters.filter.as_deref().map(|filter| translate(filter, known.names)).transpose()?;
        let arguments = parameters.args.iter().take(aggregate.arity());
        let arguments =
            arguments.map(|argument| translate(argument, known.names)).collect::<Result<Vec<_>>>()?;
        if aggregate == Aggregate::CountEntities {
            check_distinct(arguments.first(), known)?;
        }
        if aggregate == Aggregate::MouldIndex && !known.complete {
            return Err(not_followed(function));
        }
        let arguments = arguments
            .into_iter()
            .map(|argument| numeric(argument, aggregate, known.names))
            .collect::<Result<Vec<_>>>()?;
        let partials = aggregate.partials().iter();
        let measures = partials.map(|partial| Measure::of(*partial, &arguments, filter.as_ref()));
        let measures = measures.collect::<Option<Vec<_>>>();
        let measures = measures.ok_or_else(|| QueryError::sql(format!("{name}() needs more arguments")))?;
        Ok(Self { aggregate, measures })
    }

    /// Which aggregate of the algebra it is.
    pub(super) fn aggregate(&self) -> Aggregate {
        self.aggregate
    }

    /// The measures it needs.
    pub(super) fn measures(&self) -> &[Measure] {
        &self.measures
    }

    /// The aggregate over released rows that merges `states`, its columns there, under the condition `filter`.
    pub(super) fn merge(
        &self,
        states: &[PlanExpr],
        filter: Option<&PlanExpr>,
        result: &ArrowType,
    ) -> Result<Merged> {
        let filtered = |call: PlanExpr, also: Option<PlanExpr>| {
            under([filter.cloned(), also].into_iter().flatten().reduce(PlanExpr::and), call)
        };
        match (self.aggregate, states) {
            (
                Aggregate::CountRows | Aggregate::Count | Aggregate::CountEntities | Aggregate::RegrCount,
                [count],
            ) => Merged::count(sum(count.clone()), filter),
            (Aggregate::Sum, [total]) => Ok(Merged::plain(filtered(wide_sum(total, result), None)?, result)),
            (Aggregate::Min, [least]) => Ok(Merged::plain(filtered(min(least.clone()), None)?, result)),
            (Aggregate::Max, [greatest]) => Ok(Merged::plain(filtered(max(greatest.clone()), None)?, result)),
            (Aggregate::Avg, [total, count]) => {
                let counted = filtered(sum(count.clone()), Some(total.clone().is_not_null()))?;
                let summed = filtered(sum(total.clone()), Some(count.clone().is_not_null()))?;
                Ok(Merged::average(summed, counted, result))
            }
            (Aggregate::BoolAnd | Aggregate::BoolOr, [of_false, of_true]) => {
                let protected = filtered(max(super::local::Leaf::column(PROTECTED)), None)?;
                let (of_false, of_true) =
                    (filtered(sum(of_false.clone()), None)?, filtered(sum(of_true.clone()), None)?);
                Ok(Merged::boolean(of_false, of_true, protected, self.aggregate == Aggregate::BoolAnd))
            }
            (Aggregate::MouldIndex, [index]) => {
                let label = self.measures.first().map(ToString::to_string).unwrap_or_default();
                let call = whole(WholeOf::Readings, &label, index.clone());
                Ok(Merged::plain(filtered(call, None)?, result))
            }
            (aggregate, states) => {
                let call = merged_moments(aggregate, states).ok_or_else(|| {
                    QueryError::internal("an aggregate whose states are not those of the algebra")
                })?;
                Ok(Merged::plain(filtered(call, None)?, result))
            }
        }
    }

    /// Whether its merge asks which nodes protect.
    pub(super) fn asks_who_protects(&self) -> bool {
        matches!(self.aggregate, Aggregate::BoolAnd | Aggregate::BoolOr)
    }
}

impl Merged {
    /// The merge of a count of entities that is released for groups finer than those of the question: a group of the question must
    /// be one of them.
    pub(super) fn whole(states: &[PlanExpr], filter: Option<&PlanExpr>, label: &str) -> Result<Self> {
        let [count] = states else {
            return Err(QueryError::internal("a count of entities has one state"));
        };
        Self::count(whole(WholeOf::Entities, label, count.clone()), filter)
    }
}

/// A call of the rows that pass a condition, if there is one.
fn under(condition: Option<PlanExpr>, call: PlanExpr) -> Result<PlanExpr> {
    match condition {
        Some(condition) => call.filter(condition).build().map_err(|error| QueryError::planning(&error)),
        None => Ok(call),
    }
}

/// Sums of integers are merged as decimals, so that nothing wraps; the cast back to the result says so if it must.
fn wide_sum(total: &PlanExpr, result: &ArrowType) -> PlanExpr {
    match result {
        ArrowType::Int64 => sum(cast(total.clone(), ArrowType::Decimal128(38, 0))),
        _ => sum(total.clone()),
    }
}

fn check_distinct(argument: Option<&Expr>, known: Circumstances<'_>) -> Result<()> {
    let column = argument.and_then(as_column);
    match column.and_then(|column| Some((column, known.builder.role(column)?))) {
        Some((_, Role::Entity { node_scoped })) if known.complete || *node_scoped => Ok(()),
        Some((column, Role::Entity { .. })) => Err(QueryError::sql(format!(
            "COUNT(DISTINCT {column}) over several boroughs needs linking people across boroughs, or would count a person once in \
             each: add node to GROUP BY to count the people of each borough, or COUNT(*) what is recorded of them"
        ))),
        _ => Err(QueryError::internal("a count of distinct entities of something else")),
    }
}

fn not_followed(function: &AggregateFunction) -> QueryError {
    let name = function.func.name();
    QueryError::sql(format!(
        "{name}() follows the readings of one place in time, and those of a group here may be at several boroughs, which show no \
         rows: add node to GROUP BY, or GROUP BY the sensor in a subquery and aggregate its {name}() in an outer SELECT"
    ))
}

/// Variance, co-moments and averages of numbers that are not decimals are taken over doubles, as the planner takes them.
fn numeric(argument: Expr, aggregate: Aggregate, names: &Names) -> Result<Expr> {
    let found = names.type_of(&argument)?;
    let of_doubles = aggregate.is_of_doubles() || aggregate == Aggregate::RegrCount;
    let wanted = match (aggregate, &found) {
        (Aggregate::Avg, DataType::Int32 | DataType::Int64) => DataType::Float64,
        (_, found) if of_doubles && found.is_numeric() => DataType::Float64,
        _ => found.clone(),
    };
    Ok(conform(argument, &found, &wanted))
}

/// The answer, given the columns of the aggregate calls that it is made of.
type Finish = Box<dyn FnOnce(Vec<PlanExpr>) -> Option<PlanExpr>>;

/// Aggregates over released rows, and the scalar expression over them that is the answer.
pub(super) struct Merged {
    /// aggregate calls
    pub(super) calls: Vec<PlanExpr>,
    /// what the answer is, given the columns of the calls
    pub(super) finish: Finish,
    /// whether no row at all counts as 0
    pub(super) is_count: bool,
}

impl Merged {
    pub(super) fn plain(call: PlanExpr, result: &ArrowType) -> Self {
        let result = result.clone();
        let finish = move |columns: Vec<PlanExpr>| Some(cast(columns.into_iter().next()?, result));
        Self { calls: vec![call], finish: Box::new(finish), is_count: false }
    }

    /// Of the releases that pass the condition, if there is one: where none does, the count is 0.
    fn count(call: PlanExpr, filter: Option<&PlanExpr>) -> Result<Self> {
        let call = under(filter.cloned(), call)?;
        let passing = filter.map(|filter| under(Some(filter.clone()), sum(lit(1_i64)))).transpose()?;
        let finish = |columns: Vec<PlanExpr>| {
            let mut columns = columns.into_iter();
            let counted = columns.next()?;
            match columns.next() {
                Some(passing) => when(passing.is_null(), lit(0_i64)).otherwise(counted).ok(),
                None => Some(counted),
            }
        };
        let calls = [call].into_iter().chain(passing).collect();
        Ok(Self { calls, finish: Box::new(finish), is_count: true })
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

    /// `BOOL_AND` is false where any row is false, `BOOL_OR` true where any is true. That there is none is known of open nodes
    /// only: a protected one withholds a count of nobody, and may round one of a few to 0.
    fn boolean(of_false: PlanExpr, of_true: PlanExpr, protected: PlanExpr, all: bool) -> Self {
        let finish = move |columns: Vec<PlanExpr>| {
            let [of_false, of_true, protected]: [PlanExpr; 3] = columns.try_into().ok()?;
            let (decides, other) = if all { (of_false, of_true) } else { (of_true, of_false) };
            let unknown = || PlanExpr::Literal(ScalarValue::Boolean(None), None);
            when(decides.gt(lit(0_i64)), lit(!all))
                .when(protected.eq(lit(1_i64)), unknown())
                .when(other.gt(lit(0_i64)), lit(all))
                .otherwise(unknown())
                .ok()
        };
        Self { calls: vec![of_false, of_true, protected], finish: Box::new(finish), is_count: false }
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
        // The least and the greatest are the same, however often they occur.
        ("min" | "max" | "bool_and" | "bool_or", true) | (_, false) => {
            match (name, function.params.args.first()) {
                ("count", None) => Ok(Aggregate::CountRows),
                ("count", Some(PlanExpr::Literal(value, _))) if !value.is_null() => Ok(Aggregate::CountRows),
                (name, _) => match Aggregate::named(name) {
                    Some(aggregate) => Ok(aggregate),
                    None if [
                        "array_agg",
                        "string_agg",
                        "first_value",
                        "last_value",
                        "nth_value",
                        "any_value",
                    ]
                    .contains(&name) =>
                    {
                        refused("it would hand out values of rows; use COUNT, SUM, AVG, VAR or STDDEV")
                    }
                    None if name == "approx_distinct" => refused("use COUNT(DISTINCT …)"),
                    None => {
                        refused("use COUNT, SUM, AVG, VAR, STDDEV, CORR, MEDIAN, or MIN and MAX on open data")
                    }
                },
            }
        }
        (_, true) => refused("leave out DISTINCT, or group by the column and aggregate in an outer SELECT"),
    }
}
