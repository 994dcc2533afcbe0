//! The lines of the policies, asked about one value at a time.

use jigsaw_proto::expr::{Literal, Value};
use jigsaw_proto::id::DatasetName;
use jigsaw_proto::refusal::{Refusal, RefusalCode};
use jigsaw_proto::types::DataType;

use super::{Made, Origin, Tests};
use crate::disclose::policy::filters::{Filters, shown};

impl Tests<'_> {
    fn filters(&self, dataset: &DatasetName) -> Option<&Filters> {
        self.datasets.get(dataset).map(|dataset| dataset.policy().filters())
    }

    pub(super) fn edges(&self, (dataset, column): &Origin) -> Option<&[f64]> {
        self.filters(dataset)?.edges(column)
    }

    fn tests(&self, (dataset, column): &Origin) -> bool {
        self.filters(dataset).is_some_and(|filters| filters.tests(column))
    }

    /// Whether a cast leaves the values apart and in order.
    pub(super) fn keeps(&self, (dataset, column): &Origin, to: &DataType) -> bool {
        let column = self.datasets.get(dataset).and_then(|dataset| dataset.visible().column(column));
        column.is_some_and(|column| match to {
            DataType::Text => true,
            DataType::Date => matches!(column.data_type, DataType::Date | DataType::Timestamp { .. }),
            // Parts of a date are taken of its midnight.
            DataType::Timestamp { zone: None, .. } if column.data_type == DataType::Date => true,
            DataType::Int64 => matches!(column.data_type, DataType::Int32 | DataType::Int64),
            DataType::Float64 => column.data_type.is_numeric(),
            _ => column.data_type == *to,
        })
    }

    /// Whether a binned column stands in the one form it may be tested in.
    pub(super) fn at_edge(&self, made: &Made, half_open: bool, edge: &Literal) -> bool {
        let edges: Vec<&[f64]> = made.of.iter().filter_map(|origin| self.edges(origin)).collect();
        let Some(edge) = number(edge) else { return false };
        let is_edge = |edges: &&[f64]| edges.iter().any(|each| each.total_cmp(&edge).is_eq());
        made.plain
            && half_open
            && !edges.is_empty()
            && edges.len() == made.of.len()
            && edges.iter().all(is_edge)
    }

    /// Values compared with each other.
    pub(super) fn compared(&mut self, parts: &[Made]) -> Result<Made, Refusal> {
        let whole = Made::mixed(parts.iter().cloned());
        self.unbinned(&whole)?;
        for (at, one) in parts.iter().enumerate() {
            self.mixture(one)?;
            for other in parts.iter().skip(at + 1) {
                let pairs = one.of.iter().flat_map(|one| other.of.iter().map(move |other| (one, other)));
                pairs.into_iter().try_for_each(|(one, other)| self.pair(one, other))?;
            }
        }
        if parts.iter().any(|part| !part.plain || part.constants > 0 || part.of.is_empty()) {
            self.permitted(&whole)?;
            self.count(&whole)?;
        }
        Ok(Made::outcome())
    }

    /// A value tested against a constant, or for being true.
    pub(super) fn tested(&mut self, made: &Made) -> Result<(), Refusal> {
        self.unbinned(made)?;
        self.permitted(made)?;
        self.mixture(made)?;
        self.count(made)
    }

    /// What is plain and made of several columns is one or the other, in a union; else they were brought together.
    fn mixture(&self, made: &Made) -> Result<(), Refusal> {
        if made.plain {
            return Ok(());
        }
        let origins = || made.of.iter().enumerate();
        let mut pairs =
            origins().flat_map(|(at, one)| origins().skip(at + 1).map(move |(_, other)| (one, other)));
        pairs.try_for_each(|(one, other)| self.pair(one, other))
    }

    pub(super) fn unbinned(&self, made: &Made) -> Result<(), Refusal> {
        let binned = made.of.iter().find_map(|origin| Some((origin, self.edges(origin)?)));
        binned.map_or(Ok(()), |((dataset, column), edges)| {
            Err(Refusal::new(
                RefusalCode::ColumnRole,
                format!(
                    "{dataset}.{column} is binned: test it with < or >= and one of {}, or group by CASE over those",
                    shown(edges)
                ),
            ))
        })
    }

    pub(super) fn permitted(&self, made: &Made) -> Result<(), Refusal> {
        made.of.iter().find(|origin| !self.tests(origin)).map_or(Ok(()), |(dataset, column)| {
            Err(Refusal::new(
                RefusalCode::ColumnRole,
                format!(
                    "{dataset}.{column} is not opened to tests by this node's policy: group by the column itself, or aggregate it"
                ),
            ))
        })
    }

    /// Without a line about pairs, whoever may test both columns may compare them: a column that may not be tested is not
    /// reached through one that may.
    fn pair(&self, one: &Origin, other: &Origin) -> Result<(), Refusal> {
        let seen = |from: &Origin, origin: &Origin| {
            if from.0 == origin.0 { origin.1.clone() } else { format!("{}.{}", origin.0, origin.1) }
        };
        let agrees = |from: &Origin, to: &Origin| {
            self.filters(&from.0).is_some_and(|filters| {
                filters.compares(&from.1, &seen(from, to)).unwrap_or_else(|| filters.tests(&from.1))
            })
        };
        if agrees(one, other) && agrees(other, one) {
            return Ok(());
        }
        Err(Refusal::new(
            RefusalCode::ColumnComparison,
            format!(
                "{}.{} and {}.{} are not opened to comparison with each other by a node's policy: ask about each by itself",
                one.0, one.1, other.0, other.1
            ),
        ))
    }

    pub(super) fn count(&mut self, made: &Made) -> Result<(), Refusal> {
        for origin in &made.of {
            let constants = self.constants.entry(origin.clone()).or_default();
            *constants = constants.saturating_add(made.constants);
            let longest =
                self.datasets.get(&origin.0).and_then(|dataset| dataset.policy().filters().longest());
            if let Some(longest) = longest.filter(|longest| *constants > *longest) {
                return Err(Refusal::new(
                    RefusalCode::ColumnRole,
                    format!(
                        "{}.{} is tested against more than {longest} constants: ask with fewer, or group by it",
                        origin.0, origin.1
                    ),
                ));
            }
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "edges are doubles")]
fn number(literal: &Literal) -> Option<f64> {
    match (literal.value()?, literal.data_type()) {
        (Value::Integer(value), DataType::Int32 | DataType::Int64) => Some(*value as f64),
        (Value::Float(value), _) => Some(*value),
        _ => None,
    }
}
