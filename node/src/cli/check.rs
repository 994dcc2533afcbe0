//! `jigsaw-node check`: opens everything that serving would open, and reads every CSV cell.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use jigsaw_proto::release::ReleaseMode;

use super::{EX_CONFIG, fail};
use crate::execute::Engine;
use crate::settings::{DatasetSettings, Settings};
use crate::sources::{Dataset, first_bad_cell};

/// Reports on standard output; exit code 0 if the node can serve, 78 if not.
pub(super) async fn check(config: &Path, out: &mut impl Write) -> ExitCode {
    let settings = match Settings::load(config) {
        Ok(settings) => settings,
        Err(error) => return fail(EX_CONFIG, &error.to_string()),
    };
    match report(settings, out).await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(problems) => fail(EX_CONFIG, &format!("{problems} of the datasets or issuers cannot be used")),
        Err(error) => fail(1, &error.to_string()),
    }
}

async fn report(settings: Settings, out: &mut impl Write) -> std::io::Result<usize> {
    writeln!(out, "node {} ({}), listens on {}", settings.id, settings.title, settings.listen)?;
    writeln!(out, "serves {}", settings.coordinators.join(", "))?;
    match &settings.identity {
        Some(identity) => writeln!(out, "verifies who asks: {identity}")?,
        None => writeln!(out, "takes the coordinator's word for who asks and why: there is no [identity]")?,
    }
    if let Err(error) = tonic::transport::Server::builder().tls_config(settings.tls.server()) {
        writeln!(out, "  PROBLEM certificate, key or client_ca: {}", super::chain(&error))?;
        return Ok(1);
    }
    let mut problems = 0;
    for issuer in settings.identity.iter().flat_map(|identity| &identity.issuers) {
        match issuer.count_keys().await {
            Ok(keys) => writeln!(out, "  ok      issuer {}: {keys} keys", issuer.url())?,
            Err(problem) => {
                problems += 1;
                writeln!(out, "  PROBLEM issuer {}: {problem}", issuer.url())?;
            }
        }
    }
    for dataset in settings.datasets {
        let name = dataset.contract.name.clone();
        let policy = match dataset.policy.mode() {
            ReleaseMode::Open => "open".to_owned(),
            ReleaseMode::Protected => {
                format!(
                    "protected, threshold {}, rounding {}",
                    dataset.policy.threshold(),
                    dataset.policy.rounding()
                )
            }
        };
        match opened(dataset).await {
            Ok(columns) => writeln!(out, "  ok      {name}: {columns} columns, {policy}")?,
            Err(problem) => {
                problems += 1;
                writeln!(out, "  PROBLEM {problem}")?;
            }
        }
    }
    Ok(problems)
}

async fn opened(settings: DatasetSettings) -> Result<usize, String> {
    let runtime =
        Engine::runtime(256 * 1024 * 1024).map_err(|_| "the query engine cannot be set up".to_owned())?;
    let name = settings.contract.name.clone();
    if let Some(cell) = first_bad_cell(&settings).map_err(|problem| format!("dataset {name}: {problem}"))? {
        return Err(format!("dataset {name}: {cell}"));
    }
    let dataset = Dataset::open(settings, &runtime).await.map_err(|error| error.to_string())?;
    Ok(dataset.contract().columns.len())
}
