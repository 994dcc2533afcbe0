//! What a policy says of measures: between which bounds they count.
//!
//! `bounds`: a value outside counts as the bound next to it, in sums, means, variances and everywhere else (the engine does it
//! where rows are read). The contract's bounds hold where the policy names none; its own may only be narrower. What one person
//! adds to a figure is thereby no more than everybody knows it may be, and how far beyond the bounds she is nobody learns.

use std::collections::BTreeMap;

use jigsaw_proto::contract::{Contract, Role};
use toml::Spanned;

use super::problem::Problem;
use crate::config::PolicyWords;

/// What a policy says of measures.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measures {
    bounds: BTreeMap<String, (f64, f64)>,
}

impl Measures {
    /// Checks the words against the contract.
    ///
    /// # Errors
    /// A column that is no measure of numbers, bounds that hold nothing, or wider ones than the contract's.
    pub fn new(words: &PolicyWords, contract: &Contract) -> Result<Self, Problem> {
        let bounds = words.bounds.iter().flatten().map(|(column, bounds)| {
            narrower(column, bounds, contract).map(|bounds| (column.get_ref().clone(), bounds))
        });
        Ok(Self { bounds: bounds.collect::<Result<_, Problem>>()? })
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The bounds that it says of measures, by column.
    pub fn bounds(&self) -> &BTreeMap<String, (f64, f64)> {
        &self.bounds
    }

    /// The contract with these bounds instead of its own.
    #[must_use]
    pub(crate) fn narrowed(&self, mut contract: Contract) -> Contract {
        for column in &mut contract.columns {
            if let (Role::Measure { bounds, .. }, Some(narrower)) =
                (&mut column.role, self.bounds.get(column.name.as_str()))
            {
                *bounds = Some(*narrower);
            }
        }
        contract
    }

    /// One sentence for each line, for the node's operator.
    pub(crate) fn sentences(&self) -> Vec<String> {
        let sentence = |(column, (low, high)): (&String, &(f64, f64))| {
            format!("R13: {column} outside {low} to {high} counts as the bound next to it")
        };
        self.bounds.iter().map(sentence).collect()
    }
}

/// Bounds that lie in those of the contract.
fn narrower(
    column: &Spanned<String>,
    bounds: &Spanned<(f64, f64)>,
    contract: &Contract,
) -> Result<(f64, f64), Problem> {
    let widest = measured(column, contract)?;
    let (low, high) = *bounds.get_ref();
    if !(low.is_finite() && high.is_finite() && low < high) {
        return Err(Problem::at(bounds, "bounds are [least, greatest], two numbers that rise"));
    }
    match widest {
        Some((least, greatest)) if low < least || high > greatest => Err(Problem::at(
            bounds,
            format!("bounds [{low}, {high}] are looser than the contract's [{least}, {greatest}]"),
        )),
        _ => Ok((low, high)),
    }
}

/// The contract's bounds of a measure that is a number.
fn measured(column: &Spanned<String>, contract: &Contract) -> Result<Option<(f64, f64)>, Problem> {
    let word = column.get_ref();
    let wrong = |why: &str| Err(Problem::at(column, format!("{word} {why}")));
    match contract.column(word).map(|column| (&column.role, column.data_type.is_numeric())) {
        None => wrong("is no column of the contract: check the spelling"),
        Some((Role::Measure { bounds, .. }, true)) => Ok(*bounds),
        Some(_) => wrong("is no measure that is a number: bounds are for those"),
    }
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
  { name = "ward", type = "text", role = "dimension", description = "" },
  { name = "cost", type = "int64", role = "measure", bounds = [0, 1000], description = "" },
  { name = "weight", type = "float64", role = "measure", description = "" },
  { name = "seen", type = "date", role = "measure", description = "" },
]
"#;

    fn policy(more: &str) -> Result<Policy, Problem> {
        let contract = Contract::parse(CONTRACT).unwrap();
        Policy::parse(&format!("release = \"protected\"\n\n{more}\n"), &contract)
    }

    fn bounds(contract: &Contract, column: &str) -> Option<(f64, f64)> {
        match contract.column(column).unwrap().role {
            Role::Measure { bounds, .. } => bounds,
            _ => None,
        }
    }

    #[test]
    fn bounds_are_the_policys_or_else_the_contracts() {
        let policy = policy("bounds = { cost = [10, 500], weight = [0, 200.5] }").unwrap();
        let narrowed = policy.measures().narrowed(Contract::parse(CONTRACT).unwrap());
        assert_eq!(bounds(&narrowed, "cost"), Some((10.0, 500.0)));
        assert_eq!(bounds(&narrowed, "weight"), Some((0.0, 200.5)));
        let silent = self::policy("").unwrap();
        let contract = silent.measures().narrowed(Contract::parse(CONTRACT).unwrap());
        assert_eq!((bounds(&contract, "cost"), bounds(&contract, "weight")), (Some((0.0, 1000.0)), None));
        assert_ne!(policy.hash(), silent.hash());
    }

    #[test]
    fn a_line_that_is_looser_or_means_nothing_is_an_error_in_its_place() {
        for (line, words) in [
            ("bounds = { cost = [-1, 500] }", "looser than the contract's [0, 1000]"),
            ("bounds = { cost = [0, 1001] }", "looser than the contract's [0, 1000]"),
            ("bounds = { cost = [5, 5] }", "two numbers that rise"),
            ("bounds = { weight = [0, inf] }", "two numbers that rise"),
            ("bounds = { weight = [nan, 1] }", "two numbers that rise"),
            ("bounds = { weight = [1] }", "length 1"),
            ("bounds = { wight = [0, 1] }", "check the spelling"),
            ("bounds = { ward = [0, 1] }", "no measure that is a number"),
            ("bounds = { seen = [0, 1] }", "no measure that is a number"),
            ("quantiles = [\"weight\"]", "unknown field"),
        ] {
            let problem = policy(line).unwrap_err();
            assert!(problem.to_string().contains(words), "{line}: {problem}");
            let text = format!("release = \"protected\"\n\n{line}\n");
            assert_eq!(problem.line(&text), Some(3), "{line}: {problem}");
        }
    }
}
