//! A node's policy for one dataset: what it releases and to whom, never freer than the contract's floor.

pub mod budget;
pub mod filters;
pub mod grants;
pub mod measures;
pub mod problem;
pub mod rules;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jigsaw_proto::contract::{Conditions, Contract, Floor};
use jigsaw_proto::release::ReleaseMode;
use sha2::{Digest, Sha256};
use toml::Spanned;

use super::perturbation::PerturbationTable;
use crate::config::PolicyWords;
use budget::Budget;
use filters::Filters;
use grants::Grants;
use measures::Measures;
use problem::Problem;
use rules::{Dominance, Rules};

/// Least number of entities where a protected policy does not say.
const THRESHOLD: u32 = 10;
/// Base of rounding where a protected policy does not say.
const ROUNDING: u32 = 5;

/// A checked policy. There is no default: a dataset without one cannot be queried.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    mode: ReleaseMode,
    threshold: u32,
    rounding: u32,
    rules: Rules,
    grants: Grants,
    filters: Filters,
    measures: Measures,
    conditions: Conditions,
    budget: Option<Budget>,
}

impl Policy {
    /// Checks the words of the configuration against the contract. Paths in them are relative to `folder`.
    ///
    /// # Errors
    /// One sentence, and the place, of what is missing, meaningless or looser than the contract's floor.
    pub fn new(words: &PolicyWords, contract: &Contract, folder: &Path) -> Result<Self, Problem> {
        let (threshold, rounding) = match words.release.get_ref() {
            ReleaseMode::Open => open(words, contract.floor)?,
            ReleaseMode::Protected => protected(words, contract.floor)?,
        };
        Ok(Self {
            mode: *words.release.get_ref(),
            threshold,
            rounding,
            rules: Rules::new(words, contract, folder)?,
            grants: Grants::new(words.grant.as_ref())?,
            filters: Filters::new(words, contract)?,
            measures: Measures::new(words, contract)?,
            conditions: conditions(words, contract)?,
            budget: Budget::of(words, contract)?,
        })
    }

    /// Reads the text of a policy file. Paths in it are relative to `folder`.
    ///
    /// # Errors
    /// What is no policy, or as [`Policy::new`].
    pub fn read(text: &str, contract: &Contract, folder: &Path) -> Result<Self, Problem> {
        let words: PolicyWords = toml::from_str(text)?;
        Self::new(&words, contract, folder)
    }

    /// A policy that names no files.
    #[cfg(test)]
    pub(crate) fn parse(text: &str, contract: &Contract) -> Result<Self, Problem> {
        Self::read(text, contract, Path::new(""))
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

    /// How much of a cell may be one or two entities' own; `None`: all of it.
    pub fn dominance(&self) -> Option<Dominance> {
        self.rules.dominance
    }

    /// Columns whose value must not be told of everybody in a group.
    pub fn sensitive(&self) -> &BTreeSet<String> {
        &self.rules.sensitive
    }

    /// What is added to counts; `None`: nothing.
    pub fn perturbation(&self) -> Option<&Arc<PerturbationTable>> {
        self.rules.perturbation.as_ref()
    }

    /// Whether cells are compared with those released before.
    pub fn is_guarded(&self) -> bool {
        self.rules.guarded
    }

    /// Answers leave at multiples of this; zero: at once.
    pub fn tick(&self) -> Duration {
        self.rules.tick
    }

    /// Whether answers have every cell of a grid.
    pub fn has_dense_grids(&self) -> bool {
        self.rules.dense
    }

    /// Whether a rule asks who is behind a cell, not just how many.
    pub fn names_holders(&self) -> bool {
        let Rules { dominance, sensitive, perturbation, guarded, tick: _, dense: _ } = &self.rules;
        dominance.is_some() || !sensitive.is_empty() || perturbation.is_some() || *guarded
    }

    /// Who may ask.
    pub fn grants(&self) -> &Grants {
        &self.grants
    }

    /// Which columns a question may test, and with what.
    pub fn filters(&self) -> &Filters {
        &self.filters
    }

    /// What it says of measures.
    pub fn measures(&self) -> &Measures {
        &self.measures
    }

    /// Which sets of rows a question may ask about.
    pub fn conditions(&self) -> Conditions {
        self.conditions
    }

    /// What it answers on one day.
    pub fn budget(&self) -> Option<Budget> {
        self.budget
    }

    /// Codes of what it applies beside mode, threshold and rounding, for whoever wants to know before asking. The parameters of the
    /// rules are not told, for they narrow down what was withheld (Hundepool et al., Statistical Disclosure Control, 2012), nor
    /// whom a grant is for.
    pub fn announced(&self) -> impl Iterator<Item = &'static str> {
        let Rules { dominance, sensitive, perturbation, guarded, tick: _, dense } = &self.rules;
        [
            ("N08", !self.grants.is_open()),
            ("R04", self.conditions == Conditions::Cube),
            ("R09", dominance.is_some()),
            ("R10", dominance.is_some()),
            ("R11", !sensitive.is_empty()),
            ("R12", *dense),
            ("R13P", perturbation.is_some()),
            ("R14", *guarded),
            ("R15", *guarded),
            ("R16", *guarded),
        ]
        .into_iter()
        .filter_map(|(rule, applied)| applied.then_some(rule))
    }

    /// Hash of the rules it releases by, hexadecimal. It is public, so grants are no part of it: a hash of names would
    /// confirm a guess at them.
    pub fn hash(&self) -> String {
        let Self { mode, threshold, rounding, rules, filters, measures, conditions, budget: _, grants: _ } =
            self;
        let filters = if filters.is_empty() { String::new() } else { format!(" {filters:?}") };
        let measures = if measures.is_empty() { String::new() } else { format!(" {measures:?}") };
        let (mode, conditions) = (mode.as_str(), conditions.as_str());
        let said = format!("{mode} {threshold} {rounding} {conditions} {}{filters}{measures}", rules.said());
        let digest = Sha256::digest(said);
        digest.iter().take(8).fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    }
}

fn open(words: &PolicyWords, floor: Floor) -> Result<(u32, u32), Problem> {
    if matches!(floor, Floor::Protected { .. }) {
        let sentence = "release = \"open\" is looser than the contract, which protects this dataset: write release = \"protected\"";
        return Err(Problem::at(&words.release, sentence));
    }
    if let Some(number) = words.threshold.as_ref().or(words.rounding.as_ref()) {
        let sentence = "threshold and rounding have no meaning with release = \"open\": take them out";
        return Err(Problem::at(number, sentence));
    }
    let filters = words.compare_literals.is_some() || words.compare_columns.is_some();
    let measures = words.bounds.is_some();
    if filters || measures || words.max_in_list.is_some() || words.bins.is_some() {
        let sentence = "compare_literals, compare_columns, max_in_list, bins and bounds have no meaning with release = \"open\": take them out";
        return Err(Problem::at(&words.release, sentence));
    }
    Ok((0, 1))
}

/// A cube, unless another word is written and the contract allows it.
fn conditions(words: &PolicyWords, contract: &Contract) -> Result<Conditions, Problem> {
    let open = *words.release.get_ref() == ReleaseMode::Open;
    match &words.conditions {
        Some(written) if open => {
            let sentence = "conditions has no meaning with release = \"open\": take it out";
            Err(Problem::at(written, sentence))
        }
        None if open => Ok(Conditions::Any),
        None => Ok(Conditions::Cube),
        Some(written) if *written.get_ref() < contract.conditions => {
            let sentence =
                "conditions = \"any\" is looser than the contract, which allows conditions = \"cube\" only";
            Err(Problem::at(written, sentence))
        }
        Some(written) => Ok(*written.get_ref()),
    }
}

/// Threshold and rounding: what is written, else the default, never less than the floor.
fn protected(words: &PolicyWords, floor: Floor) -> Result<(u32, u32), Problem> {
    let (threshold, rounding) = match floor {
        Floor::Protected { threshold, rounding } => (threshold, rounding),
        Floor::Open => (2, 1),
    };
    Ok((
        stricter("threshold", words.threshold.as_ref(), THRESHOLD, 2, threshold)?,
        stricter("rounding", words.rounding.as_ref(), ROUNDING, 1, rounding)?,
    ))
}

fn stricter(
    key: &str,
    written: Option<&Spanned<u32>>,
    default: u32,
    least: u32,
    floor: u32,
) -> Result<u32, Problem> {
    let Some(written) = written else { return Ok(default.max(floor)) };
    let value = *written.get_ref();
    if value < least {
        return Err(Problem::at(written, format!("{key} = {value} protects nobody: it is {least} or more")));
    }
    if value < floor {
        return Err(Problem::at(written, format!("{key} = {value} is looser than the contract's {floor}")));
    }
    Ok(value)
}

#[cfg(test)]
mod tests;
