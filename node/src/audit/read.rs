//! The lines of a log, for people and for replaying; read while the node runs, or without it.

use std::fs;
use std::io;
use std::path::Path;

use super::chain::{is_signed, lines};
use super::files;
use super::key::PublicKey;
use super::line::Line;

/// A line, and whether the node signed it.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) line: Line,
    pub(crate) signed: bool,
}

/// Calls `each` with every line of the log, file by file. Bytes that are no lines are left out: `verify` names them.
///
/// # Errors
/// A file that cannot be read, and whatever `each` says.
pub(crate) fn each_line(
    log: &Path,
    key: &PublicKey,
    mut each: impl FnMut(Read) -> io::Result<()>,
) -> io::Result<()> {
    for file in files::all(log)? {
        let bytes = fs::read(file)?;
        for placed in lines(&bytes, key, true) {
            if let Some(line) = placed.line {
                let signed = bytes.get(placed.span).is_some_and(|text| is_signed(text, key));
                each(Read { line, signed })?;
            }
        }
    }
    Ok(())
}
