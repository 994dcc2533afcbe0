//! Sums of doubles as whole numbers of units: a thousandth of the published step, or the step itself.
//!
//! Adding doubles up rounds at each addition, so that the last digits of a sum depend on the order of rows and tell of single
//! ones (Mironov 2012, *On significance of the least significant bits for differential privacy*). Doubles that are whole numbers
//! are added without any rounding as long as the sum is below 2⁵³ units, in whatever order. What a row is finer than a unit is
//! rounded away before it is added, to the nearest, so over many rows it evens out.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::internal_err;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// Below it in magnitude, adding 3 · 2⁵¹ and taking it away again leaves the nearest whole number.
const ROUNDABLE: f64 = 2_251_799_813_685_248.0;
/// 3 · 2⁵¹
const MAGIC: f64 = 6_755_399_441_055_744.0;

/// `units(x)`: how many units x is, to the nearest.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Units {
    /// the bits of the number of units in 1
    per_one: u64,
    signature: Signature,
}

impl Units {
    /// So many of which are 1.
    pub(super) fn of(per_one: f64) -> ScalarUDF {
        let signature = Signature::any(1, Volatility::Immutable);
        ScalarUDF::from(Self { per_one: per_one.to_bits(), signature })
    }
}

/// The whole number nearest to a double; of those that are so large that they have few fractions, the double itself.
fn nearest(value: f64) -> f64 {
    let rounded = (value + MAGIC) - MAGIC;
    if value.abs() < ROUNDABLE { rounded } else { value }
}

impl ScalarUDFImpl for Units {
    fn name(&self) -> &'static str {
        "units"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        let [DataType::Float64] = arguments else {
            return internal_err!("units takes one column of doubles");
        };
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let per_one = f64::from_bits(self.per_one);
        let columns = ColumnarValue::values_to_arrays(&arguments.args)?;
        let [cells] = columns.as_slice() else {
            return internal_err!("units takes one column of doubles");
        };
        let units: Float64Array = cells.as_primitive::<Float64Type>().unary(|value| nearest(value * per_one));
        Ok(ColumnarValue::Array(Arc::new(units) as ArrayRef))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_the_nearest_whole_number() {
        let cases =
            [(0.4, 0.0), (0.6, 1.0), (-0.6, -1.0), (1e15 + 0.25, 1e15), (3e15, 3e15), (-1e300, -1e300)];
        for (value, expected) in cases {
            assert!((nearest(value) - expected).abs() < f64::EPSILON, "{value}");
        }
    }

    /// The order of rows decides no digit, as it does where doubles are added up as they are.
    #[test]
    fn the_order_of_rows_decides_nothing() {
        let rows: Vec<f64> = (1..=10_000_u32).map(|row| f64::from(row * 7919 % 10_007) / 100.0).collect();
        let backwards: Vec<f64> = rows.iter().rev().copied().collect();
        let plain = |rows: &[f64]| rows.iter().sum::<f64>();
        let units = |rows: &[f64]| rows.iter().map(|value| nearest(value * 1e5)).sum::<f64>();
        assert_ne!(plain(&rows).to_bits(), plain(&backwards).to_bits(), "the test shows something");
        assert_eq!(units(&rows).to_bits(), units(&backwards).to_bits());
    }
}
