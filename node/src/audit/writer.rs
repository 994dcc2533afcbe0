//! One thread writes: whatever waits is written together and made durable together (group commit).

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tracing::error;

use jigsaw_proto::refusal::RefusalCode;

use super::line::{Line, Outcome};
use super::log::Log;
use super::{now, step};

/// Most lines of one group.
const GROUP: usize = 1024;
/// Most refusals that are kept while the log cannot be written, to be written when it can.
const OWED: usize = 1024;
/// Longest time that what nobody waits for, and the head record, are not on disk.
const LAG: Duration = Duration::from_secs(1);

/// What the writer is asked to do.
#[derive(Debug)]
pub(super) enum Message {
    /// Write a line; tell when it is on disk, if somebody waits.
    Line(Box<Line>, Option<oneshot::Sender<io::Result<()>>>),
    /// Another file in the place of the log's, which is given back.
    #[cfg(test)]
    Swap(std::fs::File, std::sync::mpsc::Sender<std::fs::File>),
    /// Tell when all before this is written.
    #[cfg(test)]
    Settle(std::sync::mpsc::Sender<()>),
}

#[derive(Debug)]
pub(super) struct Writer {
    log: Log,
    /// written, not yet known to be on disk
    pending: Vec<Line>,
    /// ends of requests that could not be written
    owed: Vec<Line>,
    /// how many more there were
    unrecorded: u64,
    /// since when there is something that a power cut would take, or that is owed
    unsettled: Option<Instant>,
}

impl Writer {
    pub(super) fn new(log: Log) -> Self {
        Self { log, pending: vec![], owed: vec![], unrecorded: 0, unsettled: None }
    }

    /// Writes until nobody can ask for more.
    pub(super) fn run(mut self, messages: &Receiver<Message>) {
        loop {
            let first = match self.unsettled.map(|since| LAG.saturating_sub(since.elapsed())) {
                None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(Duration::ZERO) => Err(RecvTimeoutError::Timeout),
                Some(left) => messages.recv_timeout(left),
            };
            match first {
                Ok(first) => self.group(first, messages),
                Err(RecvTimeoutError::Timeout) => self.settle(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.settle();
    }

    /// Takes whatever else waits, and writes it.
    fn group(&mut self, first: Message, messages: &Receiver<Message>) {
        let (mut lines, mut waiting) = (Vec::new(), Vec::new());
        let mut next = Ok(first);
        loop {
            match next {
                Ok(Message::Line(line, done)) => {
                    lines.push(*line);
                    waiting.extend(done);
                }
                #[cfg(test)]
                Ok(Message::Swap(file, back)) => {
                    self.write(std::mem::take(&mut lines), std::mem::take(&mut waiting));
                    back.send(std::mem::replace(&mut self.log.file, file)).unwrap();
                }
                #[cfg(test)]
                Ok(Message::Settle(done)) => {
                    self.write(std::mem::take(&mut lines), std::mem::take(&mut waiting));
                    done.send(()).unwrap();
                }
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
            if lines.len() >= GROUP {
                break;
            }
            next = messages.try_recv();
        }
        self.write(lines, waiting);
    }

    /// What nobody waits for is on disk after this, unless it cannot be.
    fn settle(&mut self) {
        self.unsettled = None;
        let (written, _) = self.commit(vec![], true);
        let recorded = self.log.record();
        if let Err(problem) = written.and(recorded) {
            error!(error = %problem.kind(), "the audit log cannot be written");
            self.unsettled = Some(Instant::now());
        }
    }

    fn write(&mut self, lines: Vec<Line>, waiting: Vec<oneshot::Sender<io::Result<()>>>) {
        if lines.is_empty() {
            return;
        }
        self.unsettled.get_or_insert_with(Instant::now);
        let (written, lost) = self.commit(lines, !waiting.is_empty());
        if let Err(problem) = &written {
            error!(error = %problem.kind(), lines = lost, "the audit log cannot be written");
        }
        for done in waiting {
            let result = written.as_ref().map_err(|problem| io::Error::from(problem.kind()));
            // Whoever waited may have hung up; the line stands.
            _ = done.send(result.copied());
        }
        step::reached("told");
    }

    /// Writes what is owed and these lines; on failure, how many lines are not in the log.
    fn commit(&mut self, lines: Vec<Line>, durably: bool) -> (io::Result<()>, usize) {
        let mut group = std::mem::take(&mut self.owed);
        if self.unrecorded > 0 {
            let unrecorded = Some(self.unrecorded);
            group.push(Line { time: now(), outcome: Outcome::Unrecorded, unrecorded, ..Line::default() });
        }
        group.extend(lines);
        let written = self.log.commit(&mut group, durably);
        if written.is_err() {
            let lost = std::mem::take(&mut self.pending).into_iter().chain(group);
            let lost: Vec<Line> = lost.filter_map(unwritten).collect();
            let count = lost.len();
            self.unrecorded += count.saturating_sub(OWED) as u64;
            self.owed = lost;
            self.owed.truncate(OWED);
            return (written, count);
        }
        self.unrecorded = 0;
        if durably {
            self.pending.clear();
        } else {
            self.pending.extend(group);
        }
        (written, 0)
    }
}

/// What the end of a request becomes when it could not be written: nothing was released.
fn unwritten(line: Line) -> Option<Line> {
    match line.outcome {
        Outcome::Released | Outcome::Refused => Some(Line {
            outcome: Outcome::Refused,
            code: RefusalCode::AuditUnavailable.to_string(),
            released_cells: None,
            withheld_cells: None,
            bytes: None,
            digest: String::new(),
            ..line
        }),
        Outcome::Abandoned | Outcome::Crashed => Some(line),
        Outcome::Asked | Outcome::Started | Outcome::Torn | Outcome::Unrecorded => None,
    }
}
