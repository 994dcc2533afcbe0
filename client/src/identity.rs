//! The analyst's own key: made once, known to nodes by its public half, and used to sign what nodes are asked.
//!
//! A statement is a JSON Web Signature (RFC 7515) over the digests of the fragments that the coordinator says it will ask. A
//! coordinator can ask nothing else with it, and nobody can ask the same again.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::failure::Failure;

/// How long a statement is good, in seconds: as long as a question may take, and some for the clocks.
const GOOD_FOR: u64 = 240;

/// Whoever signs.
pub(crate) struct Identity {
    name: String,
    federation: String,
    key: Ed25519KeyPair,
}

/// The file. It holds a private key.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    name: String,
    federation: String,
    /// Ed25519, PKCS#8, base64
    private_key: String,
}

/// One fragment that nodes will be asked, as the coordinator tells it.
#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    sha256: String,
    datasets: BTreeSet<String>,
}

impl Identity {
    /// Makes a key for `name` and keeps it in a new file that its owner alone can read; gives the lines for a node's configuration.
    pub(crate) fn create(name: &str, federation: &str, file: &Path) -> Result<String, Failure> {
        let random = || Failure::failed("the system gives no random numbers for a key");
        let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| random())?;
        let words = Words {
            name: name.to_owned(),
            federation: federation.to_owned(),
            private_key: STANDARD.encode(der.as_ref()),
        };
        let text = serde_json::to_string_pretty(&words).map_err(|_| random())?;
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
        made.and_then(|mut made| made.write_all(text.as_bytes()).and_then(|()| made.sync_all())).map_err(
            |error| Failure::usage(format!("cannot make the identity file {}: {error}", file.display())),
        )?;
        let public = STANDARD.encode(Self::load(file)?.key.public_key());
        let name = Value::from(name);
        Ok(format!("[[identity.analyst]]\nname = {name}\npublic_key = \"{public}\"\n"))
    }

    /// Reads a file that its owner alone can read.
    pub(crate) fn load(file: &Path) -> Result<Self, Failure> {
        let wrong = |problem: &str| Failure::usage(format!("the identity file {} {problem}", file.display()));
        let mode = fs::metadata(file).map_err(|error| wrong(&format!("cannot be read: {error}")))?;
        if mode.permissions().mode() & 0o077 != 0 {
            return Err(wrong("can be read by others: take that away with chmod 600"));
        }
        let text = fs::read_to_string(file).map_err(|error| wrong(&format!("cannot be read: {error}")))?;
        let none = || wrong("is none: make one with 'jigsaw identity'");
        let Words { name, federation, private_key } = serde_json::from_str(&text).map_err(|_| none())?;
        let der = STANDARD.decode(private_key).map_err(|_| none())?;
        let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(|_| none())?;
        Ok(Self { name, federation, key })
    }

    /// A statement for one question: its SQL, its id, and what nodes will be asked for it. With a token that is bound to the key, the
    /// statement holds the token, and nodes need not know the key.
    pub(crate) fn sign(
        &self,
        (sql, query, purpose): (&str, &str, &str),
        asked: &[Asked],
        token: Option<&str>,
    ) -> Result<String, Failure> {
        let now = now();
        let fragments: BTreeSet<&str> = asked.iter().map(|asked| asked.sha256.as_str()).collect();
        let datasets: BTreeSet<&String> = asked.iter().flat_map(|asked| &asked.datasets).collect();
        let claims = json!({
            "sub": self.name,
            "aud": self.federation,
            "iat": now,
            "exp": now + GOOD_FOR,
            "jti": nonce()?,
            "purpose": purpose,
            "datasets": datasets,
            "fragments": fragments,
            "sql_sha256": hex(digest(&SHA256, sql.as_bytes()).as_ref()),
            "query": query,
        });
        let header = json!({"alg": "EdDSA", "typ": "jigsaw-assertion+jwt"});
        let header = with(header, "jwk", token.map(|_| self.jwk()));
        Ok(self.signed(&header, &with(claims, "token", token.map(Value::from))))
    }

    /// A proof that the key is held, for an identity provider that binds tokens to it, at its token endpoint `url` (RFC 9449, section 4.2).
    pub(crate) fn possession(&self, url: &str, nonce_of_provider: Option<&str>) -> Result<String, Failure> {
        let header = json!({"alg": "EdDSA", "typ": "dpop+jwt", "jwk": self.jwk()});
        let claims = json!({"jti": nonce()?, "htm": "POST", "htu": url, "iat": now()});
        Ok(self.signed(&header, &with(claims, "nonce", nonce_of_provider.map(Value::from))))
    }

    /// The public half (RFC 8037).
    fn jwk(&self) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(self.key.public_key())})
    }

    fn signed(&self, header: &Value, claims: &Value) -> String {
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let signed = format!("{}.{}", encode(&header.to_string()), encode(&claims.to_string()));
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

/// Whether a token says that it is bound to a key. What it says is not verified: nodes do that.
pub(crate) fn is_bound(token: &str) -> bool {
    let payload = token.split('.').nth(1).and_then(|payload| URL_SAFE_NO_PAD.decode(payload).ok());
    let claims: Option<Value> = payload.and_then(|payload| serde_json::from_slice(&payload).ok());
    claims.is_some_and(|claims| claims.get("cnf").is_some_and(|binding| !binding.is_null()))
}

/// An object with one more member, if there is one.
fn with(object: Value, name: &str, value: Option<Value>) -> Value {
    match (object, value) {
        (Value::Object(mut members), Some(value)) => {
            members.insert(name.to_owned(), value);
            Value::Object(members)
        }
        (object, _) => object,
    }
}

fn nonce() -> Result<String, Failure> {
    let mut nonce = [0; 16];
    let filled = SystemRandom::new().fill(&mut nonce);
    filled.map_err(|_| Failure::failed("the system gives no random numbers"))?;
    Ok(hex(&nonce))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}
