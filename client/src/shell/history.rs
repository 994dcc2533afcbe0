//! Where what was typed is kept. It holds statements and commands, and no command takes a token.

use std::path::PathBuf;

use crate::profiles::{folder, private_folder};
use crate::surroundings::Surroundings;

/// The file, whose folder is made if need be; none where there is no place for it.
pub(super) fn file(around: &Surroundings<'_>) -> Option<PathBuf> {
    let folder = folder("XDG_STATE_HOME", ".local/state", around)?;
    private_folder(&folder).ok()?;
    Some(folder.join("history"))
}
