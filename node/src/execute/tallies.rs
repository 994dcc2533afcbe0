//! Who holds how much of what, written down row by row and added up group by group.
//!
//! A table of groups and entities that is looked up for each row is as large as the rows are many, and every look misses the
//! processor's caches. Rows are therefore only written down; when they have become many, they are put in the order of their
//! groups, and each group is added up in a table of entities alone. So what is kept stays within a few times the number of
//! holdings.

/// Rows that are written down before they are added up.
const LONG: usize = 1 << 20;
/// The table of entities is read from one end to the other for a group in which one of so many has rows, or more.
const DENSE: usize = 32;
/// 2⁶⁴ divided by the golden ratio: spreads hashes over places (Knuth, The Art of Computer Programming 3, 6.4).
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// What an entity holds of one cell.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) rows: u64,
    pub(super) amount: f64,
}

/// Numbers for entities, from 0.
#[derive(Debug, Default)]
pub(super) struct Entities {
    /// by a fast hash, with the number after it; 0: free. The key that lasts is made once for each
    slots: Vec<(u64, u32)>,
    keys: Vec<u64>,
}

impl Entities {
    /// The number of an entity; `key` is asked when it is new.
    pub(super) fn id(&mut self, fast: u64, key: impl FnOnce() -> u64) -> u32 {
        // Half of the slots stay free.
        if self.slots.len() < 2 * (self.keys.len() + 1) {
            self.grow();
        }
        let next = self.keys.len();
        let Some(slot) = slot(&mut self.slots, fast) else { return u32::MAX };
        if slot.1 == 0 {
            // More entities than this have no place in memory.
            *slot = (fast, u32::try_from(next + 1).unwrap_or(u32::MAX));
            self.keys.push(key());
        }
        slot.1 - 1
    }

    fn grow(&mut self) {
        let mut slots = vec![(0, 0); (2 * self.slots.len()).max(1 << 8)];
        for (hash, number) in self.slots.iter().filter(|(_, number)| *number > 0) {
            if let Some(slot) = slot(&mut slots, *hash) {
                *slot = (*hash, *number);
            }
        }
        self.slots = slots;
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
        for (_, number) in self.slots.iter_mut().filter(|(_, number)| *number > 0) {
            *number = new.get(*number as usize - 1).map_or(*number, |new| new + 1);
        }
        new
    }

    pub(super) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<(u64, u32)>() + self.keys.capacity() * size_of::<u64>()
    }
}

/// The slot of a hash, or the free one where it belongs. There are 2ⁿ slots, and a free one among them.
fn slot(slots: &mut [(u64, u32)], hash: u64) -> Option<&mut (u64, u32)> {
    let mask = slots.len().checked_sub(1)?;
    let mut place = usize::try_from(hash.wrapping_mul(SPREAD) >> 32).unwrap_or(0) & mask;
    while slots.get(place).is_some_and(|(known, number)| *number > 0 && *known != hash) {
        place = (place + 1) & mask;
    }
    slots.get_mut(place)
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
    pub(super) fn push(&mut self, group: usize, id: u32, tallies: impl Iterator<Item = Tally>) {
        self.places.push(joined(group, id));
        self.held.extend(tallies);
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
        let ids = self.places.iter().map(|place| split(*place).1 as usize + 1).max().unwrap_or(0);
        let mut sums = Sums::new(cells, ids);
        let group = |row: &u32| self.places.get(*row as usize).map(|place| split(*place).0);
        for rows in by_group(&self.places).chunk_by(|one, other| group(one) == group(other)) {
            let Some(number) = rows.first().and_then(group) else { continue };
            for row in rows {
                let row = *row as usize;
                if let Some(place) = self.places.get(row) {
                    sums.add(split(*place).1, self.held.get(row * cells..(row + 1) * cells).unwrap_or(&[]));
                }
            }
            sums.drain(|id, tallies| {
                places.push(joined(number, id));
                held.extend_from_slice(tallies);
            });
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

/// What each entity holds of one group.
struct Sums {
    cells: usize,
    held: Vec<Tally>,
    /// whether an entity has rows
    present: Vec<bool>,
    /// those that have
    ids: Vec<u32>,
}

impl Sums {
    fn new(cells: usize, ids: usize) -> Self {
        let (held, present) = (vec![Tally::default(); ids * cells], vec![false; ids]);
        Self { cells, held, present, ids: vec![] }
    }

    /// Adds a row of an entity. The first is taken as it is: so is its minus zero.
    fn add(&mut self, id: u32, row: &[Tally]) {
        let place = id as usize;
        let Some(present) = self.present.get_mut(place) else { return };
        let Some(held) = self.held.get_mut(place * self.cells..(place + 1) * self.cells) else { return };
        if std::mem::replace(present, true) {
            for (sum, tally) in held.iter_mut().zip(row) {
                sum.rows += tally.rows;
                sum.amount += tally.amount;
            }
        } else {
            self.ids.push(id);
            held.copy_from_slice(row);
        }
    }

    /// Gives away what there is in the order of entities, and begins anew.
    fn drain(&mut self, mut each: impl FnMut(u32, &[Tally])) {
        if self.ids.len() * DENSE > self.present.len() {
            self.ids.clear();
            self.ids.extend((0..).zip(&self.present).filter_map(|(id, present)| present.then_some(id)));
        } else {
            self.ids.sort_unstable();
        }
        for id in self.ids.drain(..) {
            let place = id as usize;
            if let Some(present) = self.present.get_mut(place) {
                *present = false;
            }
            each(id, self.held.get(place * self.cells..(place + 1) * self.cells).unwrap_or(&[]));
        }
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

/// The rows in the order of their groups; those of one group as they stood. Counted and dealt out (Knuth, The Art of Computer
/// Programming 3, 5.2, algorithm D).
fn by_group(places: &[u64]) -> Vec<u32> {
    let groups = places.iter().map(|place| split(*place).0 + 1).max().unwrap_or(0);
    let mut ends = vec![0_usize; groups];
    for place in places {
        if let Some(count) = ends.get_mut(split(*place).0) {
            *count += 1;
        }
    }
    let mut from = 0;
    for end in &mut ends {
        (*end, from) = (from, from + *end);
    }
    let mut rows = vec![0; places.len()];
    for (place, row) in places.iter().zip(0..) {
        if let Some(end) = ends.get_mut(split(*place).0) {
            if let Some(slot) = rows.get_mut(*end) {
                *slot = row;
            }
            *end += 1;
        }
    }
    rows
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
    fn rows_are_put_by_their_groups_and_stay_in_their_order() {
        for (rows, groups) in [(0, 1), (100, 7), (50_000, 40), (50_000, 1 << 20)] {
            let groups: Vec<u64> = numbers().take(rows).map(|number| number % groups).collect();
            let mut expected: Vec<(u64, u32)> = groups.iter().copied().zip(0..).collect();
            expected.sort_unstable();
            let places: Vec<u64> = groups.iter().map(|group| group << 32 | 5).collect();
            assert_eq!(by_group(&places), expected.into_iter().map(|(_, row)| row).collect::<Vec<_>>());
        }
    }

    #[test]
    fn entities_keep_their_numbers_however_many_there_are() {
        let mut entities = Entities::default();
        let hashes: Vec<u64> = numbers().take(10_000).collect();
        let ids: Vec<u32> = hashes.iter().map(|hash| entities.id(*hash, || !*hash)).collect();
        assert_eq!(ids, (0..10_000).collect::<Vec<_>>());
        let again: Vec<u32> = hashes.iter().map(|hash| entities.id(*hash, || 0)).collect();
        assert_eq!((again, entities.key(77)), (ids, Some(!hashes[77])));
    }

    #[test]
    fn holdings_add_up_however_often_they_are_settled() {
        let mut tallies = Tallies::new(2);
        let mut expected = std::collections::BTreeMap::new();
        for number in numbers().take(3 * LONG) {
            let (group, id) = split((number % 50) << 32 | ((number >> 8) % 900));
            let amount = f64::from(u16::try_from(number >> 20 & 0x3ff).unwrap());
            tallies.push(group, id, (0..2).map(|rows| Tally { rows, amount }));
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
