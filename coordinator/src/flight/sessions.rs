//! Sessions: what a connection has set, kept under a cookie that nobody can guess.
//!
//! A session belongs to whoever opened it and is gone when closed or idle. It is opened only when there is something to keep; a
//! call that shows a cookie of no session of the caller's fails, for it would be answered otherwise than its sender expects.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

use super::options::Options;
use super::tickets::handle;

/// The cookie's name, as Arrow's own servers call it.
pub(super) const COOKIE: &str = "arrow_flight_session_id";

/// Most sessions that one analyst may have at once.
const MOST: usize = 100;

/// All sessions.
#[derive(Debug)]
pub(super) struct Sessions {
    idle: Duration,
    held: Mutex<HashMap<String, Session>>,
}

#[derive(Debug)]
struct Session {
    principal: String,
    options: Options,
    used: Instant,
    /// whether its cookie ever came back
    kept: bool,
}

impl Sessions {
    /// No sessions yet; each will live for `idle` after it was last used.
    pub(super) fn new(idle: Duration) -> Self {
        Self { idle, held: Mutex::default() }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        held.retain(|_, session| now.saturating_duration_since(session.used) < self.idle);
        held
    }

    /// Opens a session. One whose cookie never came back makes room: its client keeps no cookies.
    pub(super) fn open(&self, principal: &str) -> Result<String, Status> {
        let id = handle()?;
        let mut held = self.held();
        let own = || held.iter().filter(|(_, session)| session.principal == principal);
        if own().count() >= MOST {
            let forgotten =
                own().filter(|(_, session)| !session.kept).min_by_key(|(_, session)| session.used);
            let Some(forgotten) = forgotten.map(|(id, _)| id.clone()) else {
                return Err(Status::unavailable(format!(
                    "you have {MOST} sessions: close some, or wait until they have been idle for {} minutes",
                    self.idle.as_secs().div_ceil(60)
                )));
            };
            held.remove(&forgotten);
        }
        let session = Session {
            principal: principal.to_owned(),
            options: Options::default(),
            used: Instant::now(),
            kept: false,
        };
        held.insert(id.clone(), session);
        Ok(id)
    }

    /// Whether `id` is a session of the caller's, which counts as using it.
    pub(super) fn enter(&self, id: &str, principal: &str) -> Result<(), Status> {
        match self.held().get_mut(id) {
            Some(session) if session.principal == principal => {
                (session.used, session.kept) = (Instant::now(), true);
                Ok(())
            }
            _ => Err(unknown()),
        }
    }

    /// What is set in a session that the caller has entered.
    pub(super) fn options(&self, id: &str) -> Result<Options, Status> {
        self.held().get(id).map(|session| session.options.clone()).ok_or_else(unknown)
    }

    /// Changes what is set in a session that the caller has entered or opened, and says what the change says.
    pub(super) fn change<T>(&self, id: &str, change: impl FnOnce(&mut Options) -> T) -> Result<T, Status> {
        self.held().get_mut(id).map(|session| change(&mut session.options)).ok_or_else(unknown)
    }

    /// Forgets a session that the caller has entered.
    pub(super) fn close(&self, id: &str) {
        self.held().remove(id);
    }
}

/// The same for a session that expired, was closed, or is somebody else's.
fn unknown() -> Status {
    Status::unauthenticated(
        "the session is not known: it expired, was closed, or belongs to somebody else; connect again and set anew what you had set",
    )
}

/// The session a call belongs to. It travels with the request.
#[derive(Debug, Clone, Default)]
pub(super) struct Visit(Arc<Mutex<Place>>);

#[derive(Debug, Default)]
struct Place {
    session: Option<String>,
    /// what the answer tells the client to keep or forget
    cookie: Option<String>,
}

impl Visit {
    /// The visit that a request carries.
    pub(super) fn of<T>(request: &Request<T>) -> Self {
        request.extensions().get().cloned().unwrap_or_default()
    }

    /// A visit to a session that the caller has entered.
    pub(super) fn to(session: String) -> Self {
        Self(Arc::new(Mutex::new(Place { session: Some(session), cookie: None })))
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session, if there is one.
    pub(super) fn session(&self) -> Option<String> {
        self.place().session.clone()
    }

    /// The session; if there is none, one is opened and its cookie goes with the answer.
    pub(super) fn session_or_new(&self, sessions: &Sessions, principal: &str) -> Result<String, Status> {
        let mut place = self.place();
        if let Some(session) = &place.session {
            return Ok(session.clone());
        }
        let session = sessions.open(principal)?;
        place.cookie = Some(format!("{COOKIE}={session}"));
        place.session = Some(session.clone());
        Ok(session)
    }

    /// Closes the session, and has the client forget its cookie.
    pub(super) fn close(&self, sessions: &Sessions) {
        let mut place = self.place();
        if let Some(session) = place.session.take() {
            sessions.close(&session);
            place.cookie = Some(format!("{COOKIE}=; Max-Age=0"));
        }
    }

    /// What is set in the session, if there is one.
    pub(super) fn options(&self, sessions: &Sessions) -> Result<Options, Status> {
        self.session().map_or_else(|| Ok(Options::default()), |session| sessions.options(&session))
    }

    /// Puts the cookie, if there is one to send, into the head of an answer.
    pub(super) fn leave<T>(&self, response: &mut Response<T>) {
        if let Some(cookie) = self.place().cookie.as_ref().and_then(|cookie| cookie.parse().ok()) {
            response.metadata_mut().insert("set-cookie", cookie);
        }
    }
}

/// The session's cookie among those of a call; Java's clients quote it.
pub(super) fn cookie(headers: &MetadataMap) -> Option<String> {
    let lines = headers.get_all("cookie").into_iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    let (_, id) = pairs.find(|(name, _)| name.trim() == COOKIE)?;
    Some(id.trim().trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests;
