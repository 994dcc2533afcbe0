//! The command line: `serve`, `check` and `user add`.

mod check;
mod user;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::{Settings, run};

/// A configuration or source that cannot be used.
const EX_CONFIG: u8 = 78;

/// A Jigsaw coordinator: answers SQL over many data nodes, from aggregates that each node released.
#[derive(Debug, Parser)]
#[command(name = "jigsaw-coordinator", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// How to write the log (level: environment variable `RUST_LOG`, default info)
    #[arg(long, value_enum, default_value_t = LogFormat::Text, global = true)]
    log_format: LogFormat,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve analysts until SIGTERM or Ctrl-C
    Serve {
        /// Configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Check a configuration and ask every node who it is; exit 0 or 78
    Check {
        /// Configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Read the files only, ask no node
        #[arg(long)]
        offline: bool,
    },
    /// Passwords of analysts
    #[command(subcommand)]
    User(user::Command),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

/// Runs the command line of this process. Exit codes: 0 done, 1 stopped by an error, 64 usage, 78 configuration.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Whoever closed the terminal does not read the message either.
            _ = error.print();
            return if error.use_stderr() { ExitCode::from(64) } else { ExitCode::SUCCESS };
        }
    };
    log(arguments.log_format);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(1, &error.to_string()),
    };
    runtime.block_on(async {
        match arguments.command {
            Command::Serve { config } => serve(&config).await,
            Command::Check { config, offline } => check::check(&config, offline, &mut io::stdout()).await,
            Command::User(command) => user::run(&command),
        }
    })
}

fn log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match format {
        LogFormat::Text => subscriber.init(),
        LogFormat::Json => subscriber.json().init(),
    }
}

async fn serve(config: &std::path::Path) -> ExitCode {
    let settings = match Settings::load(config) {
        Ok(settings) => settings,
        Err(error) => return fail(EX_CONFIG, &error.to_string()),
    };
    let address = settings.listen();
    let listener = match TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(error) => return fail(1, &format!("cannot listen on {address}: {error}")),
    };
    let serving = run(settings, listener, async {
        stop_signal().await;
        tracing::info!("stopping: running questions may finish");
    });
    match serving.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(EX_CONFIG, &chain(&error)),
    }
}

async fn stop_signal() {
    let interrupt = tokio::signal::ctrl_c();
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = interrupt => {}
            _ = terminate.recv() => {}
        },
        Err(_) => {
            // Without SIGTERM there is still Ctrl-C.
            _ = interrupt.await;
        }
    }
}

fn fail(code: u8, message: &str) -> ExitCode {
    // If stderr is closed, the exit code still tells.
    _ = writeln!(io::stderr(), "jigsaw-coordinator: {message}");
    ExitCode::from(code)
}

/// An error and its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
