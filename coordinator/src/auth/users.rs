//! Passwords: a file of users with Argon2id hashes (RFC 9106), and the tokens that signing in with one gives.
//!
//! A token is 256 random bits, is known to this process alone and good for some hours. Guessing is slow: so many attempts a minute
//! for each name, and no more than two at once.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jigsaw_proto::identity::is_name;
use jigsaw_proto::pace::{Limits, Pace};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tonic::Status;

/// How long signing in lasts.
const SIGNED_IN: Duration = Duration::from_hours(8);

/// Attempts for one name in a minute.
const ATTEMPTS: Limits = Limits { requests_per_minute: Some(10), concurrent: None };

/// Attempts at once: each takes 19 MiB and a core for a while.
const AT_ONCE: usize = 2;

/// Most sign-ins that are remembered.
const MOST: usize = 10_000;

/// Shortest password, in characters.
pub(crate) const SHORTEST: usize = 12;

/// The users of a file.
pub(crate) struct Users {
    hashes: Arc<BTreeMap<String, String>>,
    /// compared where there is no such user, so that the time says nothing about who exists
    nobody: String,
    attempts: Pace,
    turns: Arc<Semaphore>,
    /// by the SHA-256 of the token: who, and until when
    signed_in: Mutex<HashMap<[u8; 32], (String, Instant)>>,
}

/// Mute: a hash can be guessed at.
impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Users({})", self.hashes.len())
    }
}

/// The hash of a password, in the form of a file of users.
///
/// # Errors
/// A password that is too short, or a system without randomness.
pub(crate) fn hash(password: &str) -> Result<String, String> {
    if password.chars().count() < SHORTEST {
        return Err(format!("the password is shorter than {SHORTEST} characters: take a longer one"));
    }
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string()).map_err(|error| format!("the password cannot be hashed: {error}"))
}

/// 256 random bits as text.
///
/// # Errors
/// A system without randomness.
pub(crate) fn random() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

impl Users {
    /// Checks names and hashes.
    ///
    /// # Errors
    /// One sentence about the first that is wrong; it repeats no hash.
    pub(crate) fn new(listed: Vec<(String, String)>) -> Result<Self, String> {
        let mut hashes = BTreeMap::new();
        for (name, hash) in listed {
            if !is_name(&name) {
                return Err("a user's name has 1 to 100 bytes and no control characters".to_owned());
            }
            let known = PasswordHash::new(&hash).is_ok_and(|hash| hash.algorithm.as_str() == "argon2id");
            if !known {
                let remedy = "'jigsaw-coordinator user add' writes one";
                return Err(format!("user {name}: password is no Argon2id hash: {remedy}"));
            }
            if hashes.insert(name.clone(), hash).is_some() {
                return Err(format!("user {name} is listed twice: one [[user]] each"));
            }
        }
        let unused = random().map_err(|error| error.to_string())?;
        Ok(Self {
            hashes: Arc::new(hashes),
            nobody: hash(&unused)?,
            attempts: Pace::new(ATTEMPTS),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            signed_in: Mutex::default(),
        })
    }

    /// Whether a password is a user's.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if it is not, or there is no such user; `UNAVAILABLE` after too many attempts.
    pub(super) async fn verify(&self, user: &str, password: &str) -> Result<(), Status> {
        let known = self.hashes.get(user);
        // Names that do not exist share one pace, so that made-up ones cost no memory.
        let paced = if known.is_some() { user } else { "" };
        let too_many = |limit| Status::unavailable(format!("too many attempts to sign in: {limit}"));
        let _room = self.attempts.enter(paced).map_err(too_many)?;
        let wrong = || Status::unauthenticated("user name or password is wrong");
        let _turn = self.turns.acquire().await.map_err(|_| wrong())?;
        let (hash, password) = (known.unwrap_or(&self.nobody).clone(), password.to_owned());
        let verified = tokio::task::spawn_blocking(move || {
            let hash = PasswordHash::new(&hash).ok()?;
            Argon2::default().verify_password(password.as_bytes(), &hash).ok()
        });
        let verified = verified.await.ok().flatten();
        if known.is_some() && verified.is_some() { Ok(()) } else { Err(wrong()) }
    }

    /// A token for somebody who has shown a password.
    pub(super) fn sign_in(&self, user: &str) -> Result<String, Status> {
        let token = random().map_err(|_| Status::internal("there is no source of randomness"))?;
        let mut held = self.signed_in.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        held.retain(|_, (_, until)| *until > now);
        if held.len() >= MOST {
            return Err(Status::unavailable("too many have signed in: try again in an hour"));
        }
        held.insert(Sha256::digest(&token).into(), (user.to_owned(), now + SIGNED_IN));
        Ok(token)
    }

    /// Who holds a token of signing in.
    pub(super) fn signed_in(&self, token: &str) -> Option<String> {
        let held = self.signed_in.lock().unwrap_or_else(PoisonError::into_inner);
        let (user, until) = held.get::<[u8; 32]>(&Sha256::digest(token).into())?;
        (*until > Instant::now()).then(|| user.clone())
    }
}
