//! The oracle's own `mould_index`: the differential equations in small steps, where the federation has their solutions.
//!
//! Runge and Kutta's method of the fourth order, in steps of ten minutes at most and far less where growth changes its pace, at an index of
//! 1. Written from the paper (doi:10.1007/s002260050131), and not from the federation's code.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Int64Type, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};

/// `mould_index(temperature, relative humidity, time)`
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

    fn coerce_types(&self, _: &[DataType]) -> Result<Vec<DataType>> {
        let time = DataType::Timestamp(TimeUnit::Millisecond, None);
        Ok(vec![DataType::Float64, DataType::Float64, time])
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn state_fields(&self, _: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let number = Field::new_list_field(DataType::Float64, true);
        Ok(vec![Arc::new(Field::new_list("readings", number, true))])
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Readings::default()))
    }
}

/// Hours, °C and %, as they came.
#[derive(Debug, Default)]
struct Readings {
    list: Vec<[f64; 3]>,
}

impl Accumulator for Readings {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let times = cast(&values[2], &DataType::Int64)?;
        for row in 0..times.len() {
            if values.iter().all(|column| column.is_valid(row)) {
                #[expect(clippy::cast_precision_loss, reason = "milliseconds of this century are exact")]
                let hours = times.as_primitive::<Int64Type>().value(row) as f64 / 3.6e6;
                let number = |column: usize| values[column].as_primitive::<Float64Type>().value(row);
                self.list.push([hours, number(0), number(1)]);
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for part in states[0].as_list::<i32>().iter().flatten() {
            let numbers = part.as_primitive::<Float64Type>().values();
            self.list.extend(numbers.as_chunks::<3>().0);
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let numbers: Vec<ScalarValue> = self.list.iter().flatten().map(|number| (*number).into()).collect();
        Ok(vec![ScalarValue::List(ScalarValue::new_list_nullable(&numbers, &DataType::Float64))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.list.retain(|[_, t, rh]| (-80.0..=100.0).contains(t) && (0.0..=100.0).contains(rh));
        self.list.sort_by(|one, other| one[0].total_cmp(&other[0]));
        let mut means: Vec<[f64; 3]> = Vec::new();
        for same in self.list.chunk_by(|one, other| one[0].total_cmp(&other[0]).is_eq()) {
            let mean = |of: usize| {
                let count = u32::try_from(same.len()).unwrap_or(u32::MAX);
                same.iter().map(|reading| reading[of]).sum::<f64>() / f64::from(count)
            };
            means.push([same[0][0], mean(1), mean(2)]);
        }
        Ok(ScalarValue::Float64((!means.is_empty()).then(|| index_at_the_end(&means))))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.list.capacity() * size_of::<[f64; 3]>()
    }
}

fn index_at_the_end(readings: &[[f64; 3]]) -> f64 {
    const STEP: f64 = 1.0 / 6.0;
    let (mut index, mut dry) = (0.0_f64, 0.0_f64);
    for pair in readings.windows(2) {
        let [[from, temperature, humidity], [to, ..]] = [pair[0], pair[1]];
        let mut left = (to - from).min(24.0);
        while left > 1e-12 {
            let mut step = left.min(STEP);
            if grows(temperature, humidity) {
                let mut next = stepped(index, temperature, humidity, step);
                while index < 1.0 && next > 1.0 && step > 1e-10 {
                    step /= 2.0;
                    next = stepped(index, temperature, humidity, step);
                }
                (index, dry) = (next, 0.0);
            } else {
                let middle = dry + step / 2.0;
                let rate = match middle {
                    early if early < 6.0 => 0.032,
                    between if between < 24.0 => 0.0,
                    _ => 0.016,
                };
                index = (index - rate / 24.0 * step).max(0.0);
                dry += step;
            }
            left -= step;
        }
    }
    index
}

fn critical(temperature: f64) -> f64 {
    if temperature > 20.0 {
        return 80.0;
    }
    ((-0.002_67 * temperature + 0.160) * temperature - 3.13) * temperature + 100.0
}

fn grows(temperature: f64, humidity: f64) -> bool {
    temperature > 0.0 && temperature <= 50.0 && humidity >= critical(temperature)
}

/// dM/dt an hour.
fn slope(index: f64, temperature: f64, humidity: f64) -> f64 {
    let weeks = |of_t: f64, of_rh: f64, constant: f64| {
        temperature.powf(-of_t) * humidity.powf(-of_rh) * f64::exp(constant)
    };
    let (begins, seen) = (weeks(0.68, 13.9, 66.02), weeks(0.74, 12.72, 61.50));
    let edge = critical(temperature);
    let wet = (edge - humidity) / (edge - 100.0);
    let most = 1.0 + 7.0 * wet - 2.0 * wet.powi(2);
    let pace = if index < 1.0 { 1.0 } else { 2.0 / (seen / begins - 1.0) };
    pace * (1.0 - (2.3 * (index - most)).exp()).max(0.0) / (168.0 * begins)
}

fn stepped(index: f64, temperature: f64, humidity: f64, step: f64) -> f64 {
    let slope = |index| slope(index, temperature, humidity);
    let first = slope(index);
    let second = slope(index + step / 2.0 * first);
    let third = slope(index + step / 2.0 * second);
    let fourth = slope(index + step * third);
    index + step / 6.0 * (first + 2.0 * second + 2.0 * third + fourth)
}
