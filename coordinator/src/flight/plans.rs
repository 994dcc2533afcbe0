//! Plans of statements that were planned lately: tools send the same ones again and again.
//!
//! A plan holds no answer and nothing of a row: it says which fragments are asked and how releases are merged. It is used again
//! for the analyst who sent the statement, so that nobody learns from how long planning takes what others ask; only as long as
//! nodes say of themselves what they said when it was made; and only where planning it again would make the same plan. Keys of
//! public tables that are in it (`keys`) stay what the tables hold: these are read once, when the process starts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::dispatch::Snapshot;
use crate::query::{Engine, Form, Planned, QueryError};

/// Most plans that are kept.
const MOST: usize = 256;

/// Longest statement whose plan is kept, in bytes.
const MOST_SQL_BYTES: usize = 16 * 1024;

/// The plans that are kept.
#[derive(Debug, Default)]
pub(super) struct Plans {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    plans: HashMap<Key, Plan>,
    /// counts uses
    clock: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    principal: String,
    sql: String,
    form: Form,
}

#[derive(Debug)]
struct Plan {
    planned: Planned,
    view: Arc<Snapshot>,
    used: u64,
}

impl Plans {
    /// Plans a statement, or finds its plan.
    pub(super) async fn plan(
        &self,
        engine: &Engine,
        principal: &str,
        sql: &str,
        form: Form,
    ) -> Result<Planned, QueryError> {
        let view = engine.view();
        let key = Key { principal: principal.to_owned(), sql: sql.to_owned(), form };
        if let Some(planned) = self.find(&key, &view) {
            return Ok(planned);
        }
        let planned = engine.plan(sql, form).await?;
        if planned.lasts() && sql.len() <= MOST_SQL_BYTES {
            self.keep(key, planned.clone(), view);
        }
        Ok(planned)
    }

    fn find(&self, key: &Key, view: &Arc<Snapshot>) -> Option<Planned> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.clock += 1;
        let clock = held.clock;
        let plan = held.plans.get_mut(key).filter(|plan| Arc::ptr_eq(&plan.view, view))?;
        plan.used = clock;
        Some(plan.planned.clone())
    }

    /// Keeps a plan; the one that was used least lately makes room, and those of an older view go.
    fn keep(&self, key: Key, planned: Planned, view: Arc<Snapshot>) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.plans.retain(|_, plan| Arc::ptr_eq(&plan.view, &view));
        if held.plans.len() >= MOST {
            let oldest = held.plans.iter().min_by_key(|(_, plan)| plan.used).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                held.plans.remove(&oldest);
            }
        }
        let used = held.clock;
        held.plans.insert(key, Plan { planned, view, used });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::datatypes::Schema;

    use super::*;

    fn key(principal: &str, number: usize) -> Key {
        Key { principal: principal.to_owned(), sql: format!("SELECT {number}"), form: Form::default() }
    }

    fn planned() -> Planned {
        Planned::of_schema(Arc::new(Schema::empty()))
    }

    #[test]
    fn a_plan_is_its_analysts_and_goes_with_what_it_was_made_of() {
        let (plans, view) = (Plans::default(), Arc::new(Snapshot::default()));
        plans.keep(key("ada", 1), planned(), Arc::clone(&view));
        assert!(plans.find(&key("ada", 1), &view).is_some());
        assert!(plans.find(&key("eve", 1), &view).is_none());
        let native = Form { types: crate::plan::WireTypes::Native, ..Form::default() };
        assert!(plans.find(&Key { form: native, ..key("ada", 1) }, &view).is_none());
        let later = Arc::new(Snapshot::default());
        assert!(plans.find(&key("ada", 1), &later).is_none());
        plans.keep(key("ada", 2), planned(), later);
        assert_eq!(plans.held.lock().unwrap().plans.len(), 1, "the older view's plan is kept");
    }

    #[test]
    fn the_plan_that_was_not_used_for_longest_makes_room() {
        let (plans, view) = (Plans::default(), Arc::new(Snapshot::default()));
        for number in 0..=MOST {
            plans.keep(key("ada", number), planned(), Arc::clone(&view));
            assert!(plans.find(&key("ada", 0), &view).is_some(), "{number}");
        }
        assert_eq!(plans.held.lock().unwrap().plans.len(), MOST);
        assert!(plans.find(&key("ada", MOST), &view).is_some());
    }
}
