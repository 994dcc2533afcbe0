//! `jigsaw-coordinator user add`: writes a user and the Argon2id hash of a password.

use std::fs::OpenOptions;
use std::io::{self, BufRead, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use jigsaw_proto::identity::is_name;

use super::{EX_CONFIG, fail};
use crate::auth::users::{hash, random};
use crate::settings::users;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add a user to a file of users; the password is the line on standard input, and on a terminal one is made and shown once
    Add {
        /// The user's name, as nodes know it
        name: String,
        /// File of users, made if it is not there: 'users' below 'access'
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
    },
}

/// Exit codes: 0 done, 78 a name, password or file that cannot be used.
pub(super) fn run(command: &Command) -> ExitCode {
    let Command::Add { name, file } = command;
    match add(name, file) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => fail(EX_CONFIG, &problem),
    }
}

fn add(name: &str, file: &Path) -> Result<(), String> {
    if !is_name(name) {
        return Err("a user's name has 1 to 100 bytes and no control characters".to_owned());
    }
    let known = if file.exists() { users(file).map_err(|error| error.to_string())? } else { vec![] };
    if known.iter().any(|(known, _)| known == name) {
        return Err(format!("{name} is in {} already: take the old entry out first", file.display()));
    }
    let (password, made) = password()?;
    let entry = format!(
        "[[user]]\nname = {}\npassword = {}\n",
        toml::Value::String(name.to_owned()),
        toml::Value::String(hash(&password)?)
    );
    let written = OpenOptions::new().append(true).create(true).mode(0o600).open(file);
    let written = written.and_then(|mut file| file.write_all(entry.as_bytes()));
    written.map_err(|error| format!("{} cannot be written: {error}", file.display()))?;
    let mut out = io::stdout();
    let told = if made { writeln!(out, "{password}") } else { Ok(()) };
    told.map_err(|error| error.to_string())
}

/// The password, and whether it was made here.
fn password() -> Result<(String, bool), String> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        let made = random().map_err(|error| format!("there is no source of randomness: {error}"))?;
        return Ok((made, true));
    }
    let mut line = String::new();
    stdin.lock().read_line(&mut line).map_err(|error| format!("standard input: {error}"))?;
    Ok((line.trim_end_matches(['\r', '\n']).to_owned(), false))
}
