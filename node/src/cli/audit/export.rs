//! Requests as CSV (RFC 4180) or JSON.

use std::io::{self, Write};
use std::path::Path;

use super::{Filter, Format, Line, PublicKey, each_line};

/// The columns of the CSV, which are the names in the JSON.
const COLUMNS: [&str; 20] = [
    "seq",
    "time",
    "outcome",
    "entry",
    "query",
    "coordinator",
    "principal",
    "verified",
    "purpose",
    "agreement",
    "fragment",
    "code",
    "rules",
    "released_cells",
    "withheld_cells",
    "policy",
    "bytes",
    "digest",
    "milliseconds",
    "signed",
];

/// Writes the lines that the filter takes, each with whether the node signed it.
pub(super) fn export(
    log: &Path,
    key: &PublicKey,
    filter: &Filter,
    format: Format,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut first = true;
    match format {
        Format::Csv => write!(out, "{}\r\n", COLUMNS.join(","))?,
        Format::Json => write!(out, "[")?,
    }
    each_line(log, key, |read| {
        if !filter.takes(&read.line) {
            return Ok(());
        }
        match format {
            Format::Csv => row(&read.line, read.signed, out)?,
            Format::Json => {
                let mut value = serde_json::to_value(&read.line)?;
                if let Some(object) = value.as_object_mut() {
                    object.insert("signed".to_owned(), read.signed.into());
                }
                write!(out, "{}\n{value}", if first { "" } else { "," })?;
            }
        }
        first = false;
        Ok(())
    })?;
    match format {
        Format::Csv => Ok(()),
        Format::Json => writeln!(out, "\n]"),
    }
}

fn row(line: &Line, signed: bool, out: &mut impl Write) -> io::Result<()> {
    let number = |number: Option<u64>| number.map_or_else(String::new, |number| number.to_string());
    let cells = [
        line.seq.to_string(),
        line.time.clone(),
        line.outcome.word().to_owned(),
        line.entry.to_string(),
        line.query.clone(),
        line.coordinator.clone(),
        line.principal.clone(),
        line.verified.clone(),
        line.purpose.clone(),
        line.agreement.clone(),
        line.fragment.clone(),
        line.code.clone(),
        line.rules.join(" "),
        number(line.released_cells),
        number(line.withheld_cells),
        line.policy.clone(),
        number(line.bytes),
        line.digest.clone(),
        number(line.milliseconds),
        signed.to_string(),
    ];
    write!(out, "{}\r\n", cells.map(|cell| quoted(&cell)).join(","))
}

/// A purpose is whatever an analyst wrote: a spreadsheet must not run it.
fn quoted(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let cell = if formula { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}
