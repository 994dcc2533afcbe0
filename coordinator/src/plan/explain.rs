//! `EXPLAIN`: the way of a question from the nodes to its answer, a row for each step. It is made of the plan and of what nodes
//! described of themselves; no value of any row is in it.
//!
//! ```text
//! asked of 33 nodes │ SELECT … FROM … GROUP BY …     what each node is asked, as it will be sent
//! ↓ comes back      │ g0 VARCHAR, p0 BIGINT          all that leaves a node, under its policy
//! ↓ added up        │ sum(p0) AS m0 for each g0      what is done with it here
//! = answer          │ wall_type, homes
//! ```
//!
//! Keys that were read here to be a condition at the nodes come first.
//!
//! Where two ways come together, the second stands behind a line. `EXPLAIN VERBOSE` names all nodes and shows the engine's plan.

mod steps;
mod words;

use std::any::Any;
use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;
use jigsaw_proto::id::NodeId;

use crate::dispatch::{NodeView, Snapshot};
use crate::keys::KeyList;
use crate::split::FragmentTable;

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Explained {
    /// the steps
    Steps,
    /// the names of all nodes and the engine's plan as well
    Verbose,
}

/// A step: its name, and what is done.
type Step = (String, String);

/// Two columns, `part` and `plan`: a row for each step.
pub(crate) fn explain(
    plan: &LogicalPlan,
    lists: &[KeyList],
    snapshot: &Snapshot,
    how: Explained,
) -> Result<RecordBatch> {
    let mut rows = steps::keys(lists, snapshot)?;
    rows.extend(steps::steps(plan, snapshot)?);
    if how == Explained::Verbose {
        let mut releases = fragments_of(plan)?;
        releases.dedup_by_key(|release| release.fragment().to_string());
        for release in &releases {
            let (asked, spared) = asked(release, snapshot);
            rows.push(("nodes asked".to_owned(), listed(&asked)));
            rows.push(("not asked".to_owned(), listed(&spared)));
        }
        rows.push(("engine's plan".to_owned(), plan.display_indent().to_string()));
    }
    let schema =
        Schema::new(vec![Field::new("part", DataType::Utf8, true), Field::new("plan", DataType::Utf8, true)]);
    let parts = StringArray::from_iter_values(rows.iter().map(|(part, _)| part));
    let plans = StringArray::from_iter_values(rows.iter().map(|(_, plan)| plan));
    Ok(RecordBatch::try_new(Arc::new(schema), vec![Arc::new(parts), Arc::new(plans)])?)
}

/// The fragments whose answers a plan reads, as often as it reads them.
pub(crate) fn fragments_of(plan: &LogicalPlan) -> Result<Vec<FragmentTable>> {
    let mut found = vec![];
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Ok(provider) = source_as_provider(&scan.source)
            && let Some(release) = (provider.as_ref() as &dyn Any).downcast_ref::<FragmentTable>()
        {
            found.push(release.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// The nodes that hold every dataset of the fragment and can have rows for it; and those that hold them and can have none.
fn asked<'a>(release: &FragmentTable, snapshot: &'a Snapshot) -> (Vec<&'a NodeId>, Vec<&'a NodeId>) {
    let datasets = release.fragment().input.datasets();
    let holds = |node: &&NodeView| {
        datasets.iter().all(|name| node.datasets.get(*name).is_some_and(|dataset| dataset.agrees.is_ok()))
    };
    let holders = snapshot.nodes.iter().filter(holds);
    let (asked, spared): (Vec<_>, Vec<_>) =
        holders.partition(|node| node.can_have_rows(&release.fragment().input));
    let ids = |nodes: Vec<&'a NodeView>| nodes.into_iter().map(|node| &node.id).collect();
    (ids(asked), ids(spared))
}

/// `33 nodes`, or the names where they are few.
fn named(nodes: &[&NodeId]) -> String {
    match nodes {
        [] => "no node".to_owned(),
        few if few.len() <= 3 => listed(few),
        many => format!("{} nodes", many.len()),
    }
}

fn listed(nodes: &[&NodeId]) -> String {
    if nodes.is_empty() {
        return "none".to_owned();
    }
    nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
