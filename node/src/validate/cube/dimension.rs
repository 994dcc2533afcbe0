//! The dimensions of a cube: columns and fixed groupings of them, and what a question may test them with.

use std::collections::BTreeSet;
use std::fmt;

use jigsaw_proto::contract::Role;
use jigsaw_proto::expr::{Expr, Literal};
use jigsaw_proto::id::DatasetName;
use jigsaw_proto::refusal::{Refusal, RefusalCode};
use jigsaw_proto::types::DataType;

use super::set::{Set, is_between, is_period, is_step};
use crate::disclose::policy::filters::shown;
use crate::sources::Dataset;

/// Something whose values are cells: a column, or a grouping of it that nobody chooses.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "four facts that do not depend on each other")]
pub(super) struct Dimension {
    /// what it is, whatever it is called in the question
    pub(super) name: String,
    /// the dataset and column it is, if it is one
    pub(super) place: Option<(DatasetName, String)>,
    pub(super) data_type: DataType,
    /// all values it may have, where that is known
    pub(super) codes: Option<BTreeSet<String>>,
    edges: Option<Vec<f64>>,
    /// the most values of one test
    longest: usize,
    /// whether it is a grouping of a column
    grouped: bool,
    /// whether NULL tells that a filtered table has no row for it
    pub(super) unmatched: bool,
    /// whether every row of this node has the same value: testing it chooses nobody
    constant: bool,
    /// whether it is a measure that may only be added up
    pub(super) summed: bool,
}

impl Dimension {
    /// A column of a dataset, which the question mentions under the canonical name `mention`.
    pub(super) fn column(dataset: &Dataset, mention: &str, column: &str) -> Option<Self> {
        let contract = dataset.visible();
        let known = contract.column(column)?;
        let codes = known.codes.iter().map(|code| match known.data_type {
            DataType::Text => Literal::text(code).to_string(),
            _ => code.clone(),
        });
        let codes: BTreeSet<String> = match known.data_type {
            DataType::Boolean => truths(),
            _ => codes.collect(),
        };
        let filters = dataset.policy().filters();
        Some(Self {
            name: format!("{mention}.{column}"),
            place: Some((contract.name.clone(), column.to_owned())),
            data_type: known.data_type.clone(),
            codes: (!codes.is_empty()).then_some(codes),
            edges: filters.edges(column).map(<[f64]>::to_vec),
            longest: filters.longest().unwrap_or(1),
            grouped: false,
            unmatched: false,
            constant: false,
            summed: matches!(known.role, Role::Measure { filterable: false, .. }),
        })
    }

    /// The column `node`.
    pub(super) fn node() -> Self {
        Self { constant: true, ..Self::grouping("node".to_owned(), DataType::Text) }
    }

    /// What is true of a row, or not.
    pub(super) fn truth(name: String) -> Self {
        Self { codes: Some(truths()), ..Self::grouping(name, DataType::Boolean) }
    }

    fn grouping(name: String, data_type: DataType) -> Self {
        Self {
            name,
            place: None,
            data_type,
            codes: None,
            edges: None,
            longest: 1,
            grouped: true,
            unmatched: false,
            constant: false,
            summed: false,
        }
    }

    /// A fixed grouping of this one's values.
    pub(super) fn grouped(&self, name: String) -> Self {
        Self {
            unmatched: self.unmatched,
            summed: self.summed,
            ..Self::grouping(name, self.data_type.clone())
        }
    }

    pub(super) fn is_grouped(&self) -> bool {
        self.grouped
    }

    pub(super) fn is_binned(&self) -> bool {
        self.edges.is_some()
    }

    pub(super) fn is_constant(&self) -> bool {
        self.constant
    }

    /// Whether some values of it are a cell.
    ///
    /// # Errors
    /// `R04`: they are not, and how to ask instead.
    pub(super) fn check(&self, set: &Set) -> Result<(), Refusal> {
        let name = &self.name;
        match set {
            _ if self.constant => Ok(()),
            Set::Null if self.unmatched => Err(refused(format!(
                "{name} IS NULL asks for those who have no row in a filtered table, which this node's policy takes for no cell: \
                 ask for those who have one, and for all"
            ))),
            Set::Null | Set::Present => Ok(()),
            Set::Values(values) if values.len() <= self.longest => Ok(()),
            Set::Values(values) => Err(refused(format!(
                "{name} is tested against {} values at once, and this node's policy takes {}: ask for one, or group by {name}",
                values.len(),
                self.longest
            ))),
            Set::Numbers(span) => match &self.edges {
                Some(edges) if is_between(span, edges) => Ok(()),
                Some(edges) => Err(refused(format!(
                    "{name} is tested against a range that is none of its bins: use < and >= and two of {}",
                    shown(edges)
                ))),
                None if !self.grouped && is_step(span) => Ok(()),
                None => Err(refused(format!(
                    "{name} is tested against a range that is no step of it: ask for a step of 1, 5, 10, 50 … such as \
                     {name} >= 40 AND {name} < 50, group by {name} / 10, or have this node's operator declare bins"
                ))),
            },
            Set::Times(span) if !self.grouped && is_period(span) => Ok(()),
            Set::Times(_) => Err(refused(format!(
                "{name} is tested against a range that is no period of it: ask for whole quarters, one month, one day or one \
                 hour, or group by a part of it"
            ))),
        }
    }
}

fn truths() -> BTreeSet<String> {
    [false, true].map(|truth| Literal::boolean(truth).to_string()).into()
}

/// Tests joined by AND, at most one of each dimension.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Tests(Vec<(Dimension, Set)>);

impl Tests {
    pub(super) fn one(dimension: Dimension, set: Set) -> Self {
        Self(vec![(dimension, set)])
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn list(&self) -> &[(Dimension, Set)] {
        &self.0
    }

    /// Both.
    ///
    /// # Errors
    /// `R04`: they test one dimension in two ways that do not go together.
    pub(super) fn and(mut self, other: Self) -> Result<Self, Refusal> {
        for (dimension, set) in other.0 {
            match self.0.iter_mut().find(|(known, _)| known.name == dimension.name) {
                None => self.0.push((dimension, set)),
                Some((known, earlier)) if known.constant && *earlier != set => {
                    // Of a constant, all tests are one.
                }
                Some((_, earlier)) => {
                    *earlier = earlier.and(&set).ok_or_else(|| {
                        let name = &dimension.name;
                        refused(format!(
                            "{name} is tested twice, against a value and a range: leave one of them out"
                        ))
                    })?;
                }
            }
        }
        Ok(self)
    }

    /// Whether each is a cell of its dimension.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        self.0.iter().try_for_each(|(dimension, set)| dimension.check(set))
    }

    /// For the record of what was asked.
    pub(super) fn words(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(dimension, set)| format!("{} {set}", dimension.name))
    }
}

/// What a value is made of, as far as cells go.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    /// a constant
    Constant(Literal),
    /// the values of a dimension
    Dimension(Dimension),
    /// whether a row passes these tests
    Outcome(Tests),
    /// groups that are cells each: a CASE over one dimension
    Bands {
        words: String,
        /// the tests of the one group that is neither NULL nor zero; `None`: there are several
        choice: Option<Tests>,
    },
    /// anything else, for rows that pass these tests: it may be added up
    Value {
        tests: Tests,
        /// whether it is NULL only where a column is, so that counting it tests nothing
        present: bool,
    },
}

impl Shape {
    /// Something of which nothing is known.
    pub(super) fn unknown() -> Self {
        Self::Value { tests: Tests::default(), present: false }
    }

    /// Whether it is NULL only where a column is, or where its tests say so.
    pub(super) fn is_present(&self) -> bool {
        match self {
            Self::Value { present, .. } => *present,
            Self::Constant(_) | Self::Dimension(_) | Self::Bands { .. } => true,
            Self::Outcome(_) => false,
        }
    }

    /// The tests that decide whether there is a value at all; `None`: those of several groups.
    pub(super) fn choice(&self) -> Option<Tests> {
        match self {
            Self::Value { tests, .. } => Some(tests.clone()),
            Self::Bands { choice, .. } => choice.clone(),
            Self::Constant(_) | Self::Dimension(_) | Self::Outcome(_) => Some(Tests::default()),
        }
    }
}

pub(super) fn refused(message: String) -> Refusal {
    Refusal::new(RefusalCode::ColumnRole, message)
}

/// A condition that is no cell.
pub(super) fn no_cell(expr: &impl fmt::Display) -> Refusal {
    refused(format!(
        "{expr} is no test of one dimension, and this node's policy takes only such tests, joined by AND: ask for one value or one \
         bin of each column, or group by the column and choose among the groups"
    ))
}

/// A group key that is no dimension.
pub(super) fn no_grouping(expr: &Expr) -> Refusal {
    refused(format!(
        "{expr} puts rows together in a way that is no dimension of this dataset: group by the columns themselves, and put the \
         groups together"
    ))
}
