//! What of the day's budgets is spent (`R24`): on disk before the question is run, so that neither a crash nor a restart gives
//! anything back.
//!
//! One small JSON file, replaced as a whole: `{"day":"2026-11-23","spent":{"stay":1},"asked":{"stay":["5f0c…"]}}`. Days are UTC
//! by this node's clock; a clock that goes back to an earlier day renews nothing. What was asked on the day is known by a hash of
//! 64 bits under no key: the file holds questions, not answers, and lies beside the log that holds them in words.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{Days, NaiveDate};
use jigsaw_proto::id::DatasetName;
use jigsaw_proto::refusal::{Refusal, RefusalCode};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tracing::error;

use crate::disclose::policy::budget::{Budget, price};
use crate::validate::Approved;

/// Aggregates of one day and dataset that are known again: the file is written for every new one.
const KNOWN: usize = 10_000;

/// The record of a node's budgets.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    path: Arc<Path>,
    page: Arc<Mutex<Page>>,
}

/// One day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    day: NaiveDate,
    spent: BTreeMap<String, u64>,
    /// hashes of the aggregates that were paid for
    #[serde(default)]
    asked: BTreeMap<String, BTreeSet<String>>,
}

/// What one question costs one dataset that has a budget.
type Charge = (DatasetName, Budget);

impl Ledger {
    /// Opens the record beside the audit log; a node that has spent nothing has none. One that cannot be understood is an
    /// error: what was spent is not known, and nothing may be given back.
    pub(crate) fn open(audit: &Path) -> io::Result<Self> {
        let path = beside(audit);
        let page = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                let text = format!("{}: it is no record of budgets: restore it: {error}", path.display());
                io::Error::new(io::ErrorKind::InvalidData, text)
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Page::default(),
            Err(error) => return Err(error),
        };
        Ok(Self { path: path.into(), page: Arc::new(Mutex::new(page)) })
    }

    /// Charges a question to the budgets of all its datasets, or to none.
    ///
    /// # Errors
    /// `R24` if one of them has too little left, `R25` if the charge cannot be recorded.
    pub(crate) async fn charge(&self, approved: &Approved, today: NaiveDate) -> Result<(), Refusal> {
        let charges: Vec<Charge> = approved.budgets().collect();
        if charges.is_empty() {
            return Ok(());
        }
        let hashes: BTreeSet<String> = approved.aggregates().iter().map(|name| hash(name)).collect();
        let ledger = self.clone();
        let recorded = tokio::task::spawn_blocking(move || ledger.record(&charges, &hashes, today)).await;
        recorded.unwrap_or_else(|_| Err(unwritable()))
    }

    fn record(&self, charges: &[Charge], asked: &BTreeSet<String>, today: NaiveDate) -> Result<(), Refusal> {
        let mut page = self.page.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = if today > page.day { Page { day: today, ..Page::default() } } else { page.clone() };
        let mut paid = 0;
        for (dataset, budget) in charges {
            let known = next.asked.entry(dataset.to_string()).or_default();
            let new: BTreeSet<String> = asked.difference(known).cloned().collect();
            if new.is_empty() {
                continue;
            }
            let price = price(&new);
            let spent = next.spent.entry(dataset.to_string()).or_default();
            *spent = spent.saturating_add(price);
            if *spent > budget.cells_per_day() {
                return Err(exhausted(dataset, price, next.day));
            }
            paid += price;
            known.extend(new.into_iter().take(KNOWN.saturating_sub(known.len())));
        }
        if paid == 0 {
            return Ok(());
        }
        write(&self.path, &next).map_err(|problem| {
            error!(error = %problem.kind(), "the record of budgets cannot be written: nothing is released");
            unwritable()
        })?;
        *page = next;
        Ok(())
    }
}

/// The first 64 bits of SHA-256, hexadecimal.
fn hash(name: &str) -> String {
    Sha256::digest(name).iter().take(8).fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

fn beside(audit: &Path) -> PathBuf {
    let mut name = audit.as_os_str().to_owned();
    name.push(".budget");
    name.into()
}

/// Replaces the file, durably: another process or a crash sees the old one or the new one.
fn write(path: &Path, page: &Page) -> io::Result<()> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let mut file = File::create(&fresh)?;
    file.write_all(&serde_json::to_vec(page)?)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

fn exhausted(dataset: &DatasetName, price: u64, day: NaiveDate) -> Refusal {
    let renewed = day.checked_add_days(Days::new(1)).unwrap_or(day);
    Refusal::new(
        RefusalCode::BudgetSpent,
        format!(
            "the question costs {price} of the day's budget of {dataset}, and less is left: it renews at {renewed}T00:00:00Z"
        ),
    )
}

fn unwritable() -> Refusal {
    Refusal::new(
        RefusalCode::AuditUnavailable,
        "the node cannot record what the question costs, so it releases nothing: try again later",
    )
}

#[cfg(test)]
mod tests;
