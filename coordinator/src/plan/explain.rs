//! `EXPLAIN`: what is asked of the nodes and what is merged here. It is made of the plan and of what nodes described of
//! themselves; no value of any row is in it.

use std::any::Any;
use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;
use jigsaw_proto::id::NodeId;

use crate::dispatch::Snapshot;
use crate::split::FragmentTable;

/// Two columns, `part` and `plan`: a row for each fragment, then one for the merge.
pub(crate) fn explain(plan: &LogicalPlan, snapshot: &Snapshot) -> Result<RecordBatch> {
    let row = |release: FragmentTable| {
        (format!("asked of {}", named(&asked(&release, snapshot))), release.fragment().to_string())
    };
    let mut rows: Vec<(String, String)> = fragments_of(plan)?.into_iter().map(row).collect();
    rows.dedup();
    let merge = if rows.is_empty() { "answered here" } else { "merged here" };
    rows.push((merge.to_owned(), plan.display_indent().to_string()));
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

/// The nodes that hold every dataset of the fragment and can have rows for it.
fn asked<'a>(release: &FragmentTable, snapshot: &'a Snapshot) -> Vec<&'a NodeId> {
    let datasets = release.fragment().input.datasets();
    let holds = |node: &&crate::dispatch::NodeView| {
        datasets.iter().all(|name| node.datasets.get(*name).is_some_and(|dataset| dataset.agrees.is_ok()))
            && release.only().is_none_or(|only| only.contains(&node.id))
    };
    snapshot.nodes.iter().filter(holds).map(|node| &node.id).collect()
}

/// `33 nodes`, or the names where they are few.
fn named(nodes: &[&NodeId]) -> String {
    match nodes {
        [] => "no node".to_owned(),
        few if few.len() <= 3 => few.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        many => format!("{} nodes", many.len()),
    }
}
