//! The line editor: rustyline, told what completes, what is complete, and what has which colour.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{ColorMode, CompletionType, Config, Context, Helper};

use super::complete::complete;
use super::highlight::highlight;
use super::names::Names;
use super::script::is_complete;
use crate::failure::Failure;

const PROMPT: &str = "jigsaw> ";

/// Entries of the history that are kept.
const MOST_HISTORY: usize = 10_000;

/// What was typed.
pub(super) enum Read {
    Text(String),
    /// Ctrl-C: the line is dropped.
    Interrupted,
    /// Ctrl-D.
    End,
    Broken(Failure),
}

pub(super) struct Editor {
    inner: rustyline::Editor<Advice, DefaultHistory>,
    history: Option<PathBuf>,
}

impl Editor {
    /// With a history in `history`, if it is to be kept.
    pub(super) fn new(
        names: Arc<RwLock<Names>>,
        history: Option<PathBuf>,
        colour: bool,
    ) -> Result<Self, Failure> {
        let wrong = |error: ReadlineError| Failure::failed(format!("the terminal cannot be used: {error}"));
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .color_mode(if colour { ColorMode::Enabled } else { ColorMode::Disabled })
            .history_ignore_space(true)
            .max_history_size(MOST_HISTORY)
            .map_err(wrong)?
            .build();
        let mut inner = rustyline::Editor::with_config(config).map_err(wrong)?;
        inner.set_helper(Some(Advice { names, files: FilenameCompleter::new(), colour }));
        if let Some(file) = &history {
            // There is none before the first time.
            drop(inner.load_history(file));
        }
        Ok(Self { inner, history })
    }

    /// Reads until something is complete. Blocks.
    pub(super) fn read(&mut self) -> Read {
        match self.inner.readline(PROMPT) {
            Ok(text) => {
                self.remember(&text);
                Read::Text(text)
            }
            Err(ReadlineError::Interrupted) => Read::Interrupted,
            Err(ReadlineError::Eof) => Read::End,
            Err(error) => Read::Broken(Failure::failed(format!("the terminal cannot be read: {error}"))),
        }
    }

    fn remember(&mut self, text: &str) {
        let text = text.trim_end();
        if text.is_empty() {
            return;
        }
        // A history that cannot be written is no reason to stop.
        if let (Ok(true), Some(file)) = (self.inner.add_history_entry(text), &self.history) {
            drop(self.inner.append_history(file));
        }
    }
}

/// Everything the editor asks about a line.
struct Advice {
    names: Arc<RwLock<Names>>,
    files: FilenameCompleter,
    colour: bool,
}

impl Helper for Advice {}

impl Hinter for Advice {
    type Hint = String;
}

impl Completer for Advice {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        cursor: usize,
        context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let before = line.get(..cursor).unwrap_or_default().trim_start();
        if ["\\i ", "\\o "].iter().any(|command| before.starts_with(command)) {
            return self.files.complete(line, cursor, context);
        }
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        let (start, found) = complete(line, cursor, &names);
        let pair = |candidate: super::complete::Candidate| Pair {
            display: candidate.shown,
            replacement: candidate.written,
        };
        Ok((start, found.into_iter().map(pair).collect()))
    }
}

impl Highlighter for Advice {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        if self.colour { highlight(line).into() } else { line.into() }
    }

    fn highlight_char(&self, _: &str, _: usize, kind: CmdKind) -> bool {
        self.colour && kind != CmdKind::MoveCursor
    }
}

impl Validator for Advice {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let complete = is_complete(context.input());
        Ok(if complete { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}
