//! The aggregation of a fragment: its states, and beside them the number of entities that stand behind each cell.

use datafusion::arrow::datatypes::DataType as ArrowType;
use datafusion::error::{DataFusionError, Result};
use datafusion::functions::core::expr_fn::nullif;
use datafusion::functions::math::expr_fn::round;
use datafusion::functions_aggregate::expr_fn::{
    avg, count, count_distinct, covar_pop, max, min, sum, var_pop,
};
use datafusion::logical_expr::{
    AggregateUDF, Expr as PlanExpr, ExprFunctionExt, LogicalPlan, cast, col, lit, try_cast, when,
};
use jigsaw_proto::aggregate::State;
use jigsaw_proto::expr::Expr;
use jigsaw_proto::fragment::Measure;
use jigsaw_proto::release::ReleaseMode;
use jigsaw_proto::types::DataType;

use super::bounds;
use super::contributors::Contributors;
use super::expr::lower;
use super::fixed_point::Units;
use super::holdings::Holdings;
use super::mould::MouldIndex;
use super::relation::Lowered;
use crate::secret::Secret;
use crate::validate::Approved;

/// What is asked of those who are behind groups and cells.
#[derive(Debug, Clone, Copy)]
pub(super) enum Behind {
    /// who they are, or how many
    Holders,
    /// what may prove that there are enough
    Evidence,
}

/// The plan that gives `g0…`, `p0…`, then what is asked of those behind the cells.
pub(super) fn aggregate(
    approved: &Approved,
    input: Lowered,
    behind: Behind,
    secret: Secret,
) -> Result<LogicalPlan> {
    let fragment = approved.fragment();
    let keys =
        fragment.keys.iter().enumerate().map(|(index, key)| Ok(lower(key)?.alias(format!("g{index}"))));
    let keys = keys.collect::<Result<Vec<_>>>()?;

    let mut calls = vec![];
    let mut outputs: Vec<PlanExpr> = (0..keys.len()).map(|index| col(format!("g{index}"))).collect();
    for (index, measure) in fragment.measures.iter().enumerate() {
        let protected = approved.mode() == ReleaseMode::Protected;
        let rounding = protected.then(|| Rounding {
            base: approved.rounding(),
            step: approved.step(index),
            units: approved.units(index),
        });
        let (own, output) = state(&format!("s{index}"), measure, approved.argument_type(index), rounding)?;
        calls.extend(own);
        outputs.push(output.alias(format!("p{index}")));
    }
    let behind = match behind {
        Behind::Holders => holders(approved, &input.entities, secret)?,
        Behind::Evidence => bounds::calls(approved)?,
    };
    for (number, call) in behind.into_iter().enumerate() {
        let name = format!("e{number}");
        calls.push(call.alias(&name));
        outputs.push(col(name));
    }
    input.plan.aggregate(keys, calls)?.project(outputs)?.build()
}

/// How a measure is released under protection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rounding {
    base: u32,
    step: f64,
    /// a double is added up in units, of which so many are 1
    units: f64,
}

/// The aggregate calls of one state, named after `name`, and the state as an expression over them; sums of doubles and means as they
/// are released under protection.
pub(super) fn state(
    name: &str,
    measure: &Measure,
    argument_type: Option<&DataType>,
    rounding: Option<Rounding>,
) -> Result<(Vec<PlanExpr>, PlanExpr)> {
    let paired = measure.paired.as_ref().map(lower).transpose()?;
    let beside = paired.clone().map(PlanExpr::is_not_null);
    let filter = measure.filter.as_ref().map(lower).transpose()?;
    let filter = [filter, beside].into_iter().flatten().reduce(PlanExpr::and);
    let filtered = |call: PlanExpr| match &filter {
        Some(filter) => call.filter(filter.clone()).build(),
        None => Ok(call),
    };
    let argument = measure.argument.as_ref().map(lower).transpose()?;
    let one = |call: PlanExpr| Ok((vec![filtered(call)?.alias(name)], col(name)));
    // A mean deviation times the number of rows.
    let moment = |argument: PlanExpr, mean: PlanExpr| {
        let counted = filtered(count(argument))?.alias(format!("{name}n"));
        let sum = col(name) * cast(col(format!("{name}n")), ArrowType::Float64);
        Ok((vec![counted, filtered(mean)?.alias(name)], sum))
    };
    match (measure.state, argument) {
        (State::Rows, None) => one(count(lit(1_i64))),
        (State::Count, Some(argument)) => one(count(argument)),
        (State::Entities, Some(argument)) => {
            let distinct = count_distinct(argument);
            // The builder that adds a filter forgets DISTINCT unless it is told again.
            let call = match &filter {
                Some(filter) => distinct.filter(filter.clone()).distinct().build()?,
                None => distinct,
            };
            Ok((vec![call.alias(name)], col(name)))
        }
        (State::Mean, Some(argument)) => {
            let Some(rounding) = rounding else { return one(avg(argument)) };
            let units = Units::of(rounding.units).call(vec![argument.clone()]);
            let total = filtered(sum(units))?.alias(name);
            let counted = filtered(count(argument))?.alias(format!("{name}n"));
            Ok((vec![total, counted], rounded_mean(name, rounding)))
        }
        (State::Min, Some(argument)) => one(min(argument)),
        (State::Max, Some(argument)) => one(max(argument)),
        (State::Sum, Some(argument)) => match argument_type {
            Some(DataType::Int32) => one(sum(cast(argument, ArrowType::Int64))),
            // Wide enough that nothing wraps; a sum outside BIGINT is withheld.
            Some(DataType::Int64) => {
                let (calls, total) = one(sum(cast(argument, ArrowType::Decimal128(20, 0))))?;
                Ok((calls, try_cast(total, ArrowType::Int64)))
            }
            Some(DataType::Float64) if let Some(Rounding { units, .. }) = rounding => {
                let (calls, total) = one(sum(Units::of(units).call(vec![argument])))?;
                Ok((calls, total / lit(units)))
            }
            _ => one(sum(argument)),
        },
        (State::M2, Some(argument)) => moment(argument.clone(), var_pop(argument)),
        (State::CoMoment, Some(argument)) => {
            let paired = paired.ok_or_else(|| {
                DataFusionError::Plan("a co-moment of one argument was approved".to_owned())
            })?;
            moment(argument.clone(), covar_pop(argument, paired))
        }
        (State::MouldIndex, Some(_)) => one(MouldIndex::of(measure)?),
        _ => Err(DataFusionError::Plan("a measure that was not approved".to_owned())),
    }
}

/// The mean of a protected release is the rounded sum over the rounded count (`R13`): beside the sum, any other one would tell the count.
fn rounded_mean(name: &str, Rounding { base, step, units }: Rounding) -> PlanExpr {
    let nearest = |value: PlanExpr, unit: f64| round(vec![value / lit(unit)]) * lit(unit);
    let base = f64::from(base);
    let counted = nearest(cast(col(format!("{name}n")), ArrowType::Float64), base);
    nearest(col(name) / lit(units), base * step) / nullif(counted, lit(0.0))
}

/// The rows that contribute to a measure: they pass its filter, and no argument is NULL or, where products or values are summed,
/// zero. A measure that is zero but for a few gives a co-moment that is theirs alone.
fn contributes(measure: &Measure) -> Result<Option<PlanExpr>> {
    let filter = measure.filter.as_ref().map(lower).transpose()?;
    let arguments = measure.arguments().map(lower).collect::<Result<Vec<_>>>()?;
    let present = arguments.into_iter().map(|argument| match measure.state {
        // Both zeros: the engine's order tells them apart.
        State::Sum | State::CoMoment => {
            let number = cast(argument, ArrowType::Float64);
            number.clone().is_not_null().and(number.in_list(vec![lit(0.0), lit(-0.0)], true))
        }
        _ => argument.is_not_null(),
    });
    Ok(filter.into_iter().chain(present).reduce(PlanExpr::and))
}

/// The calls that say who is behind groups and cells: for each kind of entity its holdings; or, where nobody asks who, its count
/// for each group and then for each measure.
fn holders(approved: &Approved, entities: &[PlanExpr], secret: Secret) -> Result<Vec<PlanExpr>> {
    if approved.names_holders() {
        let amounts = Amounts::of(approved)?.amounts;
        let call = |entity: &PlanExpr| {
            let arguments = [entity].into_iter().chain(&amounts).cloned().collect();
            AggregateUDF::from(Holdings::new(secret, amounts.len())).call(arguments)
        };
        return Ok(entities.iter().map(call).collect());
    }
    let mut conditions = vec![None];
    for measure in &approved.fragment().measures {
        conditions.push(contributes(measure)?);
    }
    let mut calls = vec![];
    for condition in conditions {
        for entity in entities {
            let call = AggregateUDF::from(Contributors::new(approved.threshold())).call(vec![entity.clone()]);
            calls.push(match &condition {
                Some(condition) => call.filter(condition.clone()).build()?,
                None => call,
            });
        }
    }
    Ok(calls)
}

/// What rows add to the holdings of their entities: ones for the group, then for each measure. Measures with the same people behind
/// them share a place.
pub(super) struct Amounts {
    amounts: Vec<PlanExpr>,
    /// where each measure's are: one, or two of a co-moment, in the order of its pair
    pub(super) places: Vec<Vec<usize>>,
}

impl Amounts {
    pub(super) fn of(approved: &Approved) -> Result<Self> {
        let mut all = Self { amounts: vec![lit(1.0)], places: vec![] };
        for measure in &approved.fragment().measures {
            let of = |argument: &Expr| Ok::<_, DataFusionError>(cast(lower(argument)?, ArrowType::Float64));
            let amounts = match (measure.state, &measure.argument, measure.pair()) {
                (_, _, Some((first, second))) => vec![of(first)?, of(second)?],
                (State::Sum | State::Mean | State::M2, Some(argument), None) => vec![of(argument)?],
                _ => vec![lit(1.0)],
            };
            let condition = contributes(measure)?;
            let places = amounts.into_iter().map(|amount| match &condition {
                Some(condition) => Ok(all.place(when(condition.clone(), amount).end()?)),
                None => Ok(all.place(amount)),
            });
            let places = places.collect::<Result<_>>()?;
            all.places.push(places);
        }
        Ok(all)
    }

    fn place(&mut self, amount: PlanExpr) -> usize {
        self.amounts.iter().position(|known| *known == amount).unwrap_or_else(|| {
            self.amounts.push(amount);
            self.amounts.len() - 1
        })
    }
}
