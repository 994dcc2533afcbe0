//! Sets of values of one column, and which of them are cells of its dimension.
//!
//! The cells of a dimension are there before anybody asks: a single value, NULL or not NULL; a bin that the policy declares; a step of
//! 1, 5, 10, 50, 100 … from 0 for numbers; an hour, a day, a month, or whole quarters of time. Two cells are nested or apart, or
//! differ by whole quarters or bins: nobody can make one a little larger.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, TimeDelta, Timelike};
use jigsaw_proto::expr::{BinaryOp, Literal, Value};
use jigsaw_proto::types::DataType;

/// Beyond this, doubles are no longer next to one another.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A half-open range: from the first, up to but not including the second.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Span<T> {
    pub(super) low: Option<T>,
    pub(super) high: Option<T>,
}

impl<T: PartialOrd + Clone> Span<T> {
    fn from(low: T) -> Self {
        Self { low: Some(low), high: None }
    }

    fn below(high: T) -> Self {
        Self { low: None, high: Some(high) }
    }

    /// What is in both.
    fn and(&self, other: &Self) -> Self {
        let low = match (&self.low, &other.low) {
            (Some(one), Some(two)) => Some(if one < two { two } else { one }.clone()),
            (one, two) => one.clone().or_else(|| two.clone()),
        };
        let high = match (&self.high, &other.high) {
            (Some(one), Some(two)) => Some(if one < two { one } else { two }.clone()),
            (one, two) => one.clone().or_else(|| two.clone()),
        };
        Self { low, high }
    }
}

/// Some values of one column.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Set {
    /// the rows without a value
    Null,
    /// the rows with one
    Present,
    /// these values, as they are written
    Values(BTreeSet<String>),
    /// numbers in a range
    Numbers(Span<f64>),
    /// dates or times in a range
    Times(Span<NaiveDateTime>),
}

impl Set {
    pub(super) fn value(literal: &Literal) -> Self {
        Self::Values(BTreeSet::from([plain(literal)]))
    }

    pub(super) fn truth(value: bool) -> Self {
        Self::value(&Literal::boolean(value))
    }

    /// `column op literal`, for the four operators of order; `None`: it is no half-open range.
    pub(super) fn order(op: BinaryOp, literal: &Literal, column: &DataType) -> Option<Self> {
        let after = matches!(op, BinaryOp::Gt | BinaryOp::LtEq);
        let upper = matches!(op, BinaryOp::Lt | BinaryOp::LtEq);
        if let Some(time) = time(literal) {
            let time = if after { next_time(time, column)? } else { time };
            return Some(Self::Times(if upper { Span::below(time) } else { Span::from(time) }));
        }
        let whole = matches!(column, DataType::Int32 | DataType::Int64);
        let number = number(literal).filter(|number| number.abs() < EXACT)?;
        let number = match (after, whole) {
            (false, _) => number,
            // The first whole number beyond it.
            (true, true) => number.floor() + 1.0,
            (true, false) => return None,
        };
        Some(Self::Numbers(if upper { Span::below(number) } else { Span::from(number) }))
    }

    /// What is in both; `None`: it is not known to be a cell even if both are.
    pub(super) fn and(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Numbers(one), Self::Numbers(two)) => Some(Self::Numbers(one.and(two))),
            (Self::Times(one), Self::Times(two)) => Some(Self::Times(one.and(two))),
            (Self::Values(one), Self::Values(two)) => {
                Some(Self::Values(one.intersection(two).cloned().collect()))
            }
            (Self::Present, Self::Null) | (Self::Null, Self::Present) => Some(Self::Values(BTreeSet::new())),
            (Self::Present, other) | (other, Self::Present) => Some(other.clone()),
            (one, two) if one == two => Some(one.clone()),
            _ => None,
        }
    }
}

/// For the record of what was asked.
impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn bound<T: fmt::Display>(bound: Option<&T>) -> String {
            bound.map_or_else(String::new, ToString::to_string)
        }
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Present => f.write_str("NOT NULL"),
            Self::Values(values) => write!(f, "{values:?}"),
            Self::Numbers(span) => write!(f, "[{},{})", bound(span.low.as_ref()), bound(span.high.as_ref())),
            Self::Times(span) => write!(f, "[{},{})", bound(span.low.as_ref()), bound(span.high.as_ref())),
        }
    }
}

/// A step of 1, 5, 10, 50, 100 … – or of a tenth, a twentieth … – counted from 0.
pub(super) fn is_step(span: &Span<f64>) -> bool {
    let (Some(low), Some(high)) = (span.low, span.high) else { return false };
    let step = high - low;
    let steps = low / step;
    high > low && is_ladder(step) && (steps - steps.round()).abs() < 1e-6
}

/// Whether a number is 1 or 5 times a power of ten.
pub(super) fn is_ladder(step: f64) -> bool {
    if step <= 0.0 || !step.is_finite() {
        return false;
    }
    let unit = step / 10_f64.powf(step.log10().floor());
    [1.0, 5.0, 10.0].iter().any(|leading| (unit - leading).abs() < 1e-6)
}

/// Whole quarters, a month, a day, or an hour.
pub(super) fn is_period(span: &Span<NaiveDateTime>) -> bool {
    let first = |time: &NaiveDateTime| time.time() == chrono::NaiveTime::MIN && time.day() == 1;
    let quarter = |time: &NaiveDateTime| first(time) && time.month0().is_multiple_of(3);
    if span.low.iter().chain(&span.high).all(quarter) {
        return span.low.is_none() || span.high.is_none() || span.low < span.high;
    }
    let (Some(low), Some(high)) = (&span.low, &span.high) else { return false };
    let month = first(low) && low.checked_add_months(Months::new(1)).as_ref() == Some(high);
    let midnight = low.time() == chrono::NaiveTime::MIN;
    let day = midnight && low.checked_add_days(Days::new(1)).as_ref() == Some(high);
    let hour = low.minute() == 0
        && low.second() == 0
        && low.nanosecond() == 0
        && low.checked_add_signed(TimeDelta::hours(1)).as_ref() == Some(high);
    month || day || hour
}

/// Whether all ends of a range are declared edges.
pub(super) fn is_between(span: &Span<f64>, edges: &[f64]) -> bool {
    span.low.iter().chain(&span.high).all(|end| edges.iter().any(|edge| edge.total_cmp(end).is_eq()))
}

/// A value as it is written, whatever type of number it is.
fn plain(literal: &Literal) -> String {
    match (time(literal), number(literal)) {
        (Some(time), _) => time.to_string(),
        (_, Some(number)) if number.abs() < EXACT => number.to_string(),
        _ => literal.to_string(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "what is not exact is refused, or taken as it is written")]
pub(super) fn number(literal: &Literal) -> Option<f64> {
    match (literal.value()?, literal.data_type()) {
        (Value::Integer(value), DataType::Int32 | DataType::Int64) => Some(*value as f64),
        (Value::Float(value), _) => Some(*value),
        (Value::Decimal(value), DataType::Decimal { scale, .. }) => {
            Some(*value as f64 / 10_f64.powi(i32::from(*scale)))
        }
        _ => None,
    }
}

fn time(literal: &Literal) -> Option<NaiveDateTime> {
    match (literal.value()?, literal.data_type()) {
        (Value::Integer(days), DataType::Date) => {
            let epoch = NaiveDate::default().and_hms_opt(0, 0, 0)?;
            epoch.checked_add_signed(TimeDelta::try_days(*days)?)
        }
        // Of a zone, the hours of the day are not those that are written.
        (Value::Integer(value), DataType::Timestamp { unit, zone: None }) => {
            let nanoseconds = i128::from(*value) * 10_i128.pow(u32::from(9 - unit.digits()));
            let (seconds, rest) =
                (nanoseconds.div_euclid(1_000_000_000), nanoseconds.rem_euclid(1_000_000_000));
            let seconds = i64::try_from(seconds).ok()?;
            Some(DateTime::from_timestamp(seconds, u32::try_from(rest).ok()?)?.naive_utc())
        }
        _ => None,
    }
}

/// The first time after this one at which the column can have a value; `None`: it is too close to be written.
fn next_time(time: NaiveDateTime, column: &DataType) -> Option<NaiveDateTime> {
    match column {
        DataType::Date => time.date().checked_add_days(Days::new(1))?.and_hms_opt(0, 0, 0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(low: Option<&str>, high: Option<&str>) -> Span<NaiveDateTime> {
        let parsed = |text: &str| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap();
        Span { low: low.map(parsed), high: high.map(parsed) }
    }

    #[test]
    fn periods_are_whole() {
        for (low, high) in [
            (Some("2025-10-01 00:00"), Some("2026-01-01 00:00")),
            (Some("2025-04-01 00:00"), Some("2026-04-01 00:00")),
            (Some("2025-01-01 00:00"), None),
            (None, Some("2025-07-01 00:00")),
            (Some("2025-02-01 00:00"), Some("2025-03-01 00:00")),
            (Some("2025-02-27 00:00"), Some("2025-02-28 00:00")),
            (Some("2025-02-27 08:00"), Some("2025-02-27 09:00")),
        ] {
            assert!(is_period(&times(low, high)), "{low:?} {high:?}");
        }
        for (low, high) in [
            (Some("2025-10-01 00:00"), Some("2025-12-31 00:00")),
            (Some("2025-10-02 00:00"), Some("2026-01-02 00:00")),
            (Some("2025-02-01 00:00"), Some("2025-04-01 00:00")),
            (Some("2025-02-01 00:00"), None),
            (Some("2025-02-27 00:00"), Some("2025-03-01 00:00")),
            (Some("2025-02-27 08:30"), Some("2025-02-27 09:30")),
            (Some("2026-01-01 00:00"), Some("2025-01-01 00:00")),
        ] {
            assert!(!is_period(&times(low, high)), "{low:?} {high:?}");
        }
    }

    #[test]
    fn steps_are_counted_from_zero() {
        let step = |low, high| is_step(&Span { low: Some(low), high: Some(high) });
        for (low, high) in [(40.0, 50.0), (35.0, 40.0), (-10.0, 0.0), (0.0, 1000.0), (0.3, 0.4), (7.0, 8.0)] {
            assert!(step(low, high), "{low} {high}");
        }
        for (low, high) in [(41.0, 51.0), (40.0, 47.0), (18.0, 65.0), (0.0, 2.0), (50.0, 40.0), (5.0, 15.0)] {
            assert!(!step(low, high), "{low} {high}");
        }
        assert!(!is_step(&Span { low: Some(0.0), high: None }));
    }

    #[test]
    fn ranges_are_half_open() {
        let (int, day) =
            (Literal::int64(17), Literal::new(DataType::Date, Some(Value::Integer(364))).unwrap());
        let shown = |op, literal: &Literal, column: &DataType| {
            Set::order(op, literal, column).map(|set| set.to_string())
        };
        assert_eq!(shown(BinaryOp::LtEq, &int, &DataType::Int64).as_deref(), Some("[,18)"));
        assert_eq!(shown(BinaryOp::Gt, &int, &DataType::Int32).as_deref(), Some("[18,)"));
        assert_eq!(shown(BinaryOp::GtEq, &int, &DataType::Float64).as_deref(), Some("[17,)"));
        assert_eq!(shown(BinaryOp::LtEq, &int, &DataType::Float64), None);
        let until = shown(BinaryOp::LtEq, &day, &DataType::Date);
        assert_eq!(until.as_deref(), Some("[,1971-01-01 00:00:00)"));
    }
}
