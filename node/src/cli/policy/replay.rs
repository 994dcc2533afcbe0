//! `policy replay`: the questions of the audit log, decided again under the policies of two configurations.
//!
//! Each is decided as of the day on which it was asked, so that a grant which has ended since does not count as a change.
//! Budgets are shown as a price and not drawn on.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, NaiveDate, Utc};
use jigsaw_proto::wire::FragmentRequest;
use serde::Deserialize;

use super::{Failure, line, verdict, without_rows};
use crate::settings;

/// What of a line of the log is needed; a line has more.
#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(default)]
    time: String,
    /// the ticket, base64
    request: String,
    /// what the node knew of whoever asked
    #[serde(default)]
    groups: BTreeSet<String>,
}

pub(super) async fn replay(
    config: &Path,
    against: &Path,
    log: Option<&Path>,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let (old, new) = (without_rows(config)?, without_rows(against)?);
    let path = log.map_or_else(|| settings::audit_log(config), |log| Ok(log.to_path_buf()))?;
    let failed = |error| Failure::Log { path: path.clone(), error };
    let (mut replayed, mut changed, mut unreadable) = (0_u64, 0_u64, 0_u64);
    for (number, text) in (1_u64..).zip(BufReader::new(File::open(&path).map_err(failed)?).split(b'\n')) {
        let Some((day, request, groups)) = asked(&text.map_err(failed)?) else {
            unreadable += 1;
            continue;
        };
        replayed += 1;
        let (before, after) =
            (verdict(&request, &old, day, &groups).await, verdict(&request, &new, day, &groups).await);
        if before != after {
            changed += 1;
            let words = FragmentRequest::decode(&request).map(|request| line(&request.fragment));
            writeln!(out, "line {number}: {}", words.unwrap_or_default())?;
            writeln!(out, "  was: {before}\n  new: {after}")?;
        }
    }
    writeln!(
        out,
        "{replayed} questions replayed, {changed} would change; {unreadable} lines of the log hold no question"
    )?;
    Ok(())
}

/// The day, the ticket and the groups of a line; `None` of one that holds no request.
fn asked(line: &[u8]) -> Option<(NaiveDate, Vec<u8>, BTreeSet<String>)> {
    let entry: Entry = serde_json::from_slice(line).ok()?;
    let request = STANDARD.decode(entry.request).ok().filter(|request| !request.is_empty())?;
    let time = DateTime::parse_from_rfc3339(&entry.time).ok()?;
    Some((time.with_timezone(&Utc).date_naive(), request, entry.groups))
}
