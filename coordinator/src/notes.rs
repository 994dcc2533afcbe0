//! What is said beside an answer: which nodes it stands on, and what disclosure control did to it.

use serde::Serialize;

use crate::dispatch::{NodeOutcome, Outcome, QueryContext};

/// The `app_metadata` of an answer's last message, as JSON.
#[derive(Debug, Serialize)]
pub(crate) struct Notes {
    query_id: String,
    elapsed_ms: u64,
    nodes: Vec<NodeNote>,
    caveats: Vec<String>,
}

#[derive(Debug, Serialize)]
struct NodeNote {
    node: String,
    status: &'static str,
    message: String,
    elapsed_ms: u64,
    data_as_of: String,
}

impl Notes {
    /// The notes of a question that has been answered.
    pub(crate) fn of(context: &QueryContext) -> Self {
        let outcomes = context.outcomes();
        Self {
            query_id: context.id.to_string(),
            elapsed_ms: milliseconds(context.elapsed()),
            caveats: caveats(&outcomes).into_iter().chain(context.remarks()).collect(),
            nodes: outcomes.iter().map(note).collect(),
        }
    }

    /// JSON text.
    pub(crate) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn note(outcome: &NodeOutcome) -> NodeNote {
    let data_as_of = match &outcome.outcome {
        Outcome::Answered { manifest, .. } => manifest.data_as_of.clone(),
        _ => String::new(),
    };
    NodeNote {
        node: outcome.node.to_string(),
        status: outcome.status(),
        message: outcome.message(),
        elapsed_ms: milliseconds(outcome.elapsed),
        data_as_of,
    }
}

/// One sentence for each thing a reader must know.
fn caveats(outcomes: &[NodeOutcome]) -> Vec<String> {
    let manifests = || {
        outcomes.iter().filter_map(|outcome| match &outcome.outcome {
            Outcome::Answered { manifest, .. } => Some(&**manifest),
            _ => None,
        })
    };
    let mut caveats = vec![];
    let missing: Vec<&NodeOutcome> =
        outcomes.iter().filter(|outcome| !matches!(outcome.outcome, Outcome::Answered { .. })).collect();
    if !missing.is_empty() {
        let names: Vec<String> =
            missing.iter().map(|outcome| format!("{} ({})", outcome.node, outcome.message())).collect();
        caveats.push(format!(
            "incomplete: {} of {} nodes {} missing: {}",
            missing.len(),
            outcomes.len(),
            if missing.len() == 1 { "is" } else { "are" },
            names.join("; ")
        ));
    }
    let protected = || manifests().filter(|manifest| manifest.threshold > 0);
    let nodes = protected().count() as u64;
    if let Some(threshold) = protected().map(|manifest| manifest.threshold).max() {
        caveats.push(format!(
            "disclosure control: {} out groups and cells of fewer than {threshold}, so totals over nodes may be too low",
            counted(nodes, "node leaves", "nodes leave")
        ));
    }
    if let Some(base) = protected().map(|manifest| manifest.rounding).max().filter(|base| *base > 1) {
        let most = nodes * u64::from(base) / 2;
        caveats.push(format!(
            "each node rounds counts to {base}: a total over {} may be off by up to {most}",
            counted(nodes, "node", "nodes")
        ));
    }
    let withheld: u64 = manifests().map(|manifest| manifest.withheld_cells).sum();
    if withheld > 0 {
        let withheld =
            counted(withheld, "cell of the nodes' releases was", "cells of the nodes' releases were");
        caveats.push(format!("{withheld} withheld"));
    }
    caveats
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests;
