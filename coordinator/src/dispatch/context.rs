//! One question while it runs: who asks, until when, and how far it has come.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jigsaw_proto::fragment::Fragment;
use jigsaw_proto::id::{NodeId, QueryId};
use jigsaw_proto::wire::FragmentRequest;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{NodeOutcome, Outcome};

/// The circumstances of one question.
#[derive(Debug)]
pub(crate) struct QueryContext {
    pub(crate) id: QueryId,
    pub(crate) principal: String,
    pub(crate) purpose: String,
    pub(crate) allow_partial: bool,
    pub(crate) started: Instant,
    pub(crate) deadline: Instant,
    outcomes: Mutex<BTreeMap<NodeId, NodeOutcome>>,
    progress: watch::Sender<Progress>,
}

/// How far a question has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Progress {
    pub(crate) asked: usize,
    pub(crate) answered: usize,
    pub(crate) waiting: Vec<String>,
}

impl QueryContext {
    pub(crate) fn new(
        id: QueryId,
        principal: String,
        purpose: String,
        allow_partial: bool,
        limit: Duration,
    ) -> Self {
        let started = Instant::now();
        Self {
            id,
            principal,
            purpose,
            allow_partial,
            started,
            deadline: started + limit,
            outcomes: Mutex::default(),
            progress: watch::Sender::default(),
        }
    }

    /// Follows the question; the channel closes when it has ended.
    pub(crate) fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// What became of each node, in the order of their ids.
    pub(crate) fn outcomes(&self) -> Vec<NodeOutcome> {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(super) fn ticket(&self, fragment: &Fragment) -> Vec<u8> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        FragmentRequest {
            query: self.id.clone(),
            principal: self.principal.clone(),
            purpose: self.purpose.clone(),
            deadline_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
            fragment: fragment.clone(),
        }
        .encode()
    }

    pub(super) fn asking<'a>(&self, nodes: impl Iterator<Item = &'a NodeId>) {
        let nodes: Vec<String> = nodes.map(ToString::to_string).collect();
        self.progress.send_modify(|progress| {
            progress.asked += nodes.len();
            progress.waiting.extend(nodes);
        });
    }

    /// Several fragments of a question may ask the same node: its worst outcome counts.
    pub(super) fn answered(&self, outcome: &NodeOutcome) {
        self.progress.send_modify(|progress| {
            progress.answered += 1;
            if let Some(place) = progress.waiting.iter().position(|waiting| waiting == outcome.node.as_str())
            {
                progress.waiting.swap_remove(place);
            }
        });
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        let known = outcomes.get(&outcome.node);
        if known.is_none_or(|known| matches!(known.outcome, Outcome::Answered { .. })) {
            outcomes.insert(outcome.node.clone(), outcome.summary());
        }
    }
}
