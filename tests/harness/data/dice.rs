//! Random choices, the same on every platform: `ChaCha`, and arithmetic that no maths library has a say in.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// A stream of choices.
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    /// A stream of its own for each topic.
    pub(super) fn new(seed: u64, topic: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(topic);
        Self(rng)
    }

    /// 0 ≤ x < 1
    pub(super) fn unit(&mut self) -> f64 {
        f64::from(self.0.next_u32()) / 4_294_967_296.0
    }

    /// 0 ≤ n < `end`, and 0 if `end` is 0
    pub(super) fn below(&mut self, end: u32) -> u32 {
        u32::try_from((u64::from(self.0.next_u32()) * u64::from(end)) >> 32).unwrap_or_default()
    }

    /// `first` ≤ n ≤ `last`
    pub(super) fn between(&mut self, first: i32, last: i32) -> i32 {
        let width = u32::try_from(last - first + 1).unwrap_or_default();
        first + i32::try_from(self.below(width)).unwrap_or_default()
    }

    /// True with this probability.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Nearly normal: the sum of twelve uniform numbers.
    pub(super) fn normal(&mut self, mean: f64, deviation: f64) -> f64 {
        let sum: f64 = (0..12).map(|_| self.unit()).sum();
        mean + deviation * (sum - 6.0)
    }

    /// One of the choices, by weight; the default of `T` if there is none.
    pub(super) fn weighted<T: Copy + Default>(&mut self, choices: &[(T, f64)]) -> T {
        let total: f64 = choices.iter().map(|(_, weight)| weight).sum();
        let mut left = self.unit() * total;
        for (choice, weight) in choices {
            if left < *weight {
                return *choice;
            }
            left -= weight;
        }
        choices.last().map(|(choice, _)| *choice).unwrap_or_default()
    }

    /// One of the items, all alike; the default of `T` if there is none.
    pub(super) fn pick<T: Copy + Default>(&mut self, items: &[T]) -> T {
        let index = self.below(u32::try_from(items.len()).unwrap_or_default());
        usize::try_from(index).ok().and_then(|index| items.get(index)).copied().unwrap_or_default()
    }
}

/// A key that looks like a keyed hash: 16 hexadecimal digits after a letter.
pub(super) fn key(letter: char, seed: u64, number: u32) -> String {
    // SplitMix64
    let mut x =
        (seed ^ u64::from(number)).wrapping_add(0x9E37_79B9_7F4A_7C15).wrapping_add(u64::from(letter) << 40);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    format!("{letter}{:016x}", x ^ (x >> 31))
}

/// An invented name for an entity.
pub(super) fn full_name(number: u32) -> String {
    const FIRST: [&str; 16] = [
        "Ada", "Ben", "Chloe", "Dev", "Esther", "Farid", "Grace", "Hassan", "Ines", "Jonas", "Kemi", "Liam",
        "Mina", "Noor", "Oscar", "Priya",
    ];
    const LAST: [&str; 16] = [
        "Abara", "Brook", "Costa", "Dunn", "Evans", "Fofana", "Gill", "Hill", "Ibori", "Jones", "Khan",
        "Lowe", "Moss", "Nagy", "Osei", "Patel",
    ];
    let at = |list: &[&'static str; 16], step: u32| {
        usize::try_from(number / step % 16)
            .ok()
            .and_then(|index| list.get(index))
            .copied()
            .unwrap_or_default()
    };
    format!("{} {}", at(&FIRST, 1), at(&LAST, 16))
}

/// A number in the form of a National Insurance number, from a range that is never issued.
pub(super) fn nino(number: u32) -> String {
    format!("ZZ{:06}D", number % 1_000_000)
}

/// To the nearest multiple of 10⁻ᵈⁱᵍⁱᵗˢ.
pub(super) fn rounded(value: f64, digits: i32) -> f64 {
    let factor = 10_f64.powi(digits);
    (value * factor).round() / factor
}
