//! The keys of an identity provider: a JWK Set (RFC 7517) in a file or at an address, kept for a while, read again when a token
//! is signed with a key that is not among them.

use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use tokio::sync::Mutex;
use url::{Host, Url};

use super::jws::{Jws, Key};
use super::{Algorithm, Unproved};

/// Least time between two readings that unknown keys bring about: made-up key names are no way to overload a provider.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long keys are used after they could last be read.
const LONGEST: Duration = Duration::from_hours(1);

/// Longest wait for a provider.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Longest JWK Set, in bytes.
const MOST_BYTES: usize = 256 * 1024;

/// Where keys are.
#[derive(Debug, Clone)]
pub enum Place {
    /// a file
    File(PathBuf),
    /// an address: https, or http on this machine
    Address(Url),
}

impl Place {
    /// A place that is written as an address, or else as a path relative to `folder`.
    ///
    /// # Errors
    /// An address that is neither https nor on this machine.
    pub fn new(text: &str, folder: &std::path::Path) -> Result<Self, String> {
        if !text.contains("://") {
            return Ok(Self::File(folder.join(text)));
        }
        let url = Url::parse(text).map_err(|_| format!("keys = {text:?} is no address"))?;
        let loopback = match url.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        };
        match url.scheme() {
            "https" => Ok(Self::Address(url)),
            "http" if loopback => Ok(Self::Address(url)),
            _ => Err(format!(
                "keys = {text:?}: whoever is between could put in keys of his own; write https://, or a file"
            )),
        }
    }
}

/// The keys of one provider.
#[derive(Debug)]
pub struct KeySet {
    place: Place,
    refresh: Duration,
    held: RwLock<Held>,
    /// one reads at a time, and the others go on with what there is
    reading: Mutex<()>,
}

#[derive(Debug, Default)]
struct Held {
    keys: Vec<Named>,
    read: Option<Instant>,
    tried: Option<Instant>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    kid: Option<String>,
    key: Key,
}

impl KeySet {
    /// Keys that are read when they are first needed, and again after `refresh`.
    pub fn new(place: Place, refresh: Duration) -> Self {
        Self { place, refresh, held: RwLock::default(), reading: Mutex::default() }
    }

    /// The keys that may have signed a token.
    ///
    /// # Errors
    /// No such key, or no keys at all because they cannot be read.
    pub async fn candidates(&self, jws: &Jws<'_>) -> Result<Vec<Key>, Unproved> {
        if self.is_due(jws) {
            let reading = if self.fitting(jws).is_empty() {
                Some(self.reading.lock().await)
            } else {
                self.reading.try_lock().ok()
            };
            // Whoever waited may find that it was done meanwhile.
            if reading.is_some() && self.is_due(jws) {
                let read = self.read().await;
                let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
                held.tried = Some(Instant::now());
                if let Ok(keys) = read {
                    (held.keys, held.read) = (keys, held.tried);
                }
            }
        }
        let read = self.held.read().unwrap_or_else(PoisonError::into_inner).read;
        if read.is_none_or(|read| read.elapsed() >= LONGEST) {
            return Err(Unproved::NoKeys);
        }
        let keys = self.fitting(jws);
        if keys.is_empty() { Err(Unproved::UnknownKey) } else { Ok(keys) }
    }

    /// Whether the keys are to be read before this token is looked at.
    fn is_due(&self, jws: &Jws<'_>) -> bool {
        let unknown = self.fitting(jws).is_empty();
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        let passed =
            |since: Option<Instant>, time| since.is_none_or(|since: Instant| since.elapsed() >= time);
        let patience = PATIENCE.min(self.refresh);
        passed(held.read, if unknown { patience } else { self.refresh }) && passed(held.tried, patience)
    }

    fn fitting(&self, jws: &Jws<'_>) -> Vec<Key> {
        let fits = |named: &&Named| {
            let same = match (jws.kid(), &named.kid) {
                (Some(wanted), Some(kid)) => wanted == kid,
                _ => true,
            };
            same && named.key.algorithm() == jws.algorithm()
        };
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        held.keys.iter().filter(fits).map(|named| named.key.clone()).collect()
    }

    /// How many keys there are now.
    ///
    /// # Errors
    /// Why they cannot be read.
    pub async fn count(&self) -> Result<usize, String> {
        self.read().await.map(|keys| keys.len())
    }

    async fn read(&self) -> Result<Vec<Named>, String> {
        let text = match &self.place {
            Place::File(path) => tokio::fs::read(path)
                .await
                .map_err(|error| format!("{}: the file cannot be read: {error}", path.display()))?,
            Place::Address(url) => fetch(url).await.map_err(|problem| format!("{url}: {problem}"))?,
        };
        parse(&text)
    }
}

/// Reads an address, without following it elsewhere.
async fn fetch(url: &Url) -> Result<Vec<u8>, String> {
    let client = reqwest::Client::builder()
        .timeout(TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| error.to_string())?;
    let mut answer = client.get(url.clone()).send().await.map_err(|error| error.to_string())?;
    if !answer.status().is_success() {
        return Err(format!("it answers {}", answer.status()));
    }
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(|error| error.to_string())? {
        body.extend_from_slice(&part);
        if body.len() > MOST_BYTES {
            return Err("it is longer than any JWK Set".to_owned());
        }
    }
    Ok(body)
}

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<Jwk>,
}

/// A key as RFC 7517 has it.
#[derive(Deserialize)]
pub(super) struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// The keys of a set that can be used here; others are of no interest.
fn parse(text: &[u8]) -> Result<Vec<Named>, String> {
    let set: JwkSet = serde_json::from_slice(text).map_err(|_| "it is no JWK Set".to_owned())?;
    let keys: Vec<Named> = set.keys.into_iter().filter_map(named).collect();
    if keys.is_empty() {
        return Err("there is no RSA, P-256 or Ed25519 key for signatures in it".to_owned());
    }
    Ok(keys)
}

fn named(jwk: Jwk) -> Option<Named> {
    let kid = jwk.kid.clone();
    jwk.key().map(|key| Named { kid, key })
}

impl Jwk {
    /// The key, if it is one that verifies signatures here.
    pub(super) fn key(self) -> Option<Key> {
        if self.usage.is_some_and(|usage| usage != "sig") {
            return None;
        }
        let bytes = |part: &Option<String>| URL_SAFE_NO_PAD.decode(part.as_ref()?).ok();
        let key = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", None) => Key::Rsa { n: stripped(bytes(&self.n)?), e: stripped(bytes(&self.e)?) },
            ("EC", Some("P-256")) => {
                let (x, y) = (bytes(&self.x)?, bytes(&self.y)?);
                (x.len() == 32 && y.len() == 32).then(|| Key::P256([&[4], x.as_slice(), &y].concat()))?
            }
            ("OKP", Some("Ed25519")) => Key::Ed25519(bytes(&self.x).filter(|x| x.len() == 32)?),
            _ => return None,
        };
        let alg = self.alg.as_deref().is_none_or(|alg| alg == key.algorithm().as_str() || alg == "Ed25519");
        alg.then_some(key)
    }
}

/// Without leading zeros, which ring does not take.
fn stripped(bytes: Vec<u8>) -> Vec<u8> {
    bytes.into_iter().skip_while(|byte| *byte == 0).collect()
}

/// The algorithms there are, for a configuration that does not choose.
pub(super) fn all_algorithms() -> Vec<Algorithm> {
    Algorithm::ALL.into()
}
