//! What a line of the log says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How a request ended, or what else a line is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// a request was decoded; its end is another line
    #[default]
    Asked,
    /// its release left, or was about to
    Released,
    /// it was refused
    Refused,
    /// whoever asked hung up
    Abandoned,
    /// the node went down before it ended
    Crashed,
    /// the node started
    Started,
    /// bytes above this line were cut off by a crash or a failed write, and say nothing
    Torn,
    /// requests that ended in a refusal while the log could not be written, more than were kept to be written later
    Unrecorded,
}

impl Outcome {
    /// Whether the line ends a request.
    pub(crate) const fn ends(self) -> bool {
        matches!(self, Self::Released | Self::Refused | Self::Abandoned | Self::Crashed)
    }

    /// Its word in the log.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Released => "released",
            Self::Refused => "refused",
            Self::Abandoned => "abandoned",
            Self::Crashed => "crashed",
            Self::Started => "started",
            Self::Torn => "torn",
            Self::Unrecorded => "unrecorded",
        }
    }
}

/// Bytes of the log that are no lines of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Torn {
    /// how many, up to the end of the line above
    pub(crate) bytes: u64,
    /// their SHA-256, in hexadecimal
    pub(crate) digest: String,
}

/// One line of the log. What is empty is not written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Line {
    /// place in the log, from 1
    pub(crate) seq: u64,
    /// SHA-256 of the line before, in hexadecimal; empty in the first
    pub(crate) previous: String,
    /// the node's clock, RFC 3339
    pub(crate) time: String,
    pub(crate) outcome: Outcome,
    /// number of the request, the same in the line that opens and in the line that ends it
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) entry: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) query: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) coordinator: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) principal: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) purpose: String,
    /// what proved the principal to this node; empty: the coordinator's word
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) verified: String,
    /// the principal's groups, by the same proof
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) groups: Vec<String>,
    /// what the analyst signed, whole; of a token its SHA-256, for it may still be good
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) assertion: String,
    /// SHA-256 of the question's SQL as the analyst signed it, in hexadecimal
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) question: String,
    /// the data-sharing agreement of the grant that was used
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) agreement: String,
    /// what was asked, as SQL
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) fragment: String,
    /// why it was refused
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) code: String,
    /// rules that were applied
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) rules: Vec<String>,
    /// how many groups and cells each rule took
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) fired: BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) released_cells: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) withheld_cells: Option<u64>,
    /// hash of the policy that decided
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) policy: String,
    /// of the release's columns as sent
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<u64>,
    /// SHA-256 of these bytes, in hexadecimal
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) milliseconds: Option<u64>,
    /// the request's bytes, base64: it can be asked again
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) request: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) torn: Option<Torn>,
    /// how many requests are not in the log
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unrecorded: Option<u64>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) note: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}
