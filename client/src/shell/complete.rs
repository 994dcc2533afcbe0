//! What can stand where the cursor is.

use super::commands::WORDS;
use super::names::{AGGREGATES, Names};
use super::options;

/// Words of SQL that the federation answers.
pub(super) const KEYWORDS: [&str; 67] = [
    "ALL",
    "AND",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "CROSS",
    "CUBE",
    "DATE",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "ELSE",
    "END",
    "EXCEPT",
    "EXISTS",
    "EXPLAIN",
    "FALSE",
    "FILTER",
    "FROM",
    "FULL",
    "GROUP",
    "GROUPING",
    "HAVING",
    "ILIKE",
    "IN",
    "INNER",
    "INTERSECT",
    "INTERVAL",
    "IS",
    "JOIN",
    "LEFT",
    "LIKE",
    "LIMIT",
    "NOT",
    "NULL",
    "NULLS",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "OUTER",
    "OVER",
    "PARTITION",
    "RESET",
    "RIGHT",
    "ROLLUP",
    "ROWS",
    "SELECT",
    "SET",
    "SETS",
    "SHOW",
    "TABLES",
    "THEN",
    "TIMESTAMP",
    "TRUE",
    "TRY_CAST",
    "UNION",
    "USING",
    "VALUES",
    "WHEN",
    "WHERE",
    "WINDOW",
    "WITH",
    "WITHIN",
];

/// A candidate: what is shown, and what it is replaced by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) shown: String,
    pub(super) written: String,
}

impl Candidate {
    fn plain(text: &str) -> Self {
        Self { shown: text.to_owned(), written: text.to_owned() }
    }
}

/// Where the word at the cursor begins, and what it can become.
pub(super) fn complete(line: &str, cursor: usize, names: &Names) -> (usize, Vec<Candidate>) {
    let before = line.get(..cursor).unwrap_or_default();
    let begin = |c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '\\' | '?'));
    let start = before.rfind(begin).and_then(|at| Some(at + before.get(at..)?.chars().next()?.len_utf8()));
    let start = start.unwrap_or(0);
    let word = before.get(start..).unwrap_or_default();
    let sentence = before.get(..start).unwrap_or_default();
    if word.starts_with('\\') {
        return (start, matching(WORDS, word));
    }
    if let Some(command) = command_of(sentence) {
        if !matches!(command, "\\explain" | "\\dryrun") {
            return (start, argument(command, word, names));
        }
    } else if word.is_empty() {
        return (start, Vec::new());
    }
    (start, sql(line, sentence, word, names))
}

fn matching<'w>(words: impl IntoIterator<Item = &'w str>, begun: &str) -> Vec<Candidate> {
    let lower = begun.to_lowercase();
    words.into_iter().filter(|word| word.to_lowercase().starts_with(&lower)).map(Candidate::plain).collect()
}

/// The command that the last line before the cursor begins with.
fn command_of(sentence: &str) -> Option<&str> {
    let line = sentence.rsplit('\n').next().unwrap_or_default().trim_start();
    line.starts_with('\\').then(|| line.split_whitespace().next()).flatten()
}

fn argument(command: &str, word: &str, names: &Names) -> Vec<Candidate> {
    match command {
        "\\d" | "\\dt" | "\\policy" => {
            let datasets = names.datasets.keys().map(String::as_str);
            matching(datasets.filter(|name| !name.starts_with("system.")), word)
        }
        "\\chart" => matching(["bar", "line", "map"], word),
        "\\format" => {
            matching(["table", "csv", "json", "ndjson", "markdown", "vertical", "parquet", "arrow"], word)
        }
        "\\set" | "\\unset" => matching(options::names(), word),
        "\\timing" | "\\pager" | "\\x" => matching(["on", "off"], word),
        _ => Vec::new(),
    }
}

fn sql(line: &str, sentence: &str, word: &str, names: &Names) -> Vec<Candidate> {
    let previous = sentence.split_whitespace().next_back().unwrap_or_default().to_uppercase();
    if matches!(previous.as_str(), "FROM" | "JOIN" | "DESCRIBE") {
        return matching(names.datasets.keys().map(String::as_str), word);
    }
    if let Some((qualifier, begun)) = word.rsplit_once('.') {
        return qualified(line, qualifier, begun, names);
    }
    let mut found = matching(columns(line, names), word);
    found.sort_by(|a, b| a.shown.cmp(&b.shown));
    found.dedup();
    found.extend(matching(names.datasets.keys().map(String::as_str), word));
    let functions = names.functions.iter().map(String::as_str).chain(AGGREGATES);
    let mut functions = matching(functions, word);
    let loud = word.chars().next().is_some_and(char::is_uppercase);
    for function in &mut functions {
        let name = if loud { function.shown.to_uppercase() } else { function.shown.clone() };
        (function.written, function.shown) = (format!("{name}("), format!("{name}()"));
    }
    functions.sort_by(|a, b| a.shown.cmp(&b.shown));
    functions.dedup();
    found.extend(functions);
    for keyword in matching(KEYWORDS, word) {
        found.push(if loud { keyword } else { Candidate::plain(&keyword.shown.to_lowercase()) });
    }
    found
}

/// The columns of the datasets that the statement names; of all, while it names none.
fn columns<'n>(line: &str, names: &'n Names) -> Vec<&'n str> {
    let words: Vec<&str> = line.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.'))).collect();
    let asked: Vec<&Vec<String>> = names
        .datasets
        .iter()
        .filter(|(dataset, _)| words.contains(&dataset.as_str()))
        .map(|(_, columns)| columns)
        .collect();
    let all = names.datasets.values().collect();
    let from = if asked.is_empty() { all } else { asked };
    from.into_iter().flatten().map(String::as_str).collect()
}

/// `dataset.column`, `alias.column`, `system.nodes`.
fn qualified(line: &str, qualifier: &str, begun: &str, names: &Names) -> Vec<Candidate> {
    let dataset = names.datasets.get(qualifier).or_else(|| names.datasets.get(aliased(line, qualifier)?));
    let columns = dataset.into_iter().flatten().map(String::as_str);
    let mut found = matching(columns, begun);
    let schema = format!("{qualifier}.");
    found.extend(matching(names.datasets.keys().filter_map(|name| name.strip_prefix(&schema)), begun));
    for candidate in &mut found {
        candidate.written = format!("{qualifier}.{}", candidate.written);
    }
    found
}

/// The dataset that `FROM dataset [AS] alias` calls so.
fn aliased<'l>(line: &'l str, alias: &str) -> Option<&'l str> {
    let words: Vec<&str> = line
        .split(|c: char| c.is_whitespace() || matches!(c, ',' | '(' | ')' | ';'))
        .filter(|word| !word.is_empty())
        .collect();
    let calls = |at: usize, steps: usize| words.get(at.checked_sub(steps)?).copied();
    let mut at = words.iter().enumerate().skip(1).filter(|(_, word)| **word == alias).map(|(at, _)| at);
    at.find_map(|at| match calls(at, 1)? {
        word if word.eq_ignore_ascii_case("AS") => calls(at, 2),
        word => Some(word),
    })
}
