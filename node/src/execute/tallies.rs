//! Who holds how much of what, written down row by row and added up by sorting.
//!
//! A table of groups and entities that is looked up for each row is as large as the rows are many, and every look misses the
//! processor's caches. Rows are therefore only written down; when they have become many, they are sorted and added up. So what is
//! kept stays within a few times the number of holdings.

use std::collections::HashMap;

use foldhash::fast::RandomState;

/// Rows that are written down before they are added up.
const LONG: usize = 1 << 20;
/// Fewer rows than this are sorted by comparing them.
const SHORT: usize = 1 << 12;
/// Bits that one pass sorts by.
const DIGIT: u32 = 11;

/// What an entity holds of one cell.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) rows: u64,
    pub(super) amount: f64,
}

/// Numbers for entities, from 0.
#[derive(Debug, Default)]
pub(super) struct Entities {
    /// by a fast hash: the key that lasts is made once for each
    ids: HashMap<u64, u32, RandomState>,
    keys: Vec<u64>,
}

impl Entities {
    /// The number of an entity; `key` is asked when it is new.
    pub(super) fn id(&mut self, fast: u64, key: impl FnOnce() -> u64) -> u32 {
        let Self { ids, keys } = self;
        *ids.entry(fast).or_insert_with(|| {
            keys.push(key());
            // More entities than this have no place in memory.
            u32::try_from(keys.len() - 1).unwrap_or(u32::MAX)
        })
    }

    pub(super) fn key(&self, id: u32) -> Option<u64> {
        self.keys.get(id as usize).copied()
    }

    /// Numbers them in the order of their keys; for each old number the new one.
    pub(super) fn sort(&mut self) -> Vec<u32> {
        let mut order: Vec<(u64, u32)> = self.keys.iter().copied().zip(0..).collect();
        order.sort_unstable();
        let mut new = vec![0; order.len()];
        for ((_, old), place) in order.iter().zip(0..) {
            if let Some(new) = new.get_mut(*old as usize) {
                *new = place;
            }
        }
        self.keys = order.into_iter().map(|(key, _)| key).collect();
        for id in self.ids.values_mut() {
            *id = new.get(*id as usize).copied().unwrap_or(*id);
        }
        new
    }

    pub(super) fn bytes(&self) -> usize {
        self.ids.capacity() * (size_of::<(u64, u32)>() + 1) + self.keys.capacity() * size_of::<u64>()
    }
}

/// What entities hold of groups.
#[derive(Debug)]
pub(super) struct Tallies {
    cells: usize,
    /// group, then entity
    places: Vec<u64>,
    /// as many for each place as there are cells
    held: Vec<Tally>,
    /// how many of the first are in order, and each there once
    settled: usize,
}

impl Tallies {
    pub(super) fn new(cells: usize) -> Self {
        Self { cells, places: vec![], held: vec![], settled: 0 }
    }

    /// Writes down a row of an entity: what it adds to each cell of a group.
    pub(super) fn push(&mut self, group: usize, id: u32, tally: impl Fn(usize) -> Tally) {
        self.places.push(joined(group, id));
        self.held.extend((0..self.cells).map(tally));
    }

    /// Adds up, if so much is written down that it is worth it.
    pub(super) fn settle_if_long(&mut self) {
        if self.places.len() >= LONG.max(2 * self.settled) {
            self.settle();
        }
    }

    /// Adds up what entities hold of groups. The order of rows stays that of their addition.
    fn settle(&mut self) {
        let cells = self.cells;
        let mut places: Vec<u64> = Vec::with_capacity(self.places.len());
        let mut held: Vec<Tally> = Vec::with_capacity(self.held.len());
        for (place, row) in sorted(&self.places) {
            let row = row as usize;
            let own = self.held.get(row * cells..(row + 1) * cells).unwrap_or(&[]);
            if places.last() == Some(&place) {
                let from = held.len() - cells;
                for (sum, tally) in held.get_mut(from..).unwrap_or(&mut []).iter_mut().zip(own) {
                    sum.rows += tally.rows;
                    sum.amount += tally.amount;
                }
            } else {
                places.push(place);
                held.extend_from_slice(own);
            }
        }
        self.settled = places.len();
        (self.places, self.held) = (places, held);
    }

    /// Gives entities other numbers: for each old one the new one.
    pub(super) fn renumber(&mut self, new: &[u32]) {
        for place in &mut self.places {
            let (group, id) = split(*place);
            *place = joined(group, new.get(id as usize).copied().unwrap_or(id));
        }
        self.settled = 0;
    }

    /// What is held of the first groups, in order; the other groups move up.
    pub(super) fn take(&mut self, groups: usize) -> Self {
        self.settle();
        let end = self.places.partition_point(|place| split(*place).0 < groups);
        let mut places = self.places.split_off(end);
        for place in &mut places {
            *place -= joined(groups, 0);
        }
        let held = self.held.split_off(end * self.cells);
        std::mem::replace(self, Self { cells: self.cells, settled: places.len(), places, held })
    }

    /// Groups and entities.
    pub(super) fn places(&self) -> impl Iterator<Item = (usize, u32)> {
        self.places.iter().map(|place| split(*place))
    }

    /// What they hold of a cell.
    pub(super) fn of_cell(&self, cell: usize) -> impl Iterator<Item = &Tally> {
        self.held.iter().skip(cell).step_by(self.cells.max(1))
    }

    pub(super) fn bytes(&self) -> usize {
        self.places.capacity() * size_of::<u64>() + self.held.capacity() * size_of::<Tally>()
    }
}

/// A group and an entity as one word, in whose order groups come first.
fn joined(group: usize, id: u32) -> u64 {
    ((group as u64) << 32) | u64::from(id)
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is meant")]
fn split(place: u64) -> (usize, u32) {
    ((place >> 32) as usize, place as u32)
}

/// The places in order, each with where it stood; equal ones as they stood. Least significant digit first (Knuth, The Art of
/// Computer Programming 3, 5.2.5), over the digits that differ.
fn sorted(places: &[u64]) -> Vec<(u64, u32)> {
    let mut order: Vec<(u64, u32)> = places.iter().copied().zip(0..).collect();
    if order.len() < SHORT {
        order.sort_unstable();
        return order;
    }
    let differing = places.iter().fold(0, |bits, place| bits | (place ^ places.first().unwrap_or(&0)));
    let mut other = vec![(0, 0); order.len()];
    for shift in (0..u64::BITS).step_by(DIGIT as usize) {
        let digit = |place: u64| usize::try_from((place >> shift) & ((1 << DIGIT) - 1)).unwrap_or(0);
        if digit(differing) == 0 {
            continue;
        }
        let mut ends = [0_usize; 1 << DIGIT];
        for (place, _) in &order {
            if let Some(count) = ends.get_mut(digit(*place)) {
                *count += 1;
            }
        }
        let mut from = 0;
        for end in &mut ends {
            (*end, from) = (from, from + *end);
        }
        for entry in &order {
            if let Some(end) = ends.get_mut(digit(entry.0)) {
                if let Some(slot) = other.get_mut(*end) {
                    *slot = *entry;
                }
                *end += 1;
            }
        }
        std::mem::swap(&mut order, &mut other);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A generator of numbers that need be no better: Knuth's MMIX.
    fn numbers() -> impl Iterator<Item = u64> {
        std::iter::successors(Some(1_u64), |last| {
            Some(last.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
        })
        .map(|number| number >> 20)
    }

    #[test]
    fn places_are_sorted_and_stay_in_their_order() {
        for (rows, below) in [(100, 7), (50_000, 40), (50_000, 1 << 40)] {
            let places: Vec<u64> = numbers().take(rows).map(|number| number % below).collect();
            let mut expected: Vec<(u64, u32)> = places.iter().copied().zip(0..).collect();
            expected.sort_unstable();
            assert_eq!(sorted(&places), expected);
        }
    }

    #[test]
    fn holdings_add_up_however_often_they_are_settled() {
        let mut tallies = Tallies::new(2);
        let mut expected = std::collections::BTreeMap::new();
        for number in numbers().take(3 * LONG) {
            let (group, id) = split((number % 50) << 32 | ((number >> 8) % 900));
            let amount = f64::from(u16::try_from(number >> 20 & 0x3ff).unwrap());
            tallies.push(group, id, |cell| Tally { rows: cell as u64, amount });
            let held = expected.entry((group, id)).or_insert((0, 0.0));
            *held = (held.0 + 1, held.1 + amount);
            tallies.settle_if_long();
        }
        assert!(tallies.places.len() < LONG);
        let (first, rest) = (tallies.take(20), tallies.take(30));
        let held = first.places().chain(rest.places().map(|(group, id)| (group + 20, id)));
        let rows = first.of_cell(1).chain(rest.of_cell(1)).map(|tally| tally.rows);
        let amounts = first.of_cell(0).chain(rest.of_cell(0)).map(|tally| tally.amount);
        let found: std::collections::BTreeMap<_, _> = held.zip(rows.zip(amounts)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn entities_are_numbered_by_their_keys() {
        let mut entities = Entities::default();
        let ids: Vec<u32> = [30, 10, 20, 10].map(|key| entities.id(key, || key)).to_vec();
        assert_eq!(ids, [0, 1, 2, 1]);
        assert_eq!(entities.sort(), [2, 0, 1]);
        assert_eq!((entities.key(0), entities.key(2)), (Some(10), Some(30)));
        assert_eq!(entities.id(20, || 0), 1);
    }
}
