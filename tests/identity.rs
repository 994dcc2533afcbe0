//! Who asks: proved to the node by the analyst or by whoever signs analysts in, and by nobody else; and signing in.
#![cfg(test)]

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use harness::data::{Scale, Synthetic};
use harness::federation::{Federation, Policy};
use jigsaw_client::{Exit, Surroundings, Terminal};
use jigsaw_proto::refusal::Refusal;
use jigsaw_proto::wire::{FragmentRequest, unix_ms};
use tempfile::TempDir;

mod bound;
mod command;
mod provider;
mod signed;
pub(crate) mod signing_in;
mod tokens;

const WALLS: &str = "SELECT wall_type, COUNT(*) AS homes FROM property GROUP BY wall_type";
const PURPOSE: &str = "winter planning";

/// Protected datasets are granted to one group for one purpose.
const GRANT: &str = "release = \"protected\"\nthreshold = 10\nrounding = 5\n\
    [[dataset.policy.grant]]\ngroup = \"housing\"\npurpose = \"winter planning\"\nagreement = \"DSA-2026-014\"\nuntil = 2099-12-31\n";

/// What is added to the configurations, in files beside them: to every node, and to the coordinator's `[access]` and its end.
const NODE: &str = "more-of-node.toml";
const ACCESS: &str = "more-of-access.toml";
const COORDINATOR: &str = "more-of-coordinator.toml";

fn configured(dir: &Path) {
    let more = |name: &str| fs::read_to_string(dir.join(name)).unwrap_or_default();
    for entry in fs::read_dir(dir).unwrap() {
        let node = entry.unwrap().path().join("node.toml");
        if let Ok(text) = fs::read_to_string(&node) {
            fs::write(&node, format!("{text}\n{}", more(NODE))).unwrap();
        }
    }
    let file = dir.join("coordinator.toml");
    let text = fs::read_to_string(&file).unwrap();
    let text = text.replace("[access]\n", &format!("[access]\n{}", more(ACCESS)));
    fs::write(&file, format!("{text}\n{}", more(COORDINATOR))).unwrap();
}

/// A federation of two boroughs with what was put into the files.
async fn start(dir: &TempDir) -> Federation {
    let mut nodes = Synthetic::new(7, Scale::test()).write_to(dir.path()).unwrap();
    nodes.retain(|node| ["camden", "hackney"].contains(&node.id.as_str()));
    let builder = Federation::builder(dir.path(), nodes).policy(Policy::Contract).policy_text(GRANT);
    builder.edit(configured).start().await.unwrap()
}

struct Ran {
    exit: Exit,
    stdout: String,
    stderr: String,
}

/// Runs the command `jigsaw` with a token.
async fn jigsaw(federation: &Federation, token: &str, args: &[&str]) -> Ran {
    jigsaw_at(&format!("https://{}", federation.address()), &federation.ca_file(), token, args).await
}

async fn jigsaw_at(server: &str, ca: &Path, token: &str, args: &[&str]) -> Ran {
    let variable = |name: &str| match name {
        "JIGSAW_SERVER" => Some(server.to_owned()),
        "JIGSAW_CA" => ca.to_str().map(str::to_owned),
        "JIGSAW_TOKEN" => Some(token.to_owned()),
        _ => None,
    };
    let args = std::iter::once("jigsaw").chain(args.iter().copied()).map(OsString::from);
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut around = Surroundings {
        stdin: &mut &b""[..],
        stdout: &mut stdout,
        stderr: &mut stderr,
        terminal: Terminal { stdin: false, stdout: false, stderr: false, width: 100 },
        variable: &variable,
    };
    let exit = jigsaw_client::run(args, &mut around, std::future::pending()).await;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { exit, stdout: text(stdout), stderr: text(stderr) }
}

/// Makes an analyst's key with the command itself; gives its file and the lines for a node.
async fn made_key(dir: &TempDir, name: &str) -> (String, String) {
    let file = dir.path().join(format!("{name}.identity.json")).to_str().unwrap().to_owned();
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut around = Surroundings {
        stdin: &mut &b""[..],
        stdout: &mut stdout,
        stderr: &mut stderr,
        terminal: Terminal { stdin: false, stdout: false, stderr: false, width: 100 },
        variable: &|_| None,
    };
    let args = ["jigsaw", "identity", name, "--federation", "london", "--output", &file].map(OsString::from);
    let exit = jigsaw_client::run(args, &mut around, std::future::pending()).await;
    assert_eq!(exit, Exit::Answered, "{}", String::from_utf8_lossy(&stderr));
    (file, String::from_utf8(stdout).unwrap())
}

/// Sends a request straight to a node, with the coordinator's certificate: the code of the refusal, or `released`.
async fn sent(federation: &Federation, node: &str, request: &FragmentRequest) -> String {
    let mut line = federation.line(node).await.unwrap();
    match line.answer(request.encode()).await {
        Ok(_) => "released".to_owned(),
        Err(status) => match Refusal::from_status(&status) {
            Some(refusal) => format!("{}: {}", refusal.code, refusal.message),
            None => format!("no refusal: {status}"),
        },
    }
}

/// What a node was last asked, as its audit log has it: the request without proof, and the line.
fn last_asked(federation: &Federation, node: &str) -> (FragmentRequest, serde_json::Value) {
    use base64::Engine as _;
    let line = federation.audit(node).into_iter().rfind(|line| line["outcome"] == "released").unwrap();
    let bytes = base64::engine::general_purpose::STANDARD.decode(line["request"].as_str().unwrap()).unwrap();
    (FragmentRequest::decode(&bytes).unwrap(), line)
}

/// The same again, as a coordinator would ask it that wants to be answered once more.
fn anew(request: &FragmentRequest, assertion: &str) -> FragmentRequest {
    use std::sync::atomic::{AtomicU32, Ordering};
    static SERIAL: AtomicU32 = AtomicU32::new(1000);
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    FragmentRequest {
        serial,
        issued_ms: unix_ms(),
        assertion: assertion.to_owned().into(),
        ..request.clone()
    }
}

/// A JSON Web Signature with an Ed25519 key.
pub(crate) fn jws(key: &rcgen::KeyPair, typ: &str, claims: &serde_json::Value) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
    use rcgen::SigningKey as _;
    let header = serde_json::json!({"alg": "EdDSA", "typ": typ}).to_string();
    let signed = format!("{}.{}", B64.encode(header), B64.encode(claims.to_string()));
    let signature = B64.encode(key.sign(signed.as_bytes()).unwrap());
    format!("{signed}.{signature}")
}

fn token(federation: &Federation) -> String {
    fs::read_to_string(federation.token_file()).unwrap()
}
