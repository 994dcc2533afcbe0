//! Function calls: names of the planner's registry as functions of the allow-list.

use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{BinaryExpr, Expr as PlanExpr, Operator};
use jigsaw_proto::expr::{Expr, Literal, Value};
use jigsaw_proto::function::Function;
use jigsaw_proto::types::{DataType, TimeUnit};

use super::{Result, Translator, conform};
use crate::query::QueryError;

impl Translator<'_> {
    pub(super) fn call(&self, call: &ScalarFunction) -> Result<Expr> {
        let name = call.func.name();
        let arguments = call.args.iter().map(|argument| self.expr(argument)).collect::<Result<Vec<_>>>()?;
        if name == "concat" {
            return self.concat_skipping_null(arguments);
        }
        let function = function(name).ok_or_else(|| {
            let nearest = nearest(name);
            QueryError::sql(format!(
                "{name}() is not one of the functions nodes compute{nearest}: apply it to the aggregates instead, or see the \
                 function list in the coordinator's README"
            ))
        })?;
        let arguments = arguments
            .into_iter()
            .enumerate()
            .map(|(index, argument)| self.argument(function, index, argument))
            .collect::<Result<Vec<_>>>()?;
        let call = Expr::Call { function, arguments };
        self.names.type_of(&call)?;
        Ok(call)
    }

    /// The planner's signatures are wider than the language's: casts close the gap where no digit can change.
    fn argument(&self, function: Function, index: usize, argument: Expr) -> Result<Expr> {
        let argument = match argument {
            Expr::Literal(literal) => Expr::Literal(constant(function, index, &literal)),
            argument => argument,
        };
        let found = self.names.type_of(&argument)?;
        let wanted = match (function, index, &found) {
            (
                Function::Ceil | Function::Floor | Function::Round | Function::Trunc,
                0,
                DataType::Int32 | DataType::Int64,
            )
            | (
                Function::Exp
                | Function::Ln
                | Function::Log10
                | Function::Power
                | Function::Signum
                | Function::Sqrt
                | Function::AbsoluteHumidity
                | Function::CriticalHumidity
                | Function::DewPoint
                | Function::SurfaceHumidity,
                _,
                DataType::Int32 | DataType::Int64 | DataType::Decimal { .. },
            ) => DataType::Float64,
            (Function::DateTrunc, 1, DataType::Date) | (Function::DateBin, 1.., DataType::Date) => {
                DataType::Timestamp { unit: TimeUnit::Microsecond, zone: None }
            }
            _ => found.clone(),
        };
        Ok(conform(argument, &found, &wanted))
    }

    pub(super) fn concat(&self, binary: &BinaryExpr) -> Result<Expr> {
        let mut arguments = vec![];
        let mut open: Vec<&PlanExpr> = vec![&binary.right, &binary.left];
        while let Some(part) = open.pop() {
            match part {
                PlanExpr::BinaryExpr(inner) if inner.op == Operator::StringConcat => {
                    open.extend([&*inner.right, &*inner.left]);
                }
                part => arguments.push(self.text(self.expr(part)?)?),
            }
        }
        Ok(Expr::Call { function: Function::Concat, arguments })
    }

    /// `text ~ pattern`, with flags before the pattern.
    pub(super) fn matches(&self, binary: &BinaryExpr, flags: &str) -> Result<Expr> {
        let pattern = match self.expr(&binary.right)? {
            Expr::Literal(literal) => match literal.value() {
                Some(Value::Text(text)) => Literal::text(format!("{flags}{text}")),
                _ => {
                    return Err(QueryError::sql(
                        "the pattern of a regular expression must be a constant text",
                    ));
                }
            },
            _ => return Err(QueryError::sql("the pattern of a regular expression must be a constant text")),
        };
        let arguments = vec![self.text(self.expr(&binary.left)?)?, Expr::Literal(pattern)];
        let call = Expr::Call { function: Function::RegexpLike, arguments };
        self.names.type_of(&call)?;
        Ok(call)
    }

    /// SQL's `concat` takes NULL for the empty text, the operator `||` does not.
    fn concat_skipping_null(&self, arguments: Vec<Expr>) -> Result<Expr> {
        let empty = || Expr::Literal(Literal::text(""));
        let parts = arguments.into_iter().map(|argument| {
            let arguments = vec![self.text(argument)?, empty()];
            Ok(Expr::Call { function: Function::Coalesce, arguments })
        });
        let mut arguments = parts.collect::<Result<Vec<_>>>()?;
        if arguments.len() == 1 {
            arguments.push(empty());
        }
        Ok(Expr::Call { function: Function::Concat, arguments })
    }

    fn text(&self, expr: Expr) -> Result<Expr> {
        let found = self.names.type_of(&expr)?;
        Ok(conform(expr, &found, &DataType::Text))
    }

    pub(super) fn days_between(&self, binary: &BinaryExpr) -> Result<Expr> {
        let arguments = vec![self.expr(&binary.left)?, self.expr(&binary.right)?];
        Ok(Expr::Call { function: Function::DaysBetween, arguments })
    }
}

fn function(name: &str) -> Option<Function> {
    match name {
        "log" => None, // of one argument or two, with the base first: ln and log10 are unambiguous
        name => Function::from_name(name),
    }
}

/// `, did you mean …` where a name of the list is close.
fn nearest(name: &str) -> String {
    let distance = |function: &Function| strsim::damerau_levenshtein(name, function.name());
    match Function::ALL.iter().min_by_key(|function| distance(function)) {
        Some(function) if distance(function) <= 2 => format!(", did you mean {}()", function.name()),
        _ => String::new(),
    }
}

/// A constant argument in the form the signature has: units in lower case, numbers as the function takes them.
fn constant(function: Function, index: usize, literal: &Literal) -> Literal {
    match (function, index, literal.value()) {
        (Function::DateTrunc | Function::DatePart, 0, Some(Value::Text(text))) => {
            Literal::text(text.to_lowercase())
        }
        (
            Function::Left | Function::Right | Function::Substr | Function::Round,
            1..,
            Some(Value::Integer(value)),
        ) => Literal::int64(*value),
        _ => literal.clone(),
    }
}
