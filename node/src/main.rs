//! `jigsaw-node`: what a borough's IT runs.

use std::process::ExitCode;

/// A question is thousands of small pieces of memory, asked for in one thread and given back in another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    jigsaw_node::cli::main()
}
