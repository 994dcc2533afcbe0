//! Drivers that others wrote: Go. ADBC's own validation suite, and Arrow's client against Arrow's reference schemas.
#![cfg(test)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use harness::data::{Scale, Synthetic};
use harness::federation::{Federation, Policy};

/// The oldest Go that the driver's module can be built with.
const OLDEST: (u32, u32) = (1, 25);

/// What becomes of every test, by name. The suite's tests of ingestion are skipped by the suite itself, for there is none.
const OUTCOMES: &str = include_str!("clients/go/outcomes.txt");

/// Major and minor version of the Go on this machine.
fn go() -> Option<(u32, u32)> {
    let output = Command::new("go").args(["env", "GOVERSION"]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut numbers = text.trim().strip_prefix("go")?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
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
    let caches = Path::new(env!("CARGO_TARGET_TMPDIR")).join("go-check");
    let mut check = Command::new("go");
    check.args(["test", "-json", "-count=1", "./..."]);
    check.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/go"));
    check.env("GOCACHE", caches.join("build")).env("GOMODCACHE", caches.join("modules"));
    check.env("GOFLAGS", "-mod=readonly -modcacherw").env("JIGSAW_VERSION", env!("CARGO_PKG_VERSION"));
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
