//! A ticket is good once: which ones this node has taken, and for how long it must know.
//!
//! A ticket bears the number of the question, its own number within it, and the time at which it was made. It is taken within ten
//! minutes of that time, by this node's clock, so that no more has to be remembered; what was made before the node started
//! may have been taken by the one before, and is not taken again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jigsaw_proto::refusal::{Refusal, RefusalCode};
use jigsaw_proto::wire::FragmentRequest;

/// How far the clocks of a coordinator and a node may be apart, and how old a ticket may be, in milliseconds.
const WINDOW_MS: u64 = 600_000;

/// Most tickets that are remembered; at most 64 MiB with their question's ids.
const MOST: usize = 500_000;

/// The tickets that were taken.
#[derive(Debug)]
pub(crate) struct Tickets {
    /// when this node began to remember
    since_ms: u64,
    taken: Mutex<Taken>,
}

/// When each ticket was made, by the number of its question and its own.
#[derive(Debug, Default)]
struct Taken {
    issued: HashMap<(String, u32), u64>,
    /// how many there may be before those that are too old are forgotten
    full: usize,
}

impl Tickets {
    /// Nothing was taken since then.
    pub(crate) fn since(since_ms: u64) -> Self {
        Self { since_ms, taken: Mutex::default() }
    }

    /// Takes a ticket, at the time `now_ms`.
    ///
    /// # Errors
    /// `N09` for a ticket that was taken before, or was made too long ago, in the future, or before the node started; `N04` while too
    /// many have to be remembered.
    pub(crate) fn redeem(&self, request: &FragmentRequest, now_ms: u64) -> Result<(), Refusal> {
        let made = request.issued_ms;
        if made.abs_diff(now_ms) > WINDOW_MS {
            return Err(used(
                "the request was not made in the last ten minutes: compare the clocks of coordinator and node",
            ));
        }
        if made < self.since_ms {
            return Err(used("the request was made before this node was started: ask again"));
        }
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.issued.len() >= taken.full {
            taken.issued.retain(|_, issued| issued.abs_diff(now_ms) <= WINDOW_MS);
            taken.full = (2 * taken.issued.len()).clamp(1024, MOST);
        }
        if taken.issued.len() >= MOST {
            return Err(Refusal::new(
                RefusalCode::Busy,
                "the node was asked too much in the last ten minutes: ask again later",
            ));
        }
        match taken.issued.insert((request.query.to_string(), request.serial), made) {
            None => Ok(()),
            Some(_) => Err(used("the request was taken before: make a new one for each call")),
        }
    }
}

fn used(message: &str) -> Refusal {
    Refusal::new(RefusalCode::TicketUsed, message)
}

#[cfg(test)]
mod tests {
    use jigsaw_proto::wire::FragmentRequest;

    use super::*;
    use crate::pipeline::tests::{by_ward, ticket};

    fn made(serial: u32, issued_ms: u64) -> FragmentRequest {
        let request = FragmentRequest::decode(&ticket(by_ward())).unwrap();
        FragmentRequest { serial, issued_ms, ..request }
    }

    #[test]
    fn a_ticket_is_good_once_and_for_ten_minutes() {
        let tickets = Tickets::since(1_000_000);
        let redeem =
            |request: &FragmentRequest, now| tickets.redeem(request, now).map_err(|refusal| refusal.code);
        let first = made(0, 1_000_000);
        assert_eq!(redeem(&first, 1_000_001), Ok(()));
        assert_eq!(redeem(&first, 1_000_002), Err(RefusalCode::TicketUsed));
        assert_eq!(
            redeem(&FragmentRequest { purpose: "other".to_owned(), ..first }, 1_000_003),
            Err(RefusalCode::TicketUsed)
        );
        assert_eq!(redeem(&made(1, 1_000_000), 1_000_003), Ok(()));
        assert_eq!(redeem(&made(2, 999_999), 1_000_003), Err(RefusalCode::TicketUsed), "of the node before");
        assert_eq!(redeem(&made(3, 1_000_000), 1_600_001), Err(RefusalCode::TicketUsed), "too old");
        assert_eq!(redeem(&made(4, 2_000_000), 1_300_000), Err(RefusalCode::TicketUsed), "not made yet");
    }

    #[test]
    fn only_what_could_be_taken_again_is_remembered() {
        let tickets = Tickets::since(0);
        for serial in 0..10_000 {
            let now = u64::from(serial) * 1_000;
            assert!(tickets.redeem(&made(serial, now), now).is_ok());
        }
        assert!(tickets.taken.lock().unwrap().issued.len() <= 1_202);
    }
}
