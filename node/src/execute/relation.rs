//! Relations as plans over this node's tables, with the entity of every row carried along.

use datafusion::common::{Column as PlanColumn, JoinType, TableReference};
use datafusion::datasource::provider_as_source;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr as PlanExpr, LogicalPlanBuilder};
use jigsaw_proto::fragment::{Join, JoinKind, Relation};

use super::expr::Lowering;
use crate::validate::Approved;

/// A plan, and where each kind of entity is in its rows.
pub(super) struct Lowered {
    pub(super) plan: LogicalPlanBuilder,
    pub(super) entities: Vec<PlanExpr>,
}

/// The input of an approved fragment.
pub(super) fn lower(approved: &Approved, node: &str) -> Result<Lowered> {
    Builder { approved, lowering: Lowering::new(&approved.fragment().input, node) }
        .relation(&approved.fragment().input)
}

struct Builder<'a> {
    approved: &'a Approved,
    lowering: Lowering,
}

impl Builder<'_> {
    fn relation(&self, relation: &Relation) -> Result<Lowered> {
        match relation {
            Relation::Scan { dataset, alias } => {
                let held = self.approved.dataset(dataset);
                let held =
                    held.ok_or_else(|| DataFusionError::Plan("a dataset that was not approved".to_owned()))?;
                let source = provider_as_source(held.provider());
                let plan = LogicalPlanBuilder::scan(TableReference::bare(alias.as_str()), source, None)?;
                let entities = self.approved.entities_of(held).map(|name| column(alias, name)).collect();
                Ok(Lowered { plan, entities })
            }
            Relation::Filter { input, predicate } => {
                let Lowered { plan, entities } = self.relation(input)?;
                Ok(Lowered { plan: plan.filter(self.lowering.expr(predicate)?)?, entities })
            }
            Relation::Project { input, alias, columns } => {
                let lowered = self.relation(input)?;
                let columns = columns.iter().map(|(name, expr)| Ok(self.lowering.expr(expr)?.alias(name)));
                projected(lowered, columns.collect::<Result<_>>()?, alias)
            }
            Relation::Join(join) => self.join(join),
            Relation::UnionAll { alias, inputs } => self.union(alias, inputs),
        }
    }

    fn join(&self, join: &Join) -> Result<Lowered> {
        let Join { left, right, kind, on, filter } = join;
        let (left, right) = (self.relation(left)?, self.relation(right)?);
        let kind = match kind {
            JoinKind::Inner => JoinType::Inner,
            JoinKind::Left => JoinType::Left,
            JoinKind::Right => JoinType::Right,
            JoinKind::Full => JoinType::Full,
        };
        let key = |name: &jigsaw_proto::expr::Column| {
            PlanColumn::new(Some(TableReference::bare(name.relation.as_str())), name.name.as_str())
        };
        let keys: (Vec<PlanColumn>, Vec<PlanColumn>) =
            on.iter().map(|(left, right)| (key(left), key(right))).unzip();
        let filter = filter.as_ref().map(|filter| self.lowering.expr(filter)).transpose()?;
        let plan = left.plan.join(right.plan.build()?, kind, keys, filter)?;
        Ok(Lowered { plan, entities: [left.entities, right.entities].concat() })
    }

    fn union(&self, alias: &str, inputs: &[Relation]) -> Result<Lowered> {
        let mut lowered = inputs.iter().map(|input| self.relation(input));
        let first =
            lowered.next().ok_or_else(|| DataFusionError::Plan("a union of nothing".to_owned()))??;
        let names: Vec<String> =
            first.plan.schema().fields().iter().map(|field| field.name().clone()).collect();
        let visible = names.len() - first.entities.len();
        let same = |input: Lowered| -> Result<LogicalPlanBuilder> {
            let columns = input.plan.schema().columns();
            let all = columns.into_iter().take(visible).map(PlanExpr::Column).chain(input.entities);
            input.plan.project(all.zip(&names).map(|(expr, name)| expr.alias(name)))
        };
        let entities = first.entities.len();
        let mut plan = same(first)?;
        for next in lowered {
            plan = plan.union(same(next?)?.build()?)?;
        }
        let entities = names.iter().skip(names.len() - entities).map(|name| column(alias, name)).collect();
        Ok(Lowered { plan: plan.alias(alias)?, entities })
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
