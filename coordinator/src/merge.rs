//! Merging partial states where SQL's own aggregates do not suffice: moments (variance, standard deviation), co-moments (covariance,
//! correlation, regression), quantiles of released groups, averages of decimals, and what must not be merged at all: counts of entities, and
//! mould indices. Everything else merges by `SUM`, `MIN` and `MAX`; the table is `jigsaw_proto::aggregate`.

mod co_moments;
mod decimal_average;
mod moments;
mod quantile;
mod whole;

use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::{AggregateUDF, Expr, ScalarUDF};
use jigsaw_proto::aggregate::Aggregate;

use co_moments::{CoMoment, MergedCoMoments};
use decimal_average::DecimalAverage;
use moments::{MergedMoments, Moment};
pub(crate) use quantile::{Quantile, percentile_disc, quantile_of};
use whole::Whole;
pub(crate) use whole::WholeOf;

/// The aggregate over the states of releases that merges them by their moments; `None` for other aggregates and states.
pub(crate) fn merged_moments(aggregate: Aggregate, states: &[Expr]) -> Option<Expr> {
    let merge = merge(aggregate)?;
    (states.len() == aggregate.partials().len()).then(|| merge.call(states.to_vec()))
}

fn merge(aggregate: Aggregate) -> Option<AggregateUDF> {
    let moments = |moment| Some(AggregateUDF::from(MergedMoments::new(moment)));
    let co_moments = |figure| Some(AggregateUDF::from(MergedCoMoments::new(figure)));
    match aggregate {
        Aggregate::VarianceSample => moments(Moment::VarianceSample),
        Aggregate::VariancePopulation => moments(Moment::VariancePopulation),
        Aggregate::StddevSample => moments(Moment::StddevSample),
        Aggregate::StddevPopulation => moments(Moment::StddevPopulation),
        Aggregate::CovarianceSample => co_moments(CoMoment::CovarianceSample),
        Aggregate::CovariancePopulation => co_moments(CoMoment::CovariancePopulation),
        Aggregate::Correlation => co_moments(CoMoment::Correlation),
        Aggregate::RegrSlope => co_moments(CoMoment::Slope),
        Aggregate::RegrIntercept => co_moments(CoMoment::Intercept),
        Aggregate::RegrR2 => co_moments(CoMoment::R2),
        Aggregate::RegrAvgX => co_moments(CoMoment::AverageX),
        Aggregate::RegrAvgY => co_moments(CoMoment::AverageY),
        Aggregate::RegrSxx => co_moments(CoMoment::Sxx),
        Aggregate::RegrSyy => co_moments(CoMoment::Syy),
        Aggregate::RegrSxy => co_moments(CoMoment::Sxy),
        Aggregate::CountRows
        | Aggregate::Count
        | Aggregate::CountEntities
        | Aggregate::Sum
        | Aggregate::Avg
        | Aggregate::Min
        | Aggregate::Max
        | Aggregate::BoolAnd
        | Aggregate::BoolOr
        | Aggregate::RegrCount
        | Aggregate::MouldIndex => None,
    }
}

/// What was released of a whole group, where a group has one such figure; `label` is what was asked for.
pub(crate) fn whole(of: WholeOf, label: &str, figure: Expr) -> Expr {
    AggregateUDF::from(Whole::new(of, label)).call(vec![figure])
}

/// `total / count` of a decimal total, of type `result`, truncated as SQL's `AVG` truncates.
pub(crate) fn decimal_average(result: &DataType, total: Expr, count: Expr) -> Expr {
    ScalarUDF::from(DecimalAverage::new(result.clone())).call(vec![total, count])
}
