//! The entities behind the cells of one column: counted up to the threshold, or one holding each.

use arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt64Array};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{Float64Type, UInt64Type};
use datafusion::common::internal_err;
use datafusion::error::Result;

/// What one entity holds of a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Holding {
    /// the entity's key under the node's secret
    pub(crate) entity: u64,
    /// how many of its rows are in the cell
    pub(crate) rows: u64,
    /// the sum of their amounts; of ones, where the cell counts
    pub(crate) amount: f64,
}

impl Holding {
    /// The mean amount of its rows.
    #[expect(clippy::cast_precision_loss, reason = "nobody has 2⁵³ rows")]
    pub(crate) fn mean(self) -> f64 {
        if self.rows == 0 { 0.0 } else { self.amount / self.rows as f64 }
    }
}

/// Who is behind each cell, for one kind of entity.
pub(crate) enum Holders {
    /// how many, up to the threshold
    Counted(UInt64Array),
    /// this many behind each, or more, and nobody dominates one: it is proved, not counted
    Enough(u32),
    /// who, and with how much
    Named(Named),
}

impl Holders {
    pub(super) fn counted(column: &ArrayRef) -> Result<Self> {
        let Some(counts) = column.as_primitive_opt::<UInt64Type>() else {
            return internal_err!("no column of counts");
        };
        Ok(Self::Counted(counts.clone()))
    }

    /// In which place of the lists they are.
    pub(super) fn named(column: &ArrayRef, place: usize) -> Result<Self> {
        let Some(lists) = column.as_list_opt::<i32>() else {
            return internal_err!("no column of holdings");
        };
        Named::of(lists, place).map(Self::Named)
    }

    /// How many entities are behind a cell; never more than there are.
    pub(crate) fn count(&self, row: usize) -> u64 {
        match self {
            Self::Counted(counts) if row < counts.len() && counts.is_valid(row) => counts.value(row),
            Self::Counted(_) => 0,
            Self::Enough(threshold) => u64::from(*threshold),
            Self::Named(named) => named.held(row).rows.iter().filter(|rows| **rows > 0).count() as u64,
        }
    }

    /// Their holdings, in the order of their keys; none where they were only counted.
    pub(crate) fn holdings(&self, row: usize) -> Held<'_> {
        match self {
            Self::Counted(_) | Self::Enough(_) => Held::default(),
            Self::Named(named) => named.held(row),
        }
    }
}

/// The holdings of one place of lists, side by side.
pub(crate) struct Named {
    offsets: OffsetBuffer<i32>,
    entities: ScalarBuffer<u64>,
    rows: ScalarBuffer<u64>,
    amounts: ScalarBuffer<f64>,
}

impl Named {
    /// Of lists as `holdings` makes them: the entity, then rows and amount for each cell. None of it is NULL.
    pub(super) fn of(lists: &ListArray, place: usize) -> Result<Self> {
        let columns = lists.values().as_struct_opt().map_or(&[][..], |values| values.columns());
        let whole = |at: usize| columns.get(at)?.as_primitive_opt::<UInt64Type>();
        let double = |at: usize| columns.get(at)?.as_primitive_opt::<Float64Type>();
        let (Some(entities), Some(rows), Some(amounts)) =
            (whole(0), whole(1 + 2 * place), double(2 + 2 * place))
        else {
            return internal_err!("no lists of holdings");
        };
        Ok(Self {
            offsets: lists.offsets().clone(),
            entities: entities.values().clone(),
            rows: rows.values().clone(),
            amounts: amounts.values().clone(),
        })
    }

    /// The holdings of a group: of all its entities, whether they have rows in this place or not.
    pub(super) fn held(&self, row: usize) -> Held<'_> {
        let place = |at: usize| usize::try_from(*self.offsets.get(at)?).ok();
        let (Some(from), Some(to)) = (place(row), place(row + 1)) else { return Held::default() };
        match (self.entities.get(from..to), self.rows.get(from..to), self.amounts.get(from..to)) {
            (Some(entities), Some(rows), Some(amounts)) => Held { entities, rows, amounts },
            _ => Held::default(),
        }
    }
}

/// What the entities of one cell hold.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Held<'a> {
    pub(super) entities: &'a [u64],
    pub(super) rows: &'a [u64],
    pub(super) amounts: &'a [f64],
}

impl<'a> Held<'a> {
    /// Those who have rows in the cell, in the order of their keys.
    pub(crate) fn iter(self) -> impl Iterator<Item = Holding> + Clone + 'a {
        let holdings = self.entities.iter().zip(self.rows).zip(self.amounts);
        holdings
            .map(|((entity, rows), amount)| Holding { entity: *entity, rows: *rows, amount: *amount })
            .filter(|holding| holding.rows > 0)
    }
}
