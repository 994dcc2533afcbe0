//! Drivers that others wrote: Python with ADBC, pandas, polars and DuckDB; SQLAlchemy as Superset uses it.
#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use harness::data::{Scale, Synthetic};
use harness::federation::{Federation, Policy};

/// What is installed into the test's own environment, below the build folder.
const PACKAGES: &[&str] =
    &["adbc-driver-flightsql>=1.13,<2", "duckdb>=1.4,<3", "pandas>=2,<4", "polars>=1,<3", "pyarrow>=20"];

/// The recipe for Superset, which needs SQLAlchemy 1.4.
const SQLALCHEMY: &[&str] =
    &["flightsql-dbapi==0.2.2", "SQLAlchemy==1.4.54", "pandas>=2,<3", "pyarrow>=20", "protobuf>=4"];

/// A virtual environment below the build folder, with its packages.
pub(crate) struct Environment {
    pub(crate) name: &'static str,
    pub(crate) packages: &'static [&'static str],
}

impl Environment {
    /// Its Python; `None` where this machine has no Python at all.
    pub(crate) fn python(&self) -> Option<PathBuf> {
        // Tests share environments, and run at the same time.
        static MAKING: Mutex<()> = Mutex::new(());
        let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
        Command::new("python3").arg("--version").output().ok().filter(|output| output.status.success())?;
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(self.name);
        let (done, packages) = (folder.join("installed"), self.packages.join(" "));
        if std::fs::read_to_string(&done).is_ok_and(|installed| installed == packages) {
            return Some(folder.join("bin/python"));
        }
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
        let pip = folder.join("bin/pip");
        run(Command::new(pip)
            .args(["install", "--quiet", "--disable-pip-version-check"])
            .args(self.packages));
        std::fs::write(done, packages).unwrap();
        Some(folder.join("bin/python"))
    }
}

pub(crate) fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}\n{}\n{}", text(&output.stdout), text(&output.stderr));
}

/// A federation of some boroughs under their contracts.
async fn federation(dir: &Path) -> Federation {
    let mut nodes = Synthetic::new(7, Scale::test()).write_to(dir).unwrap();
    nodes.retain(|node| {
        ["barnet", "camden", "croydon", "greenwich", "hackney", "lambeth"].contains(&node.id.as_str())
    });
    Federation::builder(dir, nodes).policy(Policy::Contract).start().await.unwrap()
}

fn has_purpose(federation: &Federation, expected: &str) -> bool {
    let audit = federation.audit("camden");
    let mut purposes = audit.iter().filter_map(|entry| entry["purpose"].as_str());
    purposes.any(|purpose| purpose == expected)
}

#[expect(clippy::print_stderr, reason = "whoever reads the log must see that a check was left out")]
async fn python(check: &str, environment: Environment) -> Option<PathBuf> {
    let python = tokio::task::spawn_blocking(move || environment.python()).await.unwrap();
    if python.is_none() {
        eprintln!("SKIPPED {check}: there is no python3 on this machine");
    }
    python
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(name)
}

#[tokio::test(flavor = "multi_thread")]
async fn python_drivers_work() {
    let environment = Environment { name: "python-check", packages: PACKAGES };
    let Some(python) = python("python_drivers_work", environment).await else { return };
    let dir = tempfile::tempdir().unwrap();
    let federation = federation(dir.path()).await;
    let mut check = Command::new(python);
    check.arg("-B").arg(script("python_check.py")).arg(federation.address().to_string());
    check.arg(federation.ca_file()).arg(federation.token_file());
    tokio::task::spawn_blocking(move || run(&mut check)).await.unwrap();
    assert!(has_purpose(&federation, "set from Python"), "the session's purpose is not recorded");
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlalchemy_works_as_superset_uses_it() {
    let environment = Environment { name: "sqlalchemy-check", packages: SQLALCHEMY };
    let Some(python) = python("sqlalchemy_works_as_superset_uses_it", environment).await else { return };
    let dir = tempfile::tempdir().unwrap();
    let federation = federation(dir.path()).await;
    let mut check = Command::new(python);
    check.env("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", federation.ca_file());
    check.arg("-B").arg(script("sqlalchemy_check.py")).arg(federation.address().to_string());
    check.arg(federation.token_file());
    tokio::task::spawn_blocking(move || run(&mut check)).await.unwrap();
    assert!(has_purpose(&federation, "superset"), "the purpose in the URL is not recorded");
}

/// What stands between fences of a language in the coordinator's README.
pub(crate) fn recipes(language: &str) -> Vec<String> {
    let text = include_str!("../coordinator/README.md");
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// A folder with the files that recipes name.
pub(crate) fn with_files_of_recipes(federation: &Federation) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(federation.ca_file(), dir.path().join("federation-ca.pem")).unwrap();
    std::fs::copy(federation.token_file(), dir.path().join("token")).unwrap();
    dir
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recipes_for_python_work_as_they_stand_in_the_readme() {
    const NAME: &str = "the_recipes_for_python_work_as_they_stand_in_the_readme";
    let Some(plain) = python(NAME, Environment { name: "python-check", packages: PACKAGES }).await else {
        return;
    };
    let environment = Environment { name: "sqlalchemy-check", packages: SQLALCHEMY };
    let Some(sqlalchemy) = python(NAME, environment).await else { return };
    let dir = tempfile::tempdir().unwrap();
    let federation = federation(dir.path()).await;
    let files = with_files_of_recipes(&federation);
    let recipes = recipes("python");
    assert_eq!(recipes.len(), 4, "pandas, polars, DuckDB, SQLAlchemy");
    for recipe in recipes {
        let python = if recipe.contains("import sqlalchemy") { &sqlalchemy } else { &plain };
        let mut command = Command::new(python);
        command.env("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", federation.ca_file()).current_dir(files.path());
        command.arg("-c").arg(recipe.replace("coordinator.example:50050", &federation.address().to_string()));
        tokio::task::spawn_blocking(move || run(&mut command)).await.unwrap();
    }
    assert!(has_purpose(&federation, "winter planning"), "the purpose of a recipe is not recorded");
}
