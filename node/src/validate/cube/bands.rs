//! `CASE`: a grouping of one dimension into cells, or a choice between a value and nothing.

use std::collections::BTreeSet;

use jigsaw_proto::expr::{Branch, Expr, Value};
use jigsaw_proto::refusal::Refusal;

use super::Input;
use super::dimension::{Dimension, Shape, Tests, no_cell};
use super::set::{Set, Span};

impl Input<'_> {
    /// What a CASE is.
    pub(super) fn case(
        &self,
        expr: &Expr,
        branches: &[Branch],
        otherwise: Option<&Expr>,
    ) -> Result<Shape, Refusal> {
        let conditions = branches.iter().map(|branch| self.tests(&branch.when));
        let conditions: Vec<Tests> = conditions.collect::<Result<_, _>>()?;
        let results = branches.iter().map(|branch| &branch.then).chain(otherwise);
        let results = results.map(|result| Ok((self.shape(result)?, is_nothing(result))));
        let results: Vec<(Shape, bool)> = results.collect::<Result<_, Refusal>>()?;
        let mut somethings = results.iter().enumerate().filter(|(_, (_, is_nothing))| !is_nothing);
        let groups = groups(&conditions);
        let choice = match (somethings.next(), somethings.next()) {
            (None, _) => Some(Tests::default()),
            (Some((place, (only, _))), None) => {
                Some(choice(expr, place, &conditions, groups.as_deref(), only)?)
            }
            _ => None,
        };
        let are_cells =
            groups.as_ref().is_some_and(|groups| groups.iter().all(|group| group.check().is_ok()));
        if are_cells && are_labels(&results) {
            let words = groups.iter().flatten().flat_map(Tests::words).collect::<Vec<_>>().join(" | ");
            return Ok(Shape::Bands { words, choice });
        }
        let present = results.iter().all(|(shape, _)| shape.is_present());
        choice.map(|tests| Shape::Value { tests, present }).ok_or_else(|| no_cell(expr))
    }
}

/// The tests of the one result that is something.
fn choice(
    expr: &Expr,
    place: usize,
    conditions: &[Tests],
    groups: Option<&[Tests]>,
    result: &Shape,
) -> Result<Tests, Refusal> {
    // Of the first branch, nothing was taken away.
    let first = conditions.first().filter(|_| place == 0);
    let tests = first.or_else(|| groups?.get(place)).ok_or_else(|| no_cell(expr))?.clone();
    tests.check()?;
    tests.and(result.choice().ok_or_else(|| no_cell(expr))?)
}

/// Whether the results are constants, all different, so that no two groups become one.
fn are_labels(results: &[(Shape, bool)]) -> bool {
    let labels = results.iter().map(|(shape, _)| match shape {
        Shape::Constant(literal) => Some(literal.to_string()),
        _ => None,
    });
    let labels: Option<BTreeSet<String>> = labels.collect();
    labels.is_some_and(|labels| labels.len() == results.len())
}

/// The tests of every branch, less those of the branches before it, and of what is left over; `None`: they are of several
/// dimensions, or what is left over is not known.
fn groups(conditions: &[Tests]) -> Option<Vec<Tests>> {
    let mut dimension: Option<&Dimension> = None;
    let mut sets = vec![];
    for condition in conditions {
        let [(of, set)] = condition.list() else { return None };
        if of.is_constant() || dimension.is_some_and(|known| known.name != of.name) {
            return None;
        }
        dimension = Some(of);
        sets.push(set);
    }
    let dimension = dimension?;
    let groups = match sets.first()? {
        Set::Values(_) => values(&sets, dimension.codes.as_ref()?)?,
        Set::Numbers(_) => spans(&sets, Set::Numbers(Span { low: None, high: None }))?,
        Set::Times(_) => spans(&sets, Set::Times(Span { low: None, high: None }))?,
        Set::Null if sets.len() == 1 => vec![Set::Null, Set::Present],
        Set::Present if sets.len() == 1 => vec![Set::Present, Set::Null],
        Set::Null | Set::Present => return None,
    };
    Some(groups.into_iter().map(|set| Tests::one(dimension.clone(), set)).collect())
}

/// Values, and those of all that are left. A row without a value is among the latter.
fn values(sets: &[&Set], codes: &BTreeSet<String>) -> Option<Vec<Set>> {
    let mut taken = BTreeSet::new();
    let mut groups = vec![];
    for set in sets {
        let Set::Values(values) = set else { return None };
        groups.push(Set::Values(values.difference(&taken).cloned().collect()));
        taken.extend(values.iter().cloned());
    }
    groups.push(Set::Values(codes.difference(&taken).cloned().collect()));
    Some(groups)
}

/// Ranges that each take one end off what is left, so that what is left is one range.
fn spans(sets: &[&Set], whole: Set) -> Option<Vec<Set>> {
    let mut rest = whole;
    let mut groups = vec![];
    for set in sets {
        let group = set.and(&rest)?;
        rest = match (&group, &rest) {
            (Set::Numbers(group), Set::Numbers(rest)) => Set::Numbers(less(group, rest)?),
            (Set::Times(group), Set::Times(rest)) => Set::Times(less(group, rest)?),
            _ => return None,
        };
        groups.push(group);
    }
    groups.push(rest);
    Some(groups)
}

fn less<T: PartialOrd + Clone>(group: &Span<T>, rest: &Span<T>) -> Option<Span<T>> {
    if group.low == rest.low && group.high.is_some() {
        return Some(Span { low: group.high.clone(), high: rest.high.clone() });
    }
    (group.high == rest.high && group.low.is_some())
        .then(|| Span { low: rest.low.clone(), high: group.low.clone() })
}

/// NULL and zero add nothing to a sum.
fn is_nothing(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(literal) => match literal.value() {
            None | Some(Value::Integer(0) | Value::Decimal(0)) => true,
            Some(Value::Float(value)) => *value == 0.0,
            Some(_) => false,
        },
        Expr::TryCast { operand, .. } => is_nothing(operand),
        _ => false,
    }
}
