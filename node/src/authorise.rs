//! `request → Permit`: who asks, and whether this node serves them.

mod tickets;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{NaiveDate, Utc};
use jigsaw_proto::refusal::{Refusal, RefusalCode};
use jigsaw_proto::tls::certificate_has_identity;
use jigsaw_proto::wire::{FragmentRequest, InvalidRequest};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(crate) use tickets::Tickets;

/// How long a request waits for its turn before it is told that the node is busy.
const PATIENCE: Duration = Duration::from_secs(5);

/// A decoded request of a coordinator that this node serves, with its turn to run.
#[derive(Debug)]
pub(crate) struct Permit {
    request: FragmentRequest,
    asked: Instant,
    today: NaiveDate,
    _turn: OwnedSemaphorePermit,
}

impl Permit {
    pub(crate) fn request(&self) -> &FragmentRequest {
        &self.request
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

/// Decodes a ticket, hands it to `asked`, and waits for a turn.
///
/// # Errors
/// `N02` or `N03` for what is no request, `N04` if the node is busy.
pub(crate) async fn authorise(
    ticket: &[u8],
    turns: &Arc<Semaphore>,
    asked: impl FnOnce(&FragmentRequest),
) -> Result<Permit, Refusal> {
    let start = Instant::now();
    let request = FragmentRequest::decode(ticket).map_err(|error| {
        let code = match error {
            InvalidRequest::OtherVersion { .. } => RefusalCode::OtherVersion,
            InvalidRequest::Malformed(_) | InvalidRequest::Oversize { .. } => RefusalCode::BadRequest,
        };
        Refusal::new(code, error.to_string())
    })?;
    asked(&request);
    let patience = PATIENCE.min(Duration::from_millis(request.deadline_ms));
    let busy = || {
        Refusal::new(
            RefusalCode::Busy,
            "the node runs as many fragments as it takes at once: ask again later",
        )
    };
    let turn = tokio::time::timeout(patience, Arc::clone(turns).acquire_owned()).await;
    let turn = turn.map_err(|_| busy())?.map_err(|_| busy())?;
    Ok(Permit { request, asked: start, today: Utc::now().date_naive(), _turn: turn })
}

/// A permit to see what would become of a request that is asked on the day `today`, by the node's own operator. It runs
/// nothing and waits for nobody.
///
/// # Errors
/// `N02` or `N03` for what is no request.
pub(crate) async fn rehearse(ticket: &[u8], today: NaiveDate) -> Result<Permit, Refusal> {
    let permit = authorise(ticket, &Arc::new(Semaphore::new(1)), |_| {}).await?;
    Ok(Permit { today, ..permit })
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
