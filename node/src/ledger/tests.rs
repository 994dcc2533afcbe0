//! What was spent stays spent.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::disclose::policy::Policy;

fn four(dataset: &str) -> Charge {
    let contract = "name = \"stay\"\nversion = 1\ndescription = \"\"\nrelease = \"open\"\ncolumn = []";
    let contract = jigsaw_proto::contract::Contract::parse(contract).unwrap();
    let policy = "release = \"open\"\nbudget = { cells_per_day = 4 }";
    let budget = Policy::parse(policy, &contract).unwrap().budget().unwrap();
    (dataset.parse().unwrap(), budget)
}

/// So many aggregates that nobody asked for before.
fn new(count: usize) -> BTreeSet<String> {
    static NEW: AtomicUsize = AtomicUsize::new(0);
    (0..count).map(|_| NEW.fetch_add(1, Ordering::Relaxed).to_string()).collect()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

#[test]
fn a_restart_gives_nothing_back() {
    let dir = tempfile::tempdir().unwrap();
    let audit = dir.path().join("audit.jsonl");
    let today = day("2026-11-23");
    Ledger::open(&audit).unwrap().record(&[four("stay")], &new(3), today).unwrap();
    let again = Ledger::open(&audit).unwrap();
    assert_eq!(again.record(&[four("stay")], &new(2), today).unwrap_err().code, RefusalCode::BudgetSpent);
    again.record(&[four("stay")], &new(1), today).unwrap();
}

/// Midnight renews, and a clock that goes back does not.
#[test]
fn a_day_is_renewed_by_the_next_only() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&dir.path().join("audit.jsonl")).unwrap();
    ledger.record(&[four("stay")], &new(4), day("2026-11-23")).unwrap();
    let earlier = ledger.record(&[four("stay")], &new(1), day("2026-11-22")).unwrap_err();
    assert!(earlier.message.contains("2026-11-24T00:00:00Z"), "{earlier}");
    ledger.record(&[four("stay")], &new(4), day("2026-11-24")).unwrap();
    assert!(
        ledger.record(&[four("stay")], &new(1), day("2026-11-23")).is_err(),
        "nor does going back to a day before"
    );
}

/// Whoever cannot pay for all pays for none.
#[test]
fn all_are_charged_or_none() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&dir.path().join("audit.jsonl")).unwrap();
    let today = day("2026-11-23");
    ledger.record(&[four("stay")], &new(3), today).unwrap();
    assert!(ledger.record(&[four("meal"), four("stay")], &new(2), today).is_err());
    ledger.record(&[four("meal")], &new(4), today).unwrap();
}

/// A record that cannot be read is not an empty one.
#[test]
fn a_damaged_record_is_not_a_new_day() {
    let dir = tempfile::tempdir().unwrap();
    let audit = dir.path().join("audit.jsonl");
    for text in ["", "{", "{\"day\":\"2026-11-23\"}", "{\"day\":\"2026-11-23\",\"spent\":{},\"x\":1}"] {
        fs::write(beside(&audit), text).unwrap();
        assert!(Ledger::open(&audit).is_err(), "{text}");
    }
}

/// What cannot be recorded is not answered, and what is not answered costs nothing.
#[test]
fn without_a_record_nothing_is_answered() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("log");
    fs::create_dir(&folder).unwrap();
    let ledger = Ledger::open(&folder.join("audit.jsonl")).unwrap();
    fs::remove_dir(&folder).unwrap();
    let today = day("2026-11-23");
    let refusal = ledger.record(&[four("stay")], &new(4), today).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::AuditUnavailable);
    fs::create_dir(&folder).unwrap();
    ledger.record(&[four("stay")], &new(4), today).unwrap();
}

/// What was paid for on the day is free on the day, and no longer.
#[test]
fn what_was_asked_before_is_free_for_a_day() {
    let dir = tempfile::tempdir().unwrap();
    let audit = dir.path().join("audit.jsonl");
    let (today, tomorrow) = (day("2026-11-23"), day("2026-11-24"));
    let three = new(3);
    Ledger::open(&audit).unwrap().record(&[four("stay")], &three, today).unwrap();
    let ledger = Ledger::open(&audit).unwrap();
    ledger.record(&[four("stay")], &three, today).unwrap();
    ledger.record(&[four("stay")], &three.iter().take(1).cloned().chain(new(1)).collect(), today).unwrap();
    assert!(ledger.record(&[four("stay")], &new(1), today).is_err());
    ledger.record(&[four("meal")], &three, today).unwrap();
    ledger.record(&[four("stay")], &three, tomorrow).unwrap();
    assert!(ledger.record(&[four("stay")], &new(2), tomorrow).is_err(), "three of four are spent again");
}
