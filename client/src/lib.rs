#![doc = include_str!("../README.md")]
//!
//! # The library
//!
//! [`run`] is the whole command. It takes arguments, streams, terminal facts and environment from its caller, so
//! that tests drive it exactly as the binary does. In order of use:
//!
//! 1. `cli` – flags and help; `settings` – flags and environment to a checked connection
//! 2. `statement` – the text to run, cut into statements
//! 3. `connect` – one gRPC channel; `identity` – what the analyst signs; `query` – one statement: plan, stream, progress
//! 4. `render` – an answer as table, CSV, JSON, Parquet or Arrow; `output` – where it goes
//! 5. `notes` – footnotes and summary; `failure` – what went wrong and its exit code

mod cli;
mod command;
mod connect;
mod failure;
mod identity;
mod notes;
mod output;
mod progress;
mod query;
mod render;
mod settings;
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
    let task = match command::prepare(args, around) {
        Ok(Some(task)) => task,
        Ok(None) => return Exit::Answered,
        Err(failure) => return failure.report(around),
    };
    let outcome = tokio::select! {
        biased;
        outcome = command::perform(&task, around) => Some(outcome),
        () = interrupt => None,
    };
    match outcome {
        Some(Ok(())) => Exit::Answered,
        Some(Err(failure)) => failure.report(around),
        None => failure::Failure::Interrupted.report(around),
    }
}
