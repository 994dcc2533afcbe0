//! What was spent stays spent.

use super::*;

fn four(dataset: &str) -> Charge {
    let words = toml::from_str("cells_per_day = 4").unwrap();
    (dataset.parse().unwrap(), Budget::new(&words).unwrap())
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

#[test]
fn a_restart_gives_nothing_back() {
    let dir = tempfile::tempdir().unwrap();
    let audit = dir.path().join("audit.jsonl");
    let today = day("2026-11-23");
    Ledger::open(&audit).unwrap().record(&[four("stay")], 3, today).unwrap();
    let again = Ledger::open(&audit).unwrap();
    assert_eq!(again.record(&[four("stay")], 2, today).unwrap_err().code, RefusalCode::BudgetSpent);
    again.record(&[four("stay")], 1, today).unwrap();
}

/// Midnight renews, and a clock that goes back does not.
#[test]
fn a_day_is_renewed_by_the_next_only() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&dir.path().join("audit.jsonl")).unwrap();
    ledger.record(&[four("stay")], 4, day("2026-11-23")).unwrap();
    let earlier = ledger.record(&[four("stay")], 1, day("2026-11-22")).unwrap_err();
    assert!(earlier.message.contains("2026-11-24T00:00:00Z"), "{earlier}");
    ledger.record(&[four("stay")], 4, day("2026-11-24")).unwrap();
    assert!(
        ledger.record(&[four("stay")], 1, day("2026-11-23")).is_err(),
        "nor does going back to a day before"
    );
}

/// Whoever cannot pay for all pays for none.
#[test]
fn all_are_charged_or_none() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&dir.path().join("audit.jsonl")).unwrap();
    let today = day("2026-11-23");
    ledger.record(&[four("stay")], 3, today).unwrap();
    assert!(ledger.record(&[four("meal"), four("stay")], 2, today).is_err());
    ledger.record(&[four("meal")], 4, today).unwrap();
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
    let refusal = ledger.record(&[four("stay")], 4, today).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::AuditUnavailable);
    fs::create_dir(&folder).unwrap();
    ledger.record(&[four("stay")], 4, today).unwrap();
}
