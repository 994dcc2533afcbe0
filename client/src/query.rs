//! One statement: plan it, stream its answer, show progress meanwhile, and say what there is to say after it.

use std::future::pending;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_flight::decode::{DecodedPayload, FlightDataDecoder};
use arrow_flight::error::FlightError;
use arrow_flight::sql::{CommandStatementQuery, ProstMessageExt};
use arrow_flight::{Action, FlightData, FlightDescriptor, Ticket};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use prost::Message as _;
use tokio::time::timeout;
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status, Streaming};

use crate::cli::CellStatus;
use crate::command::Ask;
use crate::connect::Session;
use crate::failure::{Failure, signed_out};
use crate::notes::{Closing, Notes};
use crate::output::OutputFile;
use crate::progress::Progress;
use crate::proving::prove;
use crate::render::{Kept, Look, Out, Rendered, Renderer};
use crate::surroundings::Surroundings;

/// What a server that keeps its own deadline is given on top before the client stops waiting.
const GRACE: Duration = Duration::from_secs(1);

/// How long the parts of an answer took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// Until the statement was planned.
    pub(crate) planned: Duration,
    /// Until the columns arrived, which is when the nodes have answered.
    pub(crate) answered: Duration,
    /// Until the last row.
    pub(crate) complete: Duration,
}

/// Runs `statement`, writes its answer, and says what there is to say of it.
pub(crate) async fn answer(
    session: &mut Session,
    ask: &Ask,
    statement: &str,
    around: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    let written = write(session, ask, statement, around).await?;
    around.stderr.write_all(&written.said)?;
    Ok(())
}

/// An answer that has been written.
pub(crate) struct Written {
    /// Footnotes and summary.
    pub(crate) said: Vec<u8>,
    pub(crate) times: Times,
    /// Its rows, if they are few.
    pub(crate) kept: Option<Kept>,
}

/// Runs `statement` and writes its answer.
pub(crate) async fn write(
    session: &mut Session,
    ask: &Ask,
    statement: &str,
    around: &mut Surroundings<'_>,
) -> Result<Written, Failure> {
    let started = Instant::now();
    let look = Look::of(ask, around)?;
    let mut file = ask.show.output.as_deref().map(OutputFile::create).transpose()?;
    let progress = (around.terminal.stderr && !around.dumb()).then_some(Progress {
        stderr: around.stderr,
        width: around.terminal.width,
        drawn: false,
    });
    let out: Out<'_> = match &mut file {
        Some(file) => file.writer(),
        None => around.stdout,
    };
    let exchange = exchange(session, ask, statement, Renderer::new(look, out), progress);
    let answered = match ask.show.timeout {
        None => exchange.await,
        Some(seconds) => match timeout(Duration::from_secs(seconds.into()) + GRACE, exchange).await {
            Ok(answered) => answered,
            Err(_) => {
                Err(Failure::failed(format!("no answer within {seconds} s: allow more with --timeout")))
            }
        },
    };
    let Answered { query_id, rendered, notes, planned, first } =
        answered.map_err(|failure| over(session, failure))?;
    if let Some(file) = file {
        file.keep()?;
    }
    let complete = started.elapsed();
    let closing = Closing {
        notes: &notes,
        rendered: &rendered,
        query_id: &query_id,
        elapsed: complete,
        width: around.terminal.stderr.then_some(around.terminal.width),
    };
    let mut said = Vec::new();
    closing.write(&mut said)?;
    let times = Times { planned: planned - started, answered: first - started, complete };
    Ok(Written { said, times, kept: rendered.kept })
}

/// The columns and rows of an answer, for ourselves: neither shown nor timed.
pub(crate) async fn collect(
    session: &mut Session,
    ask: &Ask,
    statement: &str,
) -> Result<(Option<SchemaRef>, Vec<RecordBatch>), Failure> {
    let command = CommandStatementQuery { query: statement.to_owned(), transaction_id: None };
    collect_command(session, ask, &command).await
}

/// The same for any command of Flight SQL, such as those about the server.
pub(crate) async fn collect_command(
    session: &mut Session,
    ask: &Ask,
    command: &impl ProstMessageExt,
) -> Result<(Option<SchemaRef>, Vec<RecordBatch>), Failure> {
    let (query_id, ticket) = plan(session, ask, command).await?;
    let request = decorate(session.request(ticket), ask);
    let rows = session.flight.do_get(request).await?.into_inner();
    let (mut answer, _) = decode(rows);
    let (mut columns, mut batches) = (None, Vec::new());
    while let Some(message) = answer.try_next().await.map_err(|error| broken(error, &query_id))? {
        match message.payload {
            DecodedPayload::None => {}
            DecodedPayload::Schema(schema) => columns = Some(schema),
            DecodedPayload::RecordBatch(batch) => batches.push(batch),
        }
    }
    Ok((columns, batches))
}

/// A session that is over must not fail every later question: it is forgotten.
fn over(session: &mut Session, failure: Failure) -> Failure {
    match failure {
        Failure::Connection { message } if session.forget() => Failure::Connection {
            message: format!("{message}; what SET had set is forgotten, and the next question begins anew"),
        },
        failure => failure,
    }
}

/// What came of a conversation, and when.
struct Answered {
    query_id: String,
    rendered: Rendered,
    notes: Notes,
    planned: Instant,
    first: Instant,
}

/// The conversation with the server, from the statement to the last row.
async fn exchange(
    session: &mut Session,
    ask: &Ask,
    statement: &str,
    mut renderer: Renderer<'_>,
    mut progress: Option<Progress<'_>>,
) -> Result<Answered, Failure> {
    let command = CommandStatementQuery { query: statement.to_owned(), transaction_id: None };
    let (query_id, ticket) = plan(session, ask, &command).await?;
    let planned = Instant::now();
    let mut reports = match (&progress, query_id.is_empty()) {
        (Some(_), false) => watch(session, &query_id).await,
        _ => None,
    };
    let mut request = decorate(session.request(ticket), ask);
    if let Some(assertion) = prove(session, ask, statement, &query_id).await? {
        request.metadata_mut().insert("x-jigsaw-assertion", assertion);
    }
    let rows = fetch(session, request, &mut reports, &mut progress).await?;
    session.keep(rows.metadata());
    let (mut answer, metadata) = decode(rows.into_inner());
    let mut first = None;
    loop {
        let message = tokio::select! {
            message = answer.try_next() => message.map_err(|error| broken(error, &query_id))?,
            report = next(&mut reports) => {
                show(progress.as_mut(), report)?;
                continue;
            }
        };
        first.get_or_insert_with(Instant::now);
        // Rows and progress share a screen.
        if let Some(progress) = &mut progress {
            progress.clear()?;
        }
        match message.map(|message| message.payload) {
            None => break,
            Some(DecodedPayload::None) => {}
            Some(DecodedPayload::Schema(schema)) => renderer.begin(&schema)?,
            Some(DecodedPayload::RecordBatch(batch)) => renderer.push(&batch)?,
        }
    }
    let bytes = metadata.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let notes = serde_json::from_slice::<Notes>(&bytes).map_err(|_| {
        Failure::failed("the answer came without readable notes, so its caveats are unknown: do not use it")
    })?;
    if let (Some(sentence), 0) = (&ask.if_empty, renderer.rows()) {
        return Err(Failure::failed(sentence.clone()));
    }
    Ok(Answered {
        query_id,
        rendered: renderer.finish(&bytes)?,
        notes,
        planned,
        first: first.unwrap_or(planned),
    })
}

/// Waits for the head of the answer, which the server sends when the nodes have answered.
async fn fetch(
    session: &Session,
    request: Request<Ticket>,
    reports: &mut Option<Reports>,
    progress: &mut Option<Progress<'_>>,
) -> Result<Response<Streaming<FlightData>>, Failure> {
    let mut flight = session.flight.clone();
    let mut head = pin!(flight.do_get(request));
    loop {
        tokio::select! {
            head = &mut head => return Ok(head?),
            report = next(reports) => show(progress.as_mut(), report)?,
        }
    }
}

fn show(progress: Option<&mut Progress<'_>>, report: Option<Bytes>) -> io::Result<()> {
    match (progress, report) {
        (Some(progress), Some(body)) => progress.show(&body),
        _ => Ok(()),
    }
}

/// Has the statement planned; gives the query's id and the ticket for its rows.
async fn plan(
    session: &mut Session,
    ask: &Ask,
    command: &impl ProstMessageExt,
) -> Result<(String, Ticket), Failure> {
    let descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
    let request = decorate(session.request(descriptor.clone()), ask);
    let info = match session.flight.get_flight_info(request).await {
        // What a password was exchanged for is good for some hours, and a shell may be open for longer.
        Err(status) if signed_out(&status) && session.sign_in().await? => {
            let request = decorate(session.request(descriptor), ask);
            session.flight.get_flight_info(request).await?
        }
        info => info?,
    };
    session.keep(info.metadata());
    let info = info.into_inner();
    let query_id = String::from_utf8_lossy(&info.app_metadata).into_owned();
    match <[_; 1]>::try_from(info.endpoint).map(|[endpoint]| endpoint.ticket) {
        Ok(Some(ticket)) => Ok((query_id, ticket)),
        _ => Err(Failure::failed(
            "the server answers in a way this client does not know: is it a Jigsaw coordinator?",
        )),
    }
}

fn decorate<T>(mut request: Request<T>, ask: &Ask) -> Request<T> {
    if let Some(seconds) = ask.show.timeout {
        request.set_timeout(Duration::from_secs(seconds.into()));
    }
    let metadata = request.metadata_mut();
    if ask.allow_partial {
        metadata.insert("x-jigsaw-allow-partial", MetadataValue::from_static("true"));
    }
    if ask.cell_status == CellStatus::Columns {
        metadata.insert("x-jigsaw-cell-status", MetadataValue::from_static("columns"));
    }
    if let Some(purpose) = &ask.purpose {
        metadata.insert("x-jigsaw-purpose", purpose.clone());
    }
    request
}

type Reports = Streaming<arrow_flight::Result>;

/// Follows the query's progress; a server that does not tell is asked no further.
async fn watch(session: &mut Session, query_id: &str) -> Option<Reports> {
    let action =
        Action { r#type: "jigsaw.progress".to_owned(), body: Bytes::copy_from_slice(query_id.as_bytes()) };
    let request = session.request(action);
    session.flight.do_action(request).await.ok().map(Response::into_inner)
}

/// The next report; never completes once there are no more.
async fn next(reports: &mut Option<Reports>) -> Option<Bytes> {
    let Some(stream) = reports else { return pending().await };
    let report = stream.message().await.ok().flatten();
    if report.is_none() {
        *reports = None;
    }
    report.map(|report| report.body)
}

/// Decodes rows, and keeps the latest metadata that came beside them.
fn decode(rows: Streaming<FlightData>) -> (FlightDataDecoder, Arc<Mutex<Bytes>>) {
    let latest = Arc::new(Mutex::new(Bytes::new()));
    let seen = Arc::clone(&latest);
    let messages = rows.map_err(FlightError::from).try_filter(move |message| {
        if !message.app_metadata.is_empty() {
            *seen.lock().unwrap_or_else(PoisonError::into_inner) = message.app_metadata.clone();
        }
        // A message may hold metadata alone, which is nothing to decode.
        std::future::ready(!message.data_header.is_empty())
    });
    (FlightDataDecoder::new(messages.boxed()), latest)
}

fn broken(error: FlightError, query_id: &str) -> Failure {
    match error {
        FlightError::Tonic(status) => Failure::from(*status),
        // The text of other errors may quote cells; the place is enough.
        _ => Failure::from(Status::data_loss(format!("the answer to query {query_id} arrived damaged"))),
    }
}
