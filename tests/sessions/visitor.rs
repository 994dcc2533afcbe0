//! A client of one analyst that keeps cookies, or does not, and shows every step of a conversation.

use std::collections::HashMap;

use arrow::array::{Array as _, RecordBatch};
use arrow::util::display::array_value_to_string;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{
    ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, Any,
    CommandPreparedStatementQuery, CommandStatementQuery, ProstMessageExt as _,
};
use arrow_flight::{Action, FlightDescriptor, FlightInfo, Ticket};
use futures::TryStreamExt as _;
use harness::federation::Federation;
use prost::{Message, Oneof};
use tonic::metadata::{KeyAndValueRef, MetadataMap};
use tonic::transport::Channel;
use tonic::{Request, Status};

pub(super) const COOKIE: &str = "arrow_flight_session_id";

/// `SetSessionOptionsRequest`, `GetSessionOptionsResult`, from Arrow's `Flight.proto`
#[derive(Clone, PartialEq, Message)]
pub(super) struct Options {
    #[prost(map = "string, message", tag = "1")]
    pub(super) options: HashMap<String, OptionValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct OptionValue {
    #[prost(oneof = "Value", tags = "1, 2, 3")]
    pub(super) value: Option<Value>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Value {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Boolean(bool),
    #[prost(sfixed64, tag = "3")]
    Integer(i64),
}

/// `SetSessionOptionsResult`
#[derive(Clone, PartialEq, Message)]
struct Errors {
    #[prost(map = "string, message", tag = "1")]
    errors: HashMap<String, OptionError>,
}

#[derive(Clone, PartialEq, Message)]
struct OptionError {
    #[prost(int32, tag = "1")]
    kind: i32,
}

/// One analyst's client.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    flight: FlightServiceClient<Channel>,
    token: String,
    pub(super) keeps_cookies: bool,
    pub(super) cookie: Option<String>,
    pub(super) headers: Vec<(&'static str, &'static str)>,
}

impl Visitor {
    pub(super) fn new(federation: &Federation, token: &str) -> Self {
        let token = token.to_owned();
        Self { flight: federation.flight(), token, keeps_cookies: true, cookie: None, headers: vec![] }
    }

    /// Whose token the federation made.
    pub(super) fn ada(federation: &Federation) -> Self {
        Self::new(federation, &std::fs::read_to_string(federation.token_file()).unwrap())
    }

    pub(super) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let headers = request.metadata_mut();
        headers.insert("authorization", format!("Bearer {}", self.token).parse().unwrap());
        if let Some(cookie) = &self.cookie {
            headers.insert("cookie", format!("other=1; {COOKIE}={cookie}").parse().unwrap());
        }
        for (name, value) in &self.headers {
            headers.insert(*name, value.parse().unwrap());
        }
        request
    }

    fn keep(&mut self, headers: &MetadataMap) {
        for entry in headers.iter().filter(|_| self.keeps_cookies) {
            let KeyAndValueRef::Ascii(name, value) = entry else { continue };
            if name != "set-cookie" {
                continue;
            }
            let cookie = value.to_str().unwrap().strip_prefix(COOKIE).unwrap().strip_prefix('=').unwrap();
            self.cookie = (!cookie.contains("Max-Age=0")).then(|| cookie.to_owned());
        }
    }

    /// Announces a statement.
    pub(super) async fn plan(&mut self, sql: &str) -> Result<FlightInfo, Status> {
        self.announce(descriptor(sql)).await
    }

    /// Announces a question.
    pub(super) async fn announce(&mut self, question: FlightDescriptor) -> Result<FlightInfo, Status> {
        let response = self.flight.get_flight_info(self.request(question)).await?;
        self.keep(response.metadata());
        Ok(response.into_inner())
    }

    /// Fetches what a ticket stands for; each row as words, NULL as a dash.
    pub(super) async fn fetch(&mut self, ticket: Ticket) -> Result<Vec<String>, Status> {
        let response = self.flight.do_get(self.request(ticket)).await?;
        self.keep(response.metadata());
        let messages = response.into_inner().map_err(FlightError::from);
        let batches = FlightRecordBatchStream::new_from_flight_data(messages);
        let batches: Vec<RecordBatch> = batches.try_collect().await.map_err(Status::from)?;
        Ok(batches.iter().flat_map(rows).collect())
    }

    /// Asks, and gives the rows.
    pub(super) async fn ask(&mut self, sql: &str) -> Result<Vec<String>, Status> {
        let info = self.plan(sql).await?;
        self.fetch(info.endpoint[0].ticket.clone().unwrap()).await
    }

    /// Does an action, and gives the bodies of its results.
    pub(super) async fn act(&mut self, name: &str, body: Vec<u8>) -> Result<Vec<Vec<u8>>, Status> {
        let action = Action { r#type: name.to_owned(), body: body.into() };
        let response = self.flight.do_action(self.request(action)).await?;
        self.keep(response.metadata());
        let results: Vec<_> = response.into_inner().try_collect().await?;
        Ok(results.into_iter().map(|result| result.body.to_vec()).collect())
    }

    /// Prepares a statement, and gives its handle.
    pub(super) async fn prepare(&mut self, sql: &str) -> Result<Vec<u8>, Status> {
        let asked = ActionCreatePreparedStatementRequest { query: sql.to_owned(), transaction_id: None };
        let results = self.act("CreatePreparedStatement", asked.as_any().encode_to_vec()).await?;
        let result = Any::decode(results[0].as_slice()).unwrap();
        let result: ActionCreatePreparedStatementResult = result.unpack().unwrap().unwrap();
        Ok(result.prepared_statement_handle.to_vec())
    }

    /// Sets options, and gives the errors by name.
    pub(super) async fn set_options(
        &mut self,
        options: impl IntoIterator<Item = (&str, Option<Value>)>,
    ) -> Result<HashMap<String, i32>, Status> {
        let options = options.into_iter().map(|(name, value)| (name.to_owned(), OptionValue { value }));
        let body = Options { options: options.collect() }.encode_to_vec();
        let results = self.act("SetSessionOptions", body).await?;
        let errors = Errors::decode(results[0].as_slice()).unwrap().errors;
        Ok(errors.into_iter().map(|(name, error)| (name, error.kind)).collect())
    }

    /// Reads options.
    pub(super) async fn options(&mut self) -> Result<HashMap<String, Value>, Status> {
        let results = self.act("GetSessionOptions", vec![]).await?;
        let options = Options::decode(results[0].as_slice()).unwrap().options;
        Ok(options.into_iter().filter_map(|(name, option)| Some((name, option.value?))).collect())
    }

    /// The client underneath, for calls that have no method here.
    pub(super) fn flight(&mut self) -> &mut FlightServiceClient<Channel> {
        &mut self.flight
    }
}

/// The question of a prepared statement.
pub(super) fn prepared(handle: &[u8]) -> FlightDescriptor {
    let command = CommandPreparedStatementQuery { prepared_statement_handle: handle.to_vec().into() };
    FlightDescriptor::new_cmd(command.as_any().encode_to_vec())
}

pub(super) fn descriptor(sql: &str) -> FlightDescriptor {
    let command = CommandStatementQuery { query: sql.to_owned(), transaction_id: None };
    FlightDescriptor::new_cmd(command.as_any().encode_to_vec())
}

fn rows(batch: &RecordBatch) -> Vec<String> {
    let cell = |column: &arrow::array::ArrayRef, row| {
        if column.is_null(row) { "-".to_owned() } else { array_value_to_string(column, row).unwrap() }
    };
    let row = |row| batch.columns().iter().map(|column| cell(column, row)).collect::<Vec<_>>().join(" ");
    (0..batch.num_rows()).map(row).collect()
}
