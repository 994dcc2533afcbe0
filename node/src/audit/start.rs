//! The log at the start of a node: where it ends, and which requests a crash left open.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jigsaw_proto::wire::FragmentRequest;

use super::chain::{Placed, digest, is_signed, lines};
use super::files::{self, Found, Head, HeadFile};
use super::key::Key;
use super::line::{Line, Outcome};
use super::log::{Log, Point};
use super::now;
use crate::settings::AuditSettings;

/// What the files say.
#[derive(Debug, Default)]
struct State {
    /// requests opened and not ended
    open: BTreeMap<u64, Line>,
    /// number of the next request
    next: u64,
}

impl State {
    fn read(&mut self, line: Line) {
        self.next = self.next.max(line.entry + 1);
        match line.outcome {
            Outcome::Started => {
                self.open.clear();
            }
            Outcome::Asked => {
                self.open.insert(line.entry, line);
            }
            Outcome::Released | Outcome::Refused | Outcome::Abandoned | Outcome::Crashed => {
                self.open.remove(&line.entry);
            }
            Outcome::Torn | Outcome::Unrecorded => {}
        }
    }
}

/// Opens the log, ends what a crash left open, and says that the node starts. Gives the number of the next request.
///
/// # Errors
/// Files that cannot be read or written, and a log that is not the one this node left: it is evidence, and stays as it is.
pub(super) fn open(settings: &AuditSettings) -> io::Result<(Log, u64)> {
    let path = &settings.file;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut head = HeadFile::open(path)?;
    let (key, recorded) = keyed(settings, &mut head)?;
    let mut before = State::default();
    let (durable, torn) = end(path, &key, &recorded, &mut before)?;
    let file = files::open(path)?;
    let tip = durable.clone();
    let mut log = Log { path: path.clone(), key, file, head, tip, durable, rotate: settings.rotate, torn };
    let next = before.next.max(1);
    let mut first: Vec<Line> = before.open.into_values().map(crashed).collect();
    let note = concat!("jigsaw-node ", env!("CARGO_PKG_VERSION")).to_owned();
    let mut start = Line { time: now(), outcome: Outcome::Started, note, ..Line::default() };
    start.entry = next - 1;
    first.push(start);
    log.commit(&mut first, true)?;
    // Both places of the head record are whole from here on.
    log.record()?;
    log.record()?;
    Ok((log, next))
}

/// The key and what the head record says; both are made if there is neither key nor log. A key without a head record is that of
/// a log that was taken away.
fn keyed(settings: &AuditSettings, head: &mut HeadFile) -> io::Result<(Key, Head)> {
    let AuditSettings { file: path, key, .. } = settings;
    if !key.try_exists()? {
        for file in files::all(path)? {
            if fs::metadata(file)?.len() > 0 {
                return Err(refused(path, &format!("its key {} is gone: put it back", key.display())));
            }
        }
        return Ok((Key::create(key, |key| head.begin(path, key))?, Head::default()));
    }
    let key = Key::load(key)?;
    match files::head(path, &key.public())? {
        Found::Head(head, _) => Ok((key, head)),
        Found::Nothing => Err(refused(path, "there is a key, and its head record is gone")),
        Found::Damaged => Err(refused(path, "its head record is not signed with this node's key")),
    }
}

/// Reads the files back to the last start. Gives where the last good line ends, and whether something is after it.
fn end(path: &Path, key: &Key, recorded: &Head, state: &mut State) -> io::Result<(Point, bool)> {
    let public = key.public();
    let (mut found, mut last, mut torn, mut known) = (Vec::new(), None, false, recorded.seq == 0);
    for file in files::all(path)?.into_iter().rev() {
        let bytes = fs::read(&file)?;
        let text = |at: &Placed| bytes.get(at.span.clone()).unwrap_or_default();
        let mut placed = lines(&bytes, &public, true);
        if last.is_none() {
            // The last line that is whole and signed; what is after it was never waited for to the end.
            let good = |at: &Placed| at.whole && at.line.is_some() && is_signed(text(at), &public);
            while placed.last().is_some_and(|at| !good(at)) {
                placed.pop();
            }
            last = placed.last().and_then(|at| Some((at, at.line.as_ref()?.seq))).map(|(at, seq)| {
                let length = if file == *path { at.span.end as u64 + 1 } else { 0 };
                Point { head: Head { seq, digest: digest(text(at)) }, length }
            });
            if file == *path {
                torn = last.as_ref().map_or(0, |last| last.length) < bytes.len() as u64;
            }
        }
        let is_head = |at: &Placed| {
            at.line.as_ref().is_some_and(|line| line.seq == recorded.seq)
                && digest(text(at)) == recorded.digest
        };
        known |= placed.iter().any(is_head);
        let mut here: Vec<Line> = placed.into_iter().filter_map(|at| at.line).collect();
        let started = here.iter().any(|line| line.outcome == Outcome::Started);
        here.append(&mut found);
        found = here;
        if started && known {
            break;
        }
    }
    let point = last.unwrap_or_default();
    if !known || point.head.seq < recorded.seq {
        let (ends, says) = (point.head.seq, recorded.seq);
        let text = format!("it ends at line {ends} of the chain and its head record names line {says}");
        return Err(refused(path, &text));
    }
    for line in found {
        state.read(line);
    }
    Ok((point, torn))
}

fn refused(path: &Path, problem: &str) -> io::Error {
    let name = path.display();
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!(
            "{problem}; 'jigsaw-node audit verify' tells more; keep the files as evidence: a new log begins where {name}* and the key were moved away"
        ),
    )
}

/// The end of a request that the node did not live to see.
fn crashed(asked: Line) -> Line {
    let mut line = Line { time: now(), outcome: Outcome::Crashed, ..asked };
    if let Some(request) =
        STANDARD.decode(&line.request).ok().and_then(|bytes| FragmentRequest::decode(&bytes).ok())
    {
        line.principal = request.principal;
        line.purpose = request.purpose;
        line.fragment = request.fragment.to_string();
    }
    line
}
