//! Asking as an analyst does: Flight SQL over TLS, with a token.

use std::net::SocketAddr;
use std::time::Duration;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow_flight::decode::{DecodedPayload, FlightDataDecoder};
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{CommandStatementQuery, ProstMessageExt as _};
use arrow_flight::{FlightDescriptor, FlightInfo, Ticket};
use futures::StreamExt as _;
use prost::Message as _;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};

use super::Federation;
use crate::certificates::Authority;
use crate::data::Result;

/// How a question is asked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asking {
    /// whether an answer without some nodes is one
    pub allow_partial: bool,
    /// after which the answer is of no use
    pub timeout: Option<Duration>,
    /// whether the answer carries the status of its cells
    pub cell_status: bool,
}

/// An answer and what goes with it.
#[derive(Debug, Clone)]
pub struct Answer {
    /// as `GetFlightInfo` promised it
    pub schema: SchemaRef,
    /// the rows
    pub batches: Vec<RecordBatch>,
    /// the notes at the end
    pub notes: serde_json::Value,
    /// the query's id
    pub query_id: String,
}

/// No answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// the gRPC status
    pub code: Code,
    /// `x-jigsaw-code`
    pub kind: String,
    /// the sentence
    pub message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}): {}", self.code, self.kind, self.message)
    }
}

impl std::error::Error for Problem {}

impl From<Status> for Problem {
    fn from(status: Status) -> Self {
        let kind = status.metadata().get("x-jigsaw-code").and_then(|kind| kind.to_str().ok());
        Self {
            code: status.code(),
            kind: kind.unwrap_or_default().to_owned(),
            message: status.message().to_owned(),
        }
    }
}

impl Answer {
    /// The caveats.
    pub fn caveats(&self) -> Vec<&str> {
        let caveats = self.notes["caveats"].as_array();
        caveats.into_iter().flatten().filter_map(serde_json::Value::as_str).collect()
    }

    /// How a node took part: `answered`, `refused`, `failed`, `late`.
    pub fn status_of(&self, node: &str) -> Option<&str> {
        let mut nodes = self.notes["nodes"].as_array().into_iter().flatten();
        nodes.find(|note| note["node"] == node)?["status"].as_str()
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// The only value of the first column, as text.
    ///
    /// # Panics
    /// If there are more or fewer rows than one.
    pub fn value(&self) -> String {
        assert_eq!(self.rows(), 1, "one row");
        let batch = self.batches.iter().find(|batch| batch.num_rows() == 1).unwrap();
        arrow::util::display::array_value_to_string(batch.column(0), 0).unwrap()
    }
}

pub(super) fn channel(address: SocketAddr, authority: &Authority) -> Result<Channel> {
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority.pem()));
    Ok(Endpoint::from_shared(format!("https://{address}"))?.tls_config(tls)?.connect_lazy())
}

impl Federation {
    /// Asks; all nodes must answer.
    ///
    /// # Errors
    /// The coordinator's word.
    pub async fn sql(&self, sql: &str) -> std::result::Result<Answer, Problem> {
        self.sql_with(sql, Asking::default()).await
    }

    /// Asks for the rows alone.
    ///
    /// # Errors
    /// The coordinator's sentence.
    pub async fn ask(&self, sql: &str) -> std::result::Result<Vec<RecordBatch>, String> {
        let answer = self.sql(sql).await.map_err(|problem| problem.message)?;
        if answer.batches.is_empty() {
            return Ok(vec![RecordBatch::new_empty(answer.schema)]);
        }
        Ok(answer.batches)
    }

    /// Asks in a given way.
    ///
    /// # Errors
    /// The coordinator's word.
    pub async fn sql_with(&self, sql: &str, how: Asking) -> std::result::Result<Answer, Problem> {
        let (info, schema) = self.plan(sql, how).await?;
        let query_id = String::from_utf8_lossy(&info.app_metadata).into_owned();
        let ticket = info.endpoint.into_iter().next().and_then(|endpoint| endpoint.ticket);
        let ticket = ticket.ok_or_else(|| Status::internal("an answer has no ticket"))?;
        self.redeem(ticket, schema, query_id, how).await
    }

    /// Fetches what a ticket stands for.
    ///
    /// # Errors
    /// The coordinator's word.
    pub async fn redeem(
        &self,
        ticket: Ticket,
        schema: SchemaRef,
        query_id: String,
        how: Asking,
    ) -> std::result::Result<Answer, Problem> {
        let stream = self.flight().do_get(self.request(ticket, how)).await?.into_inner();
        let mut decoder = FlightDataDecoder::new(stream.map(|message| message.map_err(Into::into)));
        let (mut batches, mut notes) = (Vec::new(), serde_json::Value::Null);
        while let Some(message) = decoder.next().await {
            let message = message.map_err(Status::from)?;
            if !message.inner.app_metadata.is_empty() {
                notes = serde_json::from_slice(&message.inner.app_metadata)
                    .map_err(|error| Status::internal(format!("notes are no JSON: {error}")))?;
            }
            match message.payload {
                DecodedPayload::RecordBatch(batch) => batches.push(batch),
                DecodedPayload::Schema(sent) if sent.fields() != schema.fields() => {
                    let text = format!("the stream has another schema than promised: {sent:?} != {schema:?}");
                    return Err(Status::internal(text).into());
                }
                DecodedPayload::Schema(_) | DecodedPayload::None => {}
            }
        }
        Ok(Answer { schema, batches, notes, query_id })
    }

    /// Plans only.
    ///
    /// # Errors
    /// The coordinator's word.
    pub async fn plan(
        &self,
        sql: &str,
        how: Asking,
    ) -> std::result::Result<(FlightInfo, SchemaRef), Problem> {
        let command = CommandStatementQuery { query: sql.to_owned(), transaction_id: None };
        let descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
        let info = self.flight().get_flight_info(self.request(descriptor, how)).await?.into_inner();
        let schema = info.clone().try_decode_schema();
        let schema = schema.map_err(|error| Status::internal(format!("the schema is none: {error}")))?;
        Ok((info, schema.into()))
    }

    /// A client that sends nothing of itself: no token, no headers, no cookies.
    pub fn flight(&self) -> FlightServiceClient<Channel> {
        FlightServiceClient::new(self.channel.clone())
    }

    fn request<T>(&self, message: T, how: Asking) -> Request<T> {
        let mut request = Request::new(message);
        let metadata = request.metadata_mut();
        metadata.insert(
            "authorization",
            format!("Bearer {}", self.token).parse().expect("a token is hexadecimal"),
        );
        metadata.insert("x-jigsaw-purpose", "a test".parse().expect("it is ASCII"));
        if how.allow_partial {
            metadata.insert("x-jigsaw-allow-partial", "true".parse().expect("it is ASCII"));
        }
        if how.cell_status {
            metadata.insert("x-jigsaw-cell-status", "columns".parse().expect("it is ASCII"));
        }
        if let Some(timeout) = how.timeout {
            request.set_timeout(timeout);
        }
        request
    }

    /// Node, status and detail, as the coordinator sees them.
    ///
    /// # Errors
    /// A coordinator that does not say.
    pub async fn statuses(&self) -> Result<Vec<(String, String, String)>> {
        let answer = self.sql("SELECT node, status, detail FROM system.nodes ORDER BY node").await?;
        let mut statuses = Vec::new();
        for batch in &answer.batches {
            let [node, status, detail] = [0, 1, 2].map(|column| batch.column(column).as_string::<i32>());
            let text = |row| if detail.is_null(row) { "" } else { detail.value(row) };
            let rows = (0..batch.num_rows())
                .map(|row| (node.value(row).to_owned(), status.value(row).to_owned(), text(row).to_owned()));
            statuses.extend(rows);
        }
        Ok(statuses)
    }
}
