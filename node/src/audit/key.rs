//! The key that signs the log: Ed25519 (RFC 8032), PKCS#8 in PEM, readable by the service alone.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

/// What stands before the 32 bytes of an Ed25519 key in a `SubjectPublicKeyInfo` (RFC 8410, section 4).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// The private half.
pub(super) struct Key(Ed25519KeyPair);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// Reads a key that only its owner may read.
    pub(super) fn load(path: &Path) -> io::Result<Self> {
        let mode = fs::metadata(path)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(wrong(format!("the key {0} can be read by others: chmod 600 {0}", path.display())));
        }
        let pair = unarmoured(&fs::read_to_string(path)?, "PRIVATE KEY")
            .and_then(|der| Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).ok());
        pair.map(Self)
            .ok_or_else(|| wrong(format!("{} is no Ed25519 private key in PEM (PKCS#8)", path.display())))
    }

    /// Makes a key. It is used for `first` before it is at its place: where the key is, `first` was done.
    pub(super) fn create(path: &Path, first: impl FnOnce(&Self) -> io::Result<()>) -> io::Result<Self> {
        let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .map_err(|_| io::Error::other("the system gives no random numbers for a key"))?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut new = path.to_owned().into_os_string();
        new.push(".new");
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(armoured(der.as_ref(), "PRIVATE KEY").as_bytes())?;
        file.sync_all()?;
        let key = Self::load(new.as_ref())?;
        first(&key)?;
        fs::rename(&new, path)?;
        super::files::sync_folder(path)?;
        Ok(key)
    }

    /// The half that verifies.
    pub(super) fn public(&self) -> PublicKey {
        PublicKey(self.0.public_key().as_ref().to_vec())
    }

    /// Signature of these bytes, base64: 88 characters.
    pub(super) fn sign(&self, bytes: &[u8]) -> String {
        STANDARD.encode(self.0.sign(bytes))
    }
}

/// What anybody may have who wants to verify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicKey(Vec<u8>);

impl PublicKey {
    /// Reads a public key, or the public half of a private one.
    pub(crate) fn load(path: &Path) -> io::Result<Self> {
        let text = fs::read_to_string(path)?;
        match unarmoured(&text, "PUBLIC KEY").as_deref().and_then(|der| der.strip_prefix(&SPKI)) {
            Some(bytes) if bytes.len() == 32 => Ok(Self(bytes.to_vec())),
            _ => Key::load(path).map(|key| key.public()),
        }
    }

    /// As PEM, for `openssl` and for whoever keeps it elsewhere.
    pub(crate) fn pem(&self) -> String {
        armoured(&[&SPKI, self.0.as_slice()].concat(), "PUBLIC KEY")
    }

    pub(super) fn verifies(&self, bytes: &[u8], signature: &[u8]) -> bool {
        let signature = STANDARD.decode(signature);
        signature.is_ok_and(|it| UnparsedPublicKey::new(&ED25519, &self.0).verify(bytes, &it).is_ok())
    }
}

fn armoured(der: &[u8], label: &str) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    for chunk in STANDARD.encode(der).as_bytes().chunks(64) {
        text.extend(chunk.iter().map(|byte| char::from(*byte)));
        text.push('\n');
    }
    text + &format!("-----END {label}-----\n")
}

fn unarmoured(text: &str, label: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    STANDARD.decode(body.split_whitespace().collect::<String>()).ok()
}

fn wrong(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}
