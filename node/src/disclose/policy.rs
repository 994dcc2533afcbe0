//! A node's policy for one dataset: what it releases, never freer than the contract's floor.

use jigsaw_proto::contract::Floor;
use jigsaw_proto::release::ReleaseMode;
use sha2::{Digest, Sha256};

use crate::config::PolicyWords;

/// A checked policy. There is no default: a dataset without one cannot be queried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    mode: ReleaseMode,
    threshold: u32,
    rounding: u32,
}

impl Policy {
    /// Checks the words of the configuration against the contract's floor.
    ///
    /// # Errors
    /// One sentence that names the line that is missing, meaningless or looser than the floor.
    pub fn new(words: &PolicyWords, floor: Floor) -> Result<Self, String> {
        match (words.release, words.threshold, words.rounding, floor) {
            (ReleaseMode::Open, None, None, Floor::Open) => {
                Ok(Self { mode: ReleaseMode::Open, threshold: 0, rounding: 1 })
            }
            (ReleaseMode::Open, None, None, Floor::Protected { .. }) => {
                Err("release = \"open\" is looser than the contract, which protects this dataset: write release = \"protected\"".to_owned())
            }
            (ReleaseMode::Open, ..) => {
                Err("threshold and rounding have no meaning with release = \"open\": take them out".to_owned())
            }
            (ReleaseMode::Protected, Some(threshold @ 2..), Some(rounding @ 1..), floor) => {
                Self::protected(threshold, rounding, floor)
            }
            (ReleaseMode::Protected, ..) => {
                Err("release = \"protected\" needs threshold (2 or more) and rounding (1 or more)".to_owned())
            }
        }
    }

    fn protected(threshold: u32, rounding: u32, floor: Floor) -> Result<Self, String> {
        if let Floor::Protected { threshold: least, rounding: base } = floor {
            if threshold < least {
                return Err(format!("threshold = {threshold} is looser than the contract's {least}"));
            }
            if rounding < base {
                return Err(format!("rounding = {rounding} is looser than the contract's {base}"));
            }
        }
        Ok(Self { mode: ReleaseMode::Protected, threshold, rounding })
    }

    /// How freely the dataset is released.
    pub fn mode(&self) -> ReleaseMode {
        self.mode
    }

    /// Least number of entities of a cell; 0 when open.
    pub fn threshold(&self) -> u32 {
        self.threshold
    }

    /// Base that counts are rounded to; 1: exact.
    pub fn rounding(&self) -> u32 {
        self.rounding
    }

    /// Hash of what it says, hexadecimal.
    pub fn hash(&self) -> String {
        let digest = Sha256::digest(format!("{} {} {}", self.mode.as_str(), self.threshold, self.rounding));
        digest.iter().take(8).fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOOR: Floor = Floor::Protected { threshold: 10, rounding: 5 };

    fn words(release: ReleaseMode, threshold: Option<u32>, rounding: Option<u32>) -> PolicyWords {
        PolicyWords { release, threshold, rounding }
    }

    #[test]
    fn a_policy_may_only_be_stricter() {
        assert!(Policy::new(&words(ReleaseMode::Protected, Some(10), Some(5)), FLOOR).is_ok());
        assert!(Policy::new(&words(ReleaseMode::Protected, Some(20), Some(10)), FLOOR).is_ok());
        for (policy, line) in [
            (words(ReleaseMode::Protected, Some(9), Some(5)), "threshold = 9"),
            (words(ReleaseMode::Protected, Some(10), Some(1)), "rounding = 1"),
            (words(ReleaseMode::Open, None, None), "release = \"open\""),
            (words(ReleaseMode::Protected, None, None), "needs threshold"),
        ] {
            let problem = Policy::new(&policy, FLOOR).unwrap_err();
            assert!(problem.contains(line), "{problem}");
        }
    }
}
