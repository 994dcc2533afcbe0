//! What a question tests, against the filter lines of the policies (`R04`, `R05`): an alias, a join or arithmetic launders nothing.
//!
//! Every column is followed to the columns of the datasets it is made of. A column is *plain* while it still has its
//! dataset's values, or a part of a date: grouping by it is grouping by the column. What is not plain was mixed with
//! constants or other columns, so that testing it, or grouping by it, tests the columns it is made of. The outcome of a test is
//! made of nothing: it was checked where it stands.

mod lines;
mod nested;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jigsaw_proto::aggregate::State;
use jigsaw_proto::contract::{NODE_COLUMN, Role};
use jigsaw_proto::expr::{BinaryOp, Column, Expr, UnaryOp};
use jigsaw_proto::fragment::{Fragment, Join, Measure, Relation};
use jigsaw_proto::function::Function;
use jigsaw_proto::id::DatasetName;
use jigsaw_proto::refusal::Refusal;
use jigsaw_proto::types::DataType;

use crate::sources::Dataset;

type Datasets = BTreeMap<DatasetName, Arc<Dataset>>;

/// Checks every test of every column.
///
/// # Errors
/// `R04` or `R05`, in words made of the fragment and of the edges it may use.
pub(super) fn check(fragment: &Fragment, datasets: &Datasets) -> Result<(), Refusal> {
    if datasets.values().all(|dataset| dataset.policy().filters().is_empty()) {
        return Ok(());
    }
    let mut tests = Tests { datasets, constants: BTreeMap::new() };
    let input = tests.relation(&fragment.input)?;
    fragment.keys.iter().try_for_each(|key| tests.key(key, &input))?;
    fragment.measures.iter().try_for_each(|measure| tests.measure(measure, &input))
}

/// A column of a dataset.
type Origin = (DatasetName, String);

/// What a value is made of.
#[derive(Debug, Clone, Default)]
struct Made {
    of: BTreeSet<Origin>,
    /// how many constants went into it
    constants: usize,
    plain: bool,
}

impl Made {
    fn column(origin: Option<Origin>) -> Self {
        Self { of: origin.into_iter().collect(), constants: 0, plain: true }
    }

    fn constants(constants: usize) -> Self {
        Self { constants, ..Self::default() }
    }

    /// The outcome of a test.
    fn outcome() -> Self {
        Self::default()
    }

    fn mixed(parts: impl IntoIterator<Item = Self>) -> Self {
        parts.into_iter().fold(Self::default(), |mut whole, part| {
            whole.of.extend(part.of);
            whole.constants = whole.constants.saturating_add(part.constants);
            whole
        })
    }
}

/// The columns of a relation, in order.
type Columns = Vec<(Column, Made)>;

struct Tests<'a> {
    datasets: &'a Datasets,
    /// how many constants each column was tested against so far
    constants: BTreeMap<Origin, usize>,
}

/// Relations.
impl Tests<'_> {
    fn relation(&mut self, relation: &Relation) -> Result<Columns, Refusal> {
        match relation {
            Relation::Scan { dataset, alias } => Ok(self.scan(dataset, alias)),
            Relation::Filter { input, predicate } => {
                let columns = self.relation(input)?;
                self.condition(predicate, &columns)?;
                Ok(columns)
            }
            Relation::Project { input, alias, columns } => {
                let input = self.relation(input)?;
                let columns = columns
                    .iter()
                    .map(|(name, expr)| Ok((Column::new(alias, name), self.made(expr, &input)?)));
                columns.collect()
            }
            Relation::Join(join) => self.join(join),
            Relation::UnionAll { alias, inputs } => self.union(alias, inputs),
            Relation::Aggregate { input, alias, keys, measures } => {
                let input = self.relation(input)?;
                self.grouped(alias, keys, measures, &input)
            }
        }
    }

    /// An entity column is made of nothing: its role decides, and more strictly.
    fn scan(&self, name: &DatasetName, alias: &str) -> Columns {
        let columns = self.datasets.get(name).into_iter().flat_map(|dataset| &dataset.visible().columns);
        let columns = columns.map(|column| {
            let entity = matches!(column.role, Role::Entity { .. });
            let origin = (!entity).then(|| (name.clone(), column.name.to_string()));
            (Column::new(alias, column.name.as_str()), Made::column(origin))
        });
        columns.chain([(Column::new(alias, NODE_COLUMN), Made::column(None))]).collect()
    }

    fn join(&mut self, join: &Join) -> Result<Columns, Refusal> {
        let (left, right) = (self.relation(&join.left)?, self.relation(&join.right)?);
        for (one, other) in &join.on {
            self.compared(&[known(one, &left), known(other, &right)])?;
        }
        let own = left.len();
        let mut columns = [left, right].concat();
        if let Some(filter) = &join.filter {
            self.condition(filter, &columns)?;
        }
        if !join.kind.shows_right() {
            columns.truncate(own);
        }
        Ok(columns)
    }

    /// A column of a union is made of whatever its branches are made of; it is plain if all are.
    fn union(&mut self, alias: &str, inputs: &[Relation]) -> Result<Columns, Refusal> {
        let mut branches = inputs.iter();
        let mut union = branches.next().map_or_else(|| Ok(vec![]), |first| self.relation(first))?;
        for branch in branches {
            for ((_, made), (_, other)) in union.iter_mut().zip(self.relation(branch)?) {
                made.of.extend(other.of);
                made.constants = made.constants.max(other.constants);
                made.plain &= other.plain;
            }
        }
        for (column, _) in &mut union {
            alias.clone_into(&mut column.relation);
        }
        Ok(union)
    }
}

/// Expressions.
impl Tests<'_> {
    fn condition(&mut self, expr: &Expr, input: &Columns) -> Result<(), Refusal> {
        let made = self.made(expr, input)?;
        self.tested(&made)
    }

    fn key(&mut self, key: &Expr, input: &Columns) -> Result<(), Refusal> {
        let made = self.made(key, input)?;
        if made.plain { self.unbinned(&made) } else { self.tested(&Made { constants: 0, ..made }) }
    }

    fn measure(&mut self, measure: &Measure, input: &Columns) -> Result<(), Refusal> {
        if let Some(filter) = &measure.filter {
            self.condition(filter, input)?;
        }
        // So is COUNT(y, 1 / (x - 7)), and whatever else is of the rows where that is there.
        for beside in measure.paired.iter().chain(&measure.time) {
            let made = self.made(beside, input)?;
            if !made.plain && is_computed(beside) {
                self.tested(&made)?;
            }
        }
        let Some(argument) = &measure.argument else { return Ok(()) };
        let made = self.made(argument, input)?;
        // COUNT(1 / (x - 7)) is a test of x: what is not there was divided by zero, or too large.
        if matches!(measure.state, State::Count | State::MouldIndex) && !made.plain && is_computed(argument) {
            self.tested(&made)
        } else {
            Ok(())
        }
    }

    /// What the value of an expression is made of, after every test in it was checked.
    fn made(&mut self, expr: &Expr, input: &Columns) -> Result<Made, Refusal> {
        match expr {
            Expr::Column(column) => Ok(known(column, input)),
            Expr::Literal(_) => Ok(Made::constants(1)),
            Expr::Unary { op: UnaryOp::Negate, operand } => Ok(Made::mixed([self.made(operand, input)?])),
            Expr::Unary { op: UnaryOp::IsNull | UnaryOp::IsNotNull, operand } => {
                let made = self.made(operand, input)?;
                // Whether it is there at all is no sliver between two edges.
                let binned = made.plain && made.of.iter().any(|origin| self.edges(origin).is_some());
                if binned { self.permitted(&made) } else { self.tested(&made) }?;
                Ok(Made::outcome())
            }
            Expr::Unary { operand, .. } => {
                self.condition(operand, input)?;
                Ok(Made::outcome())
            }
            Expr::Binary { op, left, right } => self.binary(*op, left, right, input),
            Expr::Between { operand, low, high, .. } => {
                let parts = [operand, low, high].map(|part| self.made(part, input));
                let [operand, low, high] = parts;
                self.compared(&[operand?, low?, high?])
            }
            Expr::InList { operand, list, .. } => {
                let operand = self.made(operand, input)?;
                self.compared(&[operand, Made::constants(list.len().max(1))])
            }
            Expr::Like { operand, .. } => {
                let operand = self.made(operand, input)?;
                self.compared(&[operand, Made::constants(1)])
            }
            Expr::Case { branches, otherwise } => {
                let mut results = vec![];
                for branch in branches {
                    self.condition(&branch.when, input)?;
                    results.push(self.made(&branch.then, input)?);
                }
                if let Some(otherwise) = otherwise {
                    results.push(self.made(otherwise, input)?);
                }
                Ok(Made::mixed(results))
            }
            Expr::TryCast { operand, to } => {
                let made = self.made(operand, input)?;
                let plain = made.plain && made.of.iter().all(|origin| self.keeps(origin, to));
                Ok(Made { plain, ..made })
            }
            Expr::Call { function, arguments } => self.call(*function, arguments, input),
        }
    }

    fn binary(&mut self, op: BinaryOp, left: &Expr, right: &Expr, input: &Columns) -> Result<Made, Refusal> {
        let (one, other) = (self.made(left, input)?, self.made(right, input)?);
        if op.is_logical() {
            self.tested(&one)?;
            self.tested(&other)?;
            return Ok(Made::outcome());
        }
        if !op.is_comparison() {
            return Ok(Made::mixed([one, other]));
        }
        let at_edge = match (left, right) {
            (_, Expr::Literal(edge)) => self.at_edge(&one, matches!(op, BinaryOp::Lt | BinaryOp::GtEq), edge),
            (Expr::Literal(edge), _) => {
                self.at_edge(&other, matches!(op, BinaryOp::Gt | BinaryOp::LtEq), edge)
            }
            _ => false,
        };
        if at_edge {
            let made = Made::mixed([one, other]);
            self.permitted(&made)?;
            self.count(&made)?;
            return Ok(Made::outcome());
        }
        self.compared(&[one, other])
    }

    fn call(&mut self, function: Function, arguments: &[Expr], input: &Columns) -> Result<Made, Refusal> {
        let parts =
            arguments.iter().map(|argument| self.made(argument, input)).collect::<Result<Vec<_>, _>>()?;
        match (function, arguments, parts.as_slice()) {
            (Function::DateTrunc | Function::DatePart, [Expr::Literal(_), _], [_, date]) => Ok(date.clone()),
            (Function::Greatest | Function::Least | Function::Nullif, ..) => {
                self.compared(&parts)?;
                Ok(Made::mixed(parts))
            }
            (Function::RegexpLike, ..) => self.compared(&parts),
            _ => Ok(Made::mixed(parts)),
        }
    }
}

/// A column that is not there is refused by the type check; here it is no column that anything allows.
fn known(column: &Column, input: &Columns) -> Made {
    input.iter().find(|(name, _)| name == column).map_or_else(Made::default, |(_, made)| made.clone())
}

/// Whether a value can be missing where its columns are not.
fn is_computed(expr: &Expr) -> bool {
    match expr {
        Expr::Column(_) | Expr::Literal(_) => false,
        Expr::Case { branches, otherwise } => {
            let results = branches.iter().map(|branch| &branch.then).chain(otherwise.as_deref());
            results.into_iter().any(is_computed)
        }
        Expr::TryCast { operand, to: DataType::Float64 | DataType::Text } => is_computed(operand),
        _ => true,
    }
}
