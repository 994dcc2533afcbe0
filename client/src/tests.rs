//! The whole command against a real service on a loopback socket.

mod answers;
mod failures;
#[cfg(unix)]
mod profiles;
mod server;
#[cfg(unix)]
mod signing_in;

use std::ffi::OsString;
use std::future::pending;
use std::io::{self, Write};

use crate::{Exit, Surroundings, Terminal, run};
use server::{Coordinator, TOKEN};

/// No stream is a terminal.
const PIPES: Terminal = Terminal { stdin: false, stdout: false, stderr: false, width: 60 };

/// A run and its surroundings, before it is started.
struct Call<'a> {
    args: Vec<&'a str>,
    stdin: &'a str,
    variables: Vec<(&'a str, String)>,
    terminal: Terminal,
}

/// What a run left behind.
struct Ran {
    exit: Exit,
    stdout: Vec<u8>,
    stderr: String,
}

impl Ran {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }
}

impl<'a> Call<'a> {
    fn new(coordinator: &Coordinator, args: &[&'a str]) -> Self {
        let server = format!("http://{}", coordinator.address);
        let variables = vec![("JIGSAW_SERVER", server), ("JIGSAW_TOKEN", TOKEN.to_owned())];
        Self { args: args.to_vec(), stdin: "", variables, terminal: PIPES }
    }

    fn set(mut self, name: &'a str, value: impl Into<String>) -> Self {
        self.variables.retain(|(other, _)| *other != name);
        self.variables.push((name, value.into()));
        self
    }

    async fn run(self) -> Ran {
        let mut stdout = Vec::new();
        let (exit, stderr) = self.run_into(&mut stdout, pending()).await;
        Ran { exit, stdout, stderr }
    }

    async fn run_into(
        self,
        stdout: &mut (dyn Write + Send),
        interrupt: impl Future<Output = ()>,
    ) -> (Exit, String) {
        let mut stderr = Vec::new();
        let variable = |name: &str| {
            self.variables.iter().find(|(other, _)| *other == name).map(|(_, value)| value.clone())
        };
        let mut around = Surroundings {
            stdin: &mut self.stdin.as_bytes(),
            stdout,
            stderr: &mut stderr,
            terminal: self.terminal,
            variable: &variable,
        };
        let args = ["jigsaw"].iter().chain(&self.args).map(OsString::from);
        let exit = run(args, &mut around, interrupt).await;
        (exit, String::from_utf8(stderr).unwrap())
    }
}

/// A reader that went away.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}
