//! Ending a question, or keeping it a while longer: `CancelFlightInfo`, its older form `CancelQuery`, `RenewFlightEndpoint`.

use arrow_flight::sql::{ActionCancelQueryRequest, Any, ProstMessageExt, TicketStatementQuery};
use arrow_flight::{
    Action, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightInfo,
    RenewFlightEndpointRequest, Result as ActionResult, Ticket,
};
use futures::{StreamExt, stream};
use prost::Message as _;
use tonic::{Response, Status};

use super::{Actions, Shared};

pub(super) const CANCEL: &str = "CancelFlightInfo";
pub(super) const CANCEL_QUERY: &str = "CancelQuery";
pub(super) const RENEW: &str = "RenewFlightEndpoint";

impl Shared {
    /// Answers one of the three actions.
    pub(super) fn question_action(
        &self,
        action: &Action,
        principal: &str,
    ) -> Result<Response<Actions>, Status> {
        let body = match action.r#type.as_str() {
            CANCEL => {
                let asked = CancelFlightInfoRequest::decode(&*action.body).map_err(unreadable)?;
                self.cancel(&asked.info.unwrap_or_default(), principal)?;
                CancelFlightInfoResult { status: CancelStatus::Cancelled as i32 }.encode_to_vec()
            }
            CANCEL_QUERY => {
                let asked = Any::decode(&*action.body).map_err(unreadable)?;
                let asked = asked.unpack::<ActionCancelQueryRequest>().ok().flatten();
                let asked = asked.ok_or_else(|| wrong(CANCEL_QUERY))?;
                self.cancel(&FlightInfo::decode(asked.info).map_err(unreadable)?, principal)?;
                let result = CancelStatus::Cancelled as i32;
                arrow_flight::sql::ActionCancelQueryResult { result }.as_any().encode_to_vec()
            }
            _ => {
                let asked = RenewFlightEndpointRequest::decode(&*action.body).map_err(unreadable)?;
                let endpoint = asked.endpoint.unwrap_or_default();
                let handle = endpoint.ticket.as_ref().and_then(handle).ok_or_else(|| wrong(RENEW))?;
                self.tickets.question(&handle, principal)?;
                endpoint.encode_to_vec()
            }
        };
        Ok(Response::new(stream::iter([Ok(ActionResult { body: body.into() })]).boxed()))
    }

    /// Ends a question wherever it is: announced, followed, or being fetched.
    fn cancel(&self, info: &FlightInfo, principal: &str) -> Result<(), Status> {
        let tickets: Vec<String> =
            info.endpoint.iter().filter_map(|endpoint| handle(endpoint.ticket.as_ref()?)).collect();
        let id = std::str::from_utf8(&info.app_metadata).unwrap_or_default();
        self.tickets.cancel(&tickets, id, principal)
    }
}

fn unreadable(_: prost::DecodeError) -> Status {
    Status::invalid_argument("the body is not the request of this action")
}

fn wrong(action: &str) -> Status {
    Status::invalid_argument(format!("the body of {action} has no ticket of a question"))
}

/// The handle in a ticket, if it is of a question.
fn handle(ticket: &Ticket) -> Option<String> {
    let ticket = Any::decode(&*ticket.ticket).ok()?.unpack::<TicketStatementQuery>().ok()??;
    String::from_utf8(ticket.statement_handle.to_vec()).ok()
}
