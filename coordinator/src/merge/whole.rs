//! A count of entities that stands for a whole group, and is refused where it would have to be added to another: the same person
//! may be in both.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::common::{ScalarValue, internal_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};

use crate::query::QueryError;

/// The aggregate function `BIGINT → BIGINT` of groups of one row.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Whole {
    signature: Signature,
    /// the aggregate as it was asked for
    label: String,
}

impl Whole {
    pub(super) fn new(label: &str) -> Self {
        let signature = Signature::exact(vec![DataType::Int64], Volatility::Immutable);
        Self { signature, label: label.to_owned() }
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
        Ok(DataType::Int64)
    }

    fn state_fields(&self, _: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let field = |name: &str| Arc::new(Field::new(name, DataType::Int64, true));
        Ok(vec![field("count"), field("rows")])
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Group { label: self.label.clone(), count: None, rows: 0 }))
    }
}

#[derive(Debug)]
struct Group {
    label: String,
    count: Option<i64>,
    rows: i64,
}

impl Accumulator for Group {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [counts] = values else { return internal_err!("a count is one column") };
        self.rows += i64::try_from(counts.len()).unwrap_or(i64::MAX);
        self.count = self.count.or_else(|| counts.as_primitive::<Int64Type>().iter().flatten().next());
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [counts, rows] = states else { return internal_err!("a count has two states") };
        self.rows += rows.as_primitive::<Int64Type>().iter().flatten().sum::<i64>();
        self.count = self.count.or_else(|| counts.as_primitive::<Int64Type>().iter().flatten().next());
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::Int64(self.count), self.rows.into()])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.rows > 1 {
            return Err(QueryError::sql(format!(
                "{} needs linking across boroughs, because a group of the answer is put together from several groups in which \
                 the same person or record may be: group by what tells boroughs apart (such as node, or the column that the public table is \
                 joined on), or COUNT(*) what is recorded of them",
                self.label
            ))
            .into());
        }
        Ok(ScalarValue::Int64(self.count))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.label.capacity()
    }
}
