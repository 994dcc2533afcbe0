//! `R07` and `R08`: no cell for fewer entities than the threshold.
//!
//! Entities are counted, not rows: ten thousand readings of three homes are three. With several kinds of entity, each must
//! reach the threshold. The boundary: exactly the threshold is released.

use super::cells::Cells;
use crate::execute::Holders;

pub(super) fn apply(cells: &mut Cells<'_>) {
    let threshold = u64::from(cells.approved().threshold());
    for row in 0..cells.rows() {
        if !enough(cells.group_holders(), row, threshold) {
            cells.drop_group(row, "R07");
            continue;
        }
        for measure in 0..cells.measures() {
            if !enough(cells.holders(measure), row, threshold) {
                cells.withhold(measure, row, "R08");
            }
        }
    }
}

/// Whether every kind of entity reaches the threshold. No kind at all is never enough.
fn enough(kinds: &[Holders], row: usize, threshold: u64) -> bool {
    !kinds.is_empty() && kinds.iter().all(|holders| holders.count(row) >= threshold)
}
