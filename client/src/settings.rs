//! Flags and environment to a checked connection: where to, as whom, trusting what.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tonic::metadata::{Ascii, MetadataValue};
use url::{Host, Url};

use crate::cli::Connection;
use crate::failure::Failure;
use crate::identity::Identity;
use crate::surroundings::Surroundings;

const DEFAULT_SERVER: &str = "https://127.0.0.1:50050";

/// Where systems keep the certificates they trust.
const SYSTEM_CA: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// A connection that may be made. Not `Debug`: it holds the token.
pub(crate) struct Settings {
    pub(crate) server: Url,
    /// `Bearer …`; none for a server open to anybody on this machine.
    pub(crate) authorization: Option<MetadataValue<Ascii>>,
    /// What proves to nodes who asks.
    pub(crate) proof: Proof,
    /// PEM; none for a plaintext connection.
    pub(crate) ca: Option<Vec<u8>>,
}

/// What proves to nodes who asks.
#[derive(Clone)]
pub(crate) enum Proof {
    /// Nothing.
    None,
    /// A token that is passed on.
    Token(MetadataValue<Ascii>),
    /// The analyst's own key.
    Key(Arc<Identity>),
}

/// Checks flags and environment; flags win.
pub(crate) fn resolve(flags: &Connection, around: &Surroundings<'_>) -> Result<Settings, Failure> {
    let server = flags.server.clone().or_else(|| around.set("JIGSAW_SERVER"));
    let server = server_url(server.as_deref().unwrap_or(DEFAULT_SERVER))?;
    let ca = match server.scheme() {
        "https" => {
            Some(certificates(flags.ca.clone().or_else(|| around.set("JIGSAW_CA").map(PathBuf::from)))?)
        }
        _ => None,
    };
    let token = match (&flags.token_file, around.set("JIGSAW_TOKEN"), around.set("JIGSAW_TOKEN_FILE")) {
        (Some(file), _, _) => Some(read_token(file)?),
        (None, Some(token), _) => Some(token),
        (None, None, Some(file)) => Some(read_token(Path::new(&file))?),
        (None, None, None) => None,
    };
    let authorization = token.map(|token| bearer(&token)).transpose()?;
    let proof = proof(flags, around)?;
    Ok(Settings { server, authorization, proof, ca })
}

fn proof(flags: &Connection, around: &Surroundings<'_>) -> Result<Proof, Failure> {
    let named = |name| around.set(name).map(PathBuf::from);
    let identity = flags.identity.clone().or_else(|| match flags.assertion_file {
        Some(_) => None,
        None => named("JIGSAW_IDENTITY"),
    });
    if let Some(file) = identity {
        return Ok(Proof::Key(Arc::new(Identity::load(&file)?)));
    }
    let Some(file) = flags.assertion_file.clone().or_else(|| named("JIGSAW_ASSERTION_FILE")) else {
        return Ok(Proof::None);
    };
    let token = read_token(&file)?;
    let mut value = MetadataValue::try_from(token.trim())
        .map_err(|_| Failure::usage("the token for nodes holds characters no token has"))?;
    value.set_sensitive(true);
    Ok(Proof::Token(value))
}

fn server_url(text: &str) -> Result<Url, Failure> {
    let wrong =
        |why: &str| Failure::usage(format!("the server address {text:?} {why}, such as {DEFAULT_SERVER}"));
    let url = Url::parse(text).map_err(|_| wrong("is not an address"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Failure::usage(
            "the server address holds a password: put the token in JIGSAW_TOKEN instead",
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

fn certificates(named: Option<PathBuf>) -> Result<Vec<u8>, Failure> {
    let file = named.or_else(|| SYSTEM_CA.iter().map(PathBuf::from).find(|path| path.is_file()));
    let Some(file) = file else {
        return Err(Failure::usage(
            "no certificates to trust were found: name a PEM file with --ca or JIGSAW_CA",
        ));
    };
    fs::read(&file).map_err(|error| {
        Failure::usage(format!("cannot read the certificates in {}: {error}", file.display()))
    })
}

fn read_token(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("cannot read the token in {}: {error}", file.display())))
}

fn bearer(token: &str) -> Result<MetadataValue<Ascii>, Failure> {
    let token = token.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Failure::usage("the token is empty or holds characters no token has"));
    }
    let mut value = MetadataValue::try_from(format!("Bearer {token}"))
        .map_err(|_| Failure::usage("the token holds characters no token has"))?;
    value.set_sensitive(true);
    Ok(value)
}
