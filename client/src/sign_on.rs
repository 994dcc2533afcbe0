//! `jigsaw connect`: tries a connection, and saves it as a profile if the server answers.

use std::path::{Path, PathBuf};

use arrow::array::{Array as _, AsArray as _};

use crate::cli::{Connect, Connection};
use crate::command::Ask;
use crate::connect::{Session, connect};
use crate::credentials::{self, Header, Pair, Secret, Who, typed};
use crate::failure::Failure;
use crate::profiles::{self, Profile};
use crate::settings::{self, Named};
use crate::surroundings::{Surroundings, printable};
use crate::{command, query};

const STATUSES: &str = "SELECT status FROM system.nodes";

/// Asks for what is missing, connects, asks one question, and saves.
pub(crate) async fn sign_on(
    wanted: &Connect,
    flags: &Connection,
    around: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    profiles::check_name(&wanted.name)?;
    if flags.profile.is_some() {
        return Err(Failure::usage("name the profile as `jigsaw connect NAME`, without --profile"));
    }
    if let Some(purpose) = &wanted.purpose {
        command::purpose(purpose)?;
    }
    let Named { server, mut shown, ca, .. } = settings::named(flags, Profile::default(), around)?;
    if shown.who.is_none() && shown.pair.is_none() && around.terminal.stdin {
        shown.who = token(around).await?;
    }
    let ca = ca.as_deref().map(absolute).transpose()?;
    let shown = placed(shown)?;
    let profile = Profile { ca: ca.clone(), purpose: wanted.purpose.clone(), ..profile(&server, &shown) };
    let named = Named { server, shown, ca, profile: None, purpose: wanted.purpose.clone() };
    let mut settings = settings::open(named)?;
    settings.credentials.complete(around).await?;
    let profile = match &settings.credentials.header {
        Header::Password { password, .. } if wanted.save_password => {
            Profile { password: password.clone(), password_file: None, ..profile }
        }
        _ if wanted.save_password => {
            return Err(Failure::usage("there is no password to save: --save-password goes with --user"));
        }
        _ => profile,
    };
    let tried = async { try_out(&mut connect(&settings).await?).await };
    let (up, all) = tried.await.map_err(|failure| failure.to(&settings.credentials.shown()))?;
    let file = profiles::save(&wanted.name, profile, around)?;
    let use_it = if wanted.name == profiles::DEFAULT {
        "used when no other is named".to_owned()
    } else {
        format!("use it with --profile {}", wanted.name)
    };
    let said = format!(
        "connected to {}: {up} of {all} nodes are up\nsaved as profile {} in {} ({use_it})",
        settings.server,
        wanted.name,
        file.display()
    );
    writeln!(around.stderr, "{}", printable(&said))?;
    Ok(())
}

/// Asks for the token on the terminal.
async fn token(around: &mut Surroundings<'_>) -> Result<Option<Who>, Failure> {
    let token = typed("Access token (not shown; empty for none): ", "--token-file", around).await?;
    let token = Some(token.trim().to_owned()).filter(|token| !token.is_empty());
    Ok(token.map(|token| Who::Token(Secret::Itself(token))))
}

/// A profile is used from any folder.
fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path)
        .map_err(|error| Failure::usage(format!("cannot find {}: {error}", path.display())))
}

fn placed(named: credentials::Named) -> Result<credentials::Named, Failure> {
    let place = |secret| match secret {
        Secret::In(file) => absolute(&file).map(Secret::In),
        itself @ Secret::Itself(_) => Ok(itself),
    };
    let who = match named.who {
        Some(Who::Token(Secret::Itself(token))) => Some(Who::Token(Secret::Itself(token.trim().to_owned()))),
        Some(Who::Token(file)) => Some(Who::Token(place(file)?)),
        Some(Who::User { name, password }) => {
            Some(Who::User { name, password: password.map(place).transpose()? })
        }
        None => None,
    };
    let pair = match named.pair {
        Some(pair) => Some(Pair { certificate: absolute(&pair.certificate)?, key: absolute(&pair.key)? }),
        None => None,
    };
    Ok(credentials::Named { who, pair })
}

/// What is saved without being asked for: no password, but where it is.
fn profile(server: &url::Url, shown: &credentials::Named) -> Profile {
    let pair = shown.pair.as_ref();
    let profile = Profile {
        server: Some(server.to_string()),
        certificate: pair.map(|pair| pair.certificate.clone()),
        key: pair.filter(|pair| pair.key != pair.certificate).map(|pair| pair.key.clone()),
        ..Profile::default()
    };
    match &shown.who {
        None => profile,
        Some(Who::Token(Secret::Itself(token))) => Profile { token: Some(token.clone()), ..profile },
        Some(Who::Token(Secret::In(file))) => Profile { token_file: Some(file.clone()), ..profile },
        Some(Who::User { name, password }) => {
            let password_file = match password {
                Some(Secret::In(file)) => Some(file.clone()),
                _ => None,
            };
            Profile { user: Some(name.clone()), password_file, ..profile }
        }
    }
}

/// How many nodes are up, of how many: an answer that only a coordinator that accepts who asks gives.
pub(crate) async fn try_out(session: &mut Session) -> Result<(usize, usize), Failure> {
    let (_, batches) = query::collect(session, &Ask::plain(), STATUSES).await?;
    let (mut up, mut all) = (0, 0);
    for batch in &batches {
        let column = batch.columns().first().and_then(|column| column.as_string_opt::<i32>());
        let statuses = column.ok_or_else(|| Failure::failed("the server is not a Jigsaw coordinator"))?;
        all += statuses.len();
        up += statuses.iter().filter(|status| *status == Some("up")).count();
    }
    Ok((up, all))
}
