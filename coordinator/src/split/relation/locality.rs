//! Why rows that are brought together are at one node.
//!
//! * `a.node = b.node`;
//! * an entity that its contract declares to exist at one node only;
//! * two columns that their contracts declare to divide rows among nodes in the same way (`partition`). What is released is then
//!   held against the declaration ([`Reliance`]).

use jigsaw_proto::contract::{ColumnContract, NODE_COLUMN, Role};
use jigsaw_proto::expr::{BinaryOp, Column, Expr};
use jigsaw_proto::fragment::{JoinKind, Relation};
use jigsaw_proto::id::DatasetName;
use jigsaw_proto::types::DataType;

use super::{RelationBuilder, Result, as_column};
use crate::query::QueryError;
use crate::split::reliance::Reliance;

/// A column that divides rows among nodes: dataset, name, type.
type Dividing<'a> = (&'a DatasetName, &'a str, &'a DataType);

impl RelationBuilder {
    /// Remembers that `column` is another name of the column that `expr` is, if it is one.
    pub(super) fn derive(&mut self, column: Column, expr: &Expr) {
        if let Some(origin) = as_column(expr) {
            let root = self.root(origin).clone();
            self.derived.insert(column, root);
        }
    }

    fn root<'a>(&'a self, column: &'a Column) -> &'a Column {
        self.derived.get(column).unwrap_or(column)
    }

    fn declared(&self, column: &Column) -> Option<(&DatasetName, &ColumnContract)> {
        let root = self.root(column);
        let (_, contract) = self.scans.iter().find(|(alias, _)| *alias == root.relation)?;
        Some((&contract.name, contract.column(&root.name)?))
    }

    /// The role of a column, where it is a column of a scan.
    pub(in crate::split) fn role(&self, column: &Column) -> Option<&Role> {
        Some(&self.declared(column)?.1.role)
    }

    /// Whether an expression is the id of the node that a row is at.
    pub(in crate::split) fn is_node(&self, expr: &Expr) -> bool {
        as_column(expr).is_some_and(|column| {
            let root = self.root(column);
            root.name == NODE_COLUMN && self.scans.iter().any(|(alias, _)| *alias == root.relation)
        })
    }

    /// What a column divides rows among nodes by.
    fn partition(&self, expr: &Expr) -> Option<(&str, Dividing<'_>)> {
        let (dataset, column) = self.declared(as_column(expr)?)?;
        Some((column.partition.as_deref()?, (dataset, column.name.as_str(), &column.data_type)))
    }

    /// Remembers which scans a join may find no match in: of those before `middle` are the left ones.
    pub(super) fn may_lack(&mut self, kind: JoinKind, first: usize, middle: usize) {
        let scans = match kind {
            JoinKind::Left => self.scans.get(middle..),
            JoinKind::Right => self.scans.get(first..middle),
            JoinKind::Full => self.scans.get(first..),
            JoinKind::Inner | JoinKind::Semi | JoinKind::Anti => None,
        };
        let aliases = scans.into_iter().flatten().map(|(alias, _)| alias.clone());
        self.optional.extend(aliases);
    }

    fn is_always_there(&self, expr: &Expr) -> bool {
        as_column(expr).is_some_and(|column| !self.optional.contains(&self.root(column).relation))
    }

    /// Whether every group of these keys is at one node; where a contract says so, the release is held against it.
    pub(in crate::split) fn complete(&mut self, keys: &[Expr]) -> bool {
        if keys.iter().any(|key| self.is_node(key) && self.is_always_there(key)) {
            return true;
        }
        let dividing = keys.iter().enumerate().find_map(|(place, key)| {
            let (_, (dataset, column, _)) = self.partition(key)?;
            Some(Reliance::Key { place, column: format!("{dataset}.{column}") })
        });
        let complete = dividing.is_some();
        self.relied_on.extend(dividing);
        complete
    }

    /// What the fragment relies on.
    pub(in crate::split) fn relied_on(&mut self) -> Vec<Reliance> {
        std::mem::take(&mut self.relied_on)
    }

    /// Whether an expression is an entity that exists at one node only.
    fn is_scoped(&self, expr: &Expr) -> bool {
        as_column(expr).and_then(|column| self.role(column)) == Some(&Role::Entity { node_scoped: true })
    }

    pub(super) fn is_entity(&self, expr: &Expr) -> bool {
        let role = as_column(expr).and_then(|column| self.role(column));
        matches!(role, Some(Role::Entity { .. }))
    }

    /// Whether all rows with the same values of these expressions are at one node.
    pub(super) fn are_at_one_node(&mut self, keys: &[Expr]) -> bool {
        let there = |key: &&Expr| self.is_always_there(key);
        if keys.iter().filter(there).any(|key| self.is_node(key) || self.is_scoped(key)) {
            return true;
        }
        let dividing = keys.iter().filter(there).find_map(|key| self.partition(key));
        let together = dividing.map(|(_, column)| Reliance::together([column]));
        let at_one_node = together.is_some();
        self.relied_on.extend(together);
        at_one_node
    }

    fn proves_one_node(&self, left: &Expr, right: &Expr) -> bool {
        (self.is_node(left) && self.is_node(right)) || (self.is_scoped(left) && self.is_scoped(right))
    }

    fn proved_by_partition(&self, left: &Expr, right: &Expr) -> Option<Reliance> {
        let ((one, left), (other, right)) = (self.partition(left)?, self.partition(right)?);
        (one == other).then(|| Reliance::together([left, right]))
    }

    /// That a join brings rows of one node together, by its equalities or by those that the optimizer left in its condition.
    pub(super) fn check_local(
        &mut self,
        pairs: &[(Expr, Expr)],
        filter: Option<&Expr>,
        sides: (&Relation, &Relation),
    ) -> Result<()> {
        let mut equalities: Vec<(&Expr, &Expr)> = pairs.iter().map(|(left, right)| (left, right)).collect();
        let mut open: Vec<&Expr> = filter.into_iter().collect();
        while let Some(expr) = open.pop() {
            match expr {
                Expr::Binary { op: BinaryOp::And, left, right } => open.extend([&**left, &**right]),
                Expr::Binary { op: BinaryOp::Eq, left, right } => equalities.push((&**left, &**right)),
                _ => {}
            }
        }
        if equalities.iter().any(|(left, right)| self.proves_one_node(left, right)) {
            return Ok(());
        }
        let partition = equalities.iter().find_map(|(left, right)| self.proved_by_partition(left, right));
        if let Some(partition) = partition {
            self.relied_on.push(partition);
            return Ok(());
        }
        let entity = equalities.iter().find(|(left, right)| self.is_entity(left) && self.is_entity(right));
        Err(not_local(sides, entity.and_then(|(left, _)| as_column(left))))
    }

    /// `NOT IN` over a column with a NULL is true of nothing, which an anti-join does not know.
    pub(super) fn check_never_null(&self, pairs: &[(Expr, Expr)]) -> Result<()> {
        let never = |expr: &Expr| {
            let declared = as_column(expr).and_then(|column| self.declared(column));
            self.is_node(expr) || declared.is_some_and(|(_, column)| !column.nullable)
        };
        if pairs.iter().all(|(left, right)| never(left) && never(right)) {
            return Ok(());
        }
        Err(QueryError::sql(
            "NOT IN (SELECT …) over a column that may be NULL is true of no row if one is: write NOT EXISTS (SELECT … WHERE \
             inside.x = outside.x)",
        ))
    }
}

fn not_local((left, right): (&Relation, &Relation), entity: Option<&Column>) -> QueryError {
    let name =
        |relation: &Relation| relation.datasets().first().map_or_else(String::new, ToString::to_string);
    let (left, right) = (name(left), name(right));
    let why = entity.map_or_else(
        || "may need rows of two boroughs at once".to_owned(),
        |entity| {
            format!("on {} needs linking people across boroughs, and no borough shows its rows", entity.name)
        },
    );
    QueryError::sql(format!(
        "joining {left} with {right} {why}: add {left}.node = {right}.node to ON (or to WHERE in EXISTS) to join within each \
         borough, or aggregate both first and join the results"
    ))
}
