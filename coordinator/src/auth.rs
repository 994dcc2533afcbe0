//! Who asks: a bearer token from a file of analysts, or anybody on this machine where the configuration says so by name.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tonic::Status;
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};

/// Who may ask.
#[derive(Debug)]
pub(crate) enum Access {
    Tokens(Vec<Analyst>),
    Anonymous,
}

/// Longest name: nodes record it with every question.
const MAX_NAME_BYTES: usize = 100;

/// An analyst and the hash of the token that proves it.
pub(crate) struct Analyst {
    name: String,
    hash: [u8; 32],
}

/// Mute: the hash of a weak token is as good as the token.
impl std::fmt::Debug for Analyst {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Analyst({})", self.name)
    }
}

impl Analyst {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// An analyst with the SHA-256 of a token in 64 hexadecimal digits.
    pub(crate) fn new(name: &str, hash: &str) -> Result<Self, String> {
        if name.is_empty() || name.len() > MAX_NAME_BYTES || name.chars().any(char::is_control) {
            return Err(format!(
                "an analyst's name has 1 to {MAX_NAME_BYTES} bytes and no control characters"
            ));
        }
        let digits = hash.as_bytes().chunks(2);
        let bytes = digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
        let bytes: Option<Vec<u8>> = bytes.collect();
        let bytes = bytes.filter(|_| hash.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let hash = bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| {
            format!("analyst {name}: token_sha256 is not 64 hexadecimal digits: printf %s TOKEN | sha256sum makes them")
        })?;
        Ok(Self { name: name.to_owned(), hash })
    }
}

/// What a caller showed.
pub(crate) enum Credential {
    /// `Authorization: Bearer token`
    Bearer(String),
    /// `Authorization: Basic base64(user:token)`
    Basic {
        /// the name, which must be the token's
        user: String,
        /// the token
        token: String,
    },
    /// nothing
    None,
}

impl Access {
    /// The name of whoever showed `credential`.
    pub(crate) fn principal(&self, credential: &Credential) -> Result<String, Status> {
        let Self::Tokens(analysts) = self else { return Ok("anonymous".to_owned()) };
        let (token, user) = match credential {
            Credential::Bearer(token) => (token, None),
            Credential::Basic { user, token } => (token, Some(user)),
            Credential::None => {
                return Err(Status::unauthenticated(
                    "sign in first: send your token as 'Authorization: Bearer …', or as the password of your user name",
                ));
            }
        };
        let hash = Sha256::digest(token);
        // Every analyst is compared, whichever is found: the time says nothing about who exists.
        let fits = |analyst: &Analyst| {
            bool::from(analyst.hash.ct_eq(hash.as_slice())) & user.is_none_or(|user| *user == analyst.name)
        };
        let found =
            analysts.iter().fold(None, |found, analyst| if fits(analyst) { Some(analyst) } else { found });
        found.map(|analyst| analyst.name.clone()).ok_or_else(|| {
            Status::unauthenticated(
                "the token is not one of this coordinator's: check it, or ask for a new one",
            )
        })
    }
}

impl Access {
    /// What a caller who shook hands sends from then on; `None` where nothing needs to be sent.
    pub(crate) fn handshake(&self, credential: &Credential) -> Result<Option<MetadataValue<Ascii>>, Status> {
        self.principal(credential)?;
        let (Credential::Bearer(token) | Credential::Basic { token, .. }) = credential else {
            return Ok(None);
        };
        format!("Bearer {token}")
            .parse()
            .map(Some)
            .map_err(|_| Status::unauthenticated("the token has characters no header can carry"))
    }
}

/// Reads the `authorization` header; drivers pad Basic credentials or do not.
pub(crate) fn credential(headers: &MetadataMap) -> Result<Credential, Status> {
    let Some(header) = headers.get("authorization") else { return Ok(Credential::None) };
    let malformed =
        || Status::unauthenticated("the authorization header is neither 'Bearer …' nor 'Basic …'");
    let header = header.to_str().map_err(|_| malformed())?;
    let (scheme, value) = header.split_once(' ').ok_or_else(malformed)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Credential::Bearer(value.trim().to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(malformed());
    }
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let decoded =
        GeneralPurpose::new(&alphabet::STANDARD, lenient).decode(value.trim()).map_err(|_| malformed())?;
    let text = String::from_utf8(decoded).map_err(|_| malformed())?;
    let (user, token) = text.split_once(':').ok_or_else(malformed)?;
    Ok(Credential::Basic { user: user.to_owned(), token: token.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access() -> Access {
        let hash =
            Sha256::digest("secret").iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        Access::Tokens(vec![Analyst::new("ada", &hash).unwrap()])
    }

    fn header(value: &str) -> Credential {
        let mut headers = MetadataMap::new();
        headers.insert("authorization", value.parse().unwrap());
        credential(&headers).unwrap()
    }

    #[test]
    fn tokens_and_both_spellings_of_basic_are_taken() {
        assert_eq!(access().principal(&header("Bearer secret")).unwrap(), "ada");
        // "ada:secret", padded and not
        assert_eq!(access().principal(&header("Basic YWRhOnNlY3JldA==")).unwrap(), "ada");
        assert_eq!(access().principal(&header("Basic YWRhOnNlY3JldA")).unwrap(), "ada");
    }

    #[test]
    fn others_are_not() {
        assert!(access().principal(&header("Bearer guess")).is_err());
        assert!(access().principal(&Credential::None).is_err());
        // "bob:secret"
        assert!(access().principal(&header("Basic Ym9iOnNlY3JldA==")).is_err());
    }
}
