//! Questions that are followed by polling: they run before they are fetched, and each poll says how far they are.
//!
//! A poll of a statement runs it at once. A poll of a ticket that was announced runs that question, so that an analyst who signs
//! for nodes can announce it, sign what nodes will be asked, and bring the assertion with the first poll.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use arrow_flight::sql::{
    Any, CommandPreparedStatementQuery, CommandStatementQuery, ProstMessageExt, TicketStatementQuery,
};
use arrow_flight::{FlightDescriptor, FlightInfo, PollInfo};
use jigsaw_proto::refusal::RefusalCode;
use prost::Message as _;
use prost_types::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Request, Response, Status};

use super::messages::{Batches, begun};
use super::statement::info;
use super::tickets::Question;
use super::{Shared, status};
use crate::auth::Caller;
use crate::dispatch::{Progress, QueryContext};
use crate::query::Planned;

/// How long a poll waits for news.
const PATIENCE: Duration = Duration::from_secs(1);

/// A question that runs ahead of being fetched. Dropping it cancels it at every node.
pub(super) struct Ahead {
    state: Arc<Mutex<State>>,
    ended: watch::Receiver<bool>,
    told: Mutex<Progress>,
    _task: AbortOnDropHandle<()>,
}

enum State {
    Running,
    Begun(Batches),
    Failed(Status),
    Taken,
}

impl fmt::Debug for Ahead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ahead(ended: {})", *self.ended.borrow())
    }
}

/// What runs ahead of being fetched, once a poll has started it. All who hold the question hold the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Lead(Arc<Mutex<Option<Arc<Ahead>>>>);

impl Lead {
    /// What runs, if anything does.
    pub(super) fn running(&self) -> Option<Arc<Ahead>> {
        locked(&self.0).clone()
    }

    /// Starts what does not run yet.
    fn start(&self, start: impl FnOnce() -> Result<Ahead, Status>) -> Result<(), Status> {
        let mut running = locked(&self.0);
        if running.is_none() {
            *running = Some(Arc::new(start()?));
        }
        Ok(())
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ahead {
    /// Starts the clock and asks the nodes.
    fn start(shared: &Shared, planned: &Planned, context: &Arc<QueryContext>) -> Result<Self, Status> {
        shared.admit(context)?;
        context.start(None);
        let batches = planned.execute(&shared.engine, Arc::clone(context));
        let batches = batches.map_err(|error| status::of(&error, &context.id))?;
        let (state, (ending, ended)) = (Arc::new(Mutex::new(State::Running)), watch::channel(false));
        let (place, context) = (Arc::clone(&state), Arc::clone(context));
        let task = tokio::spawn(async move {
            let outcome = begun(batches, &context).await;
            *locked(&place) = outcome.map_or_else(State::Failed, State::Begun);
            ending.send_replace(true);
            // What nobody fetches is not kept for longer than it is of use.
            tokio::time::sleep_until(context.deadline()).await;
            let mut state = locked(&place);
            if matches!(*state, State::Begun(_)) {
                *state = State::Failed(status::of(&status::late(), &context.id));
            }
        });
        Ok(Self { state, ended, told: Mutex::default(), _task: AbortOnDropHandle::new(task) })
    }

    /// Waits until every node has answered, or one has not.
    async fn ended(&self) {
        // An error is a task that is gone, which has left its state.
        _ = self.ended.clone().wait_for(|ended| *ended).await;
    }

    /// The answer, once.
    pub(super) async fn batches(&self) -> Result<Batches, Status> {
        self.ended().await;
        match std::mem::replace(&mut *locked(&self.state), State::Taken) {
            State::Begun(batches) => Ok(batches),
            State::Failed(status) => Err(status),
            State::Running | State::Taken => Err(status::encoding()),
        }
    }

    /// Whether the answer can be fetched; an error where there will be none.
    fn ready(&self) -> Result<bool, Status> {
        match &*locked(&self.state) {
            State::Failed(status) => Err(status.clone()),
            state => Ok(!matches!(state, State::Running)),
        }
    }

    /// Waits for the end, or for more progress than was told last, but not for long.
    async fn news(&self, context: &QueryContext) -> Progress {
        let mut progress = context.progress();
        let told = locked(&self.told).clone();
        tokio::select! {
            () = self.ended() => {}
            _ = progress.wait_for(|now| now.answered > told.answered) => {}
            () = tokio::time::sleep(PATIENCE) => {}
        }
        let now = progress.borrow().clone();
        locked(&self.told).clone_from(&now);
        now
    }
}

impl Shared {
    /// A poll: the first runs the question, each says how far it is, the last has what to fetch. `None` if the descriptor is
    /// of nothing that takes time.
    pub(super) async fn poll(
        &self,
        principal: String,
        request: &Request<FlightDescriptor>,
    ) -> Result<Option<Response<PollInfo>>, Status> {
        let Ok(command) = Any::decode(&*request.get_ref().cmd) else { return Ok(None) };
        let (handle, question) = if let Ok(Some(ticket)) = command.unpack::<TicketStatementQuery>() {
            let handle = String::from_utf8_lossy(&ticket.statement_handle).into_owned();
            let question = self.tickets.question(&handle, &principal)?;
            self.lead(&question, request)?;
            (handle, question)
        } else {
            let question = if let Ok(Some(query)) = command.unpack::<CommandStatementQuery>() {
                self.question(&query.query, principal, request).await?
            } else if let Ok(Some(query)) = command.unpack::<CommandPreparedStatementQuery>() {
                self.question_prepared(&query.prepared_statement_handle, principal, request)?
            } else {
                return Ok(None);
            };
            self.lead(&question, request)?;
            (self.tickets.announce(question.clone())?, question)
        };
        self.follow(&handle, &question).await.map(Some)
    }

    /// Runs a question that does not run yet, with the proof that the call brings.
    fn lead<T>(&self, question: &Question, request: &Request<T>) -> Result<(), Status> {
        if question.command.is_some() {
            return Ok(());
        }
        question.ahead.start(|| {
            question.context.prove(Caller::proof(request));
            Ahead::start(self, &question.planned, &question.context)
        })
    }

    async fn follow(&self, handle: &str, question: &Question) -> Result<Response<PollInfo>, Status> {
        let ticket = TicketStatementQuery { statement_handle: handle.to_owned().into() };
        let again = FlightDescriptor::new_cmd(ticket.as_any().encode_to_vec());
        if let Some(ahead) = question.ahead.running() {
            let progress = ahead.news(&question.context).await;
            let ready = ahead.ready().inspect_err(|_| self.tickets.forget(handle));
            if !ready.map_err(|status| unproved(status, &question.context))? {
                let info = info(question, again.clone(), None)?;
                let ends = question.context.deadline().saturating_duration_since(Instant::now());
                return Ok(Response::new(PollInfo {
                    info: Some(info),
                    flight_descriptor: Some(again),
                    progress: Some(fraction(&progress)),
                    expiration_time: Some(Timestamp::from(SystemTime::now() + ends)),
                }));
            }
        }
        Ok(at_once(info(question, again, Some(handle))?))
    }
}

/// Nodes answered of nodes asked. Merging comes after the last of them, so it is never quite one.
fn fraction(progress: &Progress) -> f64 {
    let [answered, asked] =
        [progress.answered, progress.asked].map(|nodes| f64::from(u32::try_from(nodes).unwrap_or(u32::MAX)));
    if asked > 0.0 { (answered / asked).min(0.99) } else { 0.0 }
}

/// The last poll, which may be the first: a metadata command takes no time.
pub(super) fn at_once(info: FlightInfo) -> Response<PollInfo> {
    Response::new(PollInfo {
        info: Some(info),
        flight_descriptor: None,
        progress: Some(1.0),
        expiration_time: None,
    })
}

/// A node that wants a proof has refused, and the polls brought none: how to bring one.
fn unproved(status: Status, context: &QueryContext) -> Status {
    if context.proved() || !status.message().contains(RefusalCode::NotProved.as_str()) {
        return status;
    }
    let message = format!(
        "{}; a poll runs its question at once: to sign it, announce it with GetFlightInfo, sign, and poll its ticket with the assertion",
        status.message()
    );
    Status::with_metadata(status.code(), message, status.metadata().clone())
}
