//! Two answers, compared.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Decimal128Type, Float32Type, Float64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// Greatest relative difference of two doubles, and the greatest around zero.
pub const TOLERANCE: f64 = 1e-9;

/// One value of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// NULL
    Null,
    /// any other than a double, as text
    Exact(String),
    /// a double
    Double(f64),
}

impl Value {
    /// As scripts write it.
    pub fn text(&self) -> String {
        match self {
            Self::Null => "NULL".to_owned(),
            Self::Exact(text) => text.clone(),
            Self::Double(number) => number.to_string(),
        }
    }

    fn agrees(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Double(one), Self::Double(two)) => {
                one.total_cmp(two).is_eq()
                    || (one.is_nan() && two.is_nan())
                    || (one - two).abs() <= TOLERANCE * one.abs().max(two.abs()).max(1.0)
            }
            (one, two) => one == two,
        }
    }

    /// To bring rows into an order that small differences of doubles do not change: doubles come last, rounded.
    fn sort_key(&self) -> (bool, String) {
        match self {
            Self::Double(number) => (true, format!("{number:.5e}")),
            other => (false, other.text()),
        }
    }
}

/// A column's name and what kind of type it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// its name
    pub name: String,
    /// its type, without differences that SQL does not see (encoding of text, unit of time, width of integers)
    pub kind: &'static str,
}

/// An answer as rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// `None` if the answer came without any batch
    pub columns: Option<Vec<Column>>,
    /// its rows
    pub rows: Vec<Vec<Value>>,
}

impl Table {
    /// The rows of batches.
    ///
    /// # Errors
    /// Values of a type that cannot be shown.
    pub fn new(batches: &[RecordBatch]) -> Result<Self, String> {
        let columns = batches.first().map(|batch| {
            let fields = batch.schema();
            let column = |field: &arrow::datatypes::FieldRef| Column {
                name: field.name().clone(),
                kind: kind(field.data_type()),
            };
            fields.fields().iter().map(column).collect()
        });
        let mut rows = Vec::new();
        for batch in batches {
            for row in 0..batch.num_rows() {
                let values = batch.columns().iter().map(|column| value(column.as_ref(), row));
                rows.push(values.collect::<Result<Vec<_>, _>>()?);
            }
        }
        Ok(Self { columns, rows })
    }

    /// Brings the rows into an order of their own.
    pub fn sort(&mut self) {
        self.rows.sort_by_cached_key(|row| {
            let mut keys: Vec<_> = row.iter().map(Value::sort_key).collect();
            keys.sort_by_key(|(double, _)| *double);
            keys
        });
    }
}

/// What is different, in words; `None` if nothing is.
pub fn difference(expected: &Table, actual: &Table) -> Option<String> {
    if let (Some(expected), Some(actual)) = (&expected.columns, &actual.columns)
        && expected != actual
    {
        return Some(format!("columns are {actual:?}, expected {expected:?}"));
    }
    if expected.rows.len() != actual.rows.len() {
        let (expected, actual) = (expected.rows.len(), actual.rows.len());
        return Some(format!("there are {actual} rows, expected {expected}"));
    }
    for (number, (expected, actual)) in expected.rows.iter().zip(&actual.rows).enumerate() {
        let same =
            expected.len() == actual.len() && expected.iter().zip(actual).all(|(one, two)| one.agrees(two));
        if !same {
            let text = |row: &[Value]| row.iter().map(Value::text).collect::<Vec<_>>().join(" | ");
            return Some(format!("row {number} is {}, expected {}", text(actual), text(expected)));
        }
    }
    None
}

fn kind(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Null => "null",
        DataType::Boolean => "boolean",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text",
        DataType::Float32 | DataType::Float64 => "double",
        DataType::Decimal128(..) => "decimal",
        DataType::Date32 => "date",
        DataType::Timestamp(_, None) => "timestamp",
        DataType::Timestamp(_, Some(_)) => "timestamp with time zone",
        other if other.is_integer() => "integer",
        _ => "other",
    }
}

fn value(array: &dyn Array, row: usize) -> Result<Value, String> {
    if array.is_null(row) || *array.data_type() == DataType::Null {
        return Ok(Value::Null);
    }
    Ok(match array.data_type() {
        DataType::Float64 => Value::Double(array.as_primitive::<Float64Type>().value(row)),
        DataType::Float32 => Value::Double(f64::from(array.as_primitive::<Float32Type>().value(row))),
        DataType::Decimal128(..) => Value::Exact(array.as_primitive::<Decimal128Type>().value_as_string(row)),
        _ => {
            let formatter = ArrayFormatter::try_new(array, &FormatOptions::default());
            Value::Exact(formatter.map_err(|error| error.to_string())?.value(row).to_string())
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, Int64Array};

    use super::*;

    fn table(doubles: Vec<f64>, integers: Vec<Option<i64>>) -> Table {
        let doubles: ArrayRef = Arc::new(Float64Array::from(doubles));
        let integers: ArrayRef = Arc::new(Int64Array::from(integers));
        Table::new(&[RecordBatch::try_from_iter([("d", doubles), ("i", integers)]).unwrap()]).unwrap()
    }

    #[test]
    fn doubles_may_differ_a_little_and_integers_not_at_all() {
        let one = table(vec![0.1 + 0.2, 1e12], vec![Some(1), None]);
        assert_eq!(difference(&one, &table(vec![0.3, 1e12 + 100.0], vec![Some(1), None])), None);
        assert!(difference(&one, &table(vec![0.300_001, 1e12], vec![Some(1), None])).is_some());
        assert!(difference(&one, &table(vec![0.3, 1e12], vec![Some(2), None])).is_some());
        assert!(difference(&one, &table(vec![0.3, 1e12], vec![Some(1), Some(0)])).is_some());
    }

    #[test]
    fn sorting_makes_the_order_of_rows_irrelevant() {
        let mut one = table(vec![0.1 + 0.2, 2.0], vec![Some(7), Some(5)]);
        let mut two = table(vec![2.0, 0.3], vec![Some(5), Some(7)]);
        one.sort();
        two.sort();
        assert_eq!(difference(&one, &two), None);
    }

    #[test]
    fn a_missing_row_is_a_difference() {
        let difference = difference(&table(vec![1.0], vec![Some(1)]), &table(vec![], vec![]));
        assert_eq!(difference.as_deref(), Some("there are 0 rows, expected 1"));
    }
}
