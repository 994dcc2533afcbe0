//! Functions and casts of the engine that some row could break, made total: such a row gives NULL.
//!
//! The engine computes a whole batch. Only if that fails is the batch computed again row by row. Days and instants so far
//! from today that no calendar can show them are NULL before the engine sees them: some of its code panics over them, and
//! some is silently wrong.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, FieldRef, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::total::row_by_row;

/// Days in 100,000 years: as far from 1970 as a date may be.
const MOST_DAYS: i32 = 36_525_000;
/// The same for an instant, in seconds.
const MOST_SECONDS: i64 = MOST_DAYS as i64 * 86_400;
/// Room for a shift or truncation beside the greatest instant a unit can hold.
const ROOM: i64 = 100_000_000_000_000_000;

/// Runs a kernel; an error and a panic are no answer.
pub(super) fn attempt<T, E>(kernel: impl FnOnce() -> std::result::Result<T, E>) -> Option<T> {
    catch_unwind(AssertUnwindSafe(kernel)).ok()?.ok()
}

/// Days and instants that a calendar can show; others are NULL. Other types are left alone.
pub(super) fn in_calendar(cells: &ArrayRef) -> ArrayRef {
    let instants = |per_second: i64| MOST_SECONDS.saturating_mul(per_second).min(i64::MAX - ROOM);
    match cells.data_type() {
        DataType::Date32 => within::<Date32Type>(cells, |day| day.unsigned_abs() <= MOST_DAYS.unsigned_abs()),
        DataType::Timestamp(TimeUnit::Second, _) => between::<TimestampSecondType>(cells, instants(1)),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            between::<TimestampMillisecondType>(cells, instants(1_000))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            between::<TimestampMicrosecondType>(cells, instants(1_000_000))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            between::<TimestampNanosecondType>(cells, instants(1_000_000_000))
        }
        _ => Arc::clone(cells),
    }
}

fn between<T: ArrowPrimitiveType<Native = i64>>(cells: &ArrayRef, most: i64) -> ArrayRef {
    within::<T>(cells, |instant| instant.unsigned_abs() <= most.unsigned_abs())
}

fn within<T: ArrowPrimitiveType>(cells: &ArrayRef, shown: impl Fn(T::Native) -> bool) -> ArrayRef {
    let values = cells.as_primitive::<T>();
    if values.values().iter().all(|value| shown(*value)) {
        return Arc::clone(cells);
    }
    let values: PrimitiveArray<T> = values.unary_opt(|value| shown(value).then_some(value));
    Arc::new(values.with_data_type(cells.data_type().clone()))
}

fn argument_in_calendar(argument: &ColumnarValue) -> Result<ColumnarValue> {
    Ok(match argument {
        ColumnarValue::Array(cells) => ColumnarValue::Array(in_calendar(cells)),
        ColumnarValue::Scalar(value) => {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&in_calendar(&value.to_array()?), 0)?)
        }
    })
}

/// A function of the engine; where it fails, NULL.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Guarded {
    inner: Arc<ScalarUDF>,
}

impl Guarded {
    pub(crate) fn new(inner: Arc<ScalarUDF>) -> Self {
        Self { inner }
    }
}

impl ScalarUDFImpl for Guarded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arguments)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let field = self.inner.return_field_from_args(arguments)?;
        Ok(Arc::new(field.as_ref().clone().with_nullable(true)))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let args = arguments.args.iter().map(argument_in_calendar).collect::<Result<Vec<_>>>()?;
        let arguments = ScalarFunctionArgs { args, ..arguments };
        if let Some(result) = attempt(|| self.inner.invoke_with_args(arguments.clone())) {
            return Ok(result);
        }
        let one = |row: usize| {
            let cell = |argument: &ColumnarValue| match argument {
                ColumnarValue::Array(cells) => ColumnarValue::Array(cells.slice(row, 1)),
                constant @ ColumnarValue::Scalar(_) => constant.clone(),
            };
            let args = arguments.args.iter().map(cell).collect();
            let arguments = ScalarFunctionArgs { args, number_rows: 1, ..arguments.clone() };
            self.inner.invoke_with_args(arguments)?.into_array(1)
        };
        let rows = row_by_row(arguments.number_rows, arguments.return_field.data_type(), one)?;
        Ok(ColumnarValue::Array(rows))
    }
}

/// `TRY_CAST` to texts, days and instants, which the engine does not try for every row.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct GuardedCast {
    to: DataType,
    signature: Signature,
}

impl GuardedCast {
    pub(super) fn new(to: DataType) -> Self {
        Self { to, signature: Signature::any(1, Volatility::Immutable) }
    }

    fn cast(&self, cells: &ArrayRef) -> Result<ArrayRef> {
        let options = CastOptions { safe: true, ..CastOptions::default() };
        let cells = in_calendar(cells);
        let cast = |cells: &ArrayRef| cast_with_options(cells, &self.to, &options);
        match attempt(|| cast(&cells)) {
            Some(result) => Ok(result),
            None => row_by_row(cells.len(), &self.to, |row| cast(&cells.slice(row, 1))),
        }
    }
}

impl ScalarUDFImpl for GuardedCast {
    fn name(&self) -> &'static str {
        "guarded_cast"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.to.clone())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match arguments.args.as_slice() {
            [ColumnarValue::Array(cells)] => Ok(ColumnarValue::Array(self.cast(cells)?)),
            [ColumnarValue::Scalar(value)] => {
                let result = self.cast(&value.to_array()?)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?))
            }
            _ => Err(DataFusionError::Plan("a cast takes one operand".to_owned())),
        }
    }
}
