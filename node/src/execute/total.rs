//! Arithmetic that no row can break: overflow and division by zero are NULL.
//!
//! Arrow's checked kernels compute a whole batch. Only if one row fails is the batch computed again row by row, so ordinary
//! data pay nothing.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Datum, Float64Array, Int64Array, new_null_array};
use arrow::compute::kernels::{cmp, numeric};
use arrow::compute::{concat, nullif};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type};
use arrow::error::ArrowError;
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use jigsaw_proto::expr::BinaryOp;

use super::guarded::{attempt, in_calendar};

/// `+`, `−`, `×`, `÷` and `%` of the language.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct TotalArithmetic {
    op: BinaryOp,
    signature: Signature,
}

impl TotalArithmetic {
    pub(super) fn new(op: BinaryOp) -> Self {
        Self { op, signature: Signature::any(2, Volatility::Immutable) }
    }

    fn checked(&self, left: &dyn Datum, right: &dyn Datum) -> std::result::Result<ArrayRef, ArrowError> {
        match self.op {
            BinaryOp::Add => numeric::add(left, right),
            BinaryOp::Subtract => numeric::sub(left, right),
            BinaryOp::Multiply => numeric::mul(left, right),
            BinaryOp::Divide => numeric::div(left, right),
            BinaryOp::Modulo => numeric::rem(left, right),
            other => Err(ArrowError::NotYetImplemented(format!("arithmetic {other:?}"))),
        }
    }

    fn total(&self, left: &ArrayRef, right: &ArrayRef) -> Result<ArrayRef> {
        let right = match self.op {
            BinaryOp::Divide | BinaryOp::Modulo => &without_zeros(right)?,
            _ => right,
        };
        let left = &in_calendar(left);
        match attempt(|| self.checked(left, right)) {
            Some(result) => Ok(result),
            None => row_by_row(left.len(), &self.result_type(left.data_type(), right.data_type())?, |row| {
                self.checked(&left.slice(row, 1), &right.slice(row, 1))
            }),
        }
    }

    fn result_type(&self, left: &DataType, right: &DataType) -> Result<DataType> {
        let (left, right) = (arrow::array::new_empty_array(left), arrow::array::new_empty_array(right));
        Ok(self.checked(&left, &right)?.data_type().clone())
    }
}

impl ScalarUDFImpl for TotalArithmetic {
    fn name(&self) -> &'static str {
        match self.op {
            BinaryOp::Add => "total_add",
            BinaryOp::Subtract => "total_subtract",
            BinaryOp::Multiply => "total_multiply",
            BinaryOp::Divide => "total_divide",
            _ => "total_modulo",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [left, right] => self.result_type(left, right),
            _ => Err(DataFusionError::Plan("arithmetic takes two operands".to_owned())),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match arguments.args.as_slice() {
            [ColumnarValue::Scalar(left), ColumnarValue::Scalar(right)] => {
                let result = self.total(&left.to_array()?, &right.to_array()?)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?))
            }
            // A constant operand is not spread out: the kernels take it as it is.
            [ColumnarValue::Array(left), ColumnarValue::Scalar(right)] if !self.divides() => {
                let constant = right.to_scalar()?;
                match attempt(|| self.checked(&in_calendar(left), &constant)) {
                    Some(result) => Ok(ColumnarValue::Array(result)),
                    None => Ok(ColumnarValue::Array(self.total(left, &right.to_array_of_size(left.len())?)?)),
                }
            }
            _ => match ColumnarValue::values_to_arrays(&arguments.args)?.as_slice() {
                [left, right] => Ok(ColumnarValue::Array(self.total(left, right)?)),
                _ => Err(DataFusionError::Plan("arithmetic takes two operands".to_owned())),
            },
        }
    }
}

impl TotalArithmetic {
    fn divides(&self) -> bool {
        matches!(self.op, BinaryOp::Divide | BinaryOp::Modulo)
    }
}

/// Division by zero is division by NULL.
fn without_zeros(divisors: &ArrayRef) -> Result<ArrayRef> {
    let zero = match divisors.data_type() {
        DataType::Float64 => ScalarValue::Float64(Some(0.0)),
        other => ScalarValue::new_zero(other)?,
    };
    let mut zeros: BooleanArray = cmp::eq(divisors, &zero.to_scalar()?)?;
    if *divisors.data_type() == DataType::Float64 {
        let negative: BooleanArray = cmp::eq(divisors, &Float64Array::new_scalar(-0.0))?;
        zeros = arrow::compute::or(&zeros, &negative)?;
    }
    Ok(nullif(divisors, &zeros)?)
}

/// Computes each row by itself; a row that fails is NULL.
pub(super) fn row_by_row<E>(
    rows: usize,
    data_type: &DataType,
    compute: impl Fn(usize) -> std::result::Result<ArrayRef, E>,
) -> Result<ArrayRef> {
    let null = new_null_array(data_type, 1);
    let cells: Vec<ArrayRef> =
        (0..rows).map(|row| attempt(|| compute(row)).unwrap_or_else(|| Arc::clone(&null))).collect();
    if cells.is_empty() {
        return Ok(new_null_array(data_type, 0));
    }
    let cells: Vec<&dyn Array> = cells.iter().map(|cell| &**cell).collect();
    Ok(concat(&cells)?)
}

/// `−x`; the least integer has no opposite, so it is NULL.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct TotalNegate {
    signature: Signature,
}

impl TotalNegate {
    pub(super) fn new() -> Self {
        Self { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for TotalNegate {
    fn name(&self) -> &'static str {
        "total_negate"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        arguments
            .first()
            .cloned()
            .ok_or_else(|| DataFusionError::Plan("negation takes an operand".to_owned()))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let [operand] = arrays.as_slice() else {
            return Err(DataFusionError::Plan("negation takes an operand".to_owned()));
        };
        let result = match numeric::neg(operand) {
            Ok(result) => result,
            Err(_) => {
                row_by_row(operand.len(), operand.data_type(), |row| numeric::neg(&operand.slice(row, 1)))?
            }
        };
        Ok(ColumnarValue::Array(result))
    }
}

/// `abs(x)`; the least integer has no opposite, so it is NULL.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct TotalAbs {
    signature: Signature,
}

impl TotalAbs {
    pub(super) fn new() -> Self {
        Self { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for TotalAbs {
    fn name(&self) -> &'static str {
        "total_abs"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        arguments.first().cloned().ok_or_else(|| DataFusionError::Plan("abs takes an operand".to_owned()))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let [operand] = arrays.as_slice() else {
            return Err(DataFusionError::Plan("abs takes an operand".to_owned()));
        };
        let result: ArrayRef = match operand.data_type() {
            DataType::Int32 => {
                Arc::new(operand.as_primitive::<Int32Type>().unary_opt::<_, Int32Type>(i32::checked_abs))
            }
            DataType::Int64 => {
                Arc::new(operand.as_primitive::<Int64Type>().unary_opt::<_, Int64Type>(i64::checked_abs))
            }
            DataType::Float64 => {
                Arc::new(operand.as_primitive::<Float64Type>().unary::<_, Float64Type>(f64::abs))
            }
            DataType::Decimal128(..) => {
                let numbers = operand.as_primitive::<Decimal128Type>();
                let absolute = numbers.unary_opt::<_, Decimal128Type>(i128::checked_abs);
                Arc::new(absolute.with_data_type(operand.data_type().clone()))
            }
            other => return Err(DataFusionError::Plan(format!("abs of {other}"))),
        };
        Ok(ColumnarValue::Array(result))
    }
}

/// Days from the second date to the first.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct DaysBetween {
    signature: Signature,
}

impl DaysBetween {
    pub(super) fn new() -> Self {
        let dates = vec![DataType::Date32, DataType::Date32];
        Self { signature: Signature::exact(dates, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for DaysBetween {
    fn name(&self) -> &'static str {
        "days_between"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let [later, earlier] = arrays.as_slice() else {
            return Err(DataFusionError::Plan("days_between takes two dates".to_owned()));
        };
        let (later, earlier) = (later.as_primitive::<Date32Type>(), earlier.as_primitive::<Date32Type>());
        let days = later.iter().zip(earlier).map(|pair| match pair {
            (Some(later), Some(earlier)) => Some(i64::from(later) - i64::from(earlier)),
            _ => None,
        });
        Ok(ColumnarValue::Array(Arc::new(days.collect::<Int64Array>())))
    }
}
