//! Who asks, proved by somebody other than the coordinator.
//!
//! An *assertion* is a JWS in compact form (RFC 7515) of one of two kinds, told apart by the `typ` of its header:
//!
//! * a *statement* (`jigsaw-assertion+jwt`), which the analyst's own key signs for one question ([`statement`]);
//! * a *token* of an identity provider (RFC 7519; OpenID Connect), which whoever holds it can use ([`issuer`]), unless it is bound
//!   to a key: then it is of use in a statement that this key signs, and nowhere else.
//!
//! Only `RS256`, `ES256` and `EdDSA` are taken, each with keys of its own kind and no others, so that no header can choose how
//! a key is used. The keys are this party's own choice: nothing in a token (`jku`, `jwk`, `x5u`, `x5c`) brings in another. A
//! statement's own `jwk` is looked at where a token of a known issuer confirms its thumbprint (RFC 7800, `cnf`; RFC 9449, `jkt`).

pub mod issuer;
mod jws;
pub mod keys;
pub mod statement;

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

pub use issuer::{Holder, Issuer, IssuerWords};
pub use jws::{Algorithm, Jws, Key};
pub use statement::{Bound, Statement};

/// Longest assertion that is read, in bytes.
pub const MAX_ASSERTION_BYTES: usize = 16 * 1024;

/// The header in which an analyst sends the assertion that the coordinator passes on.
pub const ASSERTION_HEADER: &str = "x-jigsaw-assertion";

/// The action that lists what the nodes will be asked for an announced question, so that it can be signed.
pub const FRAGMENTS_ACTION: &str = "jigsaw.fragments";

/// An assertion as it travels. Empty: none.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Assertion(String);

/// Mute: a token is as good as its holder until it expires.
impl fmt::Debug for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "Assertion(none)" } else { "Assertion(…)" })
    }
}

impl From<String> for Assertion {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl Assertion {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Why an assertion proves nothing. The words say what to do, and nothing of what is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the sentences say it")]
pub enum Unproved {
    #[error("it is no signed token (a JWS in compact form)")]
    Malformed,
    #[error("its algorithm is not taken here: {0}")]
    Algorithm(String),
    #[error("it is of an issuer that is not known here")]
    Issuer,
    #[error("it is signed with a key that is not, or no longer, its issuer's: sign in again")]
    UnknownKey,
    #[error("the keys of its issuer cannot be had at the moment: try again in a minute")]
    NoKeys,
    #[error("its signature is wrong")]
    Signature,
    #[error("it was made for another audience")]
    Audience,
    #[error("it has expired: sign in again")]
    Expired,
    #[error("it is not good yet: compare the clocks")]
    NotYet,
    #[error("it is good for longer than is taken here, {0} seconds")]
    LongLived(u64),
    #[error("it is bound to something that is not known here: of the claim cnf, jkt is")]
    Binding,
    #[error("it names nobody: the claim {0} is not there, or is no name")]
    Nameless(String),
}

/// Seconds since 1970-01-01 UTC, by this machine's clock.
pub fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Longest name: nodes record it with every question.
const MAX_NAME_BYTES: usize = 100;

/// Whether a text can be somebody's name in logs and grants.
pub fn is_name(text: &str) -> bool {
    let fits = (1..=MAX_NAME_BYTES).contains(&text.len());
    fits && text != "*" && text.trim() == text && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests;
