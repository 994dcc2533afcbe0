//! Who is asked: the federation, the same engine in one process, and servers that a script in `tests/clients/workload` starts.

use std::fmt;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use harness::data::Result;
use harness::federation::Federation;
use serde_json::{Value, json};

use super::data;
use super::questions::Question;
use crate::rows::{NODES, target};

/// One run of one question.
#[derive(Debug)]
pub(crate) struct Run {
    /// milliseconds
    pub(crate) wall: f64,
    /// seconds of all cores, of all processes of the peer and of whoever asks
    pub(crate) cpu: f64,
    pub(crate) rows: Vec<Vec<String>>,
}

/// Somebody who answers.
pub(crate) enum Peer {
    Federation(Arc<Federation>),
    DataFusion(SessionContext),
    /// a dialect, and who speaks it
    Served(Kind, Box<Served>),
}

/// What a script serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// one process over the same files
    Duckdb,
    /// the same with all rows in memory, in its own format
    DuckdbMemory,
    /// 33 databases behind `postgres_fdw`, natural SQL
    Postgres,
    /// the same with SQL by hand for every server, remote estimates and asynchronous scans
    PostgresExpert,
    /// 33 servers behind `Distributed` tables
    Clickhouse,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Duckdb => "duckdb",
            Self::DuckdbMemory => "duckdb-memory",
            Self::Postgres => "postgres",
            Self::PostgresExpert => "postgres-expert",
            Self::Clickhouse => "clickhouse",
        })
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Federation(_) => f.write_str("federation"),
            Self::DataFusion(_) => f.write_str("DataFusion"),
            Self::Served(kind, _) => kind.fmt(f),
        }
    }
}

impl Peer {
    /// The question in the peer's words.
    pub(crate) fn words(&self, question: &Question) -> String {
        match self {
            Self::Federation(_) => question.federated().to_owned(),
            Self::DataFusion(_) | Self::Served(Kind::Duckdb | Kind::DuckdbMemory, _) => {
                question.plain.to_owned()
            }
            Self::Served(Kind::Postgres, _) => question.natural().to_owned(),
            Self::Served(Kind::PostgresExpert, _) => question.expert(),
            Self::Served(Kind::Clickhouse, _) => question.clickhouse.to_owned(),
        }
    }

    /// Asks once. An error is the peer's sentence.
    pub(crate) async fn ask(&mut self, sql: &str) -> std::result::Result<Run, String> {
        let (cpu, started) = (cpu(), Instant::now());
        let batches = match self {
            Self::Federation(federation) => federation.ask(sql).await?,
            Self::DataFusion(context) => collect(context, sql).await.map_err(|error| error.to_string())?,
            Self::Served(_, served) => {
                return tokio::task::block_in_place(|| served.ask(sql)).map_err(|error| error.to_string());
            }
        };
        let wall = started.elapsed().as_secs_f64() * 1e3;
        Ok(Run { wall, cpu: self::cpu() - cpu, rows: texts(&batches).map_err(|error| error.to_string())? })
    }

    /// Answers in a second when so many ask without a pause.
    pub(crate) async fn throughput(&mut self, sql: &str, clients: usize, length: Duration) -> Result<f64> {
        match self {
            Self::Federation(federation) => {
                let federation = Arc::clone(federation);
                rate(clients, length, sql, move |sql| {
                    let federation = Arc::clone(&federation);
                    async move { federation.ask(&sql).await.map(drop) }
                })
                .await
            }
            Self::DataFusion(context) => {
                let context = context.clone();
                rate(clients, length, sql, move |sql| {
                    let context = context.clone();
                    async move { collect(&context, &sql).await.map(drop).map_err(|error| error.to_string()) }
                })
                .await
            }
            Self::Served(_, served) => {
                let request =
                    json!({ "throughput": sql, "clients": clients, "seconds": length.as_secs_f64() });
                let answer = tokio::task::block_in_place(|| served.say(&request))?;
                figure(&answer, "per_second").ok_or_else(|| "no rate came".into())
            }
        }
    }

    /// MiB of memory that the peer's processes have to themselves (proportional set size); `None` for what lives in this one.
    pub(crate) fn memory(&mut self) -> Option<f64> {
        let Self::Served(_, served) = self else { return None };
        figure(&served.say(&json!({ "memory": true })).ok()?, "mib")
    }
}

/// The same engine in one process: all files, as many partitions as cores, batches as large as the nodes'.
pub(crate) async fn datafusion(dir: &Path) -> Result<Peer> {
    let context = SessionContext::new_with_config(SessionConfig::new().with_batch_size(16 * 1024));
    for table in data::TABLES {
        let files = (0..NODES).map(|node| data::file(dir, node, table).display().to_string());
        let frame = context.read_parquet(files.collect::<Vec<_>>(), ParquetReadOptions::default()).await?;
        context.register_table(table, frame.into_view())?;
    }
    for table in data::REFERENCES {
        let file = data::reference(dir, table).display().to_string();
        context.register_parquet(table, file, ParquetReadOptions::default()).await?;
    }
    Ok(Peer::DataFusion(context))
}

async fn collect(context: &SessionContext, sql: &str) -> datafusion::error::Result<Vec<RecordBatch>> {
    context.sql(sql).await?.collect().await
}

async fn rate<A>(
    clients: usize,
    length: Duration,
    sql: &str,
    ask: impl Fn(String) -> A + Clone + Send + 'static,
) -> Result<f64>
where
    A: Future<Output = std::result::Result<(), String>> + Send,
{
    ask(sql.to_owned()).await?;
    let started = Instant::now();
    let client = || {
        let (ask, sql) = (ask.clone(), sql.to_owned());
        tokio::spawn(async move {
            let mut answers = 0_u32;
            while started.elapsed() < length {
                ask(sql.clone()).await?;
                answers += 1;
            }
            Ok::<_, String>(answers)
        })
    };
    let clients: Vec<_> = (0..clients).map(|_| client()).collect();
    let mut answers = 0;
    for client in clients {
        answers += client.await??;
    }
    Ok(f64::from(answers) / started.elapsed().as_secs_f64())
}

fn texts(batches: &[RecordBatch]) -> Result<Vec<Vec<String>>> {
    let options = FormatOptions::default();
    let mut rows = Vec::new();
    for batch in batches {
        let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options));
        let columns = columns.collect::<std::result::Result<Vec<_>, _>>()?;
        rows.extend(
            (0..batch.num_rows())
                .map(|row| columns.iter().map(|column| column.value(row).to_string()).collect()),
        );
    }
    Ok(rows)
}

/// A script that answers a line of JSON with a line of JSON.
pub(crate) struct Served {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Served {
    /// Starts the script; it installs what it needs below the build folder, loads the files, and says so.
    pub(crate) fn start(kind: Kind, dir: &Path, scale: f64) -> Result<Peer> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/workload/peer.py");
        let python = std::env::var("JIGSAW_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let mut command = Command::new(python);
        command.arg("-B").arg(script).arg(kind.to_string()).arg(dir);
        command.arg(std::path::absolute(target().join("bench/peers"))?).arg(scale.to_string());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or("a child without output")?;
        let input = child.stdin.take();
        let mut served = Self { child, input, output: BufReader::new(output) };
        served.read()?;
        Ok(Peer::Served(kind, Box::new(served)))
    }

    fn ask(&mut self, sql: &str) -> Result<Run> {
        let answer = self.say(&json!({ "ask": sql }))?;
        let figure = |name: &str| figure(&answer, name).unwrap_or(f64::NAN);
        let cell = |cell: &Value| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned);
        let row = |row: &Value| row.as_array().into_iter().flatten().map(cell).collect();
        let rows = answer.get("rows").and_then(Value::as_array).into_iter().flatten().map(row).collect();
        Ok(Run { wall: figure("wall_ms"), cpu: figure("cpu_s"), rows })
    }

    fn say(&mut self, request: &Value) -> Result<Value> {
        writeln!(self.input.as_mut().ok_or("the peer was stopped")?, "{request}")?;
        self.read()
    }

    fn read(&mut self) -> Result<Value> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        if line.is_empty() {
            return Err(format!("the peer ended: {}", self.child.wait()?).into());
        }
        let answer: Value = serde_json::from_str(&line)?;
        match answer.get("error").and_then(Value::as_str) {
            Some(error) => Err(error.into()),
            None => Ok(answer),
        }
    }
}

/// Without input the script stops its servers and ends.
impl Drop for Served {
    fn drop(&mut self) {
        drop(self.input.take());
        drop(self.child.wait());
    }
}

/// A number of an answer.
fn figure(answer: &Value, name: &str) -> Option<f64> {
    answer.get(name)?.as_f64()
}

/// Seconds this process has had of all cores; Linux counts in hundredths, so only a mean of several runs says anything.
pub(crate) fn cpu() -> f64 {
    crate::peers::cpu_ms() / 1e3
}
