//! `R09` and `R10`: no cell that is mostly one or two entities' own.
//!
//! Let x₁ ≥ x₂ ≥ … be the absolute holdings of a cell's entities and X their sum. A cell is withheld
//! * by the p % rule (`R09`) if X − x₁ − x₂ < p/100 · x₁: the second largest could estimate the largest to within p %;
//! * by the (n,k) rule (`R10`) if x₁ + … + xₙ ≥ k/100 · X: the n largest make up k % or more.
//!
//! Hundepool et al. (2012), *Statistical Disclosure Control*, §4.2.2; the boundaries are those of the ACRO tool. The rules are
//! sub-additive, so that cells which pass at every node pass in their sum, where no entity is at two nodes. A cell of nothing
//! but zeros is safe. Holdings are what an entity's rows add to the aggregate: its rows, where rows are counted.

use jigsaw_proto::aggregate::State;

use super::cells::Cells;
use super::policy::rules::Dominance;
use crate::execute::{Held, Holding};

/// What is left of a sum when all is taken away that rounding may have added to it: a millionth.
const MARGIN: f64 = 1.0 - 1e-6;

pub(super) fn apply(cells: &mut Cells<'_>) {
    for dominance in cells.approved().dominance() {
        for measure in 0..cells.measures() {
            // How many entities there are is nobody's holding.
            if cells.state(measure) == Some(State::Entities) {
                continue;
            }
            for row in 0..cells.rows() {
                if cells.figure(measure, row).is_none() {
                    continue;
                }
                let moment = cells.state(measure) == Some(State::CoMoment);
                let rule = cells.holdings(measure, row).find_map(|held| {
                    broken(held.iter().map(|holding| holding.amount), dominance)
                        .or_else(|| moment.then(|| broken(deviations(held).into_iter(), dominance)).flatten())
                });
                if let Some(rule) = rule {
                    cells.withhold(measure, row, rule);
                }
            }
        }
    }
}

/// The rule that the holdings break.
fn broken(amounts: impl Iterator<Item = f64> + Clone, dominance: Dominance) -> Option<&'static str> {
    if is_far_from_broken(amounts.clone(), dominance) {
        return None;
    }
    let mut amounts: Vec<f64> = amounts.map(f64::abs).collect();
    amounts.sort_unstable_by(|one, other| other.total_cmp(one));
    let total: f64 = amounts.iter().sum();
    let largest = amounts.first().copied().unwrap_or(0.0);
    if largest == 0.0 {
        return None;
    }
    // Added up, not subtracted from the total: nothing cancels.
    let rest: f64 = amounts.iter().skip(2).sum();
    if rest < dominance.p / 100.0 * largest {
        return Some("R09");
    }
    let most: f64 = amounts.iter().take(dominance.n).sum();
    (most >= dominance.k / 100.0 * total).then_some("R10")
}

/// How far the mean of each one's rows is from the median of them, of two the higher; what adding up may have left is nothing.
pub(super) fn deviations(held: Held<'_>) -> Vec<f64> {
    from_median(held.iter().map(Holding::mean).collect())
}

fn from_median(means: Vec<f64>) -> Vec<f64> {
    let mut sorted = means.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or(0.0);
    let deviation = |mean: f64| {
        let deviation = mean - median;
        if deviation.abs() <= median.abs() * (1.0 - MARGIN) { 0.0 } else { deviation }
    };
    means.into_iter().map(deviation).collect()
}

/// Whether both rules would hold even if the n largest holdings, and the two largest, were all as large as the largest is: then
/// nothing needs to be sorted. The margin is far beyond what the order of addition can change.
#[expect(clippy::cast_precision_loss, reason = "n is a small number")]
fn is_far_from_broken(amounts: impl Iterator<Item = f64>, dominance: Dominance) -> bool {
    let (largest, total) = amounts.map(f64::abs).fold((0.0, 0.0), |(largest, total), amount| {
        (if amount > largest { amount } else { largest }, total + amount)
    });
    let rest = total * MARGIN - 2.0 * largest;
    let most = dominance.n as f64 * largest;
    // Of what is no number, neither is true.
    rest > dominance.p / 100.0 * largest && most < dominance.k / 100.0 * total * MARGIN
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Dominance = Dominance { p: 10.0, n: 2, k: 90.0 };

    fn rule(amounts: &[f64]) -> Option<&'static str> {
        broken(amounts.iter().copied(), RULES)
    }

    #[test]
    fn the_boundaries_are_those_of_the_literature() {
        assert_eq!(rule(&[100.0, 50.0, 10.0]), Some("R10"), "150 of 160 is 93 %");
        assert_eq!(rule(&[100.0, 50.0, 9.9]), Some("R09"), "the rest is less than 10 % of the largest");
        assert_eq!(rule(&[45.0, 45.0, 10.0]), Some("R10"), "exactly 90 % is too much");
        assert_eq!(rule(&[45.0, 44.0, 11.0]), None);
        assert_eq!(rule(&[-1000.0, 1.0, 1.0]), Some("R09"), "a large negative holding dominates too");
        assert_eq!(rule(&[0.0, 0.0, 0.0]), None);
        assert_eq!(rule(&[]), None);
    }

    #[test]
    fn one_that_differs_from_all_others_dominates_a_moment() {
        let rule = |means: Vec<f64>| broken(from_median(means).into_iter(), RULES);
        let mut nights = vec![1.0; 99];
        nights.push(2.0);
        assert_eq!(broken(nights.iter().copied(), RULES), None, "of the sum it holds little");
        assert_eq!(rule(nights), Some("R09"));
        assert_eq!(rule(vec![3.0; 50]), None, "a constant goes with nothing");
        assert_eq!(rule((0..50).map(f64::from).collect()), None);
    }

    #[test]
    fn equal_holdings_of_ten_are_safe_and_one_among_five_hundred_is_not() {
        assert_eq!(rule(&[1.0; 10]), None);
        let mut amounts = vec![1.0; 499];
        amounts.push(49_401.0);
        assert_eq!(rule(&amounts), Some("R09"));
    }
}
