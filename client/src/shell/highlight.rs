//! SQL in colour, as it is typed.

use super::complete::KEYWORDS;
use crate::statement::token;

const KEYWORD: &str = "\x1b[1;34m";
const TEXT: &str = "\x1b[32m";
const NUMBER: &str = "\x1b[36m";
const COMMENT: &str = "\x1b[2m";
const COMMAND: &str = "\x1b[35m";
const PLAIN: &str = "\x1b[0m";

/// The same text with colours: as wide as it was.
pub(super) fn highlight(line: &str) -> String {
    let mut coloured = String::with_capacity(line.len() * 2);
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let (length, colour) = piece(rest, first);
        let (piece, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        match colour {
            Some(colour) => {
                for part in [colour, piece, PLAIN] {
                    coloured.push_str(part);
                }
            }
            None => coloured.push_str(piece),
        }
        rest = after;
    }
    coloured
}

/// The length of what a text begins with, and its colour.
fn piece(rest: &str, first: char) -> (usize, Option<&'static str>) {
    let run = |part: fn(char) -> bool| rest.find(|c| !part(c)).unwrap_or(rest.len());
    if first.is_alphabetic() || first == '_' {
        let length = run(|c| c.is_alphanumeric() || c == '_');
        let word = rest.get(..length).unwrap_or_default().to_uppercase();
        return (length, KEYWORDS.contains(&word.as_str()).then_some(KEYWORD));
    }
    if first.is_ascii_digit() {
        return (run(|c| c.is_ascii_alphanumeric() || c == '.'), Some(NUMBER));
    }
    if first == '\\' {
        return (run(|c| !c.is_whitespace()), Some(COMMAND));
    }
    let (length, code) = token(rest, first);
    let colour = match first {
        '\'' => Some(TEXT),
        '-' | '/' if !code => Some(COMMENT),
        _ => None,
    };
    (length.min(rest.len()), colour)
}
