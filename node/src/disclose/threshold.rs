//! `R07` and `R08`: no cell for fewer entities than the threshold.
//!
//! Entities are counted, not rows: ten thousand readings of three homes are three. With several kinds of entity, each must
//! reach the threshold. The boundary: exactly the threshold is released. To a co-moment those contribute who differ in both
//! measures: where they are known by name, their rows' means are compared with the median of all.

use jigsaw_proto::aggregate::State;

use super::cells::Cells;
use super::dominance::deviations;
use crate::execute::Holders;

pub(super) fn apply(cells: &mut Cells<'_>) {
    let threshold = u64::from(cells.approved().threshold());
    for row in 0..cells.rows() {
        if !enough(cells.group_holders(), row, threshold) {
            cells.drop_group(row, "R07");
            continue;
        }
        for measure in 0..cells.measures() {
            if !enough(cells.holders(measure), row, threshold) || few_differ(cells, measure, row, threshold) {
                cells.withhold(measure, row, "R08");
            }
        }
    }
}

/// Whether a co-moment tells of the few who differ from all others in one of its measures. Where nobody does it is zero.
fn few_differ(cells: &Cells<'_>, measure: usize, row: usize, threshold: u64) -> bool {
    cells.state(measure) == Some(State::CoMoment)
        && cells.holdings(measure, row).any(|held| {
            let differ = deviations(held).into_iter().filter(|deviation| *deviation != 0.0).count() as u64;
            0 < differ && differ < threshold
        })
}

/// Whether every kind of entity reaches the threshold. No kind at all is never enough.
fn enough(kinds: &[Holders], row: usize, threshold: u64) -> bool {
    !kinds.is_empty() && kinds.iter().all(|holders| holders.count(row) >= threshold)
}
