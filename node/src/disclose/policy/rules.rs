//! The rules beside threshold and rounding: dominance, class disclosure, perturbation, the guard, the tick.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jigsaw_proto::contract::Contract;
use jigsaw_proto::release::ReleaseMode;
use toml::Spanned;

use super::problem::Problem;
use crate::config::{DominanceRules, DominanceWords, GridWord, PolicyWords};
use crate::disclose::perturbation::PerturbationTable;

/// Long enough to hide what few rows more cost, short enough not to be noticed.
const TICK: Duration = Duration::from_millis(50);

/// What ACRO and the research data centres use.
const DOMINANCE: Dominance = Dominance { p: 10.0, n: 2, k: 90.0 };

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

/// What is not said protects.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rules {
    pub(super) dominance: Option<Dominance>,
    pub(super) sensitive: BTreeSet<String>,
    pub(super) perturbation: Option<Arc<PerturbationTable>>,
    pub(super) guarded: bool,
    pub(super) tick: Duration,
    pub(super) dense: bool,
}

impl Rules {
    pub(super) fn new(words: &PolicyWords, contract: &Contract, folder: &Path) -> Result<Self, Problem> {
        let PolicyWords {
            dominance, sensitive, perturbation, overlap_guard, tick_milliseconds, grid, ..
        } = words;
        if *words.release.get_ref() == ReleaseMode::Open {
            let said = dominance.is_some() || !sensitive.is_empty() || perturbation.is_some();
            if said || overlap_guard.is_some() || tick_milliseconds.is_some() || grid.is_some() {
                let sentence = "dominance, sensitive, perturbation, overlap_guard, tick_milliseconds and grid have no meaning with release = \"open\": take them out";
                return Err(Problem::at(&words.release, sentence));
            }
            let (sensitive, tick) = (BTreeSet::new(), Duration::ZERO);
            return Ok(Self {
                dominance: None,
                sensitive,
                perturbation: None,
                guarded: false,
                tick,
                dense: false,
            });
        }
        let table = perturbation.as_ref().map(|path| {
            let table = PerturbationTable::read(&folder.join(path.get_ref()));
            table.map(Arc::new).map_err(|problem| Problem::at(path, problem))
        });
        Ok(Self {
            dominance: dominance_of(dominance.as_ref())?,
            sensitive: sensitive_of(sensitive, contract)?,
            perturbation: table.transpose()?,
            guarded: overlap_guard.unwrap_or(true),
            tick: tick_milliseconds.map_or(TICK, Duration::from_millis),
            dense: grid.as_ref().is_some_and(|grid| *grid.get_ref() == GridWord::Dense),
        })
    }

    /// Everything it says, for a hash.
    pub(super) fn said(&self) -> String {
        let Self { dominance, sensitive, perturbation, guarded, tick, dense } = self;
        let table = perturbation.as_ref().map(|table| table.digest());
        let dense = if *dense { " dense" } else { "" };
        format!("{dominance:?} {sensitive:?} {table:?} {guarded} {tick:?}{dense}")
    }
}

fn dominance_of(words: Option<&Spanned<DominanceWords>>) -> Result<Option<Dominance>, Problem> {
    let Some(words) = words else { return Ok(Some(DOMINANCE)) };
    match *words.get_ref() {
        DominanceWords::Off(_) => Ok(None),
        DominanceWords::Rules(DominanceRules { p, n, k })
            if p > 0.0 && p.is_finite() && n > 0 && k > 0.0 && k <= 100.0 =>
        {
            Ok(Some(Dominance { p, n, k }))
        }
        DominanceWords::Rules(_) => Err(Problem::at(
            words,
            "dominance: p is a percentage above 0, n is 1 or more, k is above 0 and at most 100",
        )),
    }
}

fn sensitive_of(columns: &[Spanned<String>], contract: &Contract) -> Result<BTreeSet<String>, Problem> {
    let known = |column: &Spanned<String>| match contract.column(column.get_ref()) {
        Some(_) => Ok(column.get_ref().clone()),
        None => {
            Err(Problem::at(column, format!("sensitive: the contract has no column {}", column.get_ref())))
        }
    };
    columns.iter().map(known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disclose::policy::Policy;

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

    fn protected(more: &str) -> Result<Policy, String> {
        let contract = Contract::parse(CONTRACT).unwrap();
        let policy = Policy::parse(&format!("release = \"protected\"\n{more}"), &contract);
        policy.map_err(|problem| problem.to_string())
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
