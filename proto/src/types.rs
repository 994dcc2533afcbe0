//! The closed list of types an expression or a contract column may have.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use arrow::datatypes::{DataType as ArrowType, IntervalUnit, TimeUnit as ArrowUnit};

use crate::generated as wire;
use crate::wire::Malformed;

/// Longest decimal, in digits.
pub const MAX_PRECISION: u8 = 38;

/// A type of the fragment language.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DataType {
    /// true or false
    Boolean,
    /// 32-bit integer
    Int32,
    /// 64-bit integer
    Int64,
    /// IEEE 754 double
    Float64,
    /// exact number of `precision` digits, `scale` of them after the point; 0 ≤ scale ≤ precision ≤ 38
    Decimal {
        /// digits in all
        precision: u8,
        /// digits after the point
        scale: u8,
    },
    /// UTF-8 text
    Text,
    /// day of the proleptic Gregorian calendar
    Date,
    /// instant (with a zone) or wall-clock time (without)
    Timestamp {
        /// resolution
        unit: TimeUnit,
        /// IANA name or offset; `None`: without time zone
        zone: Option<Arc<str>>,
    },
    /// months, days and nanoseconds
    Interval,
}

/// Resolution of a timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum TimeUnit {
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
}

impl DataType {
    /// A decimal, if `scale ≤ precision ≤ 38`.
    pub fn decimal(precision: u8, scale: u8) -> Option<Self> {
        ((1..=MAX_PRECISION).contains(&precision) && scale <= precision)
            .then_some(Self::Decimal { precision, scale })
    }

    /// Whether arithmetic and sums make sense of it.
    pub fn is_numeric(&self) -> bool {
        matches!(self, Self::Int32 | Self::Int64 | Self::Float64 | Self::Decimal { .. })
    }

    /// The Arrow type that carries it on the wire and in memory.
    pub fn to_arrow(&self) -> ArrowType {
        match self {
            Self::Boolean => ArrowType::Boolean,
            Self::Int32 => ArrowType::Int32,
            Self::Int64 => ArrowType::Int64,
            Self::Float64 => ArrowType::Float64,
            Self::Decimal { precision, scale } => ArrowType::Decimal128(*precision, scale.cast_signed()),
            Self::Text => ArrowType::Utf8,
            Self::Date => ArrowType::Date32,
            Self::Timestamp { unit, zone } => ArrowType::Timestamp(unit.to_arrow(), zone.clone()),
            Self::Interval => ArrowType::Interval(IntervalUnit::MonthDayNano),
        }
    }

    /// The language's type for an Arrow type; text in any encoding is text. `None` where the language has no word.
    pub fn from_arrow(arrow: &ArrowType) -> Option<Self> {
        Some(match arrow {
            ArrowType::Boolean => Self::Boolean,
            ArrowType::Int32 => Self::Int32,
            ArrowType::Int64 => Self::Int64,
            ArrowType::Float64 => Self::Float64,
            ArrowType::Decimal128(precision, scale) => Self::decimal(*precision, u8::try_from(*scale).ok()?)?,
            ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View => Self::Text,
            ArrowType::Date32 => Self::Date,
            ArrowType::Timestamp(unit, zone) => {
                Self::Timestamp { unit: TimeUnit::from_arrow(*unit), zone: zone.clone() }
            }
            ArrowType::Interval(IntervalUnit::MonthDayNano) => Self::Interval,
            _ => return None,
        })
    }
}

impl TimeUnit {
    fn to_arrow(self) -> ArrowUnit {
        match self {
            Self::Second => ArrowUnit::Second,
            Self::Millisecond => ArrowUnit::Millisecond,
            Self::Microsecond => ArrowUnit::Microsecond,
            Self::Nanosecond => ArrowUnit::Nanosecond,
        }
    }

    fn from_arrow(unit: ArrowUnit) -> Self {
        match unit {
            ArrowUnit::Second => Self::Second,
            ArrowUnit::Millisecond => Self::Millisecond,
            ArrowUnit::Microsecond => Self::Microsecond,
            ArrowUnit::Nanosecond => Self::Nanosecond,
        }
    }

    /// Digits after the seconds' point.
    pub fn digits(self) -> u8 {
        match self {
            Self::Second => 0,
            Self::Millisecond => 3,
            Self::Microsecond => 6,
            Self::Nanosecond => 9,
        }
    }
}

/// As SQL writes it, and as a contract file spells it in lower case.
impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => f.write_str("BOOLEAN"),
            Self::Int32 => f.write_str("INTEGER"),
            Self::Int64 => f.write_str("BIGINT"),
            Self::Float64 => f.write_str("DOUBLE"),
            Self::Decimal { precision, scale } => write!(f, "DECIMAL({precision}, {scale})"),
            Self::Text => f.write_str("VARCHAR"),
            Self::Date => f.write_str("DATE"),
            Self::Timestamp { unit, zone: None } => write!(f, "TIMESTAMP({})", unit.digits()),
            Self::Timestamp { unit, zone: Some(zone) } => {
                write!(f, "TIMESTAMP({}) AT '{zone}'", unit.digits())
            }
            Self::Interval => f.write_str("INTERVAL"),
        }
    }
}

/// A type name in a contract file is not one of the list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' is not a column type: use boolean, int32, int64, float64, decimal(precision,scale), text, date, \
     timestamp or timestamp(ZONE)"
)]
pub struct UnknownType {
    text: String,
}

/// The spelling of contract files: `int64`, `decimal(12,2)`, `timestamp`, `timestamp(Europe/London)`.
impl FromStr for DataType {
    type Err = UnknownType;

    fn from_str(text: &str) -> Result<Self, UnknownType> {
        let unknown = || UnknownType { text: text.chars().take(80).collect() };
        let (name, arguments) = match text.trim().split_once('(') {
            Some((name, rest)) => (name, Some(rest.strip_suffix(')').ok_or_else(unknown)?.trim())),
            None => (text.trim(), None),
        };
        match (name, arguments) {
            ("boolean", None) => Ok(Self::Boolean),
            ("int32", None) => Ok(Self::Int32),
            ("int64", None) => Ok(Self::Int64),
            ("float64", None) => Ok(Self::Float64),
            ("text", None) => Ok(Self::Text),
            ("date", None) => Ok(Self::Date),
            ("timestamp", None) => Ok(Self::Timestamp { unit: TimeUnit::Microsecond, zone: None }),
            ("timestamp", Some(zone)) if is_zone(zone) => {
                Ok(Self::Timestamp { unit: TimeUnit::Microsecond, zone: Some(zone.into()) })
            }
            ("decimal", Some(digits)) => parse_decimal(digits).ok_or_else(unknown),
            _ => Err(unknown()),
        }
    }
}

fn parse_decimal(digits: &str) -> Option<DataType> {
    let (precision, scale) = digits.split_once(',')?;
    DataType::decimal(precision.trim().parse().ok()?, scale.trim().parse().ok()?)
}

/// Whether a time zone name is one Arrow can read.
fn is_zone(zone: &str) -> bool {
    zone.parse::<arrow::array::timezone::Tz>().is_ok()
}

// ---- the wire ----

impl From<&DataType> for wire::DataType {
    fn from(data_type: &DataType) -> Self {
        use wire::TypeKind as Kind;
        let plain = |kind: Kind| Self { kind: kind.into(), ..Self::default() };
        match data_type {
            DataType::Boolean => plain(Kind::Boolean),
            DataType::Int32 => plain(Kind::Int32),
            DataType::Int64 => plain(Kind::Int64),
            DataType::Float64 => plain(Kind::Float64),
            DataType::Text => plain(Kind::Text),
            DataType::Date => plain(Kind::Date),
            DataType::Interval => plain(Kind::Interval),
            DataType::Decimal { precision, scale } => {
                Self { precision: (*precision).into(), scale: (*scale).into(), ..plain(Kind::Decimal) }
            }
            DataType::Timestamp { unit, zone } => Self {
                unit: wire::TimeUnit::from(*unit).into(),
                zone: zone.as_deref().unwrap_or_default().to_owned(),
                ..plain(Kind::Timestamp)
            },
        }
    }
}

impl TryFrom<wire::DataType> for DataType {
    type Error = Malformed;

    fn try_from(message: wire::DataType) -> Result<Self, Malformed> {
        use wire::TypeKind as Kind;
        let wire::DataType { kind, precision, scale, unit, zone } = message;
        Ok(match Kind::try_from(kind).unwrap_or(Kind::Unspecified) {
            Kind::Boolean => Self::Boolean,
            Kind::Int32 => Self::Int32,
            Kind::Int64 => Self::Int64,
            Kind::Float64 => Self::Float64,
            Kind::Text => Self::Text,
            Kind::Date => Self::Date,
            Kind::Interval => Self::Interval,
            Kind::Decimal => u8::try_from(precision)
                .ok()
                .zip(u8::try_from(scale).ok())
                .and_then(|(precision, scale)| Self::decimal(precision, scale))
                .ok_or(Malformed("a decimal's precision or scale is out of range"))?,
            Kind::Timestamp => Self::Timestamp {
                unit: wire::TimeUnit::try_from(unit).unwrap_or(wire::TimeUnit::Unspecified).try_into()?,
                zone: match zone {
                    zone if zone.is_empty() => None,
                    zone if is_zone(&zone) => Some(zone.into()),
                    _ => return Err(Malformed("a timestamp's time zone is unknown")),
                },
            },
            Kind::Unspecified => return Err(Malformed("a type is missing or unknown")),
        })
    }
}

impl From<TimeUnit> for wire::TimeUnit {
    fn from(unit: TimeUnit) -> Self {
        match unit {
            TimeUnit::Second => Self::Second,
            TimeUnit::Millisecond => Self::Millisecond,
            TimeUnit::Microsecond => Self::Microsecond,
            TimeUnit::Nanosecond => Self::Nanosecond,
        }
    }
}

impl TryFrom<wire::TimeUnit> for TimeUnit {
    type Error = Malformed;

    fn try_from(unit: wire::TimeUnit) -> Result<Self, Malformed> {
        match unit {
            wire::TimeUnit::Second => Ok(Self::Second),
            wire::TimeUnit::Millisecond => Ok(Self::Millisecond),
            wire::TimeUnit::Microsecond => Ok(Self::Microsecond),
            wire::TimeUnit::Nanosecond => Ok(Self::Nanosecond),
            wire::TimeUnit::Unspecified => Err(Malformed("a timestamp's unit is missing or unknown")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contract_spelling_is_closed() {
        assert_eq!("decimal(12, 2)".parse(), Ok(DataType::Decimal { precision: 12, scale: 2 }));
        assert!("timestamp(Europe/London)".parse::<DataType>().is_ok());
        for bad in ["INT", "decimal(39,2)", "decimal(2,3)", "timestamp(Mars)", "uint8", ""] {
            assert!(bad.parse::<DataType>().is_err(), "{bad}");
        }
    }
}
