//! `SUM(x + c)` is `SUM(x) + c * COUNT(x)`, `AVG(x + c)` is `AVG(x) + c`, and a variance does not move: constants are added here.
//!
//! A protected node adds up measures, not constants: each would give the same sum on another rounding grid (`R06`). So whoever
//! asks for degrees Fahrenheit is answered as if they had asked for the mean in Celsius, and turned it themselves.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{
    Aggregate, BinaryExpr, Cast, Expr, ExprFunctionExt, ExprSchemable as _, LogicalPlan, Operator,
    Projection, binary_expr, cast,
};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use super::reads_federated;

/// The optimizer rule that takes added constants out of aggregates of federated rows.
#[derive(Debug)]
pub(crate) struct ConstantsOutside;

impl OptimizerRule for ConstantsOutside {
    fn name(&self) -> &'static str {
        "constants_outside"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        match &plan {
            LogicalPlan::Aggregate(aggregate) if reads_federated(&aggregate.input)? => {
                let outside = outside(aggregate)?;
                Ok(outside.map_or_else(|| Transformed::no(plan), Transformed::yes))
            }
            _ => Ok(Transformed::no(plan)),
        }
    }
}

/// The aggregation without constants in it, and a projection that adds them; `None`: it has none.
fn outside(aggregate: &Aggregate) -> Result<Option<LogicalPlan>> {
    let mut calls = Calls { of: aggregate, distinct: vec![] };
    let mut moved = false;
    let mut outputs = vec![];
    for call in &aggregate.aggr_expr {
        let output = match calls.shifted(call)? {
            Some(output) => {
                moved = true;
                output
            }
            None => calls.column(call.clone().unalias()),
        };
        outputs.push(output);
    }
    if !moved {
        return Ok(None);
    }
    let inner =
        Aggregate::try_new(Arc::clone(&aggregate.input), aggregate.group_expr.clone(), calls.distinct)?;
    let groups = aggregate.schema.fields().len() - outputs.len();
    let mut columns: Vec<Expr> = inner.schema.iter().take(groups).map(Expr::from).collect();
    for (output, (qualifier, field)) in outputs.into_iter().zip(aggregate.schema.iter().skip(groups)) {
        let output = cast_to(output, &inner, field.data_type())?;
        columns.push(output.alias_qualified(qualifier.cloned(), field.name()));
    }
    let inner = Arc::new(LogicalPlan::Aggregate(inner));
    Ok(Some(LogicalPlan::Projection(Projection::try_new(columns, inner)?)))
}

fn cast_to(expr: Expr, inner: &Aggregate, wanted: &DataType) -> Result<Expr> {
    if expr.get_type(&inner.schema)? == *wanted { Ok(expr) } else { Ok(cast(expr, wanted.clone())) }
}

/// Aggregate calls, each once and under a name of its own.
struct Calls<'a> {
    of: &'a Aggregate,
    distinct: Vec<Expr>,
}

impl Calls<'_> {
    /// The column of a call in the aggregation.
    ///
    /// Names leave casts out: `AVG(x)` and `AVG(CAST(x AS …))` are two calls of one name.
    fn column(&mut self, call: Expr) -> Expr {
        let known = self.distinct.iter().find(|known| (*known).clone().unalias() == call);
        let name = match known {
            Some(known) => known.schema_name().to_string(),
            None => self.add(call),
        };
        Expr::Column(datafusion::common::Column::new_unqualified(name))
    }

    /// Adds a call, and says its name.
    fn add(&mut self, call: Expr) -> String {
        let own = call.schema_name().to_string();
        let mut name = own.clone();
        while self.distinct.iter().any(|known| known.schema_name().to_string() == name) {
            name.push('\'');
        }
        self.distinct.push(if name == own { call } else { call.alias(name.clone()) });
        name
    }

    /// What a call over `x + c` is, given calls over `x`; `None`: it has no constant, or is no sum, mean or variance.
    fn shifted(&mut self, call: &Expr) -> Result<Option<Expr>> {
        let Expr::AggregateFunction(function) = call.clone().unalias() else { return Ok(None) };
        let parameters = &function.params;
        let name = function.func.name();
        let known = ["sum", "avg", "var", "var_pop", "stddev", "stddev_pop"].contains(&name);
        let [argument] = parameters.args.as_slice() else { return Ok(None) };
        if !known || parameters.distinct || !parameters.order_by.is_empty() {
            return Ok(None);
        }
        let Some((rest, constant)) = self.parted(argument)? else { return Ok(None) };
        let data_type = argument.get_type(self.of.input.schema())?;
        let rest =
            if rest.get_type(self.of.input.schema())? == data_type { rest } else { cast(rest, data_type) };
        let counted = (name == "sum").then(|| counted(&function, &rest)).transpose()?;
        let mut whole = function.clone();
        whole.params.args = vec![rest];
        let whole = self.column(Expr::AggregateFunction(whole));
        Ok(Some(match (name, counted) {
            (_, Some(counted)) => {
                let counted =
                    cast(self.column(counted), product_type(&constant.get_type(self.of.input.schema())?));
                binary_expr(whole, Operator::Plus, binary_expr(constant, Operator::Multiply, counted))
            }
            ("avg", None) => binary_expr(whole, Operator::Plus, constant),
            _ => whole,
        }))
    }

    /// An expression as something and an added constant.
    fn parted(&self, expr: &Expr) -> Result<Option<(Expr, Expr)>> {
        let exact = |expr: &Expr| {
            Ok::<_, datafusion::error::DataFusionError>(!matches!(
                expr.get_type(self.of.input.schema())?,
                DataType::Int32 | DataType::Int64
            ))
        };
        match expr {
            Expr::Alias(alias) => self.parted(&alias.expr),
            Expr::Negative(operand) => {
                let parted = self.parted(operand)?;
                Ok(parted
                    .map(|(rest, constant)| (Expr::Negative(rest.into()), Expr::Negative(constant.into()))))
            }
            // Of whole numbers nothing is lost as doubles.
            Expr::Cast(Cast { expr: operand, field })
                if *field.data_type() == DataType::Float64 && !exact(operand)? =>
            {
                let parted = self.parted(operand)?;
                Ok(parted.map(|(rest, constant)| {
                    (cast(rest, DataType::Float64), cast(constant, DataType::Float64))
                }))
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                self.parted_binary(left, *op, right, exact(expr)?)
            }
            _ => Ok(None),
        }
    }

    fn parted_binary(
        &self,
        left: &Expr,
        op: Operator,
        right: &Expr,
        exact: bool,
    ) -> Result<Option<(Expr, Expr)>> {
        let both = |with: &Expr, (rest, constant): (Expr, Expr), flip: bool| {
            let apply = |side: Expr| {
                if flip { binary_expr(with.clone(), op, side) } else { binary_expr(side, op, with.clone()) }
            };
            (apply(rest), apply(constant))
        };
        Ok(match (op, is_constant(left), is_constant(right)) {
            (Operator::Plus, true, false) => self.joined(right, left.clone())?,
            (Operator::Plus, false, true) => self.joined(left, right.clone())?,
            (Operator::Minus, false, true) => self.joined(left, Expr::Negative(right.clone().into()))?,
            (Operator::Minus, true, false) => {
                let (rest, constant) = self.parted(right)?.unzip();
                let rest = rest.unwrap_or_else(|| right.clone());
                let constant = constant.map(|inner| binary_expr(left.clone(), Operator::Minus, inner));
                Some((Expr::Negative(rest.into()), constant.unwrap_or_else(|| left.clone())))
            }
            (Operator::Multiply, true, false) => self.parted(right)?.map(|parted| both(left, parted, true)),
            (Operator::Multiply, false, true) => self.parted(left)?.map(|parted| both(right, parted, false)),
            (Operator::Divide, false, true) if exact => {
                self.parted(left)?.map(|parted| both(right, parted, false))
            }
            _ => None,
        })
    }

    /// The something of `expr`, and its constant and one more.
    fn joined(&self, expr: &Expr, more: Expr) -> Result<Option<(Expr, Expr)>> {
        Ok(Some(match self.parted(expr)? {
            Some((rest, constant)) => (rest, binary_expr(constant, Operator::Plus, more)),
            None => (expr.clone(), more),
        }))
    }
}

/// The count of what is summed, under the same condition.
fn counted(function: &AggregateFunction, rest: &Expr) -> Result<Expr> {
    match &function.params.filter {
        Some(filter) => count(rest.clone()).filter((**filter).clone()).build(),
        None => Ok(count(rest.clone())),
    }
}

/// What a constant of this type is multiplied with, where it is a count.
fn product_type(constant: &DataType) -> DataType {
    match constant {
        DataType::Decimal128(..) => DataType::Decimal128(20, 0),
        other => other.clone(),
    }
}

fn is_constant(expr: &Expr) -> bool {
    !expr.is_volatile()
        && !expr.any_column_refs()
        && !expr.contains_outer()
        && !expr.contains_scalar_subquery()
}
