//! What `[identity]` means.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jigsaw_proto::identity::statement::Terms;
use jigsaw_proto::identity::{Issuer, Key, is_name};

use crate::authorise::{Analyst, IdentitySettings};
use crate::config::{AnalystWords, BindingWord, IdentityWords};

/// Most that clocks may be apart: for so much longer whatever has ended is still good.
const MOST_SKEW: u64 = 300;

/// Longest that a statement may be good.
const LONGEST: u64 = 3600;

/// Checks the words. Paths in them are relative to `folder`.
pub(super) fn settings(words: IdentityWords, folder: &Path) -> Result<IdentitySettings, String> {
    let wrong = |problem: &str| format!("[identity]: {problem}");
    let IdentityWords {
        audience,
        binding,
        stated_purpose,
        bearer_tokens,
        clock_skew_seconds: skew,
        max_statement_seconds,
        max_uses,
        issuers,
        analysts,
    } = words;
    if audience.trim().is_empty() {
        return Err(wrong("audience is empty: write the name of the federation"));
    }
    if skew > MOST_SKEW {
        return Err(wrong(&format!("clock_skew_seconds is not 0 to {MOST_SKEW}")));
    }
    if !(1..=LONGEST).contains(&max_statement_seconds) {
        return Err(wrong(&format!("max_statement_seconds is not 1 to {LONGEST}")));
    }
    if issuers.is_empty() && analysts.is_empty() {
        return Err(wrong(
            "it lists nobody, so nobody would be served: write [[identity.analyst]] or [[identity.issuer]]",
        ));
    }
    let issuers =
        issuers.into_iter().map(|words| Issuer::new(words, folder).map_err(|problem| wrong(&problem)));
    let issuers: Vec<Issuer> = issuers.collect::<Result<_, _>>()?;
    let urls: BTreeSet<&str> = issuers.iter().map(Issuer::url).collect();
    let prefixes: BTreeSet<&str> = issuers.iter().map(Issuer::prefix).collect();
    if urls.len() < issuers.len() || prefixes.len() < issuers.len() {
        return Err(wrong("two issuers name people alike: give each a url and a prefix of its own"));
    }
    Ok(IdentitySettings {
        terms: Terms { audience, most_seconds: max_statement_seconds, skew },
        fragments_only: binding == BindingWord::Fragment,
        most_uses: max_uses,
        stated_purpose,
        bearer_tokens,
        issuers,
        analysts: pinned(analysts).map_err(|problem| wrong(&problem))?,
    })
}

fn pinned(words: Vec<AnalystWords>) -> Result<BTreeMap<String, Analyst>, String> {
    let mut analysts = BTreeMap::new();
    for AnalystWords { name, public_key, groups } in words {
        if !is_name(&name) {
            return Err(format!("{name:?} is no name of an analyst: 1 to 100 bytes, not \"*\""));
        }
        let key = Key::ed25519(&public_key);
        let key =
            key.ok_or_else(|| format!("analyst {name}: public_key is not 32 bytes in base64 (Ed25519)"))?;
        let taken = || format!("analyst {name}: another has the same key: each signs for one person");
        if analysts.values().any(|known: &Analyst| known.key == key) {
            return Err(taken());
        }
        if analysts.insert(name.clone(), Analyst { key, groups }).is_some() {
            return Err(format!("analyst {name} is listed twice: one [[identity.analyst]] each"));
        }
    }
    Ok(analysts)
}
