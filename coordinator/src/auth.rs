//! Who asks: a bearer token from a file of analysts, a password, an identity provider's token, a client's certificate, or anybody
//! on this machine where the configuration says so by name.
//!
//! * `users` – passwords, and the tokens that signing in with one gives
//! * `certificate` – the name in a client's certificate
//!
//! All of it is for the coordinator's own order: a node does not take its word for it.

pub(crate) mod certificate;
pub(crate) mod users;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use jigsaw_proto::identity::{ASSERTION_HEADER, Assertion, Issuer, Jws, Unproved, is_name, unix_seconds};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};
use tonic::{Request, Status};

use users::Users;

/// How far the clocks of an identity provider and this machine may be apart, in seconds.
const SKEW: u64 = 30;

/// Who may ask.
#[derive(Debug, Default)]
pub(crate) struct Access {
    /// anybody, without a sign
    pub(crate) anonymous: bool,
    pub(crate) analysts: Vec<Analyst>,
    pub(crate) users: Option<Users>,
    pub(crate) issuers: Vec<Issuer>,
    /// whether a client's certificate, which the transport has verified, is a sign
    pub(crate) certificates: bool,
    /// whether tokens of issuers are passed on to nodes
    pub(crate) forward_tokens: bool,
}

/// Whoever makes a call.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) principal: String,
    /// what proves it to nodes; empty: nothing
    pub(crate) proof: Assertion,
}

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
        if !is_name(name) {
            return Err("an analyst's name has 1 to 100 bytes and no control characters".to_owned());
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

/// What a call shows.
pub(crate) struct Signs {
    credential: Credential,
    /// of the client, DER, verified against the authority of analysts
    certificate: Option<Vec<u8>>,
}

impl Signs {
    /// What a request shows.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` for a header that nobody understands.
    pub(crate) fn of<T>(request: &Request<T>) -> Result<Self, Status> {
        let chain = request.peer_certs();
        let certificate = chain.as_ref().and_then(|chain| chain.first()).map(|der| der.to_vec());
        Ok(Self { credential: credential(request.metadata())?, certificate })
    }
}

/// What the header of a call says.
enum Credential {
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
    /// Whoever makes a call, by what it shows.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`, with what to do; nothing tells whether a name exists.
    pub(crate) async fn caller(&self, signs: &Signs) -> Result<Caller, Status> {
        if self.anonymous {
            return Ok(Caller::of("anonymous"));
        }
        match &signs.credential {
            Credential::Bearer(token) => self.bearer(token).await,
            Credential::Basic { user, token } => match self.analyst(token, Some(user)) {
                Some(caller) => Ok(caller),
                None if is_signed(token) && !self.issuers.is_empty() => {
                    let caller = self.holder(token).await?;
                    if caller.principal == *user { Ok(caller) } else { Err(unknown()) }
                }
                None => match &self.users {
                    Some(users) => users.verify(user, token).await.map(|()| Caller::of(user)),
                    None => Err(unknown()),
                },
            },
            Credential::None if self.certificates => {
                let certificate = signs.certificate.as_deref().ok_or_else(sign_in)?;
                certificate::name(certificate).map(|name| Caller::of(&name))
            }
            Credential::None => Err(sign_in()),
        }
    }

    async fn bearer(&self, token: &str) -> Result<Caller, Status> {
        if let Some(caller) = self.analyst(token, None) {
            return Ok(caller);
        }
        if let Some(name) = self.users.as_ref().and_then(|users| users.signed_in(token)) {
            return Ok(Caller::of(&name));
        }
        if is_token(token) && !self.issuers.is_empty() { self.holder(token).await } else { Err(unknown()) }
    }

    /// Whoever a token of the file is of. Every analyst is compared, whichever is found: the time says nothing about who exists.
    fn analyst(&self, token: &str, user: Option<&str>) -> Option<Caller> {
        let hash = Sha256::digest(token);
        let fits = |analyst: &Analyst| {
            bool::from(analyst.hash.ct_eq(hash.as_slice())) & user.is_none_or(|user| user == analyst.name)
        };
        let found = self
            .analysts
            .iter()
            .fold(None, |found, analyst| if fits(analyst) { Some(analyst) } else { found });
        found.map(|analyst| Caller::of(&analyst.name))
    }

    /// Whoever holds a token of an identity provider.
    async fn holder(&self, token: &str) -> Result<Caller, Status> {
        let unproved =
            |problem: Unproved| Status::unauthenticated(format!("the token is not taken: {problem}"));
        let jws = Jws::parse(token).map_err(unproved)?;
        let issuer = Issuer::of(&jws, &self.issuers).map_err(unproved)?;
        let holder = issuer.verify(&jws, unix_seconds(), SKEW).await.map_err(unproved)?;
        if holder.bound_to.is_some() {
            return Err(Status::unauthenticated(
                "the token is not taken: it is bound to a key, which is proved to nodes and not here; sign in with one that is not",
            ));
        }
        let proof = if self.forward_tokens { token.to_owned().into() } else { Assertion::default() };
        Ok(Caller { principal: holder.principal, proof })
    }

    /// What a caller who shook hands sends from then on; `None` where nothing needs to be sent.
    ///
    /// # Errors
    /// As [`Access::caller`].
    pub(crate) async fn handshake(&self, signs: &Signs) -> Result<Option<MetadataValue<Ascii>>, Status> {
        let Caller { principal, .. } = self.caller(signs).await?;
        let token = match (&signs.credential, &self.users) {
            (Credential::None, _) => return Ok(None),
            (Credential::Basic { user, token }, Some(users))
                if !is_signed(token) && self.analyst(token, Some(user)).is_none() =>
            {
                users.sign_in(&principal)?
            }
            (Credential::Bearer(token) | Credential::Basic { token, .. }, _) => token.clone(),
        };
        let header = format!("Bearer {token}").parse();
        header.map(Some).map_err(|_| Status::unauthenticated("the token has characters no header can carry"))
    }
}

impl Caller {
    fn of(name: &str) -> Self {
        Self { principal: name.to_owned(), proof: Assertion::default() }
    }

    /// What proves the caller of this very call to nodes: what the call brings, or else the token it is signed in with.
    pub(crate) fn proof<T>(request: &Request<T>) -> Assertion {
        let sent = request.metadata().get(ASSERTION_HEADER).and_then(|header| header.to_str().ok());
        match sent.map(str::trim).filter(|sent| !sent.is_empty()) {
            Some(sent) => sent.to_owned().into(),
            None => request.extensions().get::<Self>().map(|caller| caller.proof.clone()).unwrap_or_default(),
        }
    }
}

/// Whether a text has the form of an identity provider's token.
fn is_token(text: &str) -> bool {
    text.split('.').count() == 3
}

/// Whether a password is such a token: passwords may have any form.
fn is_signed(text: &str) -> bool {
    Jws::parse(text).is_ok()
}

fn sign_in() -> Status {
    Status::unauthenticated(
        "sign in first: send your token as 'Authorization: Bearer …', or as the password of your user name",
    )
}

/// The same for a wrong token, a wrong password and a name that does not exist.
fn unknown() -> Status {
    Status::unauthenticated("the token is not one of this coordinator's: check it, or ask for a new one")
}

/// Reads the `authorization` header; drivers pad Basic credentials or do not.
fn credential(headers: &MetadataMap) -> Result<Credential, Status> {
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
mod tests;
