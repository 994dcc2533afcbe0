//! The cube: which sets of rows a question may ask about under a policy with `conditions = "cube"` (`R04`).
//!
//! Whoever may ask about any set of people asks about two that differ by one. Rounding, thresholds and the guard hide that from
//! somebody who knows little, and each has an edge that somebody who knows nine others can stand on: the nine keep a figure
//! where it was, the tenth moves it. So the sets are fixed before anybody asks. A question may test each dimension against one
//! of its cells ([`set`]), join such tests by AND, and group by dimensions; it may not join them by OR, take them back by NOT,
//! compare columns that the policy does not list, or put them together by CASE, joins and unions so that one of these comes
//! out. What is left are the cells of a table and its margins, in which the guard finds the few that differ by a few.
//!
//! The rule reads the question only. It says the same whatever is in the rows.

mod bands;
mod condition;
mod dimension;
mod set;
mod shape;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jigsaw_proto::aggregate::State;
use jigsaw_proto::contract::{Conditions, NODE_COLUMN};
use jigsaw_proto::expr::{Column, Expr};
use jigsaw_proto::fragment::{Fragment, Join, JoinKind, Measure, Relation};
use jigsaw_proto::id::DatasetName;
use jigsaw_proto::refusal::{Refusal, RefusalCode};

use crate::sources::Dataset;
use dimension::{Dimension, Shape, Tests, no_cell, no_grouping};

type Datasets = BTreeMap<DatasetName, Arc<Dataset>>;

/// Checks every condition, and names every aggregate: two that ask the same of the same cells have one name, whatever
/// they are called in the question.
///
/// # Errors
/// `R04` or `R05`: a condition that is no cell, and how to ask instead.
pub(super) fn check(fragment: &Fragment, datasets: &Datasets) -> Result<BTreeSet<String>, Refusal> {
    let cube = |dataset: &Arc<Dataset>| dataset.policy().conditions() == Conditions::Cube;
    if !datasets.values().any(cube) {
        return Ok(as_written(fragment));
    }
    let mut walk = Walk { datasets, mentions: BTreeMap::new() };
    let rows = walk.relation(&fragment.input)?;
    let input = Input { columns: &rows.columns, datasets };
    let keys = fragment.keys.iter().map(|key| input.key(key)).collect::<Result<Vec<_>, _>>()?;
    let of = format!("of {} by {}", rows.of, keys.join(", "));
    let mut names = BTreeSet::new();
    for measure in &fragment.measures {
        let (what, tests) = input.measure(measure)?;
        let mut tests: Vec<String> = tests.words().chain(rows.tests.iter().cloned()).collect();
        tests.sort();
        tests.dedup();
        names.insert(format!("{what} {of} where {}", tests.join(" and ")));
    }
    if names.is_empty() {
        names.insert(format!("groups {of} where {:?}", rows.tests));
    }
    Ok(names)
}

/// The aggregates by their words.
fn as_written(fragment: &Fragment) -> BTreeSet<String> {
    let Fragment { input, keys, measures } = fragment;
    let keys = keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let names: BTreeSet<String> =
        measures.iter().map(|measure| format!("{measure} of {input} by {keys}")).collect();
    if names.is_empty() { BTreeSet::from([format!("groups of {input} by {keys}")]) } else { names }
}

/// The columns an expression may name.
struct Input<'a> {
    columns: &'a [(Column, Shape)],
    datasets: &'a Datasets,
}

impl Input<'_> {
    /// A group key is a dimension, or a grouping of one into cells. Returns its name.
    fn key(&self, key: &Expr) -> Result<String, Refusal> {
        match self.shape(key)? {
            Shape::Dimension(dimension) if !dimension.unmatched => Ok(dimension.name),
            Shape::Constant(literal) => Ok(literal.to_string()),
            Shape::Bands { words, .. } => Ok(words),
            Shape::Outcome(tests) => match tests.list() {
                // True, false and NULL: each is a cell.
                [(dimension, _)] if dimension.codes == Dimension::truth(String::new()).codes => {
                    tests.check()?;
                    Ok(tests.words().collect())
                }
                _ => Err(no_grouping(key)),
            },
            Shape::Dimension(_) | Shape::Value { .. } => Err(no_grouping(key)),
        }
    }

    /// What a measure is, and the tests that choose its rows.
    fn measure(&self, measure: &Measure) -> Result<(String, Tests), Refusal> {
        let Measure { state, argument, paired, time, filter } = measure;
        // The order of rows in time is no cell.
        if time.is_some() {
            return Err(no_cell(measure));
        }
        let tests = filter.as_ref().map(|filter| self.condition(filter)).transpose()?.unwrap_or_default();
        let Some(argument) = argument else { return Ok((state.to_string(), tests)) };
        let shape = self.shape(argument)?;
        let choice = shape.choice().ok_or_else(|| no_cell(argument))?;
        if *state == State::Count && !shape.is_present() {
            return Err(no_cell(measure));
        }
        choice.check()?;
        let words = match &shape {
            Shape::Dimension(dimension) => dimension.name.clone(),
            Shape::Constant(_) if *state == State::Count => "rows".to_owned(),
            _ => argument.to_string(),
        };
        let (words, tests) = (format!("{state}({words}"), tests.and(choice)?);
        let Some(paired) = paired else { return Ok((format!("{words})"), tests)) };
        // Rows are left out where it is NULL, so it is counted.
        let shape = self.shape(paired)?;
        let choice = shape.choice().filter(|_| shape.is_present()).ok_or_else(|| no_cell(measure))?;
        choice.check()?;
        Ok((format!("{words}, {paired})"), tests.and(choice)?))
    }

    /// Whether every dataset that one of two columns is of lists the pair.
    fn is_listed(&self, one: &Dimension, other: &Dimension) -> bool {
        let (Some(first), Some(second)) = (&one.place, &other.place) else { return false };
        let lists = |from: &(DatasetName, String), to: &(DatasetName, String)| {
            let seen = if from.0 == to.0 { to.1.clone() } else { format!("{}.{}", to.0, to.1) };
            self.datasets.get(&from.0).is_some_and(|dataset| {
                let policy = dataset.policy();
                policy.conditions() == Conditions::Any
                    || policy.filters().compares(&from.1, &seen) == Some(true)
            })
        };
        lists(first, second) && lists(second, first)
    }
}

/// A relation: its columns, the tests its rows pass, and what it is of, by names that do not depend on the question's.
struct Rows {
    columns: Vec<(Column, Shape)>,
    tests: BTreeSet<String>,
    of: String,
    datasets: BTreeSet<DatasetName>,
}

struct Walk<'a> {
    datasets: &'a Datasets,
    mentions: BTreeMap<DatasetName, usize>,
}

impl Walk<'_> {
    fn relation(&mut self, relation: &Relation) -> Result<Rows, Refusal> {
        match relation {
            Relation::Scan { dataset, alias } => Ok(self.scan(dataset, alias)),
            Relation::Filter { input, predicate } => {
                let mut rows = self.relation(input)?;
                let input = Input { columns: &rows.columns, datasets: self.datasets };
                let tests = input.condition(predicate)?;
                rows.tests.extend(tests.words());
                Ok(rows)
            }
            Relation::Project { input, alias, columns } => {
                let rows = self.relation(input)?;
                let input = Input { columns: &rows.columns, datasets: self.datasets };
                let columns =
                    columns.iter().map(|(name, expr)| Ok((Column::new(alias, name), input.shape(expr)?)));
                Ok(Rows { columns: columns.collect::<Result<_, Refusal>>()?, ..rows })
            }
            Relation::Join(join) => self.join(join),
            Relation::UnionAll { alias, inputs } => self.union(alias, inputs),
            Relation::Aggregate { input, alias, keys, measures } => {
                self.grouped(input, alias, keys, measures)
            }
        }
    }

    /// One row for each group: its keys are what they were, and what was computed of its rows cannot be tested.
    fn grouped(
        &mut self,
        input: &Relation,
        alias: &str,
        keys: &[(String, Expr)],
        measures: &[(String, Measure)],
    ) -> Result<Rows, Refusal> {
        let rows = self.relation(input)?;
        let input = Input { columns: &rows.columns, datasets: self.datasets };
        let (mut columns, mut words) = (vec![], vec![]);
        for (name, key) in keys {
            // An entity is no dimension, and may be a key here and nowhere else.
            words.push(match key {
                Expr::Column(column) => input.key(key).unwrap_or_else(|_| column.to_string()),
                _ => input.key(key)?,
            });
            columns.push((Column::new(alias, name), input.shape(key)?));
        }
        for (name, measure) in measures {
            let (what, tests) = input.measure(measure)?;
            words.push(format!("{what} where {}", tests.words().collect::<Vec<_>>().join(" and ")));
            columns.push((Column::new(alias, name), Shape::unknown()));
        }
        Ok(Rows { columns, of: format!("({} by {})", rows.of, words.join(", ")), ..rows })
    }

    fn scan(&mut self, name: &DatasetName, alias: &str) -> Rows {
        let times = self.mentions.entry(name.clone()).or_default();
        *times += 1;
        let mention = if *times == 1 { name.to_string() } else { format!("{name}#{times}") };
        let dataset = self.datasets.get(name);
        let columns = dataset.into_iter().flat_map(|dataset| {
            dataset.visible().columns.iter().filter_map(|column| {
                let dimension = Dimension::column(dataset, &mention, column.name.as_str())?;
                Some((Column::new(alias, column.name.as_str()), Shape::Dimension(dimension)))
            })
        });
        let node = (Column::new(alias, NODE_COLUMN), Shape::Dimension(Dimension::node()));
        Rows {
            columns: columns.chain([node]).collect(),
            tests: BTreeSet::new(),
            of: mention,
            datasets: BTreeSet::from([name.clone()]),
        }
    }

    fn join(&mut self, join: &Join) -> Result<Rows, Refusal> {
        let (mut left, mut right) = (self.relation(&join.left)?, self.relation(&join.right)?);
        let mut on = vec![];
        for (one, other) in &join.on {
            on.push(self.joined((one, &left), (other, &right))?);
        }
        on.sort();
        let columns = [left.columns.clone(), right.columns.clone()].concat();
        let input = Input { columns: &columns, datasets: self.datasets };
        let filter =
            join.filter.as_ref().map(|filter| input.condition(filter)).transpose()?.unwrap_or_default();
        let (left_padded, right_padded) = match join.kind {
            JoinKind::Inner | JoinKind::Semi | JoinKind::Anti => (false, false),
            JoinKind::Left => (false, true),
            JoinKind::Right => (true, false),
            JoinKind::Full => (true, true),
        };
        if join.kind == JoinKind::Anti && !(right.tests.is_empty() && filter.is_empty()) {
            return Err(dimension::refused(
                "NOT EXISTS over some rows of a table leaves over no cell: leave the tests inside it out, or count those with EXISTS"
                    .to_owned(),
            ));
        }
        let mut tests: BTreeSet<String> = filter.words().collect();
        for (rows, padded) in [(&mut left, left_padded), (&mut right, right_padded)] {
            if padded && !(rows.tests.is_empty() && filter.is_empty()) {
                rows.columns.iter_mut().for_each(|(_, shape)| pad(shape));
            }
            tests.append(&mut rows.tests);
        }
        Ok(Rows {
            of: format!("({} {:?} {} on {})", left.of, join.kind, right.of, on.join(", ")),
            columns: if join.kind.shows_right() {
                [left.columns, right.columns].concat()
            } else {
                left.columns
            },
            tests,
            datasets: left.datasets.into_iter().chain(right.datasets).collect(),
        })
    }

    /// A pair of columns that a join equates. Two columns of one dataset are compared thereby.
    fn joined(&self, one: (&Column, &Rows), other: (&Column, &Rows)) -> Result<String, Refusal> {
        let dimension = |(column, rows): (&Column, &Rows)| {
            let input = Input { columns: &rows.columns, datasets: self.datasets };
            input.dimension(&Expr::Column(column.clone())).ok_or_else(|| {
                dimension::refused(format!(
                    "{column} is no column of a dataset: join on the columns themselves"
                ))
            })
        };
        let (first, second) = (dimension(one)?, dimension(other)?);
        let input = Input { columns: &[], datasets: self.datasets };
        let of_one = first
            .place
            .as_ref()
            .zip(second.place.as_ref())
            .is_some_and(|(first, second)| first.0 == second.0 && first.1 != second.1);
        if of_one && !input.is_listed(&first, &second) {
            let sentence = format!(
                "{} and {} are compared with each other by a join, which this node's policy does not list in compare_columns",
                first.name, second.name
            );
            return Err(Refusal::new(RefusalCode::ColumnComparison, sentence));
        }
        Ok(format!("{} = {}", first.name, second.name))
    }

    /// Two cells of one dataset, one below the other, are no cell.
    fn union(&mut self, alias: &str, inputs: &[Relation]) -> Result<Rows, Refusal> {
        let branches = inputs.iter().map(|input| self.relation(input)).collect::<Result<Vec<_>, _>>()?;
        let mut union =
            Rows { columns: vec![], tests: BTreeSet::new(), of: String::new(), datasets: BTreeSet::new() };
        for (place, branch) in branches.into_iter().enumerate() {
            if let Some(twice) = union.datasets.intersection(&branch.datasets).next() {
                return Err(dimension::refused(format!(
                    "{twice} is in two branches of UNION ALL, which together are no cell of it: ask each by itself"
                )));
            }
            union.of = format!("{} + {}", union.of, branch.of);
            union.tests.extend(branch.tests);
            union.datasets.extend(branch.datasets);
            if place == 0 {
                union.columns = branch.columns;
            } else {
                for ((_, shape), (_, other)) in union.columns.iter_mut().zip(branch.columns) {
                    *shape = either(shape, &other);
                }
            }
        }
        for (column, _) in &mut union.columns {
            alias.clone_into(&mut column.relation);
        }
        Ok(union)
    }
}

/// Where a join found no row, a column is NULL: of a filtered table, that tells who did not pass.
fn pad(shape: &mut Shape) {
    match shape {
        Shape::Dimension(dimension) => dimension.unmatched = !dimension.is_constant(),
        Shape::Value { .. } => {}
        Shape::Constant(_) | Shape::Outcome(_) | Shape::Bands { .. } => *shape = Shape::unknown(),
    }
}

/// A column that is one or the other, in the branches of a union.
fn either(one: &Shape, other: &Shape) -> Shape {
    match (one, other) {
        (Shape::Dimension(one), Shape::Dimension(other)) if one.is_constant() && other.is_constant() => {
            Shape::Dimension(one.clone())
        }
        (Shape::Dimension(one), Shape::Dimension(other)) => {
            Shape::Dimension(one.grouped(format!("{} or {}", one.name, other.name)))
        }
        (Shape::Constant(one), Shape::Constant(other)) => {
            Shape::Bands { words: format!("{one} or {other}"), choice: Some(Tests::default()) }
        }
        (Shape::Bands { words, .. }, Shape::Constant(other)) => {
            Shape::Bands { words: format!("{words} or {other}"), choice: Some(Tests::default()) }
        }
        _ => Shape::unknown(),
    }
}
