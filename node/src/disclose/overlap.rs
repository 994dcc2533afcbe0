//! `R14`, `R15` and `R16`: the guard against cells that tell of a few people when they are subtracted from one another.
//!
//! The node remembers who is in every cell it has released, whoever asked. For each new cell:
//! * the same people with the same rows: the same figure as before (`R14`);
//! * a cell that differs from a released one by fewer entities than the threshold shows that one's figure (`R14`), or, if that
//!   one shows something else of the same columns, or the figures are more than a tenth apart, nothing (`R15`);
//! * what a released cell and a released part of it leave over shows their difference (`R15`): it is told already;
//! * where the cells of a table leave over a few people of a released total, the smallest of them is withheld (`R16`), now
//!   and for good;
//! * counts of one table are rounded so that they add up to their total's figure, and a total that is asked later shows that
//!   (controlled rounding, Cox 1987): however a set of people is divided, its parts tell nothing new about the whole;
//! * a sum that tells of a few entities by being added to and subtracted from all those that were shown, each of which may have
//!   been asked by itself, is withheld (`R15`, [`span`]).
//!
//! Differencing is thereby blind to fewer people than the threshold, between any two questions of any two analysts on any two days.
//! Nothing is forgotten; a changed person changes no figure until as many as the threshold have changed.
//!
//! A question whose cells are all remembered gets the same answer when it is asked again of the same files, unless one of its
//! figures was withdrawn since: nobody needs to be looked at for that.
//!
//! What it does not see: counts that do the same. Their rounding hides it, and the budget of questions (`R24`) and the cells of a cube
//! ([`crate::validate`]) stand against it.

mod answers;
mod journal;
mod members;
mod memory;
mod span;
mod table;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use answers::Answers;
use journal::Journal;
use memory::Memory;
use table::Judged;

pub(super) use answers::{Answer, Told};

use super::cells::Cells;

/// The memory of released cells.
pub(crate) struct Guard {
    state: Mutex<State>,
}

struct State {
    memory: Memory,
    journal: Journal,
    answers: Answers,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guard")
    }
}

impl Guard {
    /// Opens the memory in a file of its own.
    ///
    /// # Errors
    /// A file that cannot be opened or is damaged.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let (journal, memory) = Journal::open(path)?;
        tracing::info!(cells = memory.len(), "the memory of released cells is open");
        Ok(Self { state: Mutex::new(State { memory, journal, answers: Answers::default() }) })
    }

    /// Judges every cell, and remembers what is new: on disk before it returns. What it tells, if all of it is remembered.
    ///
    /// # Errors
    /// The memory cannot be written: nothing may be released.
    pub(super) fn apply(&self, cells: &mut Cells<'_>) -> io::Result<Option<Told>> {
        if !cells.approved().is_guarded() {
            return Ok(None);
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { memory, journal, .. } = &mut *state;
        let Judged { fresh, all } = table::judge(cells, memory)?;
        journal.append(
            fresh.iter().filter_map(|(statistic, place)| Some((statistic, memory.cell(statistic, *place)?))),
        )?;
        Ok(all.map(|all| Told::of(all, memory)))
    }

    /// Remembers the answer to a question, as long as the cells it tells stay as they are.
    pub(super) fn remember(&self, question: String, told: Told, answer: Answer) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.answers.add(question, told, answer);
    }

    /// The answer that a question had, if it would have the same again. Nobody waits for it: while other cells are judged, there
    /// is none.
    pub(super) fn again(&self, question: &str) -> Option<Answer> {
        let mut state = self.state.try_lock().ok()?;
        let State { memory, answers, .. } = &mut *state;
        answers.again(question, memory)
    }
}

#[cfg(test)]
impl Guard {
    /// From now on nothing can be written.
    pub(crate) fn lose_its_file(&self) {
        self.state.lock().unwrap().journal.lose_its_file();
    }
}

#[cfg(test)]
mod tests;
