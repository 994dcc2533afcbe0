//! Every form in which a planted value could travel, and the search for all of them at once.

use std::collections::HashMap;

use harness::data::canary::{Canary, Value};

use super::huffman;

/// Bytes that a search begins with; no needle is shorter.
const PREFIX: usize = 5;

/// What is looked for.
pub(crate) struct Needles {
    /// by the first bytes
    by_prefix: HashMap<[u8; PREFIX], Vec<Needle>>,
    count: usize,
}

struct Needle {
    name: String,
    bytes: Vec<u8>,
}

impl Needles {
    /// Every form of these values.
    pub(crate) fn of(canaries: &[Canary]) -> Self {
        let mut needles = Self { by_prefix: HashMap::new(), count: 0 };
        for canary in canaries {
            let name = format!("{}.{} of {}", canary.dataset, canary.column, canary.node);
            for (form, bytes) in forms(&canary.value) {
                needles.add(format!("{name} as {form}"), bytes);
            }
        }
        needles
    }

    fn add(&mut self, name: String, bytes: Vec<u8>) {
        let prefix = bytes.first_chunk().unwrap_or_else(|| panic!("{name} is too short to look for"));
        self.count += 1;
        self.by_prefix.entry(*prefix).or_default().push(Needle { name, bytes });
    }

    /// How many forms are looked for.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// What is found, once each.
    pub(crate) fn found_in(&self, haystack: &[u8]) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        for (at, window) in haystack.windows(PREFIX).enumerate() {
            let Some(candidates) = window.first_chunk().and_then(|prefix| self.by_prefix.get(prefix)) else {
                continue;
            };
            let here = candidates.iter().filter(|needle| haystack[at..].starts_with(&needle.bytes));
            found.extend(here.map(|needle| needle.name.as_str()));
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

fn forms(value: &Value) -> Vec<(&'static str, Vec<u8>)> {
    match value {
        Value::Text(text) => texts(text),
        Value::Double(double) => {
            let mut forms = texts(&double.to_string());
            forms.push(("little-endian double", double.to_le_bytes().to_vec()));
            forms.push(("big-endian double", double.to_be_bytes().to_vec()));
            forms
        }
        Value::Long(long) => {
            let mut forms = texts(&long.to_string());
            forms.push(("little-endian bigint", long.to_le_bytes().to_vec()));
            forms.push(("big-endian bigint", long.to_be_bytes().to_vec()));
            #[expect(clippy::cast_precision_loss, reason = "the nearest double is what would travel")]
            forms.push(("double", (*long as f64).to_le_bytes().to_vec()));
            forms
        }
        Value::Decimal(unscaled) => {
            let mut forms = texts(&format!("{}.{:02}", unscaled / 100, unscaled % 100));
            forms.push(("little-endian decimal", unscaled.to_le_bytes().to_vec()));
            forms.push(("big-endian decimal", unscaled.to_be_bytes().to_vec()));
            forms
        }
    }
}

/// Dictionary values, JSON, Debug and Parquet statistics all spell a text in UTF-8.
fn texts(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let utf16 = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let mut forms = vec![
        ("text", text.as_bytes().to_vec()),
        ("UTF-16", utf16(u16::to_le_bytes)),
        ("big-endian UTF-16", utf16(u16::to_be_bytes)),
        ("base64", base64(text.as_bytes())),
    ];
    for (form, other) in [("lower case", text.to_lowercase()), ("upper case", text.to_uppercase())] {
        if other != text {
            forms.push((form, other.into_bytes()));
        }
    }
    for coded in huffman::coded(text).into_iter().filter(|coded| coded.len() >= PREFIX) {
        forms.push(("HTTP/2 header", coded));
    }
    forms
}

/// Without the last group, which depends on what follows.
fn base64(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = |group: &[u8]| {
        let bits = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        [18, 12, 6, 0].map(|shift| DIGITS[(bits >> shift & 63) as usize])
    };
    bytes.chunks_exact(3).flat_map(digits).collect()
}
