//! One question while it runs: who asks, until when, and how far it has come.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use jigsaw_proto::fragment::Fragment;
use jigsaw_proto::id::{NodeId, QueryId};
use jigsaw_proto::identity::Assertion;
use jigsaw_proto::pace::Room;
use jigsaw_proto::wire::{FragmentRequest, unix_ms};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::NodeOutcome;

/// The circumstances of one question.
#[derive(Debug)]
pub(crate) struct QueryContext {
    pub(crate) id: QueryId,
    pub(crate) principal: String,
    pub(crate) purpose: String,
    pub(crate) allow_partial: bool,
    limit: Duration,
    run: OnceLock<Run>,
    /// what proves the principal to nodes
    proof: Mutex<Assertion>,
    /// the principal's room to ask, while the question runs
    room: Mutex<Option<Room>>,
    /// how many requests were made for nodes
    requests: AtomicU32,
    outcomes: Mutex<BTreeMap<NodeId, NodeOutcome>>,
    /// what is to be said of the way the answer was come by
    remarks: Mutex<BTreeSet<String>>,
    progress: watch::Sender<Progress>,
    cancel: CancellationToken,
}

/// When the answer was fetched, and until when it is of use. Between announcing and fetching no time counts.
#[derive(Debug, Clone, Copy)]
struct Run {
    started: Instant,
    deadline: Instant,
}

/// Longest part of a question's time that is kept for merging what nodes released.
const MERGING: Duration = Duration::from_millis(500);

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
        Self {
            id,
            principal,
            purpose,
            allow_partial,
            limit,
            run: OnceLock::new(),
            proof: Mutex::default(),
            room: Mutex::default(),
            requests: AtomicU32::new(0),
            outcomes: Mutex::default(),
            remarks: Mutex::default(),
            progress: watch::Sender::default(),
            cancel: CancellationToken::new(),
        }
    }

    /// Takes what proves the principal to nodes; nothing changes nothing.
    pub(crate) fn prove(&self, proof: Assertion) {
        if !proof.is_empty() {
            *self.proof.lock().unwrap_or_else(PoisonError::into_inner) = proof;
        }
    }

    /// What proves the principal to nodes.
    pub(super) fn proof(&self) -> Assertion {
        self.proof.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether anything proves the principal to nodes.
    pub(crate) fn proved(&self) -> bool {
        !self.proof().is_empty()
    }

    /// Holds the principal's room to ask for as long as the question is held.
    pub(crate) fn hold(&self, room: Room) {
        *self.room.lock().unwrap_or_else(PoisonError::into_inner) = Some(room);
    }

    /// Starts the clock; `limit` is the time the fetching call has, if it says.
    pub(crate) fn start(&self, limit: Option<Duration>) {
        let limit = limit.map_or(self.limit, |limit| limit.min(self.limit));
        let started = Instant::now();
        self.run.get_or_init(|| Run { started, deadline: started + limit });
    }

    fn running(&self) -> Run {
        self.start(None);
        let now = Instant::now();
        self.run.get().copied().unwrap_or(Run { started: now, deadline: now })
    }

    /// Time since the answer was fetched.
    pub(crate) fn elapsed(&self) -> Duration {
        self.running().started.elapsed()
    }

    /// When the answer is of no use any more.
    pub(crate) fn deadline(&self) -> Instant {
        self.running().deadline
    }

    /// The whole time it has.
    pub(super) fn whole(&self) -> Duration {
        let Run { started, deadline } = self.running();
        deadline - started
    }

    /// When nodes must have answered, so that there is time to merge what they released and to name those that did not.
    pub(super) fn nodes_deadline(&self) -> Instant {
        let Run { started, deadline } = self.running();
        deadline - MERGING.min((deadline - started) / 20)
    }

    /// Ends the question: whoever waits for its answer stops, and with that the work at every node.
    pub(crate) fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Waits until the question is cancelled.
    pub(crate) async fn cancelled(&self) {
        self.cancel.cancelled().await;
    }

    /// Follows the question; the channel closes when it has ended.
    pub(crate) fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// What became of each node, in the order of their ids.
    pub(crate) fn outcomes(&self) -> Vec<NodeOutcome> {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Adds a sentence to what is said beside the answer, once.
    pub(crate) fn remark(&self, sentence: &str) {
        self.remarks.lock().unwrap_or_else(PoisonError::into_inner).insert(sentence.to_owned());
    }

    /// What is to be said of the way the answer was come by.
    pub(crate) fn remarks(&self) -> Vec<String> {
        self.remarks.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// A request for a node. Each is taken once, so that each call needs one of its own.
    pub(super) fn ticket(&self, fragment: &Fragment) -> Vec<u8> {
        let left = self.nodes_deadline().saturating_duration_since(Instant::now());
        FragmentRequest {
            query: self.id.clone(),
            principal: self.principal.clone(),
            purpose: self.purpose.clone(),
            deadline_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
            fragment: fragment.clone(),
            serial: self.requests.fetch_add(1, Ordering::Relaxed),
            issued_ms: unix_ms(),
            assertion: self.proof(),
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

    /// Several fragments of a question may ask the same node: what became of it is told once.
    pub(crate) fn answered(&self, outcome: &NodeOutcome) {
        self.progress.send_modify(|progress| {
            progress.answered += 1;
            if let Some(place) = progress.waiting.iter().position(|waiting| waiting == outcome.node.as_str())
            {
                progress.waiting.swap_remove(place);
            }
        });
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = match outcomes.remove(&outcome.node) {
            Some(known) => known.and(outcome.summary()),
            None => outcome.summary(),
        };
        outcomes.insert(outcome.node.clone(), outcome);
    }
}
