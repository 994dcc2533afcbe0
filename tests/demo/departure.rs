//! What left a borough, as its own audit log and a tap on its line show it, and what did not.

use arrow::util::pretty::pretty_format_batches;
use harness::data::Result;
use harness::exchange::{Released, exchanges};
use harness::federation::Federation;
use jigsaw_proto::aggregate::State;
use jigsaw_proto::expr::{Column, Expr};
use jigsaw_proto::fragment::{Fragment, Measure, Relation};
use jigsaw_proto::refusal::Refusal;
use jigsaw_proto::release::ReleaseMode;
use jigsaw_proto::wire::{FragmentRequest, unix_ms};

/// Whose line is tapped.
pub(crate) const BOROUGH: &str = "camden";

/// Rows of the release that are shown.
const SHOWN: usize = 12;

/// Shows the first answer's part of the borough, then asks it for something it must not give.
pub(crate) async fn show(federation: &Federation) -> Result<()> {
    let Some(released) = first(federation).await? else {
        return Err(format!("{BOROUGH} released nothing").into());
    };
    println!("\n\u{2500}\u{2500} What left {BOROUGH} for question 1\n");
    println!("Its audit log says it was asked:\n");
    println!("    {}\n", audited(federation, &released)?);
    let Released { batches, manifest, bytes, .. } = &released;
    let rows: usize = batches.iter().map(arrow::array::RecordBatch::num_rows).sum();
    println!("The line to the coordinator carried {bytes} bytes, {rows} rows of this release:\n");
    let head: Vec<_> = batches.iter().map(|batch| batch.slice(0, batch.num_rows().min(SHOWN))).collect();
    println!("{}", pretty_format_batches(&head)?);
    let policy = match manifest.mode {
        ReleaseMode::Open => "open policy: exact figures".to_owned(),
        ReleaseMode::Protected => {
            let (threshold, rounding) = (manifest.threshold, manifest.rounding);
            format!("protected: at least {threshold} people behind a cell, counts rounded to {rounding}")
        }
    };
    println!("{policy}; {} cells released, {} withheld", manifest.released_cells, manifest.withheld_cells);
    refusal(federation, &released).await
}

async fn first(federation: &Federation) -> Result<Option<Released>> {
    for recording in federation.tap(BOROUGH).recordings() {
        for exchange in exchanges(&recording) {
            if let Some(released) = exchange.released().await? {
                return Ok(Some(released));
            }
        }
    }
    Ok(None)
}

/// The SQL of the audit log's line about this request.
fn audited(federation: &Federation, released: &Released) -> Result<String> {
    let query = released.request.query.as_str();
    let log = federation.audit(BOROUGH);
    let line = log.iter().find(|line| line["outcome"] == "released" && line["query"] == query);
    let line = line.ok_or("the audit log has no line about it")?;
    let asked = released.request.fragment.to_string();
    let sql =
        line.as_object().into_iter().flatten().find(|(_, value)| value.as_str() == Some(asked.as_str()));
    sql.map(|_| asked).ok_or_else(|| format!("the audit log says something else: {line}").into())
}

/// Plays a coordinator that somebody else has taken over: it asks for one group per person, or for a table that the
/// borough has opened to nobody.
async fn refusal(federation: &Federation, released: &Released) -> Result<()> {
    let dataset =
        released.request.fragment.input.datasets().into_iter().next().ok_or("no dataset is read")?;
    let contract = harness::data::contract(dataset.as_str())?;
    let secret = contract.entities().next().map(|column| column.name.clone());
    let dataset = if secret.is_some() { dataset.clone() } else { "homelessness_case".parse()? };
    let alias = dataset.as_str().to_owned();
    let fragment = Fragment {
        keys: secret.map(|name| Expr::Column(Column::new(&alias, name.as_str()))).into_iter().collect(),
        measures: vec![Measure {
            state: State::Rows,
            argument: None,
            paired: None,
            time: None,
            filter: None,
        }],
        input: Relation::Scan { dataset, alias },
    };
    println!("\n\u{2500}\u{2500} What did not leave\n");
    println!("A coordinator that somebody has taken over asks {BOROUGH}, with the right certificate:\n");
    println!("    {fragment}\n");
    let request =
        FragmentRequest { fragment, serial: u32::MAX, issued_ms: unix_ms(), ..released.request.clone() };
    match federation.line(BOROUGH).await?.ask(request.encode()).await {
        Ok(_) => Err(format!("{BOROUGH} gave away what it must not").into()),
        Err(status) => {
            let refusal = Refusal::from_status(&status).ok_or("the refusal has no code")?;
            println!("{BOROUGH} refuses: {refusal}");
            Ok(())
        }
    }
}
