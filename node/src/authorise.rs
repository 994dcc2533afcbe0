//! `request → Permit`: who asks, and whether this node serves them.

mod identity;
mod tickets;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{NaiveDate, Utc};
use jigsaw_proto::identity::unix_seconds;
use jigsaw_proto::pace::{Limits, Pace, Room};
use jigsaw_proto::refusal::{Refusal, RefusalCode};
use jigsaw_proto::tls::certificate_has_identity;
use jigsaw_proto::wire::{FragmentRequest, InvalidRequest};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(crate) use identity::{Analyst, Identity, IdentitySettings, Proof, Who};
pub(crate) use tickets::Tickets;

/// How long a request waits for its turn before it is told that the node is busy.
const PATIENCE: Duration = Duration::from_secs(5);

/// A decoded request of a coordinator that this node serves, of somebody it knows, with its turn to run.
#[derive(Debug)]
pub(crate) struct Permit {
    request: FragmentRequest,
    who: Who,
    asked: Instant,
    today: NaiveDate,
    _room: Room,
    _turn: OwnedSemaphorePermit,
}

/// What a request passes on its way in.
#[derive(Debug)]
pub(crate) struct Gate {
    turns: Arc<Semaphore>,
    identity: Option<Identity>,
    pace: Pace,
}

/// What is known of a request so far.
pub(crate) enum Heard<'a> {
    /// what is asked, in the words of the coordinator
    Asked(&'a FragmentRequest),
    /// who asks
    Proved(&'a Who),
}

impl Gate {
    /// So many requests at once; analysts verified by `identity`, or known by the coordinator's word; none faster than `limits`.
    pub(crate) fn new(turns: usize, identity: Option<Identity>, limits: Limits) -> Self {
        Self { turns: Arc::new(Semaphore::new(turns)), identity, pace: Pace::new(limits) }
    }

    /// One request at once, on the coordinator's word.
    pub(crate) fn trusting() -> Self {
        Self::new(1, None, Limits::default())
    }

    #[cfg(test)]
    pub(crate) fn turns(&self) -> &Semaphore {
        &self.turns
    }

    /// Uses up what a permit's assertion allows.
    ///
    /// # Errors
    /// `N10` where it allows no more.
    pub(crate) fn take(&self, permit: &Permit) -> Result<(), Refusal> {
        match (&self.identity, &permit.who.proof) {
            (Some(identity), Proof::Statement(statement)) => identity.take(statement, &permit.request),
            _ => Ok(()),
        }
    }
}

impl Permit {
    pub(crate) fn request(&self) -> &FragmentRequest {
        &self.request
    }

    /// Who asks.
    pub(crate) fn who(&self) -> &Who {
        &self.who
    }

    /// The day, UTC, on which it is asked: what decides whether a grant has ended.
    pub(crate) fn today(&self) -> NaiveDate {
        self.today
    }

    /// What is left of the time after which the answer is of no use.
    pub(crate) fn time_left(&self) -> Duration {
        Duration::from_millis(self.request.deadline_ms).saturating_sub(self.asked.elapsed())
    }
}

/// The pinned identity that the peer's certificate (DER, verified against the authority) carries.
///
/// # Errors
/// `N01` for anybody else.
pub(crate) fn identify(certificate: Option<&[u8]>, coordinators: &[String]) -> Result<String, Refusal> {
    let known = certificate.and_then(|certificate| {
        coordinators.iter().find(|identity| certificate_has_identity(certificate, identity))
    });
    known.cloned().ok_or_else(|| {
        Refusal::new(
            RefusalCode::NotServed,
            "this node serves only the coordinators its configuration names: the certificate shown carries none of their identities",
        )
    })
}

/// Decodes a ticket, finds out who asks, and waits for a turn; `heard` is told what is known as soon as it is.
///
/// # Errors
/// `N02` or `N03` for what is no request, `N10` if nothing proves who asks, `N11` if they ask too much, `N04` if the node is busy.
pub(crate) async fn authorise(
    ticket: &[u8],
    gate: &Gate,
    mut heard: impl FnMut(Heard<'_>),
) -> Result<Permit, Refusal> {
    let asked = Instant::now();
    let request = FragmentRequest::decode(ticket).map_err(|error| {
        let code = match error {
            InvalidRequest::OtherVersion { .. } => RefusalCode::OtherVersion,
            InvalidRequest::Malformed(_) | InvalidRequest::Oversize { .. } => RefusalCode::BadRequest,
        };
        Refusal::new(code, error.to_string())
    })?;
    heard(Heard::Asked(&request));
    let who = match &gate.identity {
        Some(identity) => identity.verify(&request, unix_seconds()).await?,
        None => Who::by_word_of_the_coordinator(&request),
    };
    heard(Heard::Proved(&who));
    let room = gate.pace.enter(&who.principal);
    let room = room.map_err(|limit| Refusal::new(RefusalCode::TooMuch, limit.to_string()))?;
    let patience = PATIENCE.min(Duration::from_millis(request.deadline_ms));
    let busy = || {
        Refusal::new(
            RefusalCode::Busy,
            "the node runs as many fragments as it takes at once: ask again later",
        )
    };
    let turn = tokio::time::timeout(patience, Arc::clone(&gate.turns).acquire_owned()).await;
    let turn = turn.map_err(|_| busy())?.map_err(|_| busy())?;
    Ok(Permit { request, who, asked, today: Utc::now().date_naive(), _room: room, _turn: turn })
}

/// A permit to see what would become of a request that somebody in `groups` asks on the day `today`, by the node's own operator.
/// It runs nothing and waits for nobody.
///
/// # Errors
/// `N02` or `N03` for what is no request.
pub(crate) async fn rehearse(
    ticket: &[u8],
    today: NaiveDate,
    groups: &BTreeSet<String>,
) -> Result<Permit, Refusal> {
    let permit = authorise(ticket, &Gate::trusting(), |_| {}).await?;
    let who = Who { groups: groups.clone(), ..permit.who };
    Ok(Permit { who, today, ..permit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_pinned_certificate_nobody_is_served() {
        let pinned = ["coordinator.example".to_owned()];
        for certificate in [None, Some(&b""[..]), Some(&b"coordinator.example"[..])] {
            assert_eq!(identify(certificate, &pinned).unwrap_err().code, RefusalCode::NotServed);
        }
    }
}
