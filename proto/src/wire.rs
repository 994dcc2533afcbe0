//! What a message that is not a fragment is told, and how messages become bytes.

use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;

use crate::fragment::Fragment;
use crate::generated as wire;
use crate::id::QueryId;
use crate::identity::{Assertion, MAX_ASSERTION_BYTES};

/// Version of the protocol this crate speaks. A change that an older peer could misread raises it.
pub const PROTOCOL_VERSION: u32 = 1;

/// Longest ticket a node reads, in bytes.
pub const MAX_REQUEST_BYTES: usize = 256 * 1024;

/// Bytes that are no message of this protocol. The words name the place in the message, never its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed message: {0}")]
pub struct Malformed(pub &'static str);

/// A request that cannot be taken further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRequest {
    /// The bytes are no request.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The peer speaks another version.
    #[error(
        "this node speaks protocol version {ours}, the request is in version {theirs}: install the same major version of jigsaw on both sides",
        ours = PROTOCOL_VERSION
    )]
    OtherVersion {
        /// The version in the request.
        theirs: u32,
    },
    /// The ticket is longer than any honest one.
    #[error("the request has {bytes} bytes, at most {most} are read: ask with fewer literals", most = MAX_REQUEST_BYTES)]
    Oversize {
        /// The length met.
        bytes: usize,
    },
}

/// The ticket of a node's `DoGet`: one fragment and the circumstances of asking.
#[derive(Debug, Clone, PartialEq)]
pub struct FragmentRequest {
    /// The analyst's question this is a part of.
    pub query: QueryId,
    /// Who asks, as the coordinator says. What proves it is the assertion.
    pub principal: String,
    /// Why, in the analyst's words; may be empty.
    pub purpose: String,
    /// Milliseconds after which the answer is of no use.
    pub deadline_ms: u64,
    /// What is asked.
    pub fragment: Fragment,
    /// Which request of the question this is: no two of one query id have the same number. A node takes each once.
    pub serial: u32,
    /// When it was made, in milliseconds since 1970-01-01 UTC ([`unix_ms`]).
    pub issued_ms: u64,
    /// Proof of who asks; empty: none.
    pub assertion: Assertion,
}

/// Milliseconds since 1970-01-01 UTC, by this machine's clock.
pub fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Longest `principal` and `purpose`, in bytes.
const MAX_LABEL_BYTES: usize = 512;

impl FragmentRequest {
    /// The bytes of a ticket.
    pub fn encode(&self) -> Vec<u8> {
        wire::FragmentRequest {
            protocol: PROTOCOL_VERSION,
            query_id: self.query.to_string(),
            principal: self.principal.clone(),
            purpose: self.purpose.clone(),
            deadline_ms: self.deadline_ms,
            fragment: Some((&self.fragment).into()),
            serial: self.serial,
            issued_ms: self.issued_ms,
            assertion: self.assertion.as_str().to_owned(),
        }
        .encode_to_vec()
    }

    /// Reads a ticket.
    ///
    /// # Errors
    /// Bytes that are too long, in another protocol version, or no fragment of the language.
    pub fn decode(bytes: &[u8]) -> Result<Self, InvalidRequest> {
        if bytes.len() > MAX_REQUEST_BYTES {
            return Err(InvalidRequest::Oversize { bytes: bytes.len() });
        }
        let message =
            wire::FragmentRequest::decode(bytes).map_err(|_| Malformed("it is no fragment request"))?;
        let wire::FragmentRequest {
            protocol,
            query_id,
            principal,
            purpose,
            deadline_ms,
            fragment,
            serial,
            issued_ms,
            assertion,
        } = message;
        if protocol != PROTOCOL_VERSION {
            return Err(InvalidRequest::OtherVersion { theirs: protocol });
        }
        if principal.len() > MAX_LABEL_BYTES || purpose.len() > MAX_LABEL_BYTES {
            return Err(Malformed("principal or purpose is longer than 512 bytes").into());
        }
        if assertion.len() > MAX_ASSERTION_BYTES {
            return Err(Malformed("the assertion is longer than 16 KiB").into());
        }
        Ok(Self {
            query: query_id.try_into().map_err(|_| Malformed("the query id is not one"))?,
            principal,
            purpose,
            deadline_ms,
            fragment: fragment.ok_or(Malformed("the fragment is missing"))?.try_into()?,
            serial,
            issued_ms,
            assertion: assertion.into(),
        })
    }
}
