//! What can be set in the shell. What the server has to know travels as headers with each question.

use std::path::PathBuf;

use clap::ValueEnum as _;

use super::commands::format;
use crate::cli::{CellStatus, Format};
use crate::command::{self, Ask};
use crate::credentials::Header;
use crate::failure::Failure;
use crate::settings::Settings;

/// A change.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Setting {
    /// Shows the option if there is no value.
    Set(String, Option<String>),
    Reset(String),
    ShowAll,
}

const NAMES: [&str; 9] =
    ["allow_partial", "cell_status", "format", "output", "pager", "purpose", "timeout", "timing", "vertical"];

/// The names of all options, for completion.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    NAMES.into_iter()
}

/// What holds.
pub(super) struct State {
    pub(super) ask: Ask,
    pub(super) timing: bool,
    pub(super) pager: bool,
    /// The file the next answer goes to.
    pub(super) once: Option<PathBuf>,
    default_purpose: Option<String>,
}

impl State {
    /// The defaults, with the profile's purpose.
    pub(super) fn new(settings: &Settings) -> Result<Self, Failure> {
        let purpose = settings.purpose.as_deref().map(command::purpose).transpose()?;
        let ask = Ask { purpose, ..Ask::plain() };
        Ok(Self { ask, timing: false, pager: true, once: None, default_purpose: settings.purpose.clone() })
    }

    /// Makes a change, and says what now holds.
    pub(super) fn set(&mut self, setting: Setting) -> Result<String, Failure> {
        let name = match setting {
            Setting::ShowAll => return NAMES.into_iter().map(|name| self.shown(name)).collect(),
            Setting::Set(name, None) => name,
            Setting::Set(name, Some(value)) => {
                self.change(&name, &value)?;
                name
            }
            Setting::Reset(name) => {
                self.reset(&name)?;
                name
            }
        };
        self.shown(&name)
    }

    fn change(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        match name {
            "allow_partial" => self.ask.allow_partial = switch(name, value, self.ask.allow_partial)?,
            "cell_status" => {
                self.ask.cell_status = CellStatus::from_str(value, true)
                    .map_err(|_| Failure::usage("cell_status is nulls or columns"))?;
            }
            "format" => self.ask.show.format = format(value)?,
            "output" => self.once = Some(value.into()),
            "pager" => self.pager = switch(name, value, self.pager)?,
            "purpose" => self.ask.purpose = Some(command::purpose(value)?),
            "timeout" => {
                let seconds = value.parse().ok().filter(|seconds| *seconds > 0);
                let wrong = || Failure::usage("timeout is a number of seconds: \\set timeout 30");
                self.ask.show.timeout = Some(seconds.ok_or_else(wrong)?);
            }
            "timing" => self.timing = switch(name, value, self.timing)?,
            "vertical" => {
                let vertical = switch(name, value, self.ask.show.format == Format::Vertical)?;
                self.ask.show.format = if vertical { Format::Vertical } else { Format::Table };
            }
            _ => return Err(unknown(name)),
        }
        Ok(())
    }

    fn reset(&mut self, name: &str) -> Result<(), Failure> {
        match name {
            "allow_partial" => self.ask.allow_partial = false,
            "cell_status" => self.ask.cell_status = CellStatus::Nulls,
            "format" | "vertical" => self.ask.show.format = Format::Table,
            "output" => self.once = None,
            "pager" => self.pager = true,
            "purpose" => {
                self.ask.purpose = self.default_purpose.as_deref().map(command::purpose).transpose()?;
            }
            "timeout" => self.ask.show.timeout = None,
            "timing" => self.timing = false,
            _ => return Err(unknown(name)),
        }
        Ok(())
    }

    /// `name value`, a line.
    fn shown(&self, name: &str) -> Result<String, Failure> {
        let switch = |on: bool| if on { "on" } else { "off" }.to_owned();
        let value = match name {
            "allow_partial" => switch(self.ask.allow_partial),
            "cell_status" => {
                if self.ask.cell_status == CellStatus::Columns { "columns" } else { "nulls" }.to_owned()
            }
            "format" => {
                let format = self.ask.show.format.to_possible_value();
                format.map(|format| format.get_name().to_owned()).unwrap_or_default()
            }
            "output" => match &self.once {
                Some(file) => format!("{} (the next answer)", file.display()),
                None => "the screen".to_owned(),
            },
            "pager" => switch(self.pager),
            "purpose" => self.purpose(),
            "timeout" => match self.ask.show.timeout {
                Some(seconds) => format!("{seconds} s"),
                None => "the server's".to_owned(),
            },
            "timing" => switch(self.timing),
            "vertical" => switch(self.ask.show.format == Format::Vertical),
            _ => return Err(unknown(name)),
        };
        Ok(format!("{name:<13} {value}\n"))
    }

    fn purpose(&self) -> String {
        let purpose = self.ask.purpose.as_ref().and_then(|purpose| purpose.to_str().ok());
        purpose.unwrap_or("none").to_owned()
    }
}

fn switch(name: &str, value: &str, now: bool) -> Result<bool, Failure> {
    match value.to_ascii_lowercase().as_str() {
        "on" | "true" | "yes" | "1" => Ok(true),
        "off" | "false" | "no" | "0" => Ok(false),
        "toggle" => Ok(!now),
        _ => Err(Failure::usage(format!("{name} is on or off"))),
    }
}

fn unknown(name: &str) -> Failure {
    Failure::usage(format!("there is no option {name:?}: there are {}", NAMES.join(", ")))
}

/// Where the shell is connected, and as what. The secret itself is nobody's business.
pub(super) fn connection(settings: &Settings, state: &State) -> String {
    let line = |name: &str, value: &str| format!("{name:<13} {value}\n");
    let encrypted = match &settings.ca_file {
        Some(file) => format!("TLS, trusting the certificates in {}", file.display()),
        None => "not encrypted (this machine)".to_owned(),
    };
    let sign = match &settings.credentials.header {
        Header::Bearer(_) => line("token", "sent"),
        Header::Password { user, .. } => line("user", &format!("{user}, signed in with a password")),
        Header::Nothing if settings.credentials.certificate.is_some() => String::new(),
        Header::Nothing => line("token", "none"),
    };
    let certificate = settings.credentials.certificate.as_ref();
    let certificate = certificate.map(|own| line("certificate", &own.file.display().to_string()));
    [
        line("server", settings.server.as_str()),
        line("encryption", &encrypted),
        line("profile", settings.profile.as_deref().unwrap_or("none")),
        sign,
        certificate.unwrap_or_default(),
        line("purpose", &state.purpose()),
    ]
    .concat()
}
