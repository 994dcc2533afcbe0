//! `jigsaw-node audit`: the log for people, for a spreadsheet, and for whoever must know that it is whole.

mod export;
mod show;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use clap::{Args, Subcommand, ValueEnum};

use super::{EX_CONFIG, fail};
use crate::audit::key::PublicKey;
use crate::audit::line::{Line, Outcome};
use crate::audit::read::{Read, each_line};
use crate::audit::verify::{Report, verify};
use crate::settings::AuditSettings;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show how requests ended, the newest last
    Show {
        #[command(flatten)]
        log: Log,
        #[command(flatten)]
        filter: Filter,
        /// How many, the newest
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: usize,
    },
    /// Verify that the log is what the node wrote; exit 0, or 1 and each file, line and number where it is not
    Verify {
        #[command(flatten)]
        log: Log,
    },
    /// Write how requests ended as CSV or JSON
    Export {
        #[command(flatten)]
        log: Log,
        #[command(flatten)]
        filter: Filter,
        /// What to write; in CSV, a cell that a spreadsheet would take for a formula begins with an apostrophe
        #[arg(long, value_enum)]
        format: Format,
        /// Where to; default: standard output
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Print the public key, to be kept where nobody who can write the log can change it
    Key {
        #[command(flatten)]
        log: Log,
    },
}

#[derive(Debug, Args)]
pub(super) struct Log {
    /// Configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Public key (PEM) to verify with; default: the configuration's key
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Filter {
    /// Not before this day or time: 2026-11-23 or 2026-11-23T09:30:00Z (UTC unless it says otherwise)
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<String>,
    /// Of this query id
    #[arg(long, value_name = "ID")]
    query: Option<String>,
    /// That ended so; also: asked, started, torn, unrecorded
    #[arg(long, value_enum)]
    outcome: Option<Outcome>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Format {
    Csv,
    Json,
}

/// As the log writes times, so that texts compare as times do.
fn time(text: &str) -> Result<String, String> {
    let day = |day: NaiveDate| day.and_hms_opt(0, 0, 0).map(|time| time.and_utc());
    let time = text.parse::<DateTime<Utc>>().ok().or_else(|| text.parse().ok().and_then(day));
    let time = time.ok_or("write a day, 2026-11-23, or a time, 2026-11-23T09:30:00Z")?;
    Ok(time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

impl Filter {
    fn takes(&self, line: &Line) -> bool {
        self.since.as_ref().is_none_or(|since| *since <= line.time)
            && self.query.as_ref().is_none_or(|query| *query == line.query)
            && self.outcome.map_or_else(|| line.outcome.ends(), |outcome| outcome == line.outcome)
    }
}

impl Log {
    fn open(&self) -> Result<(AuditSettings, PublicKey), String> {
        let settings = AuditSettings::load(&self.config).map_err(|error| error.to_string())?;
        let path = self.public_key.as_ref().unwrap_or(&settings.key);
        let key = PublicKey::load(path).map_err(|error| {
            format!(
                "the audit log's key {} cannot be read: {error}; --public-key names another",
                path.display()
            )
        })?;
        Ok((settings, key))
    }
}

/// Exit codes: 0 done, 1 the log is not whole or cannot be read, 78 configuration.
pub(super) fn run(command: &Command, out: &mut impl Write) -> ExitCode {
    let (Command::Show { log, .. }
    | Command::Verify { log }
    | Command::Export { log, .. }
    | Command::Key { log }) = command;
    let (settings, key) = match log.open() {
        Ok(open) => open,
        Err(problem) => return fail(EX_CONFIG, &problem),
    };
    let done = match command {
        Command::Show { filter, limit, .. } => show::show(&settings.file, &key, filter, *limit, out),
        Command::Export { filter, format, output: None, .. } => {
            export::export(&settings.file, &key, filter, *format, out)
        }
        Command::Export { filter, format, output: Some(path), .. } => {
            to_file(path, |out| export::export(&settings.file, &key, filter, *format, out))
        }
        Command::Key { .. } => write!(out, "{}", key.pem()),
        Command::Verify { .. } => match verify(&settings.file, &key) {
            Ok(report) if report.problems.is_empty() => told(&report, out),
            Ok(report) => {
                let problems = report.problems.len();
                return match told(&report, out) {
                    Ok(()) => {
                        fail(1, &format!("the audit log is not what the node wrote: {problems} problems"))
                    }
                    Err(error) => fail(1, &error.to_string()),
                };
            }
            Err(error) => Err(error),
        },
    };
    match done.and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the output has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => fail(1, &format!("the audit log {}: {error}", settings.file.display())),
    }
}

fn to_file(
    path: &Path,
    write: impl FnOnce(&mut io::BufWriter<std::fs::File>) -> io::Result<()>,
) -> io::Result<()> {
    let mut file = io::BufWriter::new(std::fs::File::create(path)?);
    write(&mut file)?;
    file.flush()
}

fn told(report: &Report, out: &mut impl Write) -> io::Result<()> {
    for problem in &report.problems {
        writeln!(out, "PROBLEM {problem}")?;
    }
    for note in &report.notes {
        writeln!(out, "note    {note}")?;
    }
    let Report { files, lines, ended, .. } = report;
    writeln!(out, "{lines} lines in {files} files; {ended} requests ended")
}

#[cfg(test)]
mod tests;
