//! Aggregates over the values of an expression: `COUNT(DISTINCT x)`, `SUM(DISTINCT x)`, `MEDIAN(x)`, `PERCENTILE_CONT(p)` …
//!
//! The expression becomes one more group key, and rows are counted for each of its values: what is counted distinct, added up
//! once or ranked here are groups that nodes released. Where nodes protect, quantiles are read off a histogram: the key is the
//! bucket that a value falls into, so that each bucket is a cell that passed the threshold. A value of a few people is in
//! no cell; it is not counted, and no quantile is it.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType as ArrowType;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Expr as PlanExpr, lit};
use jigsaw_proto::aggregate::State;
use jigsaw_proto::contract::Role;
use jigsaw_proto::expr::{BinaryOp, Expr, Literal, Value};
use jigsaw_proto::fragment::Measure;
use jigsaw_proto::function::Function;
use jigsaw_proto::types::DataType;

use super::aggregate::{Circumstances, Merged};
use super::expr::translate;
use super::names::as_column;
use crate::merge::{Quantile, quantile_of};
use crate::query::QueryError;

type Result<T> = std::result::Result<T, QueryError>;

/// Most buckets between the bounds of a measure.
const BUCKETS: f64 = 40.0;

/// An aggregate over the values of an expression.
#[derive(Debug, Clone)]
pub(super) struct OfValues {
    /// the group key that is made of it
    key: Expr,
    what: What,
    filter: Option<Expr>,
    remark: Remark,
}

#[derive(Debug, Clone)]
enum What {
    /// an aggregate that takes each value once
    Distinct(AggregateFunction),
    /// a quantile; of a histogram, the width of its buckets
    Quantile(Quantile, Option<f64>),
}

/// What is said beside an answer of the way it was come by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remark {
    /// whether it is said only where a node protects
    pub(crate) of_protected: bool,
    /// whether the groups are values, of which there is an end
    pub(crate) of_values: bool,
    pub(crate) sentence: String,
}

impl Remark {
    /// Of what is over groups that nodes released, one for each value.
    fn over_released(what: &str) -> Self {
        let sentence =
            format!("{what} is over values that were released: those of few people are not among them");
        Self { of_protected: true, of_values: true, sentence }
    }
}

impl OfValues {
    /// Reads an aggregate call; `None`: it is made of states.
    pub(super) fn read(function: &AggregateFunction, known: Circumstances<'_>) -> Result<Option<Self>> {
        let name = function.func.name();
        let parameters = &function.params;
        let what = match (name, parameters.distinct) {
            ("count" | "sum" | "avg", true) => None,
            (
                "median" | "percentile_cont" | "percentile_disc" | "approx_percentile_cont" | "approx_median",
                false,
            ) => Some(Quantile::read(function).map_err(QueryError::sql)?),
            _ => return Ok(None),
        };
        let [argument, rest @ ..] = parameters.args.as_slice() else { return Ok(None) };
        let value = translate(argument, known.names)?;
        let entity = |column: &jigsaw_proto::expr::Column| {
            matches!(known.builder.role(column), Some(Role::Entity { .. }))
        };
        if what.is_none() && name == "count" && as_column(&value).is_some_and(entity) {
            return Ok(None);
        }
        if let Some(column) = value.columns().into_iter().find(|column| entity(column)) {
            return Err(QueryError::sql(format!(
                "{column} is an entity column: COUNT(DISTINCT {column}) is all that is answered of it"
            )));
        }
        if what.is_none() && !rest.is_empty() {
            return Err(QueryError::sql(format!(
                "{name}(DISTINCT a, b) counts pairs, which nodes do not: GROUP BY both and count the groups in an outer SELECT"
            )));
        }
        known.names.type_of(&value)?;
        let filter = parameters.filter.as_deref().map(|filter| translate(filter, known.names)).transpose()?;
        Ok(Some(match what {
            None => {
                let remark = Remark::over_released(&format!("{name}(DISTINCT {value})"));
                Self { key: value, what: What::Distinct(function.clone()), filter, remark }
            }
            Some(quantile) => Self::quantile(value, quantile, filter, known)?,
        }))
    }

    /// Over the values themselves, where no node protects them or they are codes; else over a histogram between declared bounds.
    fn quantile(
        value: Expr,
        quantile: Quantile,
        filter: Option<Expr>,
        known: Circumstances<'_>,
    ) -> Result<Self> {
        let asked = uncast(&value).clone();
        let role = as_column(&asked).and_then(|column| known.builder.role(column));
        let Some(width) = bucket_width(&asked, role, known.protected)? else {
            let remark = Remark::over_released(&format!("{quantile} of {asked}"));
            return Ok(Self { key: value, what: What::Quantile(quantile, None), filter, remark });
        };
        let remark = Remark {
            of_protected: false,
            of_values: true,
            sentence: format!(
                "{quantile} of {asked} is read off a histogram with buckets {width} wide: it may be off by that much, and by more where \
                 buckets of few people were left out"
            ),
        };
        let divisor = Literal::new(DataType::Float64, Some(Value::Float(width)))
            .ok_or_else(|| QueryError::internal("a width that is no double"))?;
        let value = super::expr::conform(value.clone(), &known.names.type_of(&value)?, &DataType::Float64);
        let bucket = value.binary(BinaryOp::Divide, Expr::Literal(divisor));
        let key = Expr::Call { function: Function::Floor, arguments: vec![bucket] };
        Ok(Self { key, what: What::Quantile(quantile, Some(width)), filter, remark })
    }

    /// The group key that is made of its expression.
    pub(super) fn key(&self) -> &Expr {
        &self.key
    }

    /// What is to be said of the answer.
    pub(super) fn remark(&self) -> &Remark {
        &self.remark
    }

    /// The measure it needs: the rows of each value.
    pub(super) fn measure(&self) -> Measure {
        Measure { state: State::Rows, argument: None, paired: None, time: None, filter: self.filter.clone() }
    }

    /// The aggregate over released groups, of which `value` is the key and `rows` the measure, under the condition `filter`.
    pub(super) fn merge(
        &self,
        value: PlanExpr,
        rows: PlanExpr,
        filter: Option<&PlanExpr>,
        result: &ArrowType,
    ) -> Merged {
        let call = match &self.what {
            What::Distinct(function) => {
                // A protected count of a few may have been rounded to 0: without a FILTER, a group that is there has rows.
                let occurs = match &self.filter {
                    Some(_) => rows.gt(lit(0_i64)),
                    None => rows.is_not_null(),
                };
                let condition = filter.cloned().into_iter().chain([occurs]).reduce(PlanExpr::and);
                let (function, condition) = (Arc::clone(&function.func), condition.map(Box::new));
                AggregateFunction::new_udf(function, vec![value], true, condition, vec![], None)
            }
            What::Quantile(quantile, width) => {
                let value = match width {
                    Some(width) => value * lit(*width),
                    None => value,
                };
                let mut call = quantile_of(*quantile, *width, value, rows);
                call.params.filter = filter.cloned().map(Box::new);
                call
            }
        };
        Merged::plain(PlanExpr::AggregateFunction(call), result)
    }
}

/// As the analyst wrote it: the planner casts what it interpolates.
fn uncast(value: &Expr) -> &Expr {
    match value {
        Expr::TryCast { operand, .. } => operand,
        other => other,
    }
}

/// The width of the buckets of a histogram of an expression; `None`: its values are groups themselves.
fn bucket_width(value: &Expr, role: Option<&Role>, protected: bool) -> Result<Option<f64>> {
    if !protected {
        return Ok(None);
    }
    match role {
        Some(Role::Dimension) => Ok(None),
        Some(Role::Measure { filterable: true, bounds: Some((low, high)), resolution }) => {
            Ok(Some(width(high - low, *resolution)))
        }
        Some(Role::Measure { filterable: true, bounds: None, .. }) => Err(QueryError::sql(format!(
            "a quantile of {value} would be read off a histogram, and the contract declares no bounds for it: count in bands of your own \
             (GROUP BY CASE … END), or ask for AVG and STDDEV"
        ))),
        Some(Role::Measure { filterable: false, .. }) => Err(QueryError::sql(format!(
            "a quantile of {value} would be read off a histogram, and the contract does not open it to bands: ask for AVG and STDDEV"
        ))),
        _ => Err(QueryError::sql(format!(
            "a quantile of {value} would be read off a histogram, and bounds are declared of columns only: ask for the quantile of a \
             measure itself, and compute with the answer"
        ))),
    }
}

/// The least width of 1, 2 or 5 times a power of ten of steps with which `range` has no more than [`BUCKETS`].
fn width(range: f64, step: f64) -> f64 {
    let least = range / step / BUCKETS;
    if least <= 1.0 {
        return step;
    }
    let power = 10_f64.powf(least.log10().floor());
    let times = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|times| times * power)
        .find(|times| *times >= least * (1.0 - 1e-9));
    let width = times.unwrap_or(least) * step;
    // 20 × 0.1 is 2.
    (width * 1e9).round() / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_few_and_round() {
        for (range, step, wanted) in
            [(55.0, 0.1, 2.0), (100.0, 0.1, 5.0), (10.0, 1.0, 1.0), (4e6, 1.0, 1e5), (0.0, 0.1, 0.1)]
        {
            let found = width(range, step);
            assert!((found - wanted).abs() < 1e-12, "{range} by {step}: {found}");
        }
    }
}
