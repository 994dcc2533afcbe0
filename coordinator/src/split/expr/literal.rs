//! Constants of the planner as constants of the fragment language.

use datafusion::common::ScalarValue;
use jigsaw_proto::expr::{Interval, Literal, Value};
use jigsaw_proto::types::DataType;

use crate::query::QueryError;

/// Translates a constant; small integers widen to the language's own.
pub(in crate::split) fn literal(scalar: &ScalarValue) -> Result<Literal, QueryError> {
    let unknown = || {
        QueryError::sql(format!(
            "a constant of type {} cannot be sent to a node: cast it to BOOLEAN, INTEGER, BIGINT, DOUBLE, DECIMAL, VARCHAR, \
             DATE or TIMESTAMP",
            scalar.data_type()
        ))
    };
    let integer = |value: Option<i64>| value.map(Value::Integer);
    let (data_type, value) = match scalar {
        ScalarValue::Null => (DataType::Text, None),
        ScalarValue::Boolean(value) => (DataType::Boolean, value.map(Value::Boolean)),
        ScalarValue::Int8(value) => (DataType::Int32, integer(value.map(i64::from))),
        ScalarValue::Int16(value) => (DataType::Int32, integer(value.map(i64::from))),
        ScalarValue::UInt8(value) => (DataType::Int32, integer(value.map(i64::from))),
        ScalarValue::UInt16(value) => (DataType::Int32, integer(value.map(i64::from))),
        ScalarValue::UInt32(value) => (DataType::Int64, integer(value.map(i64::from))),
        ScalarValue::Int32(value) => (DataType::Int32, integer(value.map(i64::from))),
        ScalarValue::Int64(value) => (DataType::Int64, integer(*value)),
        ScalarValue::Float32(value) => (DataType::Float64, value.map(|value| Value::Float(value.into()))),
        ScalarValue::Float64(value) => (DataType::Float64, value.map(Value::Float)),
        ScalarValue::Utf8(value) | ScalarValue::LargeUtf8(value) | ScalarValue::Utf8View(value) => {
            (DataType::Text, value.clone().map(Value::Text))
        }
        ScalarValue::Date32(value) => (DataType::Date, integer(value.map(i64::from))),
        ScalarValue::TimestampSecond(value, _)
        | ScalarValue::TimestampMillisecond(value, _)
        | ScalarValue::TimestampMicrosecond(value, _)
        | ScalarValue::TimestampNanosecond(value, _) => {
            (DataType::from_arrow(&scalar.data_type()).ok_or_else(unknown)?, integer(*value))
        }
        ScalarValue::Decimal128(value, ..) => {
            (DataType::from_arrow(&scalar.data_type()).ok_or_else(unknown)?, value.map(Value::Decimal))
        }
        ScalarValue::IntervalMonthDayNano(value) => {
            let span = value.map(|value| Interval {
                months: value.months,
                days: value.days,
                nanoseconds: value.nanoseconds,
            });
            (DataType::Interval, span.map(Value::Interval))
        }
        _ => return Err(unknown()),
    };
    Literal::new(data_type, value).ok_or_else(unknown)
}
