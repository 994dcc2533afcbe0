//! The node's own record: one line for every request, written before anything leaves.
//!
//! An entry is opened when a request is authorised and closed by `released` or `refused`; dropping it writes `abandoned`. It
//! holds who asked, why, the fragment as SQL, and what was done – never a value of a row.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use chrono::{SecondsFormat, Utc};
use jigsaw_proto::refusal::Refusal;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tracing::error;

use crate::disclose::Release;

/// The log file.
#[derive(Debug, Clone)]
pub(crate) struct Audit {
    log: Arc<Mutex<Log>>,
}

#[derive(Debug)]
struct Log {
    file: File,
    /// whether the last write failed and may have left half a line
    torn: bool,
}

/// One line of the log.
#[derive(Debug, Default, Serialize)]
struct Line {
    time: String,
    outcome: &'static str,
    query: String,
    coordinator: String,
    principal: String,
    purpose: String,
    fragment: String,
    code: String,
    rules: Vec<String>,
    fired: BTreeMap<&'static str, u64>,
    released_cells: u64,
    withheld_cells: u64,
    policy: String,
    bytes: usize,
    digest: String,
    milliseconds: u64,
}

impl Audit {
    /// Opens the log for appending. A last line that a crash tore is closed with a note, never cut off.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
        seal(&mut file)?;
        file.sync_all()?;
        Ok(Self { log: Arc::new(Mutex::new(Log { file, torn: false })) })
    }

    /// Opens the entry of one request.
    pub(crate) fn entry(&self, coordinator: &str) -> Entry {
        let line = Line { coordinator: coordinator.to_owned(), ..Line::default() };
        Entry { audit: self.clone(), line: Some(line), opened: Instant::now() }
    }

    fn append(&self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_string(line)?;
        text.push('\n');
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let Log { file, torn } = &mut *log;
        if *torn {
            seal(file)?;
        }
        *torn = true;
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        *torn = false;
        Ok(())
    }
}

/// A last line without an end, of a crash or a full disk, is closed with a note, never cut off.
fn seal(file: &mut File) -> io::Result<()> {
    if file.seek(SeekFrom::End(0))? > 0 {
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n{\"outcome\":\"torn\",\"note\":\"the line above was cut off\"}\n")?;
        }
    }
    Ok(())
}

/// The entry of a request under way. It is closed exactly once.
#[derive(Debug)]
pub(crate) struct Entry {
    audit: Audit,
    line: Option<Line>,
    opened: Instant,
}

impl Entry {
    /// What is known once the request is decoded.
    pub(crate) fn asked(&mut self, request: &jigsaw_proto::wire::FragmentRequest) {
        if let Some(line) = &mut self.line {
            line.query = request.query.to_string();
            line.principal.clone_from(&request.principal);
            line.purpose.clone_from(&request.purpose);
            line.fragment = request.fragment.to_string();
        }
    }

    /// Records a release. Only if this succeeds may the release leave.
    pub(crate) async fn released(mut self, release: &Release, bytes: &[u8]) -> io::Result<()> {
        let manifest = release.manifest();
        let digest = Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
            // Infallible: writing to a String.
            _ = write!(hex, "{byte:02x}");
            hex
        });
        let Some(mut line) = self.line.take() else { return Ok(()) };
        line.rules.clone_from(&manifest.rules);
        line.fired.clone_from(release.fired());
        line.released_cells = manifest.released_cells;
        line.withheld_cells = manifest.withheld_cells;
        line.policy.clone_from(&manifest.policy);
        line.bytes = bytes.len();
        line.digest = digest;
        self.write(line, "released").await
    }

    /// Records a refusal.
    pub(crate) async fn refused(mut self, refusal: &Refusal) -> io::Result<()> {
        let Some(mut line) = self.line.take() else { return Ok(()) };
        line.code = refusal.code.to_string();
        self.write(line, "refused").await
    }

    async fn write(&self, line: Line, outcome: &'static str) -> io::Result<()> {
        let (audit, line) = (self.audit.clone(), closed(line, outcome, self.opened));
        tokio::task::spawn_blocking(move || audit.append(&line)).await?
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(line) = self.line.take()
            && let Err(problem) = self.audit.append(&closed(line, "abandoned", self.opened))
        {
            error!(error = %problem.kind(), "the audit log cannot be written");
        }
    }
}

fn closed(line: Line, outcome: &'static str, opened: Instant) -> Line {
    Line {
        time: Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
        outcome,
        milliseconds: u64::try_from(opened.elapsed().as_millis()).unwrap_or(u64::MAX),
        ..line
    }
}

#[cfg(test)]
impl Audit {
    /// Another file in the place of the log's, which is given back.
    pub(crate) fn swap(&self, file: File) -> File {
        std::mem::replace(&mut self.log.lock().unwrap().file, file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &Path) -> Vec<String> {
        std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_line_that_a_crash_cut_off_is_sealed_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        std::fs::write(&path, "{\"outcome\":\"released\"}\n{\"outcome\":\"rel").unwrap();
        let audit = Audit::open(&path).unwrap();
        drop(audit.entry("coordinator.example"));
        let lines = lines(&path);
        assert_eq!(lines.len(), 4, "{lines:?}");
        assert_eq!(lines[1], "{\"outcome\":\"rel");
        assert!(lines[2].contains("torn"), "{lines:?}");
        assert!(lines[3].contains("abandoned"), "{lines:?}");
    }

    #[test]
    fn half_a_line_of_a_full_disk_does_not_swallow_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        let audit = Audit::open(&path).unwrap();
        let log = audit.swap(OpenOptions::new().append(true).open("/dev/full").unwrap());
        drop(audit.entry("coordinator.example"));
        std::fs::write(&path, "{\"outcome\":\"aban").unwrap();
        audit.swap(log);
        drop(audit.entry("coordinator.example"));
        drop(audit.entry("coordinator.example"));
        let lines = lines(&path);
        assert_eq!(lines.len(), 4, "{lines:?}");
        assert!(lines[1].contains("torn") && lines[2].contains("abandoned"), "{lines:?}");
    }
}
