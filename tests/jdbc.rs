//! The JDBC driver that DBeaver, Tableau and Metabase use, driven as they drive it.
#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::data::{Scale, Synthetic, hex};
use harness::federation::{Federation, Policy};
use sha2::{Digest, Sha256};

use crate::python::run;

/// A release of `org.apache.arrow:flight-sql-jdbc-driver`, and the SHA-256 of its jar.
const DRIVER: (&str, &str) = ("18.3.0", "3f418b46c880e263558c5de669bdbede2c5d4375527ced116fb29f795b03704c");

/// The driver's jar, from Maven Central, below the build folder.
fn driver() -> PathBuf {
    let (version, expected) = DRIVER;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("jdbc-check");
    fs::create_dir_all(&folder).unwrap();
    let jar = folder.join(format!("flight-sql-jdbc-driver-{version}.jar"));
    let digest = |jar: &Path| hex(&Sha256::digest(fs::read(jar).unwrap()));
    if jar.is_file() && digest(&jar) == expected {
        return jar;
    }
    let url = format!(
        "https://repo1.maven.org/maven2/org/apache/arrow/flight-sql-jdbc-driver/{version}/flight-sql-jdbc-driver-{version}.jar"
    );
    run(Command::new("curl")
        .args(["--fail", "--silent", "--show-error", "--location", "--retry", "3", "--output"])
        .arg(&jar)
        .arg(url));
    assert_eq!(digest(&jar), expected, "{} is not the driver", jar.display());
    jar
}

fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stderr, reason = "whoever reads the log must see that a check was left out")]
async fn the_jdbc_driver_works() {
    if !has("javac") || !has("curl") {
        eprintln!(
            "SKIPPED the_jdbc_driver_works: there is no Java compiler (JDK 17) or no curl on this machine"
        );
        return;
    }
    let jar = tokio::task::spawn_blocking(driver).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut nodes = Synthetic::new(7, Scale::test()).write_to(dir.path()).unwrap();
    nodes.retain(|node| ["barnet", "camden", "croydon", "hackney"].contains(&node.id.as_str()));
    let federation = Federation::builder(dir.path(), nodes).policy(Policy::Contract).start().await.unwrap();
    let mut check = Command::new("java");
    check.arg("-cp").arg(jar).arg("--add-opens=java.base/java.nio=ALL-UNNAMED");
    check.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/JdbcCheck.java"));
    check.arg(federation.address().to_string()).arg(federation.ca_file()).arg(federation.token_file());
    tokio::task::spawn_blocking(move || run(&mut check)).await.unwrap();
    let audit = federation.audit("camden");
    let mut purposes = audit.iter().filter_map(|entry| entry["purpose"].as_str());
    assert!(purposes.any(|purpose| purpose == "winter planning"), "the purpose in the URL is not recorded");
}
