//! Requests in lines that a data protection officer reads.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::path::Path;

use super::{Filter, Line, Outcome, PublicKey, Read, each_line};

/// Writes the newest `limit` lines that the filter takes.
pub(super) fn show(
    log: &Path,
    key: &PublicKey,
    filter: &Filter,
    limit: usize,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut newest: VecDeque<Read> = VecDeque::new();
    let mut taken = 0_usize;
    each_line(log, key, |read| {
        if filter.takes(&read.line) {
            taken += 1;
            newest.push_back(read);
            if newest.len() > limit {
                newest.pop_front();
            }
        }
        Ok(())
    })?;
    for Read { line, signed } in &newest {
        one(line, *signed, out)?;
    }
    match taken - newest.len() {
        0 => writeln!(out, "{taken} shown"),
        older => writeln!(out, "{} shown; {older} older: --limit {taken} shows all", newest.len()),
    }
}

fn one(line: &Line, signed: bool, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "{}  {}  {}  seq {}",
        plain(&line.time),
        line.outcome.word(),
        plain(&line.query),
        line.seq
    )?;
    let mut field = |name: &str, text: &str| match text {
        "" => Ok(()),
        text => writeln!(out, "    {name:<9} {}", plain(text)),
    };
    if !signed {
        field("WARNING", "this line is not as the node wrote it; 'jigsaw-node audit verify' tells more")?;
    }
    let who = match line.principal.as_str() {
        "" => line.coordinator.clone(),
        principal => format!("{principal}, through {}", line.coordinator),
    };
    field("who", &who)?;
    field("why", &line.purpose)?;
    field("agreement", &line.agreement)?;
    field("asked", &line.fragment)?;
    field("outcome", &outcome(line))?;
    field(
        "release",
        &if line.digest.is_empty() { String::new() } else { format!("sha256 {}", line.digest) },
    )?;
    field("policy", &line.policy)?;
    field("note", &line.note)
}

fn outcome(line: &Line) -> String {
    let number = |number: Option<u64>| number.unwrap_or_default();
    let took = line.milliseconds.map_or_else(String::new, |it| format!(", after {it} ms"));
    match line.outcome {
        Outcome::Released => {
            let (cells, withheld) = (number(line.released_cells), number(line.withheld_cells));
            let rules = if line.rules.is_empty() { "no rules".to_owned() } else { line.rules.join(" ") };
            format!(
                "{cells} cells released, {withheld} withheld ({rules}), {} bytes{took}",
                number(line.bytes)
            )
        }
        Outcome::Refused => format!("refused with {}{took}", line.code),
        Outcome::Abandoned => format!("whoever asked hung up{took}; nothing was released"),
        Outcome::Crashed => "the node went down before it ended; nothing was released".to_owned(),
        Outcome::Unrecorded => {
            format!("{} requests, refused or abandoned, are not in the log", number(line.unrecorded))
        }
        Outcome::Asked | Outcome::Started | Outcome::Torn => String::new(),
    }
}

/// What others wrote cannot move the cursor or colour the terminal.
fn plain(text: &str) -> String {
    let odd = |it: char| {
        it.is_control() || ('\u{200b}'..='\u{200f}').contains(&it) || ('\u{202a}'..='\u{202e}').contains(&it)
    };
    text.chars().map(|it| if odd(it) { '\u{fffd}' } else { it }).collect()
}
