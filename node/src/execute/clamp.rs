//! Measures between their bounds.
//!
//! A value outside the bounds of a measure counts as the bound next to it (top and bottom coding): how far beyond one is nobody
//! learns, and what one row adds to a figure is no more than the contract says it may. What is no number (NaN) is NULL: it would
//! make a figure of thousands none, and tell that it is there. Validation relies on both: where it proves that a summand cannot
//! overflow, it does so for values between the bounds.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, PrimitiveArray};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Decimal128Type, Float64Type, Int32Type, Int64Type};
use datafusion::common::internal_err;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// `clamp(x)`: x, or the bound next to it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Clamp {
    /// the bits of the bounds
    low: u64,
    high: u64,
    signature: Signature,
}

impl Clamp {
    /// Between two bounds, both of them included.
    pub(super) fn between((low, high): (f64, f64)) -> ScalarUDF {
        let signature = Signature::any(1, Volatility::Immutable);
        ScalarUDF::from(Self { low: low.to_bits(), high: high.to_bits(), signature })
    }

    /// The cells of a column between the bounds.
    fn column(&self, cells: &ArrayRef) -> Result<ArrayRef> {
        let (low, high) = (f64::from_bits(self.low), f64::from_bits(self.high));
        Ok(match cells.data_type() {
            DataType::Float64 => doubles(cells, low, high),
            DataType::Int32 => {
                let least = i32::try_from(whole(low.ceil())).unwrap_or(i32::MIN);
                numbers::<Int32Type>(cells, least, i32::try_from(whole(high.floor())).unwrap_or(i32::MAX))
            }
            DataType::Int64 => {
                let least = i64::try_from(whole(low.ceil())).unwrap_or(i64::MIN);
                numbers::<Int64Type>(cells, least, i64::try_from(whole(high.floor())).unwrap_or(i64::MAX))
            }
            DataType::Decimal128(_, scale) => {
                let unit = 10_f64.powi((*scale).into());
                numbers::<Decimal128Type>(cells, whole((low * unit).ceil()), whole((high * unit).floor()))
            }
            other => return internal_err!("{other} has no bounds"),
        })
    }
}

/// A double without a fraction; the greatest or least there is, where it is beyond.
#[expect(clippy::cast_possible_truncation, reason = "the greatest and the least bind nothing")]
fn whole(value: f64) -> i128 {
    value as i128
}

fn doubles(cells: &ArrayRef, low: f64, high: f64) -> ArrayRef {
    let values = cells.as_primitive::<Float64Type>();
    if values.values().iter().all(|value| *value >= low && *value <= high) {
        return Arc::clone(cells);
    }
    let clamped: Float64Array = values.unary_opt(|value| (!value.is_nan()).then(|| value.max(low).min(high)));
    Arc::new(clamped)
}

fn numbers<T>(cells: &ArrayRef, low: T::Native, high: T::Native) -> ArrayRef
where
    T: ArrowPrimitiveType,
    T::Native: Ord,
{
    let values = cells.as_primitive::<T>();
    if values.values().iter().all(|value| *value >= low && *value <= high) {
        return Arc::clone(cells);
    }
    let clamped: PrimitiveArray<T> = values.unary(|value| value.max(low).min(high));
    Arc::new(clamped.with_data_type(cells.data_type().clone()))
}

impl ScalarUDFImpl for Clamp {
    fn name(&self) -> &'static str {
        "clamp"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        let [data_type] = arguments else { return internal_err!("clamp takes one column") };
        Ok(data_type.clone())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&arguments.args)?;
        let [cells] = columns.as_slice() else { return internal_err!("clamp takes one column") };
        Ok(ColumnarValue::Array(self.column(cells)?))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Decimal128Array, Int32Array, Int64Array};

    use super::*;

    fn clamped(low: f64, high: f64, cells: impl Array + 'static) -> ArrayRef {
        let clamp = Clamp {
            low: low.to_bits(),
            high: high.to_bits(),
            signature: Signature::any(1, Volatility::Immutable),
        };
        clamp.column(&(Arc::new(cells) as ArrayRef)).unwrap()
    }

    #[test]
    fn what_is_outside_is_the_bound_next_to_it() {
        let doubles = vec![Some(-1.0), Some(0.5), None, Some(f64::INFINITY), Some(f64::NEG_INFINITY)];
        let doubles = clamped(0.0, 10.0, Float64Array::from(doubles));
        let expected = Float64Array::from(vec![Some(0.0), Some(0.5), None, Some(10.0), Some(0.0)]);
        assert_eq!(doubles.as_primitive::<Float64Type>(), &expected);
        let whole = clamped(0.5, 9.5, Int64Array::from(vec![Some(0), Some(5), None, Some(i64::MAX)]));
        let expected = Int64Array::from(vec![Some(1), Some(5), None, Some(9)]);
        assert_eq!(whole.as_primitive::<Int64Type>(), &expected);
        let small = clamped(-1e12, 1e12, Int32Array::from(vec![i32::MIN, 0, i32::MAX]));
        assert_eq!(small.as_primitive::<Int32Type>(), &Int32Array::from(vec![i32::MIN, 0, i32::MAX]));
        let pence = |cells: Vec<i128>| Decimal128Array::from(cells).with_precision_and_scale(12, 2).unwrap();
        let decimal = clamped(0.0, 10.0, pence(vec![-5, 999, 1001]));
        assert_eq!(decimal.as_primitive::<Decimal128Type>(), &pence(vec![0, 999, 1000]));
    }

    #[test]
    fn what_is_no_number_is_null() {
        let cells = clamped(0.0, 10.0, Float64Array::from(vec![f64::NAN, 3.0, -f64::NAN]));
        let expected = Float64Array::from(vec![None, Some(3.0), None]);
        assert_eq!(cells.as_primitive::<Float64Type>(), &expected);
    }
}
