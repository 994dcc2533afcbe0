//! Every request that was opened ended once.

use std::collections::{BTreeMap, HashSet};

use super::Problem;
use crate::audit::line::{Line, Outcome};

#[derive(Debug, Default)]
pub(super) struct Requests {
    /// opened and not ended: where
    open: BTreeMap<u64, (String, usize, u64)>,
    ended: HashSet<u64>,
    pub(super) problems: Vec<Problem>,
}

impl Requests {
    pub(super) fn read(&mut self, line: &Line, file: &str, number: usize) {
        let at = (file.to_owned(), number, line.seq);
        match line.outcome {
            Outcome::Asked => {
                if self.ended.contains(&line.entry) || self.open.contains_key(&line.entry) {
                    self.problems.push(problem(&at, format!("request {} is opened twice", line.entry)));
                }
                self.open.insert(line.entry, at);
            }
            // A start ends whatever a crash left open.
            Outcome::Started => {
                for (entry, at) in std::mem::take(&mut self.open) {
                    self.problems.push(problem(&at, format!("request {entry} was opened and never ended")));
                }
            }
            Outcome::Released | Outcome::Refused | Outcome::Abandoned | Outcome::Crashed => {
                self.open.remove(&line.entry);
                if !self.ended.insert(line.entry) {
                    self.problems.push(problem(&at, format!("request {} ends a second time", line.entry)));
                }
            }
            Outcome::Torn | Outcome::Unrecorded => {}
        }
    }

    pub(super) fn ended(&self) -> usize {
        self.ended.len()
    }

    /// Requests without an end at the end of the log.
    pub(super) fn note(&self) -> Option<String> {
        let open = self.open.len();
        (open > 0).then(|| {
            format!("{open} requests have no end yet: they are under way, or the node crashed and its next start ends them")
        })
    }
}

fn problem((file, line, seq): &(String, usize, u64), what: String) -> Problem {
    Problem { file: file.clone(), line: *line, seq: Some(*seq), what }
}
