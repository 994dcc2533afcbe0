//! The commands: each becomes a list of statements and a way to show their answers, or work of its own.

use std::ffi::OsString;
use std::{fs, io};

use clap::{CommandFactory as _, Parser as _};
use tonic::metadata::{Ascii, MetadataValue};

use crate::cli::{CellStatus, Chart, Cli, Command, Connect, Connection, Format, Query, Show};
use crate::connect::connect;
use crate::failure::Failure;
use crate::identity::Identity;
use crate::settings::{self, Settings};
use crate::statement::split;
use crate::surroundings::Surroundings;
use crate::{chart, dry_run, man, query, shell, sign_on};

/// What there is to ask.
pub(crate) const DATASETS: &str = "SELECT dataset, kind, nodes, release, threshold, rounding, left_out, description \
     FROM system.datasets ORDER BY dataset";

/// Who takes part.
pub(crate) const NODES: &str = "SELECT node, title, status, detail, datasets, software, checked_at \
                                FROM system.nodes ORDER BY node";

/// A checked command line.
pub(crate) enum Work {
    /// Statements to be answered, one after the other.
    Ask(Settings, Vec<String>, Ask),
    /// What nodes would be asked.
    DryRun(Settings, Vec<String>, Ask),
    /// A connection to try and to save.
    SignOn(Connect, Connection),
    /// A conversation.
    Shell(Settings, shell::Options),
    /// Nothing is left to do.
    Done,
}

/// How a statement is asked and its answer shown. Not `Debug`: a purpose is nobody else's business.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) show: Show,
    pub(crate) allow_partial: bool,
    pub(crate) cell_status: CellStatus,
    pub(crate) purpose: Option<MetadataValue<Ascii>>,
    pub(crate) chart: Option<Chart>,
    /// What to say instead of an answer without rows.
    pub(crate) if_empty: Option<String>,
}

impl Ask {
    /// Without options, as a table.
    pub(crate) fn plain() -> Self {
        Self::of(Show { format: Format::Table, output: None, timeout: None })
    }

    /// Shown so, without other options.
    pub(crate) fn of(show: Show) -> Self {
        let cell_status = CellStatus::Nulls;
        Self { show, allow_partial: false, cell_status, purpose: None, chart: None, if_empty: None }
    }
}

/// Reads the command line, and the statements it names.
pub(crate) fn prepare(
    args: impl IntoIterator<Item = OsString>,
    around: &mut Surroundings<'_>,
) -> Result<Work, Failure> {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            return Err(Failure::Arguments { message: error.render().to_string() });
        }
        Err(help) => {
            write!(around.stdout, "{}", help.render())?;
            around.stdout.flush()?;
            return Ok(Work::Done);
        }
    };
    let Cli { connection, no_history, command } = cli;
    match command {
        None if around.interactive() => {
            let options = shell::Options { history: !no_history };
            Ok(Work::Shell(settings::resolve(&connection, around)?, options))
        }
        None => Err(Failure::Arguments { message: Cli::command().render_help().to_string() }),
        Some(Command::Connect(wanted)) => Ok(Work::SignOn(wanted, connection)),
        Some(Command::Identity { name, federation, output }) => {
            let lines = Identity::create(&name, &federation, &output)?;
            say(around, lines.as_bytes())
        }
        Some(Command::Dpop { url, nonce }) => {
            let proof = settings::identity(&connection, around)?.possession(&url, nonce.as_deref())?;
            say(around, format!("{proof}\n").as_bytes())
        }
        Some(Command::Completions { shell }) => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "jigsaw", &mut text);
            say(around, &text)
        }
        Some(Command::Man) => {
            let page = man::page()?;
            say(around, &page)
        }
        Some(command) => {
            let settings = settings::resolve(&connection, around)?;
            let work = task(command, settings, around)?;
            check_output(&work, around)?;
            Ok(work)
        }
    }
}

fn say(around: &mut Surroundings<'_>, text: &[u8]) -> Result<Work, Failure> {
    around.stdout.write_all(text)?;
    around.stdout.flush()?;
    Ok(Work::Done)
}

/// Does the work; statements up to the first that fails.
pub(crate) async fn perform(work: Work, around: &mut Surroundings<'_>) -> Result<(), Failure> {
    match work {
        Work::Done => Ok(()),
        Work::SignOn(wanted, flags) => sign_on::sign_on(&wanted, &flags, around).await,
        Work::Shell(mut settings, options) => {
            settings.credentials.complete(around).await?;
            let shown = settings.credentials.shown();
            shell::run(&settings, options, around).await.map_err(|failure| failure.to(&shown))
        }
        Work::Ask(mut settings, statements, ask) => {
            settings.credentials.complete(around).await?;
            let shown = settings.credentials.shown();
            answer(&settings, &statements, &ask, around).await.map_err(|failure| failure.to(&shown))
        }
        Work::DryRun(mut settings, statements, ask) => {
            settings.credentials.complete(around).await?;
            let shown = settings.credentials.shown();
            rehearse(&settings, &statements, &ask, around).await.map_err(|failure| failure.to(&shown))
        }
    }
}

async fn answer(
    settings: &Settings,
    statements: &[String],
    ask: &Ask,
    around: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    let mut session = connect(settings).await?;
    for statement in statements {
        query::answer(&mut session, ask, statement, around).await?;
    }
    Ok(())
}

async fn rehearse(
    settings: &Settings,
    statements: &[String],
    ask: &Ask,
    around: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    let mut session = connect(settings).await?;
    for statement in statements {
        dry_run::show(&mut session, ask, statement, around).await?;
    }
    Ok(())
}

/// What there is to know of a dataset's columns, and what to say if there is no such dataset.
pub(crate) fn describe(dataset: &str) -> (String, String) {
    let statement = format!(
        "SELECT \"column\", type, role, unit, nullable, codes, description \
         FROM system.columns WHERE dataset = '{}' ORDER BY position",
        dataset.replace('\'', "''")
    );
    (statement, format!("there is no dataset {dataset:?}: `jigsaw datasets` lists those there are"))
}

fn task(command: Command, settings: Settings, around: &mut Surroundings<'_>) -> Result<Work, Failure> {
    let profile_purpose = settings.purpose.clone();
    let one = |settings, statement: String, show| Work::Ask(settings, vec![statement], Ask::of(show));
    Ok(match command {
        Command::Query(query) => {
            let text = text(&query, around)?;
            let statements: Vec<String> = split(&text).into_iter().map(str::to_owned).collect();
            if statements.is_empty() {
                return Err(Failure::usage("there is no statement to run"));
            }
            let Query { allow_partial, cell_status, show, chart, dry_run, purpose: flag, .. } = query;
            let purpose = flag.or(profile_purpose).as_deref().map(purpose).transpose()?;
            let ask = Ask { show, allow_partial, cell_status, purpose, chart, if_empty: None };
            if dry_run {
                Work::DryRun(settings, statements, ask)
            } else {
                Work::Ask(settings, statements, ask)
            }
        }
        // It was carried out without a connection.
        Command::Identity { .. } | Command::Dpop { .. } => {
            return Err(Failure::usage("there is no statement to run"));
        }
        Command::Datasets(show) => one(settings, DATASETS.to_owned(), show),
        Command::Nodes(show) => one(settings, NODES.to_owned(), show),
        Command::Describe { dataset, show } => {
            let (statement, if_empty) = describe(&dataset);
            Work::Ask(settings, vec![statement], Ask { if_empty: Some(if_empty), ..Ask::of(show) })
        }
        Command::Explain { sql, show } => match split(&sql).as_slice() {
            [statement] => one(settings, format!("EXPLAIN {statement}"), show),
            _ => return Err(Failure::usage("explain takes exactly one statement")),
        },
        Command::Connect(_) | Command::Completions { .. } | Command::Man => Work::Done,
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

/// A purpose as it travels.
pub(crate) fn purpose(text: &str) -> Result<MetadataValue<Ascii>, Failure> {
    let wrong = || Failure::usage("the purpose (--purpose) must be one line of ASCII text");
    if text.is_empty() || !text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return Err(wrong());
    }
    MetadataValue::try_from(text).map_err(|_| wrong())
}

fn check_output(work: &Work, around: &Surroundings<'_>) -> Result<(), Failure> {
    let (Work::Ask(_, statements, ask) | Work::DryRun(_, statements, ask)) = work else { return Ok(()) };
    let Show { format, output, .. } = &ask.show;
    let single = output.is_some() || format.is_binary();
    if single && statements.len() > 1 {
        return Err(Failure::usage("several answers do not fit one file: run one statement at a time"));
    }
    if format.is_binary() && output.is_none() && around.terminal.stdout {
        return Err(Failure::usage("this format is not for terminals: name a file with --output"));
    }
    if let (Some(_), Some(file)) = (ask.chart, output) {
        chart::Medium::of_file(file)?;
    }
    Ok(())
}
