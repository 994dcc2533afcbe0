//! Makes rows, certificates and configuration, and starts every server.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::time::Instant;

use harness::data::{NodeData, Result, Scale, Synthetic, real};
use harness::federation::{Federation, Policy};

use super::departure::BOROUGH;
use crate::Options;

/// A running federation and the folder that goes when it goes.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) federation: Federation,
    dir: tempfile::TempDir,
}

impl std::ops::Deref for Stage {
    type Target = Federation;

    fn deref(&self) -> &Federation {
        &self.federation
    }
}

impl Stage {
    /// Stops every server, then removes the folder.
    pub(crate) async fn stop(self) -> Result<()> {
        self.federation.stop().await?;
        Ok(self.dir.close()?)
    }
}

/// Sets the stage, and says what it does while it does it.
pub(crate) async fn set(options: &Options, start: Instant) -> Result<Stage> {
    let say = |what: &str| println!("{:5.1} s  {what}", start.elapsed().as_secs_f64());
    let dir = tempfile::Builder::new().prefix("jigsaw-demo-").tempdir()?;
    say(&what_rows(options));
    let nodes = rows(options, dir.path())?;
    let datasets: usize = nodes.iter().map(|node| node.datasets.len()).sum();
    say(&format!("{} nodes hold {datasets} tables, each in its own folder and shape", nodes.len()));
    say("signing certificates, writing configuration, starting servers");
    let count = nodes.len();
    let federation = Federation::builder(dir.path(), nodes)
        .policy(Policy::Contract)
        .declared()
        .tap([BOROUGH])
        .observe(progress)
        .start()
        .await?;
    say(&format!("{count} nodes and a coordinator are up, each its own server, mutual TLS between them"));
    Ok(Stage { federation, dir })
}

/// For eyes only: a file would keep every step.
fn progress(listening: usize, all: usize) {
    let mut out = std::io::stdout();
    if out.is_terminal() {
        print!("\r         {listening} of {all} nodes listen{}", if listening == all { "\n" } else { "" });
        // Progress that cannot be shown is no reason to stop.
        drop(out.flush());
    }
}

fn what_rows(options: &Options) -> String {
    match (&options.stats19, &options.laqn) {
        (Some(from), _) => format!("splitting the road collisions in {} by borough", from.display()),
        (_, Some(from)) => format!("splitting the air quality in {} by borough", from.display()),
        _ => format!("making rows for 33 boroughs and 8 charities (seed {})", options.seed),
    }
}

fn rows(options: &Options, dir: &Path) -> Result<Vec<NodeData>> {
    let split = match (&options.stats19, &options.laqn) {
        (Some(from), _) => real::stats19(from, dir)?,
        (_, Some(from)) => real::laqn(from, dir)?,
        _ => return Synthetic::new(options.seed, Scale::demo()).write_to(dir),
    };
    for left in &split.left_out {
        println!("         {} rows of {} are at no node: {}", left.rows, left.dataset, left.reason);
    }
    Ok(split.nodes)
}
