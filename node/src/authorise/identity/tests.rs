mod bound;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::*;
use crate::pipeline::tests::{by_ward, ticket};

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://login.example";

/// Somebody who signs.
struct Signer(Ed25519KeyPair);

impl Signer {
    fn new() -> Self {
        let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self(Ed25519KeyPair::from_pkcs8(der.as_ref()).unwrap())
    }

    fn public(&self) -> Vec<u8> {
        self.0.public_key().as_ref().to_vec()
    }

    fn jwk(&self) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "x": B64.encode(self.public())})
    }

    fn sign(&self, typ: &str, claims: &Value) -> String {
        self.sign_under(&json!({"alg": "EdDSA", "typ": typ}), claims)
    }

    fn sign_under(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", B64.encode(header.to_string()), B64.encode(claims.to_string()));
        format!("{signed}.{}", B64.encode(self.0.sign(signed.as_bytes())))
    }
}

/// A node that knows ada by her key, and an issuer.
struct Bench {
    ada: Signer,
    issuer: Signer,
    identity: Identity,
    _dir: tempfile::TempDir,
}

impl Bench {
    fn new(fragments_only: bool) -> Self {
        let (ada, issuer, dir) = (Signer::new(), Signer::new(), tempfile::tempdir().unwrap());
        std::fs::write(dir.path().join("keys"), json!({"keys": [issuer.jwk()]}).to_string()).unwrap();
        let text = format!("url = \"{ISSUER}\"\naudience = \"nodes\"\nkeys = \"keys\"\n");
        let settings = IdentitySettings {
            terms: Terms { audience: "london".to_owned(), most_seconds: 300, skew: 30 },
            fragments_only,
            most_uses: 2,
            stated_purpose: false,
            bearer_tokens: true,
            issuers: vec![Issuer::new(toml::from_str(&text).unwrap(), dir.path()).unwrap()],
            analysts: BTreeMap::from([(
                "ada".to_owned(),
                Analyst { key: Key::Ed25519(ada.public()), groups: BTreeSet::from(["housing".to_owned()]) },
            )]),
        };
        Self { ada, issuer, identity: Identity::since(settings, NOW - 60), _dir: dir }
    }

    async fn asked(&self, assertion: &str) -> Result<Who, Refusal> {
        self.identity.verify(&request(assertion), NOW).await
    }

    /// What ada signs for the request, with this in the place of what she would say.
    fn statement(&self, changes: &Value) -> String {
        self.ada.sign(STATEMENT, &claims(changes))
    }

    fn token(&self, subject: &str) -> String {
        let claims = json!({"iss": ISSUER, "aud": "nodes", "sub": subject, "exp": NOW + 60, "groups": "air"});
        self.issuer.sign("at+jwt", &claims)
    }
}

fn claims(changes: &Value) -> Value {
    let mut claims = json!({
        "sub": "ada", "aud": "london", "iat": NOW - 1, "exp": NOW + 60, "jti": "0123456789abcdef",
        "purpose": "a test", "datasets": ["stay", "other"], "fragments": [request("").fragment.digest()],
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    if claims["fragments"].is_null() {
        claims.as_object_mut().unwrap().remove("fragments");
    }
    claims
}

fn request(assertion: &str) -> FragmentRequest {
    let request = FragmentRequest::decode(&ticket(by_ward())).unwrap();
    FragmentRequest { assertion: assertion.to_owned().into(), ..request }
}

#[tokio::test]
async fn a_statement_proves_its_signer_and_its_purpose() {
    let bench = Bench::new(true);
    let who = bench.asked(&bench.statement(&json!({}))).await.unwrap();
    assert_eq!((who.principal.as_str(), who.purpose.as_deref()), ("ada", Some("a test")));
    assert!(who.groups.contains("housing"));
}

/// What a coordinator could do with a statement that it was given, and cannot.
#[tokio::test]
async fn a_statement_is_good_for_nothing_else() {
    let bench = Bench::new(true);
    let other = "0".repeat(64);
    for changes in [
        json!({"sub": "bob"}),
        json!({"purpose": "another"}),
        json!({"datasets": ["other"]}),
        json!({"fragments": [other]}),
        json!({"fragments": []}),
        json!({"query": "q2"}),
        json!({"aud": "paris"}),
        json!({"exp": NOW - 31}),
        json!({"exp": NOW + 3600}),
        json!({"iat": NOW - 61}),
        json!({"iat": NOW + 60}),
        json!({"fragments": null, "uses": 1}),
    ] {
        let refused = bench.asked(&bench.statement(&changes)).await.unwrap_err();
        assert_eq!(refused.code, RefusalCode::NotProved, "{changes}");
    }
    let stranger = Signer::new();
    let (_, rest) =
        bench.statement(&json!({})).split_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let (payload, _) = rest.split_once('.').unwrap();
    let claims: Value = serde_json::from_slice(&B64.decode(payload).unwrap()).unwrap();
    for forged in [stranger.sign(STATEMENT, &claims), bench.issuer.sign(STATEMENT, &claims), String::new()] {
        assert_eq!(bench.asked(&forged).await.unwrap_err().code, RefusalCode::NotProved);
    }
    let as_bob = FragmentRequest { principal: "bob".to_owned(), ..request(&bench.statement(&json!({}))) };
    let refused = bench.identity.verify(&as_bob, NOW).await.unwrap_err();
    assert!(refused.message.contains("not of the principal"), "{refused}");
}

#[tokio::test]
async fn each_fragment_is_answered_once() {
    let bench = Bench::new(false);
    let take = async |assertion: &str| {
        let request = request(assertion);
        let who = bench.identity.verify(&request, NOW).await.unwrap();
        let Proof::Statement(signed) = who.proof else { panic!("no statement") };
        bench.identity.take(&signed, &request).map_err(|refusal| refusal.code)
    };
    let once = bench.statement(&json!({}));
    assert_eq!(take(&once).await, Ok(()));
    assert_eq!(take(&once).await, Err(RefusalCode::NotProved));
    // A second text with the same nonce is the same statement.
    assert_eq!(take(&bench.statement(&json!({"exp": NOW + 61}))).await, Err(RefusalCode::NotProved));
    let twice = bench.statement(&json!({"jti": "another nonce, long", "fragments": null, "uses": 2}));
    assert_eq!((take(&twice).await, take(&twice).await), (Ok(()), Ok(())));
    assert_eq!(take(&twice).await, Err(RefusalCode::NotProved));
    let many = bench.statement(&json!({"fragments": null, "uses": 3}));
    assert_eq!(
        bench.asked(&many).await.unwrap_err().code,
        RefusalCode::NotProved,
        "more than the node takes"
    );
}

/// A token proves who signed in, and no purpose; an issuer does not speak for an analyst who signs.
#[tokio::test]
async fn a_token_proves_a_name_and_no_more() {
    let bench = Bench::new(true);
    let mut asked = request(&bench.token("carl"));
    "carl".clone_into(&mut asked.principal);
    let who = bench.identity.verify(&asked, NOW).await.unwrap();
    assert_eq!((who.principal.as_str(), who.purpose), ("carl", None));
    assert!(who.groups.contains("air"));
    let refused = bench.asked(&bench.token("ada")).await.unwrap_err();
    assert!(refused.message.contains("does not speak"), "{refused}");
    let swapped = FragmentRequest { principal: "dora".to_owned(), ..asked };
    assert_eq!(bench.identity.verify(&swapped, NOW).await.unwrap_err().code, RefusalCode::NotProved);
}
