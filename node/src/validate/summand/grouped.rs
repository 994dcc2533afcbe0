//! What rows of an entity, made one, may be added up as.

use super::{Summand, UNBOUNDED};

impl Summand {
    /// A count of rows: adding up counts is counting rows.
    pub(in crate::validate) fn number_of_rows() -> Self {
        Self { step: 1.0, factors: 1, scale: 1.0, size: UNBOUNDED, grain: 1.0, value: 0.0, even: true }
    }

    /// A sum or mean of it over many rows. A sum of constants counts rows, in other words.
    pub(in crate::validate) fn of_many_rows(self) -> Self {
        Self { factors: self.factors.max(1), size: UNBOUNDED, value: 0.0, ..self }
    }
}
