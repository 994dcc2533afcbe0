//! Where an answer goes: standard output, or a file that appears whole or not at all.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::failure::Failure;
use crate::render::Out;

/// A file beside its destination, readable by its owner only; dropped, it is removed.
pub(crate) struct OutputFile {
    writer: BufWriter<File>,
    file: NamedTempFile,
    destination: PathBuf,
}

impl OutputFile {
    /// Opens the file, so that a place that cannot be written to is known before anything is asked.
    pub(crate) fn create(destination: &Path) -> Result<Self, Failure> {
        let wrong = |error| Failure::usage(format!("cannot write {}: {error}", destination.display()));
        let folder = match destination.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let file = NamedTempFile::with_prefix_in(".jigsaw-", folder).map_err(wrong)?;
        let writer = BufWriter::new(file.reopen().map_err(wrong)?);
        Ok(Self { writer, file, destination: destination.to_owned() })
    }

    pub(crate) fn writer(&mut self) -> Out<'_> {
        &mut self.writer
    }

    /// Moves the finished file to its name.
    pub(crate) fn keep(mut self) -> Result<(), Failure> {
        self.writer.flush()?;
        self.writer.get_ref().sync_all()?;
        self.file.persist(&self.destination).map_err(|error| error.error)?;
        Ok(())
    }
}
