//! The VTT mould index of a surface, from readings of temperature and relative humidity in the order of time.
//!
//! From 0 (no growth) over 1 (seen under the microscope) and 3 (seen by eye) to 6 (dense growth). Hukka and Viitanen (1999), *A mathematical
//! model of mould growth on wooden material*, Wood Science and Technology 33, doi:10.1007/s002260050131, for its most sensitive material: pine
//! (W = 0) with a sawn surface (SQ = 0). With T in °C, RH in % and M the index,
//!
//! * growth, while RH is at least [`critical_humidity`]: dM/dt = k₁ k₂ / (7 tₘ) a day. tₘ = exp(−0.68 ln T − 13.9 ln RH + 66.02) weeks is the
//!   time until growth begins, tᵥ = exp(−0.74 ln T − 12.72 ln RH + 61.50) weeks until it is seen; k₁ = 1 below M = 1 and
//!   2 / (tᵥ / tₘ − 1) from there on; k₂ = max(1 − exp(2.3 (M − Mₘₐₓ)), 0), Mₘₐₓ = 1 + 7x − 2x², x = (RH₀ − RH) / (RH₀ − 100), RH₀ the
//!   critical one;
//! * decline, while it is drier, or not between 0 and 50 °C: 0.032 a day in the first 6 hours, none until 24 hours, 0.016 a day after that,
//!   never below 0.
//!
//! A reading holds until the next one, for a day at most; from then on nothing is known, and neither the index nor the clock of the dry
//! spell moves. Under constant conditions both equations have solutions in closed form, so that no step has to be chosen and a reading
//! that is repeated changes nothing. Readings of one time count as one, their mean. The index is 0 at the first reading.

use std::mem::size_of;

use arrow::array::{ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit};
use arrow::error::ArrowError;

use crate::humidity::{critical_humidity, plausible};

/// Microseconds for which a reading holds at most.
const HOLDS: u64 = 24 * 3_600_000_000;

const MICROSECONDS_AN_HOUR: f64 = 3.6e9;

/// How sharply growth ends below the most there can be.
const SHARPNESS: f64 = 2.3;

/// Bytes of a reading that is put away.
const BYTES: usize = 3 * size_of::<u64>();

/// One reading.
#[derive(Debug, Clone, Copy)]
struct Reading {
    /// since 1970-01-01 UTC
    microseconds: i64,
    temperature: f64,
    humidity: f64,
}

/// The readings of one place, in any order.
#[derive(Debug, Clone, Default)]
pub struct Readings {
    list: Vec<Reading>,
}

impl Readings {
    /// Takes a reading: microseconds since 1970-01-01 UTC, °C, %. One that no air has (outside −80 to 100 °C or 0 to 100 %) is left out.
    pub fn push(&mut self, microseconds: i64, temperature: f64, humidity: f64) {
        if plausible(temperature, humidity) {
            self.list.push(Reading { microseconds, temperature, humidity });
        }
    }

    /// Takes a reading from each row of three columns: doubles in °C and in %, and timestamps of any unit. A row with a NULL is none,
    /// nor is one so far from 1970 that microseconds do not reach it.
    ///
    /// # Errors
    /// Columns of other types.
    pub fn extend_from_columns(&mut self, columns: &[ArrayRef]) -> Result<(), ArrowError> {
        let others =
            || ArrowError::SchemaError("readings are two columns of doubles and one of times".to_owned());
        let [temperatures, humidities, times] = columns else { return Err(others()) };
        let DataType::Timestamp(unit, _) = *times.data_type() else { return Err(others()) };
        let numbers =
            |column: &ArrayRef| column.as_primitive_opt::<Float64Type>().cloned().ok_or_else(others);
        let (temperatures, humidities) = (numbers(temperatures)?, numbers(humidities)?);
        let times = cast(times, &DataType::Int64)?;
        let times = times.as_primitive::<Int64Type>();
        for ((time, temperature), humidity) in times.iter().zip(&temperatures).zip(&humidities) {
            let time = time.and_then(|time| microseconds(time, unit));
            if let (Some(time), Some(temperature), Some(humidity)) = (time, temperature, humidity) {
                self.push(time, temperature, humidity);
            }
        }
        Ok(())
    }

    /// The mould index at the last reading; `None`: there is no reading.
    pub fn mould_index(&mut self) -> Option<f64> {
        // By everything, so that the order in which they came decides nothing of their mean either.
        self.list.sort_unstable_by(|one, other| {
            let time = one.microseconds.cmp(&other.microseconds);
            time.then(one.temperature.total_cmp(&other.temperature))
                .then(one.humidity.total_cmp(&other.humidity))
        });
        let mut times = self.list.chunk_by(|one, other| one.microseconds == other.microseconds);
        let mut last = mean(times.next()?)?;
        let mut surface = Surface::default();
        for reading in times.filter_map(mean) {
            surface.keep(last, last.hours_until(reading));
            last = reading;
        }
        Some(surface.index)
    }

    /// As bytes, for an engine that puts groups together from several parts.
    pub fn to_bytes(&self) -> Vec<u8> {
        let words = self.list.iter().flat_map(|reading| {
            let Reading { microseconds, temperature, humidity } = *reading;
            [microseconds.to_le_bytes(), temperature.to_le_bytes(), humidity.to_le_bytes()]
        });
        words.flatten().collect()
    }

    /// Takes the readings of [`Readings::to_bytes`].
    pub fn extend_from_bytes(&mut self, bytes: &[u8]) {
        for reading in bytes.chunks_exact(BYTES) {
            let mut words = reading.chunks_exact(size_of::<u64>()).filter_map(|word| word.try_into().ok());
            if let (Some(time), Some(temperature), Some(humidity)) =
                (words.next(), words.next(), words.next())
            {
                self.push(
                    i64::from_le_bytes(time),
                    f64::from_le_bytes(temperature),
                    f64::from_le_bytes(humidity),
                );
            }
        }
    }

    /// Bytes of memory that the readings have.
    pub fn allocated(&self) -> usize {
        self.list.capacity() * size_of::<Reading>()
    }
}

/// `None`: so far away that no reading is of it.
fn microseconds(time: i64, unit: TimeUnit) -> Option<i64> {
    match unit {
        TimeUnit::Second => time.checked_mul(1_000_000),
        TimeUnit::Millisecond => time.checked_mul(1_000),
        TimeUnit::Microsecond => Some(time),
        TimeUnit::Nanosecond => Some(time.div_euclid(1_000)),
    }
}

impl Reading {
    /// Hours for which it holds, if the next is that one.
    #[expect(clippy::cast_precision_loss, reason = "the microseconds of a day are exact")]
    fn hours_until(self, next: Self) -> f64 {
        next.microseconds.abs_diff(self.microseconds).min(HOLDS) as f64 / MICROSECONDS_AN_HOUR
    }
}

/// The mean of readings of one time.
#[expect(clippy::cast_precision_loss, reason = "fewer than 2⁵³ rows are of one time")]
fn mean(readings: &[Reading]) -> Option<Reading> {
    let [only] = readings else {
        let (first, count) = (readings.first()?, readings.len() as f64);
        let mean = |of: fn(&Reading) -> f64| readings.iter().map(of).sum::<f64>() / count;
        let (temperature, humidity) = (mean(|reading| reading.temperature), mean(|reading| reading.humidity));
        return Some(Reading { temperature, humidity, ..*first });
    };
    Some(*only)
}

/// A surface at one time.
#[derive(Debug, Default)]
struct Surface {
    index: f64,
    /// hours for which nothing has grown
    dry: f64,
}

impl Surface {
    /// Keeps it under the conditions of a reading.
    fn keep(&mut self, Reading { temperature, humidity, .. }: Reading, hours: f64) {
        if let Some(growth) = Growth::under(temperature, humidity) {
            self.index = growth.of(self.index, hours);
            self.dry = 0.0;
        } else {
            let lost = declined(self.dry + hours) - declined(self.dry);
            self.index = (self.index - lost).max(0.0);
            self.dry += hours;
        }
    }
}

/// What is lost in the first so many hours of a dry spell.
fn declined(hours: f64) -> f64 {
    0.032 / 24.0 * hours.min(6.0) + 0.016 / 24.0 * (hours - 24.0).max(0.0)
}

/// How mould grows under constant conditions.
#[derive(Debug)]
struct Growth {
    /// an hour, far below the most there can be and below 1
    begins: f64,
    /// the same from 1 on
    goes_on: f64,
    /// the most there can be
    most: f64,
}

impl Growth {
    /// `None`: it does not grow.
    fn under(temperature: f64, humidity: f64) -> Option<Self> {
        let critical = critical_humidity(&[temperature])?;
        if temperature <= 0.0 || humidity < critical || critical >= 100.0 {
            return None;
        }
        let (log_temperature, log_humidity) = (temperature.ln(), humidity.ln());
        let begun = (-0.68 * log_temperature - 13.9 * log_humidity + 66.02).exp();
        let seen = (-0.74 * log_temperature - 12.72 * log_humidity + 61.50).exp();
        let wet = (critical - humidity) / (critical - 100.0);
        let begins = 1.0 / (7.0 * 24.0 * begun);
        Some(Self {
            begins,
            goes_on: begins * 2.0 / (seen / begun - 1.0),
            most: 1.0 + 7.0 * wet - 2.0 * wet * wet,
        })
    }

    /// The index after so many hours.
    fn of(&self, index: f64, hours: f64) -> f64 {
        if index >= self.most {
            return index;
        }
        if index >= 1.0 {
            return self.approached(index, self.goes_on, hours);
        }
        let until_one = (self.distance(index) / self.distance(1.0)).ln() / (SHARPNESS * self.begins);
        if self.most > 1.0 && until_one < hours {
            self.approached(1.0, self.goes_on, hours - until_one)
        } else {
            self.approached(index, self.begins, hours)
        }
    }

    /// exp(2.3 (Mₘₐₓ − M)) − 1, which falls exponentially with time: dM/dt = r (1 − exp(2.3 (M − Mₘₐₓ))).
    fn distance(&self, index: f64) -> f64 {
        (SHARPNESS * (self.most - index)).exp_m1()
    }

    fn approached(&self, index: f64, rate: f64, hours: f64) -> f64 {
        let left = self.distance(index) * (-SHARPNESS * rate * hours).exp();
        (self.most - left.ln_1p() / SHARPNESS).clamp(index, self.most)
    }
}

#[cfg(test)]
mod tests;
