//! JSON Web Signatures (RFC 7515) in compact form, verified with ring.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::keys::Jwk;
use super::{MAX_ASSERTION_BYTES, Unproved};

/// How a signature is made. There is no `none` and no shared secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[expect(missing_docs, reason = "the names of RFC 7518 and RFC 8037")]
pub enum Algorithm {
    RS256,
    ES256,
    EdDSA,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::RS256, Self::ES256, Self::EdDSA];

    /// The algorithm of a registered name; `EdDSA` over Curve25519 has a second one (RFC 9864).
    fn named(name: &str) -> Option<Self> {
        let name = if name == "Ed25519" { "EdDSA" } else { name };
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }

    /// Its registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::ES256 => "ES256",
            Self::EdDSA => "EdDSA",
        }
    }
}

/// A public key; its kind alone decides which signatures it can verify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// modulus and exponent, big-endian; 2048 to 8192 bits
    Rsa {
        /// modulus
        n: Vec<u8>,
        /// exponent
        e: Vec<u8>,
    },
    /// an uncompressed point of P-256
    P256(Vec<u8>),
    /// Ed25519 (RFC 8032)
    Ed25519(Vec<u8>),
}

impl Key {
    /// An Ed25519 key from the base64 of its 32 bytes.
    pub fn ed25519(text: &str) -> Option<Self> {
        let standard = base64::engine::general_purpose::STANDARD.decode(text.trim());
        let bytes = standard.or_else(|_| URL_SAFE_NO_PAD.decode(text.trim())).ok()?;
        (bytes.len() == 32).then_some(Self::Ed25519(bytes))
    }

    /// The only algorithm it is used with.
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rsa { .. } => Algorithm::RS256,
            Self::P256(_) => Algorithm::ES256,
            Self::Ed25519(_) => Algorithm::EdDSA,
        }
    }

    /// Its thumbprint (RFC 7638): the SHA-256 of its required members as JSON, in base64url.
    pub fn thumbprint(&self) -> String {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let members = match self {
            Self::Rsa { n, e } => format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, text(e), text(n)),
            Self::P256(point) => {
                let (x, y) = point.get(1..).unwrap_or_default().split_at(point.len() / 2);
                format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, text(x), text(y))
            }
            Self::Ed25519(x) => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, text(x)),
        };
        text(digest(&SHA256, members.as_bytes()).as_ref())
    }

    fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rsa { n, e } => {
                let key = RsaPublicKeyComponents { n, e };
                key.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature).is_ok()
            }
            Self::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature).is_ok()
            }
            Self::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(signed, signature).is_ok(),
        }
    }
}

/// A token that was taken apart and not verified yet: what it says is nobody's word.
#[derive(Debug)]
pub struct Jws<'a> {
    algorithm: Algorithm,
    kid: Option<String>,
    typ: String,
    jwk: Option<Key>,
    payload: Vec<u8>,
    signed: &'a [u8],
    signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    #[serde(default)]
    typ: String,
    crit: Option<serde_json::Value>,
    jwk: Option<Jwk>,
}

impl<'a> Jws<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// What is no token, or wants an algorithm that is never taken.
    pub fn parse(token: &'a str) -> Result<Self, Unproved> {
        let malformed = Unproved::Malformed;
        if token.len() > MAX_ASSERTION_BYTES {
            return Err(malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Unproved::Malformed)?;
        let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Unproved::Malformed);
        let header: Header = serde_json::from_slice(&bytes(header)?).map_err(|_| Unproved::Malformed)?;
        // An extension that must be understood is one more way to be wrong.
        if header.crit.is_some() {
            return Err(Unproved::Malformed);
        }
        let algorithm = Algorithm::named(&header.alg).ok_or_else(|| taken(&Algorithm::ALL))?;
        Ok(Self {
            algorithm,
            kid: header.kid,
            typ: header.typ.to_ascii_lowercase(),
            jwk: header.jwk.and_then(Jwk::key),
            payload: bytes(payload)?,
            signed: signed.as_bytes(),
            signature: bytes(signature)?,
        })
    }

    /// The algorithm its header names.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key its header names.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The type its header names, in lower case; empty: none.
    pub fn typ(&self) -> &str {
        &self.typ
    }

    /// The key that its header brings along, which anybody can write there: of use where somebody else confirms its thumbprint.
    pub const fn brought(&self) -> Option<&Key> {
        self.jwk.as_ref()
    }

    /// What it says, before anybody has verified it: of use to choose the key and for nothing else.
    ///
    /// # Errors
    /// Claims that are not there or of another type.
    pub fn unverified<T: DeserializeOwned>(&self) -> Result<T, Unproved> {
        serde_json::from_slice(&self.payload).map_err(|_| Unproved::Malformed)
    }

    /// What it says, if one of `keys` signed it.
    ///
    /// # Errors
    /// A signature by another key, or by a key of another kind than the header claims; claims that cannot be read.
    pub fn verified<'k, T: DeserializeOwned>(
        &self,
        keys: impl IntoIterator<Item = &'k Key>,
    ) -> Result<T, Unproved> {
        let signs =
            |key: &Key| key.algorithm() == self.algorithm && key.verifies(self.signed, &self.signature);
        if !keys.into_iter().any(signs) {
            return Err(Unproved::Signature);
        }
        self.unverified()
    }
}

/// The problem of an algorithm that is not among these.
pub(super) fn taken(algorithms: &[Algorithm]) -> Unproved {
    Unproved::Algorithm(algorithms.iter().map(|each| each.as_str()).collect::<Vec<_>>().join(", "))
}
