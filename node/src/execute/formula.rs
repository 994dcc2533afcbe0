//! Functions of the allow-list that the engine does not have: formulas over doubles, and bounded regular expressions.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use jigsaw_proto::function::{Function, safe_pattern};

/// A function with a formula over doubles.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Formula {
    function: Function,
    signature: Signature,
}

impl Formula {
    pub(super) fn new(function: Function) -> Self {
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
        let mut given = Vec::with_capacity(columns.len());
        let value = |row: usize| {
            given.clear();
            given
                .extend(columns.iter().filter(|column| column.is_valid(row)).map(|column| column.value(row)));
            // A NULL leaves too few arguments.
            formula(&given)
        };
        let values: ArrayRef = Arc::new((0..rows).map(value).collect::<Float64Array>());
        if arguments.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_))) {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&values, 0)?));
        }
        Ok(ColumnarValue::Array(values))
    }
}

/// Whether a text has a match of a pattern.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Matches {
    pattern: String,
    signature: Signature,
}

impl Matches {
    pub(super) fn new(pattern: &str) -> Self {
        Self { pattern: pattern.to_owned(), signature: Signature::any(1, Volatility::Immutable) }
    }

    fn matches(&self, texts: &ArrayRef) -> Result<BooleanArray> {
        let pattern = safe_pattern(&self.pattern);
        let pattern = pattern.ok_or_else(|| DataFusionError::Plan("a pattern out of bounds".to_owned()))?;
        let texts = cast(texts, &DataType::Utf8View)?;
        Ok(texts.as_string_view().iter().map(|text| Some(pattern.is_match(text?))).collect())
    }
}

impl ScalarUDFImpl for Matches {
    fn name(&self) -> &'static str {
        "matches"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match arguments.args.as_slice() {
            [ColumnarValue::Array(texts)] => Ok(ColumnarValue::Array(Arc::new(self.matches(texts)?))),
            [ColumnarValue::Scalar(text)] => {
                let result: ArrayRef = Arc::new(self.matches(&text.to_array()?)?);
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?))
            }
            _ => Err(DataFusionError::Plan("a match takes one text".to_owned())),
        }
    }
}
