//! What can go wrong, in one sentence each, and the exit code it ends with.

use std::io;
use std::process::ExitCode;

use tonic::{Code, Status};

use crate::credentials::Shown;
use crate::surroundings::{Surroundings, printable};

/// What the layers below say of a connection that is no more.
const LOST: [&str; 5] = [
    "received fatal alert",
    "operation was canceled",
    "connection closed",
    "connection reset",
    "broken pipe",
];

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: every statement was answered (or the reader of the answer went away).
    Answered,
    /// 1: the SQL is wrong, or the query failed.
    Failed,
    /// 2: the command line is wrong.
    Usage,
    /// 3: no connection, or not signed in.
    Connection,
    /// 4: the policy refuses the question.
    Refused,
    /// 5: nodes are missing, and a partial answer was not allowed.
    Incomplete,
    /// 130: interrupted.
    Interrupted,
}

impl Exit {
    /// The number handed to the shell.
    pub fn code(self) -> u8 {
        match self {
            Self::Answered => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Connection => 3,
            Self::Refused => 4,
            Self::Incomplete => 5,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a run did not end with an answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// clap's own message, already laid out.
    #[error("{message}")]
    Arguments { message: String },
    #[error("{message}")]
    Usage { message: String },
    #[error("{message}")]
    Connection { message: String },
    /// Whoever asks is not signed in.
    #[error("{}", unaccepted(message, shown))]
    Unaccepted { message: String, shown: Shown },
    /// The server, or something on the way, ended the connection.
    #[error("the connection to the server was lost: {cause}{}", hint(*certificate))]
    Lost { cause: String, certificate: bool },
    #[error("{message}")]
    Query { exit: Exit, message: String, query_id: Option<String> },
    #[error("cannot write the answer")]
    Write {
        #[source]
        source: io::Error,
    },
    #[error("cancelled")]
    Interrupted,
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage { message: message.into() }
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::Query { exit: Exit::Failed, message: message.into(), query_id: None }
    }

    /// The same, told to somebody who has shown this.
    pub(crate) fn to(self, shown: &Shown) -> Self {
        match self {
            Self::Unaccepted { message, .. } => Self::Unaccepted { message, shown: shown.clone() },
            Self::Lost { cause, .. } => Self::Lost { cause, certificate: *shown == Shown::Certificate },
            other => other,
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Arguments { .. } | Self::Usage { .. } => Exit::Usage,
            Self::Connection { .. } | Self::Unaccepted { .. } | Self::Lost { .. } => Exit::Connection,
            Self::Query { exit, .. } => *exit,
            Self::Write { source } if source.kind() == io::ErrorKind::BrokenPipe => Exit::Answered,
            Self::Write { .. } => Exit::Failed,
            Self::Interrupted => Exit::Interrupted,
        }
    }

    /// Says what went wrong on standard error and returns how the process ends.
    pub(crate) fn report(&self, around: &mut Surroundings<'_>) -> Exit {
        let text = match self {
            Self::Arguments { message } => message.clone(),
            Self::Write { .. } if self.exit() == Exit::Answered => String::new(),
            Self::Write { source } => format!("jigsaw: cannot write the answer: {source}\n"),
            Self::Query { message, query_id: Some(id), .. } => {
                format!("jigsaw: {} (query {})\n", printable(message), printable(id))
            }
            Self::Interrupted => "cancelled\n".to_owned(),
            other => format!("jigsaw: {}\n", printable(&other.to_string())),
        };
        // Nowhere is left to report a closed standard error; the exit code still tells.
        drop(around.stderr.write_all(text.as_bytes()));
        self.exit()
    }
}

/// The server does not know who asks; a session of `SET` that it does not know is something else.
pub(crate) fn signed_out(status: &Status) -> bool {
    status.code() == Code::Unauthenticated && !status.message().starts_with("the session is not known")
}

/// Why there is no connection any more, if that is what a status is about: a status that the server sent has no source.
///
/// A server that does not like a certificate ends the connection when it has begun, so that the first request meets its end.
fn lost(status: &Status) -> Option<String> {
    let mut cause = std::error::Error::source(status);
    while let Some(error) = cause {
        let text = error.to_string();
        let lower = text.to_lowercase();
        if LOST.iter().any(|words| lower.contains(words)) {
            return Some(text);
        }
        cause = error.source();
    }
    None
}

/// What else to look at.
fn hint(certificate: bool) -> &'static str {
    if certificate {
        "; is the client certificate (--certificate) of an authority that the server trusts?"
    } else {
        ""
    }
}

/// What to say of a sign that was not accepted.
fn unaccepted(message: &str, shown: &Shown) -> String {
    match shown {
        Shown::Token => {
            format!("the server does not accept this token: {message}; check JIGSAW_TOKEN or --token-file")
        }
        Shown::User(user) => format!("the server does not sign in {user:?}: {message}; check both"),
        Shown::Certificate => format!(
            "the server does not accept this certificate: {message}; check --certificate, or sign in by other means"
        ),
        Shown::Nothing => format!(
            "the server does not answer unknown people: {message}; name a token (--token-file), a user (--user) or a certificate (--certificate)"
        ),
    }
}

impl From<io::Error> for Failure {
    fn from(source: io::Error) -> Self {
        Self::Write { source }
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let text = |name| status.metadata().get(name).and_then(|value| value.to_str().ok());
        let message = status.message();
        if let Some(cause) = lost(&status) {
            return Self::Lost { cause, certificate: false };
        }
        let exit = match (status.code(), text("x-jigsaw-code")) {
            (Code::Unauthenticated, _) if !signed_out(&status) => {
                return Self::Connection { message: message.to_owned() };
            }
            (Code::Unauthenticated, _) => {
                return Self::Unaccepted { message: message.to_owned(), shown: Shown::default() };
            }
            (_, Some("refused")) | (Code::PermissionDenied, None) => Exit::Refused,
            (_, Some("incomplete")) => Exit::Incomplete,
            (_, Some("unavailable")) | (Code::Unavailable, None) => Exit::Connection,
            _ => Exit::Failed,
        };
        let message = match message {
            "" => format!("the server gave no reason: {}", status.code().description()),
            text => text.to_owned(),
        };
        Self::Query { exit, message, query_id: text("x-query-id").map(str::to_owned) }
    }
}
