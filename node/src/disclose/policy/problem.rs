//! What is wrong with a policy, and where in its text.

use std::ops::Range;

use toml::Spanned;

/// A policy that cannot be in force: one sentence, and the place it is about if that is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Problem {
    sentence: String,
    span: Option<Range<usize>>,
}

impl Problem {
    /// A sentence about a value.
    pub fn at<T>(value: &Spanned<T>, sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), span: Some(value.span()) }
    }

    /// The same, about `value` unless it already is about a place.
    #[must_use]
    pub fn or_at<T>(mut self, value: &Spanned<T>) -> Self {
        self.span.get_or_insert_with(|| value.span());
        self
    }

    /// The line, counted from 1, of the text that the policy was read from; `None`: of the whole.
    pub fn line(&self, text: &str) -> Option<usize> {
        self.span.clone().map(|span| line_of(text, span.start))
    }
}

impl From<String> for Problem {
    fn from(sentence: String) -> Self {
        Self { sentence, span: None }
    }
}

impl From<toml::de::Error> for Problem {
    fn from(error: toml::de::Error) -> Self {
        Self { sentence: error.message().to_owned(), span: error.span() }
    }
}

/// The line of a byte, counted from 1.
pub(crate) fn line_of(text: &str, byte: usize) -> usize {
    1 + text.bytes().take(byte).filter(|byte| *byte == b'\n').count()
}
