//! Lists of keys put into a plan.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, JoinType, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, ExprSchemable as _, Filter, Join, LogicalPlan, lit};

use super::public::Keys;
use super::{KeyList, Reach, Sides, Source};
use crate::dispatch::Snapshot;
use crate::split::protects;

/// Most of all lists of a question, in bytes, each counted for every table it may come to stand at: a quarter of a request.
const MOST_BYTES: usize = 64 * 1024;

/// Puts lists into a plan.
#[derive(Debug)]
pub(super) struct Conditions<'a> {
    keys: &'a HashMap<Source, Keys>,
    nodes: &'a Snapshot,
    reach: Reach,
    known: &'a [KeyList],
    made: Vec<KeyList>,
    bytes: usize,
}

/// A plan, and the lists that were put into it.
pub(super) struct Made {
    pub(super) plan: LogicalPlan,
    pub(super) lists: Vec<KeyList>,
}

impl<'a> Conditions<'a> {
    /// Lists of these keys for the rows of `reach`, but for those that are known and as short.
    pub(super) fn new(
        keys: &'a HashMap<Source, Keys>,
        nodes: &'a Snapshot,
        reach: Reach,
        known: &'a [KeyList],
    ) -> Self {
        Self { keys, nodes, reach, known, made: vec![], bytes: 0 }
    }

    /// `plan` with lists.
    pub(super) fn on(mut self, plan: LogicalPlan) -> Result<Made> {
        let plan = self.below(plan, &Needed::All)?;
        Ok(Made { plan, lists: self.made })
    }

    fn below(&mut self, plan: LogicalPlan, needed: &Needed) -> Result<LogicalPlan> {
        let made = self.made.len();
        let inner = needed.below(&plan)?;
        let plan = plan.map_children(|child| self.below(child, &inner).map(Transformed::yes))?.data;
        let plan = if self.made.len() > made { plan.recompute_schema()? } else { plan };
        match plan {
            LogicalPlan::Join(join) => self.join(join, needed),
            other => Ok(other),
        }
    }

    fn join(&mut self, join: Join, needed: &Needed) -> Result<LogicalPlan> {
        let Some(sides) = Sides::of(&join)? else { return Ok(LogicalPlan::Join(join)) };
        if self.reach == Reach::Open && protects(sides.federated, self.nodes)? {
            return Ok(LogicalPlan::Join(join));
        }
        let used = needed.any_of(sides.public.schema());
        let alone = join.on.len() == 1 && join.filter.is_none();
        let tables = scans(sides.federated)?;
        let (mut conditions, mut instead) = (vec![], false);
        for (of, key) in sides.pairs() {
            let Some(keys) = self.keys.get(&(sides.public.clone(), key.clone())) else { continue };
            let bytes = keys.bytes() * tables;
            let Some(condition) = condition(of, keys, sides.federated.schema())? else { continue };
            if self.is_known(of, key, keys) || self.bytes + bytes > MOST_BYTES {
                continue;
            }
            self.bytes += bytes;
            instead = alone && (join.join_type == JoinType::LeftSemi || keys.unique && !used);
            conditions.push(condition);
            self.made.push(KeyList {
                read: sides.public.clone(),
                key: key.clone(),
                of: of.clone(),
                length: keys.values.len(),
                instead,
            });
        }
        let Some(condition) = conjunction(conditions) else { return Ok(LogicalPlan::Join(join)) };
        let rows = Filter::try_new(condition, Arc::new(sides.federated.clone()))?;
        let rows = LogicalPlan::Filter(rows);
        if instead {
            return Ok(rows);
        }
        let joined = if sides.public_is_left {
            Join { right: Arc::new(rows), ..join }
        } else {
            Join { left: Arc::new(rows), ..join }
        };
        Ok(LogicalPlan::Join(joined))
    }

    /// Whether the plan has a list that is as short.
    fn is_known(&self, of: &Expr, key: &Expr, keys: &Keys) -> bool {
        let known = self.known.iter().find(|list| (&list.of, &list.key) == (of, key));
        known.is_some_and(|list| list.length <= keys.values.len())
    }
}

/// That `of` is one of the keys; `None`: they are of another type.
fn condition(of: &Expr, keys: &Keys, schema: &DFSchema) -> Result<Option<Expr>> {
    let wanted = of.get_type(schema)?;
    let is_text = |data_type: &DataType| data_type.is_string();
    let fitted = |value: &ScalarValue| -> Result<Option<Expr>> {
        let found = value.data_type();
        Ok(if found == wanted {
            Some(Expr::Literal(value.clone(), None))
        } else if is_text(&found) && is_text(&wanted) {
            Some(Expr::Literal(value.cast_to(&wanted)?, None))
        } else {
            None
        })
    };
    let values: Option<Vec<Expr>> = keys.values.iter().map(fitted).collect::<Result<_>>()?;
    Ok(values.map(|values| if values.is_empty() { lit(false) } else { of.clone().in_list(values, false) }))
}

fn scans(plan: &LogicalPlan) -> Result<usize> {
    let mut count = 0;
    plan.apply(|plan| {
        count += usize::from(matches!(plan, LogicalPlan::TableScan(_)));
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(count)
}

/// The columns of an operator that those above it use.
#[derive(Debug)]
enum Needed {
    All,
    Columns(HashSet<Column>),
}

impl Needed {
    /// The columns that `plan`, of whose columns these are needed, needs of what is below it.
    fn below(&self, plan: &LogicalPlan) -> Result<Self> {
        let passes_on = match plan {
            LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_) => false,
            LogicalPlan::Filter(_) | LogicalPlan::Sort(_) | LogicalPlan::Join(_) => true,
            _ => return Ok(Self::All),
        };
        let mut columns = match self {
            Self::All if passes_on => return Ok(Self::All),
            Self::Columns(columns) if passes_on => columns.clone(),
            _ => HashSet::new(),
        };
        plan.apply_expressions(|expr| {
            columns.extend(expr.column_refs().into_iter().cloned());
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(Self::Columns(columns))
    }

    /// Whether any of the columns of `schema` is needed.
    fn any_of(&self, schema: &DFSchema) -> bool {
        match self {
            Self::All => !schema.fields().is_empty(),
            Self::Columns(columns) => columns.iter().any(|column| schema.has_column(column)),
        }
    }
}
