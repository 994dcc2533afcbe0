//! Covariance, correlation and regression from the co-moments of several nodes.
//!
//! Chan, Golub and `LeVeque` (1979), eq. 2.1, for two arguments (Bennett et al. 2009, *Numerically stable, single-pass, parallel
//! statistics algorithms*, eq. III.6): with δx and δy the differences of the means and `n = n₁ + n₂`,
//! `C = C₁ + C₂ + δx·δy·n₁·n₂/n`. What is made of them is what SQL:2003 says (10.9), NULL where the engine has NULL.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Int64Type};
use datafusion::common::{ScalarValue, internal_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};

/// Which figure is made of the merged co-moments. Of a regression, the first argument is y, the second x.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum CoMoment {
    CovarianceSample,
    CovariancePopulation,
    Correlation,
    Slope,
    Intercept,
    R2,
    AverageX,
    AverageY,
    Sxx,
    Syy,
    Sxy,
}

/// The aggregate function `(count BIGINT, mean_y, mean_x, m2_y, m2_x, c DOUBLE) → DOUBLE`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct MergedCoMoments {
    signature: Signature,
    figure: CoMoment,
}

impl MergedCoMoments {
    pub(super) fn new(figure: CoMoment) -> Self {
        let mut arguments = vec![DataType::Float64; 6];
        if let Some(first) = arguments.first_mut() {
            *first = DataType::Int64;
        }
        Self { signature: Signature::exact(arguments, Volatility::Immutable), figure }
    }
}

impl AggregateUDFImpl for MergedCoMoments {
    fn name(&self) -> &'static str {
        match self.figure {
            CoMoment::CovarianceSample => "merged_covariance",
            CoMoment::CovariancePopulation => "merged_covariance_population",
            CoMoment::Correlation => "merged_correlation",
            CoMoment::Slope => "merged_regr_slope",
            CoMoment::Intercept => "merged_regr_intercept",
            CoMoment::R2 => "merged_regr_r2",
            CoMoment::AverageX => "merged_regr_avgx",
            CoMoment::AverageY => "merged_regr_avgy",
            CoMoment::Sxx => "merged_regr_sxx",
            CoMoment::Syy => "merged_regr_syy",
            CoMoment::Sxy => "merged_regr_sxy",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn state_fields(&self, _: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let doubles = ["mean_y", "mean_x", "m2_y", "m2_x", "c"].map(|name| (name, DataType::Float64));
        let fields = [("count", DataType::Int64)].into_iter().chain(doubles);
        Ok(fields.map(|(name, data_type)| Arc::new(Field::new(name, data_type, true))).collect())
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(CoMoments { figure: self.figure, merged: Part::default() }))
    }
}

/// The co-moments of some pairs.
#[derive(Debug, Clone, Copy, Default)]
struct Part {
    count: i64,
    mean_y: f64,
    mean_x: f64,
    m2_y: f64,
    m2_x: f64,
    c: f64,
}

#[derive(Debug)]
struct CoMoments {
    figure: CoMoment,
    merged: Part,
}

#[expect(clippy::cast_precision_loss, reason = "counts of rows are far below 2^53")]
impl Part {
    fn with(self, other: Self) -> Self {
        if other.count == 0 {
            return self;
        }
        let (one, two) = (self.count as f64, other.count as f64);
        let total = one + two;
        let (of_y, of_x) = (other.mean_y - self.mean_y, other.mean_x - self.mean_x);
        let weight = one * two / total;
        Self {
            count: self.count + other.count,
            mean_y: self.mean_y + of_y * two / total,
            mean_x: self.mean_x + of_x * two / total,
            m2_y: self.m2_y + other.m2_y + of_y * of_y * weight,
            m2_x: self.m2_x + other.m2_x + of_x * of_x * weight,
            c: self.c + other.c + of_y * of_x * weight,
        }
    }

    fn figure(self, figure: CoMoment) -> Option<f64> {
        let Self { count, mean_y, mean_x, m2_y, m2_x, c } = self;
        let n = count as f64;
        let given = |condition: bool, value: f64| condition.then_some(value);
        let (x_varies, y_varies) = (varies(m2_x, mean_x, n), varies(m2_y, mean_y, n));
        match figure {
            CoMoment::CovarianceSample => given(count > 1, c / (n - 1.0)),
            CoMoment::CovariancePopulation => given(count > 0, c / n),
            CoMoment::Correlation => {
                given(count > 1 && x_varies && y_varies, c / (m2_x.sqrt() * m2_y.sqrt()))
            }
            CoMoment::Slope => given(count > 1 && x_varies, c / m2_x),
            CoMoment::Intercept => given(count > 1 && x_varies, mean_y - c / m2_x * mean_x),
            CoMoment::R2 => given(count > 1 && x_varies && y_varies, c / m2_x * (c / m2_y)),
            CoMoment::AverageX => given(count > 0, mean_x),
            CoMoment::AverageY => given(count > 0, mean_y),
            CoMoment::Sxx => given(count > 0, m2_x),
            CoMoment::Syy => given(count > 0, m2_y),
            CoMoment::Sxy => given(count > 0, c),
        }
    }
}

/// Whether values differ from their mean by more than the rounding of means: those of nodes that hold one constant differ by that.
fn varies(m2: f64, mean: f64, n: f64) -> bool {
    m2 > n * (4.0 * f64::EPSILON * mean).powi(2)
}

impl Accumulator for CoMoments {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [counts, rest @ ..] = values else {
            return internal_err!("co-moments are merged from six states");
        };
        let Ok([mean_y, mean_x, m2_y, m2_x, c]) =
            <[_; 5]>::try_from(rest.iter().map(AsArray::as_primitive::<Float64Type>).collect::<Vec<_>>())
        else {
            return internal_err!("co-moments are merged from six states");
        };
        let columns =
            counts.as_primitive::<Int64Type>().iter().zip(mean_y).zip(mean_x).zip(m2_y).zip(m2_x).zip(c);
        for (((((count, mean_y), mean_x), m2_y), m2_x), c) in columns {
            // A release in which any of them was withheld says nothing.
            if let (Some(count), Some(mean_y), Some(mean_x), Some(m2_y), Some(m2_x), Some(c)) =
                (count, mean_y, mean_x, m2_y, m2_x, c)
            {
                self.merged = self.merged.with(Part { count, mean_y, mean_x, m2_y, m2_x, c });
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let Part { count, mean_y, mean_x, m2_y, m2_x, c } = self.merged;
        Ok([count.into()].into_iter().chain([mean_y, mean_x, m2_y, m2_x, c].map(Into::into)).collect())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(self.merged.figure(self.figure)))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What one pass over all pairs gives, and the merge of parts.
    fn both(figure: CoMoment, parts: &[&[(f64, f64)]]) -> (Option<f64>, Option<f64>) {
        let all: Vec<(f64, f64)> = parts.concat();
        let merged = parts.iter().map(|part| moments(part)).fold(Part::default(), Part::with);
        (moments(&all).figure(figure), merged.figure(figure))
    }

    fn moments(pairs: &[(f64, f64)]) -> Part {
        let n = f64::from(u32::try_from(pairs.len()).unwrap()).max(1.0);
        let mean_y = pairs.iter().map(|(y, _)| y).sum::<f64>() / n;
        let mean_x = pairs.iter().map(|(_, x)| x).sum::<f64>() / n;
        Part {
            count: i64::try_from(pairs.len()).unwrap(),
            mean_y,
            mean_x,
            m2_y: pairs.iter().map(|(y, _)| (y - mean_y).powi(2)).sum(),
            m2_x: pairs.iter().map(|(_, x)| (x - mean_x).powi(2)).sum(),
            c: pairs.iter().map(|(y, x)| (y - mean_y) * (x - mean_x)).sum(),
        }
    }

    const FIGURES: [CoMoment; 11] = [
        CoMoment::CovarianceSample,
        CoMoment::CovariancePopulation,
        CoMoment::Correlation,
        CoMoment::Slope,
        CoMoment::Intercept,
        CoMoment::R2,
        CoMoment::AverageX,
        CoMoment::AverageY,
        CoMoment::Sxx,
        CoMoment::Syy,
        CoMoment::Sxy,
    ];

    #[test]
    fn parts_merge_to_the_figures_of_the_whole() {
        let parts: [&[(f64, f64)]; 4] =
            [&[(1.0, 2.0), (2.0, 1.0)], &[], &[(4.0, 3.0)], &[(3.0, 5.0), (9.0, 8.0), (7.0, 7.0)]];
        for figure in FIGURES {
            let (whole, merged) = both(figure, &parts);
            assert!((whole.unwrap() - merged.unwrap()).abs() < 1e-12, "{figure:?}: {whole:?}, {merged:?}");
        }
    }

    #[test]
    fn large_means_do_not_cancel() {
        let parts: [&[(f64, f64)]; 2] =
            [&[(1e9 + 1.0, 2e9), (1e9 + 2.0, 2e9 + 1.0)], &[(1e9 + 3.0, 2e9 + 2.0)]];
        let (_, merged) = both(CoMoment::Correlation, &parts);
        assert!((merged.unwrap() - 1.0).abs() < 1e-12);
        assert!((both(CoMoment::CovarianceSample, &parts).1.unwrap() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn too_few_or_constant_pairs_are_null() {
        let one: [&[(f64, f64)]; 1] = [&[(1.0, 2.0)]];
        let constant: [&[(f64, f64)]; 2] = [&[(1.0, 2.0)], &[(3.0, 2.0)]];
        for figure in [CoMoment::CovarianceSample, CoMoment::Correlation, CoMoment::Slope, CoMoment::R2] {
            assert_eq!(both(figure, &one).1, None, "{figure:?}");
            assert_eq!(both(figure, &[]).1, None, "{figure:?}");
        }
        assert_eq!(both(CoMoment::CovariancePopulation, &one).1, Some(0.0));
        for figure in [CoMoment::Correlation, CoMoment::Slope, CoMoment::Intercept, CoMoment::R2] {
            assert_eq!(both(figure, &constant).1, None, "{figure:?}");
        }
        // A mean of three tenths is not a tenth, by its last bit.
        let nearly = Part { count: 3, mean_x: 0.3 / 3.0, m2_y: 2.0, ..Part::default() };
        let merged =
            nearly.with(Part { count: 2, mean_x: 0.1 + 1e-17, mean_y: 1.0, m2_y: 2.0, ..Part::default() });
        assert_eq!(merged.with(Part { mean_x: 0.1 + 3e-17, ..nearly }).figure(CoMoment::Slope), None);
    }
}
