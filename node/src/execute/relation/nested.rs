//! Rows made one for each group, and rows that have a match: relations whose entities are many to a row.

use datafusion::arrow::datatypes::DataType as ArrowType;
use datafusion::common::{Column as PlanColumn, JoinType, TableReference};
use datafusion::error::{DataFusionError, Result};
use datafusion::functions_aggregate::expr_fn::min;
use datafusion::logical_expr::{Expr as PlanExpr, LogicalPlanBuilder, cast, col};
use jigsaw_proto::expr::{Column, Expr};
use jigsaw_proto::fragment::{Measure, Relation};

use super::{Builder, Lowered, column, lower_expr, projected};
use crate::execute::measure::state;

impl Builder<'_> {
    /// An inner aggregation. Of the entities behind the rows of a group, the least of each kind stands for all: the key itself,
    /// where the rows are grouped by it.
    pub(super) fn grouped(
        &self,
        input: &Relation,
        alias: &str,
        keys: &[(String, Expr)],
        measures: &[(String, Measure)],
    ) -> Result<Lowered> {
        let scope = self.scope(input)?;
        let Lowered { plan, entities } = self.relation(input)?;
        let (mut groups, mut calls, mut outputs) = (vec![], vec![], vec![]);
        for (place, (name, key)) in keys.iter().enumerate() {
            groups.push(lower_expr(key)?.alias(format!("k{place}")));
            outputs.push(col(format!("k{place}")).alias(name));
        }
        for (place, (name, measure)) in measures.iter().enumerate() {
            let argument = measure.argument.as_ref().map(|argument| scope.type_of(argument)).transpose();
            let argument =
                argument.map_err(|_| DataFusionError::Plan("a measure that was not approved".to_owned()))?;
            let (own, output) = state(&format!("s{place}"), measure, argument.as_ref(), None)?;
            calls.extend(own);
            outputs.push(output.alias(name));
        }
        let (least, entities) = stand_ins(entities);
        calls.extend(least);
        projected(Lowered { plan: plan.aggregate(groups, calls)?, entities }, outputs, alias)
    }

    /// The rows of the left that have a match on the right, once each, with one entity of each kind of the right.
    pub(super) fn matched(&self, left: Lowered, right: Lowered, on: &[(Column, Column)]) -> Result<Lowered> {
        let number = self.unseen.get();
        self.unseen.set(number + 1);
        let alias = format!("\u{0}match{number}");
        let keys = on.iter().enumerate();
        let groups =
            keys.map(|(place, (_, key))| column(&key.relation, &key.name).alias(format!("k{place}")));
        let (least, entities) = stand_ins(right.entities);
        let plan = right.plan.aggregate(groups.collect::<Vec<_>>(), least)?;
        let keys = (0..on.len()).map(|place| col(format!("k{place}")).alias(format!("k{place}"))).collect();
        let matches = projected(Lowered { plan, entities }, keys, &alias)?;

        let own: Vec<PlanExpr> = left.plan.schema().columns().into_iter().map(PlanExpr::Column).collect();
        let named = |relation: &str, name: &str| PlanColumn::new(Some(TableReference::bare(relation)), name);
        let pairs: (Vec<PlanColumn>, Vec<PlanColumn>) = on
            .iter()
            .enumerate()
            .map(|(place, (key, _))| (named(&key.relation, &key.name), named(&alias, &format!("k{place}"))))
            .unzip();
        let plan = left.plan.join(matches.plan.build()?, JoinType::Inner, pairs, None)?;
        let columns: Vec<PlanExpr> = own.into_iter().chain(matches.entities.iter().cloned()).collect();
        let plan: LogicalPlanBuilder = plan.project(columns)?;
        Ok(Lowered { plan, entities: [left.entities, matches.entities].concat() })
    }
}

/// The calls that give one entity of each kind, and what they are called.
fn stand_ins(entities: Vec<PlanExpr>) -> (Vec<PlanExpr>, Vec<PlanExpr>) {
    let least = entities.into_iter().enumerate().map(|(kind, entity)| {
        let name = format!("\u{0}least{kind}");
        let call = min(cast(entity, ArrowType::Utf8View)).alias(&name);
        (call, PlanExpr::Column(PlanColumn::new_unqualified(name)))
    });
    least.unzip()
}
