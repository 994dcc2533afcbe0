//! Why a node does not answer: a closed list of codes, with words the analyst can act on.
//!
//! The words of a refusal are made of what the asker sent (names, types, SQL of the fragment) and of the dataset's
//! contract. Nothing that depends on a row can be put into one: there is no constructor that takes an engine's error.

use std::fmt;

use prost::Message;
use tonic::{Code, Status};

use crate::generated as wire;

/// The closed list. `R…` codes are rules of disclosure control, `N…` codes are about the node or the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefusalCode {
    /// `R01`: the node holds no such dataset under a policy
    NoSuchDataset,
    /// `R02`: the fragment is outside the language, or makes no sense in it
    NotInLanguage,
    /// `R03`: an entity column is compared, grouped, computed with or released
    EntityColumn,
    /// `R04`: a column is filtered or grouped that the contract does not open to it
    ColumnRole,
    /// `R05`: two columns are compared that the policy does not open to comparison
    ColumnComparison,
    /// `R06`: the policy does not allow this aggregate
    AggregateNotAllowed,
    /// `R12`: the policy shows whole grids only, and the question's keys span none
    NotOnGrid,
    /// `R22`: the join is not of a permitted form
    JoinNotAllowed,
    /// `R23`: rows of a protected dataset are made one for each group without an entity among the keys
    InnerAggregate,
    /// `R24`: the day's budget of a dataset is spent
    BudgetSpent,
    /// `R25`: the audit log cannot be written, so nothing is released
    AuditUnavailable,
    /// `N01`: the peer is not a coordinator this node serves
    NotServed,
    /// `N02`: other protocol version
    OtherVersion,
    /// `N03`: the request is too large, or no request at all
    BadRequest,
    /// `N04`: the node is busy with as many fragments as it takes at once
    Busy,
    /// `N05`: the deadline passed
    DeadlinePassed,
    /// `N06`: the node could not compute the answer; its own log says why
    Failed,
    /// `N07`: the fragment needs more memory than the node gives to one
    TooLarge,
    /// `N08`: no grant of the dataset's policy is for this principal and purpose
    NotGranted,
    /// `N09`: the request was taken before, or was made at another time
    TicketUsed,
    /// `N10`: nothing proves to this node who asks
    NotProved,
    /// `N11`: the principal asks more than this node takes of one
    TooMuch,
}

impl RefusalCode {
    /// The whole list.
    pub const ALL: [Self; 22] = [
        Self::NoSuchDataset,
        Self::NotInLanguage,
        Self::EntityColumn,
        Self::ColumnRole,
        Self::ColumnComparison,
        Self::AggregateNotAllowed,
        Self::NotOnGrid,
        Self::JoinNotAllowed,
        Self::InnerAggregate,
        Self::BudgetSpent,
        Self::AuditUnavailable,
        Self::NotServed,
        Self::OtherVersion,
        Self::BadRequest,
        Self::Busy,
        Self::DeadlinePassed,
        Self::Failed,
        Self::TooLarge,
        Self::NotGranted,
        Self::TicketUsed,
        Self::NotProved,
        Self::TooMuch,
    ];

    /// The public code.
    pub fn as_str(self) -> &'static str {
        self.entry().0
    }

    /// The gRPC status it travels as; the code that counts is in the details. It is never `RESOURCE_EXHAUSTED`, which gRPC's own
    /// machinery sends as well, for messages that are too long, and which drivers take for a fault of the server: what the policy
    /// bounds is `PERMISSION_DENIED`, what the node bounds `UNAVAILABLE`, as analysts are told of it by the coordinator.
    pub fn grpc(self) -> Code {
        self.entry().1
    }

    /// Whether the same question may be answered later.
    pub fn is_transient(self) -> bool {
        matches!(
            self,
            Self::Busy | Self::DeadlinePassed | Self::AuditUnavailable | Self::BudgetSpent | Self::TooMuch
        )
    }

    /// Whether it is the policy that says no, rather than the node that cannot.
    pub fn is_policy(self) -> bool {
        (self.as_str().starts_with('R') && self != Self::AuditUnavailable)
            || matches!(self, Self::NotGranted | Self::NotProved)
    }

    /// The code of that name.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|each| each.as_str() == code)
    }

    fn entry(self) -> (&'static str, Code) {
        match self {
            Self::NoSuchDataset => ("R01", Code::NotFound),
            Self::NotInLanguage => ("R02", Code::InvalidArgument),
            Self::EntityColumn => ("R03", Code::PermissionDenied),
            Self::ColumnRole => ("R04", Code::PermissionDenied),
            Self::ColumnComparison => ("R05", Code::PermissionDenied),
            Self::AggregateNotAllowed => ("R06", Code::PermissionDenied),
            Self::NotOnGrid => ("R12", Code::PermissionDenied),
            Self::JoinNotAllowed => ("R22", Code::PermissionDenied),
            Self::InnerAggregate => ("R23", Code::PermissionDenied),
            Self::BudgetSpent => ("R24", Code::PermissionDenied),
            Self::AuditUnavailable => ("R25", Code::Unavailable),
            Self::NotServed => ("N01", Code::Unauthenticated),
            Self::OtherVersion => ("N02", Code::FailedPrecondition),
            Self::BadRequest => ("N03", Code::InvalidArgument),
            Self::Busy => ("N04", Code::Unavailable),
            Self::DeadlinePassed => ("N05", Code::DeadlineExceeded),
            Self::Failed => ("N06", Code::Internal),
            Self::TooLarge => ("N07", Code::Unavailable),
            Self::NotGranted => ("N08", Code::PermissionDenied),
            Self::TicketUsed => ("N09", Code::AlreadyExists),
            Self::NotProved => ("N10", Code::PermissionDenied),
            Self::TooMuch => ("N11", Code::Unavailable),
        }
    }
}

impl fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A node's no: `R03 person_key is an entity column: …`
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code} {message}")]
pub struct Refusal {
    /// which rule
    pub code: RefusalCode,
    /// what is wrong and what to ask instead
    pub message: String,
}

impl Refusal {
    /// A refusal in the given words, which must not depend on any row.
    pub fn new(code: RefusalCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// As the gRPC status that `node` answers with.
    pub fn to_status(&self, node: &str) -> Status {
        let details = wire::Refusal {
            code: self.code.as_str().to_owned(),
            message: self.message.clone(),
            node: node.to_owned(),
        };
        Status::with_details(self.code.grpc(), self.to_string(), details.encode_to_vec().into())
    }

    /// Reads back what [`Refusal::to_status`] wrote; `None` if the status is no refusal.
    pub fn from_status(status: &Status) -> Option<Self> {
        let wire::Refusal { code, message, node: _ } = wire::Refusal::decode(status.details()).ok()?;
        Some(Self { code: RefusalCode::from_code(&code)?, message })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_survive_the_wire() {
        for code in RefusalCode::ALL {
            let refusal = Refusal::new(code, "words");
            assert_eq!(Refusal::from_status(&refusal.to_status("camden")), Some(refusal));
        }
    }

    /// Those that clients map to nothing, or to a fault of the server, are of faults alone.
    #[test]
    fn statuses_are_those_that_clients_know_what_to_do_with() {
        for code in RefusalCode::ALL {
            let expected = match code {
                RefusalCode::NoSuchDataset => Code::NotFound,
                RefusalCode::NotInLanguage | RefusalCode::BadRequest => Code::InvalidArgument,
                RefusalCode::NotServed => Code::Unauthenticated,
                RefusalCode::OtherVersion => Code::FailedPrecondition,
                RefusalCode::DeadlinePassed => Code::DeadlineExceeded,
                RefusalCode::Failed => Code::Internal,
                RefusalCode::TicketUsed => Code::AlreadyExists,
                code if code.is_policy() => Code::PermissionDenied,
                _ => Code::Unavailable,
            };
            assert_eq!(code.grpc(), expected, "{code}");
        }
    }
}
