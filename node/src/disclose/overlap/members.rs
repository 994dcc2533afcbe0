//! Who is in a cell, in 64 bits each: 36 of the entity's key, 16 of the number of its rows, 12 of its amount.
//!
//! Two cells differ by the entities that are in one of them only, or in both with other rows: whoever subtracts one cell from the
//! other sees those. Amounts are compared as single-precision numbers, so that the order in which rows were added up does not
//! count. That two of 400,000 entities share their 36 bits happens about once; they then count as one.

use crate::execute::Holding;

/// Bits that tell entities apart.
const ENTITY: u64 = !0 << 28;
/// Bits that count an entity's rows.
const ROWS: u64 = ((1 << 16) - 1) << AMOUNT.count_ones();
/// Bits of an entity's amount.
const AMOUNT: u64 = (1 << 12) - 1;

/// How closely cells are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// entities and the number of their rows: cells of different figures
    Rows,
    /// amounts too: cells of the same figure
    Amounts,
}

impl Depth {
    fn mask(self) -> u64 {
        match self {
            Self::Rows => ENTITY | ROWS,
            Self::Amounts => !0,
        }
    }
}

/// The members of a cell, in the order of their keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Members(Vec<u64>);

impl Members {
    /// The entities of some holdings, of all kinds of entity.
    pub(super) fn of(holdings: impl Iterator<Item = Holding>) -> Self {
        let mut members: Vec<u64> = holdings.map(member).collect();
        members.sort_unstable();
        Self(members)
    }

    pub(super) fn from_words(mut words: Vec<u64>) -> Self {
        words.sort_unstable();
        Self(words)
    }

    pub(super) fn words(&self) -> &[u64] {
        &self.0
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Everybody of several cells. Rows of an entity that is in more than one of them add up; amounts are left out.
    #[expect(
        clippy::stable_sort_primitive,
        reason = "a stable sort finds the cells, each in order, and merges them"
    )]
    pub(super) fn union<'a>(cells: impl Iterator<Item = &'a Self>) -> Self {
        let mut words: Vec<u64> = cells.flat_map(|cell| &cell.0).map(|word| word & (ENTITY | ROWS)).collect();
        words.sort();
        let mut union: Vec<u64> = Vec::with_capacity(words.len());
        for word in words {
            match union.last_mut() {
                Some(last) if (*last ^ word) & ENTITY == 0 => {
                    *last = (*last & ENTITY) | ((*last & ROWS).wrapping_add(word & ROWS) & ROWS);
                }
                _ => union.push(word),
            }
        }
        Self(union)
    }

    /// Each entity, and how many of its rows are in the cell.
    pub(super) fn rows(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter().map(|word| (word & ENTITY, ((word & ROWS) >> ROWS.trailing_zeros()).max(1)))
    }

    /// The number of entities by which two cells differ, counted up to `limit`.
    pub(super) fn distance(&self, other: &Self, depth: Depth, limit: usize) -> usize {
        if self == other {
            return 0;
        }
        let mask = depth.mask();
        let (mut ours, mut theirs) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut different = 0;
        while different < limit {
            match (ours.peek(), theirs.peek()) {
                (None, None) => break,
                (Some(our), Some(their)) if (**our ^ **their) & ENTITY == 0 => {
                    different += usize::from((**our ^ **their) & mask != 0);
                    ours.next();
                    theirs.next();
                }
                (Some(our), Some(their)) if our < their => {
                    different += 1;
                    ours.next();
                }
                (Some(_), None) => {
                    different += 1;
                    ours.next();
                }
                (_, Some(_)) => {
                    different += 1;
                    theirs.next();
                }
            }
        }
        different
    }

    /// The sum of a hash of every member without its amount: of a cell and the rest of a larger one, the sum of theirs.
    pub(super) fn sum(&self) -> u64 {
        self.0.iter().map(|word| mixed(word & (ENTITY | ROWS))).fold(0, u64::wrapping_add)
    }

    /// For each sixteenth of all entities, the exclusive or of a hash of those that are members. Cells that differ by few entities
    /// have few different signatures.
    pub(super) fn signature(&self) -> [u32; 16] {
        let mut signature = [0; 16];
        for word in &self.0 {
            if let Some(part) = signature.get_mut(usize::try_from(word >> 60).unwrap_or(0)) {
                *part ^= u32::try_from(mixed(word & ENTITY) >> 32).unwrap_or(0);
            }
        }
        signature
    }
}

fn member(Holding { entity, rows, amount }: Holding) -> u64 {
    #[expect(clippy::cast_possible_truncation, reason = "single precision is meant")]
    let amount = if amount == 0.0 { 0.0 } else { amount as f32 };
    let rows = (rows << ROWS.trailing_zeros()) & ROWS;
    (entity & ENTITY) | rows | (mixed(amount.to_bits().into()) & AMOUNT)
}

/// A bijection of 64 bits that spreads its input: the finalizer of `splitmix64` (Steele, Lea, Flood 2014).
fn mixed(mut word: u64) -> u64 {
    word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(holdings: impl IntoIterator<Item = (u64, u64, f64)>) -> Members {
        let holdings = holdings.into_iter();
        let holdings = holdings.map(|(entity, rows, amount)| Holding { entity: mixed(entity), rows, amount });
        Members::of(holdings)
    }

    #[test]
    fn cells_differ_by_entities_rows_and_amounts() {
        let all = cell((0..100).map(|entity| (entity, 1, 2.0)));
        assert_eq!(all.distance(&all, Depth::Amounts, 10), 0);
        let without_three = cell((3..100).map(|entity| (entity, 1, 2.0)));
        assert_eq!(all.distance(&without_three, Depth::Amounts, 10), 3);
        assert_eq!(without_three.distance(&all, Depth::Rows, 2), 2, "no more than asked for");
        let more_rows = cell((0..100).map(|entity| (entity, 1 + u64::from(entity == 7), 2.0)));
        assert_eq!(all.distance(&more_rows, Depth::Rows, 10), 1);
        let other_amount = cell((0..100).map(|entity| (entity, 1, if entity == 7 { 3.0 } else { 2.0 })));
        assert_eq!(all.distance(&other_amount, Depth::Amounts, 10), 1);
        assert_eq!(all.distance(&other_amount, Depth::Rows, 10), 0);
    }

    #[test]
    fn the_order_of_addition_does_not_count() {
        let there = cell([(1, 3, 0.1 + 0.2 + 0.3)]);
        let back = cell([(1, 3, 0.3 + 0.2 + 0.1)]);
        assert_eq!(there.distance(&back, Depth::Amounts, 10), 0);
        assert_eq!(cell([(1, 1, 0.0)]), cell([(1, 1, -0.0)]));
    }

    #[test]
    fn parts_add_up_to_the_whole() {
        let whole = cell((0..100).map(|entity| (entity, 2, 1.0)));
        let months = [0, 1].map(|_| cell((0..100).map(|entity| (entity, 1, 0.5))));
        assert_eq!(Members::union(months.iter()).distance(&whole, Depth::Rows, 10), 0);
        let (left, right) = (cell((0..40).map(|e| (e, 2, 1.0))), cell((40..100).map(|e| (e, 2, 1.0))));
        assert_eq!(left.sum().wrapping_add(right.sum()), whole.sum());
        let same =
            left.signature().iter().zip(whole.signature()).filter(|(one, other)| *one == other).count();
        assert!(same < 16);
    }
}
