//! Answers that were given, to be given again. They are kept in this process only, and show nothing but figures that the memory
//! still has.

use std::collections::HashMap;
use std::time::Duration;

use arrow::array::RecordBatch;

use super::memory::{Memory, Statistic};
use crate::disclose::Fired;
use crate::disclose::cells::Figure;

/// Most cells that are kept, of all answers together: some 60 bytes each.
const MOST_CELLS: usize = 200_000;

/// What left, and what the rules took of it.
#[derive(Debug, Clone)]
pub(in crate::disclose) struct Answer {
    pub(in crate::disclose) batch: RecordBatch,
    pub(in crate::disclose) fired: Fired,
    /// how long computing it took
    pub(in crate::disclose) took: Duration,
}

/// The cells that an answer tells: where they are in the memory, and what they showed.
#[derive(Debug)]
pub(in crate::disclose) struct Told(Vec<(Statistic, Vec<Shown>)>);

/// Where a cell is, and what it showed.
type Shown = (usize, Option<Figure>);

impl Told {
    pub(super) fn of(cells: Vec<(Statistic, usize)>, memory: &Memory) -> Self {
        let mut told: Vec<(Statistic, Vec<Shown>)> = vec![];
        for (statistic, place) in cells {
            let figure = memory.cell(&statistic, place).and_then(|cell| cell.figure);
            match told.last_mut().filter(|(last, _)| *last == statistic) {
                Some((_, cells)) => cells.push((place, figure)),
                None => told.push((statistic, vec![(place, figure)])),
            }
        }
        Self(told)
    }

    fn still_holds(&self, memory: &Memory) -> bool {
        self.0.iter().all(|(statistic, cells)| {
            let shows = |place: &usize| memory.cell(statistic, *place).map(|cell| cell.figure);
            cells.iter().all(|(place, figure)| shows(place) == Some(*figure))
        })
    }
}

/// Answers by their questions.
#[derive(Debug, Default)]
pub(super) struct Answers {
    known: HashMap<String, (Told, Answer)>,
    cells: usize,
}

impl Answers {
    pub(super) fn add(&mut self, question: String, told: Told, answer: Answer) {
        // A question counts, though it may have no cell.
        let cells = 1 + answer.batch.num_rows() * answer.batch.num_columns();
        if cells > MOST_CELLS {
            return;
        }
        self.cells += cells;
        if self.cells > MOST_CELLS {
            self.known.clear();
            self.cells = cells;
        }
        self.known.insert(question, (told, answer));
    }

    pub(super) fn again(&mut self, question: &str, memory: &Memory) -> Option<Answer> {
        let (told, answer) = self.known.get(question)?;
        if told.still_holds(memory) {
            return Some(answer.clone());
        }
        self.known.remove(question);
        None
    }
}
