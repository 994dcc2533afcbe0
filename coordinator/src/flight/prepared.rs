//! Prepared statements: most drivers send every query as one. Preparing plans and does nothing else.

use std::sync::Arc;

use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::sql::server::PeekableFlightDataStream;
use arrow_flight::sql::{ActionCreatePreparedStatementResult, DoPutPreparedStatementResult};
use arrow_flight::{Action, FlightDescriptor, FlightInfo, IpcMessage, SchemaAsIpc};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::arrow::ipc::writer::IpcWriteOptions;
use datafusion::common::ScalarValue;
use futures::TryStreamExt;
use tonic::{Request, Response, Status};

use super::following::Lead;
use super::sessions::Visit;
use super::tickets::{Question, Statement, query_id};
use super::{Shared, command, status};
use crate::auth::Caller;
use crate::query::Planned;

impl Shared {
    /// Plans a statement and keeps it.
    pub(super) async fn prepare(
        &self,
        sql: &str,
        principal: String,
        request: &Request<Action>,
    ) -> Result<ActionCreatePreparedStatementResult, Status> {
        let visit = Visit::of(request);
        let command = self.command(sql, &principal, &visit)?;
        let planned = if command.is_some() {
            Planned::of_schema(command::schema())
        } else {
            self.planned(sql, &principal, request).await?
        };
        let (dataset, parameters) = (planned.schema(), planned.parameter_schema());
        let handle = self.tickets.keep(Statement { planned, bound: None, command, principal })?;
        Ok(ActionCreatePreparedStatementResult {
            prepared_statement_handle: handle.into(),
            dataset_schema: encoded(&dataset)?.into(),
            parameter_schema: encoded(&parameters)?.into(),
        })
    }

    /// Gives a statement its parameters, under the handle it has: some drivers read a new one, others do not.
    pub(super) async fn bind(
        &self,
        handle: &[u8],
        principal: &str,
        stream: PeekableFlightDataStream,
    ) -> Result<DoPutPreparedStatementResult, Status> {
        let statement = self.tickets.statement(handle, principal)?;
        let batches = FlightRecordBatchStream::new_from_flight_data(stream.map_err(FlightError::from));
        let batches: Vec<RecordBatch> = batches.try_collect().await.map_err(unreadable)?;
        if statement.command.is_some() {
            return Err(status::sql("this statement has no parameters: write its value out"));
        }
        let values = values(&batches)?;
        let bound = match self.engine.bind(&statement.planned, values).await {
            Ok(bound) => bound,
            Err(error) => return Err(status::of(&error, &query_id()?)),
        };
        self.tickets.bind(handle, principal, bound)?;
        Ok(DoPutPreparedStatementResult { prepared_statement_handle: Some(handle.to_vec().into()) })
    }

    /// Announces a run of a statement.
    pub(super) fn announce_prepared(
        &self,
        handle: &[u8],
        principal: String,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let question = self.question_prepared(handle, principal, &request)?;
        self.promise(&question, request.into_inner())
    }

    /// A prepared statement and the circumstances it is asked in.
    pub(super) fn question_prepared(
        &self,
        handle: &[u8],
        principal: String,
        request: &Request<FlightDescriptor>,
    ) -> Result<Question, Status> {
        let Statement { planned, bound, command, .. } = self.tickets.statement(handle, &principal)?;
        let visit = Visit::of(request);
        // Preparing it was answered with a cookie.
        let settle = |command| self.settle(command, &visit, request.metadata());
        let command = command.map(settle).transpose()?;
        let context = Arc::new(self.context(principal, self.asked(request)?)?);
        context.prove(Caller::proof(request));
        Ok(Question { planned: bound.unwrap_or(planned), context, command, ahead: Lead::default() })
    }

    /// The schema of what a statement answers, as it is sent.
    pub(super) fn schema_of_prepared(&self, handle: &[u8], principal: &str) -> Result<SchemaRef, Status> {
        let Statement { planned, bound, .. } = self.tickets.statement(handle, principal)?;
        Ok(bound.unwrap_or(planned).schema())
    }

    /// A prepared statement that is sent as an update: a command is carried out, and all else would change something.
    pub(super) fn update_prepared<T>(
        &self,
        handle: &[u8],
        principal: &str,
        request: &Request<T>,
    ) -> Result<i64, Status> {
        let command = self.tickets.statement(handle, principal)?.command.ok_or_else(status::read_only)?;
        self.carry_out(&command, &Visit::of(request), request.metadata())?;
        Ok(0)
    }

    pub(super) fn close(&self, handle: &[u8], principal: &str) {
        self.tickets.close(handle, principal);
    }
}

pub(super) fn encoded(schema: &Schema) -> Result<Vec<u8>, Status> {
    let message = IpcMessage::try_from(SchemaAsIpc::new(schema, &IpcWriteOptions::default()));
    message.map(|message| message.0.to_vec()).map_err(|_| status::encoding())
}

/// What became of parameters that were sent: the transport's own word, or no record batch.
fn unreadable(error: FlightError) -> Status {
    match error {
        FlightError::Tonic(status) => *status,
        _ => status::sql("the parameters are no Arrow record batch: bind a row of values"),
    }
}

/// Most rows of parameters: each is a question of its own to every node.
const MOST_ROWS: usize = 100;

/// The rows of parameters.
fn values(batches: &[RecordBatch]) -> Result<Vec<Vec<ScalarValue>>, Status> {
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    if !(1..=MOST_ROWS).contains(&rows) {
        return Err(status::sql(format!("bind 1 to {MOST_ROWS} rows of parameters, not {rows}")));
    }
    let of = |batch: &RecordBatch| (0..batch.num_rows()).map(|row| row_of(batch, row)).collect();
    let rows: Result<Vec<Vec<_>>, Status> = batches.iter().map(of).collect();
    Ok(rows?.into_iter().flatten().collect())
}

fn row_of(batch: &RecordBatch, row: usize) -> Result<Vec<ScalarValue>, Status> {
    let values = batch.columns().iter().enumerate().map(|(place, column)| {
        let unreadable = |_| status::sql(format!("parameter {} cannot be read", place + 1));
        ScalarValue::try_from_array(column, row).map(plain).map_err(unreadable)
    });
    values.collect()
}

/// Some clients wrap each value in a union of all the types they have.
fn plain(value: ScalarValue) -> ScalarValue {
    match value {
        ScalarValue::Union(Some((_, inner)), ..) => *inner,
        ScalarValue::Union(None, ..) => ScalarValue::Null,
        value => value,
    }
}
