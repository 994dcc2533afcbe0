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
            self.planned(sql, request).await?
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
        let batches: Vec<RecordBatch> = batches.try_collect().await.map_err(|_| {
            Status::invalid_argument("the parameters are no Arrow record batch: bind one row of values")
        })?;
        if statement.command.is_some() {
            return Err(status::sql("this statement has no parameters: write its value out"));
        }
        let values = values(&batches, &statement.planned.parameter_schema())?;
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
        Ok(Question { planned: bound.unwrap_or(planned), context, command, ahead: None })
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

/// The one row of parameters, each converted to the type that was announced where that loses nothing.
fn values(batches: &[RecordBatch], parameters: &SchemaRef) -> Result<Vec<ScalarValue>, Status> {
    let mut rows = batches.iter().filter(|batch| batch.num_rows() > 0);
    let (Some(batch), None) = (rows.next(), rows.next()) else {
        return Err(Status::invalid_argument("bind exactly one row of parameters"));
    };
    if batch.num_rows() != 1 {
        return Err(Status::invalid_argument("bind exactly one row of parameters"));
    }
    let values = batch.columns().iter().enumerate().map(|(place, column)| {
        let unreadable = |_| Status::invalid_argument(format!("parameter {} cannot be read", place + 1));
        let value = ScalarValue::try_from_array(column, 0).map_err(unreadable)?;
        match parameters.fields().get(place) {
            Some(field) if *field.data_type() != value.data_type() => {
                value.cast_to(field.data_type()).map_err(|_| {
                    Status::invalid_argument(format!(
                        "parameter {} does not fit its type, {}",
                        place + 1,
                        field.data_type()
                    ))
                })
            }
            _ => Ok(value),
        }
    });
    values.collect()
}
