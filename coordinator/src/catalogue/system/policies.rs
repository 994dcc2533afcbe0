//! `system.policies`: what each node announces of its policy for each dataset.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array};
use datafusion::arrow::datatypes::DataType;

use super::{Fields, integers, text};
use crate::dispatch::{DatasetView, NodeView, Snapshot};

/// Its columns.
pub(super) fn fields() -> Fields {
    let text = DataType::Utf8;
    vec![
        ("node", text.clone(), "The node's id."),
        ("dataset", text.clone(), "A dataset that it holds under the published contract."),
        ("status", text.clone(), "Whether the node is up, as in system.nodes."),
        ("release", text.clone(), "The node's own policy: open or protected."),
        ("threshold", DataType::Int32, "How many people must stand behind what it releases."),
        ("rounding", DataType::Int32, "What it rounds counts to."),
        ("rules", text, "Codes of the other rules that it applies."),
        (
            "cells_per_day",
            DataType::Int64,
            "How many new aggregates it answers on one day; NULL: any number.",
        ),
    ]
}

/// What each node announced of each of its datasets, where its contract is the published one.
pub(super) fn rows(snapshot: &Snapshot) -> Vec<ArrayRef> {
    let of_node = |node: &'_ NodeView| {
        let agreeing = node.datasets.iter().filter(|(_, dataset)| dataset.agrees.is_ok());
        let rows = agreeing
            .map(|(name, dataset)| (node.id.to_string(), node.status, name.to_string(), dataset.clone()));
        rows.collect::<Vec<_>>()
    };
    let rows: Vec<_> = snapshot.nodes.iter().flat_map(of_node).collect();
    let protected = |dataset: &DatasetView| dataset.mode.as_str() == "protected";
    let figure = |figure: fn(&DatasetView) -> u32| {
        integers(rows.iter().map(|(.., dataset)| protected(dataset).then(|| figure(dataset))))
    };
    vec![
        text(rows.iter().map(|(node, ..)| node)),
        text(rows.iter().map(|(_, _, name, _)| name)),
        text(rows.iter().map(|(_, status, ..)| status.as_str())),
        text(rows.iter().map(|(.., dataset)| dataset.mode.as_str())),
        figure(|dataset| dataset.threshold),
        figure(|dataset| dataset.rounding),
        text(rows.iter().map(|(.., dataset)| dataset.rules.join(", "))),
        Arc::new(rows.iter().map(|(.., dataset)| budget(dataset)).collect::<Int64Array>()),
    ]
}

/// More than a bigint holds is more than anybody asks.
fn budget(dataset: &DatasetView) -> Option<i64> {
    dataset.cells_per_day.map(|cells| i64::try_from(cells.get()).unwrap_or(i64::MAX))
}
