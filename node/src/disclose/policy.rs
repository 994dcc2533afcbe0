//! A node's policy for one dataset: what it releases, never freer than the contract's floor.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jigsaw_proto::contract::{Contract, Floor};
use jigsaw_proto::id::ColumnName;
use jigsaw_proto::release::ReleaseMode;
use sha2::{Digest, Sha256};

use super::perturbation::PerturbationTable;
use crate::config::{DominanceRules, DominanceWords, PolicyWords};

/// A checked policy. There is no default: a dataset without one cannot be queried.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    mode: ReleaseMode,
    threshold: u32,
    rounding: u32,
    dominance: Option<Dominance>,
    sensitive: BTreeSet<String>,
    perturbation: Option<Arc<PerturbationTable>>,
    guarded: bool,
    tick: Duration,
}

/// How much of a cell may be one or two entities' own: the p % rule and the (n,k) rule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dominance {
    /// in per cent of the largest holding
    pub p: f64,
    /// so many largest holdings
    pub n: usize,
    /// in per cent of all holdings
    pub k: f64,
}

/// Long enough to hide what few rows more cost, short enough not to be noticed.
const TICK: Duration = Duration::from_millis(50);

/// What ACRO and the research data centres use.
const DOMINANCE: Dominance = Dominance { p: 10.0, n: 2, k: 90.0 };

impl Policy {
    /// Checks the words of the configuration against the contract. Paths are relative to `folder`.
    ///
    /// # Errors
    /// One sentence that names the line that is missing, meaningless or looser than the floor.
    pub fn new(words: &PolicyWords, contract: &Contract, folder: &Path) -> Result<Self, String> {
        let PolicyWords {
            release,
            threshold,
            rounding,
            dominance,
            sensitive,
            perturbation,
            overlap_guard,
            tick_milliseconds,
        } = words;
        match (release, threshold, rounding, contract.floor) {
            (ReleaseMode::Open, None, None, Floor::Open) => Self::open(words),
            (ReleaseMode::Open, None, None, Floor::Protected { .. }) => {
                Err("release = \"open\" is looser than the contract, which protects this dataset: write release = \"protected\"".to_owned())
            }
            (ReleaseMode::Open, ..) => {
                Err("threshold and rounding have no meaning with release = \"open\": take them out".to_owned())
            }
            (ReleaseMode::Protected, Some(threshold @ 2..), Some(rounding @ 1..), floor) => {
                at_least(*threshold, *rounding, floor)?;
                let read = |path| PerturbationTable::read(&folder.join(path)).map(Arc::new);
                Ok(Self {
                    mode: ReleaseMode::Protected,
                    threshold: *threshold,
                    rounding: *rounding,
                    dominance: dominance_of(*dominance)?,
                    sensitive: sensitive_of(sensitive, contract)?,
                    perturbation: perturbation.as_ref().map(read).transpose()?,
                    guarded: overlap_guard.unwrap_or(true),
                    tick: tick_milliseconds.map_or(TICK, Duration::from_millis),
                })
            }
            (ReleaseMode::Protected, ..) => {
                Err("release = \"protected\" needs threshold (2 or more) and rounding (1 or more)".to_owned())
            }
        }
    }

    fn open(words: &PolicyWords) -> Result<Self, String> {
        let PolicyWords { dominance, sensitive, perturbation, overlap_guard, tick_milliseconds, .. } = words;
        let rules = dominance.is_some() || !sensitive.is_empty() || perturbation.is_some();
        if rules || overlap_guard.is_some() || tick_milliseconds.is_some() {
            return Err("dominance, sensitive, perturbation, overlap_guard and tick_milliseconds have no meaning with release = \"open\": take them out".to_owned());
        }
        Ok(Self {
            mode: ReleaseMode::Open,
            threshold: 0,
            rounding: 1,
            dominance: None,
            sensitive: BTreeSet::new(),
            perturbation: None,
            guarded: false,
            tick: Duration::ZERO,
        })
    }

    /// How much of a cell may be one or two entities' own; `None`: all of it.
    pub fn dominance(&self) -> Option<Dominance> {
        self.dominance
    }

    /// Columns whose value must not be told of everybody in a group.
    pub fn sensitive(&self) -> &BTreeSet<String> {
        &self.sensitive
    }

    /// What is added to counts; `None`: nothing.
    pub fn perturbation(&self) -> Option<&Arc<PerturbationTable>> {
        self.perturbation.as_ref()
    }

    /// Whether cells are compared with those released before.
    pub fn is_guarded(&self) -> bool {
        self.guarded
    }

    /// Answers leave at multiples of this; zero: at once.
    pub fn tick(&self) -> Duration {
        self.tick
    }

    /// Whether a rule asks who is behind a cell, not just how many.
    pub fn names_holders(&self) -> bool {
        self.dominance.is_some() || !self.sensitive.is_empty() || self.perturbation.is_some() || self.guarded
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
        let Self { mode, threshold, rounding, dominance, sensitive, perturbation, guarded, tick } = self;
        let table = perturbation.as_ref().map(|table| table.digest());
        let said = format!(
            "{mode:?} {threshold} {rounding} {dominance:?} {sensitive:?} {table:?} {guarded} {tick:?}"
        );
        let digest = Sha256::digest(said);
        digest.iter().take(8).fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    }
}

fn at_least(threshold: u32, rounding: u32, floor: Floor) -> Result<(), String> {
    if let Floor::Protected { threshold: least, rounding: base } = floor {
        if threshold < least {
            return Err(format!("threshold = {threshold} is looser than the contract's {least}"));
        }
        if rounding < base {
            return Err(format!("rounding = {rounding} is looser than the contract's {base}"));
        }
    }
    Ok(())
}

fn dominance_of(words: Option<DominanceWords>) -> Result<Option<Dominance>, String> {
    match words {
        None => Ok(Some(DOMINANCE)),
        Some(DominanceWords::Off(_)) => Ok(None),
        Some(DominanceWords::Rules(DominanceRules { p, n, k }))
            if p > 0.0 && p.is_finite() && n > 0 && k > 0.0 && k <= 100.0 =>
        {
            Ok(Some(Dominance { p, n, k }))
        }
        Some(DominanceWords::Rules(_)) => {
            Err("dominance: p is a percentage above 0, n is 1 or more, k is above 0 and at most 100"
                .to_owned())
        }
    }
}

fn sensitive_of(columns: &[ColumnName], contract: &Contract) -> Result<BTreeSet<String>, String> {
    let known = |column: &ColumnName| match contract.column(column.as_str()) {
        Some(_) => Ok(column.to_string()),
        None => Err(format!("sensitive: the contract has no column {column}")),
    };
    columns.iter().map(known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTRACT: &str = r#"
name = "stay"
version = 1
description = ""
release = "protected"
threshold = 10
rounding = 5
column = [
  { name = "person", type = "text", role = "entity", description = "" },
  { name = "category", type = "text", role = "dimension", description = "" },
]
"#;

    fn policy(text: &str) -> Result<Policy, String> {
        let words: PolicyWords = toml::from_str(text).map_err(|error| error.to_string())?;
        Policy::new(&words, &Contract::parse(CONTRACT).unwrap(), Path::new("."))
    }

    fn protected(more: &str) -> Result<Policy, String> {
        policy(&format!("release = \"protected\"\nthreshold = 10\nrounding = 5\n{more}"))
    }

    #[test]
    fn a_policy_may_only_be_stricter() {
        assert!(protected("").is_ok());
        assert!(policy("release = \"protected\"\nthreshold = 20\nrounding = 10").is_ok());
        for (text, line) in [
            ("release = \"protected\"\nthreshold = 9\nrounding = 5", "threshold = 9"),
            ("release = \"protected\"\nthreshold = 10\nrounding = 1", "rounding = 1"),
            ("release = \"open\"", "release = \"open\""),
            ("release = \"protected\"", "needs threshold"),
        ] {
            let problem = policy(text).unwrap_err();
            assert!(problem.contains(line), "{problem}");
        }
    }

    #[test]
    fn what_is_not_said_protects() {
        let policy = protected("").unwrap();
        assert_eq!(policy.dominance(), Some(DOMINANCE));
        assert!(policy.is_guarded() && policy.names_holders());
        let bare = protected("dominance = \"off\"\noverlap_guard = false").unwrap();
        assert!(!bare.names_holders());
        assert_ne!(policy.hash(), bare.hash());
    }

    #[test]
    fn rules_that_make_no_sense_are_named() {
        for (text, words) in [
            ("dominance = { p = 0, n = 2, k = 90 }", "p is a percentage"),
            ("dominance = { p = 10, n = 2, k = 190 }", "k is above 0"),
            ("dominance = \"none\"", "\"off\""),
            ("sensitive = [\"absent\"]", "no column absent"),
            ("perturbation = \"absent.csv\"", "absent.csv"),
        ] {
            let problem = protected(text).unwrap_err();
            assert!(problem.contains(words), "{text}: {problem}");
        }
    }
}
