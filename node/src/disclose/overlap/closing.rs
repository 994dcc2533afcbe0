//! Sums that close a line: a total and its parts, each asked by itself, that together leave over the amounts of a few people (`R15`).
//!
//! `total − f − m` is the sum of those who are neither. Rounding does not hide it: the amounts of one person are thousands of its
//! steps. So before a sum is shown, the released sums are searched for a whole and parts of it, no two of which have people's
//! rows in common, such that with the new one fewer entities than the threshold are left over, and more than none.
//!
//! The search takes parts away one after the other, the largest that fits first, beginning with each of them in turn, and the
//! smallest first. It finds lines of a table and the steps of a dimension, and no leftover that is not there. It is not complete: who
//! asks for cells beside the point can hide a line of four parts or more from it, and what is derived from parts that overlap
//! (`total − a − b + both`) is not looked for.

use std::cmp::Reverse;

use super::members::Members;
use super::memory::Cell;

/// With more parts than this in one whole, the search begins with so many of them only.
const FIRSTS: usize = 64;

/// Whether the new cell and some released ones leave over a few entities of a whole.
pub(super) fn closes(released: &[&Cell], new: &Cell, threshold: usize) -> bool {
    let wholes = released.iter().filter(|whole| whole.members.len() >= new.members.len() + threshold);
    let mut rests = wholes.filter_map(|whole| whole.members.without(&new.members));
    // The new one is a part of a whole, or the whole itself.
    rests.any(|rest| leaves_few(released, &rest, threshold)) || leaves_few(released, &new.members, threshold)
}

/// Whether disjoint parts can be taken away so that a few are left.
fn leaves_few(released: &[&Cell], rest: &Members, threshold: usize) -> bool {
    let fits = |cell: &&&Cell| cell.members.len() <= rest.len() && rest.without(&cell.members).is_some();
    let mut parts: Vec<&Members> = released.iter().filter(fits).map(|cell| &cell.members).collect();
    parts.sort_by_key(|part| Reverse(part.len()));
    let mut firsts = parts.iter().take(FIRSTS).map(|first| {
        [first].into_iter().chain(parts.iter().filter(move |part| !std::ptr::eq(**part, *first)))
    });
    firsts.any(|order| is_few(rest, order, threshold)) || is_few(rest, parts.iter().rev(), threshold)
}

/// Whether a few are left at some point, taking away whatever fits in this order.
fn is_few<'a>(rest: &Members, parts: impl Iterator<Item = &'a &'a Members>, threshold: usize) -> bool {
    let mut left = rest.clone();
    for part in parts {
        if let Some(less) = left.without(part) {
            left = less;
            if (1..threshold).contains(&left.len()) {
                return true;
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disclose::overlap::tests::people;

    const THRESHOLD: usize = 10;

    fn closing(released: &[Cell], new: &Cell) -> bool {
        closes(&released.iter().collect::<Vec<_>>(), new, THRESHOLD)
    }

    /// A line of a table: women, men, and one who is neither.
    #[test]
    fn the_last_of_a_line_is_not_shown() {
        let (all, women, men) = (people(0..41, 1), people(0..20, 2), people(20..40, 3));
        let three = [all, women, men];
        for last in 0..3 {
            let mut others = three.to_vec();
            let last = others.remove(last);
            assert!(closing(&others, &last));
            assert!(!closing(&others[..1], &last), "two of three leave over many");
        }
    }

    #[test]
    fn a_line_that_is_whole_or_lacks_many_is_shown() {
        let (all, women, men) = (people(0..40, 1), people(0..20, 2), people(20..40, 3));
        assert!(!closing(&[all.clone(), women.clone()], &men), "nobody is left over");
        assert!(!closing(&[people(0..60, 1), women], &men), "twenty are left over");
        // A part that overlaps another is no part beside it.
        assert!(!closing(&[all, people(10..30, 2)], &people(0..20, 3)));
    }

    /// Four steps of a dimension, of which the last has one person.
    #[test]
    fn many_parts_of_one_whole_are_found() {
        let mut released = vec![people(0..91, 1)];
        released.extend((0..8).map(|step| people(step * 10..step * 10 + 10, 2)));
        // Cells beside the point, some of which overlap the parts.
        released.extend((0..6).map(|step| people(step * 7..step * 7 + 30, 3)));
        assert!(closing(&released, &people(80..90, 4)));
    }
}
