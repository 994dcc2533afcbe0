//! Which columns a question may test, with what, and how often (`R04`, `R05`). Each line narrows what the roles of the
//! contract allow; without a line, the roles alone decide.
//!
//! * `compare_literals` – the columns that may be tested against a constant, NULL included. The others may be grouped by,
//!   counted and added up.
//! * `compare_columns` – the pairs of columns that may be compared with each other, by a condition or a join. A column of
//!   another dataset is written `dataset.column`. Entity columns are not meant: for them it is the roles that decide.
//! * `max_in_list` – how many constants one question may test one column against, in a list or spelled out with OR.
//! * `bins` – columns that may be tested only with `<` and `>=` and an edge, so that no two questions differ by a sliver.

use std::collections::{BTreeMap, BTreeSet};

use jigsaw_proto::contract::{Contract, Role};
use jigsaw_proto::types::DataType;
use toml::Spanned;

use super::problem::Problem;
use crate::config::PolicyWords;

/// What a policy allows of filters. `None`: what the roles allow.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filters {
    literals: Option<BTreeSet<String>>,
    columns: Option<BTreeSet<(String, String)>>,
    longest: Option<usize>,
    bins: BTreeMap<String, Vec<f64>>,
}

impl Filters {
    /// Checks the words against the contract.
    ///
    /// # Errors
    /// A column that the contract does not open to tests, or that is not there; edges that do not rise.
    pub fn new(words: &PolicyWords, contract: &Contract) -> Result<Self, Problem> {
        let PolicyWords { compare_literals, compare_columns, max_in_list, bins, .. } = words;
        let literals = compare_literals.as_ref().map(|columns| {
            columns
                .iter()
                .map(|column| testable(column, contract).map(|()| column.get_ref().clone()))
                .collect()
        });
        let columns = compare_columns
            .as_ref()
            .map(|pairs| pairs.iter().map(|(one, other)| pair(one, other, contract)).collect());
        if let Some(zero) = max_in_list.as_ref().filter(|longest| *longest.get_ref() == 0) {
            let sentence = "max_in_list = 0 would allow no test at all: write compare_literals = [] for that";
            return Err(Problem::at(zero, sentence));
        }
        let bins = bins.iter().flatten().map(|(column, edges)| {
            ladder(column, edges, contract).map(|edges| (column.get_ref().clone(), edges))
        });
        Ok(Self {
            literals: literals.transpose()?,
            columns: columns.transpose()?,
            longest: max_in_list.as_ref().map(|longest| *longest.get_ref()),
            bins: bins.collect::<Result<_, _>>()?,
        })
    }

    /// Whether the roles alone decide.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the column may be tested against a constant.
    pub(crate) fn tests(&self, column: &str) -> bool {
        self.literals.as_ref().is_none_or(|columns| columns.contains(column))
    }

    /// Whether two columns may be compared, both named from this dataset's point of view; `None`: it does not say.
    pub(crate) fn compares(&self, one: &str, other: &str) -> Option<bool> {
        let listed = |pairs: &BTreeSet<_>| pairs.contains(&ordered(one.to_owned(), other.to_owned()));
        self.columns.as_ref().map(listed)
    }

    /// The most constants that one question may test one column against.
    pub(crate) fn longest(&self) -> Option<usize> {
        self.longest
    }

    /// The edges of a column that is binned.
    pub(crate) fn edges(&self, column: &str) -> Option<&[f64]> {
        self.bins.get(column).map(Vec::as_slice)
    }

    /// One sentence for each line, for the node's operator.
    pub(crate) fn sentences(&self) -> Vec<String> {
        let mut sentences = vec![];
        if let Some(columns) = &self.literals {
            let columns = list(columns.iter().cloned());
            sentences.push(format!("R04: tested against constants: {columns}; no other column"));
        }
        if let Some(pairs) = &self.columns {
            let pairs = list(pairs.iter().map(|(one, other)| format!("{one} with {other}")));
            sentences.push(format!("R05: columns compared with each other: {pairs}; no others"));
        }
        if let Some(longest) = self.longest {
            sentences.push(format!("R04: a question tests a column against at most {longest} constants"));
        }
        for (column, edges) in &self.bins {
            sentences
                .push(format!("R04: {column} is tested and grouped only with < and >= at {}", shown(edges)));
        }
        sentences
    }
}

/// Edges, for people.
pub(crate) fn shown(edges: &[f64]) -> String {
    edges.iter().map(f64::to_string).collect::<Vec<_>>().join(", ")
}

fn list(words: impl Iterator<Item = String>) -> String {
    let words = words.collect::<Vec<_>>().join(", ");
    if words.is_empty() { "none".to_owned() } else { words }
}

fn ordered(one: String, other: String) -> (String, String) {
    if one <= other { (one, other) } else { (other, one) }
}

/// A column of the contract that its role lets a question test.
fn testable(name: &Spanned<String>, contract: &Contract) -> Result<(), Problem> {
    let word = name.get_ref();
    let wrong = |why: &str| Err(Problem::at(name, format!("{word} {why}")));
    match contract.column(word).map(|column| &column.role) {
        None => wrong("is no column of the contract: check the spelling"),
        Some(Role::Dimension | Role::Measure { filterable: true, .. }) => Ok(()),
        Some(Role::Measure { filterable: false, .. }) => {
            wrong("is a measure that the contract does not open to tests: a policy may only be stricter")
        }
        Some(Role::Entity { .. }) => {
            wrong("is an entity column, which no policy opens to tests: take it out")
        }
        Some(Role::Hidden) => wrong("is hidden by the contract, and no policy shows it: take it out"),
    }
}

fn pair(
    one: &Spanned<String>,
    other: &Spanned<String>,
    contract: &Contract,
) -> Result<(String, String), Problem> {
    let own = |column: &Spanned<String>| !column.get_ref().contains('.');
    if !own(one) && !own(other) {
        return Err(Problem::at(one, "a pair names at least one column of this dataset, without a dot"));
    }
    for column in [one, other].into_iter().filter(|column| own(column)) {
        testable(column, contract)?;
    }
    Ok(ordered(one.get_ref().clone(), other.get_ref().clone()))
}

fn ladder(
    column: &Spanned<String>,
    edges: &Spanned<Vec<f64>>,
    contract: &Contract,
) -> Result<Vec<f64>, Problem> {
    testable(column, contract)?;
    let number =
        |data_type: &DataType| matches!(data_type, DataType::Int32 | DataType::Int64 | DataType::Float64);
    if !contract.column(column.get_ref()).is_some_and(|column| number(&column.data_type)) {
        let sentence = format!("{} is no int32, int64 or float64: only those are binned", column.get_ref());
        return Err(Problem::at(column, sentence));
    }
    let values = edges.get_ref();
    let rise = values.windows(2).all(|pair| pair.first() < pair.last());
    if values.is_empty() || !rise || values.iter().any(|edge| !edge.is_finite()) {
        return Err(Problem::at(edges, "the edges of bins are numbers that rise: write [0, 18, 25, 65]"));
    }
    Ok(values.clone())
}
