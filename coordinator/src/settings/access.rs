//! What `[access]` means: who may ask, and what they are shown.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;

use jigsaw_proto::identity::Issuer;
use jigsaw_proto::tls::TlsMaterial;

use super::{Result, development, read, wrong};
use crate::auth::users::Users;
use crate::auth::{Access, Analyst};
use crate::config::{AccessWords, AnalystWords, TlsWord, TokensFile, UserWords, UsersFile};

/// Where a configuration is, and where it listens.
pub(super) struct Place<'a> {
    pub(super) file: &'a Path,
    pub(super) folder: &'a Path,
    pub(super) listen: SocketAddr,
}

/// The side that analysts see.
pub(crate) struct Front {
    /// PEM, with its key; `None`: plain text
    pub(crate) certificate: Option<(String, String)>,
    /// authority of analysts' certificates, PEM
    pub(crate) client_ca: Option<String>,
    /// of a development certificate, SHA-256
    pub(crate) fingerprint: Option<String>,
}

/// Mute: it holds a private key.
impl std::fmt::Debug for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Front")
    }
}

impl Place<'_> {
    /// What analysts are shown. A development certificate is made here, if there is none yet.
    pub(super) fn front(&self, words: &AccessWords, tls: &TlsMaterial) -> Result<Front> {
        let loopback = self.listen.ip().is_loopback();
        if words.plaintext && !loopback {
            return self.no("plaintext is for a loopback listen address only: take it out");
        }
        if words.plaintext && (words.tls == TlsWord::Development || words.client_ca.is_some()) {
            return self
                .no("plaintext shows no certificate and sees none: take it out, or tls and client_ca");
        }
        let client_ca = words.client_ca.as_ref().map(|file| read(&self.folder.join(file))).transpose()?;
        if client_ca.as_ref().is_some_and(|authority| authority.trim() == tls.authority.trim()) {
            return self.no("client_ca is the authority of nodes: any node could ask as an analyst; give analysts one of their own");
        }
        if words.plaintext {
            return Ok(Front { certificate: None, client_ca: None, fingerprint: None });
        }
        let (certificate, fingerprint) = match words.tls {
            TlsWord::Configured => ((tls.certificate.clone(), tls.key.clone()), None),
            TlsWord::Development => {
                let made = development::certificate(self.folder, self.listen.ip())
                    .map_err(|problem| wrong(self.file, format!("[access]: {problem}")))?;
                ((made.certificate, made.key), Some(made.fingerprint))
            }
        };
        Ok(Front { certificate: Some(certificate), client_ca, fingerprint })
    }

    /// Who may ask.
    pub(super) fn access(&self, words: AccessWords) -> Result<Access> {
        let AccessWords { tokens, users, client_ca, issuers, forward_tokens, anonymous, .. } = words;
        let signs = tokens.is_some() || users.is_some() || client_ca.is_some() || !issuers.is_empty();
        match (signs, anonymous) {
            (true, false) => {}
            (false, true) if self.listen.ip().is_loopback() => {
                return Ok(Access { anonymous: true, ..Access::default() });
            }
            (false, true) => {
                return self.no("anonymous is for a loopback listen address only: write tokens = …");
            }
            _ => {
                return self.no(
                    "write either tokens, users, client_ca or [[access.issuer]] (or several), or anonymous = true",
                );
            }
        }
        if forward_tokens && issuers.is_empty() {
            return self.no("forward_tokens passes on tokens of issuers, and there is no [[access.issuer]]");
        }
        let issuers = issuers.into_iter().map(|words| {
            Issuer::new(words, self.folder)
                .map_err(|problem| wrong(self.file, format!("[access]: {problem}")))
        });
        let issuers: Vec<Issuer> = issuers.collect::<Result<_>>()?;
        let prefixes: BTreeSet<&str> = issuers.iter().map(Issuer::prefix).collect();
        if prefixes.len() < issuers.len() {
            return self.no("two issuers name people alike: give each a prefix of its own");
        }
        let users = users.map(|file| {
            let file = self.folder.join(file);
            Users::new(self::users(&file)?).map_err(|problem| wrong(&file, problem))
        });
        let tokens = tokens.map(|file| analysts(&self.folder.join(file)));
        Ok(Access {
            anonymous: false,
            analysts: tokens.transpose()?.unwrap_or_default(),
            users: users.transpose()?,
            issuers,
            certificates: client_ca.is_some(),
            forward_tokens,
        })
    }

    fn no<T>(&self, problem: &str) -> Result<T> {
        Err(wrong(self.file, format!("[access]: {problem}")))
    }
}

/// The users of a file, name and hash. Nothing that is written in it is repeated.
pub(crate) fn users(file: &Path) -> Result<Vec<(String, String)>> {
    let text = read(file)?;
    let form = "write [[user]], name = \"…\", password = \"$argon2id$…\" for each, and nothing else";
    let parsed: UsersFile = toml::from_str(&text).map_err(|error| wrong(file, at(&text, &error, form)))?;
    Ok(parsed.users.into_iter().map(|UserWords { name, password }| (name, password)).collect())
}

/// The analysts of a file. Nothing that is written in it is repeated: somebody may have put a token there.
fn analysts(file: &Path) -> Result<Vec<Analyst>> {
    let text = read(file)?;
    let form = "write [[analyst]], name = \"…\", token_sha256 = \"…\" for each, and nothing else";
    let parsed: TokensFile = toml::from_str(&text).map_err(|error| wrong(file, at(&text, &error, form)))?;
    let mut names = BTreeSet::new();
    let analysts = parsed.analysts.into_iter().map(|AnalystWords { name, token_sha256 }| {
        let analyst = Analyst::new(&name, &token_sha256).map_err(|problem| wrong(file, problem))?;
        if names.insert(name) {
            Ok(analyst)
        } else {
            Err(wrong(file, format!("analyst {} is listed twice: one [[analyst]] each", analyst.name())))
        }
    });
    analysts.collect()
}

/// Where a file is wrong, and what its form is.
fn at(text: &str, error: &toml::de::Error, form: &str) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    format!("line {} or after it: {form}", before.lines().count().max(1))
}
