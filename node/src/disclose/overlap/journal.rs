//! The memory on disk: one JSON line for each decided cell, appended and synchronised before its release leaves.
//!
//! It holds keys of entities under the node's secret and figures that were released: it stays at the node, readable by the service
//! alone. A last line that a crash cut off belongs to a release that never left, and is removed; anything else that cannot be read
//! keeps the node from starting, for without its memory it would answer what it should not.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};

use super::members::Members;
use super::memory::{Cell, Memory, Statistic};
use crate::disclose::cells::Figure;

/// A cell as a line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    statistic: Statistic,
    /// little-endian words in base64
    holders: String,
    /// a whole number as text, a double as its bits; `None`: withheld
    whole: Option<String>,
    bits: Option<u64>,
    union: bool,
}

impl Line {
    fn of(statistic: &Statistic, cell: &Cell) -> Self {
        let bytes: Vec<u8> = cell.members.words().iter().flat_map(|word| word.to_le_bytes()).collect();
        let (whole, bits) = match cell.figure {
            None => (None, None),
            Some(Figure::Whole(value)) => (Some(value.to_string()), None),
            Some(Figure::Double(value)) => (None, Some(value.to_bits())),
        };
        let holders = STANDARD_NO_PAD.encode(bytes);
        Self { statistic: statistic.clone(), holders, whole, bits, union: cell.union }
    }

    fn cell(self) -> Option<(Statistic, Cell)> {
        let Self { statistic, holders, whole, bits, union } = self;
        let bytes = STANDARD_NO_PAD.decode(holders).ok()?;
        let (words, rest) = bytes.as_chunks::<8>();
        if !rest.is_empty() {
            return None;
        }
        let figure = match (whole, bits) {
            (None, None) => None,
            (Some(whole), None) => Some(Figure::Whole(whole.parse().ok()?)),
            (None, Some(bits)) => Some(Figure::Double(f64::from_bits(bits))),
            (Some(_), Some(_)) => return None,
        };
        let members = Members::from_words(words.iter().map(|word| u64::from_le_bytes(*word)).collect());
        Some((statistic, Cell::new(members, figure, union)))
    }
}

/// The file, open for appending, and nobody else's.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    /// the length up to which it is whole
    length: u64,
}

impl Journal {
    /// Opens the file and reads what it holds.
    ///
    /// # Errors
    /// A file that cannot be opened, that another node has open, or that is damaged.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Memory)> {
        let mut options = OpenOptions::new();
        options.create(true).read(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        file.try_lock().map_err(|_| io::Error::other("another node has it open: each node needs its own"))?;
        let mut memory = Memory::default();
        let mut length = 0;
        let mut reader = BufReader::new(&file);
        let mut line = String::new();
        for number in 1.. {
            line.clear();
            let read = reader.read_line(&mut line)?;
            if !line.ends_with('\n') {
                break;
            }
            let decoded = serde_json::from_str::<Line>(&line).ok().and_then(Line::cell);
            let Some((statistic, cell)) = decoded else {
                return Err(io::Error::other(format!(
                    "line {number} is damaged: restore the file from a backup"
                )));
            };
            memory.add(statistic, cell);
            length += read as u64;
        }
        file.set_len(length)?;
        file.sync_all()?;
        Ok((Self { file, length }, memory))
    }

    #[cfg(test)]
    pub(super) fn lose_its_file(&mut self) {
        self.file = OpenOptions::new().append(true).open("/dev/full").unwrap();
    }

    /// Appends cells; only if this succeeds may they be released.
    pub(super) fn append<'a>(
        &mut self,
        cells: impl Iterator<Item = (&'a Statistic, &'a Cell)>,
    ) -> io::Result<()> {
        let mut text = Vec::new();
        for (statistic, cell) in cells {
            serde_json::to_writer(&mut text, &Line::of(statistic, cell))?;
            text.push(b'\n');
        }
        if text.is_empty() {
            return Ok(());
        }
        let written = self.file.write_all(&text).and_then(|()| self.file.sync_data());
        if let Err(problem) = written {
            // What a full disk took of it is taken back, so that the next line does not begin in its middle.
            self.file.set_len(self.length)?;
            self.file.seek(SeekFrom::End(0))?;
            return Err(problem);
        }
        self.length += text.len() as u64;
        Ok(())
    }
}
