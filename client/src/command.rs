//! The commands: each becomes a list of statements and a way to show their answers.

use std::ffi::OsString;
use std::{fs, io};

use clap::Parser as _;
use tonic::metadata::{Ascii, MetadataValue};

use crate::cli::{CellStatus, Cli, Command, Query, Show};
use crate::connect::connect;
use crate::failure::Failure;
use crate::identity::Identity;
use crate::settings::Settings;
use crate::statement::split;
use crate::surroundings::Surroundings;
use crate::{query, settings};

const DATASETS: &str = "SELECT dataset, kind, nodes, release, threshold, rounding, left_out, description \
                        FROM system.datasets ORDER BY dataset";
const NODES: &str = "SELECT node, title, status, detail, datasets, software, checked_at \
                     FROM system.nodes ORDER BY node";

/// A checked command line.
pub(crate) struct Task {
    settings: Settings,
    statements: Vec<String>,
    pub(crate) show: Show,
    pub(crate) allow_partial: bool,
    pub(crate) cell_status: CellStatus,
    pub(crate) purpose: Option<MetadataValue<Ascii>>,
    /// What to say instead of an answer without rows.
    pub(crate) if_empty: Option<String>,
}

/// Reads the command line, and the statements it names; `None` when help or version was all that was wanted.
pub(crate) fn prepare(
    args: impl IntoIterator<Item = OsString>,
    around: &mut Surroundings<'_>,
) -> Result<Option<Task>, Failure> {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            return Err(Failure::Arguments { message: error.render().to_string() });
        }
        Err(help) => {
            write!(around.stdout, "{}", help.render())?;
            around.stdout.flush()?;
            return Ok(None);
        }
    };
    if let Command::Identity { name, federation, output } = &cli.command {
        let lines = Identity::create(name, federation, output)?;
        write!(around.stdout, "{lines}")?;
        around.stdout.flush()?;
        return Ok(None);
    }
    let settings = settings::resolve(&cli.connection, around)?;
    let task = task(cli.command, settings, around)?;
    check_output(&task, around)?;
    Ok(Some(task))
}

/// Asks statement after statement, up to the first that fails.
pub(crate) async fn perform(task: &Task, around: &mut Surroundings<'_>) -> Result<(), Failure> {
    let mut session = connect(&task.settings).await?;
    for statement in &task.statements {
        query::answer(&mut session, task, statement, around).await?;
    }
    Ok(())
}

fn task(command: Command, settings: Settings, around: &mut Surroundings<'_>) -> Result<Task, Failure> {
    let one = |settings, statement: String, show| Task {
        settings,
        statements: vec![statement],
        show,
        allow_partial: false,
        cell_status: CellStatus::Nulls,
        purpose: None,
        if_empty: None,
    };
    Ok(match command {
        Command::Query(query) => {
            let text = text(&query, around)?;
            let statements: Vec<String> = split(&text).into_iter().map(str::to_owned).collect();
            if statements.is_empty() {
                return Err(Failure::usage("there is no statement to run"));
            }
            let purpose = query.purpose.as_deref().map(purpose).transpose()?;
            let Query { allow_partial, cell_status, show, .. } = query;
            Task { settings, statements, show, allow_partial, cell_status, purpose, if_empty: None }
        }
        // It was carried out without a connection.
        Command::Identity { .. } => return Err(Failure::usage("there is no statement to run")),
        Command::Datasets(show) => one(settings, DATASETS.to_owned(), show),
        Command::Nodes(show) => one(settings, NODES.to_owned(), show),
        Command::Describe { dataset, show } => {
            let statement = format!(
                "SELECT \"column\", type, role, unit, nullable, codes, description \
                 FROM system.columns WHERE dataset = '{}' ORDER BY position",
                dataset.replace('\'', "''")
            );
            let if_empty =
                format!("there is no dataset {dataset:?}: `jigsaw datasets` lists those there are");
            Task { if_empty: Some(if_empty), ..one(settings, statement, show) }
        }
        Command::Explain { sql, show } => match split(&sql).as_slice() {
            [statement] => one(settings, format!("EXPLAIN {statement}"), show),
            _ => return Err(Failure::usage("explain takes exactly one statement")),
        },
    })
}

fn text(query: &Query, around: &mut Surroundings<'_>) -> Result<String, Failure> {
    if let Some(sql) = &query.sql {
        return Ok(sql.clone());
    }
    if let Some(file) = &query.file {
        return fs::read_to_string(file)
            .map_err(|error| Failure::usage(format!("cannot read {}: {error}", file.display())));
    }
    if around.terminal.stdin {
        return Err(Failure::usage(
            "there is nothing to run: give SQL as an argument, with --file, or on standard input",
        ));
    }
    read(around.stdin).map_err(|error| Failure::usage(format!("cannot read standard input: {error}")))
}

fn read(from: &mut dyn io::Read) -> io::Result<String> {
    let mut text = String::new();
    from.read_to_string(&mut text)?;
    Ok(text)
}

fn purpose(text: &str) -> Result<MetadataValue<Ascii>, Failure> {
    if text.is_empty() || !text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return Err(Failure::usage("--purpose must be one line of ASCII text"));
    }
    MetadataValue::try_from(text).map_err(|_| Failure::usage("--purpose must be one line of ASCII text"))
}

fn check_output(task: &Task, around: &Surroundings<'_>) -> Result<(), Failure> {
    let Show { format, output, .. } = &task.show;
    let single = output.is_some() || format.is_binary();
    if single && task.statements.len() > 1 {
        return Err(Failure::usage("several answers do not fit one file: run one statement at a time"));
    }
    if format.is_binary() && output.is_none() && around.terminal.stdout {
        return Err(Failure::usage("this format is not for terminals: name a file with --output"));
    }
    Ok(())
}
