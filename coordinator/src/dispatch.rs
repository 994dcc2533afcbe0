//! One fragment to every node that holds its datasets, all in flight at once, and what became of each.
//!
//! Nothing is passed on before every node has answered or its time is up. By default a missing node is an error that names it.
//! Questions that are the same and wait at the same time share one asking (`together`).

mod answer;
mod context;
mod describe;
mod outcome;
mod spared;
mod together;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU64;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use arrow_flight::flight_service_client::FlightServiceClient;
use chrono::{DateTime, Utc};
use datafusion::arrow::datatypes::SchemaRef;
use futures::future::join_all;
use jigsaw_proto::contract::Contract;
use jigsaw_proto::fragment::{Fragment, Relation};
use jigsaw_proto::id::{DatasetName, NodeId};
use jigsaw_proto::release::{DeclaredKeys, ReleaseMode};
use jigsaw_proto::tls::{MAX_MESSAGE_BYTES, TlsMaterial};
use tonic::transport::Channel;

pub(crate) use context::{Progress, QueryContext};
pub(crate) use outcome::{DispatchError, NodeOutcome, Outcome, Released};
use together::Together;

/// How often nodes are asked who they are.
pub(crate) const REFRESH: Duration = Duration::from_secs(15);

/// How long a node that is about to be spared has to say that it still serves the same keys alone.
const CONFIRM: Duration = Duration::from_millis(250);

/// A node as the configuration lists it.
#[derive(Debug, Clone)]
pub(crate) struct NodeEntry {
    pub(crate) id: NodeId,
    pub(crate) address: String,
    pub(crate) identity: String,
}

/// The roster, an open channel to each node, and what each last said of itself.
pub(crate) struct Federation {
    peers: Vec<Peer>,
    contracts: BTreeMap<DatasetName, Arc<Contract>>,
    view: RwLock<Arc<Snapshot>>,
    together: Together,
}

struct Peer {
    entry: NodeEntry,
    channel: Channel,
}

/// What is known of the nodes at one moment.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) nodes: Vec<NodeView>,
}

impl Snapshot {
    /// Whether any node protects a dataset.
    pub(crate) fn protects(&self, name: &DatasetName) -> bool {
        let held = self.nodes.iter().filter_map(|node| node.datasets.get(name));
        held.into_iter().any(|dataset| dataset.mode == ReleaseMode::Protected)
    }
}

/// What is known of one node.
#[derive(Debug, Clone)]
pub(crate) struct NodeView {
    pub(crate) id: NodeId,
    pub(crate) title: String,
    pub(crate) address: String,
    pub(crate) status: NodeStatus,
    pub(crate) detail: String,
    pub(crate) software: String,
    pub(crate) datasets: BTreeMap<DatasetName, DatasetView>,
    pub(crate) checked_at: Option<DateTime<Utc>>,
    /// whether it ever said what it holds
    pub(crate) described: bool,
}

/// Whether a node can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NodeStatus {
    Up,
    Down,
    WrongProtocol,
    WrongIdentity,
}

impl NodeStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::WrongProtocol => "wrong protocol",
            Self::WrongIdentity => "wrong identity",
        }
    }
}

/// One dataset of a node.
#[derive(Debug, Clone)]
pub(crate) struct DatasetView {
    /// or why the node is left out of the dataset
    pub(crate) agrees: Result<(), String>,
    pub(crate) mode: ReleaseMode,
    pub(crate) threshold: u32,
    pub(crate) rounding: u32,
    /// codes of the other rules that it announces
    pub(crate) rules: Vec<String>,
    /// new aggregates that it answers on one day
    pub(crate) cells_per_day: Option<NonZeroU64>,
    /// the only values of columns that it serves
    pub(crate) only: Vec<DeclaredKeys>,
}

impl Federation {
    /// A federation of the nodes of `roster`; channels open when they are first used.
    pub(crate) fn new(
        roster: Vec<NodeEntry>,
        tls: &TlsMaterial,
        contracts: BTreeMap<DatasetName, Arc<Contract>>,
    ) -> Result<Arc<Self>, tonic::transport::Error> {
        let peers = roster.into_iter().map(|entry| {
            let channel = tls.endpoint(&entry.address, &entry.identity)?.connect_lazy();
            Ok(Peer { entry, channel })
        });
        let peers = peers.collect::<Result<Vec<_>, _>>()?;
        let nodes = peers.iter().map(|peer| NodeView::unknown(&peer.entry)).collect();
        let view = RwLock::new(Arc::new(Snapshot { nodes }));
        Ok(Arc::new(Self { peers, contracts, view, together: Together::default() }))
    }

    /// Asks every node who it is and what it holds.
    pub(crate) async fn refresh(&self) {
        let known = self.snapshot();
        let asked = self
            .peers
            .iter()
            .zip(&known.nodes)
            .map(|(peer, view)| describe::describe(peer, view, &self.contracts));
        let nodes = join_all(asked).await;
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Snapshot { nodes });
    }

    /// What is known of the nodes now; it does not change under its holder.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What becomes of one fragment at all nodes that hold its datasets and can have rows of `about`.
    ///
    /// # Errors
    /// No node holds them.
    async fn ask_nodes(
        &self,
        context: &QueryContext,
        fragment: &Fragment,
        schema: SchemaRef,
        about: &Relation,
    ) -> Result<Vec<NodeOutcome>, DispatchError> {
        let snapshot = self.snapshot();
        if !snapshot.nodes.iter().any(|view| !matches!(view.holds(fragment), Holding::No)) {
            return Err(DispatchError::nobody_holds(fragment));
        }
        let views = self.peers.iter().zip(&snapshot.nodes);
        let views = join_all(views.map(|(peer, view)| self.confirmed(peer, view, about))).await;
        let asked = self.peers.iter().zip(&views).filter(|(_, view)| view.can_have_rows(about)).filter_map(
            |(peer, view)| match view.holds(fragment) {
                Holding::No => None,
                Holding::LeftOut(reason) => Some((view, Err(reason))),
                Holding::Yes => Some((view, Ok(peer))),
            },
        );
        let asked: Vec<_> = asked.collect();
        context.asking(asked.iter().map(|(view, _)| &view.id));
        let answers = asked.into_iter().map(|(view, peer)| {
            let schema = Arc::clone(&schema);
            async move {
                let outcome = match peer {
                    Ok(peer) => answer::answer(peer, context, fragment, &schema).await,
                    Err(reason) => NodeOutcome::left_out(&view.id, reason),
                };
                context.answered(&outcome);
                outcome
            }
        });
        Ok(join_all(answers).await)
    }
}

impl Federation {
    /// What is known of a node; if it is to be spared because of keys it declared, what it says of itself at this moment.
    ///
    /// It may have other keys by now. If it is up and does not say so in time, it is asked; if it is down, nobody is served by it,
    /// and what it last declared counts.
    async fn confirmed<'a>(&self, peer: &Peer, view: &'a NodeView, about: &Relation) -> Cow<'a, NodeView> {
        let by_name = spared::can_have_rows(about, view, false);
        if !by_name || view.can_have_rows(about) {
            return Cow::Borrowed(view);
        }
        let said = tokio::time::timeout(CONFIRM, describe::describe(peer, view, &self.contracts)).await;
        match said {
            Ok(said) => Cow::Owned(said),
            Err(_) if view.status == NodeStatus::Down => Cow::Borrowed(view),
            Err(_) => Cow::Owned(NodeView { datasets: BTreeMap::new(), described: false, ..view.clone() }),
        }
    }
}

/// Whether a node is to be asked a fragment.
enum Holding {
    Yes,
    No,
    LeftOut(String),
}

impl NodeView {
    fn unknown(entry: &NodeEntry) -> Self {
        Self {
            id: entry.id.clone(),
            title: String::new(),
            address: entry.address.clone(),
            status: NodeStatus::Down,
            detail: "it was not asked yet".to_owned(),
            software: String::new(),
            datasets: BTreeMap::new(),
            checked_at: None,
            described: false,
        }
    }

    /// Whether it can have rows of a relation, by its name and the keys it declared.
    pub(crate) fn can_have_rows(&self, about: &Relation) -> bool {
        spared::can_have_rows(about, self, true)
    }

    /// A node that never said what it holds may hold anything: it is asked, and missed if it does not answer.
    fn holds(&self, fragment: &Fragment) -> Holding {
        match self.status {
            NodeStatus::WrongProtocol | NodeStatus::WrongIdentity => {
                return Holding::LeftOut(self.detail.clone());
            }
            NodeStatus::Up | NodeStatus::Down => {}
        }
        if !self.described {
            return Holding::Yes;
        }
        let names = fragment.input.datasets();
        let lacks = |name: &&&DatasetName| !self.datasets.contains_key(**name);
        match names.iter().find(lacks) {
            // The rows of a union or an outer join can be of one dataset alone, and a node answers about those it holds.
            Some(name) if !names.iter().all(|name| lacks(&name)) && self.can_have_rows(&fragment.input) => {
                Holding::LeftOut(format!(
                    "it holds no {name}, and has rows of the others: ask for the datasets by themselves, and put the answers together"
                ))
            }
            Some(_) => Holding::No,
            None => {
                let mut reasons =
                    names.iter().filter_map(|name| self.datasets.get(*name)?.agrees.clone().err());
                reasons.next_back().map_or(Holding::Yes, Holding::LeftOut)
            }
        }
    }
}

impl Peer {
    fn client(&self) -> FlightServiceClient<Channel> {
        FlightServiceClient::new(self.channel.clone())
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES)
    }
}

impl fmt::Debug for Federation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Federation({} nodes)", self.peers.len())
    }
}

#[cfg(test)]
mod tests;
