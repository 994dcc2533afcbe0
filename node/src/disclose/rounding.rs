//! `R13`: counts to the nearest multiple of the base, halves away from zero; sums to the nearest multiple of base ×
//! step of what is summed (the resolution of a measure, at least one unit of the sum's last digit); means and moments to three significant digits. A mean comes here as the rounded sum over the
//! rounded count, so that sum and mean together tell the count no closer than it is shown. Group keys are left alone.

use arrow::datatypes::DataType;
use jigsaw_proto::aggregate::State;

use super::cells::{Cells, Figure};

pub(super) fn apply(cells: &mut Cells<'_>) {
    let base = cells.approved().rounding();
    for measure in 0..cells.measures() {
        let step = cells.approved().step(measure);
        let (state, scale) = (cells.state(measure), cells.data_type(measure).map_or(0, scale));
        for row in 0..cells.rows() {
            let Some(figure) = cells.figure(measure, row) else { continue };
            match rounded(figure, state, base, step, scale) {
                Some(figure) => cells.set(measure, row, figure),
                None => cells.withhold(measure, row, "R13"),
            }
        }
    }
}

fn scale(data_type: &DataType) -> i8 {
    if let DataType::Decimal128(_, scale) = data_type { *scale } else { 0 }
}

/// The figure as it may be shown; `None`: there is no rounding for it.
fn rounded(figure: Figure, state: Option<State>, base: u32, step: f64, scale: i8) -> Option<Figure> {
    match (state?, figure) {
        (State::Rows | State::Count | State::Entities, Figure::Whole(count)) => {
            Some(Figure::Whole(nearest(count, base.into())))
        }
        (State::Sum, Figure::Whole(sum)) => {
            Some(Figure::Whole(nearest(sum, whole(step, scale).saturating_mul(base.into()))))
        }
        (State::Sum, Figure::Double(sum)) => Some(Figure::Double(multiple(sum, f64::from(base) * step))),
        (State::Mean | State::M2 | State::CoMoment, Figure::Double(value)) => {
            Some(Figure::Double(significant(value, 3)))
        }
        _ => None,
    }
}

/// The step in units of 10^−scale, at least one unit.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a step beyond 2^127 units rounds everything to zero, as it should"
)]
fn whole(step: f64, scale: i8) -> i128 {
    ((step * 10_f64.powi(scale.into())).round() as i128).max(1)
}

/// The multiple of `step` nearest to `value`. Where the step is 1/k, dividing by k leaves no binary dust.
fn multiple(value: f64, step: f64) -> f64 {
    let inverse = 1.0 / step;
    if step < 1.0 && (inverse - inverse.round()).abs() < 1e-9 {
        (value * inverse.round()).round() / inverse.round()
    } else {
        let tenths = (step * 1e6).round();
        (value / step).round() * tenths / 1e6
    }
}

/// `base · ⌊|value| / base + ½⌋` with the sign of `value`.
pub(super) fn nearest(value: i128, base: i128) -> i128 {
    let base = base.unsigned_abs();
    let multiples = value.unsigned_abs().saturating_mul(2).saturating_add(base) / (2 * base);
    let rounded = i128::try_from(multiples * base).unwrap_or(i128::MAX);
    if value < 0 { -rounded } else { rounded }
}

/// `value` to so many significant digits.
fn significant(value: f64, digits: i32) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    format!("{value:.*e}", usize::try_from(digits - 1).unwrap_or(0)).parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_round_to_the_nearest_multiple() {
        let rounded = [0, 2, 3, 7, 8, 12, 13, -3].map(|count| nearest(count, 5));
        assert_eq!(rounded, [0, 0, 5, 5, 10, 10, 15, -5]);
        assert_eq!([nearest(5, 10), nearest(4, 10), nearest(17, 1)], [10, 0, 17]);
    }

    #[test]
    fn sums_are_multiples_of_the_step() {
        assert_eq!(format!("{}", multiple(1234.5678, 0.5)), "1234.5");
        assert_eq!(format!("{}", multiple(1234.5678, 0.05)), "1234.55");
        assert_eq!(format!("{}", multiple(1237.0, 5.0)), "1235");
    }

    #[test]
    fn moments_keep_three_digits() {
        assert!((significant(20.4567, 3) - 20.5).abs() < 1e-12);
        assert!((significant(-0.001_234_5, 3) + 0.001_23).abs() < 1e-12);
    }
}
