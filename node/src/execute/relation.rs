//! Relations as plans over this node's tables, with the entity of every row carried along.

mod nested;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::DataType as ArrowType;
use datafusion::catalog::TableProvider;
use datafusion::common::{Column as PlanColumn, JoinType, TableReference};
use datafusion::datasource::provider_as_source;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr as PlanExpr, LogicalPlanBuilder, cast};
use jigsaw_proto::contract::{ColumnContract, NODE_COLUMN};
use jigsaw_proto::fragment::{Join, JoinKind, Relation, Scope};
use jigsaw_proto::id::DatasetName;
use jigsaw_proto::release::ReleaseMode;

use super::clamp::Clamp;
use super::expr::{lower as lower_expr, text};
use crate::sources::Dataset;
use crate::validate::{Approved, carries_right, clamped_to, counted_entities};

/// The tables of the datasets that a fragment reads.
pub(super) type Tables = BTreeMap<DatasetName, Arc<dyn TableProvider>>;

/// A plan, and where each kind of entity is in its rows.
pub(super) struct Lowered {
    pub(super) plan: LogicalPlanBuilder,
    pub(super) entities: Vec<PlanExpr>,
}

/// The input of an approved fragment.
///
/// The columns of a plan are those of the relation's scope, in its order, then one for each kind of entity; a join has the
/// columns of its sides one after the other.
pub(super) fn lower(approved: &Approved, tables: &Tables, node: &str) -> Result<Lowered> {
    Builder { approved, tables, node, unseen: Cell::new(0) }.relation(&approved.fragment().input)
}

struct Builder<'a> {
    approved: &'a Approved,
    tables: &'a Tables,
    node: &'a str,
    /// relations made so far that no fragment can name
    unseen: Cell<usize>,
}

impl Builder<'_> {
    fn relation(&self, relation: &Relation) -> Result<Lowered> {
        match relation {
            Relation::Scan { dataset, alias } => self.scan(dataset, alias),
            Relation::Filter { input, predicate } => {
                let Lowered { plan, entities } = self.relation(input)?;
                Ok(Lowered { plan: plan.filter(lower_expr(predicate)?)?, entities })
            }
            Relation::Project { input, alias, columns } => {
                let lowered = self.relation(input)?;
                let columns = columns.iter().map(|(name, expr)| Ok(lower_expr(expr)?.alias(name)));
                projected(lowered, columns.collect::<Result<_>>()?, alias)
            }
            Relation::Join(join) => self.join(join),
            Relation::UnionAll { alias, inputs } => self.union(alias, inputs),
            Relation::Aggregate { input, alias, keys, measures } => {
                self.grouped(input, alias, keys, measures)
            }
        }
    }

    fn scan(&self, dataset: &DatasetName, alias: &str) -> Result<Lowered> {
        let held = self.approved.dataset(dataset);
        let held = held.ok_or_else(|| DataFusionError::Plan("a dataset that was not approved".to_owned()))?;
        let unread = || DataFusionError::Plan("a dataset without a table".to_owned());
        let table = provider_as_source(Arc::clone(self.tables.get(dataset).ok_or_else(unread)?));
        let plan = LogicalPlanBuilder::scan(TableReference::bare(alias), table, None)?;
        let entities = counted_entities(held).map(|name| column(alias, name)).collect();
        let protected = self.approved.mode() == ReleaseMode::Protected;
        let clamped = |named: &ColumnContract| {
            let value = column(alias, named.name.as_str());
            match clamped_to(named).filter(|_| protected) {
                Some(bounds) => Clamp::between(bounds).call(vec![value]).alias(named.name.as_str()),
                None => value,
            }
        };
        let columns = held.visible().columns.iter().map(clamped);
        let columns = columns.chain([text(self.node).alias(NODE_COLUMN)]).collect();
        projected(Lowered { plan, entities }, columns, alias)
    }

    fn join(&self, join: &Join) -> Result<Lowered> {
        let Join { left, right, kind, on, filter } = join;
        let carried = carries_right(join);
        let (left, right) = (self.relation(left)?, self.relation(right)?);
        let kind = match kind {
            JoinKind::Inner => JoinType::Inner,
            JoinKind::Left => JoinType::Left,
            JoinKind::Right => JoinType::Right,
            JoinKind::Full => JoinType::Full,
            JoinKind::Semi if carried && !right.entities.is_empty() => return self.matched(left, right, on),
            JoinKind::Semi => JoinType::LeftSemi,
            JoinKind::Anti => JoinType::LeftAnti,
        };
        let key = |name: &jigsaw_proto::expr::Column| {
            PlanColumn::new(Some(TableReference::bare(name.relation.as_str())), name.name.as_str())
        };
        let keys: (Vec<PlanColumn>, Vec<PlanColumn>) =
            on.iter().map(|(left, right)| (key(left), key(right))).unzip();
        let filter = filter.as_ref().map(lower_expr).transpose()?;
        let plan = left.plan.join(right.plan.build()?, kind, keys, filter)?;
        let carried = if carried { right.entities } else { vec![] };
        Ok(Lowered { plan, entities: [left.entities, carried].concat() })
    }

    fn union(&self, alias: &str, inputs: &[Relation]) -> Result<Lowered> {
        let nothing = || DataFusionError::Plan("a union of nothing".to_owned());
        let (first, rest) = inputs.split_first().ok_or_else(nothing)?;
        let names: Vec<String> = self.columns(first)?.into_iter().map(|column| column.name).collect();
        let same = |input: &Relation| -> Result<Lowered> {
            let Lowered { plan, entities } = self.relation(input)?;
            // The same kind of entity may have a key of another type at another dataset; it is hashed as text anyway.
            let entities = entities.into_iter().map(|entity| cast(entity, ArrowType::Utf8View)).collect();
            let columns = self.columns(input)?.into_iter().map(|named| column(&named.relation, &named.name));
            let columns = columns.zip(&names).map(|(column, name)| column.alias(name));
            projected(Lowered { plan, entities }, columns.collect(), alias)
        };
        let Lowered { mut plan, entities } = same(first)?;
        for input in rest {
            plan = plan.union(same(input)?.plan.build()?)?;
        }
        Ok(Lowered { plan: plan.alias(alias)?, entities })
    }

    /// The columns a fragment can name, in order: not what the plan carries along.
    fn columns(&self, relation: &Relation) -> Result<Vec<jigsaw_proto::expr::Column>> {
        let scope = self.scope(relation)?;
        Ok(scope.columns().iter().map(|(column, _)| column.clone()).collect())
    }
}

impl Builder<'_> {
    fn scope(&self, relation: &Relation) -> Result<Scope> {
        let contract = |name: &DatasetName| self.approved.dataset(name).map(Dataset::visible);
        let scope = relation.scope(&contract);
        scope.map_err(|_| DataFusionError::Plan("a relation that was not approved".to_owned()))
    }
}

/// A projection that keeps the entities under names no fragment can spell.
fn projected(input: Lowered, mut columns: Vec<PlanExpr>, alias: &str) -> Result<Lowered> {
    let names: Vec<String> = (0..input.entities.len()).map(|kind| format!("\u{0}entity{kind}")).collect();
    columns.extend(input.entities.into_iter().zip(&names).map(|(entity, name)| entity.alias(name)));
    let plan = input.plan.project(columns)?.alias(alias)?;
    Ok(Lowered { plan, entities: names.iter().map(|name| column(alias, name)).collect() })
}

pub(super) fn column(relation: &str, name: &str) -> PlanExpr {
    PlanExpr::Column(PlanColumn::new(Some(TableReference::bare(relation)), name))
}
