//! Equal fragments that wait at the same time are asked once.
//!
//! Answers are never kept. A question that comes while nobody asks the same goes to the nodes at once. Questions that come while
//! the same is being asked wait until that is over, or for [`PATIENCE`], and then share one asking, which begins after each of
//! them came: what any of them is told is as fresh as if it had asked alone.
//!
//! Only questions of one analyst, with one proof of who that is, one purpose and on the same terms are the same: nodes decide by
//! these what they release, and record them. (What an analyst signs is signed for one question, so it is asked alone.) What an
//! analyst is told this way was released to that analyst, for that purpose, by a request that the node recorded; nobody is told
//! anything that was released to somebody else, nor can tell what others ask.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use datafusion::arrow::datatypes::SchemaRef;
use jigsaw_proto::fragment::{Fragment, Relation};
use jigsaw_proto::identity::Assertion;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::outcome::combine;
use super::{DispatchError, Federation, NodeOutcome, QueryContext, Released};

/// How long a question waits for an asking that has begun before it came; a slow node delays nobody for longer.
const PATIENCE: Duration = Duration::from_millis(100);

/// What two questions must have in common to be asked together.
#[derive(Debug, PartialEq)]
pub(super) struct Terms {
    principal: String,
    /// what proves the principal to nodes
    proof: Assertion,
    purpose: String,
    allow_partial: bool,
    /// the whole time it has
    limit: Duration,
    fragment: Fragment,
    /// nodes that can have no rows of it are not asked
    about: Relation,
}

/// The askings that have not ended.
#[derive(Debug, Default)]
pub(super) struct Together {
    last: Mutex<Vec<(Terms, Weak<Asked>)>>,
}

/// One asking, for everybody who holds it. Dropping the last hold of it ends the work at every node.
#[derive(Debug)]
struct Asked {
    state: watch::Receiver<State>,
    _task: AbortOnDropHandle<()>,
}

#[derive(Debug, Clone, Default)]
struct State {
    begun: bool,
    told: Option<Told>,
}

/// What became of every node, and what that makes of the answer.
type Told = (Arc<[NodeOutcome]>, Result<Arc<Released>, DispatchError>);

impl Federation {
    /// Asks one fragment of all nodes that hold its datasets, and can have rows of `about`
    /// (by itself: of what the fragment reads); together with whoever waits to ask the same.
    ///
    /// # Errors
    /// Nodes that are missing from the answer, unless the question allows that; a refusal in which all nodes agree.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        context: &Arc<QueryContext>,
        fragment: &Fragment,
        schema: SchemaRef,
        about: Option<&Relation>,
    ) -> Result<Arc<Released>, DispatchError> {
        let terms = Terms {
            principal: context.principal.clone(),
            proof: context.proof(),
            purpose: context.purpose.clone(),
            allow_partial: context.allow_partial,
            limit: context.whole(),
            fragment: fragment.clone(),
            about: about.unwrap_or(&fragment.input).clone(),
        };
        let (asked, own) = self.join(terms, context, schema);
        let mut state = asked.state.clone();
        let told = state.wait_for(|state| state.told.is_some()).await;
        // The task is only aborted with the last hold, which is here.
        let told = told.ok().and_then(|state| state.told.clone());
        let (outcomes, answer) = told.ok_or_else(|| DispatchError::nobody_holds(fragment))?;
        if !own {
            context.asking(outcomes.iter().map(|outcome| &outcome.node));
            outcomes.iter().for_each(|outcome| context.answered(outcome));
        }
        answer
    }

    /// The asking that a question shares, and whether it is made in its name.
    fn join(
        self: &Arc<Self>,
        terms: Terms,
        context: &Arc<QueryContext>,
        schema: SchemaRef,
    ) -> (Arc<Asked>, bool) {
        let mut last = self.together.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.retain(|(_, asked)| asked.strong_count() > 0);
        let place = last.iter().position(|(known, _)| *known == terms);
        let known = place.map(|place| last.swap_remove(place)).and_then(|(_, asked)| asked.upgrade());
        let (asked, own) = match known {
            Some(waiting) if !waiting.state.borrow().begun => (waiting, false),
            Some(begun) if begun.state.borrow().told.is_none() => {
                (self.asked(&terms, context, schema, Some(begun.state.clone())), true)
            }
            _ => (self.asked(&terms, context, schema, None), true),
        };
        last.push((terms, Arc::downgrade(&asked)));
        (asked, own)
    }

    /// Starts an asking, after the one before it.
    fn asked(
        self: &Arc<Self>,
        terms: &Terms,
        context: &Arc<QueryContext>,
        schema: SchemaRef,
        before: Option<watch::Receiver<State>>,
    ) -> Arc<Asked> {
        let (telling, state) = watch::channel(State::default());
        let (federation, context) = (Arc::clone(self), Arc::clone(context));
        let (fragment, about) = (terms.fragment.clone(), terms.about.clone());
        let task = tokio::spawn(async move {
            if let Some(mut before) = before {
                // It may have been given up, too.
                let over = before.wait_for(|state| state.told.is_some());
                _ = tokio::time::timeout(PATIENCE, over).await;
            }
            telling.send_modify(|state| state.begun = true);
            let outcomes = federation.ask_nodes(&context, &fragment, schema, &about).await;
            let told = match outcomes {
                Err(error) => (Arc::default(), Err(error)),
                Ok(outcomes) => {
                    let summaries = outcomes.iter().map(NodeOutcome::summary).collect();
                    (summaries, combine(outcomes, context.allow_partial).map(Arc::new))
                }
            };
            telling.send_modify(|state| state.told = Some(told));
        });
        Arc::new(Asked { state, _task: AbortOnDropHandle::new(task) })
    }
}
