//! Averages of decimals: exact division of the merged total by the merged count.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, Decimal128Array};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Int64Type, i256};
use datafusion::common::{exec_err, internal_err};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

/// `total / count`, of a decimal type with at least the total's scale, truncated towards zero; NULL where the count is 0.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct DecimalAverage {
    signature: Signature,
    result: DataType,
}

impl DecimalAverage {
    pub(super) fn new(result: DataType) -> Self {
        Self { signature: Signature::any(2, Volatility::Immutable), result }
    }
}

impl ScalarUDFImpl for DecimalAverage {
    fn name(&self) -> &'static str {
        "decimal_average"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.result.clone())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let ([totals, counts], DataType::Decimal128(precision, scale)) = (arrays.as_slice(), &self.result)
        else {
            return internal_err!("decimal_average takes a decimal total and a count");
        };
        let DataType::Decimal128(_, total_scale) = totals.data_type() else {
            return internal_err!("decimal_average takes a decimal total");
        };
        let Ok(shift) = u32::try_from(scale - total_scale) else {
            return internal_err!("decimal_average cannot lower the scale");
        };
        let factor = i256::from_i128(10_i128.pow(shift));
        let (totals, counts) = (totals.as_primitive::<Decimal128Type>(), counts.as_primitive::<Int64Type>());
        let quotients = totals.iter().zip(counts).map(|(total, count)| match (total, count) {
            (Some(total), Some(count)) if count != 0 => {
                let product = i256::from_i128(total).wrapping_mul(factor);
                let quotient = product.wrapping_div(i256::from_i128(count.into())).to_i128();
                if quotient.is_some() {
                    Ok(quotient)
                } else {
                    exec_err!("the average has more than 38 digits: cast the column to DOUBLE")
                }
            }
            _ => Ok(None),
        });
        let averages: Decimal128Array = quotients.collect::<Result<_>>()?;
        Ok(ColumnarValue::Array(Arc::new(averages.with_precision_and_scale(*precision, *scale)?)))
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{ArrayRef, Int64Array};
    use datafusion::arrow::datatypes::Field;
    use datafusion::config::ConfigOptions;

    use super::*;

    #[test]
    fn it_truncates_as_sql_does_and_is_null_over_nothing() {
        let totals = Decimal128Array::from(vec![Some(200), Some(-200), Some(5), None]);
        let totals: ArrayRef = Arc::new(totals.with_precision_and_scale(20, 2).unwrap());
        let counts: ArrayRef = Arc::new(Int64Array::from(vec![3, 3, 0, 1]));
        let result = DataType::Decimal128(14, 6);
        let average = DecimalAverage::new(result.clone())
            .invoke_with_args(ScalarFunctionArgs {
                args: vec![ColumnarValue::Array(totals), ColumnarValue::Array(counts)],
                arg_fields: vec![],
                number_rows: 4,
                return_field: Arc::new(Field::new("average", result, true)),
                config_options: Arc::new(ConfigOptions::default()),
            })
            .unwrap();
        let ColumnarValue::Array(average) = average else { panic!("an array") };
        let average: Vec<_> = average.as_primitive::<Decimal128Type>().iter().collect();
        assert_eq!(average, [Some(666_666), Some(-666_666), None, None]);
    }
}
