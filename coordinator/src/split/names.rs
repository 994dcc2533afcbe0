//! What each column of a plan node is in the fragment's words.

use datafusion::common::{Column as PlanColumn, DFSchema, TableReference};
use jigsaw_proto::expr::{Column, Expr};
use jigsaw_proto::fragment::Scope;
use jigsaw_proto::types::DataType;

use crate::query::QueryError;

/// The output columns of a plan node, in order: how the plan names them, and the expression that gives them.
///
/// Projections become expressions here, so most fragments are scans, filters and joins only.
#[derive(Debug, Clone)]
pub(super) struct Names {
    fields: Vec<(Option<TableReference>, String, Expr)>,
    scope: Scope,
}

impl Names {
    /// Names for the fields of `schema`, given by `exprs` in the same order, over the columns of `scope`.
    pub(super) fn new(schema: &DFSchema, exprs: Vec<Expr>, scope: Scope) -> Self {
        let fields = schema
            .iter()
            .zip(exprs)
            .map(|((qualifier, field), expr)| (qualifier.cloned(), field.name().clone(), expr))
            .collect();
        Self { fields, scope }
    }

    /// The columns that expressions may use.
    pub(super) fn scope(&self) -> &Scope {
        &self.scope
    }

    /// What the columns are, in order.
    pub(super) fn exprs(&self) -> impl Iterator<Item = &Expr> {
        self.fields.iter().map(|(_, _, expr)| expr)
    }

    /// What the plan's `column` is.
    pub(super) fn get(&self, column: &PlanColumn) -> Option<&Expr> {
        let named = |(qualifier, name, _): &&(Option<TableReference>, String, Expr)| {
            *name == column.name && (column.relation.is_none() || *qualifier == column.relation)
        };
        self.fields.iter().find(named).map(|(_, _, expr)| expr)
    }

    /// The type of an expression over the scope.
    pub(super) fn type_of(&self, expr: &Expr) -> Result<DataType, QueryError> {
        self.scope.type_of(expr).map_err(|error| QueryError::sql(error.to_string()))
    }

    /// The same columns with other names.
    pub(super) fn renamed(self, schema: &DFSchema) -> Self {
        let exprs = self.fields.into_iter().map(|(_, _, expr)| expr).collect();
        Self::new(schema, exprs, self.scope)
    }

    /// The columns of this node followed by those of `other`, as a join has them.
    pub(super) fn beside(self, other: Self) -> Result<Self, QueryError> {
        let columns = [self.scope.columns(), other.scope.columns()].concat();
        let scope = Scope::new(columns).map_err(|error| QueryError::sql(error.to_string()))?;
        Ok(Self { fields: [self.fields, other.fields].concat(), scope })
    }
}

/// The column an expression is, if it is nothing more.
pub(super) fn as_column(expr: &Expr) -> Option<&Column> {
    if let Expr::Column(column) = expr { Some(column) } else { None }
}
