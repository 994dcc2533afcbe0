//! What there is to name: datasets, columns and functions, as the server's metadata has them.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray as _, RecordBatch};
use arrow_flight::sql::{CommandGetSqlInfo, SqlInfo};

use crate::command::Ask;
use crate::connect::Session;
use crate::failure::Failure;
use crate::query;
use crate::surroundings::folded;

const COLUMNS: &str = "SELECT dataset, \"column\" FROM system.columns ORDER BY dataset, position";

/// Tables about the federation, which the server does not list among the datasets.
const SYSTEM: [&str; 4] = ["system.columns", "system.datasets", "system.nodes", "system.policies"];

/// Aggregates and windows, which Flight SQL has no list for.
pub(super) const AGGREGATES: [&str; 39] = [
    "avg",
    "bool_and",
    "bool_or",
    "corr",
    "count",
    "covar_pop",
    "covar_samp",
    "cume_dist",
    "dense_rank",
    "first_value",
    "grouping",
    "lag",
    "last_value",
    "lead",
    "max",
    "median",
    "min",
    "mould_index",
    "nth_value",
    "ntile",
    "percent_rank",
    "percentile_cont",
    "percentile_disc",
    "rank",
    "regr_avgx",
    "regr_avgy",
    "regr_count",
    "regr_intercept",
    "regr_r2",
    "regr_slope",
    "regr_sxx",
    "regr_sxy",
    "regr_syy",
    "row_number",
    "stddev",
    "stddev_pop",
    "sum",
    "var_pop",
    "var_samp",
];

const LISTS: [SqlInfo; 4] = [
    SqlInfo::SqlNumericFunctions,
    SqlInfo::SqlStringFunctions,
    SqlInfo::SqlDatetimeFunctions,
    SqlInfo::SqlSystemFunctions,
];

/// All names.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Each dataset with its columns.
    pub(super) datasets: BTreeMap<String, Vec<String>>,
    pub(super) functions: Vec<String>,
}

impl Names {
    /// Asks the server. No node is asked.
    pub(super) async fn load(session: &mut Session) -> Result<Self, Failure> {
        let ask = Ask::plain();
        let mut names = Self::default();
        for system in SYSTEM {
            names.datasets.insert(system.to_owned(), Vec::new());
        }
        let (_, batches) = query::collect(session, &ask, COLUMNS).await?;
        for batch in &batches {
            let (Some(datasets), Some(columns)) = (texts(batch, 0), texts(batch, 1)) else { continue };
            for (dataset, column) in datasets.into_iter().zip(columns) {
                if is_printable(&dataset) && is_printable(&column) {
                    names.datasets.entry(dataset).or_default().push(in_sql(column));
                }
            }
        }
        let command = CommandGetSqlInfo { info: LISTS.map(|list| list as u32).to_vec() };
        // An older server without lists still has datasets.
        if let Ok((_, batches)) = query::collect_command(session, &ask, &command).await {
            names.functions = batches.iter().flat_map(lists).filter(|name| is_printable(name)).collect();
        }
        names.functions.sort();
        names.functions.dedup();
        Ok(names)
    }

    /// How much there is.
    pub(super) fn summary(&self) -> String {
        let columns: usize = self.datasets.values().map(Vec::len).sum();
        format!("{} datasets, {columns} columns, {} functions", self.datasets.len(), self.functions.len())
    }

    /// The functions, for a reader with a screen that wide.
    pub(super) fn functions_text(&self, width: usize) -> String {
        let functions = match self.functions.as_slice() {
            [] => "not loaded yet: \\refresh loads them".to_owned(),
            functions => functions.join(" "),
        };
        let more = "Where each may be used is in the coordinator's README; \\explain says it of a statement.";
        [
            folded("functions:                ", &functions, width),
            folded("aggregates and windows:   ", &AGGREGATES.join(" "), width),
            folded("", more, width),
        ]
        .map(|text| text + "\n")
        .concat()
    }
}

/// Names go to the terminal as they are; one with an escape sequence is not for it.
fn is_printable(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(char::is_control)
}

/// A name as SQL takes it: in quotes, unless it is what SQL makes of it without them.
fn in_sql(name: String) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit();
    if name.chars().all(plain) && !name.starts_with(|c: char| c.is_ascii_digit()) {
        name
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// A column of texts.
pub(super) fn texts(batch: &RecordBatch, column: usize) -> Option<Vec<String>> {
    let column = batch.columns().get(column)?.as_string_opt::<i32>()?;
    Some(column.iter().map(|text| text.unwrap_or_default().to_owned()).collect())
}

/// The lists of texts among values of which each has a type of its own.
fn lists(batch: &RecordBatch) -> Vec<String> {
    let Some(values) = batch.columns().get(1).and_then(|column| column.as_union_opt()) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for row in 0..values.len() {
        let value = values.value(row);
        let Some(list) = value.as_list_opt::<i32>() else { continue };
        if let Some(texts) = list.values().as_string_opt::<i32>() {
            found.extend(texts.iter().flatten().map(str::to_owned));
        }
    }
    found
}
