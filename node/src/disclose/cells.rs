//! The cells of one release while the rules decide over them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Float64Array, Int64Array, RecordBatch,
    RecordBatchOptions,
};
use arrow::compute::filter;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};
use arrow::error::ArrowError;
use jigsaw_proto::aggregate::State;

use crate::execute::{Held, Holders, Raw};
use crate::validate::Approved;

/// A figure: a whole number (of a decimal: its unscaled value), or a double.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Figure {
    Whole(i128),
    Double(f64),
}

/// Groups and measures, what is left of them, and which rule took the rest.
pub(super) struct Cells<'a> {
    raw: &'a Raw,
    approved: &'a Approved,
    groups: Vec<bool>,
    figures: Vec<Vec<Option<Figure>>>,
    fired: BTreeMap<&'static str, u64>,
}

impl<'a> Cells<'a> {
    /// All cells as they are in the rows.
    pub(super) fn of(raw: &'a Raw, approved: &'a Approved) -> Result<Self, ArrowError> {
        let columns = raw.columns();
        let keys = approved.fragment().keys.len();
        let figures = columns.columns().iter().skip(keys).map(figures).collect::<Result<_, _>>()?;
        let groups = vec![true; columns.num_rows()];
        Ok(Self { raw, approved, groups, figures, fired: BTreeMap::new() })
    }

    pub(super) fn approved(&self) -> &'a Approved {
        self.approved
    }

    pub(super) fn rows(&self) -> usize {
        self.groups.len()
    }

    pub(super) fn measures(&self) -> usize {
        self.figures.len()
    }

    pub(super) fn state(&self, measure: usize) -> Option<State> {
        self.approved.fragment().measures.get(measure).map(|measure| measure.state)
    }

    /// The type of a measure's column.
    pub(super) fn data_type(&self, measure: usize) -> Option<&DataType> {
        let keys = self.approved.fragment().keys.len();
        self.raw.columns().columns().get(keys + measure).map(Array::data_type)
    }

    /// The columns of group keys.
    pub(super) fn keys(&self) -> &'a [ArrayRef] {
        self.raw.columns().columns().get(..self.approved.fragment().keys.len()).unwrap_or(&[])
    }

    /// Who is behind each group, for each kind of entity.
    pub(super) fn group_holders(&self) -> &'a [Holders] {
        self.raw.groups()
    }

    /// Who is behind the cells of a measure, for each kind of entity.
    pub(super) fn holders(&self, measure: usize) -> &'a [Holders] {
        self.raw.cells(measure)
    }

    /// The holdings behind one cell, for each kind of entity.
    pub(super) fn holdings(&self, measure: usize, row: usize) -> impl Iterator<Item = Held<'a>> {
        self.holders(measure).iter().map(move |holders| holders.holdings(row))
    }

    /// What a cell shows so far; `None`: nothing.
    pub(super) fn figure(&self, measure: usize, row: usize) -> Option<Figure> {
        self.figures.get(measure)?.get(row).copied().flatten()
    }

    pub(super) fn set(&mut self, measure: usize, row: usize, figure: Figure) {
        if let Some(cell) = self.figures.get_mut(measure).and_then(|cells| cells.get_mut(row)) {
            *cell = Some(figure);
        }
    }

    /// Takes a whole group out.
    pub(super) fn drop_group(&mut self, row: usize, rule: &'static str) {
        if let Some(group) = self.groups.get_mut(row).filter(|group| **group) {
            *group = false;
            *self.fired.entry(rule).or_default() += 1;
        }
        for cells in &mut self.figures {
            if let Some(cell) = cells.get_mut(row) {
                *cell = None;
            }
        }
    }

    /// Empties a cell.
    pub(super) fn withhold(&mut self, measure: usize, row: usize, rule: &'static str) {
        let cell = self.figures.get_mut(measure).and_then(|cells| cells.get_mut(row));
        if cell.and_then(Option::take).is_some() {
            *self.fired.entry(rule).or_default() += 1;
        }
    }

    /// How often each rule took something. For the node's own record.
    pub(super) fn fired(&self) -> &BTreeMap<&'static str, u64> {
        &self.fired
    }

    /// The figures of these rows beside these keys; of no row, nothing. A withheld cell is empty all the way down: the kernels that set
    /// a NULL leave the value in the buffer below it, and buffers are sent whole, so columns are made anew.
    pub(super) fn into_rows(
        self,
        keys: Vec<ArrayRef>,
        rows: &[Option<usize>],
    ) -> Result<RecordBatch, ArrowError> {
        let measures = self.figures.iter().zip(self.raw.columns().columns().iter().skip(keys.len()));
        let measures = measures.map(|(figures, column)| {
            let figure = |row: &Option<usize>| figures.get((*row)?).copied().flatten();
            let figures: Vec<Option<Figure>> = rows.iter().map(figure).collect();
            column_of(&figures, column.data_type())
        });
        let columns = keys.into_iter().map(Ok).chain(measures).collect::<Result<_, _>>()?;
        RecordBatch::try_new_with_options(
            self.raw.columns().schema(),
            columns,
            &RecordBatchOptions::new().with_row_count(Some(rows.len())),
        )
    }

    /// What is left.
    pub(super) fn into_batch(self) -> Result<RecordBatch, ArrowError> {
        // The one group of everything exists whatever the rows are; others are known by being there.
        let everything = self.approved.fragment().keys.is_empty();
        let left: Vec<bool> = self.groups.iter().map(|group| everything || *group).collect();
        let rows = (0..self.rows()).zip(&left).filter_map(|(row, left)| left.then_some(Some(row)));
        let rows: Vec<Option<usize>> = rows.collect();
        let left = BooleanArray::from(left);
        let keys = self.keys().iter().map(|key| filter(key, &left)).collect::<Result<_, _>>()?;
        self.into_rows(keys, &rows)
    }
}

fn figures(column: &ArrayRef) -> Result<Vec<Option<Figure>>, ArrowError> {
    let whole = |value: Option<i128>| value.map(Figure::Whole);
    match column.data_type() {
        DataType::Int64 => {
            Ok(column.as_primitive::<Int64Type>().iter().map(|value| whole(value.map(Into::into))).collect())
        }
        DataType::Decimal128(..) => Ok(column.as_primitive::<Decimal128Type>().iter().map(whole).collect()),
        DataType::Float64 => {
            Ok(column.as_primitive::<Float64Type>().iter().map(|value| value.map(Figure::Double)).collect())
        }
        other => Err(ArrowError::InvalidArgumentError(format!("no protected measure is of type {other}"))),
    }
}

fn column_of(figures: &[Option<Figure>], data_type: &DataType) -> Result<ArrayRef, ArrowError> {
    let whole = figures.iter().map(|figure| match figure {
        Some(Figure::Whole(value)) => Some(*value),
        Some(Figure::Double(_)) | None => None,
    });
    match data_type {
        DataType::Int64 => Ok(Arc::new(
            whole.map(|value| value.and_then(|value| i64::try_from(value).ok())).collect::<Int64Array>(),
        )),
        DataType::Decimal128(precision, scale) => {
            let column: Decimal128Array = whole.collect();
            Ok(Arc::new(column.with_precision_and_scale(*precision, *scale)?))
        }
        DataType::Float64 => {
            let values = figures.iter().map(|figure| match figure {
                Some(Figure::Double(value)) => Some(*value),
                Some(Figure::Whole(_)) | None => None,
            });
            Ok(Arc::new(values.collect::<Float64Array>()))
        }
        other => Err(ArrowError::InvalidArgumentError(format!("no protected measure is of type {other}"))),
    }
}
