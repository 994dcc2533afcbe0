//! Errors as gRPC statuses: one sentence, the code drivers map best, and the query id to ask about.

use jigsaw_proto::id::QueryId;
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};

use crate::query::QueryError;

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
    let mut status = Status::new(code, error.to_string());
    status.metadata_mut().insert("x-jigsaw-code", MetadataValue::from_static(word));
    if let Ok(id) = id.as_str().parse() {
        status.metadata_mut().insert("x-query-id", id);
    }
    status
}

/// What was asked cannot be done as it is written.
pub(super) fn sql(message: impl Into<String>) -> Status {
    let mut status = Status::invalid_argument(message);
    status.metadata_mut().insert("x-jigsaw-code", MetadataValue::from_static("sql"));
    status
}

/// Nobody may change anything.
pub(super) fn read_only() -> Status {
    let mut status = Status::unimplemented("Jigsaw answers questions and changes nothing: write a SELECT");
    status.metadata_mut().insert("x-jigsaw-code", MetadataValue::from_static("sql"));
    status
}

/// Nothing is changed, so there is nothing to go back to.
pub(super) fn no_savepoints() -> Status {
    let mut status =
        Status::unimplemented("there are no savepoints: Jigsaw answers questions and changes nothing");
    status.metadata_mut().insert("x-jigsaw-code", MetadataValue::from_static("sql"));
    status
}

/// SQL is the only language.
pub(super) fn no_substrait() -> Status {
    let mut status = Status::unimplemented("Substrait plans are not read: ask in SQL");
    status.metadata_mut().insert("x-jigsaw-code", MetadataValue::from_static("sql"));
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
