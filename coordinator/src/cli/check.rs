//! `jigsaw-coordinator check`: reads everything that serving would read, and asks every node who it is.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use super::{EX_CONFIG, chain, fail};
use crate::catalogue::Catalogue;
use crate::dispatch::{Federation, NodeStatus, NodeView};
use crate::settings::Settings;

/// Reports on standard output; exit code 0 if all nodes can be asked, 78 if not.
pub(super) async fn check(config: &Path, out: &mut impl Write) -> ExitCode {
    let settings = match Settings::load(config) {
        Ok(settings) => settings,
        Err(error) => return fail(EX_CONFIG, &error.to_string()),
    };
    if let Err(error) = Catalogue::load(&settings.contracts, settings.references.clone()).await {
        return fail(EX_CONFIG, &error.to_string());
    }
    let federation = match Federation::new(settings.roster.clone(), &settings.tls, settings.contracts.clone())
    {
        Ok(federation) => federation,
        Err(error) => return fail(EX_CONFIG, &format!("[tls] or a node's address: {}", chain(&error))),
    };
    federation.refresh().await;
    let snapshot = federation.snapshot();
    let listen = settings.listen;
    let header = writeln!(
        out,
        "listens on {listen}; {} contracts, {} nodes",
        settings.contracts.len(),
        snapshot.nodes.len()
    );
    let lines = snapshot.nodes.iter().map(|node| line(node, out));
    let written = header.and_then(|()| lines.collect::<Result<Vec<_>, _>>());
    if let Err(error) = written {
        return fail(1, &error.to_string());
    }
    let troubled =
        snapshot.nodes.iter().filter(|node| node.status != NodeStatus::Up || !node.detail.is_empty()).count();
    if troubled == 0 {
        ExitCode::SUCCESS
    } else {
        fail(EX_CONFIG, &format!("{troubled} nodes need attention"))
    }
}

fn line(node: &NodeView, out: &mut impl Write) -> std::io::Result<()> {
    let agreeing = node.datasets.values().filter(|dataset| dataset.agrees.is_ok()).count();
    let detail = if node.detail.is_empty() { String::new() } else { format!(" – {}", node.detail) };
    writeln!(out, "  {:<14} {} ({agreeing} datasets){detail}", node.status.as_str(), node.id)
}
