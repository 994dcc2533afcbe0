//! Profiles: connections by name, in a file that its owner alone can read.
//!
//! A profile's secrets and certificates are for the profile's own server. They are not used when flags or environment name
//! another one: a token that is sent to the wrong server is a stolen token.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::surroundings::Surroundings;

/// The profile that is used when none is named, if there is one.
pub(crate) const DEFAULT: &str = "default";

/// One connection. Not `Debug`: it may hold secrets.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) certificate: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) purpose: Option<String>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Profiles {
    #[serde(default)]
    profile: BTreeMap<String, Profile>,
}

/// The profile to use, and its name: the flag's, `JIGSAW_PROFILE`'s, or the one called `default` if there is one.
pub(crate) fn chosen(
    flag: Option<&str>,
    around: &Surroundings<'_>,
) -> Result<Option<(String, Profile)>, Failure> {
    let named = flag.map(str::to_owned).or_else(|| around.set("JIGSAW_PROFILE"));
    let file = file(around);
    let mut known = match &file {
        Some(file) => read(file)?.profile,
        None => BTreeMap::new(),
    };
    let name = named.as_deref().unwrap_or(DEFAULT);
    match (known.remove(name), file) {
        (Some(profile), Some(file)) => Ok(Some((name.to_owned(), beside(profile, &file, around)))),
        _ if named.is_none() => Ok(None),
        _ => Err(Failure::usage(format!(
            "there is no profile {name:?}{}: save one with `jigsaw connect {name}`",
            known_names(known.keys())
        ))),
    }
}

/// Writes a profile under its name, in place of what was there; gives the file.
pub(crate) fn save(name: &str, profile: Profile, around: &Surroundings<'_>) -> Result<PathBuf, Failure> {
    let Some(file) = file(around) else {
        return Err(Failure::usage("there is no place for profiles: set HOME or XDG_CONFIG_HOME"));
    };
    let mut profiles = read(&file)?;
    profiles.profile.insert(name.to_owned(), profile);
    let text = toml::to_string(&profiles)
        .map_err(|_| Failure::failed("the profile holds something that a file cannot hold"))?;
    let wrong = |error: std::io::Error| Failure::usage(format!("cannot write {}: {error}", file.display()));
    let folder = file.parent().unwrap_or_else(|| Path::new("."));
    private_folder(folder).map_err(wrong)?;
    // A temporary file is readable by its owner only, and stays so under its new name.
    let mut beside = tempfile::NamedTempFile::with_prefix_in(".profiles-", folder).map_err(wrong)?;
    beside.write_all(text.as_bytes()).map_err(wrong)?;
    beside.as_file().sync_all().map_err(wrong)?;
    beside.persist(&file).map_err(|error| wrong(error.error))?;
    Ok(file)
}

/// A name that is easy to type and to quote.
pub(crate) fn check_name(name: &str) -> Result<(), Failure> {
    let fits = (1..=64).contains(&name.len());
    if fits && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
        return Ok(());
    }
    Err(Failure::usage(format!("{name:?} cannot name a profile: use letters, digits, - and _, at most 64")))
}

/// A folder of the XDG base directories for this command: what `variable` names, or `default` below the home.
pub(crate) fn folder(variable: &str, default: &str, around: &Surroundings<'_>) -> Option<PathBuf> {
    let absolute = |text: String| Some(PathBuf::from(text)).filter(|path| path.is_absolute());
    let base = around.set(variable).and_then(absolute);
    base.or_else(|| Some(absolute(around.set("HOME")?)?.join(default))).map(|base| base.join("jigsaw"))
}

/// Makes a folder that its owner alone can enter; one that is there stays as it is.
pub(crate) fn private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

fn file(around: &Surroundings<'_>) -> Option<PathBuf> {
    Some(folder("XDG_CONFIG_HOME", ".config", around)?.join("profiles.toml"))
}

fn read(file: &Path) -> Result<Profiles, Failure> {
    let wrong = |why: &dyn std::fmt::Display| {
        Failure::usage(format!("cannot use the profiles in {}: {why}", file.display()))
    };
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Profiles::default()),
        Err(error) => return Err(wrong(&error)),
    };
    let profiles: Profiles = toml::from_str(&text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        // The parser's other words may quote a value, and a value may be a token.
        let why = Some(error.message()).filter(|message| message.starts_with("unknown field"));
        let why = why.map(|message| format!(": {message}")).unwrap_or_default();
        wrong(&format!("line {} is not as it should be{why}", before.matches('\n').count() + 1))
    })?;
    for name in profiles.profile.keys() {
        check_name(name)?;
    }
    for (what, held) in [
        ("token", profiles.profile.values().any(|profile| profile.token.is_some())),
        ("password", profiles.profile.values().any(|profile| profile.password.is_some())),
    ] {
        if held && seen_by_others(file) {
            return Err(wrong(&format!(
                "it holds a {what} and others can read it: chmod 600, and have the {what} replaced"
            )));
        }
    }
    Ok(profiles)
}

/// Somebody other than its owner can read a file.
#[cfg(unix)]
pub(crate) fn seen_by_others(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(file).is_ok_and(|facts| facts.permissions().mode() & 0o077 != 0)
}

/// Other systems have no such bits: the folder of the user protects the file.
#[cfg(not(unix))]
pub(crate) fn seen_by_others(_: &Path) -> bool {
    false
}

/// Paths in the file are relative to it; `~/` is the home.
fn beside(profile: Profile, file: &Path, around: &Surroundings<'_>) -> Profile {
    let folder = file.parent().unwrap_or_else(|| Path::new("."));
    let home = around.set("HOME").map(PathBuf::from);
    let place = |path: PathBuf| match (path.strip_prefix("~"), &home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => folder.join(path),
    };
    let place = |named: Option<PathBuf>| named.map(place);
    Profile {
        token_file: place(profile.token_file),
        password_file: place(profile.password_file),
        certificate: place(profile.certificate),
        key: place(profile.key),
        ca: place(profile.ca),
        ..profile
    }
}

fn known_names<'n>(names: impl Iterator<Item = &'n String>) -> String {
    let names: Vec<&str> = names.map(String::as_str).collect();
    if names.is_empty() { String::new() } else { format!(" (there are {})", names.join(", ")) }
}
