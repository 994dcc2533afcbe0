//! What may be asked of a borough: a fragment is an aggregation over relations that are all at one node.

mod typing;
mod wire;

use std::fmt;

pub use typing::{Scope, TypeError, TypeMismatch};

use crate::aggregate::{Over, Partial, State};
use crate::expr::{BinaryOp, Column, Expr, UnaryOp, quoted};
use crate::id::DatasetName;

/// Most group keys of a fragment.
pub const MAX_KEYS: usize = 32;
/// Most measures of a fragment.
pub const MAX_MEASURES: usize = 256;

/// `SELECT keys…, measures… FROM input GROUP BY keys…`
///
/// The release of a fragment has the columns `g0`, `g1`, … for its keys and `p0`, `p1`, … for its measures.
#[derive(Debug, Clone, PartialEq)]
pub struct Fragment {
    /// Rows the aggregation reads.
    pub input: Relation,
    /// Group keys; none: one group, of all rows.
    pub keys: Vec<Expr>,
    /// Partial aggregates of each group.
    pub measures: Vec<Measure>,
}

/// Rows of this node. A relation never leaves the node; only a fragment's groups do.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "fields are the clauses that the SQL form shows")]
pub enum Relation {
    /// `FROM dataset AS alias`
    Scan { dataset: DatasetName, alias: String },
    /// `input WHERE predicate`
    Filter { input: Box<Self>, predicate: Expr },
    /// `(SELECT columns FROM input) AS alias`
    Project { input: Box<Self>, alias: String, columns: Vec<(String, Expr)> },
    /// `left JOIN right ON keys AND filter`
    Join(Box<Join>),
    /// `(input UNION ALL input …) AS alias`
    UnionAll { alias: String, inputs: Vec<Self> },
    /// `(SELECT keys, measures FROM input GROUP BY keys) AS alias`
    Aggregate { input: Box<Self>, alias: String, keys: Vec<(String, Expr)>, measures: Vec<(String, Measure)> },
}

/// A join of two relations of one node.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "fields are the clauses that the SQL form shows")]
pub struct Join {
    pub left: Relation,
    pub right: Relation,
    pub kind: JoinKind,
    /// Pairs of equal columns, left and right; at least one.
    pub on: Vec<(Column, Column)>,
    pub filter: Option<Expr>,
}

/// Which rows a join keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the SQL joins")]
pub enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
    /// `EXISTS`: rows of the left that have a match, once each, without the columns of the right
    Semi,
    /// `NOT EXISTS`: rows of the left that have none
    Anti,
}

impl JoinKind {
    /// Whether the columns of the right side can be named above the join.
    pub fn shows_right(self) -> bool {
        !matches!(self, Self::Semi | Self::Anti)
    }
}

/// One partial aggregate: `state(argument, paired, time) FILTER (WHERE filter)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    /// What is computed.
    pub state: State,
    /// Over what; `None` for [`State::Rows`] only.
    pub argument: Option<Expr>,
    /// What must not be NULL beside it, where a state is over pairs; of a co-moment or a mould index, the other argument.
    pub paired: Option<Expr>,
    /// When each row is of, where a state is over rows in time.
    pub time: Option<Expr>,
    /// Over which rows of the group; `None`: all.
    pub filter: Option<Expr>,
}

impl Measure {
    /// The measure of an aggregate's partial state, over its arguments; `None`: there are too few.
    pub fn of(partial: Partial, arguments: &[Expr], filter: Option<&Expr>) -> Option<Self> {
        let Partial { state, over } = partial;
        let argument = |place: usize| arguments.get(place).cloned();
        let filter = filter.cloned();
        let time = if over == Over::InTime { Some(argument(2)?) } else { None };
        let (argument, paired, is) = match over {
            Over::Rows => (None, None, None),
            Over::Argument => (Some(argument(0)?), None, None),
            Over::True => (None, None, Some(argument(0)?.unary(UnaryOp::IsTrue))),
            Over::False => (None, None, Some(argument(0)?.unary(UnaryOp::IsFalse))),
            Over::First | Over::InTime => (Some(argument(0)?), Some(argument(1)?), None),
            Over::Second => (Some(argument(1)?), Some(argument(0)?), None),
        };
        let filter = Expr::balanced(BinaryOp::And, filter.into_iter().chain(is).collect());
        Some(Self { state, argument, paired, time, filter })
    }

    /// The arguments of a co-moment, in the order that is the same whichever was named first.
    pub fn pair(&self) -> Option<(&Expr, &Expr)> {
        let (one, other) = (self.argument.as_ref()?, self.paired.as_ref()?);
        let pair = if one.to_string() <= other.to_string() { (one, other) } else { (other, one) };
        (self.state == State::CoMoment).then_some(pair)
    }

    /// The expressions it is computed of: all but the filter.
    pub fn arguments(&self) -> impl Iterator<Item = &Expr> {
        self.argument.iter().chain(&self.paired).chain(&self.time)
    }

    /// The expressions it is made of.
    pub fn exprs(&self) -> impl Iterator<Item = &Expr> {
        self.arguments().chain(&self.filter)
    }
}

impl Fragment {
    /// Names of the release's columns: `g0`, `g1`, …, `p0`, `p1`, …
    pub fn column_names(&self) -> Vec<String> {
        let keys = (0..self.keys.len()).map(|index| format!("g{index}"));
        let measures = (0..self.measures.len()).map(|index| format!("p{index}"));
        keys.chain(measures).collect()
    }
}

impl Relation {
    /// Every dataset it reads, once per mention, left to right.
    pub fn datasets(&self) -> Vec<&DatasetName> {
        match self {
            Self::Scan { dataset, .. } => vec![dataset],
            Self::Filter { input, .. } | Self::Project { input, .. } | Self::Aggregate { input, .. } => {
                input.datasets()
            }
            Self::Join(join) => [join.left.datasets(), join.right.datasets()].concat(),
            Self::UnionAll { inputs, .. } => inputs.iter().flat_map(Self::datasets).collect(),
        }
    }
}

/// As SQL: the text of the audit log and of `EXPLAIN`. For people; never parsed back.
impl fmt::Display for Fragment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.keys.iter().enumerate().map(|(index, key)| format!("{key} AS g{index}"));
        let measures =
            self.measures.iter().enumerate().map(|(index, measure)| format!("{measure} AS p{index}"));
        let columns: Vec<String> = keys.chain(measures).collect();
        write!(f, "SELECT {} FROM {}", columns.join(", "), self.input)?;
        if !self.keys.is_empty() {
            let keys: Vec<String> = (0..self.keys.len()).map(|index| format!("g{index}")).collect();
            write!(f, " GROUP BY {}", keys.join(", "))?;
        }
        Ok(())
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arguments: Vec<String> = self.arguments().map(ToString::to_string).collect();
        if self.argument.is_some() {
            write!(f, "{}({})", self.state, arguments.join(", "))?;
        } else {
            write!(f, "{}(*)", self.state)?;
        }
        match &self.filter {
            Some(filter) => write!(f, " FILTER (WHERE {filter})"),
            None => Ok(()),
        }
    }
}

/// What can follow `FROM`, with the `WHERE` clause if it is filtered.
impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scan { dataset, alias } if dataset.as_str() == alias => write!(f, "{dataset}"),
            Self::Scan { dataset, alias } => write!(f, "{dataset} AS {}", quoted(alias)),
            Self::Filter { input, predicate } => {
                if let Self::Filter { .. } = **input {
                    write!(f, "{input} AND ({predicate})")
                } else {
                    write!(f, "{input} WHERE ({predicate})")
                }
            }
            Self::Project { input, alias, columns } => {
                let columns: Vec<String> =
                    columns.iter().map(|(name, expr)| format!("{expr} AS {}", quoted(name))).collect();
                write!(f, "(SELECT {} FROM {input}) AS {}", columns.join(", "), quoted(alias))
            }
            Self::Join(join) => write!(f, "{join}"),
            Self::UnionAll { alias, inputs } => {
                let inputs: Vec<String> =
                    inputs.iter().map(|input| format!("SELECT * FROM {input}")).collect();
                write!(f, "({}) AS {}", inputs.join(" UNION ALL "), quoted(alias))
            }
            Self::Aggregate { input, alias, keys, measures } => {
                let named = |name: &String, shown: &dyn fmt::Display| format!("{shown} AS {}", quoted(name));
                let columns = keys.iter().map(|(name, key)| named(name, key));
                let columns = columns.chain(measures.iter().map(|(name, measure)| named(name, measure)));
                let columns: Vec<String> = columns.collect();
                let keys: Vec<String> = keys.iter().map(|(_, key)| key.to_string()).collect();
                let (columns, keys) = (columns.join(", "), keys.join(", "));
                write!(f, "(SELECT {columns} FROM {input} GROUP BY {keys}) AS {}", quoted(alias))
            }
        }
    }
}

impl fmt::Display for Join {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            JoinKind::Inner => "JOIN",
            JoinKind::Left => "LEFT JOIN",
            JoinKind::Right => "RIGHT JOIN",
            JoinKind::Full => "FULL JOIN",
            JoinKind::Semi => "LEFT SEMI JOIN",
            JoinKind::Anti => "LEFT ANTI JOIN",
        };
        let on: Vec<String> = self.on.iter().map(|(left, right)| format!("{left} = {right}")).collect();
        write!(f, "{} {kind} {} ON {}", Side(&self.left), Side(&self.right), on.join(" AND "))?;
        match &self.filter {
            Some(filter) => write!(f, " AND ({filter})"),
            None => Ok(()),
        }
    }
}

/// One side of a join: a filtered side needs parentheses to keep its `WHERE` to itself.
struct Side<'a>(&'a Relation);

impl fmt::Display for Side<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Relation::Filter { .. } | Relation::Join(_) => write!(f, "({})", self.0),
            Relation::Scan { .. }
            | Relation::Project { .. }
            | Relation::UnionAll { .. }
            | Relation::Aggregate { .. } => write!(f, "{}", self.0),
        }
    }
}
