//! Constants.

use std::fmt;

use arrow::temporal_conversions::{date32_to_datetime, timestamp_ns_to_datetime};

use super::display::string;
use crate::types::{DataType, TimeUnit};

/// A constant of a type; `None` is the NULL of that type.
#[derive(Debug, Clone, PartialEq)]
pub struct Literal {
    data_type: DataType,
    value: Option<Value>,
}

/// A value that is not NULL.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// of a boolean
    Boolean(bool),
    /// of an int32, int64, date (days since 1970-01-01) or timestamp (units since the epoch)
    Integer(i64),
    /// of a float64
    Float(f64),
    /// of a text
    Text(String),
    /// unscaled value of a decimal
    Decimal(i128),
    /// of an interval
    Interval(Interval),
}

/// A span of calendar time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Interval {
    pub months: i32,
    pub days: i32,
    pub nanoseconds: i64,
}

impl Literal {
    /// A constant, if `value` is a value of `data_type`.
    pub fn new(data_type: DataType, value: Option<Value>) -> Option<Self> {
        let fits = match (&data_type, &value) {
            (_, None)
            | (DataType::Boolean, Some(Value::Boolean(_)))
            | (DataType::Int64 | DataType::Timestamp { .. }, Some(Value::Integer(_)))
            | (DataType::Float64, Some(Value::Float(_)))
            | (DataType::Text, Some(Value::Text(_)))
            | (DataType::Interval, Some(Value::Interval(_))) => true,
            (DataType::Int32 | DataType::Date, Some(Value::Integer(value))) => i32::try_from(*value).is_ok(),
            (DataType::Decimal { precision, .. }, Some(Value::Decimal(value))) => {
                value.unsigned_abs() < 10_u128.pow((*precision).into())
            }
            _ => false,
        };
        fits.then_some(Self { data_type, value })
    }

    /// A text constant.
    pub fn text(text: impl Into<String>) -> Self {
        Self { data_type: DataType::Text, value: Some(Value::Text(text.into())) }
    }

    /// An int64 constant.
    pub fn int64(value: i64) -> Self {
        Self { data_type: DataType::Int64, value: Some(Value::Integer(value)) }
    }

    /// A boolean constant.
    pub fn boolean(value: bool) -> Self {
        Self { data_type: DataType::Boolean, value: Some(Value::Boolean(value)) }
    }

    /// Its type.
    pub fn data_type(&self) -> &DataType {
        &self.data_type
    }

    /// Its value; `None` is NULL.
    pub fn value(&self) -> Option<&Value> {
        self.value.as_ref()
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.data_type, &self.value) {
            (data_type, None) => write!(f, "CAST(NULL AS {data_type})"),
            (_, Some(Value::Boolean(true))) => f.write_str("TRUE"),
            (_, Some(Value::Boolean(false))) => f.write_str("FALSE"),
            (DataType::Date, Some(Value::Integer(days))) => date(*days, f),
            (DataType::Timestamp { unit, zone }, Some(Value::Integer(value))) => {
                timestamp(*value, *unit, zone.as_deref(), f)
            }
            (_, Some(Value::Integer(value))) => write!(f, "{value}"),
            (_, Some(Value::Float(value))) => write!(f, "{value:?}"),
            (_, Some(Value::Text(text))) => f.write_str(&string(text)),
            (DataType::Decimal { scale, .. }, Some(Value::Decimal(value))) => {
                f.write_str(&decimal(*value, *scale))
            }
            (_, Some(Value::Decimal(value))) => write!(f, "{value}"),
            (_, Some(Value::Interval(Interval { months, days, nanoseconds }))) => {
                write!(f, "INTERVAL '{months} months {days} days {nanoseconds} nanoseconds'")
            }
        }
    }
}

fn date(days: i64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match i32::try_from(days).ok().and_then(date32_to_datetime) {
        Some(datetime) => write!(f, "DATE '{}'", datetime.date()),
        None => write!(f, "DATE 'day {days}'"),
    }
}

fn timestamp(value: i64, unit: TimeUnit, zone: Option<&str>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let per_unit = 10_i64.pow(u32::from(9 - unit.digits()));
    match value.checked_mul(per_unit).and_then(timestamp_ns_to_datetime) {
        Some(datetime) => write!(f, "TIMESTAMP '{datetime}")?,
        None => write!(f, "TIMESTAMP '{value}e-{} seconds since 1970", unit.digits())?,
    }
    match zone {
        Some(zone) => write!(f, " UTC' AT '{zone}'"),
        None => f.write_str("'"),
    }
}

fn decimal(value: i128, scale: u8) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = usize::from(scale) + 1);
    match digits.split_at_checked(digits.len() - usize::from(scale)) {
        Some((whole, fraction)) if scale > 0 => format!("{sign}{whole}.{fraction}"),
        _ => format!("{sign}{digits}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_read_as_sql() {
        let decimal = DataType::decimal(5, 2).unwrap();
        let shown = |data_type, value| Literal::new(data_type, Some(value)).unwrap().to_string();
        assert_eq!(shown(decimal.clone(), Value::Decimal(-5)), "-0.05");
        assert_eq!(shown(DataType::Date, Value::Integer(19_358)), "DATE '2023-01-01'");
        assert_eq!(Literal::text("it's").to_string(), "'it''s'");
        assert_eq!(Literal::new(decimal, None).unwrap().to_string(), "CAST(NULL AS DECIMAL(5, 2))");
    }

    #[test]
    fn a_value_must_be_of_its_type() {
        assert!(Literal::new(DataType::Int32, Some(Value::Integer(i64::MAX))).is_none());
        assert!(Literal::new(DataType::Text, Some(Value::Boolean(true))).is_none());
        assert!(Literal::new(DataType::decimal(2, 0).unwrap(), Some(Value::Decimal(100))).is_none());
    }
}
