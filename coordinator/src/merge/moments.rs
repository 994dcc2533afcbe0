//! Variance and standard deviation from the moments of several nodes.
//!
//! Chan, Golub and `LeVeque` (1979), STAN-CS-79-773, eq. 2.1: for two parts with (n, mean, M2),
//! `δ = mean₂ − mean₁`, `n = n₁ + n₂`, `mean = mean₁ + δ·n₂/n`, `M2 = M2₁ + M2₂ + δ²·n₁·n₂/n`.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Int64Type};
use datafusion::common::{ScalarValue, internal_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};

/// Which figure the merged moments are turned into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Moment {
    VarianceSample,
    VariancePopulation,
    StddevSample,
    StddevPopulation,
}

/// The aggregate function `(count BIGINT, mean DOUBLE, m2 DOUBLE) → DOUBLE`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct MergedMoments {
    signature: Signature,
    moment: Moment,
}

impl MergedMoments {
    pub(super) fn new(moment: Moment) -> Self {
        let arguments = vec![DataType::Int64, DataType::Float64, DataType::Float64];
        Self { signature: Signature::exact(arguments, Volatility::Immutable), moment }
    }
}

impl AggregateUDFImpl for MergedMoments {
    fn name(&self) -> &'static str {
        match self.moment {
            Moment::VarianceSample => "merged_variance",
            Moment::VariancePopulation => "merged_variance_population",
            Moment::StddevSample => "merged_stddev",
            Moment::StddevPopulation => "merged_stddev_population",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn state_fields(&self, _: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let field = |name: &str, data_type| Arc::new(Field::new(name, data_type, true));
        Ok(vec![
            field("count", DataType::Int64),
            field("mean", DataType::Float64),
            field("m2", DataType::Float64),
        ])
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Moments { moment: self.moment, count: 0, mean: 0.0, m2: 0.0 }))
    }
}

#[derive(Debug)]
struct Moments {
    moment: Moment,
    count: i64,
    mean: f64,
    m2: f64,
}

#[expect(clippy::cast_precision_loss, reason = "counts of rows are far below 2^53")]
impl Moments {
    fn add(&mut self, count: i64, mean: f64, m2: f64) {
        if count == 0 {
            return;
        }
        let (own, other) = (self.count as f64, count as f64);
        let delta = mean - self.mean;
        let total = own + other;
        self.mean += delta * other / total;
        self.m2 += m2 + delta * delta * own * other / total;
        self.count += count;
    }

    fn value(&self) -> Option<f64> {
        let (count, sample) = match self.moment {
            Moment::VarianceSample | Moment::StddevSample => (self.count - 1, true),
            Moment::VariancePopulation | Moment::StddevPopulation => (self.count, false),
        };
        if count < 1 {
            // One value has no sample variance; none has no variance at all.
            return if sample || self.count == 0 { None } else { Some(0.0) };
        }
        let variance = self.m2 / count as f64;
        Some(match self.moment {
            Moment::VarianceSample | Moment::VariancePopulation => variance,
            Moment::StddevSample | Moment::StddevPopulation => variance.sqrt(),
        })
    }
}

impl Accumulator for Moments {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [counts, means, m2s] = values else {
            return internal_err!("moments are merged from count, mean and m2");
        };
        let counts = counts.as_primitive::<Int64Type>().iter();
        let means = means.as_primitive::<Float64Type>().iter();
        let m2s = m2s.as_primitive::<Float64Type>().iter();
        for ((count, mean), m2) in counts.zip(means).zip(m2s) {
            // A release in which any of the three was withheld says nothing.
            if let (Some(count), Some(mean), Some(m2)) = (count, mean, m2) {
                self.add(count, mean, m2);
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.count.into(), self.mean.into(), self.m2.into()])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(self.value()))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(moment: Moment, parts: &[&[f64]]) -> Option<f64> {
        let mut merged = Moments { moment, count: 0, mean: 0.0, m2: 0.0 };
        for part in parts {
            let count = i64::try_from(part.len()).unwrap();
            let mean = part.iter().sum::<f64>() / f64::from(u32::try_from(part.len()).unwrap());
            let m2 = part.iter().map(|value| (value - mean).powi(2)).sum();
            merged.add(count, mean, m2);
        }
        merged.value()
    }

    #[test]
    fn parts_merge_to_the_variance_of_the_whole() {
        let parts: [&[f64]; 3] = [&[2.0, 4.0], &[4.0, 4.0, 5.0], &[5.0, 7.0, 9.0]];
        let close =
            |found: Option<f64>, wanted: f64| assert!((found.unwrap() - wanted).abs() < 1e-12, "{found:?}");
        close(moments(Moment::VariancePopulation, &parts), 4.0);
        close(moments(Moment::StddevPopulation, &parts), 2.0);
        close(moments(Moment::VarianceSample, &parts), 32.0 / 7.0);
    }

    #[test]
    fn large_means_do_not_cancel() {
        let found = moments(Moment::VarianceSample, &[&[1e9 + 1.0, 1e9 + 2.0], &[1e9 + 3.0]]).unwrap();
        assert!((found - 1.0).abs() < 1e-9, "{found}");
    }

    #[test]
    fn few_values_are_null_where_sql_says_so() {
        assert_eq!(moments(Moment::VarianceSample, &[&[1.0]]), None);
        assert_eq!(moments(Moment::VariancePopulation, &[&[1.0]]), Some(0.0));
        assert_eq!(moments(Moment::VariancePopulation, &[]), None);
    }
}
