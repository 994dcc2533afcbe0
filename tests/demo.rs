//! `cargo run --release --bin demo`: a complete federation on this machine, and a guided tour of it.
//!
//! * `stage` – makes rows, certificates and configuration, and starts every server
//! * `questions` – what is asked
//! * `tour` – asks as the command `jigsaw` does, and shows what came
//! * `departure` – what left a borough, and what did not
//! * `guests` – how to connect with the command and with Python

#![expect(clippy::print_stdout, reason = "a tour is printed")]
#![expect(clippy::unwrap_used, reason = "a tour of a broken federation stops")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use harness::data::Result;

mod demo {
    pub(crate) mod departure;
    pub(crate) mod guests;
    pub(crate) mod questions;
    pub(crate) mod stage;
    pub(crate) mod tour;
}

use demo::{departure, guests, questions, stage, tour};

/// As in the services.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A complete federation on this machine: 33 boroughs, 8 charities, a coordinator, and a guided tour.
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// Stop after the tour
    #[arg(long)]
    once: bool,
    /// The synthetic rows to make: the same number, the same rows
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Take the tour on real road collisions: the folder of the STATS19 files
    #[arg(long, value_name = "DIR", conflicts_with = "laqn")]
    stats19: Option<PathBuf>,
    /// Take the tour on real air quality: the folder of the LAQN files
    #[arg(long, value_name = "DIR")]
    laqn: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let warnings =
        tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(std::io::stderr);
    warnings.init();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let outcome = runtime.block_on(run(&options));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("\nThe demo cannot go on: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<()> {
    let stage = tokio::select! {
        stage = tour(options) => stage?,
        signal = tokio::signal::ctrl_c() => return Ok(signal?),
    };
    if !options.once {
        println!("\nThe federation stays up until you press Ctrl-C.");
        tokio::signal::ctrl_c().await?;
        println!("\nStopping every server.");
    }
    stage.stop().await
}

async fn tour(options: &Options) -> Result<stage::Stage> {
    let start = Instant::now();
    let stage = stage::set(options, start).await?;
    let questions = questions::of(options);
    for (number, question) in (1..).zip(&questions) {
        tour::ask(&stage, number, question).await?;
        if number == 1 {
            println!("  (first answer {:.1} s after the start)", start.elapsed().as_secs_f64());
        }
    }
    departure::show(&stage).await?;
    guests::welcome(&stage, &questions);
    Ok(stage)
}
