//! Drivers that others wrote: Go. ADBC's own validation suite, Arrow's client against Arrow's reference schemas, and the client of
//! Arrow's integration tests with its scenarios.
#![cfg(test)]

mod scenarios;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use harness::data::{Scale, Synthetic};
use harness::federation::{Federation, Policy};
use scenarios::Scenario;

use crate::python::run;

/// The oldest Go that the driver's module can be built with.
const OLDEST: (u32, u32) = (1, 25);

/// What becomes of every test, by name. The suite's tests of ingestion are skipped by the suite itself, for there is none.
const OUTCOMES: &str = include_str!("clients/go/outcomes.txt");

/// What becomes of every scenario of Arrow's integration tests, by name, and why some fail.
const SCENARIOS: &str = include_str!("clients/go/scenarios.txt");

/// The program that plays the scenarios: of the module that the reference schemas are of.
const PLAYER: &str =
    "github.com/apache/arrow-go/v18/arrow/internal/flight_integration/cmd/arrow-flight-integration-client";

/// Major and minor version of the Go on this machine.
fn go() -> Option<(u32, u32)> {
    let output = Command::new("go").args(["env", "GOVERSION"]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut numbers = text.trim().strip_prefix("go")?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// Below the build folder.
fn caches() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("go-check")
}

/// Go, in the folder of the checkers, with caches of its own.
fn go_here() -> Command {
    let mut command = Command::new("go");
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/go"));
    command.env("GOCACHE", caches().join("build")).env("GOMODCACHE", caches().join("modules"));
    command.env("GOFLAGS", "-mod=readonly -modcacherw");
    command
}

/// The table that scenarios read.
fn with_table_of_scenarios(dir: &Path) {
    let file = dir.join("coordinator.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(dir.join("reference/scenario.csv"), "id\n1\n2\n").unwrap();
    let table = scenarios::TABLE;
    let more = format!(
        "\n[[reference]]\nname = \"{table}\"\nsource = \"reference/{table}.csv\"\ndescription = \"Of scenarios\"\n"
    );
    fs::write(file, text + &more).unwrap();
}

/// The tables that the validation suite would create, if it could.
fn with_tables_of_the_suite(dir: &Path) {
    let file = dir.join("coordinator.toml");
    let mut text = fs::read_to_string(&file).unwrap();
    for (name, columns) in [("sample_test", "ints,strings"), ("bulk_ingest", "int64s,strings")] {
        fs::write(dir.join(format!("reference/{name}.csv")), format!("{columns}\n42,foo\n-42,\n,bar\n"))
            .unwrap();
        write!(
            text,
            "\n[[reference]]\nname = \"{name}\"\nsource = \"reference/{name}.csv\"\ndescription = \"Of a test suite\"\n"
        )
        .unwrap();
    }
    fs::write(file, text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stderr, reason = "whoever reads the log must see what was left out, and how it went")]
async fn the_go_driver_passes_its_own_validation_suite() {
    if go().is_none_or(|version| version < OLDEST) {
        eprintln!(
            "SKIPPED the_go_driver_passes_its_own_validation_suite: there is no Go 1.25 on this machine"
        );
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut nodes = Synthetic::new(7, Scale::test()).write_to(dir.path()).unwrap();
    nodes.retain(|node| ["camden", "hackney"].contains(&node.id.as_str()));
    let builder = Federation::builder(dir.path(), nodes).policy(Policy::Contract);
    let federation = builder.edit(with_tables_of_the_suite).start().await.unwrap();
    let mut check = go_here();
    check.args(["test", "-json", "-count=1", "./..."]);
    check.env("JIGSAW_VERSION", env!("CARGO_PKG_VERSION")).env("JIGSAW_ARROW_VERSION", arrow::ARROW_VERSION);
    check.env("JIGSAW_ADDRESS", federation.address().to_string());
    check.env("JIGSAW_CA", federation.ca_file()).env("JIGSAW_TOKEN", federation.token_file());
    let output = tokio::task::spawn_blocking(move || check.output().unwrap()).await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (said, complained) = (text(&output.stdout), text(&output.stderr));
    let found = outcomes(&said);
    let expected: BTreeSet<String> = OUTCOMES.lines().map(str::to_owned).collect();
    let list = found.iter().cloned().collect::<Vec<_>>().join("\n");
    assert!(
        found == expected,
        "outcomes.txt says otherwise; this time:\n{list}\n\n{complained}\n{}",
        words(&said)
    );
    let of = |word: &str| found.iter().filter(|line| line.starts_with(word)).count();
    eprintln!("Go: {} passed, {} failed, {} skipped by the suite", of("pass "), of("fail "), of("skip "));
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stderr, reason = "whoever reads the log must see what was left out, and how it went")]
async fn the_scenarios_of_arrow_go_as_they_did() {
    if go().is_none_or(|version| version < OLDEST) {
        eprintln!("SKIPPED the_scenarios_of_arrow_go_as_they_did: there is no Go 1.25 on this machine");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut nodes = Synthetic::new(7, Scale::test()).write_to(dir.path()).unwrap();
    nodes.retain(|node| ["camden", "hackney"].contains(&node.id.as_str()));
    let builder = Federation::builder(dir.path(), nodes).policy(Policy::Contract).tap(["camden"]);
    let federation = Arc::new(builder.edit(with_table_of_scenarios).start().await.unwrap());
    let player = dir.path().join("player");
    let mut build = go_here();
    build.arg("build").arg("-o").arg(&player).arg(PLAYER);
    tokio::task::spawn_blocking(move || run(&mut build)).await.unwrap();
    let mut playing = Vec::new();
    for name in scenarios::SCENARIOS {
        let port = Scenario::open(name, &federation).await.port().to_string();
        let mut play = Command::new(&player);
        play.args(["-host", "127.0.0.1", "-port", &port, "-scenario", name]);
        playing.push(tokio::task::spawn_blocking(move || {
            let output = play.output().unwrap();
            scenarios::outcome(name, output.status.success(), &String::from_utf8_lossy(&output.stderr))
        }));
    }
    let mut found = Vec::new();
    for playing in playing {
        found.push(playing.await.unwrap());
    }
    let words: Vec<String> = found.iter().map(|(outcome, said)| format!("{outcome}: {said}")).collect();
    eprintln!("Arrow's scenarios:\n{}", words.join("\n"));
    let found: Vec<&str> = found.iter().map(|(outcome, _)| outcome.as_str()).collect();
    // After the name stands why it fails, in our words: the client's are not always the same.
    let expected: Vec<&str> =
        SCENARIOS.lines().map(|line| line.split_once(": ").map_or(line, |(outcome, _)| outcome)).collect();
    assert_eq!(found, expected, "scenarios.txt says otherwise");
}

/// `pass TestValidation/…` for each test.
fn outcomes(said: &str) -> BTreeSet<String> {
    let events = said.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let ends = events.filter_map(|event| {
        let (action, test) = (event["Action"].as_str()?, event["Test"].as_str()?);
        ["pass", "fail", "skip"].contains(&action).then(|| format!("{action} {test}"))
    });
    ends.collect()
}

/// What the tests printed.
fn words(said: &str) -> String {
    let events = said.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    events.filter_map(|event| event["Output"].as_str().map(str::to_owned)).collect()
}
