//! What released sums tell by being added to and subtracted from one another (`R15`): sum auditing (Chin, Özsoyoğlu 1982, *Auditing and
//! Inference Control in Statistical Databases*, IEEE Transactions on Software Engineering 8).
//!
//! A sum is a vector over people: how many rows of each are in it. Whoever has some sums has every combination of them, whole or
//! by parts, disjoint or overlapping: `total − a − b + both`. A combination that is not zero for fewer people than the threshold tells
//! what these have, and no rounding hides it: the amounts of one person are thousands of its steps. So the vectors of all released
//! sums of one thing are kept in reduced echelon form. A new one that would make a row of fewer people is not shown.
//!
//! ```text
//!  released sums ──▶ atoms: people whom no sum tells apart ──▶ rows over atoms, each alone in its pivot ──▶ a row of few?
//! ```
//!
//! The pivot of a row is its largest atom. Every combination that is one person, or one atom of few, is then a row. A
//! combination of several small atoms is a row where they are in no other row: the few ways in which only the difference of two small groups
//! is told are not looked for.
//!
//! Numbers are those of the field of 2⁶¹ − 1 elements: a combination of whole numbers that is zero is zero there.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;

use super::members::Members;

/// The modulus, a Mersenne prime.
const PRIME: u64 = (1 << 61) - 1;
/// Most numbers that all rows have together, of 16 bytes each. Sums that cross one another in so many ways are not looked through
/// any more: only what was told already is told then.
const MOST_NUMBERS: usize = 4_000_000;

/// A number for each atom where it is not zero, by atom.
type Row = Vec<(u32, u64)>;

/// All that the sums of one thing tell.
#[derive(Debug, Default)]
pub(super) struct Span {
    /// the atom of each entity
    atoms: HashMap<u64, u32, RandomState>,
    /// of each atom, how many entities are in it
    sizes: Vec<usize>,
    /// of each atom, the rows that may have it
    holders: Vec<Vec<usize>>,
    rows: Vec<Row>,
    /// of each row, the atom that no other row has
    pivots: Vec<u32>,
    /// the row of each pivot
    led: HashMap<u32, usize, RandomState>,
    numbers: usize,
}

/// What a new sum makes of the rows.
struct Change {
    /// the new row and its pivot
    row: Row,
    pivot: u32,
    /// those that it changes
    others: Vec<(usize, Row)>,
}

impl Span {
    /// Whether these sums and a new one tell of fewer entities than the threshold what all these did not.
    pub(super) fn closes(&mut self, new: &Members, threshold: usize) -> bool {
        let vector = self.vector(new);
        let Some(Change { row, others, .. }) = self.change(vector) else { return false };
        self.numbers >= MOST_NUMBERS
            || [&row]
                .into_iter()
                .chain(others.iter().map(|(_, row)| row))
                .any(|row| self.is_few(row, threshold))
    }

    /// Takes a sum that is shown.
    pub(super) fn add(&mut self, sum: &Members) {
        let vector = self.vector(sum);
        if let Some(change) = self.change(vector) {
            self.commit(change);
        }
    }

    fn is_few(&self, row: &Row, threshold: usize) -> bool {
        let mut sizes = row.iter().filter_map(|(atom, _)| self.sizes.get(*atom as usize));
        let people = sizes.try_fold(0_usize, |sum, size| Some(sum + size).filter(|sum| *sum < threshold));
        people.is_some_and(|people| people > 0)
    }

    /// The vector of a sum. Atoms that it divides are two from then on, in all rows.
    fn vector(&mut self, sum: &Members) -> Row {
        let mut parts: BTreeMap<(Option<u32>, u64), Vec<u64>> = BTreeMap::new();
        for (entity, rows) in sum.rows() {
            parts.entry((self.atoms.get(&entity).copied(), rows)).or_default().push(entity);
        }
        let mut vector: Row = Vec::with_capacity(parts.len());
        for ((atom, rows), entities) in parts {
            let whole = atom.filter(|atom| self.sizes.get(*atom as usize) == Some(&entities.len()));
            let atom = whole.unwrap_or_else(|| self.divide(atom, &entities));
            vector.push((atom, rows));
        }
        vector.sort_unstable();
        vector
    }

    /// Makes an atom of some entities of another, or of ones that are new.
    fn divide(&mut self, from: Option<u32>, entities: &[u64]) -> u32 {
        let atom = u32::try_from(self.sizes.len()).unwrap_or(u32::MAX);
        self.sizes.push(entities.len());
        self.atoms.extend(entities.iter().map(|entity| (*entity, atom)));
        let Some(from) = from else {
            self.holders.push(vec![]);
            return atom;
        };
        if let Some(size) = self.sizes.get_mut(from as usize) {
            *size = size.saturating_sub(entities.len());
        }
        let holders = self.holders.get(from as usize).cloned().unwrap_or_default();
        for at in &holders {
            let Some(row) = self.rows.get_mut(*at) else { continue };
            if let Some(number) = number(row, from) {
                row.push((atom, number));
                self.numbers += 1;
            }
        }
        self.holders.push(holders);
        if let Some(row) = self.led.get(&from).copied() {
            self.lead(row);
        }
        atom
    }

    /// Gives a row its largest atom as a pivot again.
    fn lead(&mut self, at: usize) {
        let Some(row) = self.rows.get(at) else { return };
        let (Some(pivot), Some(old)) = (self.largest(row), self.pivots.get(at).copied()) else { return };
        if pivot == old {
            return;
        }
        let row = scaled(row, number(row, pivot).map_or(1, inverse));
        let others = self.without(&row, pivot, at);
        self.led.remove(&old);
        self.set(at, row, pivot);
        self.replace(others);
    }

    /// The largest atom of a row.
    fn largest(&self, row: &Row) -> Option<u32> {
        let sized = row.iter().map(|(atom, _)| (self.sizes.get(*atom as usize), std::cmp::Reverse(*atom)));
        sized.max().map(|(_, atom)| atom.0)
    }

    /// What a vector makes of the rows; `None`: it is a combination of them.
    fn change(&self, vector: Row) -> Option<Change> {
        let pivots = vector.iter().filter_map(|(atom, number)| Some((self.led.get(atom)?, *number)));
        let known: Vec<(usize, u64)> = pivots.map(|(row, number)| (*row, number)).collect();
        let mut rest = vector;
        for (row, times) in known {
            rest = self.rows.get(row).map(|row| less(&rest, times, row)).unwrap_or(rest);
        }
        let pivot = self.largest(&rest)?;
        let row = scaled(&rest, number(&rest, pivot).map_or(1, inverse));
        let others = self.without(&row, pivot, usize::MAX);
        Some(Change { row, pivot, others })
    }

    /// The rows that have a pivot of another row, without it.
    fn without(&self, row: &Row, pivot: u32, at: usize) -> Vec<(usize, Row)> {
        let holders = self.holders.get(pivot as usize).into_iter().flatten().filter(|other| **other != at);
        let changed = holders.filter_map(|other| {
            let held = self.rows.get(*other)?;
            Some((*other, less(held, number(held, pivot)?, row)))
        });
        changed.collect()
    }

    fn commit(&mut self, Change { row, pivot, others }: Change) {
        self.rows.push(vec![]);
        self.pivots.push(pivot);
        self.set(self.rows.len() - 1, row, pivot);
        self.replace(others);
    }

    fn replace(&mut self, rows: Vec<(usize, Row)>) {
        for (at, row) in rows {
            if let Some(pivot) = self.pivots.get(at).copied() {
                self.set(at, row, pivot);
            }
        }
    }

    fn set(&mut self, at: usize, row: Row, pivot: u32) {
        for (atom, _) in &row {
            if let Some(holders) = self.holders.get_mut(*atom as usize).filter(|rows| !rows.contains(&at)) {
                holders.push(at);
            }
        }
        self.led.insert(pivot, at);
        if let (Some(place), Some(leads)) = (self.rows.get_mut(at), self.pivots.get_mut(at)) {
            self.numbers = self.numbers + row.len() - place.len();
            (*place, *leads) = (row, pivot);
        }
    }
}

/// A row's number for an atom.
fn number(row: &Row, atom: u32) -> Option<u64> {
    let at = row.binary_search_by_key(&atom, |(atom, _)| *atom).ok()?;
    row.get(at).map(|(_, number)| *number)
}

fn scaled(row: &Row, by: u64) -> Row {
    row.iter().map(|(atom, number)| (*atom, times(*number, by))).collect()
}

/// `row − by · other`
fn less(row: &Row, by: u64, other: &Row) -> Row {
    let (mut ours, mut theirs) = (row.as_slice(), other.as_slice());
    let mut rest = Vec::with_capacity(row.len() + other.len());
    while let Some(atom) = [ours.first(), theirs.first()].into_iter().flatten().map(|(atom, _)| *atom).min() {
        let (our, their) = (taken(&mut ours, atom), taken(&mut theirs, atom));
        let number = plus(our, PRIME - times(their, by));
        if number != 0 {
            rest.push((atom, number));
        }
    }
    rest
}

/// The number of an atom, taken away where it is the first of the row.
fn taken(row: &mut &[(u32, u64)], atom: u32) -> u64 {
    match row.split_first() {
        Some(((first, number), rest)) if *first == atom => {
            *row = rest;
            *number
        }
        _ => 0,
    }
}

fn plus(one: u64, other: u64) -> u64 {
    (one + other) % PRIME
}

fn times(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other) % u128::from(PRIME);
    u64::try_from(product).unwrap_or(0)
}

/// The number that makes one of a number that is not zero: its power of `PRIME − 2` (Fermat).
fn inverse(number: u64) -> u64 {
    let (mut power, mut inverse, mut left) = (number, 1, PRIME - 2);
    while left > 0 {
        if left & 1 == 1 {
            inverse = times(inverse, power);
        }
        power = times(power, power);
        left >>= 1;
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disclose::overlap::tests::people;

    const THRESHOLD: usize = 10;

    fn span(ranges: &[std::ops::Range<u64>]) -> Span {
        let mut span = Span::default();
        for range in ranges {
            span.add(&people(range.clone(), 0).members);
        }
        span
    }

    fn closes(span: &mut Span, range: std::ops::Range<u64>) -> bool {
        span.closes(&people(range, 0).members, THRESHOLD)
    }

    /// A line of a table: women, men, and one who is neither.
    #[test]
    fn the_last_of_a_line_is_not_shown() {
        let three = [0..41, 0..20, 20..40];
        for last in 0..3 {
            let mut others = three.to_vec();
            let last = others.remove(last);
            assert!(closes(&mut span(&others), last.clone()));
            assert!(!closes(&mut span(&others[..1]), last), "two of three leave over many");
        }
    }

    #[test]
    fn a_line_that_is_whole_or_lacks_many_is_shown() {
        assert!(!closes(&mut span(&[0..40, 0..20]), 20..40), "nobody is left over");
        assert!(!closes(&mut span(&[0..60, 0..20]), 20..40), "twenty are left over");
        assert!(!closes(&mut span(&[0..41, 10..30]), 0..20), "parts that overlap leave over many");
    }

    /// Eight steps of a dimension, of which the last has one person, in any order among cells beside the point.
    #[test]
    fn many_parts_of_one_whole_are_found() {
        let steps = (0..8).map(|step| step * 10..step * 10 + 10);
        let beside = (0..6).map(|step| step * 7..step * 7 + 30);
        let mut ranges: Vec<_> = steps.chain(beside).chain(std::iter::once(0..91)).collect();
        for turn in 0..ranges.len() {
            ranges.rotate_left(1);
            assert!(closes(&mut span(&ranges), 80..90), "turn {turn}");
        }
    }

    /// `total − a − b + both` are the few who are in neither.
    #[test]
    fn parts_that_overlap_are_found() {
        let ranges = [0..104, 0..60, 40..100];
        assert!(closes(&mut span(&ranges), 40..60), "four are in neither");
        assert!(!closes(&mut span(&[0..130, 0..60, 40..100]), 40..60), "thirty are in neither");
    }

    /// Of one person, three of four rows are in one cell and the fourth is in none.
    #[test]
    fn a_row_of_a_person_is_found() {
        use crate::execute::Holding;
        let cell = |rows: &dyn Fn(u64) -> u64| {
            let holding =
                |person: u64| Holding { entity: (person + 1) << 28, rows: rows(person), amount: 1.0 };
            Members::of((0..40).map(holding))
        };
        let mut span = Span::default();
        span.add(&cell(&|_| 4));
        assert!(!span.closes(&cell(&|_| 3), THRESHOLD), "forty are left over");
        assert!(span.closes(&cell(&|person| if person == 7 { 3 } else { 4 }), THRESHOLD));
    }

    /// A year of hours in each home, month by month, and one home that has eleven months.
    #[test]
    fn many_rows_of_a_home_are_found() {
        use crate::execute::Holding;
        let cell = |homes: u64, hours: u64| {
            let holding = |home: u64| Holding { entity: (home + 1) << 28, rows: hours, amount: 1.0 };
            Members::of((0..homes).map(holding))
        };
        let mut span = Span::default();
        span.add(&cell(40, 8_760));
        span.add(&cell(40, 8_016));
        assert!(span.closes(&cell(39, 744), THRESHOLD), "the last month of the fortieth home");
        assert!(!span.closes(&cell(40, 744), THRESHOLD));
    }

    /// Every combination of random sums that is one atom of few people is seen, whatever the order they come in.
    #[test]
    fn rows_are_in_reduced_echelon_form() {
        use rand::{RngExt as _, SeedableRng as _};
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(7);
        let mut span = Span::default();
        for _ in 0..60 {
            let from = random.random_range(0..300);
            let range = from..from + random.random_range(5..120);
            let new = people(range, 0).members;
            span.add(&new);
            assert!(!span.closes(&new, usize::MAX), "what was added tells nothing new");
            for (at, (row, pivot)) in span.rows.iter().zip(&span.pivots).enumerate() {
                assert_eq!(number(row, *pivot), Some(1));
                let elsewhere = span.rows.iter().filter(|row| number(row, *pivot).is_some()).count();
                assert_eq!((elsewhere, span.led[pivot]), (1, at));
                assert_eq!(
                    span.largest(row).map(|atom| span.sizes[atom as usize]),
                    Some(span.sizes[*pivot as usize])
                );
            }
            assert_eq!(span.numbers, span.rows.iter().map(Vec::len).sum::<usize>());
        }
    }
}
