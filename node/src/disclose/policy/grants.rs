//! Who may ask a dataset, for which purpose, under which agreement, until when (`N08`).
//!
//! A policy that lists grants serves nobody else; one that lists none serves everyone whom the coordinator serves. A grant
//! whose last day has passed grants nothing, but it is still listed: when the last one runs out, nobody is served.
//!
//! Who asks is what [`crate::authorise`] found out. Where the node verifies analysts, a grant holds against a coordinator that lies;
//! where it does not, against analysts alone.

use chrono::NaiveDate;
use serde::Deserialize;
use toml::Spanned;
use toml::value::Datetime;

use super::problem::Problem;
use crate::authorise::Who;

/// Anybody whom the coordinator serves.
const ANYBODY: &str = "*";

/// `[[dataset.policy.grant]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantWords {
    /// the principal's exact name, or `*` for any; exactly one of this and `group`
    pub principal: Option<Spanned<String>>,
    /// a group's exact name, as the node verified it
    pub group: Option<Spanned<String>>,
    /// the exact purpose; absent: any
    pub purpose: Option<Spanned<String>>,
    /// reference of the data-sharing agreement
    pub agreement: Spanned<String>,
    /// last day, UTC
    pub until: Spanned<Datetime>,
}

/// The grants of a policy, in the order of its text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants(Vec<Grant>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Grant {
    whom: Whom,
    purpose: Option<String>,
    agreement: String,
    until: NaiveDate,
}

/// Whom a grant is for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Whom {
    Anybody,
    Principal(String),
    Group(String),
}

/// No grant matches. It does not say why: which grants there are is nobody's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotGranted;

impl Grants {
    /// Checks the words.
    ///
    /// # Errors
    /// The first grant that names nobody, no agreement or no day, or a list of none.
    pub fn new(words: Option<&Spanned<Vec<GrantWords>>>) -> Result<Self, Problem> {
        let Some(words) = words else { return Ok(Self::default()) };
        if words.get_ref().is_empty() {
            let sentence = "grant = [] could mean everyone or no one: take the line out, or list a grant";
            return Err(Problem::at(words, sentence));
        }
        words.get_ref().iter().map(Grant::new).collect::<Result<_, _>>().map(Self)
    }

    /// Whether everyone whom the coordinator serves may ask.
    pub fn is_open(&self) -> bool {
        self.0.is_empty()
    }

    /// The agreement under which somebody may ask on the day `today` (UTC): of the first grant that matches. `None`:
    /// none is needed.
    pub(crate) fn agreement(&self, who: &Who, today: NaiveDate) -> Result<Option<&str>, NotGranted> {
        if self.is_open() {
            return Ok(None);
        }
        let grant = self.0.iter().find(|grant| grant.matches(who, today));
        grant.map(|grant| Some(grant.agreement.as_str())).ok_or(NotGranted)
    }

    /// One sentence for each, for the node's operator.
    pub(crate) fn sentences(&self, today: NaiveDate) -> impl Iterator<Item = String> {
        self.0.iter().map(move |grant| {
            let Grant { whom, purpose, agreement, until } = grant;
            let who = match whom {
                Whom::Anybody => "anybody".to_owned(),
                Whom::Principal(name) => name.clone(),
                Whom::Group(name) => format!("the group {name}"),
            };
            let why = purpose.as_ref().map_or_else(|| "any purpose".to_owned(), |why| format!("\"{why}\""));
            let ended = if *until < today { " (has ended: grants nothing)" } else { "" };
            format!("granted to {who} for {why} under {agreement} until the end of {until} UTC{ended}")
        })
    }
}

impl Grant {
    fn new(words: &GrantWords) -> Result<Self, Problem> {
        let GrantWords { principal, group, purpose, agreement, until } = words;
        let whom = match (principal, group) {
            (Some(principal), None) if principal.get_ref().trim().is_empty() => {
                return Err(Problem::at(principal, "principal names nobody: write a name, or \"*\" for any"));
            }
            (Some(principal), None) if principal.get_ref() == ANYBODY => Whom::Anybody,
            (Some(principal), None) => Whom::Principal(principal.get_ref().clone()),
            (None, Some(group)) if group.get_ref().trim().is_empty() => {
                return Err(Problem::at(group, "group is empty: write its exact name"));
            }
            (None, Some(group)) => Whom::Group(group.get_ref().clone()),
            _ => {
                return Err(Problem::at(
                    agreement,
                    "a grant is for a principal or for a group: write one of them",
                ));
            }
        };
        if let Some(purpose) = purpose
            && purpose.get_ref().trim().is_empty()
        {
            return Err(Problem::at(purpose, "purpose is empty: take the line out to grant any purpose"));
        }
        if agreement.get_ref().trim().is_empty() {
            return Err(Problem::at(agreement, "agreement is empty: write the reference of the agreement"));
        }
        let last = match until.get_ref() {
            Datetime { date: Some(date), time: None, offset: None } => {
                NaiveDate::from_ymd_opt(date.year.into(), date.month.into(), date.day.into())
            }
            _ => None,
        };
        let last =
            last.ok_or_else(|| Problem::at(until, "until is a day, the last one: write 2027-03-31"))?;
        Ok(Self {
            whom,
            purpose: purpose.as_ref().map(|purpose| purpose.get_ref().clone()),
            agreement: agreement.get_ref().clone(),
            until: last,
        })
    }

    fn matches(&self, who: &Who, today: NaiveDate) -> bool {
        let meant = match &self.whom {
            Whom::Anybody => true,
            Whom::Principal(name) => *name == who.principal,
            Whom::Group(name) => who.groups.contains(name),
        };
        meant
            && self.purpose.as_ref().is_none_or(|granted| who.purpose.as_ref() == Some(granted))
            && today <= self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorise::Proof;

    #[derive(Deserialize)]
    struct File {
        grant: Option<Spanned<Vec<GrantWords>>>,
    }

    fn grants(text: &str) -> Result<Grants, Problem> {
        let file: File = toml::from_str(text).unwrap();
        Grants::new(file.grant.as_ref())
    }

    fn grant(principal: &str, purpose: Option<&str>, until: &str) -> String {
        let purpose = purpose.map_or_else(String::new, |purpose| format!("purpose = \"{purpose}\"\n"));
        format!("[[grant]]\nprincipal = \"{principal}\"\n{purpose}agreement = \"DSA-7\"\nuntil = {until}\n")
    }

    fn asks(
        grants: &Grants,
        principal: &str,
        purpose: &str,
        today: NaiveDate,
    ) -> Result<Option<String>, NotGranted> {
        let who = who(principal, &[], Some(purpose));
        grants.agreement(&who, today).map(|agreement| agreement.map(str::to_owned))
    }

    fn who(principal: &str, groups: &[&str], purpose: Option<&str>) -> Who {
        Who {
            principal: principal.to_owned(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            purpose: purpose.map(str::to_owned),
            proof: Proof::None,
        }
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    /// Whoever is not named, in every way of being nearly named.
    #[test]
    fn nobody_slips_past_a_name_or_a_purpose() {
        let today = day("2026-06-01");
        let named = grants(&grant("ada", Some("rough sleeping"), "2026-12-31")).unwrap();
        assert_eq!(asks(&named, "ada", "rough sleeping", today), Ok(Some("DSA-7".to_owned())));
        for principal in
            ["Ada", "ADA", "ada ", " ada", "ada\0", "", "*", "ad", "adam", "a?a", "ａda", "ada,bob"]
        {
            assert_eq!(asks(&named, principal, "rough sleeping", today), Err(NotGranted), "{principal:?}");
        }
        for purpose in ["", "*", "Rough sleeping", "rough sleeping ", "rough", "rough sleeping and more"] {
            assert_eq!(asks(&named, "ada", purpose, today), Err(NotGranted), "{purpose:?}");
        }
        let anybody = grants(&grant("*", None, "2026-12-31")).unwrap();
        assert_eq!(asks(&anybody, "", "", today), Ok(Some("DSA-7".to_owned())));
    }

    /// The last day counts, the next does not, and a list that has run out is not an empty list.
    #[test]
    fn a_grant_ends() {
        let grants = grants(&grant("*", None, "2026-03-31")).unwrap();
        assert!(asks(&grants, "ada", "", day("2026-03-31")).is_ok());
        assert_eq!(asks(&grants, "ada", "", day("2026-04-01")), Err(NotGranted));
        assert!(!grants.is_open());
    }

    /// A group is what the node verified, and a purpose that is not proved opens no grant that names one.
    #[test]
    fn groups_and_purposes_are_those_that_are_proved() {
        let today = day("2026-06-01");
        let text = grant("x", Some("rough sleeping"), "2026-12-31")
            .replace("principal = \"x\"", "group = \"housing\"");
        let grants = grants(&text).unwrap();
        let granted =
            |groups: &[&str], purpose| grants.agreement(&who("housing", groups, purpose), today).is_ok();
        assert!(granted(&["air", "housing"], Some("rough sleeping")));
        assert!(!granted(&[], Some("rough sleeping")), "a principal of that name is not the group");
        assert!(!granted(&["Housing", "housing "], Some("rough sleeping")));
        assert!(!granted(&["housing"], None));
        assert!(!granted(&["housing"], Some("another")));
    }

    #[test]
    fn without_a_list_everyone_is_served() {
        assert_eq!(asks(&grants("").unwrap(), "whoever", "", day("2026-01-01")), Ok(None));
    }

    #[test]
    fn a_grant_that_says_too_little_is_an_error_in_its_line() {
        for (text, line, words) in [
            ("\ngrant = []".to_owned(), 2, "everyone or no one"),
            (grant(" ", None, "2026-01-01"), 2, "names nobody"),
            (grant("ada", None, "2026-01-01").replace("principal = \"ada\"\n", ""), 2, "one of them"),
            (
                grant("ada", None, "2026-01-01").replace("principal", "group = \"a\"\nprincipal"),
                4,
                "one of them",
            ),
            (grant("ada", Some(""), "2026-01-01"), 3, "purpose is empty"),
            (grant("ada", None, "2026-01-01T12:00:00Z"), 4, "last one"),
            (grant("ada", None, "12:00:00"), 4, "last one"),
            (grant("ada", None, "2026-01-01").replace("DSA-7", ""), 3, "agreement is empty"),
        ] {
            let problem = grants(&text).unwrap_err();
            assert_eq!(problem.line(&text), Some(line), "{problem}");
            assert!(problem.to_string().contains(words), "{problem}");
        }
        let file: Result<File, _> = toml::from_str("[[grant]]\nprincipal = \"*\"\nuntil = 2026-01-01\n");
        assert!(file.err().unwrap().to_string().contains("agreement"), "an agreement is required");
    }
}
