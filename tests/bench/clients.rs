//! What a person waits for at a tool: the first row after connecting, a tree of tables, a large table; and how many such
//! questions a coordinator answers while others ask too.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::sql::{CommandGetTables, SqlInfo};
use arrow_flight::{FlightInfo, Ticket};
use futures::TryStreamExt as _;
use harness::federation::{Federation, Policy};
use parquet::arrow::ArrowWriter;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use crate::{rows, timed};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;
type Client = FlightSqlServiceClient<Channel>;

const TRIVIAL: &str = "SELECT measure, COUNT(*) AS n FROM env_reading GROUP BY measure";
const WHOLE: &str = "SELECT * FROM ref_million";

/// Connections that ask at the same time, and for how long they do.
const CONNECTIONS: usize = 16;
const SPELL: Duration = Duration::from_secs(5);

/// Prints a table of all of it.
pub(crate) async fn measure(runs: usize) -> Result<()> {
    let dir = rows::folder(1_000).map_err(|error| error.to_string())?;
    let builder = Federation::builder(&dir, rows::nodes()).policy(Policy::Open).edit(with_million_rows);
    let federation = builder.start().await.map_err(|error| error.to_string())?;
    let door = Door::of(&federation)?;
    println!("| what | ms (CPU), or as it says |\n|-|-|");
    let first = timed(runs, async || door.first_row().await.unwrap()).await;
    println!("| connection to first row, 33 nodes, Rust client | {first} |");
    match python(&federation, runs) {
        Some(line) => {
            println!("| the same, Python ADBC: connection to first row; the next question | {line} |");
        }
        None => println!("| the same, Python ADBC | –: set JIGSAW_PYTHON to a Python that has the driver |"),
    }
    let mut client = door.enter().await?;
    let again = timed(runs, async || drop(ask(&mut client, TRIVIAL).await.unwrap())).await;
    println!("| a question on a connection that is open | {again} |");
    for (name, question) in [
        ("the same question", (|_| TRIVIAL.to_owned()) as fn(usize) -> String),
        ("a question of its own each", of_its_own),
    ] {
        let rate = door.rate(question).await?;
        println!("| {CONNECTIONS} connections, {name} | {rate:.0} questions/s |");
    }
    metadata(&mut client, runs).await?;
    let (rows, bytes, seconds) = fastest(&mut client, runs).await?;
    let megabytes = bytes / 1e6;
    println!(
        "| {rows} rows of a reference table, {megabytes:.0} MB, as record batches | {:.0} MB/s |",
        megabytes / seconds
    );
    federation.stop().await.map_err(|error| error.to_string())?;
    Ok(())
}

/// A question that nobody else asks.
fn of_its_own(connection: usize) -> String {
    format!("SELECT measure, COUNT(*) AS n FROM env_reading WHERE value > 0.0{connection} GROUP BY measure")
}

/// The way in.
struct Door {
    endpoint: Endpoint,
    token: String,
}

impl Door {
    fn of(federation: &Federation) -> Result<Self> {
        let authority = Certificate::from_pem(fs::read(federation.ca_file())?);
        let tls = ClientTlsConfig::new().ca_certificate(authority);
        let endpoint = Endpoint::from_shared(format!("https://{}", federation.address()))?.tls_config(tls)?;
        Ok(Self { endpoint, token: fs::read_to_string(federation.token_file())? })
    }

    async fn enter(&self) -> Result<Client> {
        let mut client = FlightSqlServiceClient::new(self.endpoint.connect().await?);
        client.set_token(self.token.clone());
        Ok(client)
    }

    async fn first_row(&self) -> Result<()> {
        let mut client = self.enter().await?;
        ask(&mut client, TRIVIAL).await.map(drop)
    }

    /// Questions per second while every connection asks one after the other.
    async fn rate(&self, question: fn(usize) -> String) -> Result<f64> {
        let mut asking = vec![];
        for connection in 0..CONNECTIONS {
            let (mut client, sql) = (self.enter().await?, question(connection));
            ask(&mut client, &sql).await?;
            asking.push(async move {
                let (started, mut answers) = (Instant::now(), 0_u32);
                while started.elapsed() < SPELL {
                    ask(&mut client, &sql).await.unwrap();
                    answers += 1;
                }
                answers
            });
        }
        let started = Instant::now();
        let asking = asking.into_iter().map(tokio::spawn);
        let answers: u32 = futures::future::try_join_all(asking).await?.into_iter().sum();
        Ok(f64::from(answers) / started.elapsed().as_secs_f64())
    }
}

async fn ask(client: &mut Client, sql: &str) -> Result<Vec<RecordBatch>> {
    let info = client.execute(sql.to_owned(), None).await?;
    fetch(client, info).await
}

async fn fetch(client: &mut Client, info: FlightInfo) -> Result<Vec<RecordBatch>> {
    let ticket = info.endpoint.into_iter().next().and_then(|endpoint| endpoint.ticket);
    Ok(client.do_get(ticket.unwrap_or_else(|| Ticket::new(""))).await?.try_collect().await?)
}

/// What a schema browser asks, announced and fetched.
async fn metadata(client: &mut Client, runs: usize) -> Result<()> {
    let tables = CommandGetTables { include_schema: true, ..CommandGetTables::default() };
    let all: Vec<SqlInfo> = vec![];
    for name in ["GetCatalogs", "GetTables with columns", "GetSqlInfo, all of it"] {
        let cost = timed(runs, async || {
            let info = match name {
                "GetCatalogs" => client.get_catalogs().await.unwrap(),
                "GetSqlInfo, all of it" => client.get_sql_info(all.clone()).await.unwrap(),
                _ => client.get_tables(tables.clone()).await.unwrap(),
            };
            drop(fetch(client, info).await.unwrap());
        })
        .await;
        println!("| {name} | {cost} |");
    }
    Ok(())
}

/// Rows, bytes and seconds of the fastest run; what others do on the machine only makes it slower.
async fn fastest(client: &mut Client, runs: usize) -> Result<(usize, f64, f64)> {
    let mut best = (0, 0.0, f64::INFINITY);
    for _ in 0..runs.max(1) {
        let started = Instant::now();
        let info = client.execute(WHOLE.to_owned(), None).await?;
        let ticket = info.endpoint.into_iter().next().and_then(|endpoint| endpoint.ticket);
        let mut batches = client.do_get(ticket.unwrap_or_else(|| Ticket::new(""))).await?;
        let (mut rows, mut bytes) = (0, 0);
        while let Some(batch) = batches.try_next().await? {
            rows += batch.num_rows();
            bytes += size(&batch)?;
        }
        let seconds = started.elapsed().as_secs_f64();
        if seconds < best.2 {
            best = (rows, f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)), seconds);
        }
    }
    Ok(best)
}

/// Bytes of the values themselves.
fn size(batch: &RecordBatch) -> Result<usize> {
    let sizes = batch.columns().iter().map(|column| column.to_data().get_slice_memory_size());
    Ok(sizes.sum::<std::result::Result<usize, _>>()?)
}

/// A public table of a million rows beside the others.
fn with_million_rows(dir: &Path) {
    let path = dir.join("reference/ref_million.parquet");
    if !path.is_file() {
        write_million_rows(&path).unwrap();
    }
    let file = dir.join("coordinator.toml");
    let table = "\n[[reference]]\nname = \"ref_million\"\nsource = \"reference/ref_million.parquet\"\ndescription = \"A million rows\"\n";
    fs::write(&file, fs::read_to_string(&file).unwrap() + table).unwrap();
}

fn write_million_rows(path: &Path) -> Result<()> {
    let numbers = || 0..1_000_000_i64;
    let codes: StringArray = numbers().map(|row| Some(format!("E09{:06}", row % 33 + 1))).collect();
    let values: Float64Array = (0..1_000_000_i32).map(|row| Some(f64::from(row) / 7.0)).collect();
    let columns: [(&str, ArrayRef); 4] = [
        ("id", Arc::new(numbers().collect::<Int64Array>())),
        ("gss", Arc::new(codes)),
        ("amount", Arc::new(numbers().map(|row| row * 31).collect::<Int64Array>())),
        ("value", Arc::new(values)),
    ];
    let batch = RecordBatch::try_from_iter(columns)?;
    let mut writer = ArrowWriter::try_new(fs::File::create(path)?, batch.schema(), None)?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(())
}

/// The Python driver's medians; `None` where it is not installed.
fn python(federation: &Federation, runs: usize) -> Option<String> {
    let python = std::env::var("JIGSAW_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/first_row.py");
    let mut command = Command::new(python);
    command.arg("-B").arg(script).arg(federation.address().to_string()).arg(federation.ca_file());
    let output = command.arg(federation.token_file()).arg(runs.to_string()).arg(TRIVIAL).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
