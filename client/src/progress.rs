//! One line on the terminal that says how far the nodes are, replaced as they answer and gone before the answer.

use std::io::{self, Write};

use serde::Deserialize;

use crate::surroundings::printable;

/// One report of the action `jigsaw.progress`.
#[derive(Debug, Deserialize)]
struct Report {
    asked: u64,
    answered: u64,
    #[serde(default)]
    waiting: Vec<String>,
}

/// The line, if one is wanted.
pub(crate) struct Progress<'a> {
    pub(crate) stderr: &'a mut dyn Write,
    pub(crate) width: u16,
    pub(crate) drawn: bool,
}

impl Progress<'_> {
    /// Shows a report; one that cannot be read is passed over, for progress is a courtesy.
    pub(crate) fn show(&mut self, body: &[u8]) -> io::Result<()> {
        let Ok(report) = serde_json::from_slice::<Report>(body) else { return Ok(()) };
        let mut line = format!("{} of {} nodes answered", report.answered, report.asked);
        if !report.waiting.is_empty() {
            line.push_str(", waiting for ");
            line.push_str(&report.waiting.join(", "));
        }
        let room = usize::from(self.width).saturating_sub(1);
        let line: String = printable(&line).chars().filter(|c| !c.is_control()).take(room).collect();
        self.drawn = true;
        write!(self.stderr, "\r\x1b[K{line}")?;
        self.stderr.flush()
    }

    /// Takes the line away.
    pub(crate) fn clear(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.drawn) {
            write!(self.stderr, "\r\x1b[K")?;
            self.stderr.flush()?;
        }
        Ok(())
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        // Reached with the line still drawn only when the query was cancelled or failed.
        drop(self.clear());
    }
}
