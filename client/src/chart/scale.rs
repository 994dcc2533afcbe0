//! Round numbers for axes, and short ones for tiles.

/// An axis from `low` to `high`, which are round, with a mark at every `step`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) step: f64,
}

impl Scale {
    /// A scale with about `marks` marks, 1, 2 or 5 times a power of ten apart.
    pub(super) fn over(low: f64, high: f64, marks: f64) -> Self {
        let (low, high) = if low < high { (low, high) } else { (low - 1.0, high + 1.0) };
        let rough = (high - low) / marks;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|step| *step >= rough);
        let step = step.unwrap_or(rough);
        Self { low: (low / step).floor() * step, high: (high / step).ceil() * step, step }
    }

    /// A scale that begins at zero where nothing is below it.
    pub(super) fn from_zero(low: f64, high: f64, marks: f64) -> Self {
        Self::over(low.min(0.0), high.max(0.0), marks)
    }

    /// The share of the axis below `value`, from 0 to 1.
    pub(super) fn share(&self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// The marks, from low to high.
    pub(super) fn marks(&self) -> Vec<f64> {
        let mut marks = Vec::new();
        let mut count = 0_u32;
        loop {
            let mark = self.low + f64::from(count) * self.step;
            if mark > self.high + self.step / 2.0 || count > 100 {
                return marks;
            }
            marks.push(mark);
            count += 1;
        }
    }
}

/// `950`, `1.5k`, `12M`: at most three digits and a letter.
pub(super) fn short(value: f64) -> String {
    let size = value.abs();
    for (unit, letter) in [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")] {
        if size >= unit * 0.9995 {
            return format!("{}{letter}", digits(value / unit));
        }
    }
    digits(value)
}

fn digits(value: f64) -> String {
    let places = match value.abs() {
        size if size >= 99.95 || value.fract() == 0.0 => 0,
        size if size >= 9.995 => 1,
        _ => 2,
    };
    let text = format!("{value:.places$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// The nearest whole number that is not below zero, for places on a grid.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to what a screen can have"
)]
pub(super) fn whole(value: f64) -> usize {
    value.round().clamp(0.0, 1e6) as usize
}

/// A count as a number; screens and rows are far below where precision ends.
#[expect(clippy::cast_precision_loss, reason = "counts of rows and cells of a screen")]
pub(super) fn number(count: usize) -> f64 {
    count as f64
}
