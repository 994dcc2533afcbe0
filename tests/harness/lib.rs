//! How to write a test here: a whole federation in one process, over real sockets and mutual TLS.
//!
//! ```no_run
//! # async fn example() -> harness::data::Result<()> {
//! use harness::data::{Scale, Synthetic};
//! use harness::federation::{Federation, Policy};
//!
//! let dir = tempfile::tempdir()?;
//! let nodes = Synthetic::new(7, Scale::test()).write_to(dir.path())?;
//! let federation = Federation::builder(dir.path(), nodes).policy(Policy::Contract).start().await?;
//! let answer = federation.ask("SELECT node, COUNT(*) FROM property GROUP BY node").await?;
//! # Ok(())
//! # }
//! ```
//!
//! * [`data`] – seeded synthetic rows, real open rows, canaries
//! * [`federation`] – nodes and coordinator from configuration files, as a borough would write them
//! * [`certificates`] – an authority and what it signs
//! * [`tap`] – between coordinator and node: records every byte, stalls, cuts
//! * [`exchange`] – what was said over a recorded connection
//! * [`logs`] – everything that nodes and coordinator logged
//! * [`oracle`], [`generate`] – what the answer should be, and what to ask

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a harness that cannot go on stops the test"
)]

pub mod certificates;
pub mod data;
pub mod exchange;
pub mod federation;
pub mod generate;
pub mod logs;
pub mod oracle;
pub mod tap;
