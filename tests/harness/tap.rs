//! A tap between the coordinator and one node: records every byte in the clear, and breaks the line on request.
//!
//! What a node sends is encrypted on the wire. The tap holds certificates of both sides, signed by the federation's own
//! authority, so it ends the coordinator's TLS connection, opens its own to the node, and sees what the node sent
//! before any TLS hides it. Nothing in the node knows of it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use crate::certificates::Party;
use crate::data::Result;

/// What is wrong with the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// nothing
    None,
    /// what the node says is held back
    Stall,
    /// the line is cut after so many bytes more from the node
    CutAfter(usize),
}

/// One connection, in the clear.
#[derive(Debug, Clone, Default)]
pub struct Recording {
    /// what the coordinator sent
    pub to_node: Vec<u8>,
    /// what the node sent
    pub from_node: Vec<u8>,
}

type Record = Arc<Mutex<Vec<Recording>>>;

/// A running tap. Dropping it closes the line.
#[derive(Debug)]
pub struct Tap {
    /// where the coordinator finds it
    pub address: SocketAddr,
    fault: watch::Sender<Fault>,
    record: Record,
    task: AbortHandle,
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Who the tap is on both sides, and whom it calls.
#[derive(Debug)]
pub struct Ends<'a> {
    /// shown to the coordinator
    pub node: &'a Party,
    /// shown to the node
    pub coordinator: &'a Party,
    /// that signed both, PEM
    pub authority: &'a str,
    /// DNS name that the node must have
    pub identity: &'a str,
    /// where the node listens
    pub address: SocketAddr,
}

#[derive(Clone)]
struct Line {
    acceptor: TlsAcceptor,
    connector: TlsConnector,
    name: ServerName<'static>,
    address: SocketAddr,
    fault: watch::Receiver<Fault>,
    record: Record,
}

impl Tap {
    /// Opens a tap before a node.
    pub async fn open(ends: Ends<'_>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (fault, watched) = watch::channel(Fault::None);
        let record = Record::default();
        let line = Line {
            acceptor: TlsAcceptor::from(ends.node.server()?),
            connector: TlsConnector::from(ends.coordinator.client(ends.authority)?),
            name: ServerName::try_from(ends.identity.to_owned())?,
            address: ends.address,
            fault: watched,
            record: Arc::clone(&record),
        };
        let address = listener.local_addr()?;
        let task = tokio::spawn(serve(listener, line)).abort_handle();
        Ok(Self { address, fault, record, task })
    }

    /// From now on, this is wrong with the line.
    pub fn fault(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// Everything said so far.
    pub fn recordings(&self) -> Vec<Recording> {
        self.record.lock().unwrap().clone()
    }
}

async fn serve(listener: TcpListener, line: Line) {
    let mut lines = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let line = line.clone();
        // An error is a closed line, which is what both ends then see.
        lines.spawn(async move { drop(connect(socket, line).await) });
        while lines.try_join_next().is_some() {}
    }
}

async fn connect(socket: TcpStream, line: Line) -> Result<()> {
    socket.set_nodelay(true)?;
    let near = line.acceptor.accept(socket).await?;
    let far = TcpStream::connect(line.address).await?;
    far.set_nodelay(true)?;
    let far = line.connector.connect(line.name.clone(), far).await?;
    let index = {
        let mut record = line.record.lock().unwrap();
        record.push(Recording::default());
        record.len() - 1
    };
    let (near_read, near_write) = tokio::io::split(near);
    let (far_read, far_write) = tokio::io::split(far);
    // The first side that ends takes the other with it.
    tokio::select! {
        ended = ask(near_read, far_write, &line.record, index) => ended,
        ended = answer(far_read, near_write, &line, index) => ended,
    }
}

async fn ask(
    mut near: ReadHalf<server::TlsStream<TcpStream>>,
    mut far: WriteHalf<client::TlsStream<TcpStream>>,
    record: &Record,
    index: usize,
) -> Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = near.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        record.lock().unwrap()[index].to_node.extend_from_slice(&buffer[..length]);
        far.write_all(&buffer[..length]).await?;
        far.flush().await?;
    }
}

async fn answer(
    mut far: ReadHalf<client::TlsStream<TcpStream>>,
    mut near: WriteHalf<server::TlsStream<TcpStream>>,
    line: &Line,
    index: usize,
) -> Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    let mut fault = line.fault.clone();
    let mut sent_since = (Fault::None, 0);
    loop {
        let length = far.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        line.record.lock().unwrap()[index].from_node.extend_from_slice(&buffer[..length]);
        let now = *fault.wait_for(|fault| *fault != Fault::Stall).await?;
        if sent_since.0 != now {
            sent_since = (now, 0);
        }
        let most = match now {
            Fault::CutAfter(bytes) => length.min(bytes.saturating_sub(sent_since.1)),
            Fault::None | Fault::Stall => length,
        };
        near.write_all(&buffer[..most]).await?;
        near.flush().await?;
        sent_since.1 += most;
        if most < length {
            return Ok(());
        }
    }
}
