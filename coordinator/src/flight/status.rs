//! Errors as gRPC statuses: one sentence, the code drivers map best, and the query id to ask about.

use jigsaw_proto::id::QueryId;
use jigsaw_proto::pace::TooMuch;
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};

use crate::query::QueryError;

/// The header that has the id to ask about.
pub(super) const QUERY_ID: &str = "x-query-id";

/// The status of an error of one question.
pub(super) fn of(error: &QueryError, id: &QueryId) -> Status {
    let (code, word) = match error {
        QueryError::Sql { .. } => (Code::InvalidArgument, "sql"),
        QueryError::NotFound { .. } => (Code::NotFound, "sql"),
        QueryError::ReadOnly { .. } => (Code::Unimplemented, "sql"),
        QueryError::Refused { .. } => (Code::PermissionDenied, "refused"),
        QueryError::Incomplete { .. } => (Code::Unavailable, "incomplete"),
        QueryError::Deadline { .. } => (Code::DeadlineExceeded, "unavailable"),
        QueryError::Cancelled { .. } => (Code::Cancelled, "cancelled"),
        QueryError::Internal { .. } => (Code::Internal, "internal"),
    };
    let mut status = with_word(Status::new(code, error.to_string()), word);
    if let Ok(id) = id.as_str().parse() {
        status.metadata_mut().insert(QUERY_ID, id);
    }
    status
}

/// The principal asks more than is taken of one.
pub(super) fn too_much(limit: TooMuch, id: &QueryId) -> Status {
    let mut status = with_word(Status::unavailable(limit.to_string()), "limits");
    if let Ok(id) = id.as_str().parse() {
        status.metadata_mut().insert(QUERY_ID, id);
    }
    status
}

/// What was asked cannot be done as it is written.
pub(super) fn sql(message: impl Into<String>) -> Status {
    with_word(Status::invalid_argument(message), "sql")
}

/// Whatever a client sends at once is bounded.
pub(super) fn request_too_long(limit: usize) -> Status {
    sql(format!(
        "the request is longer than the {} MiB that are read at once: shorten the statement, join with a reference table instead of listing values, or bind fewer rows of parameters",
        limit / (1024 * 1024)
    ))
}

/// Nobody may change anything.
pub(super) fn read_only() -> Status {
    unanswered("Jigsaw answers questions and changes nothing: write a SELECT")
}

/// Nothing is changed, so there is nothing to go back to.
pub(super) fn no_savepoints() -> Status {
    unanswered("there are no savepoints: Jigsaw answers questions and changes nothing")
}

/// SQL is the only language.
pub(super) fn no_substrait() -> Status {
    unanswered("Substrait plans are not read: ask in SQL")
}

fn unanswered(message: &str) -> Status {
    with_word(Status::unimplemented(message), "sql")
}

fn with_word(mut status: Status, word: &'static str) -> Status {
    status.metadata_mut().insert("x-jigsaw-code", MetadataValue::from_static(word));
    status
}

pub(super) fn late() -> QueryError {
    QueryError::Deadline { message: "the question was not answered in time: ask for less at once".to_owned() }
}

pub(super) fn cancelled() -> QueryError {
    QueryError::Cancelled { message: "the question was cancelled by whoever asked it".to_owned() }
}

pub(super) fn encoding() -> Status {
    Status::internal("a schema cannot be encoded")
}
