//! The chain as it is written: lines appended, made durable, sealed after a failure, continued in a new file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::chain::{digest, signed};
use super::files::{self, Head, HeadFile};
use super::key::Key;
use super::line::{Line, Outcome, Torn};
use super::{now, step};

/// A place between two lines.
#[derive(Debug, Clone, Default)]
pub(super) struct Point {
    /// the line before it
    pub(super) head: Head,
    /// bytes of the file before it
    pub(super) length: u64,
}

/// The open log.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) path: PathBuf,
    pub(super) key: Key,
    pub(super) file: File,
    pub(super) head: HeadFile,
    /// after the last line written
    pub(super) tip: Point,
    /// after the last line known to be on disk
    pub(super) durable: Point,
    /// bytes after which a new file is begun
    pub(super) rotate: u64,
    /// whether there may be bytes after `durable` that are no lines
    pub(super) torn: bool,
}

impl Log {
    /// Writes lines, and makes them and all before them durable if `durably`.
    ///
    /// # Errors
    /// None of what is not yet durable is in the log: it goes back to the last durable line, and what stands after it is
    /// sealed before the next line.
    pub(super) fn commit(&mut self, lines: &mut [Line], durably: bool) -> io::Result<()> {
        let done = self.try_commit(lines, durably);
        if done.is_err() {
            self.torn = true;
            self.tip = self.durable.clone();
        }
        done
    }

    fn try_commit(&mut self, lines: &mut [Line], durably: bool) -> io::Result<()> {
        if self.file.metadata()?.nlink() == 0 {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the log was deleted under the node"));
        }
        if !self.torn && self.tip.length >= self.rotate {
            self.sync()?;
            self.file = files::rotate(&self.path)?;
            (self.tip.length, self.durable.length) = (0, 0);
        }
        let mut bytes = Vec::new();
        let mut head = self.tip.head.clone();
        if self.torn {
            bytes = self.seal(&mut head)?;
        }
        for line in lines {
            self.add(line, &mut head, &mut bytes)?;
        }
        if !bytes.is_empty() {
            self.torn = true;
            self.append(&bytes)?;
            self.torn = false;
            self.tip = Point { head, length: self.file.metadata()?.len() };
            step::reached("written");
        }
        if durably { self.sync() } else { Ok(()) }
    }

    #[cfg(not(test))]
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// In two halves, so that a test can crash between them.
    #[cfg(test)]
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (half, rest) = bytes.split_at(bytes.len() / 2);
        self.file.write_all(half)?;
        step::reached("half written");
        self.file.write_all(rest)
    }

    fn add(&self, line: &mut Line, head: &mut Head, bytes: &mut Vec<u8>) -> io::Result<()> {
        line.seq = head.seq + 1;
        line.previous.clone_from(&head.digest);
        let text = signed(line, &self.key)?;
        *head = Head { seq: line.seq, digest: digest(text.as_bytes()) };
        bytes.extend(text.bytes());
        bytes.push(b'\n');
        Ok(())
    }

    /// Half a line, of a crash or a full disk, is never cut off: a line after it says that it is none.
    fn seal(&mut self, head: &mut Head) -> io::Result<Vec<u8>> {
        let mut cut = Vec::new();
        let length = self.file.metadata()?.len().saturating_sub(self.durable.length);
        self.file.seek(SeekFrom::Start(self.durable.length))?;
        (&self.file).take(length).read_to_end(&mut cut)?;
        let mut bytes = Vec::new();
        if cut.is_empty() {
            return Ok(bytes);
        }
        if cut.last() != Some(&b'\n') {
            cut.push(b'\n');
            bytes.push(b'\n');
        }
        let torn = Torn { bytes: cut.len() as u64, digest: digest(&cut) };
        let note = "the bytes above this line were cut off".to_owned();
        let mut line =
            Line { time: now(), outcome: Outcome::Torn, torn: Some(torn), note, ..Line::default() };
        self.add(&mut line, head, &mut bytes)?;
        Ok(bytes)
    }

    /// Everything written is on disk after this.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if self.tip.head == self.durable.head {
            return Ok(());
        }
        self.file.sync_data()?;
        step::reached("durable");
        self.durable = self.tip.clone();
        Ok(())
    }

    /// The head record names the last line that is known to be on disk, and is there itself.
    pub(super) fn record(&mut self) -> io::Result<()> {
        self.head.write(&self.durable.head, &self.key)?;
        self.head.sync()
    }
}
