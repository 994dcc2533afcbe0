//! How much a dataset answers on one day, to all who ask together (`R24`).
//!
//! Every series of questions learns a little from each answer. A budget ends the series, however many names ask it. A
//! question costs as much as it has aggregates, whatever the rows say: a price that depended on the groups would tell how
//! many there are.

use jigsaw_proto::fragment::Fragment;
use serde::Deserialize;
use toml::Spanned;

use super::problem::Problem;

/// `budget = { cells_per_day = N }`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetWords {
    /// aggregates answered on one day, UTC
    pub cells_per_day: Spanned<u64>,
}

/// The aggregates that a dataset answers on one day, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    cells_per_day: u64,
}

impl Budget {
    /// Checks the words.
    ///
    /// # Errors
    /// A budget that answers nothing.
    pub fn new(words: &BudgetWords) -> Result<Self, Problem> {
        match *words.cells_per_day.get_ref() {
            0 => {
                let sentence = "cells_per_day = 0 answers nothing: take the dataset out of the configuration";
                Err(Problem::at(&words.cells_per_day, sentence))
            }
            cells_per_day => Ok(Self { cells_per_day }),
        }
    }

    /// Aggregates a day.
    pub fn cells_per_day(self) -> u64 {
        self.cells_per_day
    }
}

/// What a fragment costs each dataset it reads: one for each aggregate, and one for its groups alone.
pub(crate) fn price(fragment: &Fragment) -> u64 {
    u64::try_from(fragment.measures.len()).unwrap_or(u64::MAX).max(1)
}
