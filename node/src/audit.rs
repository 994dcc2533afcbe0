//! The node's own record: what every request asked and how it ended, written before anything leaves.
//!
//! ```text
//!  request ──▶ asked ──▶ released | refused | abandoned      after a crash: crashed
//!               └ opens an entry     └ ends it, on disk before the answer leaves
//! ```
//!
//! The log is lines of JSON. Each names the SHA-256 of the line before and is signed, so that a line that is changed, taken
//! out, put in or moved is found; the head record finds a log that was cut. It holds no value of a row.
//!
//! * `line` – what a line says
//! * `chain`, `key` – how lines hold together
//! * `files` – the present file, the numbered ones before it, the head record
//! * `log`, `writer` – lines appended in groups by one thread
//! * `start` – where the log ended when the node last stopped
//! * `verify` – whether it is what the node wrote

mod chain;
mod files;
pub(crate) mod key;
pub(crate) mod line;
mod log;
pub(crate) mod read;
mod start;
pub(crate) mod step;
#[cfg(test)]
mod tests;
pub(crate) mod verify;
mod writer;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{SecondsFormat, Utc};
use jigsaw_proto::identity::Assertion;
use jigsaw_proto::refusal::Refusal;
use jigsaw_proto::release::Manifest;
use jigsaw_proto::wire::FragmentRequest;
use tokio::sync::oneshot;
use tracing::error;

use crate::authorise::{Proof, Who};
use crate::disclose::Fired;
use crate::settings::AuditSettings;
use line::{Line, Outcome};
use writer::{Message, Writer};

/// The log, open for writing.
#[derive(Debug, Clone)]
pub(crate) struct Audit(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: Option<Sender<Message>>,
    writer: Option<JoinHandle<()>>,
    next: AtomicU64,
}

impl Audit {
    /// Opens the log for appending, and ends what a crash left open. The key is made if there is neither key nor log.
    ///
    /// # Errors
    /// Files that cannot be read or written, and a log that is not as this node left it.
    pub(crate) fn open(settings: &AuditSettings) -> io::Result<Self> {
        let (log, next) = start::open(settings)?;
        let (queue, messages) = channel();
        let writer = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || Writer::new(log).run(&messages))?;
        Ok(Self(Arc::new(Shared { queue: Some(queue), writer: Some(writer), next: AtomicU64::new(next) })))
    }

    /// Opens the entry of one request.
    pub(crate) fn entry(&self, coordinator: &str) -> Entry {
        let entry = self.0.next.fetch_add(1, Ordering::Relaxed);
        let line = Line { entry, coordinator: coordinator.to_owned(), ..Line::default() };
        Entry { audit: self.clone(), line: Some(line), opened: Instant::now() }
    }

    fn send(&self, line: Line, done: Option<oneshot::Sender<io::Result<()>>>) -> io::Result<()> {
        let gone = || io::Error::new(io::ErrorKind::BrokenPipe, "the audit log's writer has ended");
        let queue = self.0.queue.as_ref().ok_or_else(gone)?;
        queue.send(Message::Line(Box::new(line), done)).map_err(|_| gone())
    }
}

/// Whatever is queued is written before the last owner is gone.
impl Drop for Shared {
    fn drop(&mut self) {
        self.queue = None;
        if self.writer.take().is_some_and(|writer| writer.join().is_err()) {
            error!("the audit log's writer panicked");
        }
    }
}

/// The entry of a request under way. It is ended exactly once: by `released`, by `refused`, or, dropped, as abandoned.
#[derive(Debug)]
pub(crate) struct Entry {
    audit: Audit,
    line: Option<Line>,
    opened: Instant,
}

impl Entry {
    /// What is known once the request is decoded. It is written, not waited for: should the node go down before the request
    /// ends, its next start writes the end.
    pub(crate) fn asked(&mut self, request: &FragmentRequest, ticket: &[u8]) {
        let Some(line) = &mut self.line else { return };
        line.query = request.query.to_string();
        // A token is good for more than this request: it is not kept.
        line.request = if request.assertion.is_empty() {
            STANDARD.encode(ticket)
        } else {
            let request = FragmentRequest { assertion: Assertion::default(), ..request.clone() };
            STANDARD.encode(request.encode())
        };
        let asked = Line { time: now(), outcome: Outcome::Asked, ..line.clone() };
        line.principal.clone_from(&request.principal);
        line.purpose.clone_from(&request.purpose);
        line.fragment = request.fragment.to_string();
        if let Err(problem) = self.audit.send(asked, None) {
            error!(error = %problem.kind(), "the audit log cannot be written");
        }
        step::reached("asked");
    }

    /// Who asks, and by what proof.
    pub(crate) fn proved(&mut self, who: &Who) {
        let Some(line) = &mut self.line else { return };
        line.principal.clone_from(&who.principal);
        line.groups = who.groups.iter().cloned().collect();
        match &who.proof {
            Proof::None => {}
            Proof::Token { issuer, digest } => {
                (line.verified, line.assertion) = (format!("token of {issuer}"), digest.clone());
            }
            Proof::Statement(signed) => {
                line.verified = match &signed.issuer {
                    None => "signed by the analyst".to_owned(),
                    Some(issuer) => format!("signed by the holder of a token of {issuer}"),
                };
                line.question.clone_from(&signed.statement.question);
                line.assertion.clone_from(&signed.text);
            }
        }
    }

    /// The data-sharing agreement of the grant that lets the principal ask.
    pub(crate) fn granted(&mut self, agreement: &str) {
        if let Some(line) = &mut self.line {
            agreement.clone_into(&mut line.agreement);
        }
    }

    /// Hash of the policy that decides.
    pub(crate) fn under(&mut self, policy: String) {
        if let Some(line) = &mut self.line {
            line.policy = policy;
        }
    }

    /// Records a release. Only if this succeeds may the release leave.
    pub(crate) async fn released(
        mut self,
        manifest: &Manifest,
        fired: &Fired,
        bytes: &[u8],
    ) -> io::Result<()> {
        let Some(mut line) = self.line.take() else { return Ok(()) };
        line.rules.clone_from(&manifest.rules);
        line.fired = fired.iter().map(|(rule, times)| ((*rule).to_owned(), *times)).collect();
        line.released_cells = Some(manifest.released_cells);
        line.withheld_cells = Some(manifest.withheld_cells);
        line.policy.clone_from(&manifest.policy);
        line.bytes = Some(bytes.len() as u64);
        line.digest = chain::digest(bytes);
        self.end(line, Outcome::Released).await
    }

    /// Records a refusal.
    pub(crate) async fn refused(mut self, refusal: &Refusal) -> io::Result<()> {
        let Some(mut line) = self.line.take() else { return Ok(()) };
        line.code = refusal.code.to_string();
        self.end(line, Outcome::Refused).await
    }

    /// The line is sent before the first wait: whoever stops waiting does not stop the writing.
    async fn end(&self, line: Line, outcome: Outcome) -> io::Result<()> {
        let (done, told) = oneshot::channel();
        self.audit.send(ended(line, outcome, self.opened), Some(done))?;
        told.await.map_err(io::Error::other)?
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(line) = self.line.take()
            && let Err(problem) = self.audit.send(ended(line, Outcome::Abandoned, self.opened), None)
        {
            error!(error = %problem.kind(), "the audit log cannot be written");
        }
    }
}

fn ended(line: Line, outcome: Outcome, opened: Instant) -> Line {
    let milliseconds = Some(u64::try_from(opened.elapsed().as_millis()).unwrap_or(u64::MAX));
    Line { time: now(), outcome, milliseconds, ..line }
}

fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
impl Audit {
    /// Another file in the place of the log's, which is given back.
    pub(crate) fn swap(&self, file: std::fs::File) -> std::fs::File {
        let (back, swapped) = channel();
        self.0.queue.as_ref().unwrap().send(Message::Swap(file, back)).unwrap();
        swapped.recv().unwrap()
    }

    /// Waits until all that was sent is written.
    pub(crate) fn settle(&self) {
        let (done, settled) = channel();
        self.0.queue.as_ref().unwrap().send(Message::Settle(done)).unwrap();
        settled.recv().unwrap();
    }
}
