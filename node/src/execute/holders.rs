//! The entities behind the cells of one column: counted up to the threshold, or one holding each.

use arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt64Array};
use arrow::datatypes::UInt64Type;
use datafusion::common::internal_err;
use datafusion::error::Result;

use super::holdings::{self, Holding};

/// Who is behind each cell, for one kind of entity.
pub(crate) enum Holders {
    /// how many, up to the threshold
    Counted(UInt64Array),
    /// who, and with how much: in which place of the lists
    Named(ListArray, usize),
}

impl Holders {
    pub(super) fn counted(column: &ArrayRef) -> Result<Self> {
        let Some(counts) = column.as_primitive_opt::<UInt64Type>() else {
            return internal_err!("no column of counts");
        };
        Ok(Self::Counted(counts.clone()))
    }

    pub(super) fn named(column: &ArrayRef, place: usize) -> Result<Self> {
        let Some(lists) = column.as_list_opt::<i32>() else {
            return internal_err!("no column of holdings");
        };
        Ok(Self::Named(lists.clone(), place))
    }

    /// How many entities are behind a cell; never more than there are.
    pub(crate) fn count(&self, row: usize) -> u64 {
        match self {
            Self::Counted(counts) if row < counts.len() && counts.is_valid(row) => counts.value(row),
            Self::Counted(_) => 0,
            Self::Named(..) => self.holdings(row).len() as u64,
        }
    }

    /// Their holdings, in the order of their keys; none where they were only counted.
    pub(crate) fn holdings(&self, row: usize) -> Vec<Holding> {
        match self {
            Self::Counted(_) => vec![],
            Self::Named(lists, place) => holdings::of(lists, row, *place),
        }
    }
}
