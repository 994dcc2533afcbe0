//! `jigsaw connect`: tries a connection, and saves it as a profile if the server answers.

use std::path::{Path, PathBuf};

use arrow::array::{Array as _, AsArray as _};

use crate::cli::{Connect, Connection};
use crate::command::Ask;
use crate::connect::connect;
use crate::failure::Failure;
use crate::profiles::{self, Profile};
use crate::settings::{self, Named, Settings, Token};
use crate::surroundings::{Surroundings, hear_interrupts, printable};
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
    let Named { server, token, ca, .. } = settings::named(flags, Profile::default(), around)?;
    let token = match token {
        None if around.terminal.stdin => typed(around).await?,
        token => token,
    };
    let (ca, token) = (ca.as_deref().map(absolute).transpose()?, token.map(placed).transpose()?);
    let profile = profile(&server, token.as_ref(), ca.as_ref(), wanted.purpose.clone());
    let named = Named { server, token, ca, profile: None, purpose: wanted.purpose.clone() };
    let settings = settings::open(named)?;
    let (up, all) = try_out(&settings).await?;
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

/// Asks on the terminal, without an echo.
async fn typed(around: &mut Surroundings<'_>) -> Result<Option<Token>, Failure> {
    // An end in the middle would leave a terminal that shows nothing of what is typed.
    hear_interrupts().await;
    around.stderr.write_all(b"Access token (not shown; empty for none): ")?;
    around.stderr.flush()?;
    let token = rpassword::read_password().map_err(|error| match error.kind() {
        std::io::ErrorKind::Interrupted => Failure::Interrupted,
        _ => Failure::usage(format!("cannot read the token from the terminal: {error}; use --token-file")),
    })?;
    Ok(Some(token.trim().to_owned()).filter(|token| !token.is_empty()).map(Token::Itself))
}

/// A profile is used from any folder.
fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path)
        .map_err(|error| Failure::usage(format!("cannot find {}: {error}", path.display())))
}

fn placed(token: Token) -> Result<Token, Failure> {
    match token {
        Token::In(file) => absolute(&file).map(Token::In),
        Token::Itself(token) => Ok(Token::Itself(token.trim().to_owned())),
    }
}

fn profile(
    server: &url::Url,
    token: Option<&Token>,
    ca: Option<&PathBuf>,
    purpose: Option<String>,
) -> Profile {
    let (token, token_file) = match token {
        Some(Token::Itself(token)) => (Some(token.clone()), None),
        Some(Token::In(file)) => (None, Some(file.clone())),
        None => (None, None),
    };
    Profile { server: Some(server.to_string()), token, token_file, ca: ca.cloned(), purpose }
}

/// How many nodes are up, of how many: an answer that only a coordinator that accepts the token gives.
pub(crate) async fn try_out(settings: &Settings) -> Result<(usize, usize), Failure> {
    let mut session = connect(settings).await?;
    let (_, batches) = query::collect(&mut session, &Ask::plain(), STATUSES).await?;
    let (mut up, mut all) = (0, 0);
    for batch in &batches {
        let column = batch.columns().first().and_then(|column| column.as_string_opt::<i32>());
        let statuses = column.ok_or_else(|| Failure::failed("the server is not a Jigsaw coordinator"))?;
        all += statuses.len();
        up += statuses.iter().filter(|status| *status == Some("up")).count();
    }
    Ok((up, all))
}
