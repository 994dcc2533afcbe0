//! Scripts: SQL in `sqllogictest` files, answered by the federation and by the oracle.
//!
//! ```text
//! # what the script is about
//! query TI rowsort
//! SELECT node, COUNT(*) FROM property GROUP BY node
//!
//! statement error (?i)entity
//! SELECT person_key FROM rough_sleeping_contact
//! ```
//!
//! * `query TYPES [nosort|rowsort] [empty]`: one letter per column (`I` integer, `R` double or decimal, `T` all else);
//!   without `rowsort` the SQL must put rows into a total order. The label `empty` says that no row is expected, every
//!   other query must have one.
//! * Rows below `----`, if there are any, must come out too.
//! * `skipif oracle`: only the federation is asked (refusals need no such line), and rows are given.
//! * `statement error REGEX`: the federation must refuse in such words.

use std::fs;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use sqllogictest::parser::ExpectedError;
use sqllogictest::{Condition, DefaultColumnType, QueryExpect, Record, SortMode, StatementExpect};

use super::Oracle;
use super::compare::{Column, Table, difference};
use crate::data::Result;

/// One file.
#[derive(Debug, Clone)]
pub struct Script {
    /// where it is
    pub path: PathBuf,
    records: Vec<Record<DefaultColumnType>>,
}

/// What became of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// how many statements were checked
    pub checked: usize,
    /// what went wrong: file, line, SQL, difference
    pub failures: Vec<String>,
}

/// One query of a script.
struct Query<'a> {
    sql: &'a str,
    types: &'a [DefaultColumnType],
    sorted: bool,
    empty: bool,
    rows: &'a [String],
    oracle: bool,
}

/// The scripts of a folder and the folders below it, in order of path.
pub fn scripts(dir: &Path) -> Result<Vec<Script>> {
    let mut scripts = Vec::new();
    let mut paths: Vec<PathBuf> =
        fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<_>>()?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            scripts.extend(self::scripts(&path)?);
        } else if path.extension().is_some_and(|ending| ending == "slt") {
            let records = sqllogictest::parse_file(&path).map_err(|error| error.to_string())?;
            scripts.push(Script { path, records });
        }
    }
    Ok(scripts)
}

impl Script {
    /// Its questions, without those that are to be refused.
    pub fn queries(&self) -> impl Iterator<Item = &str> {
        self.records.iter().filter_map(|record| match record {
            Record::Query { sql, .. } => Some(sql.as_str()),
            _ => None,
        })
    }

    /// Checks the script on the oracle alone: every query it can answer is legal and says something.
    pub async fn check(&self, oracle: &Oracle) -> Outcome {
        self.run(
            oracle,
            None::<fn(&str) -> std::future::Ready<std::result::Result<Vec<RecordBatch>, String>>>,
        )
        .await
    }

    /// Asks the federation with `ask` and the oracle, and compares.
    pub async fn compare<F>(&self, oracle: &Oracle, ask: impl Fn(String) -> F) -> Outcome
    where
        F: Future<Output = std::result::Result<Vec<RecordBatch>, String>>,
    {
        self.run(oracle, Some(|sql: &str| ask(sql.to_owned()))).await
    }

    async fn run<F>(&self, oracle: &Oracle, ask: Option<impl Fn(&str) -> F>) -> Outcome
    where
        F: Future<Output = std::result::Result<Vec<RecordBatch>, String>>,
    {
        let mut outcome = Outcome::default();
        for record in &self.records {
            let (line, sql, result) = match record {
                Record::Query { loc, conditions, sql, expected, .. } => {
                    (loc, sql, query(oracle, ask.as_ref(), conditions, sql, expected).await)
                }
                Record::Statement { loc, sql, expected, .. } => {
                    (loc, sql, refusal(ask.as_ref(), sql, expected).await)
                }
                _ => continue,
            };
            outcome.checked += 1;
            if let Err(problem) = result {
                outcome.failures.push(format!("{line}: {problem}\n{sql}"));
            }
        }
        outcome
    }
}

async fn query<F>(
    oracle: &Oracle,
    ask: Option<&impl Fn(&str) -> F>,
    conditions: &[Condition],
    sql: &str,
    expected: &QueryExpect<DefaultColumnType>,
) -> std::result::Result<(), String>
where
    F: Future<Output = std::result::Result<Vec<RecordBatch>, String>>,
{
    let QueryExpect::Results { types, sort_mode, label, results, .. } = expected else {
        return Err("write a refusal as `statement error`".to_owned());
    };
    let query = Query {
        sql,
        types,
        sorted: *sort_mode == Some(SortMode::RowSort),
        empty: label.as_deref() == Some("empty"),
        rows: results,
        oracle: !conditions.contains(&Condition::SkipIf { label: "oracle".to_owned() }),
    };
    let expected = if query.oracle { Some(query.table(&oracle.ask(sql).await?)?) } else { None };
    if let Some(expected) = &expected {
        query.check(expected)?;
    }
    let Some(ask) = ask else { return Ok(()) };
    let actual = query.table(&ask(sql).await?)?;
    query.check(&actual)?;
    expected.and_then(|expected| difference(&expected, &actual)).map_or(Ok(()), Err)
}

impl Query<'_> {
    fn table(&self, batches: &[RecordBatch]) -> std::result::Result<Table, String> {
        let mut table = Table::new(batches)?;
        if self.sorted {
            table.sort();
        }
        Ok(table)
    }

    /// Against what the script itself says.
    fn check(&self, table: &Table) -> std::result::Result<(), String> {
        if table.rows.is_empty() != self.empty {
            return Err(format!("there are {} rows", table.rows.len()));
        }
        if let Some(columns) = &table.columns {
            let letters: Vec<DefaultColumnType> = columns.iter().map(letter).collect();
            if letters != self.types {
                return Err(format!("the columns are {columns:?}, the script says {:?}", self.types));
            }
        } else if !self.empty {
            return Err(format!("no batch came: {}", self.sql));
        }
        if self.rows.is_empty() {
            return Ok(());
        }
        let spaced = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let row = |row: &Vec<super::compare::Value>| {
            spaced(&row.iter().map(super::compare::Value::text).collect::<Vec<_>>().join(" "))
        };
        let mut actual: Vec<String> = table.rows.iter().map(row).collect();
        let mut expected: Vec<String> = self.rows.iter().map(|row| spaced(row)).collect();
        if self.sorted {
            actual.sort();
            expected.sort();
        }
        if actual == expected { Ok(()) } else { Err(format!("the rows are {actual:#?}")) }
    }
}

async fn refusal<F>(
    ask: Option<&impl Fn(&str) -> F>,
    sql: &str,
    expected: &StatementExpect,
) -> std::result::Result<(), String>
where
    F: Future<Output = std::result::Result<Vec<RecordBatch>, String>>,
{
    let StatementExpect::Error(ExpectedError::Inline(words)) = expected else {
        return Err("a statement expects an error, in words".to_owned());
    };
    let Some(ask) = ask else { return Ok(()) };
    match ask(sql).await {
        Ok(_) => Err("was answered, should be refused".to_owned()),
        Err(error) if words.is_match(&error) => Ok(()),
        Err(error) => Err(format!("was refused in other words than /{words}/: {error}")),
    }
}

fn letter(column: &Column) -> DefaultColumnType {
    match column.kind {
        "integer" => DefaultColumnType::Integer,
        "double" | "decimal" => DefaultColumnType::FloatingPoint,
        _ => DefaultColumnType::Text,
    }
}
