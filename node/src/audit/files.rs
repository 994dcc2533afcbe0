//! The files of a log: the one that is written, the numbered ones before it, and the head record.
//!
//! The head record names the last line that is on disk. It is written after the line it names, so it is never ahead of the log:
//! a log that ends before it was cut. It has two places that take turns, so that a power cut leaves one of them whole.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::chain::{is_signed, signed};
use super::key::{Key, PublicKey};

/// Bytes of one of the two places.
const SLOT: usize = 512;

/// `audit.jsonl` → `audit.jsonl.head`
fn beside(log: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(log);
    name.push(ending);
    name.into()
}

/// The files that were written before the present one, in order, with their numbers.
pub(super) fn numbered(log: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let folder = folder(log);
    let name = log.file_name().unwrap_or_default().to_string_lossy().into_owned() + ".";
    let mut found = Vec::new();
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let number = entry.file_name().to_string_lossy().strip_prefix(&name).and_then(|number| {
            let digits = number.len() >= 6 && number.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| number.parse().ok()).flatten()
        });
        if let Some(number) = number {
            found.push((number, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// All files of the log in the order of their lines; the last is the one that is written, if it is there.
pub(super) fn all(log: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = numbered(log)?.into_iter().map(|(_, path)| path).collect();
    if log.try_exists()? {
        files.push(log.to_owned());
    }
    Ok(files)
}

/// Opens the file that is written; a new one is in its folder for good before this returns.
pub(super) fn open(log: &Path) -> io::Result<File> {
    let file = OpenOptions::new().create(true).read(true).append(true).mode(0o640).open(log)?;
    file.sync_all()?;
    sync_folder(log)?;
    Ok(file)
}

/// Gives the file that is written the next number, and opens a new one.
pub(super) fn rotate(log: &Path) -> io::Result<File> {
    let next = numbered(log)?.last().map_or(1, |(number, _)| number + 1);
    match fs::rename(log, beside(log, &format!(".{next:06}"))) {
        // An earlier attempt ended here.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        renamed => renamed?,
    }
    super::step::reached("renamed");
    open(log)
}

/// What is in a file's folder stays there through a power cut.
pub(super) fn sync_folder(file: &Path) -> io::Result<()> {
    File::open(folder(file))?.sync_all()
}

fn folder(file: &Path) -> &Path {
    let parent = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    parent.unwrap_or_else(|| Path::new("."))
}

/// The last line that is on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// its place in the log; 0 before the first
    #[serde(rename = "head")]
    pub(super) seq: u64,
    /// its SHA-256
    pub(super) digest: String,
}

/// What the head record says.
#[derive(Debug)]
pub(super) enum Found {
    /// there is none
    Nothing,
    /// no place of it is signed with the key
    Damaged,
    /// the newest, and whether the other place is damaged
    Head(Head, bool),
}

/// The head record, held by one process at a time.
#[derive(Debug)]
pub(super) struct HeadFile {
    file: File,
    turn: bool,
}

impl HeadFile {
    /// Opens it for this process alone.
    pub(super) fn open(log: &Path) -> io::Result<Self> {
        let path = beside(log, ".head");
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path)?;
        file.try_lock().map_err(|_| {
            let text = format!("another process writes this log: it holds {}", path.display());
            io::Error::new(io::ErrorKind::ResourceBusy, text)
        })?;
        Ok(Self { file, turn: false })
    }

    /// Both places say that nothing was written yet, and stay so through a power cut.
    pub(super) fn begin(&mut self, log: &Path, key: &Key) -> io::Result<()> {
        self.write(&Head::default(), key)?;
        self.write(&Head::default(), key)?;
        self.sync()?;
        sync_folder(log)
    }

    /// Writes the head in the older place. It survives this process, and after [`Self::sync`] the machine.
    pub(super) fn write(&mut self, head: &Head, key: &Key) -> io::Result<()> {
        let mut text = signed(head, key)?.into_bytes();
        text.resize(SLOT - 1, b' ');
        text.push(b'\n');
        self.file.write_all_at(&text, if self.turn { SLOT as u64 } else { 0 })?;
        self.turn = !self.turn;
        Ok(())
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// Reads the head record.
pub(super) fn head(log: &Path, key: &PublicKey) -> io::Result<Found> {
    let bytes = match fs::read(beside(log, ".head")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        bytes => bytes?,
    };
    if bytes.is_empty() {
        return Ok(Found::Nothing);
    }
    let slot = |slot: &[u8]| {
        let text = slot.trim_ascii_end();
        is_signed(text, key).then(|| serde_json::from_slice::<Head>(text).ok()).flatten()
    };
    let heads: Vec<Option<Head>> = bytes.chunks(SLOT).map(slot).collect();
    let damaged = heads.len() != 2 || heads.iter().any(Option::is_none);
    let newest = heads.into_iter().flatten().max_by_key(|head| head.seq);
    Ok(newest.map_or(Found::Damaged, |head| Found::Head(head, damaged)))
}
