//! A figure that stands for a whole group, and is refused where it would have to be put together with another: of two counts of
//! entities the same person may be in both, and two mould indices are not one of all readings.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::common::{ScalarValue, internal_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};

use crate::query::QueryError;

/// What stands for a whole group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum WholeOf {
    /// a count of entities
    Entities,
    /// a mould index
    Readings,
}

impl WholeOf {
    fn data_type(self) -> DataType {
        match self {
            Self::Entities => DataType::Int64,
            Self::Readings => DataType::Float64,
        }
    }

    /// Why several of what was asked for are not put together.
    fn refusal(self, label: &str) -> QueryError {
        QueryError::sql(match self {
            Self::Entities => format!(
                "{label} needs linking across boroughs, because a group of the answer is put together from several groups in which \
                 the same person or record may be: group by what tells boroughs apart (such as node, or the column that the public table is \
                 joined on), or COUNT(*) what is recorded of them"
            ),
            Self::Readings => format!(
                "{label} follows the readings of one place in time, and a group of the answer is put together from several groups: group by \
                 node, and by all columns that a public table is joined on"
            ),
        })
    }
}

/// The aggregate function of groups of one row, which gives its figure.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Whole {
    signature: Signature,
    of: WholeOf,
    /// the aggregate as it was asked for
    label: String,
}

impl Whole {
    pub(super) fn new(of: WholeOf, label: &str) -> Self {
        let signature = Signature::exact(vec![of.data_type()], Volatility::Immutable);
        Self { signature, of, label: label.to_owned() }
    }
}

impl AggregateUDFImpl for Whole {
    fn name(&self) -> &'static str {
        "whole"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.of.data_type())
    }

    fn state_fields(&self, _: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let field = |name: &str, data_type| Arc::new(Field::new(name, data_type, true));
        Ok(vec![field("figure", self.of.data_type()), field("rows", DataType::Int64)])
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let none = ScalarValue::try_from(self.of.data_type())?;
        Ok(Box::new(Group { of: self.of, label: self.label.clone(), figure: none, rows: 0 }))
    }
}

#[derive(Debug)]
struct Group {
    of: WholeOf,
    label: String,
    figure: ScalarValue,
    rows: i64,
}

impl Group {
    /// Takes the figure, where it has none.
    fn take(&mut self, figures: &ArrayRef) -> Result<()> {
        if self.figure.is_null()
            && let Some(row) = (0..figures.len()).find(|row| figures.is_valid(*row))
        {
            self.figure = ScalarValue::try_from_array(figures, row)?;
        }
        Ok(())
    }
}

impl Accumulator for Group {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [figures] = values else { return internal_err!("a whole figure is one column") };
        self.rows += i64::try_from(figures.len()).unwrap_or(i64::MAX);
        self.take(figures)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [figures, rows] = states else { return internal_err!("a whole figure has two states") };
        self.rows += rows.as_primitive::<Int64Type>().iter().flatten().sum::<i64>();
        self.take(figures)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.figure.clone(), self.rows.into()])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.rows > 1 { Err(self.of.refusal(&self.label).into()) } else { Ok(self.figure.clone()) }
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.label.capacity()
    }
}
