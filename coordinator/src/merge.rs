//! Merging partial states where SQL's own aggregates do not suffice: moments (variance, standard deviation) and averages of
//! decimals, and counts of entities that must not be merged at all. Everything else merges by `SUM`, `MIN` and `MAX`; the table is `jigsaw_proto::aggregate`.

mod decimal_average;
mod moments;
mod whole;

use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::{AggregateUDF, Expr, ScalarUDF};
use jigsaw_proto::aggregate::Aggregate;

use decimal_average::DecimalAverage;
use moments::{MergedMoments, Moment};
use whole::Whole;

/// The aggregate over `(count, mean, M2)` of releases that merges to a variance or standard deviation; `None` for other
/// aggregates.
pub(crate) fn merged_moments(aggregate: Aggregate, states: &[Expr; 3]) -> Option<Expr> {
    let moment = match aggregate {
        Aggregate::VarianceSample => Moment::VarianceSample,
        Aggregate::VariancePopulation => Moment::VariancePopulation,
        Aggregate::StddevSample => Moment::StddevSample,
        Aggregate::StddevPopulation => Moment::StddevPopulation,
        Aggregate::CountRows
        | Aggregate::Count
        | Aggregate::CountEntities
        | Aggregate::Sum
        | Aggregate::Avg
        | Aggregate::Min
        | Aggregate::Max => return None,
    };
    Some(AggregateUDF::from(MergedMoments::new(moment)).call(states.to_vec()))
}

/// A count of entities as it was released, where a group has one; `label` is what was asked for.
pub(crate) fn whole(label: &str, count: Expr) -> Expr {
    AggregateUDF::from(Whole::new(label)).call(vec![count])
}

/// `total / count` of a decimal total, of type `result`, truncated as SQL's `AVG` truncates.
pub(crate) fn decimal_average(result: &DataType, total: Expr, count: Expr) -> Expr {
    ScalarUDF::from(DecimalAverage::new(result.clone())).call(vec![total, count])
}
