//! Expressions of the planner as expressions of the fragment language.
//!
//! What the language has no word for is refused with a sentence that says how to ask instead. Casts become `TRY_CAST`,
//! because no row may make a question fail.

mod call;
mod literal;

use datafusion::arrow::datatypes::DataType as ArrowType;
use datafusion::common::{Column as PlanColumn, DFSchema};
use datafusion::logical_expr::expr::{Case, InList};
use datafusion::logical_expr::{Between, BinaryExpr, Expr as PlanExpr, ExprSchemable, Like, Operator};
use jigsaw_proto::expr::{BinaryOp, Branch, Expr, Literal, MAX_DEPTH, UnaryOp, Value};
use jigsaw_proto::types::DataType;

pub(super) use literal::literal;

use super::names::Names;
use crate::query::QueryError;

type Result<T> = std::result::Result<T, QueryError>;

/// Translates `expr`, whose columns are those of `names`.
pub(super) fn translate(expr: &PlanExpr, names: &Names) -> Result<Expr> {
    let translated = Translator { names }.expr(expr)?;
    if translated.depth() > MAX_DEPTH {
        return Err(QueryError::sql(format!(
            "an expression is nested more than {MAX_DEPTH} levels deep: write it with fewer levels"
        )));
    }
    Ok(translated)
}

/// `expr` of the rows of `schema` in the words of the language, and of the type that the planner gives to it.
pub(super) fn translate_as_planned(expr: &PlanExpr, names: &Names, schema: &DFSchema) -> Result<Expr> {
    let translated = translate(expr, names)?;
    let planned = planned_type(expr, schema)?;
    let found = names.type_of(&translated)?;
    Ok(conform(translated, &found, &planned))
}

/// The type the planner gives to `expr`, as a type of the language.
fn planned_type(expr: &PlanExpr, schema: &DFSchema) -> Result<DataType> {
    let arrow = expr.get_type(schema).map_err(|error| QueryError::planning(&error))?;
    language_type(&arrow, expr)
}

/// `expr` with a cast where the language's type of it is not the planner's.
pub(super) fn conform(expr: Expr, found: &DataType, wanted: &DataType) -> Expr {
    if found == wanted { expr } else { Expr::TryCast { operand: Box::new(expr), to: wanted.clone() } }
}

fn language_type(arrow: &ArrowType, expr: &PlanExpr) -> Result<DataType> {
    DataType::from_arrow(arrow).ok_or_else(|| {
        QueryError::sql(format!(
            "{expr} has the type {arrow}, which nodes do not compute with: cast it to BOOLEAN, INTEGER, BIGINT, DOUBLE, \
             DECIMAL, VARCHAR, DATE or TIMESTAMP"
        ))
    })
}

struct Translator<'a> {
    names: &'a Names,
}

impl Translator<'_> {
    fn expr(&self, expr: &PlanExpr) -> Result<Expr> {
        Ok(match expr {
            PlanExpr::Alias(alias) => self.expr(&alias.expr)?,
            PlanExpr::Column(column) => self.column(column)?,
            PlanExpr::Literal(value, _) => Expr::Literal(literal(value)?),
            PlanExpr::BinaryExpr(binary) => self.binary(binary)?,
            PlanExpr::Like(like) => self.like(like)?,
            PlanExpr::Not(operand) => self.unary(UnaryOp::Not, operand)?,
            PlanExpr::Negative(operand) => self.unary(UnaryOp::Negate, operand)?,
            PlanExpr::IsNull(operand) | PlanExpr::IsUnknown(operand) => {
                self.unary(UnaryOp::IsNull, operand)?
            }
            PlanExpr::IsNotNull(operand) | PlanExpr::IsNotUnknown(operand) => {
                self.unary(UnaryOp::IsNotNull, operand)?
            }
            PlanExpr::IsTrue(operand) => self.unary(UnaryOp::IsTrue, operand)?,
            PlanExpr::IsNotTrue(operand) => self.unary(UnaryOp::IsNotTrue, operand)?,
            PlanExpr::IsFalse(operand) => self.unary(UnaryOp::IsFalse, operand)?,
            PlanExpr::IsNotFalse(operand) => self.unary(UnaryOp::IsNotFalse, operand)?,
            PlanExpr::Between(Between { expr, negated, low, high }) => Expr::Between {
                operand: self.boxed(expr)?,
                low: self.boxed(low)?,
                high: self.boxed(high)?,
                negated: *negated,
            },
            PlanExpr::Case(case) => self.case(case)?,
            PlanExpr::Cast(cast) => self.cast(&cast.expr, cast.field.data_type(), expr)?,
            PlanExpr::TryCast(cast) => self.cast(&cast.expr, cast.field.data_type(), expr)?,
            PlanExpr::InList(list) => self.in_list(list)?,
            PlanExpr::ScalarFunction(function) => self.call(function)?,
            PlanExpr::Exists(_) | PlanExpr::InSubquery(_) | PlanExpr::ScalarSubquery(_) => {
                return Err(QueryError::sql(
                    "a subquery inside an expression is not answered by nodes: ask for the inner result first and write \
                     it as a constant, or join on it",
                ));
            }
            other => {
                return Err(QueryError::sql(format!(
                    "{other} cannot be computed at a node: write it with {LANGUAGE}"
                )));
            }
        })
    }

    fn boxed(&self, expr: &PlanExpr) -> Result<Box<Expr>> {
        Ok(Box::new(self.expr(expr)?))
    }

    fn column(&self, column: &PlanColumn) -> Result<Expr> {
        self.names.get(column).cloned().ok_or_else(|| {
            QueryError::sql(format!(
                "column {column} is not one of the federated tables in this part of the question"
            ))
        })
    }

    fn unary(&self, op: UnaryOp, operand: &PlanExpr) -> Result<Expr> {
        Ok(self.expr(operand)?.unary(op))
    }

    fn binary(&self, binary: &BinaryExpr) -> Result<Expr> {
        let op = match binary.op {
            Operator::And => return self.chain(binary, Operator::And, BinaryOp::And),
            Operator::Or => return self.chain(binary, Operator::Or, BinaryOp::Or),
            Operator::StringConcat => return self.concat(binary),
            Operator::RegexMatch => return self.matches(binary, ""),
            Operator::RegexIMatch => return self.matches(binary, "(?i)"),
            Operator::RegexNotMatch => return Ok(self.matches(binary, "")?.unary(UnaryOp::Not)),
            Operator::RegexNotIMatch => return Ok(self.matches(binary, "(?i)")?.unary(UnaryOp::Not)),
            Operator::Minus if self.is_date(&binary.left)? && self.is_date(&binary.right)? => {
                return self.days_between(binary);
            }
            op => operator(op).ok_or_else(|| {
                QueryError::sql(format!(
                    "the operator {op} cannot be computed at a node: write it with {LANGUAGE}"
                ))
            })?,
        };
        Ok(self.expr(&binary.left)?.binary(op, self.expr(&binary.right)?))
    }

    /// `a AND b AND …` as a tree of least depth.
    fn chain(&self, binary: &BinaryExpr, plan_op: Operator, op: BinaryOp) -> Result<Expr> {
        let mut terms = vec![];
        let mut open: Vec<&PlanExpr> = vec![&binary.right, &binary.left];
        while let Some(term) = open.pop() {
            match term {
                PlanExpr::BinaryExpr(inner) if inner.op == plan_op => {
                    open.extend([&*inner.right, &*inner.left]);
                }
                term => terms.push(self.expr(term)?),
            }
        }
        Expr::balanced(op, terms).ok_or_else(|| QueryError::internal("a condition without terms"))
    }

    fn is_date(&self, expr: &PlanExpr) -> Result<bool> {
        Ok(match self.expr(expr) {
            Ok(expr) => self.names.type_of(&expr)? == DataType::Date,
            Err(_) => false,
        })
    }

    fn like(&self, like: &Like) -> Result<Expr> {
        let Like { negated, expr, pattern, escape_char, case_insensitive } = like;
        let pattern = match self.expr(pattern)? {
            Expr::Literal(literal) => match literal.value() {
                Some(Value::Text(text)) => text.clone(),
                _ => return Err(QueryError::sql("the pattern of LIKE must be a constant text")),
            },
            _ => return Err(QueryError::sql("the pattern of LIKE must be a constant text")),
        };
        if !matches!(escape_char, None | Some('\\')) {
            return Err(QueryError::sql("LIKE at a node escapes with '\\' only: leave out ESCAPE"));
        }
        Ok(Expr::Like {
            operand: self.boxed(expr)?,
            pattern,
            negated: *negated,
            ignore_case: *case_insensitive,
        })
    }

    /// `CASE x WHEN a …` is `CASE WHEN x = a …`.
    fn case(&self, case: &Case) -> Result<Expr> {
        let Case { expr, when_then_expr, else_expr } = case;
        let operand = expr.as_deref().map(|expr| self.expr(expr)).transpose()?;
        let branches = when_then_expr.iter().map(|(when, then)| {
            let when = self.expr(when)?;
            let when = match &operand {
                Some(operand) => operand.clone().binary(BinaryOp::Eq, when),
                None => when,
            };
            Ok(Branch { when, then: self.expr(then)? })
        });
        Ok(Expr::Case {
            branches: branches.collect::<Result<_>>()?,
            otherwise: else_expr.as_deref().map(|expr| self.boxed(expr)).transpose()?,
        })
    }

    fn cast(&self, operand: &PlanExpr, to: &ArrowType, whole: &PlanExpr) -> Result<Expr> {
        let to = language_type(to, whole)?;
        let operand = self.expr(operand)?;
        let found = self.names.type_of(&operand)?;
        Ok(conform(operand, &found, &to))
    }

    /// A list of constants stays a list; anything else is a chain of equalities.
    fn in_list(&self, list: &InList) -> Result<Expr> {
        let InList { expr, list, negated } = list;
        let operand = self.expr(expr)?;
        let items = list.iter().map(|item| self.expr(item)).collect::<Result<Vec<_>>>()?;
        let literals: Option<Vec<Literal>> = items
            .iter()
            .map(|item| if let Expr::Literal(literal) = item { Some(literal.clone()) } else { None })
            .collect();
        if let Some(list) = literals {
            return Ok(Expr::InList { operand: Box::new(operand), list, negated: *negated });
        }
        let equalities = items.into_iter().map(|item| operand.clone().binary(BinaryOp::Eq, item)).collect();
        let any = Expr::balanced(BinaryOp::Or, equalities)
            .ok_or_else(|| QueryError::internal("an empty IN list"))?;
        Ok(if *negated { any.unary(UnaryOp::Not) } else { any })
    }
}

const LANGUAGE: &str = "comparisons, AND/OR/NOT, arithmetic, CASE, IN, LIKE, BETWEEN, IS NULL, casts and the functions listed in the \
     coordinator's README, or compute it over the aggregates instead";

fn operator(op: Operator) -> Option<BinaryOp> {
    Some(match op {
        Operator::Eq => BinaryOp::Eq,
        Operator::NotEq => BinaryOp::NotEq,
        Operator::Lt => BinaryOp::Lt,
        Operator::LtEq => BinaryOp::LtEq,
        Operator::Gt => BinaryOp::Gt,
        Operator::GtEq => BinaryOp::GtEq,
        Operator::IsDistinctFrom => BinaryOp::IsDistinctFrom,
        Operator::IsNotDistinctFrom => BinaryOp::IsNotDistinctFrom,
        Operator::Plus => BinaryOp::Add,
        Operator::Minus => BinaryOp::Subtract,
        Operator::Multiply => BinaryOp::Multiply,
        Operator::Divide => BinaryOp::Divide,
        Operator::Modulo => BinaryOp::Modulo,
        _ => return None,
    })
}
