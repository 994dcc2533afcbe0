//! Constants of summands, computed as the engine computes them, so that a measure's scale is known.

use jigsaw_proto::expr::{BinaryOp, Literal, Value};
use jigsaw_proto::types::DataType;

/// The number; NULL is none at all. `None`: no finite number.
#[expect(clippy::cast_precision_loss, reason = "the size of a constant, for rounding")]
pub(super) fn value(literal: &Literal) -> Option<f64> {
    let value = match (literal.value(), literal.data_type()) {
        (None, _) => 0.0,
        (Some(Value::Integer(value)), DataType::Int32 | DataType::Int64) => *value as f64,
        (Some(Value::Float(value)), _) => *value,
        (Some(Value::Decimal(value)), DataType::Decimal { scale, .. }) => {
            *value as f64 / 10_f64.powi((*scale).into())
        }
        _ => return None,
    };
    value.is_finite().then_some(value)
}

/// Two constants put together, as a number of this type.
pub(super) fn arithmetic(op: BinaryOp, left: f64, right: f64, data_type: Option<&DataType>) -> Option<f64> {
    let value = match op {
        BinaryOp::Add => left + right,
        BinaryOp::Subtract => left - right,
        BinaryOp::Multiply => left * right,
        BinaryOp::Divide => left / right,
        BinaryOp::Modulo => left % right,
        _ => return None,
    };
    cast(value, data_type?)
}

/// A constant as a number of another type; `None`: it is none.
pub(super) fn cast(value: f64, to: &DataType) -> Option<f64> {
    let value = match to {
        DataType::Float64 => value,
        DataType::Int32 | DataType::Int64 => value.trunc(),
        DataType::Decimal { scale, .. } => {
            let unit = 10_f64.powi((*scale).into());
            (value * unit).round() / unit
        }
        _ => return None,
    };
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_computed_in_their_type() {
        let of = |op, left, right, data_type| arithmetic(op, left, right, Some(&data_type));
        assert_eq!(of(BinaryOp::Divide, 7.0, 2.0, DataType::Int64), Some(3.0));
        assert_eq!(of(BinaryOp::Divide, 7.0, 2.0, DataType::Float64), Some(3.5));
        assert_eq!(of(BinaryOp::Divide, 7.0, 0.0, DataType::Float64), None, "no number");
        assert_eq!(of(BinaryOp::And, 1.0, 1.0, DataType::Float64), None);
        assert_eq!(cast(1.239, &DataType::Decimal { precision: 5, scale: 2 }), Some(1.24));
        assert_eq!(cast(-1.9, &DataType::Int32), Some(-1.0));
        assert_eq!(cast(1.0, &DataType::Text), None);
    }
}
