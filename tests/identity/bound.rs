//! Tokens of a real provider that are bound to the analyst's key (RFC 9449), from the command line to the node.

use std::fs;

use harness::federation::Federation;
use jigsaw_client::Exit;
use jigsaw_proto::refusal::RefusalCode;
use jigsaw_proto::wire::FragmentRequest;
use tempfile::TempDir;

use super::provider::Provider;
use super::{COORDINATOR, NODE, PURPOSE, WALLS, anew, jigsaw, last_asked, made_key, sent, start};

const NODES: &str = "https://nodes.example";
const HERE: &str = "https://coordinator.example";

/// Nodes that take tokens that are bound to a key, and no others, as they do unless they are told otherwise.
async fn start_with(dir: &TempDir, provider: &Provider) -> Federation {
    let issuer = |audience: &str| {
        format!("url = \"{0}\"\naudience = \"{audience}\"\nkeys = \"{0}/jwks\"\n", provider.url())
    };
    let node = format!("[identity]\naudience = \"london\"\n[[identity.issuer]]\n{}", issuer(NODES));
    fs::write(dir.path().join(NODE), node).unwrap();
    fs::write(dir.path().join(COORDINATOR), format!("[[access.issuer]]\n{}", issuer(HERE))).unwrap();
    start(dir).await
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stderr, reason = "whoever reads the log must see that a check was left out")]
async fn a_bound_token_is_good_for_what_its_key_signs() {
    let Some(mut provider) = Provider::start("ES256") else {
        eprintln!(
            "SKIPPED a_bound_token_is_good_for_what_its_key_signs: there is no Node.js with npm on this machine"
        );
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let federation = start_with(&dir, &provider).await;
    let here = provider.token("carl", HERE);
    // No node knows this key.
    let (key, _) = made_key(&dir, "carl").await;
    let proof = jigsaw(&federation, &here, &["dpop", &provider.endpoint(), "--identity", &key]).await;
    assert_eq!(proof.exit, Exit::Answered, "{}", proof.stderr);
    let bound = provider.bound_token("carl", NODES, &proof.stdout);
    let write = |name: &str, token: &str| {
        fs::write(dir.path().join(name), token).unwrap();
        dir.path().join(name).to_str().unwrap().to_owned()
    };
    let (bound_file, plain_file) = (write("bound", &bound), write("plain", &provider.token("carl", NODES)));
    let ask = async |more: &[&str]| {
        let asked = [&["query", WALLS, "--format", "csv", "--purpose", PURPOSE], more].concat();
        jigsaw(&federation, &here, &asked).await
    };

    let ran = ask(&["--identity", &key, "--assertion-file", &bound_file]).await;
    assert_eq!(ran.exit, Exit::Answered, "{}", ran.stderr);
    let (request, line) = last_asked(&federation, "camden");
    let by = format!("signed by the holder of a token of {}", provider.url());
    assert_eq!((&line["principal"], &line["purpose"]), (&"carl".into(), &PURPOSE.into()));
    assert_eq!((&line["verified"], &line["groups"]), (&by.into(), &serde_json::json!(["housing"])));

    // What analysts get wrong.
    let (other, _) = made_key(&dir, "dora").await;
    for (more, exit, words) in [
        (vec!["--assertion-file", &bound_file], Exit::Usage, "--identity"),
        (vec!["--assertion-file", &plain_file, "--identity", &key], Exit::Usage, "bound to no key"),
        (vec!["--assertion-file", &plain_file], Exit::Refused, "bound to a key"),
        (
            vec!["--assertion-file", &bound_file, "--identity", &other],
            Exit::Refused,
            "not signed with the key",
        ),
    ] {
        let ran = ask(&more).await;
        assert!(ran.exit == exit && ran.stderr.contains(words), "{more:?}: {}", ran.stderr);
    }
    let ran = jigsaw(&federation, &bound, &["nodes"]).await;
    assert!(ran.exit == Exit::Connection, "a coordinator takes no bound token: {}", ran.stderr);

    // What a coordinator makes of what went through its hands.
    let signed = line["assertion"].as_str().unwrap();
    let mut other = anew(&request, signed);
    other.fragment.keys.clear();
    let attacks: [(&str, FragmentRequest); 4] = [
        ("the same again", anew(&request, signed)),
        ("another fragment", other),
        ("the token alone", anew(&request, &bound)),
        ("another purpose", FragmentRequest { purpose: "curiosity".to_owned(), ..anew(&request, signed) }),
    ];
    for (name, attack) in attacks {
        let answer = sent(&federation, "camden", &attack).await;
        assert!(answer.starts_with(RefusalCode::NotProved.as_str()), "{name}: {answer}");
    }
}
