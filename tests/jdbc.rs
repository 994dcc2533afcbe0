//! The JDBC driver that DBeaver, Tableau and Metabase use, driven as they drive it: the release that tools ship, and the newest.
#![cfg(test)]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use harness::data::{Scale, Synthetic, hex};
use harness::federation::{Federation, Policy};
use jigsaw_proto::wire::unix_ms;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::identity::jws;
use crate::identity::signing_in::{HASH, PASSWORD};
use crate::python::{recipes, with_files_of_recipes};

/// Releases of `org.apache.arrow:flight-sql-jdbc-driver`, and the SHA-256 of their jars where it is known.
const DRIVERS: [(&str, Option<&str>); 2] =
    [("18.3.0", Some("3f418b46c880e263558c5de669bdbede2c5d4375527ced116fb29f795b03704c")), ("19.0.0", None)];

fn curl(url: &str) -> Result<Vec<u8>, String> {
    let options = ["--fail", "--silent", "--show-error", "--location", "--retry", "3"];
    let output = Command::new("curl").args(options).arg(url).output().unwrap();
    let problem = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() { Ok(output.stdout) } else { Err(problem) }
}

/// The driver's jar, from Maven Central, below the build folder. A digest that is not known here is the one beside the jar.
fn driver((version, digest): (&str, Option<&str>)) -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("jdbc-check");
    fs::create_dir_all(&folder).unwrap();
    let jar = folder.join(format!("flight-sql-jdbc-driver-{version}.jar"));
    let digest_of = |jar: &Path| hex(&Sha256::digest(fs::read(jar).unwrap()));
    if jar.is_file() && digest.is_none_or(|expected| digest_of(&jar) == expected) {
        return Ok(jar);
    }
    let url = format!(
        "https://repo1.maven.org/maven2/org/apache/arrow/flight-sql-jdbc-driver/{version}/flight-sql-jdbc-driver-{version}.jar"
    );
    let bytes = curl(&url)?;
    let expected = match digest {
        Some(digest) => digest.to_owned(),
        None => String::from_utf8(curl(&format!("{url}.sha256"))?).unwrap().trim().to_owned(),
    };
    assert_eq!(hex(&Sha256::digest(&bytes)), expected, "{url} is not the driver");
    fs::write(&jar, bytes).unwrap();
    Ok(jar)
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
    for (version, digest) in DRIVERS {
        match tokio::task::spawn_blocking(move || driver((version, digest))).await.unwrap() {
            Ok(jar) => check(jar).await,
            // The release that tools ship must be there; the newest is checked where it is served.
            Err(problem) if digest.is_none() => {
                eprintln!("SKIPPED the JDBC driver {version}: the registry does not serve it: {problem}");
            }
            Err(problem) => panic!("the JDBC driver {version}: {problem}"),
        }
    }
}

/// A user of the coordinator's own file; an issuer whose tokens are taken, one of them, and one that ended a minute ago.
fn with_bob_and_an_issuer(dir: &Path) {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let public = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(key.public_key_raw());
    let keys = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": public}]});
    fs::write(dir.join("jwks.json"), keys.to_string()).unwrap();
    let now = unix_ms() / 1000;
    for (name, expires) in [("issued", now + 600), ("expired", now - 60)] {
        let claims = json!({"iss": "https://login.example", "aud": "coordinator", "sub": "carl", "iat": now - 120,
            "exp": expires});
        fs::write(dir.join(name), jws(&key, "at+jwt", &claims)).unwrap();
    }
    let file = dir.join("coordinator.toml");
    let issuer = "\n[[access.issuer]]\nurl = \"https://login.example\"\naudience = \"coordinator\"\nkeys = \"jwks.json\"\n";
    let text = fs::read_to_string(&file).unwrap();
    let text = text.replace("[access]\n", "[access]\nusers = \"users.toml\"\n");
    fs::write(file, text + issuer).unwrap();
    fs::write(dir.join("users.toml"), format!("[[user]]\nname = \"bob\"\npassword = \"{HASH}\"\n")).unwrap();
}

async fn check(jar: PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let mut nodes = Synthetic::new(7, Scale::test()).write_to(dir.path()).unwrap();
    nodes.retain(|node| ["barnet", "camden", "croydon", "hackney"].contains(&node.id.as_str()));
    let builder = Federation::builder(dir.path(), nodes).policy(Policy::Contract);
    let federation = builder.edit(with_bob_and_an_issuer).start().await.unwrap();
    let mut check = Command::new("java");
    check.arg("-cp").arg(jar).arg("--add-opens=java.base/java.nio=ALL-UNNAMED");
    check.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/JdbcCheck.java"));
    check.arg(federation.address().to_string()).arg(federation.ca_file()).arg(federation.token_file());
    let files = with_files_of_recipes(&federation);
    let url = recipes("text").into_iter().find(|recipe| recipe.starts_with("jdbc:")).unwrap();
    let url = url.trim().replace("coordinator.example:50050", &federation.address().to_string());
    check.arg(url).arg(dir.path().join("issued")).arg(dir.path().join("expired"));
    check.args(["bob", PASSWORD]);
    check.current_dir(files.path());
    check.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = check.spawn().unwrap();
    let mut said = BufReader::new(running.stdout.take().unwrap());
    let line = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        line
    });
    let ready = line.await.unwrap().trim() == "stop the server";
    if ready {
        let audit = federation.audit("camden");
        let mut purposes = audit.iter().filter_map(|entry| entry["purpose"].as_str());
        assert!(
            purposes.any(|purpose| purpose == "winter planning"),
            "the purpose in the URL is not recorded"
        );
        federation.stop().await.unwrap();
        running.stdin.take().unwrap().write_all(b"\n").unwrap();
    }
    let output = tokio::task::spawn_blocking(|| running.wait_with_output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(ready, "the server was never to be stopped");
}
