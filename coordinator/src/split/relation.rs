//! Node-local parts of a plan as relations of the fragment language.
//!
//! A part is node-local when f(all rows) is the union over nodes of f(rows of the node): scans, filters, projections,
//! unions, and joins that prove that both sides are at one node, by `a.node = b.node` or by an entity that the contract
//! declares to exist at one node only.

use std::any::Any;
use std::sync::Arc;

use datafusion::common::JoinType;
use datafusion::common::NullEquality;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{Join as PlanJoin, LogicalPlan, Projection, TableScan, Union};
use jigsaw_proto::contract::{Contract, Floor, NODE_COLUMN, Role};
use jigsaw_proto::expr::{BinaryOp, Column, Expr};
use jigsaw_proto::fragment::{Join, JoinKind, Relation, Scope};
use jigsaw_proto::id::DatasetName;

use super::expr::translate;
use super::names::{Names, as_column};
use crate::catalogue::FederatedTable;
use crate::dispatch::Snapshot;
use crate::query::QueryError;

type Result<T> = std::result::Result<T, QueryError>;

/// The contract behind a scan of a federated table; `None` for any other table.
pub(super) fn federated(scan: &TableScan) -> Option<Arc<Contract>> {
    let provider = source_as_provider(&scan.source).ok()?;
    let table = (provider.as_ref() as &dyn Any).downcast_ref::<FederatedTable>()?;
    Some(Arc::clone(table.contract()))
}

/// Builds the relation of one fragment, and remembers which dataset each alias stands for.
#[derive(Debug, Default)]
pub(super) struct RelationBuilder {
    scans: Vec<(String, Arc<Contract>)>,
    made: usize,
}

impl RelationBuilder {
    /// The contract of a dataset that the relation reads.
    pub(super) fn contract(&self, dataset: &DatasetName) -> Option<&Contract> {
        self.scans.iter().map(|(_, contract)| &**contract).find(|contract| contract.name == *dataset)
    }

    /// Whether any node protects any of the rows; nodes that never said count as their contract has it.
    pub(super) fn is_protected(&self, nodes: &Snapshot) -> bool {
        let floor = |contract: &Contract| matches!(contract.floor, Floor::Protected { .. });
        self.scans.iter().any(|(_, contract)| floor(contract) || nodes.protects(&contract.name))
    }

    /// The role of a column, where it is a column of a scan.
    pub(super) fn role(&self, column: &Column) -> Option<&Role> {
        let (_, contract) = self.scans.iter().find(|(alias, _)| *alias == column.relation)?;
        Some(&contract.column(&column.name)?.role)
    }

    /// Whether an expression is the id of the node that a row is at.
    pub(super) fn is_node(&self, expr: &Expr) -> bool {
        as_column(expr).is_some_and(|column| {
            column.name == NODE_COLUMN && self.scans.iter().any(|(alias, _)| *alias == column.relation)
        })
    }

    /// The relation that `plan` is, and what its columns are; an error says why it is not node-local.
    pub(super) fn relation(&mut self, plan: &LogicalPlan) -> Result<(Relation, Names)> {
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan),
            LogicalPlan::Filter(filter) => {
                let (input, names) = self.relation(&filter.input)?;
                let predicate = translate(&filter.predicate, &names)?;
                names.type_of(&predicate)?;
                Ok((Relation::Filter { input: Box::new(input), predicate }, names))
            }
            LogicalPlan::Projection(projection) => self.projection(projection),
            LogicalPlan::SubqueryAlias(alias) => {
                let (input, names) = self.relation(&alias.input)?;
                Ok((input, names.renamed(&alias.schema)))
            }
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => self.relation(&sort.input),
            LogicalPlan::Join(join) => self.join(join),
            LogicalPlan::Union(union) => self.union(union),
            LogicalPlan::Limit(_) | LogicalPlan::Sort(_) => Err(QueryError::sql(
                "LIMIT below an aggregation would pick rows of one borough over another's: put LIMIT after GROUP BY",
            )),
            LogicalPlan::Window(_) => Err(QueryError::sql(
                "a window function over rows would need rows outside a borough: aggregate first (GROUP BY in a CTE), then use \
                 the window over the aggregates",
            )),
            other => Err(QueryError::sql(format!(
                "{} over rows is not something a node can do: aggregate first, then go on with the aggregates",
                other.display()
            ))),
        }
    }

    fn scan(&mut self, scan: &TableScan) -> Result<(Relation, Names)> {
        let contract = federated(scan)
            .ok_or_else(|| QueryError::internal("a table that is not federated in a fragment"))?;
        if scan.fetch.is_some() {
            return Err(QueryError::sql(
                "LIMIT below an aggregation is not answered by nodes: put it after GROUP BY",
            ));
        }
        let alias = self.alias(scan.table_name.table());
        let relation = Relation::Scan { dataset: contract.name.clone(), alias: alias.clone() };
        let scope = relation
            .scope(&|name| (*name == contract.name).then_some(&*contract))
            .map_err(|error| QueryError::sql(error.to_string()))?;
        let exprs = scan.projected_schema.fields().iter().map(|field| column(&alias, field.name())).collect();
        let names = Names::new(&scan.projected_schema, exprs, scope);
        self.scans.push((alias, contract));
        scan.filters.iter().try_fold((relation, names), |(input, names), filter| {
            let predicate = translate(filter, &names)?;
            Ok((Relation::Filter { input: Box::new(input), predicate }, names))
        })
    }

    /// An alias that no other relation of the fragment has, close to the name the analyst used.
    fn alias(&mut self, wanted: &str) -> String {
        self.made += 1;
        if self.scans.iter().any(|(alias, _)| alias == wanted) {
            format!("{wanted}_{}", self.made)
        } else {
            wanted.to_owned()
        }
    }

    /// Projections are inlined: whoever uses their columns gets the expressions.
    fn projection(&mut self, projection: &Projection) -> Result<(Relation, Names)> {
        let (input, names) = self.relation(&projection.input)?;
        let exprs = projection.expr.iter().map(|expr| translate(expr, &names)).collect::<Result<Vec<_>>>()?;
        Ok((input, Names::new(&projection.schema, exprs, names.scope().clone())))
    }

    fn join(&mut self, join: &PlanJoin) -> Result<(Relation, Names)> {
        let kind = join_kind(join.join_type)?;
        if join.null_equality != NullEquality::NullEqualsNothing {
            return Err(QueryError::sql(
                "a join in which NULL equals NULL is not answered by nodes: use = in ON",
            ));
        }
        let (left, left_names) = self.relation(&join.left)?;
        let (right, right_names) = self.relation(&join.right)?;
        // Below an outer join, expressions of the side that may be missing must be computed before the join.
        let (left, left_names) = match kind {
            JoinKind::Right | JoinKind::Full => self.materialised(left, left_names, &join.left)?,
            JoinKind::Inner | JoinKind::Left => (left, left_names),
        };
        let (right, right_names) = match kind {
            JoinKind::Left | JoinKind::Full => self.materialised(right, right_names, &join.right)?,
            JoinKind::Inner | JoinKind::Right => (right, right_names),
        };
        let pairs = join
            .on
            .iter()
            .map(|(left, right)| Ok((translate(left, &left_names)?, translate(right, &right_names)?)));
        let pairs = pairs.collect::<Result<Vec<_>>>()?;
        let local = pairs.iter().any(|(left, right)| self.proves_one_node(left, right));
        let names = left_names.beside(right_names)?.renamed(&join.schema);
        let filter = join.filter.as_ref().map(|filter| translate(filter, &names)).transpose()?;
        let local = local || filter.as_ref().is_some_and(|filter| self.filter_proves_one_node(filter));
        if !local {
            return Err(not_local(&left, &right));
        }
        let (on, rest) = self.keys(pairs);
        let filter = Expr::balanced(BinaryOp::And, rest.into_iter().chain(filter).collect());
        if on.is_empty() {
            return Err(QueryError::sql(
                "a join on node alone pairs every row of a borough with every other: add an equality of columns to ON",
            ));
        }
        Ok((Relation::Join(Box::new(Join { left, right, kind, on, filter })), names))
    }

    /// Join keys that are columns, and the other equalities as conditions. Equality of nodes holds within a node.
    fn keys(&self, pairs: Vec<(Expr, Expr)>) -> (Vec<(Column, Column)>, Vec<Expr>) {
        let (mut on, mut rest) = (vec![], vec![]);
        for (left, right) in pairs {
            match (left, right) {
                (left, right) if self.is_node(&left) && self.is_node(&right) => {}
                (Expr::Column(left), Expr::Column(right)) => on.push((left, right)),
                (left, right) => rest.push(left.binary(BinaryOp::Eq, right)),
            }
        }
        (on, rest)
    }

    fn proves_one_node(&self, left: &Expr, right: &Expr) -> bool {
        let scoped = |expr: &Expr| {
            as_column(expr).and_then(|column| self.role(column)) == Some(&Role::Entity { node_scoped: true })
        };
        (self.is_node(left) && self.is_node(right)) || (scoped(left) && scoped(right))
    }

    /// The optimizer leaves some equalities in the condition of a join.
    fn filter_proves_one_node(&self, filter: &Expr) -> bool {
        match filter {
            Expr::Binary { op: BinaryOp::And, left, right } => {
                self.filter_proves_one_node(left) || self.filter_proves_one_node(right)
            }
            Expr::Binary { op: BinaryOp::Eq, left, right } => self.proves_one_node(left, right),
            _ => false,
        }
    }

    /// The relation with every expression turned into a column of a projection; unchanged if all are columns already.
    fn materialised(
        &mut self,
        input: Relation,
        names: Names,
        plan: &LogicalPlan,
    ) -> Result<(Relation, Names)> {
        if names.exprs().all(|expr| as_column(expr).is_some()) {
            return Ok((input, names));
        }
        self.projected(input, &names, plan)
    }

    fn projected(&mut self, input: Relation, names: &Names, plan: &LogicalPlan) -> Result<(Relation, Names)> {
        let alias = self.alias("q");
        self.made += 1;
        let alias = format!("{alias}{}", self.made);
        let columns: Vec<(String, Expr)> =
            names.exprs().enumerate().map(|(index, expr)| (format!("c{index}"), expr.clone())).collect();
        let typed = columns.iter().map(|(name, expr)| Ok((Column::new(&alias, name), names.type_of(expr)?)));
        let scope = Scope::new(typed.collect::<Result<Vec<_>>>()?)
            .map_err(|error| QueryError::internal(error.to_string()))?;
        let exprs = columns.iter().map(|(name, _)| column(&alias, name)).collect();
        let names = Names::new(plan.schema(), exprs, scope);
        Ok((Relation::Project { input: Box::new(input), alias, columns }, names))
    }

    fn union(&mut self, union: &Union) -> Result<(Relation, Names)> {
        let mut inputs = vec![];
        let mut first: Option<Names> = None;
        for plan in &union.inputs {
            let (input, names) = self.relation(plan)?;
            let (input, names) = self.projected(input, &names, plan)?;
            first.get_or_insert(names);
            inputs.push(input);
        }
        let first = first.ok_or_else(|| QueryError::internal("a union of nothing"))?;
        self.made += 1;
        let alias = format!("u{}", self.made);
        let exprs =
            (0..union.schema.fields().len()).map(|index| column(&alias, &format!("c{index}"))).collect();
        let columns = first.scope().columns().iter();
        let renamed =
            columns.map(|(column, data_type)| (Column::new(&alias, &column.name), data_type.clone()));
        let scope = Scope::new(renamed).map_err(|error| QueryError::internal(error.to_string()))?;
        Ok((Relation::UnionAll { alias, inputs }, Names::new(&union.schema, exprs, scope)))
    }
}

fn column(alias: &str, name: &str) -> Expr {
    Expr::Column(Column::new(alias, name))
}

fn join_kind(join_type: JoinType) -> Result<JoinKind> {
    match join_type {
        JoinType::Inner => Ok(JoinKind::Inner),
        JoinType::Left => Ok(JoinKind::Left),
        JoinType::Right => Ok(JoinKind::Right),
        JoinType::Full => Ok(JoinKind::Full),
        _ => Err(QueryError::sql(
            "EXISTS and IN (SELECT …) over rows are not answered by nodes yet: write a JOIN with a.node = b.node, or ask for the \
             inner result first",
        )),
    }
}

fn not_local(left: &Relation, right: &Relation) -> QueryError {
    let name =
        |relation: &Relation| relation.datasets().first().map_or_else(String::new, ToString::to_string);
    let (left, right) = (name(left), name(right));
    QueryError::sql(format!(
        "joining {left} with {right} may need rows of two boroughs at once: add {left}.node = {right}.node to ON to join \
         within each borough, or aggregate both first and join the results"
    ))
}
