//! The scoreboard.

use std::fmt::Write as _;

use super::target::{Attack, Channel, Goal, Outcome};

/// What became of an attack over all populations.
pub(super) struct Score<'a> {
    pub(super) attack: &'a Attack,
    pub(super) recovered: usize,
    pub(super) wrong: usize,
    pub(super) of: usize,
    /// how the secret came out, the first time
    pub(super) how: Option<String>,
}

impl<'a> Score<'a> {
    pub(super) fn new(attack: &'a Attack) -> Self {
        Self { attack, recovered: 0, wrong: 0, of: 0, how: None }
    }

    pub(super) fn add(&mut self, outcome: Outcome) {
        self.of += 1;
        match outcome {
            Outcome::Recovered(how) => {
                self.recovered += 1;
                self.how.get_or_insert(how);
            }
            Outcome::Wrong => self.wrong += 1,
            Outcome::Nothing => {}
        }
    }

    fn rate(&self) -> f64 {
        self.recovered as f64 / self.of as f64
    }

    /// Never is never. Where guessing is the measure: what a guesser does in one of a hundred runs is too much.
    pub(super) fn held(&self) -> bool {
        match self.attack.goal {
            Goal::Never => self.recovered == 0,
            Goal::Guess(rate) => at_least(self.recovered, self.of, rate) >= 0.01,
        }
    }
}

/// The probability of so many or more of `of`, each with probability `rate`: the upper tail of the binomial distribution.
fn at_least(hits: usize, of: usize, rate: f64) -> f64 {
    let mut below = 0.0;
    let mut ways = 1.0;
    for hit in 0..hits {
        below += ways * rate.powf(hit as f64) * (1.0 - rate).powf((of - hit) as f64);
        ways *= (of - hit) as f64 / (hit + 1) as f64;
    }
    1.0 - below
}

#[test]
fn luck_is_not_success() {
    assert!((at_least(0, 3, 0.2) - 1.0).abs() < 1e-12);
    assert!((at_least(3, 3, 0.2) - 0.008).abs() < 1e-12);
    assert!((at_least(1, 2, 0.5) - 0.75).abs() < 1e-12);
    assert!(at_least(1, 3, 0.0) < 1e-12);
}

/// The table, as Markdown, and below it how what was recovered was recovered.
pub(super) fn board(scores: &[Score<'_>], awaited: &[&str]) -> String {
    let mut text = "| attack | what | secret | who | recovered | rate | wrong | guessing | verdict |\n\
                    |---|---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for score in scores {
        let Attack { id, name, secret, channel, goal, .. } = score.attack;
        let who = match channel {
            Channel::Analyst => "analyst",
            Channel::Coordinator => "coordinator",
            Channel::Both => "both",
        };
        let guessing = match goal {
            Goal::Never => "0".to_owned(),
            Goal::Guess(rate) => format!("{rate:.3}"),
        };
        let verdict = match (score.held(), awaited.contains(id)) {
            (true, false) => "held",
            (true, true) => "held, was awaited",
            (false, true) => "OPEN, awaited",
            (false, false) => "BROKEN",
        };
        // Infallible: writing to a String.
        _ = writeln!(
            text,
            "| {id} | {name} | {secret} | {who} | {} of {} | {:.3} | {} | {guessing} | {verdict} |",
            score.recovered,
            score.of,
            score.rate(),
            score.wrong
        );
    }
    text.push('\n');
    for score in scores {
        if let Some(how) = &score.how {
            let how: String = how.chars().take(400).collect();
            _ = writeln!(text, "* {}: {how}", score.attack.id);
        }
    }
    text
}
