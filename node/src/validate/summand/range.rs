//! Between which bounds a measure is, and in which units it is added up.

use jigsaw_proto::contract::{ColumnContract, Role};
use jigsaw_proto::types::DataType;

use super::{Summand, UNBOUNDED, greatest};

/// Digits that a sum is finer than the published step while it is added up, at most.
const DIGITS: i32 = 3;

/// A million values of so many units add up to less than 2⁵³.
const MOST_UNITS: f64 = 8_589_934_592.0;

/// The bounds that the values of a column are taken to be in under protection: what is outside counts as the bound next to it.
/// `None`: it is no measure that is a number, or its type holds it.
pub(crate) fn clamped_to(column: &ColumnContract) -> Option<(f64, f64)> {
    let Role::Measure { bounds, .. } = column.role else { return None };
    let numeric = column.data_type.is_numeric();
    let unbounded = || match column.data_type {
        DataType::Float64 => Some((-UNBOUNDED, UNBOUNDED)),
        _ => (greatest(&column.data_type) > UNBOUNDED).then_some((-UNBOUNDED, UNBOUNDED)),
    };
    if numeric { bounds.or_else(unbounded) } else { None }
}

impl Summand {
    /// How many units are 1 of it: up to a thousand to the published step, but so few that a million of its greatest values are
    /// added up without rounding, if it has bounds.
    pub(in crate::validate) fn units(self) -> f64 {
        let (step, size) = (self.step(), self.size);
        let fits = |digits: i32| size >= UNBOUNDED || size / step * 10_f64.powi(digits) <= MOST_UNITS;
        let digits = (1..=DIGITS).rev().find(|digits| fits(*digits)).unwrap_or(0);
        let units = 10_f64.powi(digits) / step;
        // A quotient like 1000 / 0.01 is meant to be a whole number.
        if (units - units.round()).abs() < 1e-6 * units { units.round() } else { units }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_as_fine_as_a_million_of_the_greatest_values_allow() {
        let of = |step: f64, size: f64| Summand { step, size, ..Summand::constant(1.0) }.units();
        for (step, size, units) in [
            (0.01, 100.0, 100_000.0),
            (0.01, 1e7, 100.0),
            (1.0, 1e8, 10.0),
            (0.01, UNBOUNDED, 100_000.0),
            (0.25, 2400.0, 4000.0),
            (1000.0, 1e6, 1.0),
        ] {
            assert!((of(step, size) - units).abs() < 1e-9, "step {step}, size {size}: {}", of(step, size));
        }
    }
}
