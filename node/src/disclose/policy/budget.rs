//! How much a dataset answers on one day, to all who ask together (`R24`).
//!
//! Every series of questions learns a little from each answer. A budget ends the series, however many names ask it. A
//! question costs as much as it has aggregates that were not asked before on that day, whatever the rows say: a price that
//! depended on the groups would tell how many there are. What was asked before is answered as before, so it costs nothing, whoever
//! asks, and in whatever words: a cell of a cube is known by its tests.

use std::collections::BTreeSet;

use jigsaw_proto::contract::Contract;
use jigsaw_proto::release::ReleaseMode;
use serde::Deserialize;
use toml::Spanned;

use super::problem::Problem;
use crate::config::PolicyWords;

/// New aggregates a day where a protected policy does not say: some hundred questions, and no series of thousands.
const CELLS_PER_DAY: u64 = 1000;

/// `budget = { cells_per_day = N }`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetWords {
    /// new aggregates answered on one day, UTC
    pub cells_per_day: Spanned<u64>,
}

/// The new aggregates that a dataset answers on one day, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    cells_per_day: u64,
}

impl Budget {
    /// What is written, else the default, never more than the contract allows. An open dataset has a budget only if its policy
    /// says so.
    ///
    /// # Errors
    /// A budget that answers nothing, or more than the contract allows.
    pub fn of(words: &PolicyWords, contract: &Contract) -> Result<Option<Self>, Problem> {
        let most = contract.cells_per_day.unwrap_or(u64::MAX);
        let Some(written) = &words.budget else {
            let protected = *words.release.get_ref() == ReleaseMode::Protected;
            return Ok(protected.then(|| Self { cells_per_day: CELLS_PER_DAY.min(most) }));
        };
        match *written.cells_per_day.get_ref() {
            0 => {
                let sentence = "cells_per_day = 0 answers nothing: take the dataset out of the configuration";
                Err(Problem::at(&written.cells_per_day, sentence))
            }
            cells if cells > most => {
                let sentence = format!("cells_per_day = {cells} is looser than the contract's {most}");
                Err(Problem::at(&written.cells_per_day, sentence))
            }
            cells_per_day => Ok(Some(Self { cells_per_day })),
        }
    }

    /// Aggregates a day.
    pub fn cells_per_day(self) -> u64 {
        self.cells_per_day
    }
}

/// What a question costs each dataset it reads if none of it was asked before: one for each aggregate, and one for its groups alone.
pub(crate) fn price(aggregates: &BTreeSet<String>) -> u64 {
    u64::try_from(aggregates.len()).unwrap_or(u64::MAX).max(1)
}
