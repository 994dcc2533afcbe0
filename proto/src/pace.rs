//! How much one principal may ask: so many requests a minute, so many at once. A token bucket for each name.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;

/// Fewest names that are remembered before those that have not asked for a minute are forgotten.
const MANY: usize = 1024;

/// `[limits]`: for each principal
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// requests a minute; absent: any number
    pub requests_per_minute: Option<u32>,
    /// requests at once; absent: any number
    pub concurrent: Option<u32>,
}

impl Limits {
    /// Checks the words.
    ///
    /// # Errors
    /// A limit of nothing.
    pub fn checked(self) -> Result<Self, String> {
        if self.requests_per_minute == Some(0) || self.concurrent == Some(0) {
            return Err("[limits]: 0 serves nobody: take the line out, or write more".to_owned());
        }
        Ok(self)
    }
}

/// What was asked lately.
#[derive(Debug, Default)]
pub struct Pace {
    limits: Limits,
    lately: Arc<Mutex<Lately>>,
}

#[derive(Debug, Default)]
struct Lately {
    asked: HashMap<String, Asked>,
    /// how many names there may be before those that have not asked for a minute are forgotten
    many: usize,
}

#[derive(Debug)]
struct Asked {
    /// requests that may be made at once now
    left: f64,
    counted: Instant,
    running: u32,
}

/// A principal asks too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TooMuch {
    /// in a minute
    Rate {
        /// the limit
        most: u32,
        /// seconds until there is room for one more
        seconds: u64,
    },
    /// at once
    Concurrent {
        /// the limit
        most: u32,
    },
}

impl fmt::Display for TooMuch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate { most, seconds } => {
                write!(
                    f,
                    "{most} requests a minute are taken from one principal: ask again in {seconds} seconds"
                )
            }
            Self::Concurrent { most } => {
                write!(
                    f,
                    "{most} requests of one principal run at once: ask again when one of them has ended, in 1 second or more"
                )
            }
        }
    }
}

/// Room for one request while it runs.
#[derive(Debug)]
pub struct Room {
    lately: Arc<Mutex<Lately>>,
    principal: String,
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(asked) = lately.asked.get_mut(&self.principal) {
            asked.running = asked.running.saturating_sub(1);
        }
    }
}

impl Pace {
    /// Nothing was asked yet.
    pub fn new(limits: Limits) -> Self {
        Self { limits, lately: Arc::default() }
    }

    /// Counts one request of `principal`, until the room is dropped.
    ///
    /// # Errors
    /// There is no room now.
    pub fn enter(&self, principal: &str) -> Result<Room, TooMuch> {
        let now = Instant::now();
        let full = f64::from(self.limits.requests_per_minute.unwrap_or(u32::MAX));
        let refilled = |asked: &Asked| {
            let seconds = now.saturating_duration_since(asked.counted).as_secs_f64();
            (asked.left + seconds * full / 60.0).min(full)
        };
        let mut lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        if lately.asked.len() >= lately.many {
            lately.asked.retain(|_, asked| asked.running > 0 || refilled(asked) < full);
            lately.many = (2 * lately.asked.len()).max(MANY);
        }
        let asked = lately.asked.entry(principal.to_owned());
        let asked = asked.or_insert(Asked { left: full, counted: now, running: 0 });
        (asked.left, asked.counted) = (refilled(asked), now);
        if let Some(most) = self.limits.concurrent.filter(|most| asked.running >= *most) {
            return Err(TooMuch::Concurrent { most });
        }
        if let Some(most) = self.limits.requests_per_minute.filter(|_| asked.left < 1.0) {
            let wait = Duration::from_secs_f64(((1.0 - asked.left) * 60.0 / full).clamp(0.0, 60.0));
            return Err(TooMuch::Rate { most, seconds: wait.as_secs() + 1 });
        }
        asked.left -= 1.0;
        asked.running += 1;
        drop(lately);
        Ok(Room { lately: Arc::clone(&self.lately), principal: principal.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_principal_has_a_pace_of_its_own() {
        let pace = Pace::new(Limits { requests_per_minute: Some(3), concurrent: Some(2) });
        let (one, two) = (pace.enter("ada").unwrap(), pace.enter("ada").unwrap());
        assert_eq!(pace.enter("ada").unwrap_err(), TooMuch::Concurrent { most: 2 });
        assert!(pace.enter("bob").is_ok());
        drop(one);
        let three = pace.enter("ada").unwrap();
        drop((two, three));
        let refused = pace.enter("ada").unwrap_err();
        assert!(matches!(refused, TooMuch::Rate { most: 3, seconds: 1..=21 }), "{refused:?}");
        assert!(refused.to_string().contains("ask again in"), "{refused}");
    }

    #[test]
    fn without_limits_nobody_is_refused() {
        let pace = Pace::default();
        let held: Vec<_> = (0..2000).map(|number| pace.enter(&format!("n{number}")).unwrap()).collect();
        assert_eq!(held.len(), 2000);
        drop(held);
        assert!(pace.enter("ada").is_ok());
        for number in 0..4000 {
            assert!(pace.enter(&format!("n{number}")).is_ok());
        }
        let names = pace.lately.lock().unwrap().asked.len();
        assert!(names < 2100, "who has not asked for a minute is forgotten: {names}");
    }
}
