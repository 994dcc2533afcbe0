//! What can be set for a session, or sent with one question as a header: the same words wherever they come from.
//!
//! A header of the question counts before the session, and the session before the default.

use std::time::Duration;

use tonic::Status;
use tonic::metadata::MetadataMap;

use super::status;
use crate::cell_status::CellStatus;
use crate::plan::WireTypes;
use crate::query::Form;

/// Longest purpose, in characters: nodes record it with every question.
const MOST_PURPOSE: usize = 500;

/// Longest time that can be asked for, in seconds: one day.
const MOST_SECONDS: u64 = 86_400;

/// An option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Purpose,
    CellStatus,
    AllowPartial,
    Timeout,
    WireTypes,
}

impl Name {
    /// In the order in which they are shown.
    pub(super) const ALL: [Self; 5] =
        [Self::AllowPartial, Self::CellStatus, Self::Purpose, Self::Timeout, Self::WireTypes];

    /// As `SET` and session options name it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Purpose => "jigsaw.purpose",
            Self::CellStatus => "jigsaw.cell_status",
            Self::AllowPartial => "jigsaw.allow_partial",
            Self::Timeout => "jigsaw.timeout",
            Self::WireTypes => "jigsaw.wire_types",
        }
    }

    /// The header that does the same for one question.
    pub(super) fn header(self) -> &'static str {
        match self {
            Self::Purpose => "x-jigsaw-purpose",
            Self::CellStatus => "x-jigsaw-cell-status",
            Self::AllowPartial => "x-jigsaw-allow-partial",
            Self::Timeout => "x-jigsaw-timeout",
            Self::WireTypes => "x-jigsaw-wire-types",
        }
    }

    /// The option of that name.
    pub(super) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.word().eq_ignore_ascii_case(word))
    }

    /// What its values are.
    fn values(self) -> &'static str {
        match self {
            Self::Purpose => "one line of text of 1 to 500 characters, which SQL wants in quotes",
            Self::CellStatus => "plain or columns",
            Self::AllowPartial => "true or false",
            Self::Timeout => "whole seconds, such as 30 or '30s', at most a day",
            Self::WireTypes => "portable or native",
        }
    }
}

/// The options that are set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) purpose: Option<String>,
    pub(super) cell_status: Option<CellStatus>,
    pub(super) allow_partial: Option<bool>,
    pub(super) timeout: Option<Duration>,
    pub(super) wire_types: Option<WireTypes>,
}

impl Options {
    /// Sets an option.
    ///
    /// # Errors
    /// What its values are.
    pub(super) fn set(&mut self, name: Name, text: &str) -> Result<(), &'static str> {
        let wrong = name.values();
        let text = text.trim();
        match name {
            Name::Purpose => {
                let fits = (1..=MOST_PURPOSE).contains(&text.chars().count());
                if !fits || text.chars().any(char::is_control) {
                    return Err(wrong);
                }
                self.purpose = Some(text.to_owned());
            }
            Name::CellStatus => {
                let known = CellStatus::from_word(text).filter(|_| !text.is_empty());
                self.cell_status = Some(known.ok_or(wrong)?);
            }
            Name::AllowPartial => {
                self.allow_partial = Some(text.to_ascii_lowercase().parse().map_err(|_| wrong)?);
            }
            Name::Timeout => {
                let number = text.strip_suffix(['s', 'S']).unwrap_or(text).trim_end();
                let seconds: u64 = number.parse().map_err(|_| wrong)?;
                let fits = (1..=MOST_SECONDS).contains(&seconds);
                self.timeout = Some(fits.then_some(Duration::from_secs(seconds)).ok_or(wrong)?);
            }
            Name::WireTypes => self.wire_types = Some(WireTypes::from_word(text).ok_or(wrong)?),
        }
        Ok(())
    }

    /// Leaves an option to its default.
    pub(super) fn reset(&mut self, name: Name) {
        match name {
            Name::Purpose => self.purpose = None,
            Name::CellStatus => self.cell_status = None,
            Name::AllowPartial => self.allow_partial = None,
            Name::Timeout => self.timeout = None,
            Name::WireTypes => self.wire_types = None,
        }
    }

    /// The value of an option as text, if it is set.
    pub(super) fn text(&self, name: Name) -> Option<String> {
        match name {
            Name::Purpose => self.purpose.clone(),
            Name::CellStatus => self.cell_status.map(|status| match status {
                CellStatus::Nulls => "plain".to_owned(),
                CellStatus::Columns => "columns".to_owned(),
            }),
            Name::AllowPartial => self.allow_partial.map(|allowed| allowed.to_string()),
            Name::Timeout => self.timeout.map(|timeout| format!("{}s", timeout.as_secs())),
            Name::WireTypes => self.wire_types.map(|types| types.word().to_owned()),
        }
    }

    /// What is set here, and what `others` set beside it.
    pub(super) fn over(self, others: Self) -> Self {
        Self {
            purpose: self.purpose.or(others.purpose),
            cell_status: self.cell_status.or(others.cell_status),
            allow_partial: self.allow_partial.or(others.allow_partial),
            timeout: self.timeout.or(others.timeout),
            wire_types: self.wire_types.or(others.wire_types),
        }
    }

    /// How an answer is to be put.
    pub(super) fn form(&self) -> Form {
        Form { cell_status: self.cell_status.unwrap_or_default(), types: self.wire_types.unwrap_or_default() }
    }

    /// What the headers of a call set; an empty header sets nothing.
    pub(super) fn of_headers(headers: &MetadataMap) -> Result<Self, Status> {
        let mut options = Self::default();
        for name in Name::ALL {
            let Some(value) = headers.get(name.header()) else { continue };
            let text = std::str::from_utf8(value.as_bytes()).map_err(|_| "UTF-8");
            match text {
                Ok(text) if text.trim().is_empty() => continue,
                text => text.and_then(|text| options.set(name, text)),
            }
            .map_err(|wanted| status::sql(format!("the header {} is not {wanted}", name.header())))?;
        }
        Ok(options)
    }
}

/// The sentence about a value that an option cannot have.
pub(super) fn wrong_value(name: Name) -> Status {
    status::sql(format!("{} cannot have that value: it is {}", name.word(), name.values()))
}

/// The sentence about an option that does not exist.
pub(super) fn wrong_name(word: &str) -> Status {
    let known = Name::ALL.map(Name::word).join(", ");
    status::sql(format!("there is no option {word}: there are {known}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_option_takes_its_own_values_and_says_which() {
        let mut options = Options::default();
        for (name, good, shown) in [
            (Name::Purpose, " winter planning ", "winter planning"),
            (Name::CellStatus, "Columns", "columns"),
            (Name::CellStatus, "nulls", "plain"),
            (Name::AllowPartial, "TRUE", "true"),
            (Name::Timeout, "30", "30s"),
            (Name::Timeout, "45 s", "45s"),
            (Name::WireTypes, "Native", "native"),
        ] {
            options.set(name, good).unwrap();
            assert_eq!(options.text(name).as_deref(), Some(shown), "{good}");
        }
        let before = options.clone();
        let long = "x".repeat(501);
        for (name, bad) in [
            (Name::Purpose, ""),
            (Name::Purpose, "two\nlines"),
            (Name::Purpose, &long),
            (Name::CellStatus, "rows"),
            (Name::CellStatus, ""),
            (Name::AllowPartial, "yes"),
            (Name::Timeout, "0"),
            (Name::Timeout, "-1"),
            (Name::Timeout, "1.5"),
            (Name::Timeout, "86401"),
            (Name::Timeout, "30m"),
            (Name::WireTypes, "arrow"),
        ] {
            assert!(options.set(name, bad).is_err(), "{name:?} = {bad}");
        }
        assert_eq!(options, before, "what is refused changes nothing");
    }

    #[test]
    fn a_header_counts_before_the_session() {
        let mut headers = MetadataMap::new();
        headers.insert("x-jigsaw-cell-status", "columns".parse().unwrap());
        headers.insert("x-jigsaw-purpose", "".parse().unwrap());
        let session = Options {
            purpose: Some("session".to_owned()),
            cell_status: Some(CellStatus::Nulls),
            ..Options::default()
        };
        let effective = Options::of_headers(&headers).unwrap().over(session);
        assert_eq!(effective.cell_status, Some(CellStatus::Columns));
        assert_eq!(effective.purpose.as_deref(), Some("session"));
        headers.insert("x-jigsaw-allow-partial", "perhaps".parse().unwrap());
        let refused = Options::of_headers(&headers).unwrap_err();
        assert!(refused.message().contains("x-jigsaw-allow-partial is not true or false"), "{refused}");
    }
}
