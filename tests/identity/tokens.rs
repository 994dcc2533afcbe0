//! Tokens of an identity provider.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use harness::federation::Federation;
use jigsaw_client::Exit;
use jigsaw_proto::refusal::RefusalCode;
use jigsaw_proto::wire::{FragmentRequest, unix_ms};
use serde_json::json;
use tempfile::TempDir;

use super::provider::Provider;
use super::{COORDINATOR, NODE, PURPOSE, WALLS, anew, jigsaw, last_asked, sent, start};

const NODES: &str = "https://nodes.example";
const HERE: &str = "https://coordinator.example";

/// Two boroughs that know analysts by the provider's tokens alone, and a coordinator that does so too.
async fn start_with(dir: &TempDir, provider: &Provider, algorithm: &str) -> Federation {
    let issuer = |audience: &str| {
        format!(
            "url = \"{0}\"\naudience = \"{audience}\"\nkeys = \"{0}/jwks\"\nalgorithms = [\"{algorithm}\"]\nrefresh_seconds = 1\n",
            provider.url()
        )
    };
    let identity = "[identity]\naudience = \"london\"\nstated_purpose = true\nbearer_tokens = true\nclock_skew_seconds = 0\n";
    fs::write(dir.path().join(NODE), format!("{identity}[[identity.issuer]]\n{}", issuer(NODES))).unwrap();
    fs::write(dir.path().join(COORDINATOR), format!("[[access.issuer]]\n{}", issuer(HERE))).unwrap();
    start(dir).await
}

fn file(dir: &TempDir, token: &str) -> String {
    let path = dir.path().join("nodes.token");
    fs::write(&path, token).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A token with another header, and with this signature.
fn forged(token: &str, header: &serde_json::Value, signature: &str) -> String {
    let payload = token.split('.').nth(1).unwrap();
    format!("{}.{payload}.{signature}", B64.encode(header.to_string()))
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stderr, reason = "whoever reads the log must see that a check was left out")]
async fn tokens_are_verified_at_both_ends() {
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        let Some(mut provider) = Provider::start(algorithm) else {
            eprintln!(
                "SKIPPED tokens_are_verified_at_both_ends: there is no Node.js with npm on this machine"
            );
            return;
        };
        let dir = tempfile::tempdir().unwrap();
        let federation = start_with(&dir, &provider, algorithm).await;
        let (here, nodes) = (provider.token("carl", HERE), provider.token("carl", NODES));
        let nodes_file = file(&dir, &nodes);
        let asked = ["query", WALLS, "--purpose", PURPOSE, "--assertion-file", &nodes_file];
        let ran = jigsaw(&federation, &here, &asked).await;
        assert_eq!(ran.exit, Exit::Answered, "{algorithm}: {}", ran.stderr);
        let (request, line) = last_asked(&federation, "camden");
        assert_eq!((&line["principal"], &line["agreement"]), (&"carl".into(), &"DSA-2026-014".into()));
        assert_eq!(line["verified"], format!("token of {}", provider.url()));
        let log = fs::read_to_string(dir.path().join("camden/audit/audit.jsonl")).unwrap();
        assert!(!log.contains(nodes.rsplit('.').next().unwrap()), "a token that is still good is not kept");

        // What cannot be signed in with at the coordinator.
        let signature = here.rsplit('.').next().unwrap();
        let unsigned = forged(&here, &json!({"alg": "none", "typ": "at+jwt"}), "");
        let confused = forged(&here, &json!({"alg": "HS256", "kid": "first"}), signature);
        for (name, token) in
            [("none", unsigned.as_str()), ("HS256", &confused), ("audience", &nodes), ("guess", "a.b.c")]
        {
            let ran = jigsaw(&federation, token, &["nodes"]).await;
            assert!(ran.exit == Exit::Connection && ran.stderr.contains("token"), "{name}: {}", ran.stderr);
        }

        // What a hostile coordinator cannot ask a node with: tokens that it makes, and tokens of others.
        let header = |alg: &str| json!({"alg": alg, "typ": "at+jwt", "kid": "first"});
        let signature = nodes.rsplit('.').next().unwrap();
        let other = if algorithm == "ES256" { "RS256" } else { "ES256" };
        let attacks = [
            ("none", forged(&nodes, &header("none"), ""), "algorithm"),
            ("none, signed", forged(&nodes, &header("None"), signature), "algorithm"),
            ("a shared secret", forged(&nodes, &header("HS256"), signature), "algorithm"),
            ("another algorithm", forged(&nodes, &header(other), signature), "algorithm"),
            ("a changed header", forged(&nodes, &header(algorithm), signature), "signature"),
            ("the coordinator's own token", here.clone(), "audience"),
            ("another analyst's token", provider.token("dora", NODES), "principal"),
            ("no token", String::new(), "without proof"),
        ];
        for (name, assertion, words) in attacks {
            let answer = sent(&federation, "camden", &anew(&request, &assertion)).await;
            let refused = answer.starts_with(RefusalCode::NotProved.as_str()) && answer.contains(words);
            assert!(refused, "{algorithm}, {name}: {answer}");
        }
        federation.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stderr, reason = "whoever reads the log must see that a check was left out")]
async fn keys_rotate_and_tokens_end() {
    let Some(mut provider) = Provider::start("ES256") else {
        eprintln!("SKIPPED keys_rotate_and_tokens_end: there is no Node.js with npm on this machine");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let federation = start_with(&dir, &provider, "ES256").await;
    let (here, nodes) = (provider.token("carl", HERE), provider.token("carl", NODES));
    let ask = async |here: &str, nodes: &str| {
        let nodes = file(&dir, nodes);
        jigsaw(&federation, here, &["query", WALLS, "--purpose", PURPOSE, "--assertion-file", &nodes]).await
    };
    assert_eq!(ask(&here, &nodes).await.exit, Exit::Answered);
    let (request, _) = last_asked(&federation, "camden");

    // These nodes take tokens from whoever holds them: a coordinator can, until they end. What is bound to a key, it cannot use (bound.rs).
    assert_eq!(sent(&federation, "camden", &anew(&request, &nodes)).await, "released");

    let mut provider = provider.rotated("ES256");
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let answer = sent(&federation, "camden", &anew(&request, &nodes)).await;
    assert!(answer.contains("not, or no longer, its issuer's"), "{answer}");
    let ran = ask(&here, &nodes).await;
    assert_eq!(ran.exit, Exit::Connection, "{}", ran.stderr);
    let ran = ask(&provider.token("carl", HERE), &provider.token("carl", NODES)).await;
    assert_eq!(ran.exit, Exit::Answered, "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stderr, reason = "whoever reads the log must see that a check was left out")]
async fn a_token_ends_when_it_says() {
    let Some(mut provider) = Provider::start("EdDSA") else {
        eprintln!("SKIPPED a_token_ends_when_it_says: there is no Node.js with npm on this machine");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let brief = format!("{NODES}/brief");
    let text = format!(
        "[identity]\naudience = \"london\"\nbearer_tokens = true\nclock_skew_seconds = 0\n\
         [[identity.issuer]]\nurl = \"{0}\"\naudience = \"{brief}\"\nkeys = \"{0}/jwks\"\n",
        provider.url()
    );
    fs::write(dir.path().join(NODE), text).unwrap();
    let federation = start(&dir).await;
    let input = jigsaw_proto::fragment::Relation::Scan {
        dataset: "property".parse().unwrap(),
        alias: "t".to_owned(),
    };
    let rows = jigsaw_proto::aggregate::State::Rows;
    let measures = vec![jigsaw_proto::fragment::Measure {
        state: rows,
        argument: None,
        paired: None,
        time: None,
        filter: None,
    }];
    let request = FragmentRequest {
        query: "q1".parse().unwrap(),
        principal: "carl".to_owned(),
        purpose: PURPOSE.to_owned(),
        deadline_ms: 20_000,
        fragment: jigsaw_proto::fragment::Fragment { input, keys: vec![], measures },
        serial: 0,
        issued_ms: unix_ms(),
        assertion: String::new().into(),
    };
    let token = provider.token("carl", &brief);
    // The token proves carl and his group; his purpose is the coordinator's word, and this node wants more.
    let answer = sent(&federation, "camden", &anew(&request, &token)).await;
    assert!(answer.starts_with(RefusalCode::NotGranted.as_str()), "{answer}");
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    let answer = sent(&federation, "camden", &anew(&request, &token)).await;
    assert!(answer.contains("expired"), "{answer}");
}
