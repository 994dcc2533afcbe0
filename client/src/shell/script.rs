//! Text cut into statements and commands: what is typed, and what is in a file.

use crate::statement::first;

/// Something to do. `ended` says that nothing can be missing at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Statement { sql: String, ended: bool },
    Command { line: String, ended: bool },
}

impl Item {
    fn ended(&self) -> bool {
        match self {
            Self::Statement { ended, .. } | Self::Command { ended, .. } => *ended,
        }
    }
}

/// Commands that take a statement, which may go on over lines.
const WITH_STATEMENT: [&str; 2] = ["\\explain", "\\dryrun"];

/// A backslash where a statement could begin begins a command, which ends with its line; all else are statements.
pub(super) fn cut(text: &str) -> Vec<Item> {
    let mut items = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (item, length) = if rest.starts_with('\\') { command(rest) } else { statement(rest) };
        items.extend(item);
        rest = rest.get(length..).unwrap_or_default().trim_start();
    }
    items
}

/// Nothing is missing at the end of the text.
pub(super) fn is_complete(text: &str) -> bool {
    cut(text).last().is_none_or(Item::ended)
}

fn statement(rest: &str) -> (Option<Item>, usize) {
    let Some(first) = first(rest) else { return (None, rest.len()) };
    let sql = first.sql.map(|sql| Item::Statement { sql: sql.to_owned(), ended: first.ended });
    (sql, first.length)
}

fn command(rest: &str) -> (Option<Item>, usize) {
    let end = rest.find('\n').unwrap_or(rest.len());
    let line = rest.get(..end).unwrap_or_default().trim_end();
    let word = line.split_whitespace().next().unwrap_or_default();
    let after = rest.get(word.len()..).unwrap_or_default();
    if WITH_STATEMENT.contains(&word) && line.len() > word.len() {
        let Some(first) = first(after) else { return (None, rest.len()) };
        let line = format!("{word} {}", first.sql.unwrap_or_default());
        return (Some(Item::Command { line, ended: first.ended }), word.len() + first.length);
    }
    (Some(Item::Command { line: line.to_owned(), ended: true }), end)
}
