//! Fragments as messages.

use prost::Message as _;
use sha2::{Digest as _, Sha256};

use super::{Fragment, Join, JoinKind, MAX_KEYS, MAX_MEASURES, Measure, Relation};
use crate::expr::Expr;
use crate::generated as wire;
use crate::wire::Malformed;

type Result<T> = std::result::Result<T, Malformed>;

impl From<&Fragment> for wire::Fragment {
    fn from(Fragment { input, keys, measures }: &Fragment) -> Self {
        Self {
            input: Some(input.into()),
            keys: keys.iter().map(Into::into).collect(),
            measures: measures.iter().map(Into::into).collect(),
        }
    }
}

impl Fragment {
    /// SHA-256 of its bytes as a message, in 64 hexadecimal digits: what an analyst signs. Whoever wrote the bytes, the digest is of
    /// what was read from them.
    pub fn digest(&self) -> String {
        let digest = Sha256::digest(wire::Fragment::from(self).encode_to_vec());
        digest.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    }
}

impl TryFrom<wire::Fragment> for Fragment {
    type Error = Malformed;

    fn try_from(message: wire::Fragment) -> Result<Self> {
        let wire::Fragment { input, keys, measures } = message;
        if keys.len() > MAX_KEYS || measures.len() > MAX_MEASURES {
            return Err(Malformed("a fragment has more than 32 group keys or 256 measures"));
        }
        if keys.is_empty() && measures.is_empty() {
            return Err(Malformed("a fragment has neither group keys nor measures"));
        }
        Ok(Self {
            input: input.ok_or(Malformed("a fragment has no input"))?.try_into()?,
            keys: keys.into_iter().map(TryInto::try_into).collect::<Result<_>>()?,
            measures: measures.into_iter().map(TryInto::try_into).collect::<Result<_>>()?,
        })
    }
}

impl From<&Measure> for wire::Measure {
    fn from(Measure { state, argument, paired, time, filter }: &Measure) -> Self {
        Self {
            state: wire::State::from(*state).into(),
            argument: argument.as_ref().map(Into::into),
            filter: filter.as_ref().map(Into::into),
            paired: paired.as_ref().map(Into::into),
            time: time.as_ref().map(Into::into),
        }
    }
}

impl TryFrom<wire::Measure> for Measure {
    type Error = Malformed;

    fn try_from(message: wire::Measure) -> Result<Self> {
        let wire::Measure { state, argument, filter, paired, time } = message;
        Ok(Self {
            state: wire::State::try_from(state).unwrap_or(wire::State::Unspecified).try_into()?,
            argument: argument.map(TryInto::try_into).transpose()?,
            paired: paired.map(TryInto::try_into).transpose()?,
            time: time.map(TryInto::try_into).transpose()?,
            filter: filter.map(TryInto::try_into).transpose()?,
        })
    }
}

impl From<&Relation> for wire::Relation {
    fn from(relation: &Relation) -> Self {
        use wire::relation::Kind;
        let kind = match relation {
            Relation::Scan { dataset, alias } => {
                Kind::Scan(wire::Scan { dataset: dataset.to_string(), alias: alias.clone() })
            }
            Relation::Filter { input, predicate } => Kind::Filter(Box::new(wire::Filter {
                input: boxed(input),
                predicate: Some(predicate.into()),
            })),
            Relation::Project { input, alias, columns } => Kind::Project(Box::new(wire::Project {
                input: boxed(input),
                alias: alias.clone(),
                columns: columns
                    .iter()
                    .map(|(name, expr)| wire::NamedExpr { name: name.clone(), expr: Some(expr.into()) })
                    .collect(),
            })),
            Relation::Join(join) => {
                let Join { left, right, kind, on, filter } = &**join;
                Kind::Join(Box::new(wire::Join {
                    left: boxed(left),
                    right: boxed(right),
                    kind: wire::JoinKind::from(*kind).into(),
                    on: on
                        .iter()
                        .map(|(left, right)| wire::JoinKey {
                            left: Some(left.into()),
                            right: Some(right.into()),
                        })
                        .collect(),
                    filter: filter.as_ref().map(Into::into),
                }))
            }
            Relation::UnionAll { alias, inputs } => Kind::UnionAll(wire::UnionAll {
                alias: alias.clone(),
                inputs: inputs.iter().map(Into::into).collect(),
            }),
            Relation::Aggregate { input, alias, keys, measures } => {
                let key = |(name, key): &(String, Expr)| wire::NamedExpr {
                    name: name.clone(),
                    expr: Some(key.into()),
                };
                let measure = |(name, measure): &(String, Measure)| wire::NamedMeasure {
                    name: name.clone(),
                    measure: Some(measure.into()),
                };
                Kind::Aggregate(Box::new(wire::Aggregate {
                    input: boxed(input),
                    alias: alias.clone(),
                    keys: keys.iter().map(key).collect(),
                    measures: measures.iter().map(measure).collect(),
                }))
            }
        };
        Self { kind: Some(kind) }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every generated message field")]
fn boxed(relation: &Relation) -> Option<Box<wire::Relation>> {
    Some(Box::new(relation.into()))
}

fn required(relation: Option<Box<wire::Relation>>) -> Result<Relation> {
    (*relation.ok_or(Malformed("a relation is missing"))?).try_into()
}

impl TryFrom<wire::Relation> for Relation {
    type Error = Malformed;

    fn try_from(message: wire::Relation) -> Result<Self> {
        use wire::relation::Kind;
        let wire::Relation { kind } = message;
        Ok(match kind.ok_or(Malformed("a relation is missing or of an unknown kind"))? {
            Kind::Scan(wire::Scan { dataset, alias }) => {
                let dataset = dataset.try_into().map_err(|_| Malformed("a dataset name is not one"))?;
                Self::Scan { dataset, alias: checked_alias(alias)? }
            }
            Kind::Filter(filter) => {
                let wire::Filter { input, predicate } = *filter;
                let predicate = predicate.ok_or(Malformed("a filter has no predicate"))?.try_into()?;
                Self::Filter { input: Box::new(required(input)?), predicate }
            }
            Kind::Project(project) => {
                let wire::Project { input, alias, columns } = *project;
                let columns = columns.into_iter().map(named).collect::<Result<Vec<_>>>()?;
                if columns.is_empty() {
                    return Err(Malformed("a projection has no columns"));
                }
                Self::Project { input: Box::new(required(input)?), alias: checked_alias(alias)?, columns }
            }
            Kind::Join(join) => Self::Join(Box::new((*join).try_into()?)),
            Kind::UnionAll(wire::UnionAll { alias, inputs }) => {
                let inputs = inputs.into_iter().map(TryInto::try_into).collect::<Result<Vec<_>>>()?;
                if inputs.is_empty() {
                    return Err(Malformed("a union has no inputs"));
                }
                Self::UnionAll { alias: checked_alias(alias)?, inputs }
            }
            Kind::Aggregate(aggregate) => grouped(*aggregate)?,
        })
    }
}

fn grouped(message: wire::Aggregate) -> Result<Relation> {
    let wire::Aggregate { input, alias, keys, measures } = message;
    if keys.is_empty() {
        return Err(Malformed("an inner aggregation has no group keys"));
    }
    if keys.len() > MAX_KEYS || measures.len() > MAX_MEASURES {
        return Err(Malformed("an inner aggregation has more than 32 group keys or 256 measures"));
    }
    let measures = measures.into_iter().map(|wire::NamedMeasure { name, measure }| {
        Ok((name, measure.ok_or(Malformed("a named measure has none"))?.try_into()?))
    });
    Ok(Relation::Aggregate {
        alias: checked_alias(alias)?,
        keys: keys.into_iter().map(named).collect::<Result<_>>()?,
        measures: measures.collect::<Result<_>>()?,
        input: Box::new(required(input)?),
    })
}

impl TryFrom<wire::Join> for Join {
    type Error = Malformed;

    fn try_from(message: wire::Join) -> Result<Self> {
        let wire::Join { left, right, kind, on, filter } = message;
        let on = on
            .into_iter()
            .map(|wire::JoinKey { left, right }| {
                let missing = Malformed("a join key is incomplete");
                Ok((left.ok_or(missing)?.into(), right.ok_or(missing)?.into()))
            })
            .collect::<Result<Vec<_>>>()?;
        if on.is_empty() {
            return Err(Malformed("a join has no equality of columns"));
        }
        Ok(Self {
            left: required(left)?,
            right: required(right)?,
            kind: wire::JoinKind::try_from(kind).unwrap_or(wire::JoinKind::Unspecified).try_into()?,
            on,
            filter: filter.map(TryInto::try_into).transpose()?,
        })
    }
}

fn named(message: wire::NamedExpr) -> Result<(String, Expr)> {
    let wire::NamedExpr { name, expr } = message;
    Ok((name, expr.ok_or(Malformed("a projected column has no expression"))?.try_into()?))
}

fn checked_alias(alias: String) -> Result<String> {
    if alias.is_empty() { Err(Malformed("a relation has no alias")) } else { Ok(alias) }
}

impl From<JoinKind> for wire::JoinKind {
    fn from(kind: JoinKind) -> Self {
        match kind {
            JoinKind::Inner => Self::Inner,
            JoinKind::Left => Self::Left,
            JoinKind::Right => Self::Right,
            JoinKind::Full => Self::Full,
            JoinKind::Semi => Self::LeftSemi,
            JoinKind::Anti => Self::LeftAnti,
        }
    }
}

impl TryFrom<wire::JoinKind> for JoinKind {
    type Error = Malformed;

    fn try_from(kind: wire::JoinKind) -> Result<Self> {
        match kind {
            wire::JoinKind::Inner => Ok(Self::Inner),
            wire::JoinKind::Left => Ok(Self::Left),
            wire::JoinKind::Right => Ok(Self::Right),
            wire::JoinKind::Full => Ok(Self::Full),
            wire::JoinKind::LeftSemi => Ok(Self::Semi),
            wire::JoinKind::LeftAnti => Ok(Self::Anti),
            wire::JoinKind::Unspecified => Err(Malformed("a join's kind is missing or unknown")),
        }
    }
}
