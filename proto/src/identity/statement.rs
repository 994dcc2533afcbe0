//! What an analyst's own key signs: one question, for one federation, for minutes.
//!
//! A statement names the *fragments* that nodes may be asked because of it, by the SHA-256 of their bytes
//! ([`Fragment::digest`](crate::fragment::Fragment::digest)); or, where the analyst's tool cannot know them before it asks, the
//! datasets alone and how many fragments one node may be asked. Both kinds name purpose, datasets, audience and end.
//!
//! The key is one that a node pins, or the one that an identity provider's token is bound to: then the statement holds the `token`.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::jws::{Jws, Key};
use super::{Unproved, is_name};
use crate::id::{DatasetName, QueryId};

/// The `typ` of a statement's header.
pub const STATEMENT: &str = "jigsaw-assertion+jwt";

/// Shortest and longest nonce, in characters.
const NONCE: std::ops::RangeInclusive<usize> = 16..=128;

/// Most fragments of one statement.
const MOST_FRAGMENTS: usize = 1024;

/// A statement whose signature and time are good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// who signed it
    pub principal: String,
    /// when it was signed, in seconds since 1970-01-01 UTC
    pub issued: u64,
    /// when it ends
    pub expires: u64,
    /// what no other statement of the same analyst has
    pub nonce: String,
    /// why it is asked
    pub purpose: String,
    /// what may be read because of it
    pub datasets: BTreeSet<DatasetName>,
    /// what may be asked because of it
    pub bound: Bound,
    /// SHA-256 of the question as the analyst wrote it, hexadecimal; empty: not said
    pub question: String,
    /// the id of the question, where it was known
    pub query: Option<QueryId>,
}

/// What may be asked because of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// these fragments, each once, by their digests
    Fragments(BTreeSet<String>),
    /// so many fragments at one node
    Uses(u32),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    sub: String,
    aud: String,
    iat: u64,
    exp: u64,
    jti: String,
    purpose: String,
    datasets: BTreeSet<DatasetName>,
    fragments: Option<BTreeSet<String>>,
    uses: Option<u32>,
    #[serde(default)]
    sql_sha256: String,
    query: Option<QueryId>,
    /// it proves nothing here: whoever reads it verified it before
    #[serde(rename = "token")]
    _token: Option<String>,
}

#[derive(Deserialize)]
struct Whose {
    sub: String,
    token: Option<String>,
}

/// What holds for all statements.
#[derive(Debug, Clone)]
pub struct Terms {
    /// the federation they are made for
    pub audience: String,
    /// longest time that one is good, in seconds
    pub most_seconds: u64,
    /// how far clocks may be apart, in seconds
    pub skew: u64,
}

impl Statement {
    /// Who says to have signed it; of use to find the key and for nothing else.
    ///
    /// # Errors
    /// What is no statement.
    pub fn signer(jws: &Jws<'_>) -> Result<String, Unproved> {
        let Whose { sub, .. } = jws.unverified()?;
        if is_name(&sub) { Ok(sub) } else { Err(Unproved::Nameless("sub".to_owned())) }
    }

    /// The token that is to say whose key signed it; `None`: it is a key that the node knows.
    ///
    /// # Errors
    /// What is no statement.
    pub fn token(jws: &Jws<'_>) -> Result<Option<String>, Unproved> {
        let Whose { token, .. } = jws.unverified()?;
        Ok(token)
    }

    /// The statement, if `key` signed it and it is good at the time `now` (seconds since 1970).
    ///
    /// # Errors
    /// Why it proves nothing.
    pub fn verify(jws: &Jws<'_>, key: &Key, terms: &Terms, now: u64) -> Result<Self, Unproved> {
        if jws.typ() != STATEMENT {
            return Err(Unproved::Malformed);
        }
        let claims: Claims = jws.verified([key])?;
        let Claims { sub, aud, iat, exp, jti, purpose, datasets, fragments, uses, sql_sha256, query, .. } =
            claims;
        if aud != terms.audience {
            return Err(Unproved::Audience);
        }
        if now >= exp.saturating_add(terms.skew) {
            return Err(Unproved::Expired);
        }
        if iat > now.saturating_add(terms.skew) {
            return Err(Unproved::NotYet);
        }
        if exp.saturating_sub(iat) > terms.most_seconds {
            return Err(Unproved::LongLived(terms.most_seconds));
        }
        let bound = match (fragments, uses) {
            (Some(fragments), None) if fragments.len() <= MOST_FRAGMENTS => Bound::Fragments(fragments),
            (None, Some(uses)) => Bound::Uses(uses),
            _ => return Err(Unproved::Malformed),
        };
        if !NONCE.contains(&jti.len()) || sql_sha256.len() > 64 {
            return Err(Unproved::Malformed);
        }
        Ok(Self {
            principal: sub,
            issued: iat,
            expires: exp,
            nonce: jti,
            purpose,
            datasets,
            bound,
            question: sql_sha256,
            query,
        })
    }
}
