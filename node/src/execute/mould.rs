//! The mould index of a group's readings: the one state that follows rows in the order of time.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{ScalarValue, internal_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Expr as PlanExpr, Signature, Volatility,
};
use jigsaw_proto::fragment::Measure;
use jigsaw_proto::mould::Readings;

use super::expr::lower;

/// `mould_index(temperature, relative humidity, time)`; a row with a NULL among them is no reading.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct MouldIndex {
    signature: Signature,
}

impl MouldIndex {
    /// The call of a measure, over its three arguments.
    pub(super) fn of(measure: &Measure) -> Result<PlanExpr> {
        let signature = Signature::any(3, Volatility::Immutable);
        let arguments = measure.arguments().map(lower).collect::<Result<Vec<_>>>()?;
        Ok(AggregateUDF::from(Self { signature }).call(arguments))
    }
}

impl AggregateUDFImpl for MouldIndex {
    fn name(&self) -> &'static str {
        "mould_index"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        let [DataType::Float64, DataType::Float64, DataType::Timestamp(..)] = arguments else {
            return internal_err!("a mould index is of two columns of doubles and one of timestamps");
        };
        Ok(DataType::Float64)
    }

    fn state_fields(&self, _: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new("readings", DataType::LargeBinary, true))])
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Group::default()))
    }
}

/// The readings of one group, all of which it keeps until the end.
#[derive(Debug, Default)]
struct Group {
    readings: Readings,
}

impl Accumulator for Group {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        Ok(self.readings.extend_from_columns(values)?)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [parts] = states else { return internal_err!("a mould index has one state") };
        for part in parts.as_binary::<i64>().iter().flatten() {
            self.readings.extend_from_bytes(part);
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::LargeBinary(Some(self.readings.to_bytes()))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(self.readings.mould_index()))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.readings.allocated()
    }
}
