//! The aggregate algebra: which aggregates exist, which partial states each needs from a node, and how states merge.
//!
//! One table, used by the coordinator to split and merge and by the node to execute. States are closed and additive:
//! nothing that carries a value of a row beyond minimum and maximum, which a policy must allow.
//!
//! | aggregate | states | value of the merged states |
//! |---|---|---|
//! | `COUNT(*)` | rows | Σ rows |
//! | `COUNT(x)` | count | Σ count |
//! | `COUNT(DISTINCT entity)` | entities | Σ entities, where no entity is at two nodes |
//! | `SUM(x)` | sum | Σ sum |
//! | `AVG(x)` | sum, count | Σ sum / Σ count |
//! | `MIN(x)`, `MAX(x)` | min, max | least, greatest |
//! | `VAR`, `STDDEV` | count, mean, m2 | Chan's pairwise merge of (n, mean, M2) |
//!
//! Variance follows Chan, Golub and `LeVeque` (1979), *Updating formulae and a pairwise algorithm for computing sample
//! variances*, STAN-CS-79-773, eq. 2.1; it does not cancel where means are large.

use std::fmt;

use crate::generated as wire;
use crate::types::{DataType, MAX_PRECISION};
use crate::wire::Malformed;

/// An aggregate of SQL that a federation can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the SQL aggregates; see the table above")]
pub enum Aggregate {
    CountRows,
    Count,
    CountEntities,
    Sum,
    Avg,
    Min,
    Max,
    VarianceSample,
    VariancePopulation,
    StddevSample,
    StddevPopulation,
}

impl Aggregate {
    /// The partial states it is made of, in a fixed order.
    pub fn states(self) -> &'static [State] {
        match self {
            Self::CountRows => &[State::Rows],
            Self::Count => &[State::Count],
            Self::CountEntities => &[State::Entities],
            Self::Sum => &[State::Sum],
            Self::Avg => &[State::Sum, State::Count],
            Self::Min => &[State::Min],
            Self::Max => &[State::Max],
            Self::VarianceSample | Self::VariancePopulation | Self::StddevSample | Self::StddevPopulation => {
                &[State::Count, State::Mean, State::M2]
            }
        }
    }
}

/// What a node may compute over a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// number of rows
    Rows,
    /// number of rows whose argument is not NULL
    Count,
    /// sum of the argument; NULL over no value
    Sum,
    /// arithmetic mean, as a double
    Mean,
    /// sum of squared deviations from the mean, as a double
    M2,
    /// least value
    Min,
    /// greatest value
    Max,
    /// number of distinct entities
    Entities,
}

/// How the same state of several nodes becomes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merge {
    /// the sum
    Sum,
    /// the least
    Min,
    /// the greatest
    Max,
    /// with the count, mean and M2 beside it
    Moments,
}

impl State {
    /// How states merge.
    pub fn merge(self) -> Merge {
        match self {
            Self::Rows | Self::Count | Self::Sum | Self::Entities => Merge::Sum,
            Self::Min => Merge::Min,
            Self::Max => Merge::Max,
            Self::Mean | Self::M2 => Merge::Moments,
        }
    }

    /// Whether it stands for a number of rows or entities, and so is rounded as a count.
    pub fn is_count(self) -> bool {
        matches!(self, Self::Rows | Self::Count | Self::Entities)
    }

    /// Type of the state over an argument of that type (`None`: without argument); `None` if there is no such state.
    ///
    /// Sums of integers are `BIGINT`, of decimals `DECIMAL(min(38, p + 10), s)`, as in the SQL engine that merges them.
    pub fn data_type(self, argument: Option<&DataType>) -> Option<DataType> {
        match (self, argument) {
            (Self::Rows, None)
            | (Self::Count | Self::Entities, Some(_))
            | (Self::Sum, Some(DataType::Int32 | DataType::Int64)) => Some(DataType::Int64),
            (Self::Sum | Self::Mean | Self::M2, Some(DataType::Float64)) => Some(DataType::Float64),
            (Self::Sum, Some(DataType::Decimal { precision, scale })) => {
                DataType::decimal(precision.saturating_add(10).min(MAX_PRECISION), *scale)
            }
            (Self::Min | Self::Max, Some(DataType::Interval)) => None,
            (Self::Min | Self::Max, Some(argument)) => Some(argument.clone()),
            _ => None,
        }
    }
}

/// The name in the SQL form of a fragment.
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rows | Self::Count => "count",
            Self::Sum => "sum",
            Self::Mean => "avg",
            Self::M2 => "sum_of_squared_deviations",
            Self::Min => "min",
            Self::Max => "max",
            Self::Entities => "count_distinct",
        })
    }
}

// ---- the wire ----

impl From<State> for wire::State {
    fn from(state: State) -> Self {
        match state {
            State::Rows => Self::Rows,
            State::Count => Self::Count,
            State::Sum => Self::Sum,
            State::Mean => Self::Mean,
            State::M2 => Self::M2,
            State::Min => Self::Min,
            State::Max => Self::Max,
            State::Entities => Self::Entities,
        }
    }
}

impl TryFrom<wire::State> for State {
    type Error = Malformed;

    fn try_from(state: wire::State) -> Result<Self, Malformed> {
        match state {
            wire::State::Rows => Ok(Self::Rows),
            wire::State::Count => Ok(Self::Count),
            wire::State::Sum => Ok(Self::Sum),
            wire::State::Mean => Ok(Self::Mean),
            wire::State::M2 => Ok(Self::M2),
            wire::State::Min => Ok(Self::Min),
            wire::State::Max => Ok(Self::Max),
            wire::State::Entities => Ok(Self::Entities),
            wire::State::Unspecified => Err(Malformed("a measure's state is missing or unknown")),
        }
    }
}
