//! The scoreboard.

use std::fmt::Write as _;
use std::time::Duration;

use super::target::{Attack, Channel, Goal, Outcome};

/// What became of an attack over all populations.
pub(super) struct Score<'a> {
    pub(super) attack: &'a Attack,
    pub(super) recovered: usize,
    pub(super) wrong: usize,
    pub(super) of: usize,
    pub(super) took: Duration,
    /// how the secret came out, the first time
    pub(super) how: Option<String>,
}

impl<'a> Score<'a> {
    pub(super) fn new(attack: &'a Attack) -> Self {
        Self { attack, recovered: 0, wrong: 0, of: 0, took: Duration::ZERO, how: None }
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

    /// Never is never; where guessing is the measure, three standard deviations of a guesser's luck are let pass.
    pub(super) fn held(&self) -> bool {
        match self.attack.goal {
            Goal::Never => self.recovered == 0,
            Goal::Guess(rate) => {
                let luck = 3.0 * (rate * (1.0 - rate) / self.of as f64).sqrt();
                self.rate() <= rate + luck
            }
        }
    }
}

/// The table, as Markdown, and below it how what was recovered was recovered.
pub(super) fn board(scores: &[Score<'_>], awaited: &[&str]) -> String {
    let mut text = "| attack | what | secret | who | recovered | rate | wrong | guessing | seconds | verdict |\n\
                    |---|---|---|---|---|---|---|---|---|---|\n"
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
            "| {id} | {name} | {secret} | {who} | {} of {} | {:.3} | {} | {guessing} | {:.1} | {verdict} |",
            score.recovered,
            score.of,
            score.rate(),
            score.wrong,
            score.took.as_secs_f64() / score.of as f64
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
