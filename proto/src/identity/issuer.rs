//! Tokens of an identity provider: whose they are, and when they are good (RFC 7519; OpenID Connect Core 1.0, section 3.1.3.7).
//!
//! A token says who signed in, and nothing about what is asked. A *bearer* token can be used by whoever holds it, until it expires; one
//! that is bound to a key (RFC 7800) only by whoever holds that key too.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::jws::{Algorithm, Jws, taken};
use super::keys::{KeySet, Place, all_algorithms};
use super::statement::STATEMENT;
use super::{Unproved, is_name};

/// An issuer as a configuration file has it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerWords {
    /// the exact `iss` of its tokens
    pub url: String,
    /// what the `aud` of a token must contain
    pub audience: String,
    /// JWK Set: an https address, or a file
    pub keys: String,
    /// which algorithms are taken
    #[serde(default = "all_algorithms")]
    pub algorithms: Vec<Algorithm>,
    /// the claim that names the principal
    #[serde(default = "sub")]
    pub principal_claim: String,
    /// the claim that lists groups
    #[serde(default = "groups")]
    pub groups_claim: String,
    /// what stands before each name of this issuer, so that two issuers name nobody alike
    #[serde(default)]
    pub prefix: String,
    /// longest time between the making and the end of a token, in seconds
    #[serde(default = "an_hour")]
    pub max_lifetime_seconds: u64,
    /// after which the keys are read again, in seconds
    #[serde(default = "five_minutes")]
    pub refresh_seconds: u64,
}

fn sub() -> String {
    "sub".to_owned()
}

fn groups() -> String {
    "groups".to_owned()
}

const fn an_hour() -> u64 {
    3600
}

const fn five_minutes() -> u64 {
    300
}

/// An identity provider whose tokens are taken.
#[derive(Debug)]
pub struct Issuer {
    words: IssuerWords,
    keys: KeySet,
}

/// Who holds a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// the name
    pub principal: String,
    /// the groups
    pub groups: BTreeSet<String>,
    /// when the token ends, in seconds since 1970-01-01 UTC
    pub expires: u64,
    /// thumbprint (RFC 7638) of the key that it is bound to; `None`: whoever holds it can use it
    pub bound_to: Option<String>,
}

#[derive(Deserialize)]
struct Whose {
    iss: String,
}

impl Issuer {
    /// Checks the words. Paths in them are relative to `folder`.
    ///
    /// # Errors
    /// One sentence about the first that makes no sense.
    pub fn new(words: IssuerWords, folder: &Path) -> Result<Self, String> {
        let wrong = |problem: &str| format!("issuer {}: {problem}", words.url);
        if words.url.trim().is_empty() || words.audience.trim().is_empty() {
            return Err(wrong("url and audience must not be empty"));
        }
        if words.algorithms.is_empty() {
            return Err(wrong("algorithms = [] takes no token: take the line out, or list some"));
        }
        if words.max_lifetime_seconds == 0 || words.refresh_seconds == 0 {
            return Err(wrong("max_lifetime_seconds and refresh_seconds must be greater than 0"));
        }
        let place = Place::new(&words.keys, folder).map_err(|problem| wrong(&problem))?;
        let keys = KeySet::new(place, Duration::from_secs(words.refresh_seconds));
        Ok(Self { words, keys })
    }

    /// The exact `iss` of its tokens.
    pub fn url(&self) -> &str {
        &self.words.url
    }

    /// What stands before its names.
    pub fn prefix(&self) -> &str {
        &self.words.prefix
    }

    /// What its tokens must be made for.
    pub fn audience(&self) -> &str {
        &self.words.audience
    }

    /// How many keys it has now.
    ///
    /// # Errors
    /// Why they cannot be read.
    pub async fn count_keys(&self) -> Result<usize, String> {
        self.keys.count().await
    }

    /// The issuer that a token names.
    ///
    /// # Errors
    /// None of these.
    pub fn of<'a>(jws: &Jws<'_>, issuers: &'a [Self]) -> Result<&'a Self, Unproved> {
        let Whose { iss } = jws.unverified()?;
        issuers.iter().find(|issuer| issuer.url() == iss).ok_or(Unproved::Issuer)
    }

    /// Who holds a token, at the time `now` (seconds since 1970), with clocks that may be `skew` seconds apart.
    ///
    /// # Errors
    /// Why it proves nothing.
    pub async fn verify(&self, jws: &Jws<'_>, now: u64, skew: u64) -> Result<Holder, Unproved> {
        if !self.words.algorithms.contains(&jws.algorithm()) {
            return Err(taken(&self.words.algorithms));
        }
        // What analysts sign is never taken for a provider's token.
        if jws.typ() == STATEMENT {
            return Err(Unproved::Malformed);
        }
        let keys = self.keys.candidates(jws).await?;
        let claims: Map<String, Value> = jws.verified(&keys)?;
        if claims.get("iss").and_then(Value::as_str) != Some(self.url()) {
            return Err(Unproved::Issuer);
        }
        if !listed(claims.get("aud")).is_some_and(|all| all.contains(&self.words.audience)) {
            return Err(Unproved::Audience);
        }
        let expires = self.good(&claims, now, skew)?;
        let named = claims.get(&self.words.principal_claim).and_then(Value::as_str);
        let principal = named.map(|name| format!("{}{name}", self.words.prefix));
        let principal = principal.filter(|name| is_name(name));
        let principal = principal.ok_or_else(|| Unproved::Nameless(self.words.principal_claim.clone()))?;
        let groups = match claims.get(&self.words.groups_claim) {
            None | Some(Value::Null) => BTreeSet::new(),
            groups => listed(groups).ok_or(Unproved::Malformed)?,
        };
        Ok(Holder { principal, groups, expires, bound_to: bound_to(&claims)? })
    }

    /// When it ends, if it is good now.
    fn good(&self, claims: &Map<String, Value>, now: u64, skew: u64) -> Result<u64, Unproved> {
        let expires = moment(claims, "exp")?.ok_or(Unproved::Expired)?;
        let made = moment(claims, "iat")?;
        let from = made.max(moment(claims, "nbf")?);
        if now >= expires.saturating_add(skew) {
            return Err(Unproved::Expired);
        }
        if from.is_some_and(|from| from > now.saturating_add(skew)) {
            return Err(Unproved::NotYet);
        }
        let most = self.words.max_lifetime_seconds;
        if expires.saturating_sub(made.unwrap_or(now)) > most {
            return Err(Unproved::LongLived(most));
        }
        Ok(expires)
    }
}

/// The thumbprint in `cnf.jkt` (RFC 9449, section 6.1). Other ways to be bound are refused, not overlooked.
fn bound_to(claims: &Map<String, Value>) -> Result<Option<String>, Unproved> {
    match claims.get("cnf") {
        None | Some(Value::Null) => Ok(None),
        Some(confirmation) => {
            let thumbprint = confirmation.get("jkt").and_then(Value::as_str);
            thumbprint.map(|thumbprint| Some(thumbprint.to_owned())).ok_or(Unproved::Binding)
        }
    }
}

/// Seconds since 1970, which may have a fraction (RFC 7519, section 2).
fn moment(claims: &Map<String, Value>, name: &str) -> Result<Option<u64>, Unproved> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let whole = value.as_u64().or_else(|| {
        let seconds = value.as_f64().filter(|seconds| (0.0..1e15).contains(seconds))?;
        format!("{seconds:.0}").parse().ok()
    });
    whole.map(Some).ok_or(Unproved::Malformed)
}

/// One text, or several.
fn listed(value: Option<&Value>) -> Option<BTreeSet<String>> {
    match value? {
        Value::String(one) => Some(BTreeSet::from([one.clone()])),
        Value::Array(several) => several.iter().map(|each| each.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}
