//! Units of measurement, where contracts declare them: what is in °C is not added to what is in %, nor compared with it.
//!
//! A unit is followed through names, sums, extremes and rounding. Multiplying and dividing makes another unit, which nobody
//! declared, so nothing is said of it: `1000 * mg + µg` is how one converts.

use datafusion::common::Column as PlanColumn;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::expr::{AggregateFunction, ScalarFunction, WindowFunction};
use datafusion::logical_expr::{Between, BinaryExpr, Expr, LogicalPlan, Operator};
use jigsaw_proto::aggregate::Aggregate;
use jigsaw_proto::function::Function;

use super::relation::federated;
use crate::query::QueryError;

type Result<T> = std::result::Result<T, QueryError>;

/// Checks every sum, difference and comparison of a statement.
///
/// # Errors
/// Two things of different units, both named.
pub(crate) fn check_units(plan: &LogicalPlan) -> Result<()> {
    units(plan).map(|_| ())
}

/// A declared unit, and the column that declares it.
#[derive(Debug, Clone, PartialEq)]
struct Unit {
    unit: String,
    column: String,
}

/// The units of the columns of a plan.
fn units(plan: &LogicalPlan) -> Result<Vec<Option<Unit>>> {
    if let LogicalPlan::TableScan(scan) = plan {
        let contract = federated(scan);
        let unit = |name: &str| {
            let contract = contract.as_ref()?;
            let unit = contract.column(name)?.unit.clone()?;
            Some(Unit { unit, column: format!("{}.{name}", contract.name) })
        };
        return Ok(scan.projected_schema.fields().iter().map(|field| unit(field.name())).collect());
    }
    let mut below = Scope { columns: vec![] };
    for input in plan.inputs() {
        let units = units(input)?;
        below.columns.extend(input.schema().columns().into_iter().zip(units));
    }
    let exprs = plan.expressions();
    let of_exprs = exprs.iter().map(|expr| below.unit(expr)).collect::<Result<Vec<_>>>()?;
    Ok(match plan {
        LogicalPlan::Projection(_) => of_exprs,
        LogicalPlan::Aggregate(_) if of_exprs.len() == plan.schema().fields().len() => of_exprs,
        LogicalPlan::Window(_) => below.columns.into_iter().map(|(_, unit)| unit).chain(of_exprs).collect(),
        LogicalPlan::Union(_) => vec![None; plan.schema().fields().len()],
        // What passes rows on has the columns of its inputs, in order.
        _ => {
            let mut units: Vec<_> = below.columns.into_iter().map(|(_, unit)| unit).collect();
            units.resize(plan.schema().fields().len(), None);
            units
        }
    })
}

/// The columns that expressions may use.
struct Scope {
    columns: Vec<(PlanColumn, Option<Unit>)>,
}

impl Scope {
    fn unit(&self, expr: &Expr) -> Result<Option<Unit>> {
        match expr {
            Expr::Alias(alias) => self.unit(&alias.expr),
            Expr::Column(column) => {
                let known = self.columns.iter().find(|(known, _)| known == column);
                Ok(known.and_then(|(_, unit)| unit.clone()))
            }
            Expr::Cast(cast) => self.unit(&cast.expr),
            Expr::TryCast(cast) => self.unit(&cast.expr),
            Expr::Negative(operand) => self.unit(operand),
            Expr::BinaryExpr(binary) => self.binary(binary),
            Expr::Between(Between { expr, low, high, .. }) => {
                let operand = self.unit(expr)?;
                alike(operand.clone(), self.unit(low)?)?;
                alike(operand, self.unit(high)?).map(|_| None)
            }
            Expr::InList(list) => {
                let operand = self.unit(&list.expr)?;
                for item in &list.list {
                    alike(operand.clone(), self.unit(item)?)?;
                }
                Ok(None)
            }
            Expr::ScalarFunction(call) => self.call(call),
            Expr::AggregateFunction(AggregateFunction { func, params }) => {
                self.inside(expr)?;
                let keeps = ["sum", "avg", "min", "max", "stddev", "stddev_pop", "median", "percentile_cont"];
                if let Some(known) = Aggregate::named(func.name()).and_then(Aggregate::units) {
                    return self.of_certain(func.name(), &params.args, known).map(Some);
                }
                match params.args.first() {
                    Some(argument) if keeps.contains(&func.name()) => self.unit(argument),
                    _ => Ok(None),
                }
            }
            Expr::WindowFunction(window) => {
                self.inside(expr)?;
                let WindowFunction { fun, params } = &**window;
                let keeps = ["sum", "avg", "min", "max", "lag", "lead", "first_value", "last_value"];
                match params.args.first() {
                    Some(argument) if keeps.contains(&fun.name()) => self.unit(argument),
                    _ => Ok(None),
                }
            }
            other => self.inside(other).map(|()| None),
        }
    }

    /// Checks the parts of an expression that has no unit itself.
    fn inside(&self, expr: &Expr) -> Result<()> {
        let checked = expr.apply_children(|part| {
            self.unit(part).map_err(DataFusionError::from)?;
            Ok(TreeNodeRecursion::Continue)
        });
        checked.map(|_| ()).map_err(|error| QueryError::planning(&error))
    }

    fn binary(&self, binary: &BinaryExpr) -> Result<Option<Unit>> {
        let (left, right) = (self.unit(&binary.left)?, self.unit(&binary.right)?);
        match binary.op {
            Operator::Plus | Operator::Minus => alike(left, right),
            Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom => alike(left, right).map(|_| None),
            _ => Ok(None),
        }
    }

    fn call(&self, call: &ScalarFunction) -> Result<Option<Unit>> {
        let units = call.args.iter().map(|argument| self.unit(argument)).collect::<Result<Vec<_>>>()?;
        let name = call.func.name();
        match name {
            "abs" | "round" | "ceil" | "floor" | "trunc" => Ok(units.into_iter().next().flatten()),
            "coalesce" | "greatest" | "least" | "nullif" => units.into_iter().try_fold(None, alike),
            _ => Function::from_name(name)
                .and_then(Function::units)
                .map(|known| self.of_certain(name, &call.args, known))
                .transpose(),
        }
    }

    /// The unit of what takes arguments of certain units only.
    fn of_certain(
        &self,
        name: &str,
        arguments: &[Expr],
        (wanted, result): (&'static [&'static str], &'static str),
    ) -> Result<Unit> {
        let units = arguments.iter().map(|argument| self.unit(argument)).collect::<Result<Vec<_>>>()?;
        for (unit, wanted) in units.iter().zip(wanted) {
            if let Some(unit) = unit.as_ref().filter(|unit| unit.unit != *wanted) {
                return Err(QueryError::sql(format!(
                    "{name}() takes a value in {wanted} where {} is, which is in {}: see its signature in the coordinator's README",
                    unit.column, unit.unit
                )));
            }
        }
        Ok(Unit { unit: result.to_owned(), column: format!("{name}()") })
    }
}

/// The unit of two things that are brought together.
fn alike(one: Option<Unit>, other: Option<Unit>) -> Result<Option<Unit>> {
    match (one, other) {
        (Some(one), Some(other)) if one.unit != other.unit => Err(QueryError::sql(format!(
            "{} is in {} and {} in {}: convert one of them by multiplying or dividing before they are added or compared",
            one.column, one.unit, other.column, other.unit
        ))),
        (one, other) => Ok(one.or(other)),
    }
}
