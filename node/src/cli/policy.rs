//! `jigsaw-node policy`: what the policies say, and what they would do to a question. No source is opened and nothing is run.

mod question;
mod replay;

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use chrono::{NaiveDate, Utc};
use clap::Subcommand;
use jigsaw_proto::contract::Conditions;
use jigsaw_proto::fragment::Fragment;
use jigsaw_proto::identity::Assertion;
use jigsaw_proto::refusal::Refusal;
use jigsaw_proto::release::ReleaseMode;
use jigsaw_proto::wire::FragmentRequest;

use super::{EX_CONFIG, fail};
use crate::authorise::rehearse;
use crate::disclose::policy::Policy;
use crate::disclose::policy::budget::price;
use crate::node::Datasets;
use crate::settings;
use crate::sources::Dataset;
use crate::validate::{Approved, validate};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Read all policies and say in plain words what each releases, to whom, by which rules; exit 0 or 78
    Check {
        /// Configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// What would happen to a question, and by which rule
    Explain {
        /// Configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Who asks
        #[arg(long, default_value = "")]
        principal: String,
        /// A group of whoever asks; may be given several times
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
        /// Why
        #[arg(long, default_value = "")]
        purpose: String,
        /// One SELECT with aggregates over this node's datasets
        sql: String,
    },
    /// Which questions of the audit log would meet with another answer under other policies
    Replay {
        /// Configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Configuration file with the other policies
        #[arg(long, value_name = "FILE")]
        against: PathBuf,
        /// Audit log; default: the one that the configuration names
        #[arg(long, value_name = "FILE")]
        log: Option<PathBuf>,
    },
}

/// Why a command ends without doing what it was asked.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Settings(#[from] settings::SettingsError),
    #[error("{0}")]
    Question(String),
    #[error("the audit log {path}: {error}", path = path.display())]
    Log { path: PathBuf, error: io::Error },
    #[error(transparent)]
    Output(#[from] io::Error),
}

/// Reports on standard output; exit code 0, 78 for a configuration that cannot be used, 64 for SQL that cannot be read.
pub(super) async fn policy(command: &Command, out: &mut impl Write) -> ExitCode {
    let done = match command {
        Command::Check { config } => check(config, Utc::now().date_naive(), out),
        Command::Explain { config, principal, groups, purpose, sql } => {
            explain(config, (principal, groups, purpose), sql, out).await
        }
        Command::Replay { config, against, log } => {
            replay::replay(config, against, log.as_deref(), out).await
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem @ Failure::Settings(_)) => fail(EX_CONFIG, &problem.to_string()),
        Err(problem @ Failure::Question(_)) => fail(64, &problem.to_string()),
        Err(problem) => fail(1, &problem.to_string()),
    }
}

fn check(config: &Path, today: NaiveDate, out: &mut impl Write) -> Result<(), Failure> {
    for dataset in settings::datasets(config)? {
        writeln!(out, "{} (policy {})", dataset.contract.name, dataset.policy.hash())?;
        for sentence in sentences(&dataset.policy, today) {
            writeln!(out, "  {sentence}")?;
        }
    }
    Ok(())
}

/// A policy in plain words.
fn sentences(policy: &Policy, today: NaiveDate) -> Vec<String> {
    let mut sentences = vec![];
    if policy.grants().is_open() {
        sentences.push("granted to everyone whom the coordinator serves, for any purpose".to_owned());
    }
    sentences.extend(policy.grants().sentences(today).map(|sentence| format!("N08: {sentence}")));
    match policy.mode() {
        ReleaseMode::Open => sentences.push("released: exact figures of any group".to_owned()),
        ReleaseMode::Protected => {
            let (threshold, rounding) = (policy.threshold(), policy.rounding());
            sentences.push(format!("R07: no group of fewer than {threshold} entities is shown"));
            sentences
                .push(format!("R08: no figure to which fewer than {threshold} entities contribute is shown"));
            sentences.push(format!("R13: counts are rounded to {rounding}, sums to {rounding} × resolution"));
            sentences.push("R06: no MIN and no MAX".to_owned());
            if policy.has_dense_grids() {
                sentences.push(
                    "R12: an answer has every cell that the contract's codes span, the others look withheld"
                        .to_owned(),
                );
            }
            sentences.push(match policy.conditions() {
                Conditions::Any => "R04: any condition over what the roles open to tests".to_owned(),
                Conditions::Cube => {
                    "R04: one test of each column, against a value, a bin or a period, joined by AND"
                        .to_owned()
                }
            });
        }
    }
    sentences.extend(policy.filters().sentences());
    sentences.extend(policy.measures().sentences());
    if let Some(budget) = policy.budget() {
        let cells = budget.cells_per_day();
        sentences
            .push(format!("R24: {cells} new aggregates are answered a day (UTC), to all who ask together"));
    }
    sentences
}

async fn explain(
    config: &Path,
    (principal, groups, purpose): (&str, &[String], &str),
    sql: &str,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let held = without_rows(config)?;
    let fragment = question::fragment(sql, &held).await.map_err(Failure::Question)?;
    writeln!(out, "at this node: {fragment}")?;
    let request = FragmentRequest {
        query: "explain".parse().map_err(|_| Failure::Question("the query id is not one".to_owned()))?,
        principal: principal.to_owned(),
        purpose: purpose.to_owned(),
        deadline_ms: 60_000,
        fragment,
        serial: 0,
        issued_ms: 0,
        assertion: Assertion::default(),
    };
    let verdict =
        verdict(&request.encode(), &held, Utc::now().date_naive(), &groups.iter().cloned().collect()).await;
    Ok(writeln!(out, "{verdict}")?)
}

/// The datasets of a configuration under their policies, without a row.
fn without_rows(config: &Path) -> Result<Datasets, Failure> {
    let datasets = settings::datasets(config)?.into_iter().map(|settings| {
        let name = settings.contract.name.clone();
        let dataset =
            Dataset::without_rows(settings).map_err(|error| Failure::Question(error.to_string()))?;
        Ok((name, Arc::new(dataset)))
    });
    datasets.collect()
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    /// the first rule that says no
    Refused(Refusal),
    /// the terms on which it would be run
    Answered(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => write!(f, "refused by {refusal}"),
            Self::Answered(terms) => f.write_str(terms),
        }
    }
}

/// What `held` would do to a request of somebody in `groups` on a day.
async fn verdict(request: &[u8], held: &Datasets, day: NaiveDate, groups: &BTreeSet<String>) -> Verdict {
    let permit = match rehearse(request, day, groups).await {
        Ok(permit) => permit,
        Err(refusal) => return Verdict::Refused(refusal),
    };
    let approved = match validate(&permit, held) {
        Ok(approved) => approved,
        Err(refusal) => return Verdict::Refused(refusal),
    };
    let mut terms = match approved.mode() {
        ReleaseMode::Open => "answered with exact figures".to_owned(),
        ReleaseMode::Protected => {
            let threshold = approved.threshold();
            format!(
                "answered for groups (R07) and figures (R08) of at least {threshold} entities, rounded (R13) to {}",
                approved.rounding()
            )
        }
    };
    if approved.grid().is_some() {
        terms.push_str(", with every cell of the grid (R12)");
    }
    terms.extend(bounded(&approved));
    let agreement = approved.agreement();
    if !agreement.is_empty() {
        terms = format!("{terms}, under {agreement}");
    }
    terms.extend(approved.budgets().map(|(dataset, budget)| {
        let price = price(approved.aggregates());
        format!(", for {price} of the {} of {dataset} a day (R24)", budget.cells_per_day())
    }));
    Verdict::Answered(terms)
}

/// The bounds that policies set for what is aggregated.
fn bounded(approved: &Approved) -> impl Iterator<Item = String> {
    let measures = 0..approved.fragment().measures.len();
    let sources: BTreeSet<String> = measures.flat_map(|measure| approved.sources(measure)).collect();
    approved.datasets().into_iter().flat_map(move |dataset| {
        let name = &dataset.visible().name;
        let bounds = dataset.policy().measures().bounds().iter();
        let bounds = bounds.filter(|(column, _)| sources.contains(&format!("{name}.{column}")));
        bounds
            .map(|(column, (low, high))| format!(", {column} between {low} and {high} (R13)"))
            .collect::<Vec<_>>()
    })
}

/// A fragment on one line.
fn line(fragment: &Fragment) -> String {
    fragment.to_string().replace('\n', " ")
}

#[cfg(test)]
mod tests;
