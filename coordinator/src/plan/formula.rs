//! Functions of the nodes' list that the planner does not have, so that they can be named, and applied to released values.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use datafusion::arrow::datatypes::{DataType, Float64Type};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use jigsaw_proto::function::Function;

/// All of them.
pub(super) fn formulas() -> impl Iterator<Item = ScalarUDF> {
    let known = Function::ALL.into_iter().filter(|function| function.formula().is_some());
    known.map(|function| ScalarUDF::from(Formula::new(function)))
}

/// A function with a formula over doubles.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Formula {
    function: Function,
    signature: Signature,
}

impl Formula {
    fn new(function: Function) -> Self {
        let arguments = vec![DataType::Float64; function.formula_arguments()];
        Self { function, signature: Signature::exact(arguments, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Formula {
    fn name(&self) -> &'static str {
        self.function.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let formula = self.function.formula();
        let formula =
            formula.ok_or_else(|| DataFusionError::Plan("a function without formula".to_owned()))?;
        let columns = ColumnarValue::values_to_arrays(&arguments.args)?;
        let columns: Vec<&Float64Array> = columns.iter().map(AsArray::as_primitive::<Float64Type>).collect();
        let rows = columns.first().map_or(0, |column| Array::len(*column));
        let value = |row: usize| {
            let given = columns.iter().filter(|column| column.is_valid(row)).map(|column| column.value(row));
            // A NULL leaves too few arguments.
            formula(&given.collect::<Vec<f64>>())
        };
        let values: ArrayRef = Arc::new((0..rows).map(value).collect::<Float64Array>());
        if arguments.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_))) {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&values, 0)?));
        }
        Ok(ColumnarValue::Array(values))
    }
}
