//! The command line: `serve`, `check`, `policy` and `audit`.

mod audit;
mod check;
mod policy;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use futures::Stream;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::{Settings, run_reloading};

/// A configuration or source that cannot be used.
const EX_CONFIG: u8 = 78;
/// How long running fragments may finish after a stop signal.
const GRACE: Duration = Duration::from_secs(30);

/// A Jigsaw data node: answers aggregate questions over this organisation's own tables, and releases no row.
#[derive(Debug, Parser)]
#[command(name = "jigsaw-node", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// How to write the log (level: environment variable `RUST_LOG`, default info)
    #[arg(long, value_enum, default_value_t = LogFormat::Text, global = true)]
    log_format: LogFormat,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the datasets of a configuration until SIGTERM or Ctrl-C; SIGHUP reads datasets and policies again
    Serve {
        /// Configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Check a configuration: files, certificates, contracts, policies, every source and every CSV cell; exit 0 or 78
    Check {
        /// Configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// What the policies say, and what they would do to a question; nothing is run
    #[command(subcommand)]
    Policy(policy::Command),
    /// Read, verify and export the audit log, while the node runs or not
    #[command(subcommand)]
    Audit(audit::Command),
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
            Command::Check { config } => check::check(&config, &mut io::stdout()).await,
            Command::Policy(command) => policy::policy(&command, &mut io::stdout()).await,
            Command::Audit(command) => audit::run(&command, &mut io::stdout().lock()),
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
    // Before anything else: a hangup that nobody listens to would end the process.
    let reloads = match hangups() {
        Ok(reloads) => reloads,
        Err(error) => return fail(1, &format!("SIGHUP cannot be listened to: {error}")),
    };
    let settings = match Settings::load(config) {
        Ok(settings) => settings,
        Err(error) => return fail(EX_CONFIG, &error.to_string()),
    };
    let address = settings.listen();
    let listener = match TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(error) => return fail(1, &format!("cannot listen on {address}: {error}")),
    };
    let (stopping, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = run_reloading(settings, listener, reloads, async move {
        stop_signal().await;
        tracing::info!("stopping: running fragments may finish");
        // The receiver is gone only when serving has ended anyway.
        _ = stopping.send(());
    });
    let grace = async {
        if stopped.await.is_ok() {
            tokio::time::sleep(GRACE).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        served = serving => match served {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(EX_CONFIG, &chain(&error)),
        },
        () = grace => fail(1, "fragments were still running 30 seconds after the stop signal: they are abandoned"),
    }
}

/// One item for each SIGHUP from now on.
pub(crate) fn hangups() -> io::Result<impl Stream<Item = ()> + Send> {
    let hangups = signal(SignalKind::hangup())?;
    Ok(futures::stream::unfold(
        hangups,
        |mut hangups| async move { hangups.recv().await.map(|()| ((), hangups)) },
    ))
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
    _ = writeln!(io::stderr(), "jigsaw-node: {message}");
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
