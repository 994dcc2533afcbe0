#![doc = include_str!("../README.md")]
//!
//! # The library
//!
//! [`run`] is the whole command. It takes arguments, streams, terminal facts and environment from its caller, so
//! that tests drive it exactly as the binary does. In order of use:
//!
//! 1. `cli` – flags and help; `profiles`, `settings` – flags, environment and profile to a checked connection;
//!    `credentials` – token, password or certificate
//! 2. `statement` – the text to run, cut into statements
//! 3. `connect` – one gRPC channel; `identity`, `proving` – what the analyst signs; `query` – one statement: plan, stream, progress
//! 4. `render` – an answer as table, CSV, JSON, Parquet or Arrow; `chart` – as a picture; `output` – where it goes
//! 5. `notes` – footnotes and summary; `failure` – what went wrong and its exit code
//! 6. `shell` – the same in a conversation; `sign_on` – `jigsaw connect`; `dry_run` – what nodes would be asked

mod chart;
mod cli;
mod command;
mod connect;
mod credentials;
mod dry_run;
mod failure;
mod identity;
mod man;
mod notes;
mod output;
mod profiles;
mod progress;
mod proving;
mod query;
mod render;
mod settings;
mod shell;
mod sign_on;
mod statement;
mod surroundings;

#[cfg(test)]
mod tests;

use std::ffi::OsString;

pub use failure::Exit;
pub use surroundings::{Surroundings, Terminal};

/// Runs `jigsaw` with `args` (the first is the program's name) until it is done or `interrupt` completes.
///
/// Messages have been written to standard error when this returns; the caller only exits.
pub async fn run(
    args: impl IntoIterator<Item = OsString>,
    around: &mut Surroundings<'_>,
    interrupt: impl Future<Output = ()>,
) -> Exit {
    let work = match command::prepare(args, around) {
        Ok(work) => work,
        Err(failure) => return failure.report(around),
    };
    // In the shell an interrupt ends a question, not the shell: it listens for itself.
    let shell = matches!(work, command::Work::Shell(..));
    let outcome = tokio::select! {
        biased;
        outcome = command::perform(work, around) => Some(outcome),
        () = interrupt, if !shell => None,
    };
    match outcome {
        Some(Ok(())) => Exit::Answered,
        Some(Err(failure)) => failure.report(around),
        None => failure::Failure::Interrupted.report(around),
    }
}
