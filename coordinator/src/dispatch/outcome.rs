//! What became of each node, and what that makes of the answer.

use std::collections::BTreeSet;
use std::time::Duration;

use datafusion::arrow::array::RecordBatch;
use jigsaw_proto::fragment::Fragment;
use jigsaw_proto::id::NodeId;
use jigsaw_proto::refusal::Refusal;
use jigsaw_proto::release::Manifest;

use crate::query::QueryError;

/// One node's part in an answer.
#[derive(Debug, Clone)]
pub(crate) struct NodeOutcome {
    pub(crate) node: NodeId,
    pub(crate) outcome: Outcome,
    pub(crate) elapsed: Duration,
}

/// What a node did.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    Answered { batches: Vec<RecordBatch>, manifest: Box<Manifest> },
    Refused(Refusal),
    Late,
    LeftOut(String),
    Failed(String),
}

impl NodeOutcome {
    pub(super) fn left_out(node: &NodeId, reason: String) -> Self {
        Self { node: node.clone(), outcome: Outcome::LeftOut(reason), elapsed: Duration::ZERO }
    }

    /// The outcome without the released rows.
    pub(super) fn summary(&self) -> Self {
        let outcome = match &self.outcome {
            Outcome::Answered { manifest, .. } => {
                Outcome::Answered { batches: vec![], manifest: manifest.clone() }
            }
            other => other.clone(),
        };
        Self { node: self.node.clone(), outcome, elapsed: self.elapsed }
    }

    /// One node's part in an answer for which it was asked twice: the worse of both, or all that both releases carry.
    pub(super) fn and(self, later: Self) -> Self {
        let elapsed = self.elapsed.max(later.elapsed);
        let outcome = match (self.outcome, later.outcome) {
            (Outcome::Answered { manifest: one, .. }, Outcome::Answered { manifest: other, .. }) => {
                Outcome::Answered { batches: vec![], manifest: Box::new(both(*one, *other)) }
            }
            (Outcome::Answered { .. }, worse) | (worse, _) => worse,
        };
        Self { node: self.node, outcome, elapsed }
    }

    /// `answered`, `refused`, `late` or `failed`
    pub(crate) fn status(&self) -> &'static str {
        match self.outcome {
            Outcome::Answered { .. } => "answered",
            Outcome::Refused(_) => "refused",
            Outcome::Late => "late",
            Outcome::LeftOut(_) | Outcome::Failed(_) => "failed",
        }
    }

    /// Why it did not answer; empty if it did.
    pub(crate) fn message(&self) -> String {
        match &self.outcome {
            Outcome::Answered { .. } => String::new(),
            Outcome::Refused(refusal) => refusal.to_string(),
            Outcome::Late => "it did not answer in time".to_owned(),
            Outcome::LeftOut(reason) => format!("it is left out: {reason}"),
            Outcome::Failed(reason) => reason.clone(),
        }
    }
}

/// What two releases of one node say together: whatever protects one of them is said, and the older data counts.
fn both(one: Manifest, other: Manifest) -> Manifest {
    let mut rules = one.rules;
    rules.extend(other.rules);
    rules.sort();
    rules.dedup();
    let known = [one.data_as_of, other.data_as_of];
    Manifest {
        node: one.node,
        query: one.query,
        policy: one.policy,
        mode: one.mode.max(other.mode),
        threshold: one.threshold.max(other.threshold),
        rounding: one.rounding.max(other.rounding),
        released_cells: one.released_cells.saturating_add(other.released_cells),
        withheld_cells: one.withheld_cells.saturating_add(other.withheld_cells),
        rules,
        data_as_of: known.into_iter().filter(|moment| !moment.is_empty()).min().unwrap_or_default(),
    }
}

/// Why a fragment has no complete answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DispatchError {
    /// all nodes say no by the same rule
    #[error("{nodes} refuse: {refusal}")]
    Refused {
        /// how many
        nodes: String,
        /// what they say
        refusal: Refusal,
    },
    /// nodes are missing
    #[error(
        "the answer would miss {missing}: ask again later, or allow a partial answer (--allow-partial, header x-jigsaw-allow-partial: true)"
    )]
    Incomplete {
        /// which nodes, and why
        missing: String,
    },
    /// no node of the roster holds the data
    #[error("no node of the federation holds {datasets}: see system.datasets for what can be asked")]
    NotHeld {
        /// the names
        datasets: String,
    },
    /// nobody answered
    #[error("no node answered: {missing}")]
    Nobody {
        /// which nodes, and why
        missing: String,
    },
}

impl DispatchError {
    pub(super) fn nobody_holds(fragment: &Fragment) -> Self {
        let names: BTreeSet<String> =
            fragment.input.datasets().into_iter().map(ToString::to_string).collect();
        Self::NotHeld { datasets: names.into_iter().collect::<Vec<_>>().join(" together with ") }
    }
}

impl From<DispatchError> for QueryError {
    fn from(error: DispatchError) -> Self {
        let message = error.to_string();
        match error {
            DispatchError::Refused { .. } => Self::Refused { message },
            DispatchError::Incomplete { .. }
            | DispatchError::Nobody { .. }
            | DispatchError::NotHeld { .. } => Self::Incomplete { message },
        }
    }
}

/// What nodes released for one fragment.
#[derive(Debug, Default)]
pub(crate) struct Released {
    /// a manifest and its batches for each node that answered
    pub(crate) answers: Vec<(Box<Manifest>, Vec<RecordBatch>)>,
    /// how many nodes were asked and did not answer
    pub(crate) missing: usize,
}

impl Released {
    /// The released rows of all nodes.
    pub(crate) fn batches(&self) -> impl Iterator<Item = &RecordBatch> {
        self.answers.iter().flat_map(|(_, batches)| batches)
    }
}

/// The releases of all nodes, or why they are not the whole answer.
pub(super) fn combine(outcomes: Vec<NodeOutcome>, allow_partial: bool) -> Result<Released, DispatchError> {
    if let Some(refused) = all_refuse(&outcomes) {
        return Err(refused);
    }
    let missing: Vec<String> = outcomes
        .iter()
        .filter(|outcome| !matches!(outcome.outcome, Outcome::Answered { .. }))
        .map(|outcome| format!("{} ({})", outcome.node, outcome.message()))
        .collect();
    let left_out = missing.len();
    if !missing.is_empty() {
        let answered = outcomes.len() > missing.len();
        let missing = missing.join("; ");
        if !answered && allow_partial {
            return Err(DispatchError::Nobody { missing });
        }
        if !allow_partial {
            return Err(DispatchError::Incomplete { missing });
        }
    }
    let answers = outcomes.into_iter().filter_map(|outcome| match outcome.outcome {
        Outcome::Answered { batches, manifest } => Some((manifest, batches)),
        _ => None,
    });
    Ok(Released { answers: answers.collect(), missing: left_out })
}

/// A refusal in which all nodes agree is a property of the question, told once.
fn all_refuse(outcomes: &[NodeOutcome]) -> Option<DispatchError> {
    let mut refusals = outcomes.iter().map(|outcome| match &outcome.outcome {
        Outcome::Refused(refusal) if refusal.code.is_policy() => Some(refusal),
        _ => None,
    });
    let first = refusals.next()??;
    let nodes = match outcomes {
        [only] => only.node.to_string(),
        all => format!("all {} nodes", all.len()),
    };
    refusals
        .all(|refusal| refusal.is_some_and(|refusal| refusal.code == first.code))
        .then(|| DispatchError::Refused { nodes, refusal: first.clone() })
}
