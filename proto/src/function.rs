//! The scalar functions a fragment may call: total ones only, so that no row can make a question fail.

use regex::{Regex, RegexBuilder};

use crate::expr::{Literal, Value};
use crate::humidity;
use crate::types::DataType;

/// A function of the allow-list. The name is the SQL name; the table below is the whole list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the table below says what each takes and gives")]
pub enum Function {
    Abs,
    AbsoluteHumidity,
    Ceil,
    CharacterLength,
    Coalesce,
    Concat,
    CriticalHumidity,
    DateBin,
    DatePart,
    DateTrunc,
    DaysBetween,
    DewPoint,
    Exp,
    Floor,
    Greatest,
    Least,
    Left,
    Ln,
    Log10,
    Lower,
    Ltrim,
    Nullif,
    Power,
    RegexpLike,
    Right,
    Round,
    Rtrim,
    Signum,
    Sqrt,
    StartsWith,
    Strpos,
    Substr,
    SurfaceHumidity,
    Trim,
    Trunc,
    Upper,
}

/// One argument as the type check sees it.
#[derive(Debug, Clone, Copy)]
pub struct Argument<'a> {
    /// Its type.
    pub data_type: &'a DataType,
    /// Its value, where it is a constant.
    pub literal: Option<&'a Literal>,
}

/// A function of doubles, by its arguments; `None`: SQL's NULL.
pub type Formula = fn(&[f64]) -> Option<f64>;

impl Function {
    /// The whole list, in alphabetical order.
    pub const ALL: [Self; 36] = [
        Self::Abs,
        Self::AbsoluteHumidity,
        Self::Ceil,
        Self::CharacterLength,
        Self::Coalesce,
        Self::Concat,
        Self::CriticalHumidity,
        Self::DateBin,
        Self::DatePart,
        Self::DateTrunc,
        Self::DaysBetween,
        Self::DewPoint,
        Self::Exp,
        Self::Floor,
        Self::Greatest,
        Self::Least,
        Self::Left,
        Self::Ln,
        Self::Log10,
        Self::Lower,
        Self::Ltrim,
        Self::Nullif,
        Self::Power,
        Self::RegexpLike,
        Self::Right,
        Self::Round,
        Self::Rtrim,
        Self::Signum,
        Self::Sqrt,
        Self::StartsWith,
        Self::Strpos,
        Self::Substr,
        Self::SurfaceHumidity,
        Self::Trim,
        Self::Trunc,
        Self::Upper,
    ];

    /// The SQL name, which is also the name on the wire.
    pub fn name(self) -> &'static str {
        self.entry().0
    }

    /// What it takes, in words for the person whose call did not fit.
    pub fn signature(self) -> &'static str {
        self.entry().1
    }

    /// The function of that name, if it is on the list.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|function| function.name() == name)
    }

    /// The formula of a function of doubles that is computed the same way wherever it is called; a NULL argument gives NULL.
    pub fn formula(self) -> Option<Formula> {
        match self {
            Self::AbsoluteHumidity => Some(humidity::absolute_humidity),
            Self::CriticalHumidity => Some(humidity::critical_humidity),
            Self::DewPoint => Some(humidity::dew_point),
            Self::SurfaceHumidity => Some(humidity::surface_humidity),
            _ => None,
        }
    }

    /// The units of the arguments of a formula and of its result, in UCUM as contracts write them; an empty one: none.
    pub fn units(self) -> Option<(&'static [&'static str], &'static str)> {
        match self {
            Self::AbsoluteHumidity => Some((&["°C", "%"], "g/m3")),
            Self::CriticalHumidity => Some((&["°C"], "%")),
            Self::DewPoint => Some((&["°C", "%"], "°C")),
            Self::SurfaceHumidity => Some((&["°C", "%", "°C", ""], "%")),
            _ => None,
        }
    }

    /// How many doubles the formula takes.
    pub fn formula_arguments(self) -> usize {
        self.units().map_or(0, |(arguments, _)| arguments.len())
    }

    fn entry(self) -> (&'static str, &'static str) {
        match self {
            Self::Abs => ("abs", "abs(number)"),
            Self::AbsoluteHumidity => (
                "absolute_humidity",
                "absolute_humidity(air temperature in °C, relative humidity in %), both double: grams of water in a m³",
            ),
            Self::Ceil => ("ceil", "ceil(double)"),
            Self::CharacterLength => ("character_length", "character_length(text)"),
            Self::Coalesce => ("coalesce", "coalesce(x, x, …), all of one type"),
            Self::Concat => ("concat", "concat(text, text, …); NULL if any is NULL, as ||"),
            Self::CriticalHumidity => (
                "critical_humidity",
                "critical_humidity(surface temperature in °C, double): % above which mould grows",
            ),
            Self::DateBin => {
                ("date_bin", "date_bin(constant interval without months, timestamp[, constant timestamp])")
            }
            Self::DatePart => (
                "date_part",
                "date_part('year' | 'quarter' | 'month' | 'week' | 'day' | 'dow' | 'doy' | 'hour' | 'minute' | 'second' | 'epoch', date or timestamp)",
            ),
            Self::DateTrunc => (
                "date_trunc",
                "date_trunc('year' | 'quarter' | 'month' | 'week' | 'day' | 'hour' | 'minute' | 'second', timestamp)",
            ),
            Self::DaysBetween => ("days_between", "days_between(date, date): the first less the second"),
            Self::DewPoint => {
                ("dew_point", "dew_point(air temperature in °C, relative humidity in %), both double: °C")
            }
            Self::Exp => ("exp", "exp(double)"),
            Self::Floor => ("floor", "floor(double)"),
            Self::Greatest => ("greatest", "greatest(x, x, …), all of one type"),
            Self::Least => ("least", "least(x, x, …), all of one type"),
            Self::Left => ("left", "left(text, constant number ≥ 0)"),
            Self::Ln => ("ln", "ln(double)"),
            Self::Log10 => ("log10", "log10(double)"),
            Self::Lower => ("lower", "lower(text)"),
            Self::Ltrim => ("ltrim", "ltrim(text)"),
            Self::Nullif => ("nullif", "nullif(x, x), both of one type"),
            Self::Power => ("power", "power(double, double)"),
            Self::RegexpLike => (
                "regexp_like",
                "regexp_like(text, constant pattern of at most 256 bytes in the syntax of the crate regex)",
            ),
            Self::Right => ("right", "right(text, constant number ≥ 0)"),
            Self::Round => ("round", "round(double[, constant number of digits from 0 to 15])"),
            Self::Rtrim => ("rtrim", "rtrim(text)"),
            Self::Signum => ("signum", "signum(double)"),
            Self::Sqrt => ("sqrt", "sqrt(double)"),
            Self::StartsWith => ("starts_with", "starts_with(text, text)"),
            Self::Strpos => ("strpos", "strpos(text, text)"),
            Self::Substr => ("substr", "substr(text, constant start ≥ 1[, constant length ≥ 0])"),
            Self::SurfaceHumidity => (
                "surface_humidity",
                "surface_humidity(air temperature in °C, relative humidity in %, outdoor temperature in °C, fRsi from 0 to 1), all double: %",
            ),
            Self::Trim => ("btrim", "trim(text)"),
            Self::Trunc => ("trunc", "trunc(double)"),
            Self::Upper => ("upper", "upper(text)"),
        }
    }

    /// The type of a call, or `None` if the arguments do not fit the signature.
    pub fn return_type(self, arguments: &[Argument<'_>]) -> Option<DataType> {
        use DataType::{Boolean, Date, Float64, Int32, Int64, Text};
        let types: Vec<&DataType> = arguments.iter().map(|argument| argument.data_type).collect();
        match (self, types.as_slice()) {
            (Self::Abs, [number]) if number.is_numeric() => Some((*number).clone()),
            (
                Self::Ceil
                | Self::Exp
                | Self::Floor
                | Self::Ln
                | Self::Log10
                | Self::Signum
                | Self::Sqrt
                | Self::Trunc
                | Self::Round
                | Self::CriticalHumidity,
                [Float64],
            )
            | (Self::Power | Self::AbsoluteHumidity | Self::DewPoint, [Float64, Float64])
            | (Self::SurfaceHumidity, [Float64, Float64, Float64, Float64]) => Some(Float64),
            (Self::Round, [Float64, Int32 | Int64]) => integer(arguments, 1, 0, 15).then_some(Float64),
            (Self::Coalesce | Self::Greatest | Self::Least, [first, rest @ ..]) => {
                rest.iter().all(|other| other == first).then(|| (*first).clone())
            }
            (Self::Nullif, [first, second]) if first == second => Some((*first).clone()),
            (Self::Concat, [_, _, ..]) => types.iter().all(|each| **each == Text).then_some(Text),
            (Self::Lower | Self::Ltrim | Self::Rtrim | Self::Trim | Self::Upper, [Text]) => Some(Text),
            (Self::CharacterLength, [Text]) | (Self::Strpos, [Text, Text]) => Some(Int32),
            (Self::StartsWith, [Text, Text]) => Some(Boolean),
            (Self::RegexpLike, [Text, Text]) => pattern(arguments, 1).map(|_| Boolean),
            (Self::Left | Self::Right, [Text, Int64]) => integer(arguments, 1, 0, MAX_TEXT).then_some(Text),
            (Self::Substr, [Text, Int64]) => integer(arguments, 1, 1, MAX_TEXT).then_some(Text),
            (Self::Substr, [Text, Int64, Int64]) => {
                (integer(arguments, 1, 1, MAX_TEXT) && integer(arguments, 2, 0, MAX_TEXT)).then_some(Text)
            }
            (Self::DaysBetween, [Date, Date]) => Some(Int64),
            (Self::DateTrunc, [Text, timestamp @ DataType::Timestamp { .. }]) => {
                word(arguments, &TRUNCATIONS).map(|_| (*timestamp).clone())
            }
            (Self::DatePart, [Text, Date | DataType::Timestamp { .. }]) => {
                word(arguments, &PARTS).map(|part| if part == "epoch" { Float64 } else { Int32 })
            }
            (Self::DateBin, [DataType::Interval, timestamp @ DataType::Timestamp { .. }]) => {
                stride(arguments).then(|| (*timestamp).clone())
            }
            (Self::DateBin, [DataType::Interval, timestamp, origin]) if timestamp == origin => {
                let constant = arguments.get(2).is_some_and(|origin| origin.literal.is_some());
                (constant && stride(arguments) && matches!(timestamp, DataType::Timestamp { .. }))
                    .then(|| (*timestamp).clone())
            }
            _ => None,
        }
    }
}

const MAX_TEXT: i64 = 1_000_000;
const TRUNCATIONS: [&str; 8] = ["year", "quarter", "month", "week", "day", "hour", "minute", "second"];
const PARTS: [&str; 11] =
    ["year", "quarter", "month", "week", "day", "dow", "doy", "hour", "minute", "second", "epoch"];

/// Whether the argument at `index` is a constant integer between `low` and `high`.
fn integer(arguments: &[Argument<'_>], index: usize, low: i64, high: i64) -> bool {
    let value = arguments.get(index).and_then(|argument| argument.literal).and_then(Literal::value);
    matches!(value, Some(Value::Integer(value)) if (low..=high).contains(value))
}

/// The constant pattern at `index`, if it is a safe one.
fn pattern(arguments: &[Argument<'_>], index: usize) -> Option<Regex> {
    match arguments.get(index)?.literal?.value()? {
        Value::Text(text) => safe_pattern(text),
        _ => None,
    }
}

/// A regular expression that is searched for in time linear in the text and bounded memory; `None`: it is none, or too large.
pub fn safe_pattern(pattern: &str) -> Option<Regex> {
    const MOST_BYTES: usize = 256;
    const MOST_PROGRAM_BYTES: usize = 1 << 20;
    if pattern.len() > MOST_BYTES {
        return None;
    }
    RegexBuilder::new(pattern)
        .size_limit(MOST_PROGRAM_BYTES)
        .dfa_size_limit(MOST_PROGRAM_BYTES)
        .nest_limit(32)
        .build()
        .ok()
}

/// The first argument, if it is one of the words.
fn word(arguments: &[Argument<'_>], words: &[&'static str]) -> Option<&'static str> {
    match arguments.first()?.literal?.value()? {
        Value::Text(text) => words.iter().copied().find(|word| word == text),
        _ => None,
    }
}

/// Whether the first argument is a constant interval of positive fixed length.
fn stride(arguments: &[Argument<'_>]) -> bool {
    let value = arguments.first().and_then(|argument| argument.literal).and_then(Literal::value);
    matches!(value, Some(Value::Interval(span)) if span.months == 0
        && span.days >= 0 && span.nanoseconds >= 0 && (span.days > 0 || span.nanoseconds > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_again_and_the_list_is_sorted() {
        for function in Function::ALL {
            assert_eq!(Function::from_name(function.name()), Some(function));
        }
        let debug = Function::ALL.map(|function| format!("{function:?}"));
        assert!(debug.is_sorted());
        assert_eq!(Function::from_name("repeat"), None);
    }

    #[test]
    fn patterns_are_bounded() {
        assert!(safe_pattern("^E0[0-9]{7}$").is_some_and(|pattern| pattern.is_match("E09000007")));
        for refused in ["(", "a{1000}{1000}", &"a".repeat(257), r"(a)\1"] {
            assert!(safe_pattern(refused).is_none(), "{refused}");
        }
    }

    #[test]
    fn arguments_that_a_row_could_break_must_be_constants() {
        let text = Argument { data_type: &DataType::Text, literal: None };
        let length = Argument { data_type: &DataType::Int64, literal: None };
        assert_eq!(Function::Left.return_type(&[text, length]), None);
        let negative = Literal::int64(-1);
        let length = Argument { data_type: &DataType::Int64, literal: Some(&negative) };
        assert_eq!(Function::Left.return_type(&[text, length]), None);
    }
}
