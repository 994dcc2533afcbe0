//! Commands that begin with a backslash.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum as _;

use super::options::Setting;
use crate::cli::{Chart, Format};
use crate::failure::Failure;

/// What `\help` says.
pub(super) const HELP: &str = include_str!("help.txt");

/// All words, for completion.
pub(super) const WORDS: [&str; 22] = [
    "\\chart",
    "\\conninfo",
    "\\d",
    "\\df",
    "\\dryrun",
    "\\explain",
    "\\format",
    "\\help",
    "\\i",
    "\\nodes",
    "\\o",
    "\\pager",
    "\\policy",
    "\\purpose",
    "\\q",
    "\\refresh",
    "\\set",
    "\\timing",
    "\\unset",
    "\\watch",
    "\\x",
    "\\?",
];

/// What to do.
#[derive(Debug, PartialEq)]
pub(super) enum Command {
    Datasets,
    Describe(String),
    Functions,
    Nodes,
    Policy(String),
    Explain(Option<String>),
    DryRun(Option<String>),
    Include(PathBuf),
    Watch(Duration),
    Chart(Picture),
    Refresh,
    ConnectionFacts,
    Set(Setting),
    Help,
    Quit,
}

/// A picture of the last answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Picture {
    pub(super) kind: Chart,
    pub(super) file: Option<PathBuf>,
}

/// Reads a line that begins with a backslash.
pub(super) fn parse(line: &str) -> Result<Command, Failure> {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim().trim_end_matches(';').trim_end();
    let given = (!rest.is_empty()).then(|| rest.to_owned());
    let needed = |what: &str| {
        given.clone().ok_or_else(|| Failure::usage(format!("{word} needs {what}: {word} {what}")))
    };
    let toggle = || Some("toggle".to_owned());
    let set = |name: &str, value: Option<String>| Command::Set(Setting::Set(name.to_owned(), value));
    let command = match word {
        "\\d" | "\\dt" => given.map_or(Command::Datasets, Command::Describe),
        "\\df" => Command::Functions,
        "\\nodes" => Command::Nodes,
        "\\policy" => Command::Policy(needed("DATASET")?),
        "\\explain" => Command::Explain(given),
        "\\dryrun" => Command::DryRun(given),
        "\\i" => Command::Include(needed("FILE")?.into()),
        "\\o" => set("output", given),
        "\\watch" => Command::Watch(seconds(given.as_deref())?),
        "\\chart" => Command::Chart(picture(&needed("bar|line|map [FILE]")?)?),
        "\\refresh" => Command::Refresh,
        "\\conninfo" => Command::ConnectionFacts,
        "\\timing" | "\\pager" => set(word.trim_start_matches('\\'), given.or_else(toggle)),
        "\\x" => set("vertical", given.or_else(toggle)),
        "\\format" | "\\purpose" => set(word.trim_start_matches('\\'), given),
        "\\set" => {
            match given.as_deref().map(|text| text.split_once(char::is_whitespace).unwrap_or((text, ""))) {
                None => Command::Set(Setting::ShowAll),
                Some((name, value)) => {
                    let value = value.trim();
                    set(name, (!value.is_empty()).then(|| value.to_owned()))
                }
            }
        }
        "\\unset" => Command::Set(Setting::Reset(needed("OPTION")?)),
        "\\help" | "\\?" | "\\h" => Command::Help,
        "\\q" | "\\quit" => Command::Quit,
        _ => {
            return Err(Failure::usage(format!(
                "there is no command {word:?}: \\help lists those there are"
            )));
        }
    };
    Ok(command)
}

fn seconds(given: Option<&str>) -> Result<Duration, Failure> {
    let wrong = || Failure::usage("\\watch takes seconds, from 1 to 86400: \\watch 10");
    let seconds: u64 = given.unwrap_or("10").parse().map_err(|_| wrong())?;
    (1..=86_400).contains(&seconds).then(|| Duration::from_secs(seconds)).ok_or_else(wrong)
}

fn picture(text: &str) -> Result<Picture, Failure> {
    let (kind, file) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let kind = Chart::from_str(kind, true).map_err(|_| {
        Failure::usage("\\chart takes bar, line or map, and perhaps a file: \\chart map london.svg")
    })?;
    let file = Some(file.trim()).filter(|file| !file.is_empty()).map(PathBuf::from);
    Ok(Picture { kind, file })
}

/// A format by its name.
pub(super) fn format(name: &str) -> Result<Format, Failure> {
    Format::from_str(name, true).map_err(|_| {
        let known: Vec<String> = Format::value_variants()
            .iter()
            .filter_map(|format| Some(format.to_possible_value()?.get_name().to_owned()))
            .collect();
        Failure::usage(format!("there is no format {name:?}: there are {}", known.join(", ")))
    })
}
