//! The aggregate `mould_index`, which the planner does not have, so that it can be named, and applied to public rows and released values.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::{ScalarValue, internal_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use jigsaw_proto::mould::Readings;

/// `mould_index(temperature in °C, relative humidity in %, time)`
pub(super) fn mould_index() -> AggregateUDF {
    AggregateUDF::from(MouldIndex { signature: Signature::user_defined(Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct MouldIndex {
    signature: Signature,
}

impl AggregateUDFImpl for MouldIndex {
    fn name(&self) -> &'static str {
        "mould_index"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Numbers are doubles; a time is one of whatever unit and zone.
    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        let number = |given: &DataType| given.is_numeric() || given.is_null();
        match arguments {
            [temperature, humidity, time] if number(temperature) && number(humidity) => {
                let time = match time {
                    DataType::Timestamp(..) => time.clone(),
                    DataType::Null => DataType::Timestamp(TimeUnit::Microsecond, None),
                    _ => return wrong(arguments),
                };
                Ok(vec![DataType::Float64, DataType::Float64, time])
            }
            _ => wrong(arguments),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn state_fields(&self, _: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new("readings", DataType::LargeBinary, true))])
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Group::default()))
    }
}

fn wrong<T>(arguments: &[DataType]) -> Result<T> {
    let found: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    plan_err!(
        "mould_index(temperature in °C, relative humidity in %, time) takes two numbers and a timestamp, and found {}",
        found.join(", ")
    )
}

/// The readings of one group.
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
