//! The binary `jigsaw`: hands the process's arguments, streams and environment to the library.

use std::io::{self, BufWriter, Write as _};
use std::process::ExitCode;

use jigsaw_client::{Exit, Surroundings, Terminal, run};

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            // Nothing is left to report to if standard error is closed too.
            drop(writeln!(io::stderr(), "jigsaw: cannot start: {error}"));
            return Exit::Failed.into();
        }
    };
    let mut stdout = BufWriter::new(io::stdout());
    let exit = runtime.block_on(run(
        std::env::args_os(),
        &mut Surroundings {
            stdin: &mut io::stdin(),
            stdout: &mut stdout,
            stderr: &mut io::stderr(),
            terminal: Terminal::of_process(),
            variable: &|name| std::env::var(name).ok(),
        },
        async {
            // Without a handler the signal keeps its default action: the process ends.
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        },
    ));
    exit.into()
}
