//! How lines hold together: each names the SHA-256 of the one before, and each is signed.
//!
//! A line is one JSON object; its last member, `signature`, is the Ed25519 signature of all bytes before `,"signature"`.

use std::fmt::Write as _;
use std::ops::Range;

use sha2::{Digest, Sha256};

use super::key::{Key, PublicKey};
use super::line::{Line, Outcome};

const BEFORE: &str = ",\"signature\":\"";
const AFTER: &str = "\"}";
/// Characters of a signature: 64 bytes in base64.
const SIGNATURE: usize = 88;
const TAIL: usize = BEFORE.len() + SIGNATURE + AFTER.len();

/// SHA-256 in hexadecimal.
pub(super) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        // Infallible: writing to a String.
        _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// A JSON object with its signature, without the end of the line.
pub(super) fn signed(object: &impl serde::Serialize, key: &Key) -> serde_json::Result<String> {
    let mut text = serde_json::to_string(object)?;
    text.pop();
    let signature = key.sign(text.as_bytes());
    Ok(text + BEFORE + &signature + AFTER)
}

/// Whether a line ends in this key's signature of what is before it.
pub(super) fn is_signed(line: &[u8], key: &PublicKey) -> bool {
    let Some((body, tail)) = line.len().checked_sub(TAIL).and_then(|at| line.split_at_checked(at)) else {
        return false;
    };
    let signature = tail.strip_prefix(BEFORE.as_bytes()).and_then(|tail| tail.strip_suffix(AFTER.as_bytes()));
    signature.is_some_and(|signature| key.verifies(body, signature))
}

/// A line where it stands in a file.
#[derive(Debug)]
pub(super) struct Placed {
    /// of the file, from 1
    pub(super) number: usize,
    /// its bytes in the file, without the end of the line
    pub(super) span: Range<usize>,
    /// whether it has an end
    pub(super) whole: bool,
    /// what it says, if it is a line of this log
    pub(super) line: Option<Line>,
}

/// The lines of a file, but for those that a `torn` line says were cut off. `trusted` says which signatures are believed
/// without a look, which spares the time; those of `torn` lines never are.
pub(super) fn lines(bytes: &[u8], key: &PublicKey, trusted: bool) -> Vec<Placed> {
    let mut found: Vec<Placed> = Vec::new();
    let mut at = 0;
    for (number, text) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
        let body = text.strip_suffix(b"\n").unwrap_or(text);
        let span = at..at + body.len();
        let parsed: Option<Line> = serde_json::from_slice(body).ok();
        let line = parsed.filter(|line| {
            (trusted && line.outcome != Outcome::Torn && line.seq > 0) || is_signed(body, key)
        });
        if let Some(torn) = line.as_ref().and_then(|line| line.torn.as_ref()) {
            let from = usize::try_from(torn.bytes).ok().and_then(|length| at.checked_sub(length));
            let cut = from.and_then(|from| bytes.get(from..at)).map(digest);
            if let (Some(from), true) = (from, cut.as_ref() == Some(&torn.digest)) {
                found.retain(|placed| placed.span.start < from);
            }
        }
        found.push(Placed { number, span, whole: body.len() < text.len(), line });
        at += text.len();
    }
    found
}
