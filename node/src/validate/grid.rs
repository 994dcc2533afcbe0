//! Dense grids (`R12`): where a policy has `grid = "dense"`, an answer has every cell of the table that its keys span, whatever is in
//! the rows.
//!
//! A group that is left out looks like no group at all in any case. On a dense grid neither is told from a withheld one: which rows an
//! answer has, how many they are and how many bytes they take follow from the question and the contract alone. So a question groups by
//! columns whose values the contract lists, by booleans and by `node`, as they are. The rule reads the question only.

use std::collections::BTreeMap;
use std::sync::Arc;

use jigsaw_proto::contract::{ColumnContract, NODE_COLUMN};
use jigsaw_proto::expr::{Column, Expr};
use jigsaw_proto::fragment::{Fragment, Join, Relation};
use jigsaw_proto::id::DatasetName;
use jigsaw_proto::refusal::{Refusal, RefusalCode};
use jigsaw_proto::types::DataType;

use crate::sources::Dataset;

/// The most cells of a grid: more take a node's time, and say little.
const MOST_CELLS: usize = 100_000;

/// The values of one key, whatever is in the rows: `None` stands for NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Axis {
    /// as text, in the order of the contract
    Values(Vec<Option<String>>),
    /// the id of the node
    Node,
}

impl Axis {
    /// How many values it has.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Values(values) => values.len(),
            Self::Node => 1,
        }
    }

    fn of(column: &ColumnContract) -> Option<Self> {
        let codes: Vec<String> = match column.data_type {
            DataType::Boolean => ["false", "true"].map(str::to_owned).into(),
            DataType::Text => column.codes.clone(),
            // As the engine writes a number, so that each is there once.
            DataType::Int32 | DataType::Int64 => {
                let numbers: Option<Vec<i64>> = column.codes.iter().map(|code| code.parse().ok()).collect();
                numbers?.iter().map(i64::to_string).collect()
            }
            _ => return None,
        };
        if codes.is_empty() {
            return None;
        }
        let null = column.nullable.then_some(None);
        Some(Self::Values(codes.into_iter().map(Some).chain(null).collect()))
    }

    /// With NULL, for the rows that a join leaves over.
    fn padded(self) -> Self {
        match self {
            Self::Values(mut values) => {
                if !values.contains(&None) {
                    values.push(None);
                }
                Self::Values(values)
            }
            Self::Node => Self::Node,
        }
    }

    /// Of the branches of a union.
    fn either(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Node, Self::Node) => Some(Self::Node),
            (Self::Values(mut values), Self::Values(others)) => {
                values.extend(others);
                let mut seen = std::collections::BTreeSet::new();
                values.retain(|value| seen.insert(value.clone()));
                Some(Self::Values(values))
            }
            _ => None,
        }
    }
}

type Datasets = BTreeMap<DatasetName, Arc<Dataset>>;
/// The columns of a relation; `None`: what values it has, the rows decide.
type Columns = Vec<(Column, Option<Axis>)>;

/// The axes of a fragment's grid, one for each key; `None`: no policy asks for one.
///
/// # Errors
/// `R12`: a key without a list of values, or too many cells.
pub(super) fn check(fragment: &Fragment, datasets: &Datasets) -> Result<Option<Vec<Axis>>, Refusal> {
    if !datasets.values().any(|dataset| dataset.policy().has_dense_grids()) {
        return Ok(None);
    }
    let columns = columns(&fragment.input, datasets);
    let axes = fragment.keys.iter().map(|key| {
        axis(key, &columns).ok_or_else(|| {
            refused(format!(
                "{key} has no list of values, and this node's policy shows whole grids only: group by columns whose codes the \
                 contract lists, as they are"
            ))
        })
    });
    let axes: Vec<Axis> = axes.collect::<Result<_, _>>()?;
    let cells = axes.iter().fold(1_usize, |cells, axis| cells.saturating_mul(axis.len()));
    if cells > MOST_CELLS {
        return Err(refused(format!(
            "the grid of this question has {cells} cells, more than {MOST_CELLS}: group by fewer columns"
        )));
    }
    Ok(Some(axes))
}

fn axis(expr: &Expr, columns: &Columns) -> Option<Axis> {
    let Expr::Column(column) = expr else { return None };
    columns.iter().find(|(name, _)| name == column).and_then(|(_, axis)| axis.clone())
}

fn columns(relation: &Relation, datasets: &Datasets) -> Columns {
    match relation {
        Relation::Scan { dataset, alias } => {
            let listed = datasets.get(dataset).into_iter().flat_map(|dataset| &dataset.visible().columns);
            let listed = listed.map(|column| (Column::new(alias, column.name.as_str()), Axis::of(column)));
            listed.chain([(Column::new(alias, NODE_COLUMN), Some(Axis::Node))]).collect()
        }
        Relation::Filter { input, .. } => columns(input, datasets),
        Relation::Project { input, alias, columns: named } => {
            let known = columns(input, datasets);
            named.iter().map(|(name, expr)| (Column::new(alias, name), axis(expr, &known))).collect()
        }
        Relation::Join(join) => joined(join, datasets),
        Relation::UnionAll { alias, inputs } => {
            let mut branches = inputs.iter().map(|input| columns(input, datasets));
            let mut union = branches.next().unwrap_or_default();
            for branch in branches {
                for ((_, axis), (_, other)) in union.iter_mut().zip(branch) {
                    *axis = axis.take().zip(other).and_then(|(axis, other)| axis.either(other));
                }
            }
            for (column, _) in &mut union {
                alias.clone_into(&mut column.relation);
            }
            union
        }
        Relation::Aggregate { input, alias, keys, measures } => {
            let known = columns(input, datasets);
            let keys = keys.iter().map(|(name, key)| (Column::new(alias, name), axis(key, &known)));
            keys.chain(measures.iter().map(|(name, _)| (Column::new(alias, name), None))).collect()
        }
    }
}

fn joined(join: &Join, datasets: &Datasets) -> Columns {
    let padded = |columns: Columns| -> Columns {
        columns.into_iter().map(|(column, axis)| (column, axis.map(Axis::padded))).collect()
    };
    let (left, right) = (columns(&join.left, datasets), columns(&join.right, datasets));
    if !join.kind.shows_right() {
        return left;
    }
    padded(left).into_iter().chain(padded(right)).collect()
}

fn refused(message: String) -> Refusal {
    Refusal::new(RefusalCode::NotOnGrid, message)
}
