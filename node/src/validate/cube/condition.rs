//! Conditions, read as tests of dimensions joined by AND.

use std::collections::BTreeSet;

use jigsaw_proto::expr::{BinaryOp, Expr, Literal, UnaryOp};
use jigsaw_proto::refusal::{Refusal, RefusalCode};

use super::Input;
use super::dimension::{Dimension, Shape, Tests, no_cell, refused};
use super::set::Set;

impl Input<'_> {
    /// The tests that a condition is, each of them a cell.
    pub(super) fn condition(&self, expr: &Expr) -> Result<Tests, Refusal> {
        let tests = self.tests(expr)?;
        tests.check()?;
        Ok(tests)
    }

    /// The tests that a condition is.
    pub(super) fn tests(&self, expr: &Expr) -> Result<Tests, Refusal> {
        match expr {
            Expr::Literal(_) => Ok(Tests::default()),
            Expr::Binary { op: BinaryOp::And, left, right } => self.tests(left)?.and(self.tests(right)?),
            Expr::Binary { op: BinaryOp::Or, .. } => self.list(expr),
            Expr::Binary { op, left, right } if op.is_comparison() => {
                self.comparison(expr, *op, self.shape(left)?, self.shape(right)?)
            }
            Expr::Between { operand, low, high, negated: false } => {
                let operand = self.shape(operand)?;
                let above = self.comparison(expr, BinaryOp::GtEq, operand.clone(), self.shape(low)?)?;
                above.and(self.comparison(expr, BinaryOp::LtEq, operand, self.shape(high)?)?)
            }
            Expr::Between { .. } | Expr::InList { negated: true, .. } => Err(no_cell(expr)),
            Expr::InList { operand, list, negated: false } => {
                let dimension = self.dimension(operand).ok_or_else(|| no_cell(expr))?;
                Ok(Tests::one(dimension, values(list)))
            }
            Expr::Unary { op, operand } => self.truth(expr, *op, operand),
            other => match self.shape(other)? {
                Shape::Outcome(tests) => Ok(tests),
                Shape::Dimension(dimension) => Ok(Tests::one(dimension, Set::truth(true))),
                Shape::Constant(_) => Ok(Tests::default()),
                _ => Err(no_cell(expr)),
            },
        }
    }

    pub(super) fn dimension(&self, expr: &Expr) -> Option<Dimension> {
        match self.shape(expr) {
            Ok(Shape::Dimension(dimension)) => Some(dimension),
            _ => None,
        }
    }

    fn truth(&self, expr: &Expr, op: UnaryOp, operand: &Expr) -> Result<Tests, Refusal> {
        let of = |set| {
            let dimension = self.dimension(operand).ok_or_else(|| no_cell(expr))?;
            Ok(Tests::one(dimension, set))
        };
        match (op, operand) {
            (UnaryOp::IsNull, _) => of(Set::Null),
            (UnaryOp::IsNotNull, _) => of(Set::Present),
            (UnaryOp::IsTrue, _) => self.tests(operand),
            (UnaryOp::Not, Expr::Unary { op: UnaryOp::IsNull, operand }) => {
                self.truth(expr, UnaryOp::IsNotNull, operand)
            }
            (UnaryOp::Not, Expr::Unary { op: UnaryOp::IsNotNull, operand }) => {
                self.truth(expr, UnaryOp::IsNull, operand)
            }
            (UnaryOp::Not | UnaryOp::IsFalse, _) => of(Set::truth(false)),
            _ => Err(no_cell(expr)),
        }
    }

    fn comparison(&self, expr: &Expr, op: BinaryOp, left: Shape, right: Shape) -> Result<Tests, Refusal> {
        let (dimension, op, literal) = match (left, right) {
            (Shape::Dimension(one), Shape::Dimension(other)) => return self.pair(expr, op, &one, &other),
            (Shape::Dimension(dimension), Shape::Constant(literal)) => (dimension, op, literal),
            (Shape::Constant(literal), Shape::Dimension(dimension)) => (dimension, op.turned(), literal),
            _ => return Err(no_cell(expr)),
        };
        if dimension.is_constant() {
            return Ok(Tests::one(dimension, Set::Values(BTreeSet::from([format!("{op:?} {literal}")]))));
        }
        let boolean = Literal::boolean(true).to_string() == literal.to_string();
        let set = match op {
            BinaryOp::IsNotDistinctFrom if literal.value().is_none() => Some(Set::Null),
            BinaryOp::IsDistinctFrom if literal.value().is_none() => Some(Set::Present),
            BinaryOp::Eq | BinaryOp::IsNotDistinctFrom => Some(Set::value(&literal)),
            // Of two values, not to be one is to be the other.
            BinaryOp::NotEq if dimension.codes.as_ref().is_some_and(|codes| *codes == truths()) => {
                Some(Set::truth(!boolean))
            }
            BinaryOp::Lt | BinaryOp::LtEq | BinaryOp::Gt | BinaryOp::GtEq => {
                Set::order(op, &literal, &dimension.data_type)
            }
            _ => None,
        };
        set.map(|set| Tests::one(dimension.clone(), set)).ok_or_else(|| {
            let name = &dimension.name;
            match op {
                BinaryOp::NotEq | BinaryOp::IsDistinctFrom => refused(format!(
                    "{expr} asks for all but some, which this node's policy takes for no cell: ask for what you want of {name}, or \
                     group by {name}"
                )),
                _ => no_cell(expr),
            }
        })
    }

    /// Two columns may be compared for being equal or not, where the policy lists the pair.
    fn pair(&self, expr: &Expr, op: BinaryOp, one: &Dimension, other: &Dimension) -> Result<Tests, Refusal> {
        let equal = match op {
            BinaryOp::Eq | BinaryOp::IsNotDistinctFrom => true,
            BinaryOp::NotEq | BinaryOp::IsDistinctFrom => false,
            _ => return Err(no_cell(expr)),
        };
        if !self.is_listed(one, other) {
            return Err(Refusal::new(
                RefusalCode::ColumnComparison,
                format!(
                    "{} and {} are compared with each other, which this node's policy does not list in compare_columns: group by both",
                    one.name, other.name
                ),
            ));
        }
        let (first, second) = if one.name <= other.name { (one, other) } else { (other, one) };
        let truth = Dimension::truth(format!("{} = {}", first.name, second.name));
        Ok(Tests::one(truth, Set::truth(equal)))
    }

    /// Values of one dimension, joined by OR.
    fn list(&self, expr: &Expr) -> Result<Tests, Refusal> {
        let (dimension, values) = self.alternatives(expr).ok_or_else(|| no_cell(expr))?;
        Ok(Tests::one(dimension, Set::Values(values)))
    }

    fn alternatives(&self, expr: &Expr) -> Option<(Dimension, BTreeSet<String>)> {
        if let Expr::Binary { op: BinaryOp::Or, left, right } = expr {
            let ((one, mut values), (other, more)) = (self.alternatives(left)?, self.alternatives(right)?);
            values.extend(more);
            return (one.name == other.name).then_some((one, values));
        }
        match self.tests(expr).ok()?.list() {
            [(dimension, Set::Values(values))] => Some((dimension.clone(), values.clone())),
            _ => None,
        }
    }
}

fn truths() -> BTreeSet<String> {
    [false, true].map(|truth| Literal::boolean(truth).to_string()).into()
}

fn values(list: &[Literal]) -> Set {
    let sets = list.iter().map(Set::value);
    let all = sets.fold(BTreeSet::new(), |mut all, set| {
        if let Set::Values(values) = set {
            all.extend(values);
        }
        all
    });
    Set::Values(all)
}
