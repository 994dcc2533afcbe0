//! `jigsaw-node`: what a borough's IT runs.

use std::process::ExitCode;

fn main() -> ExitCode {
    jigsaw_node::cli::main()
}
