//! The aggregation of a fragment: its states, and beside them the number of entities that stand behind each cell.

use datafusion::arrow::datatypes::DataType as ArrowType;
use datafusion::error::{DataFusionError, Result};
use datafusion::functions_aggregate::expr_fn::{avg, count, count_distinct, max, min, sum, var_pop};
use datafusion::logical_expr::{
    AggregateUDF, Expr as PlanExpr, ExprFunctionExt, LogicalPlan, cast, col, lit, try_cast,
};
use jigsaw_proto::aggregate::State;
use jigsaw_proto::fragment::Measure;
use jigsaw_proto::types::DataType;

use super::contributors::Contributors;
use super::expr::lower;
use super::holdings::Holdings;
use super::relation::Lowered;
use crate::secret::Secret;
use crate::validate::Approved;

/// The plan that gives `g0…`, `p0…`, then for each kind of entity its count per group, then the same per measure.
pub(super) fn aggregate(approved: &Approved, input: Lowered, secret: Secret) -> Result<LogicalPlan> {
    let fragment = approved.fragment();
    let keys =
        fragment.keys.iter().enumerate().map(|(index, key)| Ok(lower(key)?.alias(format!("g{index}"))));
    let keys = keys.collect::<Result<Vec<_>>>()?;

    let mut calls = vec![];
    let mut outputs: Vec<PlanExpr> = (0..keys.len()).map(|index| col(format!("g{index}"))).collect();
    for (index, measure) in fragment.measures.iter().enumerate() {
        let (own, output) = state(index, measure, approved)?;
        calls.extend(own);
        outputs.push(output.alias(format!("p{index}")));
    }
    let mut behind = Behind { approved, secret, calls: vec![] };
    for entity in &input.entities {
        outputs.push(behind.column(entity, None, lit(1.0))?.alias(format!("h{}", outputs.len())));
    }
    for measure in &fragment.measures {
        let (condition, amount) = (contributes(measure)?, amount(measure)?);
        for entity in &input.entities {
            let column = behind.column(entity, condition.clone(), amount.clone())?;
            outputs.push(column.alias(format!("h{}", outputs.len())));
        }
    }
    calls.extend(behind.calls.into_iter().map(|(name, call)| call.alias(name)));
    input.plan.aggregate(keys, calls)?.project(outputs)?.build()
}

/// The aggregate calls of one state, and the state as an expression over them.
fn state(index: usize, measure: &Measure, approved: &Approved) -> Result<(Vec<PlanExpr>, PlanExpr)> {
    let name = format!("s{index}");
    let filter = measure.filter.as_ref().map(lower).transpose()?;
    let filtered = |call: PlanExpr| match &filter {
        Some(filter) => call.filter(filter.clone()).build(),
        None => Ok(call),
    };
    let argument = measure.argument.as_ref().map(lower).transpose()?;
    let one = |call: PlanExpr| Ok((vec![filtered(call)?.alias(&name)], col(&name)));
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
            Ok((vec![call.alias(&name)], col(&name)))
        }
        (State::Mean, Some(argument)) => one(avg(argument)),
        (State::Min, Some(argument)) => one(min(argument)),
        (State::Max, Some(argument)) => one(max(argument)),
        (State::Sum, Some(argument)) => match approved.argument_type(index) {
            Some(DataType::Int32) => one(sum(cast(argument, ArrowType::Int64))),
            // Wide enough that nothing wraps; a sum outside BIGINT is withheld.
            Some(DataType::Int64) => {
                let (calls, total) = one(sum(cast(argument, ArrowType::Decimal128(20, 0))))?;
                Ok((calls, try_cast(total, ArrowType::Int64)))
            }
            _ => one(sum(argument)),
        },
        (State::M2, Some(argument)) => {
            let counted = filtered(count(argument.clone()))?.alias(format!("{name}n"));
            let variance = filtered(var_pop(argument))?.alias(&name);
            let m2 = col(&name) * cast(col(format!("{name}n")), ArrowType::Float64);
            Ok((vec![counted, variance], m2))
        }
        _ => Err(DataFusionError::Plan("a measure that was not approved".to_owned())),
    }
}

/// The rows that contribute to a measure: they pass its filter, and their argument is neither NULL nor, in a sum, zero.
fn contributes(measure: &Measure) -> Result<Option<PlanExpr>> {
    let filter = measure.filter.as_ref().map(lower).transpose()?;
    let argument = measure.argument.as_ref().map(lower).transpose()?;
    let present = argument.map(|argument| match measure.state {
        // Both zeros: the engine's order tells them apart.
        State::Sum => {
            let number = cast(argument, ArrowType::Float64);
            number.clone().is_not_null().and(number.in_list(vec![lit(0.0), lit(-0.0)], true))
        }
        _ => argument.is_not_null(),
    });
    Ok([filter, present].into_iter().flatten().reduce(PlanExpr::and))
}

/// What a row adds to its entity's holding.
fn amount(measure: &Measure) -> Result<PlanExpr> {
    match (measure.state, &measure.argument) {
        (State::Sum | State::Mean | State::M2, Some(argument)) => {
            Ok(cast(lower(argument)?, ArrowType::Float64))
        }
        _ => Ok(lit(1.0)),
    }
}

/// The calls that say who is behind groups and cells. Cells with the same people behind them share one.
struct Behind<'a> {
    approved: &'a Approved,
    secret: Secret,
    calls: Vec<(String, PlanExpr)>,
}

impl Behind<'_> {
    fn column(
        &mut self,
        entity: &PlanExpr,
        condition: Option<PlanExpr>,
        amount: PlanExpr,
    ) -> Result<PlanExpr> {
        let call = if self.approved.names_holders() {
            AggregateUDF::from(Holdings::new(self.secret)).call(vec![entity.clone(), amount])
        } else {
            AggregateUDF::from(Contributors::new(self.approved.threshold())).call(vec![entity.clone()])
        };
        let call = match condition {
            Some(condition) => call.filter(condition).build()?,
            None => call,
        };
        if let Some((name, _)) = self.calls.iter().find(|(_, known)| *known == call) {
            return Ok(col(name));
        }
        let name = format!("e{}", self.calls.len());
        self.calls.push((name.clone(), call));
        Ok(col(name))
    }
}
