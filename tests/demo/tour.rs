//! Asks as the command `jigsaw` does, and shows what came.

use std::ffi::OsString;

use harness::data::Result;
use harness::federation::Federation;
use jigsaw_client::{Exit, Surroundings, Terminal};

use super::questions::Question;

/// Prints a question in words and in SQL, its answer, caveats and time.
pub(crate) async fn ask(federation: &Federation, number: usize, question: &Question) -> Result<()> {
    println!("\n\u{2500}\u{2500} {number}. {}\n", question.words);
    for line in question.sql.lines() {
        println!("    {line}");
    }
    println!();
    match jigsaw(federation, &["query", question.sql]).await {
        (Exit::Answered, output) => {
            print!("{output}");
            Ok(())
        }
        (_, output) => Err(output.into()),
    }
}

/// Runs the command, and returns all it prints.
pub(crate) async fn jigsaw(federation: &Federation, args: &[&str]) -> (Exit, String) {
    let server = format!("https://{}", federation.address());
    let (ca, token) = (federation.ca_file(), federation.token_file());
    let mut all: Vec<OsString> =
        vec!["jigsaw".into(), "--server".into(), server.into(), "--ca".into(), ca.into()];
    all.extend(["--token-file".into(), token.into()]);
    all.extend(args.iter().map(OsString::from));
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut around = Surroundings {
        stdin: &mut std::io::empty(),
        stdout: &mut stdout,
        stderr: &mut stderr,
        terminal: Terminal { stdin: false, stderr: false, ..Terminal::of_process() },
        variable: &|_| None,
    };
    let exit = jigsaw_client::run(all, &mut around, std::future::pending()).await;
    stdout.extend(stderr);
    (exit, String::from_utf8_lossy(&stdout).into_owned())
}
