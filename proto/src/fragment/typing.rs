//! Types of expressions, relations and releases: the same check at the coordinator, which builds fragments, and at the
//! node, which does not take its word.
//!
//! Typing is strict. Nothing is converted silently: operands of a comparison have one type, a cast is written out.
//! Result types of arithmetic are those of Arrow's kernels, which run them.

use std::collections::BTreeMap;

use arrow::array::new_empty_array;
use arrow::compute::can_cast_types;
use arrow::compute::kernels::numeric;
use arrow::error::ArrowError;

use super::{Fragment, Join, Measure, Relation};
use crate::contract::{Contract, NODE_COLUMN};
use crate::expr::{BinaryOp, Branch, Column, Expr, Literal, UnaryOp};
use crate::function::Argument;
use crate::id::DatasetName;
use crate::types::DataType;

/// Why an expression or relation makes no sense. The words come from the fragment, never from a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TypeError {
    /// No such column in scope.
    #[error("there is no column {column}")]
    UnknownColumn {
        /// as the fragment names it
        column: Column,
    },
    /// Two relations or columns of one name.
    #[error("{name} is defined twice")]
    Duplicate {
        /// alias or column
        name: String,
    },
    /// No such dataset.
    #[error("there is no dataset {dataset}")]
    UnknownDataset {
        /// its name
        dataset: DatasetName,
    },
    /// Operands of the wrong type.
    #[error(transparent)]
    Mismatch(#[from] Box<TypeMismatch>),
}

/// Operands of the wrong type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{expr}: expected {expected}, found {found}")]
pub struct TypeMismatch {
    /// the expression, as SQL
    pub expr: String,
    /// what would fit
    pub expected: String,
    /// what is there
    pub found: String,
}

type Result<T> = std::result::Result<T, TypeError>;

fn mismatch(expr: &impl ToString, expected: &str, found: &impl ToString) -> TypeError {
    TypeError::Mismatch(Box::new(TypeMismatch {
        expr: expr.to_string(),
        expected: expected.to_owned(),
        found: found.to_string(),
    }))
}

/// The columns that can be named at one place of a fragment, in order, with their types.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    columns: Vec<(Column, DataType)>,
    index: BTreeMap<Column, usize>,
}

impl Scope {
    /// A scope of these columns.
    ///
    /// # Errors
    /// Two columns of one name.
    pub fn new(columns: impl IntoIterator<Item = (Column, DataType)>) -> Result<Self> {
        let mut scope = Self::default();
        for (column, data_type) in columns {
            scope.push(column, data_type)?;
        }
        Ok(scope)
    }

    fn push(&mut self, column: Column, data_type: DataType) -> Result<()> {
        if self.index.insert(column.clone(), self.columns.len()).is_some() {
            return Err(TypeError::Duplicate { name: column.to_string() });
        }
        self.columns.push((column, data_type));
        Ok(())
    }

    /// The columns, in order.
    pub fn columns(&self) -> &[(Column, DataType)] {
        &self.columns
    }

    /// The type of one column.
    pub fn get(&self, column: &Column) -> Option<&DataType> {
        self.columns.get(*self.index.get(column)?).map(|(_, data_type)| data_type)
    }

    /// The type of an expression over these columns.
    ///
    /// # Errors
    /// The first part of it that makes no sense.
    pub fn type_of(&self, expr: &Expr) -> Result<DataType> {
        match expr {
            Expr::Column(column) => {
                self.get(column).cloned().ok_or_else(|| TypeError::UnknownColumn { column: column.clone() })
            }
            Expr::Literal(literal) => Ok(literal.data_type().clone()),
            Expr::Binary { op, left, right } => self.type_of_binary(expr, *op, left, right),
            Expr::Unary { op, operand } => self.type_of_unary(*op, operand),
            Expr::Between { operand, low, high, .. } => {
                let data_type = self.comparable(operand)?;
                self.expect(low, &data_type)?;
                self.expect(high, &data_type)?;
                Ok(DataType::Boolean)
            }
            Expr::InList { operand, list, .. } => {
                let data_type = self.comparable(operand)?;
                match list.iter().find(|literal| *literal.data_type() != data_type) {
                    Some(other) => Err(mismatch(expr, &data_type.to_string(), other.data_type())),
                    None => Ok(DataType::Boolean),
                }
            }
            Expr::Like { operand, .. } => {
                self.expect(operand, &DataType::Text)?;
                Ok(DataType::Boolean)
            }
            Expr::Case { branches, otherwise } => self.type_of_case(expr, branches, otherwise.as_deref()),
            Expr::TryCast { operand, to } => {
                let from = self.type_of(operand)?;
                if can_cast_types(&from.to_arrow(), &to.to_arrow()) {
                    Ok(to.clone())
                } else {
                    Err(mismatch(expr, "a type that can be converted", &from))
                }
            }
            Expr::Call { function, arguments } => {
                let types =
                    arguments.iter().map(|argument| self.type_of(argument)).collect::<Result<Vec<_>>>()?;
                let given: Vec<Argument<'_>> = arguments
                    .iter()
                    .zip(&types)
                    .map(|(argument, data_type)| Argument { data_type, literal: literal(argument) })
                    .collect();
                function
                    .return_type(&given)
                    .ok_or_else(|| mismatch(expr, function.signature(), &list(&types)))
            }
        }
    }

    fn expect(&self, expr: &Expr, expected: &DataType) -> Result<()> {
        let found = self.type_of(expr)?;
        if found == *expected { Ok(()) } else { Err(mismatch(expr, &expected.to_string(), &found)) }
    }

    /// The type of an operand of a comparison: anything that has an order.
    fn comparable(&self, expr: &Expr) -> Result<DataType> {
        match self.type_of(expr)? {
            DataType::Interval => Err(mismatch(expr, "a type that has an order", &DataType::Interval)),
            data_type => Ok(data_type),
        }
    }

    fn type_of_binary(&self, expr: &Expr, op: BinaryOp, left: &Expr, right: &Expr) -> Result<DataType> {
        if op.is_logical() {
            self.expect(left, &DataType::Boolean)?;
            self.expect(right, &DataType::Boolean)?;
            return Ok(DataType::Boolean);
        }
        if op.is_comparison() {
            let data_type = self.comparable(left)?;
            self.expect(right, &data_type)?;
            return Ok(DataType::Boolean);
        }
        let (left, right) = (self.type_of(left)?, self.type_of(right)?);
        arithmetic(op, &left, &right).ok_or_else(|| {
            mismatch(
                expr,
                "two numbers of one type, or a date or timestamp ± an interval",
                &list(&[left, right]),
            )
        })
    }

    fn type_of_unary(&self, op: UnaryOp, operand: &Expr) -> Result<DataType> {
        match op {
            UnaryOp::IsNull | UnaryOp::IsNotNull => {
                self.type_of(operand)?;
                Ok(DataType::Boolean)
            }
            UnaryOp::Negate => {
                let data_type = self.type_of(operand)?;
                if data_type.is_numeric() {
                    Ok(data_type)
                } else {
                    Err(mismatch(operand, "a number", &data_type))
                }
            }
            UnaryOp::Not | UnaryOp::IsTrue | UnaryOp::IsNotTrue | UnaryOp::IsFalse | UnaryOp::IsNotFalse => {
                self.expect(operand, &DataType::Boolean)?;
                Ok(DataType::Boolean)
            }
        }
    }

    fn type_of_case(&self, expr: &Expr, branches: &[Branch], otherwise: Option<&Expr>) -> Result<DataType> {
        let mut results = branches.iter().map(|branch| &branch.then).chain(otherwise);
        let first = results.next().ok_or_else(|| mismatch(expr, "at least one WHEN", &"none"))?;
        let data_type = self.type_of(first)?;
        for result in results {
            self.expect(result, &data_type)?;
        }
        for branch in branches {
            self.expect(&branch.when, &DataType::Boolean)?;
        }
        Ok(data_type)
    }
}

fn literal(expr: &Expr) -> Option<&Literal> {
    if let Expr::Literal(literal) = expr { Some(literal) } else { None }
}

fn list(types: &[DataType]) -> String {
    types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The result type of arithmetic: what Arrow's kernel makes of two empty columns.
fn arithmetic(op: BinaryOp, left: &DataType, right: &DataType) -> Option<DataType> {
    let calendar = |data_type: &DataType| matches!(data_type, DataType::Date | DataType::Timestamp { .. });
    let numbers = left.is_numeric() && right.is_numeric() && (left == right || both_decimal(left, right));
    let shift =
        calendar(left) && *right == DataType::Interval && matches!(op, BinaryOp::Add | BinaryOp::Subtract);
    if !numbers && !shift {
        return None;
    }
    let (left, right) = (new_empty_array(&left.to_arrow()), new_empty_array(&right.to_arrow()));
    let result: std::result::Result<_, ArrowError> = match op {
        BinaryOp::Add => numeric::add(&left, &right),
        BinaryOp::Subtract => numeric::sub(&left, &right),
        BinaryOp::Multiply => numeric::mul(&left, &right),
        BinaryOp::Divide => numeric::div(&left, &right),
        BinaryOp::Modulo => numeric::rem(&left, &right),
        _ => return None,
    };
    DataType::from_arrow(result.ok()?.data_type())
}

fn both_decimal(left: &DataType, right: &DataType) -> bool {
    matches!((left, right), (DataType::Decimal { .. }, DataType::Decimal { .. }))
}

impl Relation {
    /// The columns it offers, given the contracts of the datasets it may read.
    ///
    /// # Errors
    /// The first part of it that makes no sense.
    pub fn scope<'a>(&self, contract: &impl Fn(&DatasetName) -> Option<&'a Contract>) -> Result<Scope> {
        match self {
            Self::Scan { dataset, alias } => {
                let unknown = || TypeError::UnknownDataset { dataset: dataset.clone() };
                let contract = contract(dataset).ok_or_else(unknown)?;
                let columns =
                    contract.columns.iter().map(|column| (column.name.as_str(), column.data_type.clone()));
                let columns = columns.chain([(NODE_COLUMN, DataType::Text)]);
                Scope::new(columns.map(|(name, data_type)| (Column::new(alias, name), data_type)))
            }
            Self::Filter { input, predicate } => {
                let scope = input.scope(contract)?;
                scope.expect(predicate, &DataType::Boolean)?;
                Ok(scope)
            }
            Self::Project { input, alias, columns } => {
                let scope = input.scope(contract)?;
                let typed =
                    columns.iter().map(|(name, expr)| Ok((Column::new(alias, name), scope.type_of(expr)?)));
                Scope::new(typed.collect::<Result<Vec<_>>>()?)
            }
            Self::Join(join) => join.scope(contract),
            Self::UnionAll { alias, inputs } => {
                let scopes = inputs.iter().map(|input| input.scope(contract)).collect::<Result<Vec<_>>>()?;
                let Some((first, rest)) = scopes.split_first() else { return Ok(Scope::default()) };
                let types =
                    |scope: &Scope| scope.columns.iter().map(|(_, data_type)| data_type.clone()).collect();
                let wanted: Vec<DataType> = types(first);
                if let Some(other) = rest.iter().map(types).find(|other: &Vec<DataType>| *other != wanted) {
                    return Err(mismatch(self, &list(&wanted), &list(&other)));
                }
                let named = first
                    .columns
                    .iter()
                    .map(|(column, data_type)| (Column::new(alias, &column.name), data_type.clone()));
                Scope::new(named)
            }
            Self::Aggregate { input, alias, keys, measures } => {
                let scope = input.scope(contract)?;
                let keys = keys.iter().map(|(name, key)| {
                    let data_type = scope.comparable(key)?;
                    Ok((Column::new(alias, name), data_type))
                });
                let measures = measures.iter().map(|(name, measure)| {
                    let data_type = measure.data_type(&scope)?;
                    Ok((Column::new(alias, name), data_type))
                });
                Scope::new(keys.chain(measures).collect::<Result<Vec<_>>>()?)
            }
        }
    }
}

impl Join {
    fn scope<'a>(&self, contract: &impl Fn(&DatasetName) -> Option<&'a Contract>) -> Result<Scope> {
        let (left, right) = (self.left.scope(contract)?, self.right.scope(contract)?);
        for (left_key, right_key) in &self.on {
            let data_type = left.comparable(&Expr::Column(left_key.clone()))?;
            right.expect(&Expr::Column(right_key.clone()), &data_type)?;
        }
        let own = left.columns.clone();
        let scope = Scope::new(left.columns.into_iter().chain(right.columns))?;
        if let Some(filter) = &self.filter {
            scope.expect(filter, &DataType::Boolean)?;
        }
        if self.kind.shows_right() { Ok(scope) } else { Scope::new(own) }
    }
}

impl Measure {
    /// The type of its state over the columns of `scope`.
    ///
    /// # Errors
    /// An argument or filter that makes no sense.
    pub fn data_type(&self, scope: &Scope) -> Result<DataType> {
        if let Some(filter) = &self.filter {
            scope.expect(filter, &DataType::Boolean)?;
        }
        let argument = self.argument.as_ref().map(|argument| scope.type_of(argument)).transpose()?;
        let paired = self.paired.as_ref().map(|paired| scope.type_of(paired)).transpose()?;
        match &paired {
            Some(_) if !self.state.may_be_paired() => return Err(mismatch(self, "one argument", &"two")),
            Some(DataType::Float64) => {}
            Some(other) => return Err(mismatch(self, "a double as the second argument", other)),
            None if self.state.is_of_pairs() => return Err(mismatch(self, "two arguments", &"one")),
            None => {}
        }
        match self.time.as_ref().map(|time| scope.type_of(time)).transpose()? {
            Some(_) if !self.state.is_in_time() => return Err(mismatch(self, "no time", &"one")),
            Some(DataType::Timestamp { .. }) => {}
            Some(other) => return Err(mismatch(self, "a timestamp as the third argument", &other)),
            None if self.state.is_in_time() => return Err(mismatch(self, "a time", &"none")),
            None => {}
        }
        self.state.data_type(argument.as_ref()).ok_or_else(|| {
            let found = argument.map_or_else(|| "no argument".to_owned(), |argument| argument.to_string());
            mismatch(self, "an argument this aggregate is defined for", &found)
        })
    }
}

impl Fragment {
    /// Names and types of the release's columns: keys, then measures.
    ///
    /// # Errors
    /// The first part of the fragment that makes no sense.
    pub fn columns<'a>(
        &self,
        contract: &impl Fn(&DatasetName) -> Option<&'a Contract>,
    ) -> Result<Vec<(String, DataType)>> {
        let scope = self.input.scope(contract)?;
        let keys = self.keys.iter().map(|key| scope.type_of(key));
        let measures = self.measures.iter().map(|measure| measure.data_type(&scope));
        let types = keys.chain(measures).collect::<Result<Vec<_>>>()?;
        Ok(self.column_names().into_iter().zip(types).collect())
    }
}
