//! What each node would be asked, and what its policy would do, without asking it.
//!
//! The fragments come from the plan, the policies from what nodes announce of themselves. No node is contacted, and nothing depends on
//! a row: two dry runs over different rows say the same.

use std::collections::BTreeMap;

use crate::command::Ask;
use crate::connect::Session;
use crate::failure::Failure;
use crate::output::OutputFile;
use crate::query;
use crate::render::value;
use crate::surroundings::{Surroundings, printable};

const POLICIES: &str = "SELECT node, dataset, status, release, threshold, rounding, rules, cells_per_day \
    FROM system.policies ORDER BY node, dataset";

/// What a node announces of one dataset.
struct Policy {
    node: String,
    dataset: String,
    status: String,
    release: String,
    threshold: String,
    rounding: String,
    rules: String,
    cells_per_day: String,
}

/// What the codes that a policy announces mean; rules that are one thing to whoever asks stand in one line.
const RULES: [(&str, &str); 7] = [
    ("N08", "answers those who have a grant"),
    ("R04", "answers about cells of a cube: one test of each dimension, joined by AND"),
    ("R09", "withholds what one or two people make most of"),
    ("R11", "withholds what tells something sensitive of everybody in a group"),
    ("R12", "shows every cell of a grid, so that nobody and a few look alike"),
    ("R13P", "perturbs counts, the same people always alike"),
    ("R14", "compares each cell with those released before"),
];

/// Codes that are said with another one.
const SAID_WITH: [&str; 3] = ["R10", "R15", "R16"];

impl Policy {
    /// What it does beside leaving out and rounding, a line each.
    fn more(&self) -> Vec<String> {
        let codes = self.rules.split(", ").filter(|code| !code.is_empty() && !SAID_WITH.contains(code));
        let line = |code: &str| match RULES.iter().find(|(known, _)| *known == code) {
            Some((_, words)) => format!("{words} ({code})"),
            None => format!("applies rule {code}, which this client does not know"),
        };
        let budget = (!self.cells_per_day.is_empty()).then(|| {
            format!("answers {} new aggregates a day, to all who ask together (R24)", self.cells_per_day)
        });
        codes.map(line).chain(budget).collect()
    }

    fn words(&self) -> String {
        let down = if self.status == "up" {
            String::new()
        } else {
            format!(" ({}: the answer would be incomplete)", self.status)
        };
        let does = if self.release == "open" {
            "open: releases figures as they are".to_owned()
        } else {
            let rounding = match self.rounding.as_str() {
                "" | "0" | "1" => String::new(),
                base => format!(", rounds counts to {base}"),
            };
            format!(
                "{}: leaves out what fewer than {} people stand behind{rounding}",
                self.release, self.threshold
            )
        };
        format!("{does}{down}")
    }
}

/// Writes the dry run of one statement to standard output, or to the file of `--output`.
pub(crate) async fn show(
    session: &mut Session,
    ask: &Ask,
    sql: &str,
    around: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    let mut file = ask.show.output.as_deref().map(OutputFile::create).transpose()?;
    let text = text(session, ask, sql).await?;
    match &mut file {
        Some(file) => file.writer().write_all(text.as_bytes())?,
        None => around.stdout.write_all(text.as_bytes())?,
    }
    match file {
        Some(file) => file.keep(),
        None => Ok(around.stdout.flush()?),
    }
}

/// The dry run of one statement. A statement that the policy refuses fails with the refusal.
pub(crate) async fn text(session: &mut Session, ask: &Ask, sql: &str) -> Result<String, Failure> {
    let (_, plan) = query::collect(session, ask, &format!("EXPLAIN {sql}")).await?;
    let (_, policies) = query::collect(session, &Ask::plain(), POLICIES).await?;
    let policies = read(&policies)?;
    let mut text = Vec::new();
    let mut asked = false;
    for row in value::rows(&plan)? {
        let [part, plan] = row.as_slice() else { return Err(foreign()) };
        let (part, plan) = (part.as_deref().unwrap_or_default(), plan.as_deref().unwrap_or_default());
        section(&mut text, part, plan);
        if let Some(nodes) = part.strip_prefix("asked of ") {
            asked = true;
            effects(&mut text, nodes, plan, &policies);
        }
    }
    let last = if asked {
        "A node may still refuse by what it does not announce: grants, what is left of the day, what was asked before."
    } else {
        "No node would be asked."
    };
    text.push(last.to_owned());
    Ok(lines(&text))
}

fn lines(lines: &[String]) -> String {
    printable(&lines.join("\n")) + "\n"
}

/// A heading, and a plan below it.
fn section(text: &mut Vec<String>, heading: &str, plan: &str) {
    text.push(format!("{heading}:"));
    text.extend(plan.lines().map(|line| format!("    {line}")));
}

/// What each node that would be asked does with what it would be asked.
fn effects(text: &mut Vec<String>, nodes: &str, plan: &str, policies: &[Policy]) {
    let words: Vec<&str> = plan.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
    let names: Vec<&str> = nodes.split(", ").collect();
    let known = |name: &&str| policies.iter().any(|policy| policy.node == *name);
    let few = names.iter().all(known);
    let concerned = policies.iter().filter(|policy| {
        words.contains(&policy.dataset.as_str()) && (!few || names.contains(&policy.node.as_str()))
    });
    let concerned: Vec<&Policy> = concerned.collect();
    let width = concerned.iter().map(|policy| policy.node.len()).max().unwrap_or(0);
    for policy in &concerned {
        let (node, dataset, words) = (&policy.node, &policy.dataset, policy.words());
        text.push(format!("  {node:<width$}  {dataset}: {words}"));
    }
    text.extend(more(&concerned));
    text.push(String::new());
}

/// What policies do beside leaving out and rounding: once for all nodes that do the same with a dataset.
fn more(policies: &[&Policy]) -> Vec<String> {
    let mut alike: BTreeMap<(&str, Vec<String>), Vec<&str>> = BTreeMap::new();
    for policy in policies {
        alike.entry((&policy.dataset, policy.more())).or_default().push(&policy.node);
    }
    let mut text = vec![];
    for ((dataset, lines), nodes) in alike {
        let of_dataset = policies.iter().filter(|policy| policy.dataset == dataset).count();
        let whose = if nodes.len() == of_dataset { "each node".to_owned() } else { nodes.join(", ") };
        if !lines.is_empty() {
            text.push(format!("  with {dataset}, {whose}:"));
            text.extend(lines.iter().map(|line| format!("    {line}")));
        }
    }
    text
}

/// What may be done with a dataset, and what each node's policy does with it.
pub(crate) async fn policy(session: &mut Session, dataset: &str) -> Result<String, Failure> {
    let name = dataset.replace('\'', "''");
    let columns = format!(
        "SELECT role, \"column\", unit FROM system.columns WHERE dataset = '{name}' ORDER BY position"
    );
    let (_, columns) = query::collect(session, &Ask::plain(), &columns).await?;
    let columns = value::rows(&columns)?;
    if columns.is_empty() {
        return Err(Failure::failed(format!("there is no dataset {dataset:?}: \\d lists those there are")));
    }
    let mut text = Vec::new();
    for (role, may) in [
        ("dimension", "may be grouped and filtered by"),
        ("measure", "may be added up and averaged"),
        ("entity", "whom disclosure control protects: counted, never shown"),
        ("reference", "public"),
    ] {
        let of_role =
            columns.iter().filter(|row| row.first().is_some_and(|cell| cell.as_deref() == Some(role)));
        let names: Vec<String> = of_role.filter_map(|row| named(row)).collect();
        if !names.is_empty() {
            text.push(format!("{may}: {}", names.join(", ")));
        }
    }
    let (_, policies) = query::collect(session, &Ask::plain(), POLICIES).await?;
    let policies: Vec<Policy> =
        read(&policies)?.into_iter().filter(|policy| policy.dataset == dataset).collect();
    let width = policies.iter().map(|policy| policy.node.len()).max().unwrap_or(0);
    for policy in &policies {
        text.push(format!("  {:<width$}  {}", policy.node, policy.words()));
    }
    text.extend(more(&policies.iter().collect::<Vec<_>>()));
    Ok(lines(&text))
}

/// A column, with its unit if it has one.
fn named(row: &[Option<String>]) -> Option<String> {
    let [_, Some(name), unit] = row else { return None };
    Some(match unit.as_deref() {
        None | Some("") => name.clone(),
        Some(unit) => format!("{name} ({unit})"),
    })
}

fn read(batches: &[arrow::array::RecordBatch]) -> Result<Vec<Policy>, Failure> {
    let policy = |row: Vec<Option<String>>| {
        let mut cells = row.into_iter().map(Option::unwrap_or_default);
        let mut next = || cells.next().ok_or_else(foreign);
        Ok(Policy {
            node: next()?,
            dataset: next()?,
            status: next()?,
            release: next()?,
            threshold: next()?,
            rounding: next()?,
            rules: next()?,
            cells_per_day: next()?,
        })
    };
    value::rows(batches)?.into_iter().map(policy).collect()
}

fn foreign() -> Failure {
    Failure::failed("the server describes its plans in a way this client does not know")
}
