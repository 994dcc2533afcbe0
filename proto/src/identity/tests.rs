use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::statement::{STATEMENT, Terms};
use super::*;

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://login.example";

/// Somebody who signs.
enum Signer {
    Ed(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

impl Signer {
    fn ed() -> Self {
        let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed(Ed25519KeyPair::from_pkcs8(der.as_ref()).unwrap())
    }

    fn p256() -> Self {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let der = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
        Self::P256(EcdsaKeyPair::from_pkcs8(algorithm, der.as_ref(), &SystemRandom::new()).unwrap())
    }

    fn alg(&self) -> &'static str {
        match self {
            Self::Ed(_) => "EdDSA",
            Self::P256(_) => "ES256",
        }
    }

    fn key(&self) -> Key {
        match self {
            Self::Ed(pair) => Key::Ed25519(pair.public_key().as_ref().to_vec()),
            Self::P256(pair) => Key::P256(pair.public_key().as_ref().to_vec()),
        }
    }

    fn jwk(&self, kid: &str) -> Value {
        match self.key() {
            Key::Ed25519(x) => json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": B64.encode(x)}),
            Key::P256(point) => json!({
                "kty": "EC", "crv": "P-256", "kid": kid, "use": "sig",
                "x": B64.encode(&point[1..33]), "y": B64.encode(&point[33..]),
            }),
            Key::Rsa { .. } => unreachable!(),
        }
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", B64.encode(header.to_string()), B64.encode(claims.to_string()));
        let signature = match self {
            Self::Ed(pair) => pair.sign(signed.as_bytes()).as_ref().to_vec(),
            Self::P256(pair) => pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap().as_ref().to_vec(),
        };
        format!("{signed}.{}", B64.encode(signature))
    }
}

fn issuer(dir: &std::path::Path, keys: &[Value], more: &str) -> Issuer {
    std::fs::write(dir.join("jwks.json"), json!({ "keys": keys }).to_string()).unwrap();
    let text = format!(
        "url = \"{ISSUER}\"\naudience = \"nodes\"\nkeys = \"jwks.json\"\nrefresh_seconds = 1\n{more}"
    );
    Issuer::new(toml::from_str(&text).unwrap(), dir).unwrap()
}

fn claims() -> Value {
    json!({"iss": ISSUER, "aud": ["other", "nodes"], "sub": "ada", "iat": NOW - 10, "exp": NOW + 600,
           "groups": ["housing"]})
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

async fn verify(issuer: &Issuer, token: &str) -> Result<Holder, Unproved> {
    issuer.verify(&Jws::parse(token)?, NOW, 30).await
}

#[tokio::test]
async fn a_token_is_good_for_what_it_says_and_no_longer() {
    let dir = tempfile::tempdir().unwrap();
    let signer = Signer::p256();
    let issuer = issuer(dir.path(), &[signer.jwk("k1")], "");
    let header = json!({"alg": signer.alg(), "kid": "k1"});
    let holder = verify(&issuer, &signer.sign(&header, &claims())).await.unwrap();
    assert_eq!((holder.principal.as_str(), holder.groups.len()), ("ada", 1));
    let late = with(claims(), "exp", json!(NOW - 29));
    assert!(verify(&issuer, &signer.sign(&header, &late)).await.is_ok(), "clocks may differ");
    for (claim, value, problem) in [
        ("exp", json!(NOW - 31), Unproved::Expired),
        ("exp", Value::Null, Unproved::Malformed),
        ("exp", json!("tomorrow"), Unproved::Malformed),
        ("exp", json!(NOW + 4000), Unproved::LongLived(3600)),
        ("nbf", json!(NOW + 31), Unproved::NotYet),
        ("iat", json!(NOW + 31), Unproved::NotYet),
        ("aud", json!("nodes2"), Unproved::Audience),
        ("aud", json!(["node", "s"]), Unproved::Audience),
        ("aud", Value::Null, Unproved::Audience),
        ("iss", json!("https://login.example/"), Unproved::Issuer),
        ("sub", json!(7), Unproved::Nameless("sub".to_owned())),
        ("sub", json!("*"), Unproved::Nameless("sub".to_owned())),
        ("sub", json!("ada\n"), Unproved::Nameless("sub".to_owned())),
        ("groups", json!([1]), Unproved::Malformed),
    ] {
        let token = signer.sign(&header, &with(claims(), claim, value.clone()));
        assert_eq!(verify(&issuer, &token).await.unwrap_err(), problem, "{claim} = {value}");
    }
    let mut endless = claims();
    endless.as_object_mut().unwrap().remove("exp");
    assert_eq!(verify(&issuer, &signer.sign(&header, &endless)).await.unwrap_err(), Unproved::Expired);
}

/// No header decides how a key is used.
#[tokio::test]
async fn no_algorithm_is_confused_with_another() {
    let dir = tempfile::tempdir().unwrap();
    let (signer, stranger) = (Signer::p256(), Signer::ed());
    let issuer = issuer(dir.path(), &[signer.jwk("k1")], "algorithms = [\"ES256\", \"RS256\"]");
    let good = signer.sign(&json!({"alg": "ES256"}), &claims());
    assert!(verify(&issuer, &good).await.is_ok());
    let (_, rest) = good.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    for alg in ["none", "None", "", "HS256", "HS512", "RS256", "EdDSA", "ES384", "PS256", "es256"] {
        let header = B64.encode(json!({"alg": alg, "typ": "JWT"}).to_string());
        for signature in ["", signature] {
            let forged = format!("{header}.{payload}.{signature}");
            assert!(verify(&issuer, &forged).await.is_err(), "{alg}");
        }
    }
    // A key that came with the token is nobody's key.
    let own = json!({"alg": "EdDSA", "jwk": stranger.jwk("k1"), "jku": "https://evil.example/jwks"});
    assert!(verify(&issuer, &stranger.sign(&own, &claims())).await.is_err());
    let critical = json!({"alg": "ES256", "crit": ["b64"], "b64": false});
    assert_eq!(verify(&issuer, &signer.sign(&critical, &claims())).await.unwrap_err(), Unproved::Malformed);
    // What analysts sign is no token, even by an issuer's key.
    let statement = json!({"alg": "ES256", "typ": STATEMENT});
    assert_eq!(verify(&issuer, &signer.sign(&statement, &claims())).await.unwrap_err(), Unproved::Malformed);
    for text in ["", ".", "..", "a.b", "a.b.c", "a.b.c.d", &"x".repeat(MAX_ASSERTION_BYTES + 1)] {
        assert_eq!(verify(&issuer, text).await.unwrap_err(), Unproved::Malformed, "{text:.10}");
    }
}

#[tokio::test]
async fn keys_come_and_go() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (Signer::ed(), Signer::ed());
    let issuer = issuer(dir.path(), &[old.jwk("old")], "");
    let by = |signer: &Signer, kid: &str| signer.sign(&json!({"alg": "EdDSA", "kid": kid}), &claims());
    assert!(verify(&issuer, &by(&old, "old")).await.is_ok());
    assert_eq!(verify(&issuer, &by(&new, "new")).await.unwrap_err(), Unproved::UnknownKey);
    std::fs::write(dir.path().join("jwks.json"), json!({"keys": [new.jwk("new")]}).to_string()).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert!(verify(&issuer, &by(&new, "new")).await.is_ok(), "a new key is found");
    assert_eq!(
        verify(&issuer, &by(&old, "old")).await.unwrap_err(),
        Unproved::UnknownKey,
        "an old one is gone"
    );
    assert_eq!(verify(&issuer, &by(&old, "new")).await.unwrap_err(), Unproved::Signature, "a name is no key");
    // While the keys cannot be read, those that were read last are used.
    std::fs::remove_file(dir.path().join("jwks.json")).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert!(verify(&issuer, &by(&new, "new")).await.is_ok());
}

#[test]
fn keys_are_read_from_places_that_nobody_can_change_on_the_way() {
    let folder = std::path::Path::new("");
    for good in [
        "jwks.json",
        "https://login.example/jwks",
        "http://127.0.0.1:9/jwks",
        "http://localhost/",
        "http://[::1]/",
    ] {
        assert!(keys::Place::new(good, folder).is_ok(), "{good}");
    }
    for bad in
        ["http://login.example/jwks", "ftp://127.0.0.1/", "http://127.0.0.1.evil.example/", "file:///keys"]
    {
        assert!(keys::Place::new(bad, folder).is_err(), "{bad}");
    }
}

#[test]
fn a_statement_is_about_one_thing_for_minutes() {
    let signer = Signer::ed();
    let terms = Terms { audience: "london".to_owned(), most_seconds: 300, skew: 30 };
    let header = json!({"alg": "EdDSA", "typ": STATEMENT});
    let claims = json!({"sub": "ada", "aud": "london", "iat": NOW, "exp": NOW + 120, "jti": "0123456789abcdef",
        "purpose": "winter", "datasets": ["property"], "fragments": ["ab"], "sql_sha256": "cd", "query": "q1"});
    let verify = |header: &Value, claims: &Value, key: &Key| {
        Statement::verify(&Jws::parse(&signer.sign(header, claims)).unwrap(), key, &terms, NOW)
    };
    let good = verify(&header, &claims, &signer.key()).unwrap();
    assert_eq!(good.bound, Bound::Fragments(BTreeSet::from(["ab".to_owned()])));
    assert_eq!(verify(&header, &claims, &Signer::ed().key()).unwrap_err(), Unproved::Signature);
    assert_eq!(verify(&json!({"alg": "EdDSA"}), &claims, &signer.key()).unwrap_err(), Unproved::Malformed);
    for (claim, value, problem) in [
        ("aud", json!("paris"), Unproved::Audience),
        ("exp", json!(NOW + 301), Unproved::LongLived(300)),
        ("exp", json!(NOW - 30), Unproved::Expired),
        ("iat", json!(NOW + 31), Unproved::NotYet),
        ("jti", json!("short"), Unproved::Malformed),
        ("uses", json!(3), Unproved::Malformed),
        ("fragments", Value::Null, Unproved::Malformed),
        ("datasets", json!("property"), Unproved::Malformed),
        ("more", json!("?"), Unproved::Malformed),
    ] {
        let claims = with(claims.clone(), claim, value);
        assert_eq!(verify(&header, &claims, &signer.key()).unwrap_err(), problem, "{claim}");
    }
}

/// The vectors of RFC 7638, section 3.1, and RFC 8037, appendix A.3.
#[test]
fn thumbprints_are_those_of_the_rfcs() {
    let key = |jwk: Value| {
        let header = json!({"alg": "RS256", "jwk": jwk});
        let token = format!("{}.{}.", B64.encode(header.to_string()), B64.encode("{}"));
        Jws::parse(&token).unwrap().brought().unwrap().thumbprint()
    };
    let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    let rsa = json!({"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"});
    assert_eq!(key(rsa), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    let ed = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    assert_eq!(key(ed), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}
