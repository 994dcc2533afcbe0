//! What shows the coordinator who asks: a token, a user name with a password, or a client certificate.
//!
//! A secret comes from a file, from the environment, from a profile or from the keyboard, and never from an argument: everybody on a
//! machine can read those. Files of passwords and private keys that others can read are not used.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Identity;

use crate::cli::Connection;
use crate::failure::Failure;
use crate::profiles::{Profile, seen_by_others};
use crate::surroundings::{Surroundings, hear_interrupts, printable};

/// Where a secret is.
pub(crate) enum Secret {
    Itself(String),
    In(PathBuf),
}

/// Who asks, before a file is read. Not `Debug`: it may hold a secret.
pub(crate) enum Who {
    Token(Secret),
    User { name: String, password: Option<Secret> },
}

/// A certificate and its private key, PEM.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// What is to be shown, before a file is read.
#[derive(Default)]
pub(crate) struct Named {
    pub(crate) who: Option<Who>,
    pub(crate) pair: Option<Pair>,
}

/// What a connection shows. Not `Debug`: it holds secrets.
#[derive(Default)]
pub(crate) struct Credentials {
    pub(crate) header: Header,
    pub(crate) certificate: Option<Certificate>,
}

/// What the header of a request says.
#[derive(Clone, Default)]
pub(crate) enum Header {
    #[default]
    Nothing,
    /// `Bearer …`
    Bearer(MetadataValue<Ascii>),
    /// What is exchanged for a token before the first request.
    Password { user: String, password: Option<String> },
}

/// A certificate that is shown with its key.
pub(crate) struct Certificate {
    pub(crate) identity: Identity,
    pub(crate) file: PathBuf,
}

/// How somebody showed who asks, for the sentence that says it was not enough.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Shown {
    Nothing,
    #[default]
    Token,
    User(String),
    Certificate,
}

/// One place that may say who asks: flags, environment or profile.
#[derive(Default)]
struct Place {
    token: Option<Secret>,
    user: Option<String>,
    password: Option<Secret>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

/// Flags count before the environment, and the environment before the profile: the first that says who asks says it alone. A
/// password may stand in a later place than its user's name.
pub(crate) fn named(
    flags: &Connection,
    profile: Profile,
    around: &Surroundings<'_>,
) -> Result<Named, Failure> {
    let file = |file: &PathBuf| Secret::In(file.clone());
    let flags = Place {
        token: flags.token_file.as_ref().map(file),
        user: flags.user.clone(),
        password: flags.password_file.as_ref().map(file),
        certificate: flags.certificate.clone(),
        key: flags.key.clone(),
    };
    let set = |name: &str| around.set(name);
    let secret = |itself: Option<String>, file: Option<PathBuf>| {
        itself.map(Secret::Itself).or_else(|| file.map(Secret::In))
    };
    let environment = Place {
        token: secret(set("JIGSAW_TOKEN"), set("JIGSAW_TOKEN_FILE").map(PathBuf::from)),
        user: set("JIGSAW_USER"),
        password: secret(set("JIGSAW_PASSWORD"), set("JIGSAW_PASSWORD_FILE").map(PathBuf::from)),
        certificate: set("JIGSAW_CERTIFICATE").map(PathBuf::from),
        key: set("JIGSAW_KEY").map(PathBuf::from),
    };
    let profile = Place {
        token: secret(profile.token, profile.token_file),
        user: profile.user,
        password: secret(profile.password, profile.password_file),
        certificate: profile.certificate,
        key: profile.key,
    };
    choose([("the command line", flags), ("the environment", environment), ("the profile", profile)])
}

fn choose(places: [(&str, Place); 3]) -> Result<Named, Failure> {
    let mut chosen = Named::default();
    let mut passwords = Vec::new();
    for (place, Place { token, user, password, certificate, key }) in places {
        if token.is_some() && user.is_some() {
            return Err(Failure::usage(format!(
                "{place} names both a token and a user: leave one of them out"
            )));
        }
        if certificate.is_none() && key.is_some() {
            return Err(Failure::usage(format!("{place} names a key without its certificate: name both")));
        }
        // A password stays with the name beside it; without a name beside it, it is for whoever is named.
        passwords.extend(password.map(|password| (user.clone(), password)));
        if chosen.who.is_some() || chosen.pair.is_some() {
            continue;
        }
        chosen.pair = certificate
            .map(|certificate| Pair { key: key.unwrap_or_else(|| certificate.clone()), certificate });
        let user = user.map(|name| Who::User { name, password: None });
        chosen.who = token.map(Who::Token).or(user);
    }
    if let Some(Who::User { name, password }) = &mut chosen.who {
        let own = passwords.into_iter().find(|(of, _)| of.as_ref().is_none_or(|of| of == name));
        *password = own.map(|(_, password)| password);
        check_user(name)?;
    } else if chosen.who.is_none() && chosen.pair.is_none() && !passwords.is_empty() {
        return Err(Failure::usage(
            "there is a password and no user name: name the user with --user or JIGSAW_USER",
        ));
    }
    Ok(chosen)
}

/// A name that a header can carry.
fn check_user(name: &str) -> Result<(), Failure> {
    if name.is_empty() || name.contains(':') || name.chars().any(char::is_control) {
        return Err(Failure::usage("a user name is not empty and has no colon and no control characters"));
    }
    Ok(())
}

/// Reads what is named.
pub(crate) fn open(named: Named) -> Result<Credentials, Failure> {
    let header = match named.who {
        None => Header::Nothing,
        Some(Who::Token(Secret::Itself(token))) => Header::Bearer(bearer(&token)?),
        Some(Who::Token(Secret::In(file))) => Header::Bearer(bearer(&read_token(&file)?)?),
        Some(Who::User { name: user, password }) => {
            let password = match password {
                None => None,
                Some(Secret::Itself(password)) => Some(password),
                Some(Secret::In(file)) => Some(read_password(&file)?),
            };
            Header::Password { user, password }
        }
    };
    let certificate = named.pair.map(|pair| read_pair(&pair)).transpose()?;
    Ok(Credentials { header, certificate })
}

impl Credentials {
    /// How it would be told.
    pub(crate) fn shown(&self) -> Shown {
        match (&self.header, &self.certificate) {
            (Header::Bearer(_), _) => Shown::Token,
            (Header::Password { user, .. }, _) => Shown::User(user.clone()),
            (Header::Nothing, Some(_)) => Shown::Certificate,
            (Header::Nothing, None) => Shown::Nothing,
        }
    }

    /// Asks for the password on the terminal if nothing else has it.
    pub(crate) async fn complete(&mut self, around: &mut Surroundings<'_>) -> Result<(), Failure> {
        let Header::Password { user, password: password @ None } = &mut self.header else { return Ok(()) };
        if !around.terminal.stdin && !around.terminal.stderr {
            return Err(Failure::usage(format!(
                "there is no password for user {user:?} and no terminal to ask on: name a file with --password-file or JIGSAW_PASSWORD_FILE"
            )));
        }
        let typed =
            typed(&format!("Password of {} (not shown): ", printable(user)), "--password-file", around)
                .await?;
        if typed.is_empty() {
            return Err(Failure::usage("the password is empty"));
        }
        *password = Some(typed);
        Ok(())
    }
}

/// Asks on the terminal, without an echo. `instead` is the flag of whoever has none.
pub(crate) async fn typed(
    question: &str,
    instead: &str,
    around: &mut Surroundings<'_>,
) -> Result<String, Failure> {
    // An end in the middle would leave a terminal that shows nothing of what is typed.
    hear_interrupts().await;
    around.stderr.flush()?;
    // On the terminal itself, wherever the streams go.
    rpassword::prompt_password(question).map_err(|error| match error.kind() {
        std::io::ErrorKind::Interrupted => Failure::Interrupted,
        _ => Failure::usage(format!("nothing can be read from the terminal: {error}; use {instead}")),
    })
}

pub(crate) fn read_token(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("cannot read the token in {}: {error}", file.display())))
}

/// The first line of a file, blanks and all.
fn read_password(file: &Path) -> Result<String, Failure> {
    let wrong = |why: &str| Failure::usage(format!("the password file {} {why}", file.display()));
    let text = fs::read_to_string(file).map_err(|error| wrong(&format!("cannot be read: {error}")))?;
    if seen_by_others(file) {
        return Err(wrong("can be read by others: chmod 600, and have the password changed"));
    }
    let line = text.lines().next().filter(|line| !line.is_empty());
    line.map(str::to_owned).ok_or_else(|| wrong("has no password in its first line"))
}

fn read_pair(pair: &Pair) -> Result<Certificate, Failure> {
    let read = |what: &str, file: &Path| {
        fs::read_to_string(file)
            .map_err(|error| Failure::usage(format!("cannot read the {what} in {}: {error}", file.display())))
    };
    let certificate = read("client certificate", &pair.certificate)?;
    if !certificate.contains("-----BEGIN CERTIFICATE-----") {
        let file = pair.certificate.display();
        return Err(Failure::usage(format!("there is no certificate in {file}: it has to be a PEM file")));
    }
    let key = read("private key", &pair.key)?;
    let wrong = |why: &str| Failure::usage(format!("the private key in {} {why}", pair.key.display()));
    if key.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") || key.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(wrong("is encrypted: name a file with the key as it is, which only you can read"));
    }
    if !key.contains("PRIVATE KEY-----") {
        return Err(wrong("is none: it has to be a PEM file; name it with --key"));
    }
    if seen_by_others(&pair.key) {
        return Err(wrong("can be read by others: chmod 600, and have the certificate replaced"));
    }
    Ok(Certificate { identity: Identity::from_pem(certificate, key), file: pair.certificate.clone() })
}

/// The header of a token.
pub(crate) fn bearer(token: &str) -> Result<MetadataValue<Ascii>, Failure> {
    let token = token.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Failure::usage("the token is empty or holds characters no token has"));
    }
    sensitive(&format!("Bearer {token}"))
        .ok_or_else(|| Failure::usage("the token holds characters no token has"))
}

/// The header of a user and a password.
pub(crate) fn basic(user: &str, password: &str) -> Result<MetadataValue<Ascii>, Failure> {
    sensitive(&format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
        .ok_or_else(|| Failure::usage("the password does not fit a header"))
}

fn sensitive(text: &str) -> Option<MetadataValue<Ascii>> {
    let mut value = MetadataValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
