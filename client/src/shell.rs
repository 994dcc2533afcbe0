//! `jigsaw` without a command, on a terminal: a conversation.
//!
//! Statements are asked as `jigsaw query` asks them. Ctrl-C ends a question and not the shell: the stream is dropped, and with it
//! the work at every node. Secrets come from profile, environment or file, and never from what is typed here.

mod commands;
mod complete;
mod editor;
mod highlight;
mod history;
mod names;
mod options;
mod pager;
mod script;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fs;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::cli::Format;
use crate::command::{self, Ask};
use crate::connect::{Session, connect};
use crate::failure::Failure;
use crate::output::OutputFile;
use crate::query::{self, Written};
use crate::render::{Kept, Look, Renderer};
use crate::settings::Settings;
use crate::surroundings::{Surroundings, Terminal, hear_interrupts, printable};
use crate::{dry_run, sign_on};
use commands::{Command, Picture};
use editor::{Editor, Read};
use names::Names;
use options::State;
use script::Item;

/// Most files, statements and commands that one line may lead to through `\i`.
const MOST_ITEMS: usize = 10_000;

/// How the shell was started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Keep what is typed in a file.
    pub(crate) history: bool,
}

/// Talks until the end of input.
pub(crate) async fn run(
    settings: &Settings,
    options: Options,
    around: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    // It may be meant for the pager.
    hear_interrupts().await;
    let (mut session, (up, all)) = until_interrupted(async {
        let mut session = connect(settings).await?;
        let nodes = sign_on::try_out(&mut session).await?;
        Ok((session, nodes))
    })
    .await?;
    let version = env!("CARGO_PKG_VERSION");
    let said = format!("jigsaw {version} · {} · {up} of {all} nodes up · \\help for help", settings.server);
    writeln!(around.stdout, "{}", printable(&said))?;
    around.stdout.flush()?;
    let names = Arc::new(RwLock::new(Names::default()));
    load_aside(&session, &names);
    let file = if options.history { history::file(around) } else { None };
    let mut editor = Editor::new(Arc::clone(&names), file, around.colour())?;
    let mut shell = Shell { settings, names, state: State::new(settings)?, last: None, kept: None };
    loop {
        // The editor blocks, and the connection has to live meanwhile.
        let read = tokio::task::spawn_blocking(move || {
            let read = editor.read();
            (editor, read)
        });
        let (returned, read) = read.await.map_err(|_| Failure::failed("the line editor failed"))?;
        editor = returned;
        match read {
            Read::Text(text) if !shell.take(&text, &mut session, around).await => return Ok(()),
            Read::Text(_) | Read::Interrupted => {}
            Read::End => return Ok(()),
            Read::Broken(failure) => return Err(failure),
        }
    }
}

/// Loads what can be completed, while the first line is being typed.
fn load_aside(session: &Session, names: &Arc<RwLock<Names>>) {
    let (mut session, names) = (session.clone(), Arc::clone(names));
    tokio::spawn(async move {
        // Without it there is less to complete, and nothing is lost.
        if let Ok(loaded) = Names::load(&mut session).await {
            *names.write().unwrap_or_else(PoisonError::into_inner) = loaded;
        }
    });
}

struct Shell<'s> {
    settings: &'s Settings,
    names: Arc<RwLock<Names>>,
    state: State,
    /// The last statement that was asked.
    last: Option<String>,
    /// Its rows.
    kept: Option<Kept>,
}

impl Shell<'_> {
    /// Does what a text says; whether to go on after it.
    async fn take(&mut self, text: &str, session: &mut Session, around: &mut Surroundings<'_>) -> bool {
        let mut queue: VecDeque<Item> = script::cut(text).into();
        let mut items = 0;
        while let Some(item) = queue.pop_front() {
            items += 1;
            let done = match item {
                _ if items > MOST_ITEMS => Err(Failure::usage("a file that includes itself never ends")),
                Item::Statement { sql, .. } => self.ask(&sql, session, around).await,
                Item::Command { line, .. } => match commands::parse(&line) {
                    Err(failure) => Err(failure),
                    Ok(Command::Quit) => return false,
                    Ok(Command::Include(file)) => include(&file).map(|items| {
                        for item in items.into_iter().rev() {
                            queue.push_front(item);
                        }
                    }),
                    Ok(command) => self.perform(command, session, around).await,
                },
            };
            if let Err(failure) = done {
                failure.to(&self.settings.credentials.shown()).report(around);
                break;
            }
        }
        true
    }

    async fn ask(
        &mut self,
        sql: &str,
        session: &mut Session,
        around: &mut Surroundings<'_>,
    ) -> Result<(), Failure> {
        self.last = Some(sql.to_owned());
        let output = self.state.once.take();
        let mut ask = self.state.ask.clone();
        if ask.show.format.is_binary() && output.is_none() {
            return Err(Failure::usage("this format is not for terminals: name a file with \\o FILE"));
        }
        ask.show.output = output;
        self.kept = self.show(&ask, sql, session, around).await?;
        Ok(())
    }

    /// Asks, shows the answer a screen at a time, and then what is said beside it.
    async fn show(
        &self,
        ask: &Ask,
        sql: &str,
        session: &mut Session,
        around: &mut Surroundings<'_>,
    ) -> Result<Option<Kept>, Failure> {
        let mut page = Vec::new();
        around.terminal = Terminal::of_process();
        let written = {
            let mut inner = Surroundings {
                stdin: around.stdin,
                stdout: &mut page,
                stderr: around.stderr,
                terminal: around.terminal,
                variable: around.variable,
            };
            until_interrupted(query::write(session, ask, sql, &mut inner)).await?
        };
        pager::show(page, self.state.pager, around).await?;
        let Written { said, times, kept } = written;
        around.stderr.write_all(&said)?;
        if self.state.timing {
            let ms = |time: Duration| time.as_secs_f64() * 1000.0;
            let (planned, answered, complete) = (ms(times.planned), ms(times.answered), ms(times.complete));
            writeln!(
                around.stderr,
                "planned after {planned:.1} ms · nodes answered after {answered:.1} ms · complete after {complete:.1} ms"
            )?;
        }
        around.stderr.flush()?;
        Ok(kept)
    }

    async fn perform(
        &mut self,
        command: Command,
        session: &mut Session,
        around: &mut Surroundings<'_>,
    ) -> Result<(), Failure> {
        let plain = Ask { show: self.listing(), ..Ask::plain() };
        match command {
            Command::Datasets => self.list(&plain, command::DATASETS, session, around).await,
            Command::Nodes => self.list(&plain, command::NODES, session, around).await,
            Command::Describe(dataset) => {
                let (statement, if_empty) = command::describe(&dataset);
                let if_empty = if_empty.replace("`jigsaw datasets` lists", "\\d lists");
                self.list(&Ask { if_empty: Some(if_empty), ..plain }, &statement, session, around).await
            }
            Command::Policy(dataset) => {
                let text = until_interrupted(dry_run::policy(session, &dataset)).await?;
                pager::show(text.into_bytes(), self.state.pager, around).await
            }
            Command::Functions => {
                around.terminal = Terminal::of_process();
                let text = {
                    let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
                    names.functions_text(around.terminal.width.into())
                };
                pager::show(text.into_bytes(), self.state.pager, around).await
            }
            Command::Explain(sql) => {
                let statement = format!("EXPLAIN {}", self.statement(sql)?);
                self.list(
                    &Ask { show: self.listing(), ..self.state.ask.clone() },
                    &statement,
                    session,
                    around,
                )
                .await
            }
            Command::DryRun(sql) => {
                let (sql, ask) = (self.statement(sql)?, self.state.ask.clone());
                let text = until_interrupted(dry_run::text(session, &ask, &sql)).await?;
                pager::show(text.into_bytes(), self.state.pager, around).await
            }
            Command::Watch(every) => self.watch(every, session, around).await,
            Command::Chart(picture) => self.draw(&picture, around).await,
            Command::Refresh => {
                let loaded = until_interrupted(Names::load(session)).await?;
                writeln!(around.stdout, "{}", loaded.summary())?;
                *self.names.write().unwrap_or_else(PoisonError::into_inner) = loaded;
                Ok(around.stdout.flush()?)
            }
            Command::Help => pager::show(commands::HELP.as_bytes().to_vec(), self.state.pager, around).await,
            Command::ConnectionFacts => say(&options::connection(self.settings, &self.state), around),
            Command::Set(setting) => {
                let said = self.state.set(setting)?;
                say(&said, around)
            }
            Command::Include(_) | Command::Quit => Ok(()),
        }
    }

    /// How lists are shown: as answers are, if that is for eyes.
    fn listing(&self) -> crate::cli::Show {
        let mut show = self.state.ask.show.clone();
        if show.format.is_binary() {
            show.format = Format::Table;
        }
        show
    }

    async fn list(
        &self,
        ask: &Ask,
        statement: &str,
        session: &mut Session,
        around: &mut Surroundings<'_>,
    ) -> Result<(), Failure> {
        self.show(ask, statement, session, around).await.map(drop)
    }

    /// The statement that was given, or the last one.
    fn statement(&self, given: Option<String>) -> Result<String, Failure> {
        given
            .or_else(|| self.last.clone())
            .ok_or_else(|| Failure::usage("nothing was asked yet: write the statement behind the command"))
    }

    /// Asks the last statement again and again.
    async fn watch(
        &mut self,
        every: Duration,
        session: &mut Session,
        around: &mut Surroundings<'_>,
    ) -> Result<(), Failure> {
        let statement = self.statement(None)?;
        let pager = std::mem::replace(&mut self.state.pager, false);
        let ask = self.state.ask.clone();
        let outcome = loop {
            match self.show(&ask, &statement, session, around).await {
                Ok(kept) => self.kept = kept,
                Err(failure) => break Err(failure),
            }
            let pause = async {
                tokio::time::sleep(every).await;
                Ok(())
            };
            if until_interrupted(pause).await.is_err() {
                break Ok(());
            }
        };
        self.state.pager = pager;
        outcome
    }

    /// Draws the last answer; nobody is asked again.
    async fn draw(&self, picture: &Picture, around: &mut Surroundings<'_>) -> Result<(), Failure> {
        let Some((schema, batches)) = &self.kept else {
            return Err(Failure::usage(
                "there is no answer to draw: ask first (at most 10,000 rows are kept)",
            ));
        };
        around.terminal = Terminal::of_process();
        let mut ask = Ask { chart: Some(picture.kind), ..Ask::plain() };
        ask.show.output.clone_from(&picture.file);
        let look = Look::of(&ask, around)?;
        let mut file = ask.show.output.as_deref().map(OutputFile::create).transpose()?;
        let mut page = Vec::new();
        let mut renderer = Renderer::new(look, file.as_mut().map_or(&mut page, OutputFile::writer));
        renderer.begin(schema)?;
        for batch in batches {
            renderer.push(batch)?;
        }
        renderer.finish(&[])?;
        if let Some(file) = file {
            file.keep()?;
        }
        pager::show(page, self.state.pager, around).await
    }
}

fn say(text: &str, around: &mut Surroundings<'_>) -> Result<(), Failure> {
    around.stdout.write_all(printable(text).as_bytes())?;
    Ok(around.stdout.flush()?)
}

fn include(file: &std::path::Path) -> Result<Vec<Item>, Failure> {
    let text = fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", file.display())))?;
    Ok(script::cut(&text))
}

/// Work that Ctrl-C ends.
async fn until_interrupted<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::select! {
        biased;
        done = work => done,
        Ok(()) = tokio::signal::ctrl_c() => Err(Failure::Interrupted),
    }
}
