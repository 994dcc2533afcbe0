//! Who a node says it is, and whether it follows the contracts published here.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use arrow_flight::Action;
use chrono::Utc;
use jigsaw_proto::contract::Contract;
use jigsaw_proto::id::DatasetName;
use jigsaw_proto::refusal::{Refusal, RefusalCode};
use jigsaw_proto::release::{DESCRIBE, DatasetDescription, NodeDescription};
use jigsaw_proto::wire::PROTOCOL_VERSION;
use tonic::{Code, Status};

use super::{DatasetView, NodeStatus, NodeView, Peer};

const PATIENCE: Duration = Duration::from_secs(5);

/// Asks a node; what it held before is remembered while it is down.
pub(super) async fn describe(
    peer: &Peer,
    known: &NodeView,
    contracts: &BTreeMap<DatasetName, Arc<Contract>>,
) -> NodeView {
    let checked_at = Some(Utc::now());
    let unreachable = |status, detail| NodeView { status, detail, checked_at, ..known.clone() };
    let description = match tokio::time::timeout(PATIENCE, ask(peer)).await {
        Err(_) => return unreachable(NodeStatus::Down, "it did not answer within 5 seconds".to_owned()),
        Ok(Err(status)) => {
            let (status, detail) = trouble(&status);
            return unreachable(status, detail);
        }
        Ok(Ok(description)) => description,
    };
    if description.protocol != PROTOCOL_VERSION {
        let detail = format!(
            "it speaks protocol version {}, this coordinator {PROTOCOL_VERSION}: install the same major version on both",
            description.protocol
        );
        return unreachable(NodeStatus::WrongProtocol, detail);
    }
    if description.node != peer.entry.id {
        let detail = format!("it says it is {}: correct the roster or the node's id", description.node);
        return unreachable(NodeStatus::WrongIdentity, detail);
    }
    let NodeDescription { title, software, datasets, .. } = description;
    let datasets: BTreeMap<DatasetName, DatasetView> =
        datasets.into_iter().map(|dataset| (dataset.name.clone(), view(&dataset, contracts))).collect();
    let left_out: Vec<String> = datasets
        .iter()
        .filter_map(|(name, dataset)| Some(format!("{name}: {}", dataset.agrees.as_ref().err()?)))
        .collect();
    NodeView {
        title,
        software,
        datasets,
        checked_at,
        status: NodeStatus::Up,
        detail: left_out.join("; "),
        described: true,
        id: known.id.clone(),
        address: known.address.clone(),
    }
}

async fn ask(peer: &Peer) -> Result<NodeDescription, Status> {
    let action = Action { r#type: DESCRIBE.to_owned(), body: bytes::Bytes::new() };
    let mut results = peer.client().do_action(action).await?.into_inner();
    let foreign = || Status::unimplemented("no description of a Jigsaw node");
    let result = results.message().await?.ok_or_else(foreign)?;
    NodeDescription::decode(&result.body).map_err(|_| foreign())
}

fn view(dataset: &DatasetDescription, contracts: &BTreeMap<DatasetName, Arc<Contract>>) -> DatasetView {
    let agrees = match contracts.get(&dataset.name) {
        None => Err("no such contract is published here".to_owned()),
        Some(contract) if contract.hash() == dataset.contract_hash => {
            dataset.only.iter().try_for_each(|keys| keys.check(contract))
        }
        Some(contract) => Err(format!(
            "its contract differs from version {} published here: install the published file on the node",
            contract.version
        )),
    };
    DatasetView {
        agrees,
        mode: dataset.mode,
        threshold: dataset.threshold,
        rounding: dataset.rounding,
        rules: dataset.rules.clone(),
        cells_per_day: dataset.cells_per_day,
        only: dataset.only.clone(),
    }
}

/// What an error of a call says about a node. A node's own words are passed on only if they are a refusal.
pub(super) fn trouble(status: &Status) -> (NodeStatus, String) {
    if let Some(refusal) = Refusal::from_status(status) {
        let kind = match refusal.code {
            RefusalCode::NotServed => NodeStatus::WrongIdentity,
            RefusalCode::OtherVersion => NodeStatus::WrongProtocol,
            _ => NodeStatus::Down,
        };
        return (kind, refusal.to_string());
    }
    let mut causes = String::new();
    let mut cause = status.source();
    while let Some(error) = cause {
        causes = format!("{causes}{error} ");
        cause = error.source();
    }
    let said = causes.to_lowercase();
    if said.contains("certificate") || said.contains("alert") || said.contains("tls") {
        let detail = "its certificate is not the one the roster names, or it does not accept ours".to_owned();
        return (NodeStatus::WrongIdentity, detail);
    }
    match status.code() {
        Code::Unimplemented => (
            NodeStatus::WrongProtocol,
            "what answers at its address is no Jigsaw node: correct the address in the roster".to_owned(),
        ),
        Code::Internal | Code::DataLoss => {
            (NodeStatus::Down, "it failed: its operator finds the reason in its log".to_owned())
        }
        _ => (NodeStatus::Down, "it cannot be reached".to_owned()),
    }
}
