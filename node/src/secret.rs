//! The node's own secret: what tells entities apart without naming them.
//!
//! An entity's *key* is SipHash-2-4 of its text under the secret (Aumasson, Bernstein 2012: a pseudorandom function): stable
//! from day to day, so that released cells can be compared with later ones, and of no use to anybody without the secret. Its
//! *record key* for cell-key perturbation is HMAC-SHA256 of that key under another part of the secret.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::hash::Hasher;
use std::io::{self, Read, Write};
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use siphasher::sip::SipHasher24;

const BYTES: usize = 48;

/// 384 bits from the operating system, made once and kept in a file that only the service can read.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Secret {
    entity: [u8; 16],
    record: [u8; 32],
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// A new one, kept nowhere.
    #[cfg(test)]
    pub(crate) fn fresh() -> io::Result<Self> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        Ok(Self::from(bytes))
    }

    /// Reads the file; makes it if there is none.
    ///
    /// # Errors
    /// A file that cannot be read or made, or is not 48 bytes long.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut bytes = [0; BYTES];
        match File::open(path) {
            Ok(mut file) => {
                file.read_exact(&mut bytes)?;
                Ok(Self::from(bytes))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                getrandom::fill(&mut bytes).map_err(io::Error::other)?;
                let mut options = OpenOptions::new();
                options.write(true).create_new(true);
                #[cfg(unix)]
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
                let mut file = options.open(path)?;
                file.write_all(&bytes)?;
                file.sync_all()?;
                Ok(Self::from(bytes))
            }
            Err(error) => Err(error),
        }
    }

    /// The key of an entity.
    pub(crate) fn entity_key(&self, entity: &[u8]) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.entity);
        hasher.write(entity);
        hasher.finish()
    }

    /// The record key of an entity's key, in `0..modulus`.
    pub(crate) fn record_key(&self, entity_key: u64, modulus: u32) -> u32 {
        // Infallible: HMAC takes keys of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.record) else { return 0 };
        mac.update(&entity_key.to_le_bytes());
        let tag = mac.finalize().into_bytes();
        let number = tag.iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        u32::try_from(number % u64::from(modulus.max(1))).unwrap_or(0)
    }
}

impl From<[u8; BYTES]> for Secret {
    fn from(bytes: [u8; BYTES]) -> Self {
        let (mut entity, mut record) = ([0; 16], [0; 32]);
        for (to, from) in entity.iter_mut().chain(&mut record).zip(bytes) {
            *to = from;
        }
        Self { entity, record }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_outlives_the_process_and_is_nobody_elses() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        let made = Secret::open(&path).unwrap();
        assert_eq!(made, Secret::open(&path).unwrap());
        assert_ne!(made.entity_key(b"ada"), Secret::fresh().unwrap().entity_key(b"ada"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        std::fs::write(&path, "short").unwrap();
        assert!(Secret::open(&path).is_err());
    }

    #[test]
    fn record_keys_fill_their_range_evenly() {
        let secret = Secret::from([7; BYTES]);
        let mut counts = [0_u32; 16];
        for entity in 0..16_000_u64 {
            counts[usize::try_from(secret.record_key(entity, 16)).unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| (800..1200).contains(count)), "{counts:?}");
    }
}
