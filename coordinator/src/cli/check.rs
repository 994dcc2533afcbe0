//! `jigsaw-coordinator check`: reads everything that serving would read, and asks every node who it is.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use jigsaw_proto::id::DatasetName;

use super::{EX_CONFIG, chain, fail};
use crate::catalogue::Catalogue;
use crate::dispatch::{Federation, NodeStatus, NodeView, Snapshot};
use crate::serve::server;
use crate::settings::Settings;

/// Reports on standard output; exit code 0 if all is well, 78 if not.
pub(super) async fn check(config: &Path, offline: bool, out: &mut impl Write) -> ExitCode {
    let (settings, federation) = match read(config).await {
        Ok(read) => read,
        Err(problem) => return fail(EX_CONFIG, &problem),
    };
    let header = writeln!(
        out,
        "listens on {}; {} contracts, {} reference tables, {} nodes",
        settings.listen,
        settings.contracts.len(),
        settings.references.len(),
        settings.roster.len()
    );
    let header = header.and_then(|()| match &settings.front.fingerprint {
        Some(fingerprint) => writeln!(out, "shows analysts a development certificate, SHA-256 {fingerprint}"),
        None => Ok(()),
    });
    if offline {
        return header.map_or_else(|error| fail(1, &error.to_string()), |()| ExitCode::SUCCESS);
    }
    federation.refresh().await;
    let snapshot = federation.snapshot();
    let report = header.and_then(|()| report(&snapshot, settings.contracts.keys(), out));
    if let Err(error) = report {
        return fail(1, &error.to_string());
    }
    match snapshot.nodes.iter().filter(|node| is_troubled(node)).count() {
        0 => ExitCode::SUCCESS,
        1 => fail(EX_CONFIG, "1 node needs attention"),
        troubled => fail(EX_CONFIG, &format!("{troubled} nodes need attention")),
    }
}

/// All that serving needs, certificates included; no socket is opened.
async fn read(config: &Path) -> Result<(Settings, Arc<Federation>), String> {
    let settings = Settings::load(config).map_err(|error| error.to_string())?;
    let loaded = Catalogue::load(&settings.contracts, settings.references.clone()).await;
    loaded.map_err(|error| error.to_string())?;
    server(&settings.front).map_err(|error| chain(&error))?;
    let federation = Federation::new(settings.roster.clone(), &settings.tls, settings.contracts.clone());
    let federation = federation.map_err(|error| format!("[tls] or a node's address: {}", chain(&error)))?;
    Ok((settings, federation))
}

fn is_troubled(node: &NodeView) -> bool {
    node.status != NodeStatus::Up || !node.detail.is_empty()
}

/// A line for each node, then one for each dataset: how many nodes hold it, and which are left out.
fn report<'a>(
    snapshot: &Snapshot,
    datasets: impl Iterator<Item = &'a DatasetName>,
    out: &mut impl Write,
) -> io::Result<()> {
    for node in &snapshot.nodes {
        let agreeing = node.datasets.values().filter(|dataset| dataset.agrees.is_ok()).count();
        let detail = if node.detail.is_empty() { String::new() } else { format!(" – {}", node.detail) };
        writeln!(out, "  {:<14} {} ({agreeing} datasets){detail}", node.status.as_str(), node.id)?;
    }
    for dataset in datasets {
        let held = || snapshot.nodes.iter().filter_map(|node| Some((node, node.datasets.get(dataset)?)));
        let agreeing = held().filter(|(_, view)| view.agrees.is_ok()).count();
        let left_out: Vec<String> = held()
            .filter_map(|(node, view)| Some(format!("{}: {}", node.id, view.agrees.as_ref().err()?)))
            .collect();
        let left_out =
            if left_out.is_empty() { String::new() } else { format!(" – {}", left_out.join("; ")) };
        writeln!(out, "  {dataset}: held by {agreeing}, left out {}{left_out}", held().count() - agreeing)?;
    }
    Ok(())
}
