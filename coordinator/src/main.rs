//! `jigsaw-coordinator`: what the regional office runs.

use std::process::ExitCode;

fn main() -> ExitCode {
    jigsaw_coordinator::cli::main()
}
