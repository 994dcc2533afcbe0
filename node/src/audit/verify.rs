//! Whether a log is what the node wrote, and where it is not.
//!
//! A signature shows a line that was changed or put in. The numbers of the lines show what was moved: as few lines as can be are
//! said to be out of place (those outside a longest increasing subsequence), and what is in no place is missing. The head
//! record shows a log that was cut at its end. What is whole must also be true: every request that was opened ended once.

mod order;
mod requests;

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use super::chain::{digest, lines};
use super::files::{self, Found, Head};
use super::key::PublicKey;
use crate::settings::{AuditSettings, SettingsError};
use order::in_order;
use requests::Requests;

/// Something that the node did not leave so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// name of the file
    pub(crate) file: String,
    /// line of the file, from 1; 0: the file as a whole
    pub(crate) line: usize,
    /// place in the chain, if it is known
    pub(crate) seq: Option<u64>,
    /// what is wrong
    pub(crate) what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if let Some(seq) = self.seq {
            write!(f, " (seq {seq})")?;
        }
        write!(f, ": {}", self.what)
    }
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// files read
    pub(crate) files: usize,
    /// lines of the chain
    pub(crate) lines: usize,
    /// requests that ended
    pub(crate) ended: usize,
    /// what is wrong; empty: the log is whole
    pub(crate) problems: Vec<Problem>,
    /// what is worth knowing and not wrong
    pub(crate) notes: Vec<String>,
}

/// A line that is there, or something in the place of one.
#[derive(Debug)]
struct Mark {
    file: usize,
    line: usize,
    /// `None`: no line of this node
    seq: Option<u64>,
    digest: String,
    previous: String,
}

/// All there is.
#[derive(Debug, Default)]
struct Chain {
    files: Vec<String>,
    marks: Vec<Mark>,
    /// whether the last bytes are the beginning of a line
    unfinished: bool,
}

impl Chain {
    fn problem(&self, mark: &Mark, what: String) -> Problem {
        let file = self.files.get(mark.file).cloned().unwrap_or_default();
        Problem { file, line: mark.line, seq: mark.seq, what }
    }
}

/// An audit log that cannot be verified.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// its configuration
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// its key or its files
    #[error("the audit log or its key cannot be read")]
    Read(#[from] io::Error),
}

/// What is not as this node wrote it in the audit log of a configuration file: file, line, place in the chain, and what is
/// wrong. Empty: the log is whole.
///
/// # Errors
/// A configuration, key or log that cannot be read.
pub fn problems(config: &Path) -> Result<Vec<String>, Unreadable> {
    let settings = AuditSettings::load(config)?;
    let report = verify(&settings.file, &PublicKey::load(&settings.key)?)?;
    Ok(report.problems.iter().map(ToString::to_string).collect())
}

/// Verifies all files of the log.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn verify(log: &Path, key: &PublicKey) -> io::Result<Report> {
    // First the head, then the log: a node that runs only adds to the log.
    let head = head_of(log, key)?;
    let mut requests = Requests::default();
    let chain = chain_of(log, key, &mut requests)?;
    let mut report = Report { files: chain.files.len(), ..Report::default() };
    report.lines = chain.marks.iter().filter(|mark| mark.seq.is_some()).count();
    let name = log.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let whole = |what: &str| Problem { file: name.clone(), line: 0, seq: None, what: what.to_owned() };
    if chain.marks.is_empty() && matches!(head, Found::Nothing) {
        report.problems.push(whole("there is no log here: neither a line nor a head record"));
        return Ok(report);
    }
    if report.lines == 0 && !chain.marks.is_empty() && !matches!(head, Found::Head(..)) {
        report
            .problems
            .push(whole("no line is signed with this key: it is another node's log, or another key"));
        return Ok(report);
    }
    report.problems = in_order(&chain);
    let expected = match &head {
        Found::Head(_, true) => Some("one of the two places of the head record is damaged"),
        Found::Damaged => Some("the head record is not signed with this key"),
        Found::Nothing => Some("the head record is gone: whether the log was cut at its end cannot be told"),
        Found::Head(_, false) => None,
    };
    let record = |what: &str| Problem { file: format!("{name}.head"), ..whole(what) };
    report.problems.extend(expected.map(record));
    if let Found::Head(head, _) = &head {
        report.problems.extend(cut(&chain, head, &whole));
    }
    if chain.unfinished {
        let note =
            "the last line has no end: it is being written, or a crash cut it and the next start seals it";
        report.notes.push(note.to_owned());
    }
    // In a chain with gaps, requests without an end are no news.
    if report.problems.is_empty() {
        report.problems.append(&mut requests.problems);
    }
    report.ended = requests.ended();
    report.notes.extend(requests.note());
    Ok(report)
}

/// The head record; a place that is being written while it is read is read again.
fn head_of(log: &Path, key: &PublicKey) -> io::Result<Found> {
    let mut found = files::head(log, key)?;
    for _ in 0..3 {
        if matches!(found, Found::Damaged | Found::Head(_, true)) {
            found = files::head(log, key)?;
        }
    }
    Ok(found)
}

fn chain_of(log: &Path, key: &PublicKey, requests: &mut Requests) -> io::Result<Chain> {
    let mut chain = Chain::default();
    let paths = files::all(log)?;
    for (file, path) in paths.iter().enumerate() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = fs::read(path)?;
        for placed in lines(&bytes, key, false) {
            if !placed.whole && placed.line.is_none() && file + 1 == paths.len() {
                chain.unfinished = true;
                continue;
            }
            let text = bytes.get(placed.span).unwrap_or_default();
            let mut mark =
                Mark { file, line: placed.number, seq: None, digest: digest(text), previous: String::new() };
            if let Some(line) = &placed.line {
                mark.seq = Some(line.seq);
                mark.previous.clone_from(&line.previous);
                requests.read(line, &name, placed.number);
            }
            chain.marks.push(mark);
        }
        chain.files.push(name);
    }
    Ok(chain)
}

/// Whether the log reaches the line that the head record names, and has that line.
fn cut(chain: &Chain, head: &Head, whole: &impl Fn(&str) -> Problem) -> Option<Problem> {
    let last = chain.marks.iter().filter_map(|mark| mark.seq).max().unwrap_or(0);
    let foreign = chain.marks.iter().rev().take_while(|mark| mark.seq.is_none()).count() as u64;
    if last + foreign < head.seq {
        let gone = head.seq - last - foreign;
        let what = format!(
            "the end is cut off: the log ends at seq {}, its head record names seq {}; {gone} lines are missing",
            last + foreign,
            head.seq
        );
        return Some(match chain.marks.last() {
            Some(mark) => chain.problem(mark, what),
            None => whole(&what),
        });
    }
    let named = chain.marks.iter().find(|mark| mark.seq == Some(head.seq))?;
    (named.digest != head.digest)
        .then(|| chain.problem(named, "this is not the line that the head record names".to_owned()))
}
