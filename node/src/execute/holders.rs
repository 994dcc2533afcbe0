//! The entities behind the cells of one column: counted up to the threshold, or one holding each.

use arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt64Array};
use arrow::datatypes::{DataType, UInt64Type};
use datafusion::common::internal_err;
use datafusion::error::Result;

use super::holdings::{self, Holding};

/// Who is behind each cell, for one kind of entity.
pub(crate) enum Holders {
    /// how many, up to the threshold
    Counted(UInt64Array),
    /// who, and with how much
    Named(ListArray),
}

impl Holders {
    pub(super) fn of_column(column: &ArrayRef) -> Result<Self> {
        match column.data_type() {
            DataType::UInt64 => Ok(Self::Counted(column.as_primitive::<UInt64Type>().clone())),
            DataType::List(_) => Ok(Self::Named(column.as_list::<i32>().clone())),
            _ => internal_err!("no column of holders"),
        }
    }

    /// How many entities are behind a cell; never more than there are.
    pub(crate) fn count(&self, row: usize) -> u64 {
        match self {
            Self::Counted(counts) if row < counts.len() && counts.is_valid(row) => counts.value(row),
            Self::Named(lists) if row < lists.len() && lists.is_valid(row) => lists.value(row).len() as u64,
            Self::Counted(_) | Self::Named(_) => 0,
        }
    }

    /// Their holdings, in the order of their keys; none where they were only counted.
    pub(crate) fn holdings(&self, row: usize) -> Vec<Holding> {
        match self {
            Self::Counted(_) => vec![],
            Self::Named(lists) => holdings::of(lists, row),
        }
    }
}
