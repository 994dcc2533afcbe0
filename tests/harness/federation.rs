//! A whole federation in one process: nodes and a coordinator that read their own configuration files, each its own
//! server on its own loopback port, mutual TLS between them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::Channel;

use crate::certificates::{Authority, Party};
use crate::data::{NodeData, Result};
use crate::tap::{Ends, Tap};

mod asking;
mod files;
mod line;

pub use asking::{Answer, Asking, Problem};
use files::Terms;
pub use files::{COORDINATOR, Policy, identity};
pub use line::Line;

/// Longest wait for nodes to be seen by the coordinator, and how much longer for each of them.
const SETTLE: Duration = Duration::from_secs(20);
const SETTLE_EACH: Duration = Duration::from_millis(50);

/// What a federation is made of.
#[must_use]
#[derive(Debug)]
pub struct Builder {
    dir: PathBuf,
    nodes: Vec<NodeData>,
    terms: Terms,
    tapped: Vec<String>,
    strangers: BTreeMap<String, String>,
    timeout_seconds: u32,
    up: usize,
    edit: Option<fn(&Path)>,
    observe: Option<fn(usize, usize)>,
}

/// A running federation. Dropping it stops every server.
#[derive(Debug)]
pub struct Federation {
    dir: PathBuf,
    authority: Authority,
    nodes: BTreeMap<String, Node>,
    coordinator: Server,
    token: String,
    channel: Channel,
}

#[derive(Debug)]
struct Node {
    address: SocketAddr,
    server: Option<Server>,
    tap: Option<Tap>,
}

#[derive(Debug)]
struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<()>>,
}

impl Server {
    /// Waits until it has stopped.
    async fn stop(self) -> Result<()> {
        // A server that is gone already needs no word.
        _ = self.stop.send(());
        self.task.await?
    }
}

impl Builder {
    /// How freely the nodes release.
    pub const fn policy(mut self, policy: Policy) -> Self {
        self.terms.policy = policy;
        self
    }

    /// The lines of `[dataset.policy]` for every protected dataset, in place of what its contract's floor says.
    pub fn policy_text(mut self, lines: &str) -> Self {
        self.terms.lines = Some(lines.to_owned());
        self
    }

    /// Has every borough declare that it serves rows of its own code alone.
    pub const fn declared(mut self) -> Self {
        self.terms.declared = true;
        self
    }

    /// Adds contracts, name and TOML text, for datasets that [`crate::data::contracts`] does not know.
    pub fn contracts(mut self, contracts: impl IntoIterator<Item = (String, String)>) -> Self {
        self.terms.contracts.extend(contracts);
        self
    }

    /// Puts a [`Tap`] before these nodes.
    pub fn tap<'a>(mut self, nodes: impl IntoIterator<Item = &'a str>) -> Self {
        self.tapped.extend(nodes.into_iter().map(str::to_owned));
        self
    }

    /// Puts a [`Tap`] before every node.
    pub fn tap_all(mut self) -> Self {
        self.tapped = self.nodes.iter().map(|node| node.id.clone()).collect();
        self
    }

    /// Gives a node a certificate for another name than its own.
    pub fn stranger(mut self, node: &str, name: &str) -> Self {
        self.strangers.insert(node.to_owned(), name.to_owned());
        self.up -= 1;
        self
    }

    /// The coordinator's limit for a query.
    pub const fn timeout_seconds(mut self, seconds: u32) -> Self {
        self.timeout_seconds = seconds;
        self
    }

    /// How many nodes will be up; all, unless this says otherwise.
    pub const fn up(mut self, nodes: usize) -> Self {
        self.up = nodes;
        self
    }

    /// Changes the configuration after it is written and before anybody reads it.
    pub const fn edit(mut self, edit: fn(&Path)) -> Self {
        self.edit = Some(edit);
        self
    }

    /// Is told how many of how many nodes listen.
    pub const fn observe(mut self, observe: fn(usize, usize)) -> Self {
        self.observe = Some(observe);
        self
    }

    /// Starts every server, and waits until the coordinator has heard of the nodes.
    ///
    /// # Errors
    /// Files that cannot be written, a configuration that a party does not accept, nodes that do not come up.
    pub async fn start(self) -> Result<Federation> {
        let authority = Authority::new()?;
        let coordinator = authority.sign(&[COORDINATOR, "localhost", "127.0.0.1"])?;
        files::shared(&self.dir, &self.terms, &authority, &coordinator, &self.nodes)?;
        let mut nodes = BTreeMap::new();
        let (mut roster, mut listeners) = (Vec::new(), Vec::new());
        for data in &self.nodes {
            // Bound first and handed in: no port is lost to somebody else in between.
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let node = self.node(data, listener.local_addr()?, &authority, &coordinator).await?;
            listeners.push((data.id.as_str(), listener));
            let address = node.tap.as_ref().map_or(node.address, |tap| tap.address);
            roster.push((data.id.clone(), address));
            nodes.insert(data.id.clone(), node);
        }
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let token = files::coordinator(&self.dir, listener.local_addr()?, self.timeout_seconds, &roster)?;
        if let Some(edit) = self.edit {
            edit(&self.dir);
        }
        let all = listeners.len();
        for (count, (id, listener)) in (1..).zip(listeners) {
            if let Some(observe) = self.observe {
                observe(count, all);
            }
            let server = serve_node(&self.dir, id, listener)?;
            nodes.get_mut(id).unwrap().server = Some(server);
        }
        let coordinator = serve_coordinator(&self.dir, listener)?;
        let channel = asking::channel(coordinator.address, &authority)?;
        let federation = Federation { dir: self.dir, authority, nodes, coordinator, token, channel };
        federation.wait_until_up(self.up).await?;
        Ok(federation)
    }

    /// Writes the node's files and opens its tap.
    async fn node(
        &self,
        data: &NodeData,
        address: SocketAddr,
        authority: &Authority,
        coordinator: &Party,
    ) -> Result<Node> {
        let own = identity(&data.id);
        let name = self.strangers.get(&data.id).unwrap_or(&own);
        let party = authority.sign(&[name])?;
        files::node(&self.dir, data, &self.terms, address, &party)?;
        let tap = if self.tapped.contains(&data.id) {
            let authority = authority.pem();
            let ends = Ends { node: &party, coordinator, authority: &authority, identity: name, address };
            Some(Tap::open(ends).await?)
        } else {
            None
        };
        Ok(Node { address, server: None, tap })
    }
}

impl Federation {
    /// A federation of these nodes, whose data lie in folders of their names below `dir`; the configuration goes there too.
    pub fn builder(dir: &Path, nodes: Vec<NodeData>) -> Builder {
        let up = nodes.len();
        let (dir, strangers) = (dir.to_owned(), BTreeMap::new());
        Builder {
            dir,
            nodes,
            terms: Terms { policy: Policy::Open, lines: None, declared: false, contracts: BTreeMap::new() },
            tapped: Vec::new(),
            strangers,
            timeout_seconds: 30,
            up,
            edit: None,
            observe: None,
        }
    }

    /// Where its files are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where analysts connect.
    pub fn address(&self) -> SocketAddr {
        self.coordinator.address
    }

    /// The file with the authority's certificate, PEM.
    pub fn ca_file(&self) -> PathBuf {
        self.dir.join(files::CA)
    }

    /// The file with the analyst's token.
    pub fn token_file(&self) -> PathBuf {
        self.dir.join(files::TOKEN)
    }

    /// The authority that signed everybody.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The ids of its nodes.
    pub fn nodes(&self) -> impl Iterator<Item = &str> {
        self.nodes.keys().map(String::as_str)
    }

    /// Where a node itself listens, behind its tap.
    pub fn node_address(&self, id: &str) -> SocketAddr {
        self.nodes[id].address
    }

    /// The tap before a node.
    ///
    /// # Panics
    /// If there is none.
    pub fn tap(&self, id: &str) -> &Tap {
        self.nodes[id].tap.as_ref().unwrap_or_else(|| panic!("{id} has no tap"))
    }

    /// The lines of a node's audit log, those that open and those that end a request.
    pub fn audit(&self, id: &str) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.dir.join(id).join(files::AUDIT)).unwrap_or_default();
        // Half a line that a crash left is no JSON, but text.
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| line.into())).collect()
    }

    /// Stops a node.
    pub async fn stop_node(&mut self, id: &str) -> Result<()> {
        match self.nodes.get_mut(id).and_then(|node| node.server.take()) {
            Some(server) => server.stop().await,
            None => Err(format!("{id} is not running").into()),
        }
    }

    /// Starts a node again, at the same address, with whatever its files now say.
    pub async fn restart_node(&mut self, id: &str) -> Result<()> {
        if self.nodes[id].server.is_some() {
            self.stop_node(id).await?;
        }
        let listener = TcpListener::bind(self.nodes[id].address).await?;
        let server = serve_node(&self.dir, id, listener)?;
        self.nodes.get_mut(id).unwrap().server = Some(server);
        Ok(())
    }

    /// Stops everybody, the coordinator first.
    ///
    /// # Errors
    /// A server that ended badly.
    pub async fn stop(self) -> Result<()> {
        self.coordinator.stop().await?;
        for node in self.nodes.into_values() {
            if let Some(server) = node.server {
                server.stop().await?;
            }
        }
        Ok(())
    }

    /// Waits until the coordinator has heard from so many nodes.
    ///
    /// # Errors
    /// It has not, in twenty seconds and a twentieth for each node: what it says of the others.
    pub async fn wait_until_up(&self, nodes: usize) -> Result<()> {
        let start = Instant::now();
        let patience = SETTLE + SETTLE_EACH * u32::try_from(nodes)?;
        loop {
            let up = self.statuses().await?.into_iter().filter(|(_, status, _)| status == "up").count();
            if up == nodes {
                return Ok(());
            }
            if start.elapsed() > patience {
                let mut statuses = self.statuses().await?;
                statuses.retain(|(_, status, _)| status != "up");
                return Err(format!("{up} nodes are up, not {nodes}: {statuses:?}").into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn serve_node(dir: &Path, id: &str, listener: TcpListener) -> Result<Server> {
    let settings = jigsaw_node::Settings::load(&dir.join(id).join("node.toml"))
        .map_err(|error| format!("{id}: {}", chain(&error)))?;
    let (stop, stopped) = oneshot::channel();
    let address = listener.local_addr()?;
    let shutdown = async { drop(stopped.await) };
    let run = jigsaw_node::run(settings, listener, shutdown);
    let task = tokio::spawn(async { run.await.map_err(|error| chain(&error).into()) });
    Ok(Server { address, stop, task })
}

fn serve_coordinator(dir: &Path, listener: TcpListener) -> Result<Server> {
    let settings = jigsaw_coordinator::Settings::load(&dir.join("coordinator.toml"))
        .map_err(|error| format!("coordinator: {}", chain(&error)))?;
    let (stop, stopped) = oneshot::channel();
    let address = listener.local_addr()?;
    let shutdown = async { drop(stopped.await) };
    let run = jigsaw_coordinator::run(settings, listener, shutdown);
    let task = tokio::spawn(async { run.await.map_err(|error| chain(&error).into()) });
    Ok(Server { address, stop, task })
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}
