//! Quantiles of values that were released with their numbers of rows.
//!
//! `MEDIAN` is the middle value, or the mean of the two; `PERCENTILE_CONT(p)` interpolates between the values around place p·(n − 1), as
//! the SQL engine does; `PERCENTILE_DISC(p)` is the first value that p·n values do not exceed (SQL:2003, 10.9). Of a histogram, the
//! rows of a bucket are taken to lie evenly in it, and every quantile is the place that p·n rows lie below.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Float64Type, Int64Type};
use datafusion::common::{ScalarValue, exec_err, internal_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Expr, Signature, TypeSignature, Volatility,
};

/// Which quantile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Quantile {
    method: Method,
    /// bits of a double between 0 and 1
    fraction: u64,
    descending: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Method {
    Median,
    Continuous,
    Discrete,
}

/// As an analyst would say it: `the median`, `the 0.9 quantile`.
impl fmt::Display for Quantile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.method {
            Method::Median => f.write_str("the median"),
            Method::Continuous | Method::Discrete => write!(f, "the {} quantile", self.fraction()),
        }
    }
}

impl Quantile {
    /// Reads a call of the planner's.
    ///
    /// # Errors
    /// A fraction that is no constant between 0 and 1.
    pub(crate) fn read(function: &AggregateFunction) -> std::result::Result<Self, String> {
        let name = function.func.name();
        let method = match name {
            "median" | "approx_median" => Method::Median,
            "percentile_disc" => Method::Discrete,
            _ => Method::Continuous,
        };
        let descending = function.params.order_by.first().is_some_and(|order| !order.asc);
        let fraction = match (method, function.params.args.get(1)) {
            (Method::Median, _) => Some(0.5),
            (_, Some(Expr::Literal(value, _))) => fraction_of(value),
            _ => None,
        };
        let fraction = fraction.ok_or_else(|| {
            format!(
                "{name}() needs a constant between 0 and 1, for example {name}(0.9) WITHIN GROUP (ORDER BY x)"
            )
        })?;
        Ok(Self { method, fraction: fraction.to_bits(), descending })
    }

    /// The fraction of the values that it is above, in ascending order.
    fn fraction(self) -> f64 {
        let fraction = f64::from_bits(self.fraction);
        if self.descending { 1.0 - fraction } else { fraction }
    }
}

/// A constant between 0 and 1.
fn fraction_of(value: &ScalarValue) -> Option<f64> {
    match value.cast_to(&DataType::Float64).ok()? {
        ScalarValue::Float64(fraction) => fraction.filter(|fraction| (0.0..=1.0).contains(fraction)),
        _ => None,
    }
}

/// The call that gives a quantile of `value`, each of which counts `rows` times; of a histogram, `value` is the lower edge of a bucket.
pub(crate) fn quantile_of(
    quantile: Quantile,
    width: Option<f64>,
    value: Expr,
    rows: Expr,
) -> AggregateFunction {
    let function = AggregateUDF::from(MergedQuantile {
        signature: Signature::any(2, Volatility::Immutable),
        quantile,
        width: width.map(f64::to_bits),
    });
    AggregateFunction::new_udf(Arc::new(function), vec![value, rows], false, None, vec![], None)
}

/// `PERCENTILE_DISC(p) WITHIN GROUP (ORDER BY x)` of rows that are here.
pub(crate) fn percentile_disc() -> AggregateUDF {
    let numbers = vec![TypeSignature::Any(2)];
    AggregateUDF::from(PercentileDisc { signature: Signature::one_of(numbers, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct MergedQuantile {
    signature: Signature,
    quantile: Quantile,
    width: Option<u64>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct PercentileDisc {
    signature: Signature,
}

impl AggregateUDFImpl for MergedQuantile {
    fn name(&self) -> &'static str {
        "merged_quantile"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match (self.quantile.method, arguments) {
            (Method::Median | Method::Discrete, [DataType::Decimal128(precision, scale), ..]) => {
                Ok(DataType::Decimal128(*precision, *scale))
            }
            (Method::Discrete, [number, ..]) if number.is_integer() => Ok(DataType::Int64),
            (_, [_, _]) => Ok(DataType::Float64),
            _ => internal_err!("quantiles are merged from values and their numbers of rows"),
        }
    }

    fn state_fields(&self, _: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        Ok(state_fields())
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let Self { quantile, width, .. } = self;
        let returns = arguments.return_field.data_type().clone();
        Ok(Box::new(Ranked {
            quantile: *quantile,
            width: width.map(f64::from_bits),
            returns,
            weighted: true,
            values: vec![],
        }))
    }
}

impl AggregateUDFImpl for PercentileDisc {
    fn name(&self) -> &'static str {
        "percentile_disc"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn supports_within_group_clause(&self) -> bool {
        true
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [number, _] if number.is_numeric() => Ok(number.clone()),
            _ => plan_err!("percentile_disc(p) WITHIN GROUP (ORDER BY x) is of numbers"),
        }
    }

    fn state_fields(&self, _: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        Ok(state_fields())
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let fraction = arguments.exprs.get(1).and_then(|expr| {
            let literal = (expr.as_ref() as &dyn std::any::Any)
                .downcast_ref::<datafusion::physical_expr::expressions::Literal>()?;
            fraction_of(literal.value())
        });
        let Some(fraction) = fraction else {
            return plan_err!("percentile_disc() needs a constant between 0 and 1");
        };
        let descending = arguments.order_bys.first().is_some_and(|order| order.options.descending);
        let quantile = Quantile { method: Method::Discrete, fraction: fraction.to_bits(), descending };
        let returns = arguments.return_field.data_type().clone();
        Ok(Box::new(Ranked { quantile, width: None, returns, weighted: false, values: vec![] }))
    }
}

/// Values as whole numbers in their order, and how often each occurs.
const VALUE: DataType = DataType::Decimal128(38, 0);

fn state_fields() -> Vec<FieldRef> {
    let list = |name: &str, item| Arc::new(Field::new_list(name, Field::new_list_field(item, true), true));
    vec![list("values", VALUE), list("rows", DataType::Int64)]
}

#[derive(Debug)]
struct Ranked {
    quantile: Quantile,
    width: Option<f64>,
    returns: DataType,
    weighted: bool,
    values: Vec<(i128, i64)>,
}

/// A double as a whole number in the order of `f64::total_cmp`, and back: the same turn does both.
fn turned(bits: i64) -> i64 {
    bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed()
}

impl Ranked {
    fn add(&mut self, values: &ArrayRef, rows: impl Iterator<Item = Option<i64>>) -> Result<()> {
        let mut push = |value: Option<i128>, rows: Option<i64>| {
            if let (Some(value), Some(rows @ 1..)) = (value, rows) {
                self.values.push((value, rows));
            }
        };
        match &self.returns {
            DataType::Decimal128(..) => {
                let Some(values) = values.as_primitive_opt::<Decimal128Type>() else {
                    return internal_err!("a decimal quantile of other values");
                };
                values.iter().zip(rows).for_each(|(value, rows)| push(value, rows));
            }
            returns if returns.is_integer() => {
                let values = cast(values, &DataType::Int64)?;
                let values = values.as_primitive::<Int64Type>().iter();
                values.zip(rows).for_each(|(value, rows)| push(value.map(Into::into), rows));
            }
            _ => {
                let values = cast(values, &DataType::Float64)?;
                let values = values.as_primitive::<Float64Type>().iter();
                let turned = |value: f64| turned(value.to_bits().cast_signed()).into();
                values.zip(rows).for_each(|(value, rows)| push(value.map(turned), rows));
            }
        }
        Ok(())
    }

    fn double(value: i128) -> f64 {
        // Values were made from doubles.
        i64::try_from(value).map_or(f64::NAN, |value| f64::from_bits(turned(value).cast_unsigned()))
    }

    /// The value at a place, from 0.
    fn at(&self, place: i128) -> Option<i128> {
        let mut passed = 0;
        let found = self.values.iter().find(|(_, rows)| {
            passed += i128::from(*rows);
            passed > place
        });
        found.or_else(|| self.values.last()).map(|(value, _)| *value)
    }

    fn value(&mut self) -> Result<ScalarValue> {
        self.values.sort_unstable();
        let total: i128 = self.values.iter().map(|(_, rows)| i128::from(*rows)).sum();
        let value = if total == 0 {
            None
        } else if let Some(width) = self.width {
            return ScalarValue::Float64(Some(self.of_histogram(total, width))).cast_to(&self.returns);
        } else {
            self.of_values(total)
        };
        match (value, &self.returns) {
            (None, returns) => ScalarValue::try_from(returns),
            (Some(Found::Exactly(value)), DataType::Decimal128(precision, scale)) => {
                Ok(ScalarValue::Decimal128(Some(value), *precision, *scale))
            }
            (Some(Found::Exactly(value)), returns) if returns.is_integer() => {
                ScalarValue::Int64(i64::try_from(value).ok()).cast_to(returns)
            }
            (Some(Found::Exactly(value)), returns) => {
                ScalarValue::Float64(Some(Self::double(value))).cast_to(returns)
            }
            (Some(Found::Double(value)), returns) => ScalarValue::Float64(Some(value)).cast_to(returns),
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "numbers of rows are far below 2^53, and places are below them"
    )]
    fn of_values(&self, total: i128) -> Option<Found> {
        let fraction = self.quantile.fraction();
        match self.quantile.method {
            Method::Median => {
                let (low, high) = (self.at((total - 1) / 2)?, self.at(total / 2)?);
                Some(match self.returns {
                    DataType::Decimal128(..) => Found::Exactly(low.midpoint(high)),
                    _ if low == high => Found::Exactly(low),
                    _ => Found::Double(f64::midpoint(Self::double(low), Self::double(high))),
                })
            }
            Method::Discrete => {
                let least = f64::from_bits(self.quantile.fraction) * total as f64;
                let place = (least.ceil() as i128 - 1).clamp(0, total - 1);
                self.at(if self.quantile.descending { total - 1 - place } else { place }).map(Found::Exactly)
            }
            Method::Continuous => {
                let place = fraction * (total - 1) as f64;
                let (low, high) = (self.at(place.floor() as i128)?, self.at(place.ceil() as i128)?);
                if low == high {
                    return Some(Found::Exactly(low));
                }
                let (low, high) = (Self::double(low), Self::double(high));
                // The engine takes six digits of the way between the two.
                let way = ((place - place.floor()) * 1e6).floor() / 1e6;
                Some(Found::Double(low + (high - low) * way))
            }
        }
    }

    /// The place in a histogram that the fraction of rows lies below; `total` is not 0.
    #[expect(clippy::cast_precision_loss, reason = "numbers of rows are far below 2^53")]
    fn of_histogram(&self, total: i128, width: f64) -> f64 {
        let wanted = self.quantile.fraction() * total as f64;
        let mut passed = 0.0;
        let mut upper = f64::NAN;
        for (edge, rows) in &self.values {
            let (edge, rows) = (Self::double(*edge), *rows as f64);
            upper = edge + width;
            if passed + rows >= wanted {
                return edge + width * ((wanted - passed) / rows).clamp(0.0, 1.0);
            }
            passed += rows;
        }
        upper
    }
}

/// A quantile: one of the values, or between two.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Found {
    Exactly(i128),
    Double(f64),
}

impl Accumulator for Ranked {
    fn update_batch(&mut self, arguments: &[ArrayRef]) -> Result<()> {
        let [values, rows, ..] = arguments else {
            return internal_err!("a quantile has two arguments");
        };
        if self.weighted {
            self.add(values, rows.as_primitive::<Int64Type>().iter())
        } else {
            self.add(values, std::iter::repeat_n(Some(1), values.len()))
        }
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [values, rows] = states else {
            return internal_err!("the state of a quantile is values and rows");
        };
        for (values, rows) in values.as_list::<i32>().iter().zip(rows.as_list::<i32>().iter()) {
            let (Some(values), Some(rows)) = (values, rows) else { continue };
            let values = values.as_primitive::<Decimal128Type>().iter();
            let pairs =
                values.zip(rows.as_primitive::<Int64Type>()).filter_map(|(value, rows)| value.zip(rows));
            self.values.extend(pairs);
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values = self.values.iter().map(|(value, _)| ScalarValue::Decimal128(Some(*value), 38, 0));
        let rows = self.values.iter().map(|(_, rows)| ScalarValue::Int64(Some(*rows)));
        let list =
            |items: &[ScalarValue], item| ScalarValue::List(ScalarValue::new_list_nullable(items, item));
        Ok(vec![list(&values.collect::<Vec<_>>(), &VALUE), list(&rows.collect::<Vec<_>>(), &DataType::Int64)])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.value().or_else(|_| exec_err!("a quantile is too large for its type: cast the column to DOUBLE"))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.values.capacity() * size_of::<(i128, i64)>()
    }
}

#[cfg(test)]
mod tests;
