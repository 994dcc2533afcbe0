//! The actions of sessions: `SetSessionOptions`, `GetSessionOptions`, `CloseSession`.
//!
//! There is one catalog: whatever a driver sets there must be what there is, and opens no session.

use std::collections::HashMap;

use arrow_flight::{Action, ActionType, Result as ActionResult};
use futures::{StreamExt, stream};
use jigsaw_proto::identity::FRAGMENTS_ACTION;
use prost::{Message, Oneof};
use tonic::{Request, Response, Status};

use super::cancelling::{CANCEL, RENEW};
use super::options::{Name, Options};
use super::sessions::Visit;
use super::statement::PROGRESS;
use super::{Actions, Shared};
use crate::catalogue::{CATALOG, PUBLIC};

pub(super) const SET_OPTIONS: &str = "SetSessionOptions";
pub(super) const GET_OPTIONS: &str = "GetSessionOptions";
pub(super) const CLOSE: &str = "CloseSession";

/// `arrow.flight.protocol.SetSessionOptionsRequest`, and the result of `GetSessionOptions`
#[derive(Clone, PartialEq, Message)]
pub(super) struct Asked {
    #[prost(map = "string, message", tag = "1")]
    pub(super) options: HashMap<String, OptionValue>,
}

/// `arrow.flight.protocol.SessionOptionValue`; one without a value leaves the option to its default.
#[derive(Clone, PartialEq, Message)]
pub(super) struct OptionValue {
    #[prost(oneof = "Value", tags = "1, 2, 3, 4, 5")]
    pub(super) value: Option<Value>,
}

/// `arrow.flight.protocol.SessionOptionValue.option_value`
#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Value {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Boolean(bool),
    #[prost(sfixed64, tag = "3")]
    Integer(i64),
    #[prost(double, tag = "4")]
    Number(f64),
    #[prost(message, tag = "5")]
    List(Texts),
}

/// `arrow.flight.protocol.SessionOptionValue.StringListValue`: never right here
#[derive(Clone, PartialEq, Message)]
pub(super) struct Texts {
    #[prost(string, repeated, tag = "1")]
    pub(super) values: Vec<String>,
}

impl OptionValue {
    /// The value as it would be written after `SET name =`.
    fn text(&self) -> Option<String> {
        match self.value.as_ref()? {
            Value::Text(text) => Some(text.clone()),
            Value::Boolean(value) => Some(value.to_string()),
            Value::Integer(value) => Some(value.to_string()),
            Value::Number(value) => Some(value.to_string()),
            Value::List(list) => Some(list.values.join(", ")),
        }
    }
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

impl Shared {
    /// Answers one of the three actions.
    pub(super) fn session_action(
        &self,
        request: &Request<Action>,
        principal: &str,
    ) -> Result<Response<Actions>, Status> {
        let (action, visit) = (request.get_ref(), Visit::of(request));
        let body = match action.r#type.as_str() {
            SET_OPTIONS => self.set_options(&action.body, &visit, principal)?.encode_to_vec(),
            GET_OPTIONS => self.get_options(&visit)?.encode_to_vec(),
            _ => {
                visit.close(&self.sessions);
                Closed { status: CLOSED }.encode_to_vec()
            }
        };
        Ok(Response::new(stream::iter([Ok(ActionResult { body: body.into() })]).boxed()))
    }

    /// Sets what can be set, and says of the rest why it was not. A first option opens a session.
    fn set_options(&self, body: &[u8], visit: &Visit, principal: &str) -> Result<Errors, Status> {
        let asked = Asked::decode(body)
            .map_err(|_| Status::invalid_argument("the body is no SetSessionOptionsRequest"))?;
        let mut errors = HashMap::new();
        for (name, value) in asked.options {
            let kind = match (FIXED.into_iter().find(|(fixed, _)| *fixed == name), Name::of(&name)) {
                (Some((_, fixed)), _) => (value.text().as_deref() != Some(fixed)).then_some(INVALID_VALUE),
                (None, None) => Some(INVALID_NAME),
                (None, Some(name)) => self.set_option(name, &value, visit, principal)?,
            };
            if let Some(kind) = kind {
                errors.insert(name, OptionError { kind });
            }
        }
        Ok(Errors { errors })
    }

    fn set_option(
        &self,
        name: Name,
        value: &OptionValue,
        visit: &Visit,
        principal: &str,
    ) -> Result<Option<i32>, Status> {
        let Some(text) = value.text() else {
            if let Some(session) = visit.session() {
                self.sessions.change(&session, |options| options.reset(name))?;
            }
            return Ok(None);
        };
        if matches!(value.value, Some(Value::List(_))) || Options::default().set(name, &text).is_err() {
            return Ok(Some(INVALID_VALUE));
        }
        let session = visit.session_or_new(&self.sessions, principal)?;
        let set = self.sessions.change(&session, |options| options.set(name, &text))?;
        Ok(set.is_err().then_some(INVALID_VALUE))
    }

    /// What holds for the next question that sends no headers.
    fn get_options(&self, visit: &Visit) -> Result<Asked, Status> {
        let held = visit.options(&self.sessions)?.over(self.defaults());
        let text = |value: String| OptionValue { value: Some(Value::Text(value)) };
        let fixed = FIXED.into_iter().map(|(name, fixed)| (name.to_owned(), text(fixed.to_owned())));
        let options = Name::ALL.into_iter().map(|name| {
            let value = match name {
                Name::AllowPartial => OptionValue { value: held.allow_partial.map(Value::Boolean) },
                name => text(held.text(name).unwrap_or_default()),
            };
            (name.word().to_owned(), value)
        });
        Ok(Asked { options: fixed.chain(options).collect() })
    }
}

/// What `ListActions` says beside Flight SQL's own actions.
pub(super) fn actions() -> Vec<Result<ActionType, Status>> {
    [
        (
            PROGRESS,
            "follows a question; the body is the query id in FlightInfo's app_metadata, each result is JSON",
        ),
        (
            FRAGMENTS_ACTION,
            "what nodes will be asked for an announced question; the body is the query id, each result is JSON",
        ),
        (CANCEL, "ends a question and the work at every node; CancelFlightInfoRequest, CancelFlightInfoResult"),
        (RENEW, "keeps the ticket of a question that is not fetched yet; RenewFlightEndpointRequest, FlightEndpoint"),
        (SET_OPTIONS, "sets options of the session, and opens one; SetSessionOptionsRequest, SetSessionOptionsResult"),
        (GET_OPTIONS, "reads options of the session; GetSessionOptionsRequest, GetSessionOptionsResult"),
        (CLOSE, "closes the session; CloseSessionRequest, CloseSessionResult"),
    ]
    .map(|(name, description)| {
        Ok(ActionType { r#type: name.to_owned(), description: description.to_owned() })
    })
    .into()
}
