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
//! | `BOOL_AND(x)`, `BOOL_OR(x)` | rows where x is false, rows where x is true | whether Σ false is 0, whether Σ true is not |
//! | `COVAR`, `CORR`, `REGR_…` | of the pairs without NULL: count, both means, both m2, co-moment | the same pairwise merge, with the co-moment |
//! | `REGR_COUNT` | count of the pairs without NULL | Σ count |
//! | `MOULD_INDEX(temperature, humidity, time)` | mould index | itself, where a group is whole at one node |
//!
//! `COUNT(DISTINCT x)` of anything but an entity, `MEDIAN` and the `PERCENTILE`s have no states: x becomes one more group key, and
//! what is counted distinct or ranked are groups that were released.
//!
//! Variance follows Chan, Golub and `LeVeque` (1979), *Updating formulae and a pairwise algorithm for computing sample
//! variances*, STAN-CS-79-773, eq. 2.1; it does not cancel where means are large. The co-moment Σ (x − x̄)(y − ȳ) merges in the same
//! way with δx·δy in place of δ² (Bennett et al. 2009, *Numerically stable, single-pass, parallel statistics algorithms*, eq. III.6).

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
    BoolAnd,
    BoolOr,
    CovarianceSample,
    CovariancePopulation,
    Correlation,
    RegrSlope,
    RegrIntercept,
    RegrCount,
    RegrR2,
    RegrAvgX,
    RegrAvgY,
    RegrSxx,
    RegrSyy,
    RegrSxy,
    MouldIndex,
}

/// One of the states that an aggregate is made of, and over what of its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partial {
    /// what is computed
    pub state: State,
    /// over what
    pub over: Over,
}

/// Of what arguments and rows a state is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// all rows
    Rows,
    /// the argument
    Argument,
    /// rows where the argument is true
    True,
    /// rows where the argument is false
    False,
    /// the first argument, where the second is not NULL
    First,
    /// the second argument, where the first is not NULL
    Second,
    /// the first and the second argument, in the order of the third
    InTime,
}

const fn partial(state: State, over: Over) -> Partial {
    Partial { state, over }
}

const MOMENTS: [Partial; 3] = [
    partial(State::Count, Over::Argument),
    partial(State::Mean, Over::Argument),
    partial(State::M2, Over::Argument),
];

const CO_MOMENTS: [Partial; 6] = [
    partial(State::Count, Over::First),
    partial(State::Mean, Over::First),
    partial(State::Mean, Over::Second),
    partial(State::M2, Over::First),
    partial(State::M2, Over::Second),
    partial(State::CoMoment, Over::First),
];

impl Aggregate {
    /// The partial states it is made of, in a fixed order.
    pub fn partials(self) -> &'static [Partial] {
        match self {
            Self::CountRows => const { &[partial(State::Rows, Over::Rows)] },
            Self::Count => const { &[partial(State::Count, Over::Argument)] },
            Self::CountEntities => const { &[partial(State::Entities, Over::Argument)] },
            Self::Sum => const { &[partial(State::Sum, Over::Argument)] },
            // An average divides by the number of values that were summed.
            Self::Avg => {
                const { &[partial(State::Sum, Over::Argument), partial(State::Count, Over::Argument)] }
            }
            Self::Min => const { &[partial(State::Min, Over::Argument)] },
            Self::Max => const { &[partial(State::Max, Over::Argument)] },
            Self::VarianceSample | Self::VariancePopulation | Self::StddevSample | Self::StddevPopulation => {
                &MOMENTS
            }
            Self::BoolAnd | Self::BoolOr => {
                const { &[partial(State::Rows, Over::False), partial(State::Rows, Over::True)] }
            }
            Self::RegrCount => const { &[partial(State::Count, Over::First)] },
            Self::MouldIndex => const { &[partial(State::MouldIndex, Over::InTime)] },
            Self::CovarianceSample
            | Self::CovariancePopulation
            | Self::Correlation
            | Self::RegrSlope
            | Self::RegrIntercept
            | Self::RegrR2
            | Self::RegrAvgX
            | Self::RegrAvgY
            | Self::RegrSxx
            | Self::RegrSyy
            | Self::RegrSxy => &CO_MOMENTS,
        }
    }

    /// The aggregate that the SQL engine calls so, without DISTINCT and over an argument.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "count" => Self::Count,
            "sum" => Self::Sum,
            "avg" => Self::Avg,
            "min" => Self::Min,
            "max" => Self::Max,
            "var" => Self::VarianceSample,
            "var_pop" => Self::VariancePopulation,
            "stddev" => Self::StddevSample,
            "stddev_pop" => Self::StddevPopulation,
            "bool_and" => Self::BoolAnd,
            "bool_or" => Self::BoolOr,
            "covar_samp" => Self::CovarianceSample,
            "covar_pop" => Self::CovariancePopulation,
            "corr" => Self::Correlation,
            "regr_slope" => Self::RegrSlope,
            "regr_intercept" => Self::RegrIntercept,
            "regr_count" => Self::RegrCount,
            "regr_r2" => Self::RegrR2,
            "regr_avgx" => Self::RegrAvgX,
            "regr_avgy" => Self::RegrAvgY,
            "regr_sxx" => Self::RegrSxx,
            "regr_syy" => Self::RegrSyy,
            "regr_sxy" => Self::RegrSxy,
            "mould_index" => Self::MouldIndex,
            _ => return None,
        })
    }

    /// How many arguments it has.
    pub fn arity(self) -> usize {
        let needs = |over| match over {
            Over::Rows => 0,
            Over::Argument | Over::True | Over::False => 1,
            Over::First | Over::Second => 2,
            Over::InTime => 3,
        };
        self.partials().iter().map(|partial| needs(partial.over)).max().unwrap_or(0)
    }

    /// Whether it is computed of doubles, whatever numbers it is of.
    pub fn is_of_doubles(self) -> bool {
        self.partials().iter().any(|partial| {
            matches!(partial.state, State::Mean | State::M2 | State::CoMoment | State::MouldIndex)
        })
    }

    /// The units of its arguments and of its result, in UCUM as contracts write them, where it is of certain ones only; an empty one:
    /// none.
    pub fn units(self) -> Option<(&'static [&'static str], &'static str)> {
        match self {
            Self::MouldIndex => Some((&["°C", "%"], "1")),
            _ => None,
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
    /// sum of products of the deviations of two arguments from their means, as a double
    CoMoment,
    /// VTT mould index of temperatures beside relative humidities at times ([`crate::mould`]); NULL over no reading
    MouldIndex,
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
    /// with the count, the means and the other moments beside it
    Moments,
    /// not at all: it stands for a whole group
    Whole,
}

impl State {
    /// How states merge.
    pub fn merge(self) -> Merge {
        match self {
            Self::Rows | Self::Count | Self::Sum | Self::Entities => Merge::Sum,
            Self::Min => Merge::Min,
            Self::Max => Merge::Max,
            Self::Mean | Self::M2 | Self::CoMoment => Merge::Moments,
            Self::MouldIndex => Merge::Whole,
        }
    }

    /// Whether rows that a second argument is NULL in may be left out of it.
    pub fn may_be_paired(self) -> bool {
        matches!(self, Self::Count | Self::Mean | Self::M2) || self.is_of_pairs()
    }

    /// Whether it always has a second argument.
    pub fn is_of_pairs(self) -> bool {
        matches!(self, Self::CoMoment | Self::MouldIndex)
    }

    /// Whether it is over rows in the order of a time, which it has as its third argument.
    pub fn is_in_time(self) -> bool {
        matches!(self, Self::MouldIndex)
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
            (
                Self::Sum | Self::Mean | Self::M2 | Self::CoMoment | Self::MouldIndex,
                Some(DataType::Float64),
            ) => Some(DataType::Float64),
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
            Self::CoMoment => "sum_of_products_of_deviations",
            Self::MouldIndex => "mould_index",
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
            State::CoMoment => Self::CoMoment,
            State::MouldIndex => Self::MouldIndex,
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
            wire::State::CoMoment => Ok(Self::CoMoment),
            wire::State::MouldIndex => Ok(Self::MouldIndex),
            wire::State::Unspecified => Err(Malformed("a measure's state is missing or unknown")),
        }
    }
}
