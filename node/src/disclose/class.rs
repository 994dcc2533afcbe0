//! `R11`: no cell that says the same of everybody.
//!
//! Where a column is sensitive, a table whose groups are all of one category tells the category of everybody in them (100 %),
//! and of nobody the others (0 %). A cell is withheld if
//! * a group key is made of a sensitive column, and among the groups that agree in all other keys only one has anybody; or
//! * its FILTER or argument chooses by a sensitive column, and everybody of the group is chosen.
//!
//! ONS and ACRO call this class or group attribute disclosure. Groups that the threshold takes out count as there: whether they
//! are is not told.

use std::collections::HashMap;

use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};

use super::cells::Cells;

pub(super) fn apply(cells: &mut Cells<'_>) -> Result<(), ArrowError> {
    let sensitive = cells.approved().sensitive();
    if sensitive.is_empty() {
        return Ok(());
    }
    for key in 0..cells.keys().len() {
        if !cells.approved().key_sources(key).is_disjoint(&sensitive) {
            lone(cells, key)?;
        }
    }
    for measure in 0..cells.measures() {
        if !cells.approved().choice_sources(measure).is_disjoint(&sensitive) {
            everybody(cells, measure);
        }
    }
    Ok(())
}

/// Withholds groups that have no other category beside them.
fn lone(cells: &mut Cells<'_>, key: usize) -> Result<(), ArrowError> {
    let others = cells.keys().iter().enumerate().filter(|(place, _)| *place != key);
    let others: Vec<_> = others.map(|(_, column)| std::sync::Arc::clone(column)).collect();
    let names = labels(&others, cells.rows())?;
    let mut counts: HashMap<&[u8], usize> = HashMap::new();
    for name in &names {
        *counts.entry(name).or_default() += 1;
    }
    for (row, name) in names.iter().enumerate() {
        if counts.get(name.as_slice()) == Some(&1) {
            cells.drop_group(row, "R11");
        }
    }
    Ok(())
}

/// Withholds cells that everybody of the group is in.
fn everybody(cells: &mut Cells<'_>, measure: usize) {
    for row in 0..cells.rows() {
        let mut kinds = cells.group_holders().iter().zip(cells.holders(measure));
        if kinds.all(|(group, chosen)| group.count(row) == chosen.count(row)) {
            cells.withhold(measure, row, "R11");
        }
    }
}

/// Each row's values of some columns as bytes that are equal where the values are.
pub(super) fn labels(columns: &[arrow::array::ArrayRef], rows: usize) -> Result<Vec<Vec<u8>>, ArrowError> {
    if columns.is_empty() {
        return Ok(vec![vec![]; rows]);
    }
    let fields = columns.iter().map(|column| SortField::new(column.data_type().clone())).collect();
    let converted = RowConverter::new(fields)?.convert_columns(columns)?;
    Ok(converted.iter().map(|row| row.as_ref().to_vec()).collect())
}
