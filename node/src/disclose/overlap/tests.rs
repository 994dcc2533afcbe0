//! Sets of entities against the memory of what was released.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;

use super::journal::Journal;
use super::members::Members;
use super::memory::{Cell, Memory, Statistic, Unit, Verdict};
use crate::disclose::cells::Figure;
use crate::execute::Holding;
use crate::secret::Secret;

const THRESHOLD: usize = 10;

fn statistic(unit: Unit) -> Statistic {
    let sources = BTreeSet::from(["stay".to_owned()]);
    Statistic { entity: "person".to_owned(), unit, sources, sensitive: false }
}

/// The people of a range, one row each.
pub(super) fn people(range: std::ops::Range<u64>, figure: i128) -> Cell {
    let secret = Secret::from([1; 48]);
    let holding =
        |person: u64| Holding { entity: secret.entity_key(&person.to_le_bytes()), rows: 1, amount: 1.0 };
    Cell::new(Members::of(range.map(holding)), Some(Figure::Whole(figure)), false)
}

fn known(figure: i128) -> Verdict {
    Verdict::Known(Some(Figure::Whole(figure)))
}

/// A4: all, and all but one to nine. The tenth tells nothing of anybody.
#[test]
fn a_cell_that_lacks_a_few_shows_the_figure_of_all() {
    let mut memory = Memory::default();
    memory.add(statistic(Unit::Rows), people(0..200, 200));
    for missing in 0..THRESHOLD as u64 {
        let cell = people(missing..200, 999);
        assert_eq!(memory.judge(&statistic(Unit::Rows), &cell, THRESHOLD), known(200), "{missing} missing");
    }
    assert_eq!(memory.judge(&statistic(Unit::Rows), &people(10..200, 190), THRESHOLD), Verdict::New);
}

/// The order of the two questions does not matter, nor that one person is swapped for another.
#[test]
fn a_cell_with_a_few_more_or_others_shows_the_earlier_figure() {
    let mut memory = Memory::default();
    memory.add(statistic(Unit::Rows), people(1..200, 200));
    assert_eq!(memory.judge(&statistic(Unit::Rows), &people(0..200, 999), THRESHOLD), known(200));
    assert_eq!(memory.judge(&statistic(Unit::Rows), &people(4..203, 999), THRESHOLD), known(200));
}

/// A count of rows says nothing for a count of people; of nearly the same people it says too much.
#[test]
fn another_figure_of_nearly_the_same_people_is_withheld() {
    let mut memory = Memory::default();
    memory.add(statistic(Unit::Rows), people(0..200, 200));
    assert_eq!(memory.judge(&statistic(Unit::Entities), &people(0..200, 200), THRESHOLD), Verdict::New);
    assert_eq!(memory.judge(&statistic(Unit::Entities), &people(1..200, 199), THRESHOLD), Verdict::TooNear);
    let mut elsewhere = statistic(Unit::Entities);
    elsewhere.sources = BTreeSet::from(["meal".to_owned()]);
    assert_eq!(memory.judge(&elsewhere, &people(1..200, 199), THRESHOLD), Verdict::New);
}

/// A8: a set divided in two, again and again: the second half is the difference that was told already.
#[test]
fn the_rest_of_a_known_set_is_what_was_left() {
    let mut memory = Memory::default();
    memory.add(statistic(Unit::Rows), people(0..103, 105));
    memory.add(statistic(Unit::Rows), people(0..51, 50));
    assert_eq!(memory.judge(&statistic(Unit::Rows), &people(51..103, 50), THRESHOLD), known(55));
}

/// A19 across questions: everybody of a group is in the sensitive category.
#[test]
fn a_sensitive_choice_that_chooses_everybody_is_withheld() {
    let mut memory = Memory::default();
    memory.add(statistic(Unit::Rows), people(0..200, 200));
    let chosen = Statistic { sensitive: true, ..statistic(Unit::Rows) };
    assert_eq!(memory.judge(&chosen, &people(0..200, 200), THRESHOLD), Verdict::TooNear);
    assert_eq!(memory.judge(&chosen, &people(0..100, 100), THRESHOLD), Verdict::New);
}

/// What is left of two columns that were added up follows from the sum of one, and tells of the other.
#[test]
fn a_sum_of_two_columns_joins_what_is_told_of_each() {
    let sum = |columns: &[&str]| {
        let sources = columns.iter().map(|column| (*column).to_owned()).collect();
        Statistic { sources, ..statistic(Unit::Sum(columns.join(" + "))) }
    };
    let (cost, rent, both) = (sum(&["cost"]), sum(&["rent"]), sum(&["cost", "rent"]));
    for joined in [false, true] {
        let mut memory = Memory::default();
        memory.add(rent.clone(), people(0..41, 1));
        memory.add(cost.clone(), people(0..20, 2));
        // Whatever was looked at before is looked at anew.
        assert_eq!(memory.judge(&cost, &people(20..40, 3), THRESHOLD), Verdict::New);
        if joined {
            memory.add(both.clone(), people(0..41, 4));
        }
        let verdict = memory.judge(&cost, &people(20..40, 3), THRESHOLD);
        assert_eq!(verdict, if joined { Verdict::TooNear } else { Verdict::New });
    }
}

/// What is withheld so that others could be told is withheld for good, and so is what is nearly it.
#[test]
fn what_was_withheld_stays_withheld() {
    let mut memory = Memory::default();
    let place = memory.add(statistic(Unit::Rows), people(0..20, 20));
    memory.revise(&statistic(Unit::Rows), place, None);
    for range in [0..20, 1..20, 0..24] {
        let verdict = memory.judge(&statistic(Unit::Rows), &people(range, 20), THRESHOLD);
        assert_eq!(verdict, Verdict::Known(None));
    }
}

#[test]
fn the_memory_outlives_the_process_and_a_torn_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cells.jsonl");
    let (mut journal, _) = Journal::open(&path).unwrap();
    assert!(Journal::open(&path).is_err(), "a second node would forget what the first remembers");
    let rows = statistic(Unit::Rows);
    let sum = Statistic { unit: Unit::Sum("t.cost".to_owned()), ..statistic(Unit::Rows) };
    let cells = [
        (&rows, people(0..200, 200)),
        (&sum, Cell::new(Members::default(), Some(Figure::Double(-0.5)), true)),
        (&sum, Cell::new(Members::default(), None, false)),
    ];
    journal.append(cells.iter().map(|(statistic, cell)| (*statistic, cell))).unwrap();
    drop(journal);
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"statistic\":").unwrap();
    let (journal, mut memory) = Journal::open(&path).unwrap();
    assert_eq!(memory.len(), 3);
    assert_eq!(memory.judge(&rows, &people(1..200, 0), THRESHOLD), known(200));
    drop(journal);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.ends_with('\n'));
    std::fs::write(&path, text.replacen("rows", "sows", 1)).unwrap();
    assert!(Journal::open(&path).unwrap_err().to_string().contains("line 1"));
}
