//! What contracts declare and an answer relies on, held against what nodes release.
//!
//! A contract may say that a column divides rows among nodes. Groups by such a column are taken to be whole at their node, and rows
//! that agree on it to be together; if two nodes then release one value, the declaration is wrong and so would be the answer. A
//! node that protects shows no small group, so a few stray rows of another borough stay unseen, as they would in any other answer.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::display::array_value_to_string;
use jigsaw_proto::expr::{Column, Expr};
use jigsaw_proto::fragment::{Fragment, Relation};
use jigsaw_proto::id::{DatasetName, NodeId};
use jigsaw_proto::types::DataType;

use crate::dispatch::Released;
use crate::query::QueryError;

/// A declaration that a fragment relies on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reliance {
    /// a group key of the fragment has each value at one node
    Key {
        /// which key
        place: usize,
        /// as `dataset.column`
        column: String,
    },
    /// columns of datasets have each value at one node, the same for all
    Together(Vec<Values>),
}

/// The values that a column of a dataset has at each node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Values {
    /// as `dataset.column`
    column: String,
    /// what asks for them
    pub(crate) fragment: Fragment,
    /// the columns of its release
    pub(crate) columns: Vec<(String, DataType)>,
}

impl Reliance {
    /// That the columns agree on where a value is.
    pub(super) fn together<'a>(
        columns: impl IntoIterator<Item = (&'a DatasetName, &'a str, &'a DataType)>,
    ) -> Self {
        let mut all: Vec<Values> = vec![];
        for (dataset, name, data_type) in columns {
            let input = Relation::Scan { dataset: dataset.clone(), alias: dataset.to_string() };
            let keys = vec![Expr::Column(Column::new(dataset.as_str(), name))];
            let fragment = Fragment { input, keys, measures: vec![] };
            let columns = vec![("g0".to_owned(), data_type.clone())];
            let values = Values { column: format!("{dataset}.{name}"), fragment, columns };
            if !all.contains(&values) {
                all.push(values);
            }
        }
        Self::Together(all)
    }
}

impl Reliance {
    /// Holds what was released against it; `seen` has what was asked for that.
    ///
    /// # Errors
    /// A value at two nodes.
    pub(super) fn check(
        &self,
        answer: &Released,
        seen: &[(&Values, Arc<Released>)],
    ) -> Result<(), QueryError> {
        let mut places = Places::default();
        match self {
            Self::Key { place, column } => places.note(answer, *place, column),
            Self::Together(all) => {
                let mut own = seen.iter().filter(|(values, _)| all.contains(values));
                own.try_for_each(|(values, released)| places.note(released, 0, &values.column))
            }
        }
    }
}

/// Where each value was seen.
#[derive(Debug, Default)]
struct Places {
    nodes: HashMap<String, NodeId>,
}

impl Places {
    /// Takes note of the values that one column of a release has at each node.
    ///
    /// # Errors
    /// A value at two nodes.
    fn note(&mut self, released: &Released, place: usize, column: &str) -> Result<(), QueryError> {
        for (manifest, batches) in &released.answers {
            for batch in batches {
                self.note_batch(&manifest.node, batch, place, column)?;
            }
        }
        Ok(())
    }

    fn note_batch(
        &mut self,
        node: &NodeId,
        batch: &RecordBatch,
        place: usize,
        column: &str,
    ) -> Result<(), QueryError> {
        let Some(values) = batch.columns().get(place) else { return Ok(()) };
        for row in 0..batch.num_rows() {
            let value = array_value_to_string(values, row)
                .map_err(|error| QueryError::internal(error.to_string()))?;
            let known = self.nodes.entry(value).or_insert_with(|| node.clone());
            if known != node {
                return Err(QueryError::sql(format!(
                    "the contract says that each value of {column} is at one node, and {known} and {node} have the same one: ask by \
                     node instead, and tell the regional office"
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{ArrayRef, StringArray};
    use jigsaw_proto::release::{Manifest, ReleaseMode};

    use super::*;

    fn released(rows: &[(&str, &[&str])]) -> Released {
        let answer = |(node, values): &(&str, &[&str])| {
            let manifest = Manifest {
                node: node.parse().unwrap(),
                query: "q1".parse().unwrap(),
                policy: String::new(),
                mode: ReleaseMode::Open,
                threshold: 10,
                rounding: 5,
                released_cells: 1,
                withheld_cells: 0,
                rules: vec![],
                data_as_of: String::new(),
            };
            let column: ArrayRef = Arc::new(StringArray::from(values.to_vec()));
            (Box::new(manifest), vec![RecordBatch::try_from_iter([("g0", column)]).unwrap()])
        };
        Released { answers: rows.iter().map(answer).collect(), missing: 0 }
    }

    #[test]
    fn a_value_at_two_nodes_is_a_wrong_declaration() {
        let apart = released(&[("camden", &["E1", "E2", "E1"]), ("brent", &["E3"])]);
        assert_eq!(Places::default().note(&apart, 0, "t.gss"), Ok(()));
        let twice = released(&[("camden", &["E1"]), ("brent", &["E3", "E1"])]);
        let error = Places::default().note(&twice, 0, "t.gss").unwrap_err().to_string();
        assert!(error.contains("camden and brent") && !error.contains("E1"), "{error}");
        let mut both = Places::default();
        both.note(&released(&[("camden", &["E1"])]), 0, "t.gss").unwrap();
        assert!(both.note(&released(&[("brent", &["E1"])]), 0, "u.gss").is_err());
    }
}
