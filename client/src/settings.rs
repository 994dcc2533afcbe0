//! Flags, environment and profile to a checked connection: where to, as whom, trusting what.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use tonic::metadata::{Ascii, MetadataValue};
use url::{Host, Url};

use crate::cli::Connection;
use crate::credentials::{self, Credentials, read_token};
use crate::failure::Failure;
use crate::identity::{Identity, is_bound};
use crate::profiles::{self, Profile};
use crate::surroundings::Surroundings;

const DEFAULT_SERVER: &str = "https://127.0.0.1:50050";

/// Where systems keep the certificates they trust.
const SYSTEM_CA: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// A connection that may be made. Not `Debug`: it holds secrets.
pub(crate) struct Settings {
    pub(crate) server: Url,
    /// What shows the coordinator who asks; nothing for a server open to anybody on this machine.
    pub(crate) credentials: Credentials,
    /// What proves to nodes who asks.
    pub(crate) proof: Proof,
    /// PEM; none for a plaintext connection.
    pub(crate) ca: Option<Vec<u8>>,
    /// What the certificates were read from.
    pub(crate) ca_file: Option<PathBuf>,
    /// The profile's name, if one was used.
    pub(crate) profile: Option<String>,
    /// Why the profile's user asks.
    pub(crate) purpose: Option<String>,
}

/// What proves to nodes who asks.
#[derive(Clone)]
pub(crate) enum Proof {
    /// Nothing.
    None,
    /// A token that is passed on.
    Token(MetadataValue<Ascii>),
    /// The analyst's own key, and a token that is bound to it.
    Key(Arc<Identity>, Option<String>),
}

/// What flags, environment and profile say, before a file is read. Not `Debug`: it may hold secrets.
pub(crate) struct Named {
    pub(crate) server: Url,
    pub(crate) shown: credentials::Named,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) profile: Option<String>,
    pub(crate) purpose: Option<String>,
}

/// Checks flags, environment and profile, in this order of weight.
pub(crate) fn resolve(flags: &Connection, around: &Surroundings<'_>) -> Result<Settings, Failure> {
    let (name, profile) = profiles::chosen(flags.profile.as_deref(), around)?.unzip();
    let settings = open(Named { profile: name, ..named(flags, profile.unwrap_or_default(), around)? })?;
    Ok(Settings { proof: proof(flags, around)?, ..settings })
}

/// Who says what: a flag before the environment, the environment before the profile.
pub(crate) fn named(
    flags: &Connection,
    profile: Profile,
    around: &Surroundings<'_>,
) -> Result<Named, Failure> {
    let own = profile.server.as_deref().map(server_url).transpose()?;
    let server = match flags.server.clone().or_else(|| around.set("JIGSAW_SERVER")) {
        Some(text) => server_url(&text)?,
        None => own.clone().map_or_else(|| server_url(DEFAULT_SERVER), Ok)?,
    };
    // What a profile has is for its own server and for no other.
    let profile = if own.is_some_and(|own| own == server) { profile } else { Profile::default() };
    let (ca, purpose) = (profile.ca.clone(), profile.purpose.clone());
    let ca = flags.ca.clone().or_else(|| around.set("JIGSAW_CA").map(PathBuf::from)).or(ca);
    let shown = credentials::named(flags, profile, around)?;
    Ok(Named { server, shown, ca, profile: None, purpose })
}

/// Reads what is named.
pub(crate) fn open(named: Named) -> Result<Settings, Failure> {
    let Named { server, shown, ca, profile, purpose } = named;
    let credentials = credentials::open(shown)?;
    let (ca_file, ca) = match server.scheme() {
        "https" => {
            let (file, text) = certificates(ca)?;
            (Some(file), Some(text))
        }
        _ if credentials.certificate.is_some() => {
            return Err(Failure::usage(format!(
                "a client certificate is shown over TLS only, and {server} is without: use https"
            )));
        }
        _ => (None, None),
    };
    Ok(Settings { server, credentials, proof: Proof::None, ca, ca_file, profile, purpose })
}

fn proof(flags: &Connection, around: &Surroundings<'_>) -> Result<Proof, Failure> {
    let named = |name| around.set(name).map(PathBuf::from);
    let identity = flags.identity.clone().or_else(|| named("JIGSAW_IDENTITY"));
    let token = flags.assertion_file.clone().or_else(|| named("JIGSAW_ASSERTION_FILE"));
    let token = token.map(|file| read_token(&file)).transpose()?.map(|token| token.trim().to_owned());
    let identity = identity.map(|file| Identity::load(&file).map(Arc::new)).transpose()?;
    // What is said by a flag goes before what the environment says.
    let passed_on = flags.identity.is_none() && flags.assertion_file.is_some();
    match (identity, token) {
        (None, None) => Ok(Proof::None),
        (Some(identity), Some(token)) if is_bound(&token) => Ok(Proof::Key(identity, Some(token))),
        (None, Some(token)) if is_bound(&token) => {
            Err(Failure::usage("the token for nodes is bound to a key: name the key's file with --identity"))
        }
        (Some(_), Some(_)) if flags.identity.is_some() && flags.assertion_file.is_some() => {
            Err(Failure::usage(
                "the token for nodes is bound to no key, so there is nothing to sign with it: leave out --identity or --assertion-file",
            ))
        }
        (Some(_), Some(token)) if passed_on => mute(&token).map(Proof::Token),
        (Some(identity), _) => Ok(Proof::Key(identity, None)),
        (None, Some(token)) => mute(&token).map(Proof::Token),
    }
}

/// The analyst's own key.
pub(crate) fn identity(flags: &Connection, around: &Surroundings<'_>) -> Result<Identity, Failure> {
    let file = flags.identity.clone().or_else(|| around.set("JIGSAW_IDENTITY").map(PathBuf::from));
    let none = || Failure::usage("no key: name its file with --identity, or make one with 'jigsaw identity'");
    Identity::load(&file.ok_or_else(none)?)
}

/// A header's value that is shown nowhere.
fn mute(token: &str) -> Result<MetadataValue<Ascii>, Failure> {
    let mut value = MetadataValue::try_from(token)
        .map_err(|_| Failure::usage("the token for nodes holds characters no token has"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn server_url(text: &str) -> Result<Url, Failure> {
    let wrong =
        |why: &str| Failure::usage(format!("the server address {text:?} {why}, such as {DEFAULT_SERVER}"));
    let url = Url::parse(text).map_err(|_| wrong("is not an address"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Failure::usage(
            "the server address holds a password: put it in the file of --password-file instead, or the token in that of --token-file",
        ));
    }
    let loopback = match url.host() {
        None => return Err(wrong("names no host")),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if loopback => Ok(url),
        "http" => Err(wrong("is not encrypted, which is allowed only to this machine: use https")),
        _ => Err(wrong("must begin with https://")),
    }
}

fn certificates(named: Option<PathBuf>) -> Result<(PathBuf, Vec<u8>), Failure> {
    let file = named.or_else(|| SYSTEM_CA.iter().map(PathBuf::from).find(|path| path.is_file()));
    let Some(file) = file else {
        return Err(Failure::usage(
            "no certificates to trust were found: name a PEM file with --ca or JIGSAW_CA",
        ));
    };
    let text = fs::read(&file).map_err(|error| {
        Failure::usage(format!("cannot read the certificates in {}: {error}", file.display()))
    })?;
    Ok((file, text))
}
