//! What the command finds around it: streams, terminal, environment.

use std::fmt;
use std::io::{self, IsTerminal as _, Read, Write};

use unicode_width::UnicodeWidthStr as _;

/// The streams and facts of one process, or of one test.
pub struct Surroundings<'a> {
    /// Where statements come from when none is named.
    pub stdin: &'a mut dyn Read,
    /// Answers, and nothing else.
    pub stdout: &'a mut (dyn Write + Send),
    /// Progress, footnotes, summaries, errors.
    pub stderr: &'a mut dyn Write,
    /// Which of the streams a person is looking at.
    pub terminal: Terminal,
    /// Looks up an environment variable.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}

impl fmt::Debug for Surroundings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").field("terminal", &self.terminal).finish_non_exhaustive()
    }
}

impl Surroundings<'_> {
    /// An environment variable that is set to something.
    pub(crate) fn set(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    /// The terminal can do no more than write line after line.
    pub(crate) fn dumb(&self) -> bool {
        self.set("TERM").as_deref() == Some("dumb")
    }

    /// Colour and dimmed text are wanted and can be shown on standard output.
    pub(crate) fn colour(&self) -> bool {
        self.terminal.stdout && self.set("NO_COLOR").is_none() && !self.dumb()
    }

    /// A person sits at a keyboard and sees what is written.
    pub(crate) fn interactive(&self) -> bool {
        self.terminal.stdin && self.terminal.stdout
    }
}

/// Which streams are terminals, and how wide the terminal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terminal {
    /// Standard input is a terminal: nothing is read from it.
    pub stdin: bool,
    /// Standard output is a terminal: tables fit its width.
    pub stdout: bool,
    /// Standard error is a terminal: progress is shown.
    pub stderr: bool,
    /// Columns of the terminal.
    pub width: u16,
}

impl Terminal {
    /// The facts of this process.
    pub fn of_process() -> Self {
        Self {
            stdin: io::stdin().is_terminal(),
            stdout: io::stdout().is_terminal(),
            stderr: io::stderr().is_terminal(),
            width: terminal_size::terminal_size().map_or(80, |(width, _)| width.0),
        }
    }
}

/// From now on Ctrl-C does not end the process, whether or not somebody waits for it.
pub(crate) async fn hear_interrupts() {
    tokio::select! {
        biased;
        _ = tokio::signal::ctrl_c() => {}
        () = std::future::ready(()) => {}
    }
}

/// Words behind `head`, on as many lines as a screen of `width` needs; no word is cut, and all lines begin below the first word.
pub(crate) fn folded(head: &str, words: &str, width: usize) -> String {
    let margin = head.width();
    let (mut text, mut at) = (head.to_owned(), margin);
    for (index, word) in words.split(' ').enumerate() {
        let wide = word.width();
        if index > 0 && at + 1 + wide > width {
            text.extend(["\n", " ".repeat(margin).as_str()]);
            at = margin;
        } else if index > 0 {
            text.push(' ');
            at += 1;
        }
        text.push_str(word);
        at += wide;
    }
    text
}

/// Text that came over the wire, made safe to print: control characters (escape sequences, bells) are spelt out.
pub(crate) fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\n' && c != '\t' {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::folded;

    #[test]
    fn text_is_folded_between_words() {
        assert_eq!(folded("[1] ", "one two three", 11), "[1] one two\n    three");
        assert_eq!(folded("[1] ", "one two three", 17), "[1] one two three");
        assert_eq!(
            folded("", "antidisestablishmentarianism is long", 10),
            "antidisestablishmentarianism\nis long"
        );
        assert_eq!(folded("[1] ", "größer größer", 10), "[1] größer\n    größer", "columns, not bytes");
        assert_eq!(folded("[1] ", "", 10), "[1] ");
    }
}
