//! Session options. There is one catalog and no session: whatever a driver sets must be what there is.

use std::collections::HashMap;

use arrow_flight::{Action, ActionType, Result as ActionResult};
use futures::{StreamExt, stream};
use prost::Message;
use tonic::{Response, Status};

use super::Actions;
use super::statement::PROGRESS;
use crate::catalogue::{CATALOG, PUBLIC};

pub(super) const SET_OPTIONS: &str = "SetSessionOptions";
pub(super) const GET_OPTIONS: &str = "GetSessionOptions";
pub(super) const CLOSE: &str = "CloseSession";

/// `arrow.flight.protocol.SetSessionOptionsRequest`, and the result of `GetSessionOptions`
#[derive(Clone, PartialEq, Message)]
pub(super) struct Options {
    #[prost(map = "string, message", tag = "1")]
    pub(super) options: HashMap<String, OptionValue>,
}

/// `arrow.flight.protocol.SessionOptionValue`: its text; other kinds of values are never right here.
#[derive(Clone, PartialEq, Message)]
pub(super) struct OptionValue {
    #[prost(string, optional, tag = "1")]
    pub(super) text: Option<String>,
}

/// `arrow.flight.protocol.SetSessionOptionsResult`
#[derive(Clone, PartialEq, Message)]
pub(super) struct Errors {
    #[prost(map = "string, message", tag = "1")]
    pub(super) errors: HashMap<String, OptionError>,
}

/// `arrow.flight.protocol.SetSessionOptionsResult.Error`
#[derive(Clone, PartialEq, Message)]
pub(super) struct OptionError {
    #[prost(int32, tag = "1")]
    pub(super) kind: i32,
}

/// `arrow.flight.protocol.CloseSessionResult`
#[derive(Clone, PartialEq, Message)]
struct Closed {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// There is no option of that name.
pub(super) const INVALID_NAME: i32 = 1;
/// The option cannot have that value.
pub(super) const INVALID_VALUE: i32 = 2;
const CLOSED: i32 = 1;

/// The options there are, and the only value of each.
const FIXED: [(&str, &str); 2] = [("catalog", CATALOG), ("schema", PUBLIC)];

/// Answers one of the three actions.
pub(super) fn action(action: &Action) -> Result<Response<Actions>, Status> {
    let body = match action.r#type.as_str() {
        SET_OPTIONS => {
            let asked = Options::decode(&*action.body)
                .map_err(|_| Status::invalid_argument("the body is no SetSessionOptionsRequest"))?;
            Errors { errors: asked.options.into_iter().filter_map(error).collect() }.encode_to_vec()
        }
        GET_OPTIONS => {
            let value = |value: &str| OptionValue { text: Some(value.to_owned()) };
            let options = FIXED.into_iter().map(|(name, fixed)| (name.to_owned(), value(fixed)));
            Options { options: options.collect() }.encode_to_vec()
        }
        _ => Closed { status: CLOSED }.encode_to_vec(),
    };
    Ok(Response::new(stream::iter([Ok(ActionResult { body: body.into() })]).boxed()))
}

fn error((name, value): (String, OptionValue)) -> Option<(String, OptionError)> {
    let kind = match FIXED.into_iter().find(|(known, _)| *known == name) {
        None => INVALID_NAME,
        Some((_, fixed)) if value.text.as_deref() == Some(fixed) => return None,
        Some(_) => INVALID_VALUE,
    };
    Some((name, OptionError { kind }))
}

/// What `ListActions` says beside Flight SQL's own actions.
pub(super) fn actions() -> Vec<Result<ActionType, Status>> {
    [
        (
            PROGRESS,
            "follows a question; the body is the query id in FlightInfo's app_metadata, each result is JSON",
        ),
        (SET_OPTIONS, "sets catalog and schema, to the ones there are"),
        (GET_OPTIONS, "reads catalog and schema"),
        (CLOSE, "does nothing: there are no sessions"),
    ]
    .map(|(name, description)| {
        Ok(ActionType { r#type: name.to_owned(), description: description.to_owned() })
    })
    .into()
}
