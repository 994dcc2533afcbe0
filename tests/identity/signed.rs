//! Analysts who sign for themselves.

use std::fs;

use harness::data::hex;
use harness::federation::Federation;
use jigsaw_client::Exit;
use jigsaw_proto::refusal::RefusalCode;
use jigsaw_proto::wire::FragmentRequest;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

mod polled;

use super::{NODE, PURPOSE, WALLS, anew, jigsaw, last_asked, made_key, sent, start, token};

const OTHER: &str =
    "SELECT wall_type, COUNT(*) AS homes FROM property WHERE wall_type IS NOT NULL GROUP BY wall_type";

async fn signing(dir: &TempDir) -> (Federation, String) {
    let (file, lines) = made_key(dir, "ada").await;
    let node = format!("[identity]\naudience = \"london\"\n{lines}groups = [\"housing\"]\n");
    fs::write(dir.path().join(NODE), node).unwrap();
    (start(dir).await, file)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_analyst_signs_is_answered_and_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let (federation, identity) = signing(&dir).await;
    let token = token(&federation);
    let asked = ["query", WALLS, "--format", "csv", "--purpose", PURPOSE, "--identity", &identity];
    let ran = jigsaw(&federation, &token, &asked).await;
    assert_eq!(ran.exit, Exit::Answered, "{}", ran.stderr);
    assert!(ran.stdout.lines().count() > 2, "{}", ran.stdout);
    let (_, line) = last_asked(&federation, "camden");
    assert_eq!(
        (&line["principal"], &line["purpose"], &line["agreement"], &line["verified"]),
        (&"ada".into(), &PURPOSE.into(), &"DSA-2026-014".into(), &"signed by the analyst".into())
    );
    assert_eq!(line["question"], hex(&Sha256::digest(WALLS)), "the SQL's digest, as it was signed");
    assert_eq!(line["groups"], serde_json::json!(["housing"]));
    // Again: each question is signed anew.
    assert_eq!(jigsaw(&federation, &token, &asked).await.exit, Exit::Answered);
    // Tables of the coordinator need no proof.
    let nodes = jigsaw(&federation, &token, &["nodes", "--identity", &identity]).await;
    assert_eq!(nodes.exit, Exit::Answered, "{}", nodes.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_proof_nobody_is_served() {
    let dir = tempfile::tempdir().unwrap();
    let (federation, identity) = signing(&dir).await;
    let token = token(&federation);
    let ran = jigsaw(&federation, &token, &["query", WALLS, "--purpose", PURPOSE]).await;
    assert!(ran.exit == Exit::Refused && ran.stderr.contains("N10"), "{}", ran.stderr);
    // Somebody else's key, for a name that is not theirs.
    let (stranger, _) = made_key(&dir, "bob").await;
    let text = fs::read_to_string(&stranger).unwrap().replace("\"bob\"", "\"ada\"");
    fs::write(&stranger, text).unwrap();
    let ran =
        jigsaw(&federation, &token, &["query", WALLS, "--purpose", PURPOSE, "--identity", &stranger]).await;
    assert!(ran.exit == Exit::Refused && ran.stderr.contains("signature is wrong"), "{}", ran.stderr);
    // Signed by the right one, for a purpose that is not granted.
    let ran =
        jigsaw(&federation, &token, &["query", WALLS, "--purpose", "curiosity", "--identity", &identity])
            .await;
    assert!(ran.exit == Exit::Refused && ran.stderr.contains("N08"), "{}", ran.stderr);
    let line = federation.audit("camden").into_iter().rfind(|line| line["outcome"] == "refused").unwrap();
    assert_eq!((&line["principal"], &line["verified"]), (&"ada".into(), &"signed by the analyst".into()));
}

/// A hostile coordinator has what the analyst signed, the node's own words for what was asked, and its own certificate.
#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_makes_nothing_more_of_what_it_was_given() {
    let dir = tempfile::tempdir().unwrap();
    let (federation, identity) = signing(&dir).await;
    let token = token(&federation);
    let with = |sql: &'static str| ["query", sql, "--purpose", PURPOSE, "--identity", identity.as_str()];
    assert_eq!(jigsaw(&federation, &token, &with(OTHER)).await.exit, Exit::Answered);
    let (other, _) = last_asked(&federation, "camden");
    assert_eq!(jigsaw(&federation, &token, &with(WALLS)).await.exit, Exit::Answered);
    let (request, line) = last_asked(&federation, "camden");
    let assertion = line["assertion"].as_str().unwrap();
    let proved = anew(&request, assertion);
    let attacks: [(&str, FragmentRequest); 7] = [
        ("the same again", proved.clone()),
        ("without proof", anew(&request, "")),
        (
            "another fragment",
            FragmentRequest { fragment: other.fragment.clone(), ..anew(&request, assertion) },
        ),
        ("another principal", FragmentRequest { principal: "bob".to_owned(), ..anew(&request, assertion) }),
        ("another purpose", FragmentRequest { purpose: "curiosity".to_owned(), ..anew(&request, assertion) }),
        ("another question", FragmentRequest { query: other.query.clone(), ..anew(&request, assertion) }),
        ("half of it", anew(&request, assertion.get(..assertion.len() / 2).unwrap())),
    ];
    for (name, attack) in attacks {
        for node in ["camden", "hackney"] {
            let answer = sent(&federation, node, &attack).await;
            assert!(answer.starts_with(RefusalCode::NotProved.as_str()), "{name} at {node}: {answer}");
        }
    }
    // Each of them is in the log, under the name the coordinator gave and without a proof.
    let forged = federation.audit("camden").into_iter().filter(|line| line["code"] == "N10");
    assert_eq!(forged.clone().count(), 7);
    assert_eq!(forged.filter(|line| line["verified"].is_null() && line["principal"] == "bob").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_does_not_outlive_the_memory_of_its_uses() {
    let dir = tempfile::tempdir().unwrap();
    let (mut federation, identity) = signing(&dir).await;
    let token = token(&federation);
    let asked = ["query", WALLS, "--purpose", PURPOSE, "--identity", identity.as_str()];
    assert_eq!(jigsaw(&federation, &token, &asked).await.exit, Exit::Answered);
    let (request, line) = last_asked(&federation, "camden");
    let assertion = line["assertion"].as_str().unwrap().to_owned();
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    federation.restart_node("camden").await.unwrap();
    let answer = sent(&federation, "camden", &anew(&request, &assertion)).await;
    assert!(answer.contains("before this node was started"), "{answer}");
}
