//! What of the day's budgets is spent (`R24`): on disk before the question is run, so that neither a crash nor a restart gives
//! anything back.
//!
//! One small JSON file, replaced as a whole: `{"day":"2026-11-23","spent":{"stay":12}}`. Days are UTC by this node's clock; a
//! clock that goes back to an earlier day renews nothing.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{Days, NaiveDate};
use jigsaw_proto::id::DatasetName;
use jigsaw_proto::refusal::{Refusal, RefusalCode};
use serde::{Deserialize, Serialize};
use tracing::error;

use crate::disclose::policy::budget::{Budget, price};
use crate::validate::Approved;

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
        let (ledger, price) = (self.clone(), price(approved.fragment()));
        let recorded = tokio::task::spawn_blocking(move || ledger.record(&charges, price, today)).await;
        recorded.unwrap_or_else(|_| Err(unwritable()))
    }

    fn record(&self, charges: &[Charge], price: u64, today: NaiveDate) -> Result<(), Refusal> {
        let mut page = self.page.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = if today > page.day { Page { day: today, ..Page::default() } } else { page.clone() };
        for (dataset, budget) in charges {
            let spent = next.spent.entry(dataset.to_string()).or_default();
            *spent = spent.saturating_add(price);
            if *spent > budget.cells_per_day() {
                return Err(exhausted(dataset, price, next.day));
            }
        }
        write(&self.path, &next).map_err(|problem| {
            error!(error = %problem.kind(), "the record of budgets cannot be written: nothing is released");
            unwritable()
        })?;
        *page = next;
        Ok(())
    }
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
