//! What clients hold on to between calls: handles nobody can guess, bound to who made them, gone when used or idle.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use jigsaw_proto::id::QueryId;
use tokio::time::Instant;
use tonic::Status;

use super::command::Command;
use super::following::Lead;
use crate::dispatch::QueryContext;
use crate::query::Planned;

/// Longest time that a question waits to be fetched.
const WAITS: Duration = Duration::from_mins(15);

/// Most questions, and most prepared statements, that one analyst may hold at once.
const MOST: usize = 1000;

/// All handles in use.
#[derive(Debug)]
pub(super) struct Tickets {
    /// how long a prepared statement lives without being used
    idle: Duration,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    questions: HashMap<String, (Question, Instant)>,
    statements: HashMap<String, (Statement, Instant)>,
    /// by query id: the ticket, and the question while anybody works on it
    running: HashMap<String, (String, Weak<QueryContext>)>,
}

/// A question that was announced and may be fetched once.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) planned: Planned,
    pub(super) context: Arc<QueryContext>,
    /// carried out instead of a plan
    pub(super) command: Option<Command>,
    /// what runs already, where the question is followed by polling
    pub(super) ahead: Lead,
}

/// A prepared statement, perhaps with its parameters.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    pub(super) planned: Planned,
    pub(super) bound: Option<Planned>,
    /// carried out instead of a plan
    pub(super) command: Option<Command>,
    pub(super) principal: String,
}

impl Tickets {
    /// None yet. A prepared statement lives for `idle` after it was last used, a question that nobody fetches no longer than that.
    pub(super) fn new(idle: Duration) -> Self {
        Self { idle, held: Mutex::default() }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let waits = WAITS.min(self.idle);
        held.questions.retain(|_, (_, used)| now.saturating_duration_since(*used) < waits);
        held.statements.retain(|_, (_, used)| now.saturating_duration_since(*used) < self.idle);
        held.running.retain(|_, (_, context)| context.strong_count() > 0);
        held
    }

    /// Keeps a question until it is fetched.
    pub(super) fn announce(&self, question: Question) -> Result<String, Status> {
        let ticket = handle()?;
        let mut held = self.held();
        let principal = &question.context.principal;
        few(held.questions.values().filter(|(held, _)| held.context.principal == *principal).count())?;
        let running = (ticket.clone(), Arc::downgrade(&question.context));
        held.running.insert(question.context.id.to_string(), running);
        held.questions.insert(ticket.clone(), (question, Instant::now()));
        Ok(ticket)
    }

    /// The question of a ticket; a ticket is good once, and for whoever it was made for.
    pub(super) fn take(&self, ticket: &[u8], principal: &str) -> Result<Question, Status> {
        let ticket = std::str::from_utf8(ticket).unwrap_or_default();
        match self.held().questions.entry(ticket.to_owned()) {
            Entry::Occupied(held) if held.get().0.context.principal == principal => Ok(held.remove().0),
            _ => Err(unknown("ticket", "was used already")),
        }
    }

    /// A question that is followed or kept; it lives on from now.
    pub(super) fn question(&self, ticket: &str, principal: &str) -> Result<Question, Status> {
        match self.held().questions.get_mut(ticket) {
            Some((question, used)) if question.context.principal == principal => {
                *used = Instant::now();
                Ok(question.clone())
            }
            _ => Err(gone()),
        }
    }

    /// The caller's question of an id that was announced and not fetched yet.
    pub(super) fn announced(&self, id: &str, principal: &str) -> Result<Question, Status> {
        let held = self.held();
        let ticket = held.running.get(id).map(|(ticket, _)| ticket);
        let question = ticket.and_then(|ticket| held.questions.get(ticket)).map(|(question, _)| question);
        question.filter(|question| question.context.principal == principal).cloned().ok_or_else(gone)
    }

    /// Drops a question that has failed.
    pub(super) fn forget(&self, ticket: &str) {
        self.held().questions.remove(ticket);
    }

    /// Ends the caller's question of that id or with one of these tickets.
    pub(super) fn cancel(&self, tickets: &[String], id: &str, principal: &str) -> Result<(), Status> {
        let mut held = self.held();
        let meant = held.running.iter().find_map(|(known, (ticket, context))| {
            let meant = known == id || tickets.contains(ticket);
            let context = context.upgrade().filter(|context| meant && context.principal == principal)?;
            Some((ticket.clone(), context))
        });
        let (ticket, context) = meant.ok_or_else(gone)?;
        context.cancel();
        held.questions.remove(&ticket);
        Ok(())
    }

    /// The question that is running under an id, if the caller asked it.
    pub(super) fn running(&self, id: &str, principal: &str) -> Option<Arc<QueryContext>> {
        let context = self.held().running.get(id)?.1.upgrade()?;
        (context.principal == principal).then_some(context)
    }

    /// Keeps a prepared statement.
    pub(super) fn keep(&self, statement: Statement) -> Result<String, Status> {
        let handle = handle()?;
        let mut held = self.held();
        let principal = &statement.principal;
        few(held.statements.values().filter(|(held, _)| held.principal == *principal).count())?;
        held.statements.insert(handle.clone(), (statement, Instant::now()));
        Ok(handle)
    }

    /// Gives a prepared statement its parameters. Questions that were announced already keep theirs.
    pub(super) fn bind(&self, handle: &[u8], principal: &str, bound: Planned) -> Result<(), Status> {
        self.held().statement(handle, principal)?.bound = Some(bound);
        Ok(())
    }

    /// The prepared statement of a handle.
    pub(super) fn statement(&self, handle: &[u8], principal: &str) -> Result<Statement, Status> {
        self.held().statement(handle, principal).cloned()
    }

    /// Forgets a prepared statement.
    pub(super) fn close(&self, handle: &[u8], principal: &str) {
        let handle = std::str::from_utf8(handle).unwrap_or_default();
        self.held()
            .statements
            .retain(|known, (statement, _)| known != handle || statement.principal != principal);
    }
}

impl Held {
    /// The caller's prepared statement of a handle; it lives on from now.
    fn statement(&mut self, handle: &[u8], principal: &str) -> Result<&mut Statement, Status> {
        let handle = std::str::from_utf8(handle).unwrap_or_default();
        match self.statements.get_mut(handle) {
            Some((statement, used)) if statement.principal == principal => {
                *used = Instant::now();
                Ok(statement)
            }
            _ => Err(unknown("prepared statement", "was closed")),
        }
    }
}

/// Handles cost memory until they are used, closed or forgotten.
fn few(held: usize) -> Result<(), Status> {
    if held < MOST {
        return Ok(());
    }
    Err(Status::unavailable(format!("you hold {MOST} questions or statements: fetch or close some")))
}

/// A question that is no longer there to be followed.
fn gone() -> Status {
    unknown("question", "was fetched, has failed, was cancelled")
}

fn unknown(what: &str, why: &str) -> Status {
    Status::not_found(format!(
        "there is no such {what}: it {why}, expired, or belongs to somebody else: ask again"
    ))
}

/// 128 random bits in hexadecimal.
pub(super) fn handle() -> Result<String, Status> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| Status::internal("there is no source of randomness"))?;
    Ok(bytes.iter().fold(String::new(), |mut hex, byte| {
        // Infallible: writing to a String.
        _ = write!(hex, "{byte:02x}");
        hex
    }))
}

/// A new query id.
pub(super) fn query_id() -> Result<QueryId, Status> {
    handle()?.try_into().map_err(|_| Status::internal("a query id that is none"))
}
