//! Node-local parts of a plan as relations of the fragment language.
//!
//! A part is node-local when f(all rows) is the union over nodes of f(rows of the node): scans, filters, projections,
//! unions, joins that prove that both sides are at one node, and inner aggregations whose keys prove that a group is at one node
//! ([`locality`]).

mod locality;
mod nested;

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::common::JoinType;
use datafusion::common::NullEquality;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{Join as PlanJoin, LogicalPlan, Projection, TableScan, Union};
use jigsaw_proto::contract::{Contract, Floor};
use jigsaw_proto::expr::{BinaryOp, Column, Expr};
use jigsaw_proto::fragment::{Join, JoinKind, Relation, Scope};
use jigsaw_proto::id::DatasetName;

use super::expr::translate;
use super::names::{Names, as_column};
use super::reliance::Reliance;
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

/// Whether any node protects a dataset; nodes that never said count as its contract has it.
pub(super) fn is_protected(contract: &Contract, nodes: &Snapshot) -> bool {
    matches!(contract.floor, Floor::Protected { .. }) || nodes.protects(&contract.name)
}

/// Builds the relation of one fragment, and remembers which dataset each alias stands for.
#[derive(Debug, Default)]
pub(super) struct RelationBuilder {
    scans: Vec<(String, Arc<Contract>)>,
    made: usize,
    /// the columns of scans that columns of subqueries are, under other names
    derived: BTreeMap<Column, Column>,
    relied_on: Vec<Reliance>,
    /// scans whose columns may be NULL for want of a match: a group of those is at many nodes
    optional: BTreeSet<String>,
}

impl RelationBuilder {
    /// The contract of a dataset that the relation reads.
    pub(super) fn contract(&self, dataset: &DatasetName) -> Option<&Contract> {
        self.scans.iter().map(|(_, contract)| &**contract).find(|contract| contract.name == *dataset)
    }

    /// Whether any node protects any of the rows; nodes that never said count as their contract has it.
    pub(super) fn is_protected(&self, nodes: &Snapshot) -> bool {
        self.scans.iter().any(|(_, contract)| is_protected(contract, nodes))
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
            LogicalPlan::Aggregate(aggregate) => self.grouped(aggregate),
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
        let contract = federated(scan).ok_or_else(|| {
            QueryError::sql(format!(
                "{} is no federated table, and is needed at the nodes below an inner aggregation or EXISTS: join it after the \
                 aggregation",
                scan.table_name
            ))
        })?;
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
        let kind = join_kind(join)?;
        if join.null_equality != NullEquality::NullEqualsNothing {
            return Err(QueryError::sql(
                "a join in which NULL equals NULL is not answered by nodes: use = in ON",
            ));
        }
        let first = self.scans.len();
        let (left, left_names) = self.relation(&join.left)?;
        let middle = self.scans.len();
        let (right, right_names) = self.relation(&join.right)?;
        self.may_lack(kind, first, middle);
        // Below an outer join, expressions of the side that may be missing must be computed before the join.
        let (left, left_names) = match kind {
            JoinKind::Right | JoinKind::Full => self.materialised(left, left_names, &join.left)?,
            JoinKind::Inner | JoinKind::Left | JoinKind::Semi | JoinKind::Anti => (left, left_names),
        };
        let (right, right_names) = match kind {
            JoinKind::Left | JoinKind::Full => self.materialised(right, right_names, &join.right)?,
            JoinKind::Inner | JoinKind::Right | JoinKind::Semi | JoinKind::Anti => (right, right_names),
        };
        let pairs = join
            .on
            .iter()
            .map(|(left, right)| Ok((translate(left, &left_names)?, translate(right, &right_names)?)));
        let pairs = pairs.collect::<Result<Vec<_>>>()?;
        let both = left_names.clone().beside(right_names)?;
        let filter = join.filter.as_ref().map(|filter| translate(filter, &both)).transpose()?;
        self.check_local(&pairs, filter.as_ref(), (&left, &right))?;
        if join.null_aware {
            self.check_never_null(&pairs)?;
        }
        let (on, rest) = self.keys(pairs);
        let filter = Expr::balanced(BinaryOp::And, rest.into_iter().chain(filter).collect());
        if on.is_empty() {
            return Err(QueryError::sql(
                "a join on node alone pairs every row of a borough with every other: add an equality of columns to ON",
            ));
        }
        let names = if kind.shows_right() { both.renamed(&join.schema) } else { left_names };
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
        for (name, expr) in &columns {
            self.derive(Column::new(&alias, name), expr);
        }
        let names = Names::new(plan.schema(), exprs, scope);
        Ok((Relation::Project { input: Box::new(input), alias, columns }, names))
    }

    fn union(&mut self, union: &Union) -> Result<(Relation, Names)> {
        let mut inputs = vec![];
        let mut first: Option<Names> = None;
        let mut nodes: Vec<bool> = vec![true; union.schema.fields().len()];
        for plan in &union.inputs {
            let (input, names) = self.relation(plan)?;
            let (input, names) = self.projected(input, &names, plan)?;
            for (node, expr) in nodes.iter_mut().zip(names.exprs()) {
                *node &= self.is_node(expr);
            }
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
        for (index, expr) in first.exprs().enumerate().filter(|(index, _)| nodes.get(*index) == Some(&true)) {
            self.derive(Column::new(&alias, format!("c{index}")), expr);
        }
        Ok((Relation::UnionAll { alias, inputs }, Names::new(&union.schema, exprs, scope)))
    }
}

fn column(alias: &str, name: &str) -> Expr {
    Expr::Column(Column::new(alias, name))
}

fn join_kind(join: &PlanJoin) -> Result<JoinKind> {
    match join.join_type {
        JoinType::Inner => Ok(JoinKind::Inner),
        JoinType::Left => Ok(JoinKind::Left),
        JoinType::Right => Ok(JoinKind::Right),
        JoinType::Full => Ok(JoinKind::Full),
        JoinType::LeftSemi => Ok(JoinKind::Semi),
        JoinType::LeftAnti => Ok(JoinKind::Anti),
        _ => Err(QueryError::sql(
            "EXISTS and IN (SELECT …) over rows are answered where they stand in WHERE by themselves or in an AND: not below OR, in \
             CASE or in SELECT",
        )),
    }
}
