//! Conditions on public tables, as lists of keys that nodes can test their rows for.
//!
//! A node is not told what is in a public table. Where a question joins federated rows `F` with public rows `R`, the keys of `R`, after
//! its own conditions, are read here before the question is split, and `F.key IN (…)` becomes a condition on `F`, which
//! nodes apply: instead of a group for each key they have, they answer with the groups that the join keeps, or with no group at all.
//!
//! ```text
//! F ⋈ σ(R)   becomes   σ[key IN (…)](F) ⋈ σ(R)     and, where the list says all that the join said,   σ[key IN (…)](F)
//! F ⋉ R      becomes   σ[key IN (…)](F)
//! ```
//!
//! No answer changes by it:
//! * Rows of `F` whose key is none of `R`'s, NULL among them, are in neither join. NULL keys of `R` meet nothing and are in no list.
//! * An inner join stays, for several rows of `R` may have one key. It goes where it has one equality and no other condition, every
//!   key is there once, and no column of `R` is used.
//! * A semi-join goes where it has one equality and no other condition; else it stays.
//! * Outer joins, anti-joins (`NOT IN`, `NOT EXISTS`), and joins in which NULL equals NULL are left as they are.
//! * Where there is no key, there is no row: no node is asked.
//!
//! # What nodes make of it
//! A list is in the fragment as if the analyst had written `IN (…)`: the node's rules judge it, its budget is charged with it, its
//! audit log has it. Whoever fills a public table can therefore ask nothing that they could not write down. But a node that protects
//! may refuse a list (`R04`) where it answers the groups: so a list is made for open data, and for
//! protected data only if the question could not be split without.
//!
//! Public tables are read once, at start, so a plan's lists are what the tables hold for as long as the plan is kept.

mod condition;
mod public;

use std::collections::HashMap;
use std::time::Duration;

use datafusion::common::JoinType;
use datafusion::common::NullEquality;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::{Expr, Join, LogicalPlan};
use datafusion::optimizer::Optimizer;
use tokio::time::timeout;

use crate::dispatch::Snapshot;
use crate::plan::rules_before_split;
use crate::split::reads_federated;
use condition::Conditions;
use public::Keys;

/// How often lists are looked for: a list that shortens one public table may make a list of the next short enough.
const ROUNDS: usize = 3;

/// Longest time that a question's keys are read for; after it, there is no list.
const LONGEST: Duration = Duration::from_secs(1);

/// A plan that is ready to run, and the lists that are in it.
#[derive(Debug)]
pub(crate) struct Optimized {
    pub(crate) plan: LogicalPlan,
    pub(crate) lists: Vec<KeyList>,
}

/// The keys of a public table as a condition on federated rows.
#[derive(Debug, Clone)]
pub(crate) struct KeyList {
    /// what was read
    pub(crate) read: LogicalPlan,
    /// the key, of what was read
    pub(crate) key: Expr,
    /// what must be one of the keys
    pub(crate) of: Expr,
    /// how many there are
    pub(crate) length: usize,
    /// whether the list stands in place of the join
    pub(crate) instead: bool,
}

/// Which rows lists may be made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// those that no node protects
    Open,
    All,
}

/// The statement, optimized and split, with key lists where they help.
///
/// # Errors
/// What is wrong with the statement as it was written.
pub(crate) async fn optimized(
    statement: &LogicalPlan,
    session: &SessionState,
    nodes: &Snapshot,
) -> Result<Optimized> {
    if !joins_public(statement)? {
        return Ok(Optimized { plan: session.optimize(statement)?, lists: vec![] });
    }
    let within =
        async |reach| timeout(LONGEST, with_lists(statement, session, nodes, reach)).await.ok().flatten();
    if let Some(found) = within(Reach::Open).await {
        return Ok(found);
    }
    match session.optimize(statement) {
        Ok(plan) => Ok(Optimized { plan, lists: vec![] }),
        Err(error) => within(Reach::All).await.ok_or(error),
    }
}

/// Whether federated and other tables are read.
fn joins_public(statement: &LogicalPlan) -> Result<bool> {
    let (mut federated, mut other) = (false, false);
    statement.apply_with_subqueries(|plan| {
        match plan {
            LogicalPlan::TableScan(_) if reads_federated(plan)? => federated = true,
            LogicalPlan::TableScan(_) | LogicalPlan::Values(_) => other = true,
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(federated && other)
}

/// The statement with lists; `None`: there are none, or it cannot be answered with them.
async fn with_lists(
    statement: &LogicalPlan,
    session: &SessionState,
    nodes: &Snapshot,
    reach: Reach,
) -> Option<Optimized> {
    let before = Optimizer::with_rules(rules_before_split());
    let options = session.config_options();
    let analyzed = session.analyzer().execute_and_check(statement.clone(), options, |_, _| {}).ok()?;
    let mut plan = before.optimize(analyzed, session, |_, _| {}).ok()?;
    let mut lists: Vec<KeyList> = vec![];
    for _ in 0..ROUNDS {
        let keys = keys_of(&plan, session).await.ok()?;
        let made = Conditions::new(&keys, nodes, reach, &lists).on(plan.clone()).ok()?;
        if made.lists.is_empty() {
            break;
        }
        for list in made.lists {
            lists.retain(|known| (&known.of, &known.key) != (&list.of, &list.key));
            lists.push(list);
        }
        plan = before.optimize(made.plan, session, |_, _| {}).ok()?;
    }
    if lists.is_empty() {
        return None;
    }
    let plan = session.optimizer().optimize(plan, session, |_, _| {}).ok()?;
    Some(Optimized { plan, lists })
}

/// Public rows, and the expression over them that is their key in a join.
type Source = (LogicalPlan, Expr);

/// The keys of all public rows that are joined with federated ones in a way that a list can follow.
async fn keys_of(plan: &LogicalPlan, session: &SessionState) -> Result<HashMap<Source, Keys>> {
    let mut sources: Vec<Source> = vec![];
    plan.apply(|plan| {
        if let LogicalPlan::Join(join) = plan
            && let Some(sides) = Sides::of(join)?
        {
            sources.extend(sides.pairs().map(|(_, key)| (sides.public.clone(), key.clone())));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    let mut found = HashMap::new();
    for source in sources {
        if !found.contains_key(&source)
            && let Some(keys) = public::keys(&source.0, &source.1, session).await
        {
            found.insert(source, keys);
        }
    }
    Ok(found)
}

/// A join of federated rows with public ones that keeps no row without a match.
#[derive(Debug, Clone, Copy)]
struct Sides<'a> {
    join: &'a Join,
    public: &'a LogicalPlan,
    federated: &'a LogicalPlan,
    public_is_left: bool,
}

impl<'a> Sides<'a> {
    fn of(join: &'a Join) -> Result<Option<Self>> {
        if join.null_equality != NullEquality::NullEqualsNothing || join.on.is_empty() {
            return Ok(None);
        }
        let (left, right) = (&*join.left, &*join.right);
        let (federated, public, public_is_left) = match join.join_type {
            JoinType::Inner | JoinType::LeftSemi if reads_federated(left)? => (left, right, false),
            JoinType::Inner => (right, left, true),
            _ => return Ok(None),
        };
        // Every key of a table is no news to an inner join, as a rule.
        let tells = join.join_type == JoinType::LeftSemi || public::has_condition(public)?;
        let fits = tells && reads_federated(federated)? && public::is_public(public)?;
        Ok(fits.then_some(Self { join, public, federated, public_is_left }))
    }

    /// What must be equal: of the federated rows, and of the public ones.
    fn pairs(self) -> impl Iterator<Item = (&'a Expr, &'a Expr)> {
        self.join.on.iter().map(
            move |(left, right)| {
                if self.public_is_left { (right, left) } else { (left, right) }
            },
        )
    }
}
