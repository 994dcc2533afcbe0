//! One statement: plan it, stream its answer, show progress meanwhile, and say what there is to say after it.

use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arrow_flight::decode::{DecodedPayload, FlightDataDecoder};
use arrow_flight::error::FlightError;
use arrow_flight::sql::{CommandStatementQuery, ProstMessageExt as _};
use arrow_flight::{Action, FlightData, FlightDescriptor, Ticket};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use prost::Message as _;
use tokio::time::timeout;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Request, Status, Streaming};

use crate::cli::CellStatus;
use crate::command::Task;
use crate::connect::Session;
use crate::failure::Failure;
use crate::identity::Asked;
use crate::notes::{Closing, Notes};
use crate::output::OutputFile;
use crate::progress::Progress;
use crate::render::{Look, Out, Rendered, Renderer};
use crate::settings::Proof;
use crate::surroundings::Surroundings;

/// What a server that keeps its own deadline is given on top before the client stops waiting.
const GRACE: Duration = Duration::from_secs(1);

/// Runs `statement` and writes its answer.
pub(crate) async fn answer(
    session: &mut Session,
    task: &Task,
    statement: &str,
    around: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    let started = Instant::now();
    let look = Look {
        format: task.show.format,
        width: (around.terminal.stdout && task.show.output.is_none()).then_some(around.terminal.width),
        dim: around.terminal.stdout && task.show.output.is_none() && around.set("NO_COLOR").is_none(),
    };
    let mut file = task.show.output.as_deref().map(OutputFile::create).transpose()?;
    let out: Out<'_> = match &mut file {
        Some(file) => file.writer(),
        None => around.stdout,
    };
    let progress = around.terminal.stderr.then_some(Progress {
        stderr: around.stderr,
        width: around.terminal.width,
        drawn: false,
    });
    let exchange = exchange(session, task, statement, Renderer::new(look, out), progress);
    let (query_id, rendered, notes) = match task.show.timeout {
        None => exchange.await?,
        Some(seconds) => {
            timeout(Duration::from_secs(seconds.into()) + GRACE, exchange).await.map_err(|_| {
                Failure::failed(format!("no answer within {seconds} s: allow more with --timeout"))
            })??
        }
    };
    if let Some(file) = file {
        file.keep()?;
    }
    let closing =
        Closing { notes: &notes, rendered: &rendered, query_id: &query_id, elapsed: started.elapsed() };
    closing.write(around.stderr)?;
    Ok(())
}

/// The conversation with the server, from the statement to the last row.
async fn exchange(
    session: &mut Session,
    task: &Task,
    statement: &str,
    mut renderer: Renderer<'_>,
    mut progress: Option<Progress<'_>>,
) -> Result<(String, Rendered, Notes), Failure> {
    let (query_id, ticket) = plan(session, task, statement).await?;
    let mut reports = match (&progress, query_id.is_empty()) {
        (Some(_), false) => watch(session, &query_id).await,
        _ => None,
    };
    let mut request = decorate(session.request(ticket), task);
    if let Some(assertion) = prove(session, task, statement, &query_id).await? {
        request.metadata_mut().insert("x-jigsaw-assertion", assertion);
    }
    let rows = session.flight.do_get(request).await?.into_inner();
    let (mut answer, metadata) = decode(rows);
    loop {
        let message = tokio::select! {
            message = answer.try_next() => message.map_err(|error| broken(error, &query_id))?,
            report = next(&mut reports) => {
                if let (Some(progress), Some(body)) = (&mut progress, report) {
                    progress.show(&body)?;
                }
                continue;
            }
        };
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
    if let (Some(sentence), 0) = (&task.if_empty, renderer.rows()) {
        return Err(Failure::failed(sentence.clone()));
    }
    Ok((query_id, renderer.finish(&bytes)?, notes))
}

/// Has the statement planned; gives the query's id and the ticket for its rows.
async fn plan(session: &mut Session, task: &Task, statement: &str) -> Result<(String, Ticket), Failure> {
    let command = CommandStatementQuery { query: statement.to_owned(), transaction_id: None };
    let descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
    let request = decorate(session.request(descriptor), task);
    let info = session.flight.get_flight_info(request).await?.into_inner();
    let query_id = String::from_utf8_lossy(&info.app_metadata).into_owned();
    match <[_; 1]>::try_from(info.endpoint).map(|[endpoint]| endpoint.ticket) {
        Ok(Some(ticket)) => Ok((query_id, ticket)),
        _ => Err(Failure::failed(
            "the server answers in a way this client does not know: is it a Jigsaw coordinator?",
        )),
    }
}

/// What goes to the nodes with a question, so that they need not take the coordinator's word for who asks; signed over what the
/// coordinator says it will ask them.
async fn prove(
    session: &mut Session,
    task: &Task,
    statement: &str,
    query_id: &str,
) -> Result<Option<MetadataValue<Ascii>>, Failure> {
    let identity = match session.proof.clone() {
        Proof::None => return Ok(None),
        Proof::Token(token) => return Ok(Some(token)),
        Proof::Key(identity) => identity,
    };
    let body = Bytes::copy_from_slice(query_id.as_bytes());
    let request = session.request(Action { r#type: "jigsaw.fragments".to_owned(), body });
    let messages = session.flight.do_action(request).await?.into_inner();
    let messages: Vec<_> = messages.try_collect().await.map_err(Failure::from)?;
    let asked = messages.iter().map(|message| serde_json::from_slice::<Asked>(&message.body));
    let asked: Vec<Asked> = asked.collect::<Result<_, _>>().map_err(|_| {
        Failure::failed("the server does not say what it will ask the nodes, so it cannot be signed")
    })?;
    if asked.is_empty() {
        return Ok(None);
    }
    let purpose = task.purpose.as_ref().and_then(|purpose| purpose.to_str().ok()).unwrap_or_default();
    let signed = identity.sign((statement, query_id, purpose.trim()), &asked)?;
    let mut value = MetadataValue::try_from(signed)
        .map_err(|_| Failure::failed("what was signed does not fit a header"))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn decorate<T>(mut request: Request<T>, task: &Task) -> Request<T> {
    if let Some(seconds) = task.show.timeout {
        request.set_timeout(Duration::from_secs(seconds.into()));
    }
    let metadata = request.metadata_mut();
    if task.allow_partial {
        metadata.insert("x-jigsaw-allow-partial", MetadataValue::from_static("true"));
    }
    if task.cell_status == CellStatus::Columns {
        metadata.insert("x-jigsaw-cell-status", MetadataValue::from_static("columns"));
    }
    if let Some(purpose) = &task.purpose {
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
    session.flight.do_action(request).await.ok().map(tonic::Response::into_inner)
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
