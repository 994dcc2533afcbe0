//! Statements that are about the session and not about data: `SET`, `SHOW`, `RESET`, and the words of transactions.

use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use tonic::Status;
use tonic::metadata::MetadataMap;

use super::options::{Name, Options, wrong_name, wrong_value};
use super::sessions::Visit;
use super::{Shared, status};

/// A statement about the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// `SET name = value`
    Set(Name, String),
    /// `RESET name`, `RESET ALL`
    Reset(Vec<Name>),
    /// `SHOW name`, `SHOW ALL`
    Show(Vec<Name>),
    /// `BEGIN`, `COMMIT`, `ROLLBACK`: there is nothing to begin or to end
    Nothing,
}

/// Words that a command begins with.
const FIRST: [&str; 8] = ["set", "reset", "show", "begin", "start", "commit", "end", "rollback"];

/// The command that a statement is, if it is one.
///
/// # Errors
/// An option that does not exist, or a value it cannot have.
pub(super) fn read(sql: &str) -> Result<Option<Command>, Status> {
    let text = sql.trim_start();
    let word: String = text.chars().take_while(char::is_ascii_alphabetic).collect();
    if !text.starts_with(['-', '/']) && !FIRST.contains(&word.to_ascii_lowercase().as_str()) {
        return Ok(None);
    }
    // What cannot be cut into words is no command; the planner says what is wrong with it.
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, sql).tokenize() else { return Ok(None) };
    let mut tokens: Vec<Token> =
        tokens.into_iter().filter(|token| !matches!(token, Token::Whitespace(_))).collect();
    while tokens.last() == Some(&Token::SemiColon) {
        tokens.pop();
    }
    let Some((first, rest)) = tokens.split_first() else { return Ok(None) };
    match lower(first).as_str() {
        "set" => set(rest).map(Some),
        "reset" => Ok(Some(Command::Reset(names(rest)?))),
        "show" if is(rest, "all") || name_of(rest).starts_with("jigsaw.") => {
            Ok(Some(Command::Show(names(rest)?)))
        }
        "begin" | "commit" | "end" | "rollback" if rest.iter().all(is_transaction_word) => {
            Ok(Some(Command::Nothing))
        }
        "start" if rest.first().is_some_and(|word| lower(word) == "transaction") => {
            Ok(Some(Command::Nothing))
        }
        _ => Ok(None),
    }
}

fn lower(token: &Token) -> String {
    match token {
        Token::Word(word) => word.value.to_ascii_lowercase(),
        token => token.to_string(),
    }
}

fn is(tokens: &[Token], word: &str) -> bool {
    matches!(tokens, [only] if lower(only) == word)
}

fn is_transaction_word(token: &Token) -> bool {
    ["work", "transaction", "read", "only", "deferred", "and", "no", "chain"].contains(&lower(token).as_str())
}

/// `jigsaw.purpose`, however it is quoted.
fn name_of(tokens: &[Token]) -> String {
    tokens.iter().map(lower).collect()
}

/// The option that is named, or all.
fn names(tokens: &[Token]) -> Result<Vec<Name>, Status> {
    if is(tokens, "all") {
        return Ok(Name::ALL.into());
    }
    let name = name_of(tokens);
    Ok(vec![Name::of(&name).ok_or_else(|| wrong_name(&name))?])
}

/// What follows the word `SET`.
fn set(tokens: &[Token]) -> Result<Command, Status> {
    let tokens = match tokens.split_first() {
        Some((scope, rest)) if ["session", "local"].contains(&lower(scope).as_str()) => rest,
        _ => tokens,
    };
    let between = |token: &Token| *token == Token::Eq || lower(token) == "to";
    let Some(place) = tokens.iter().position(between) else {
        return Err(status::sql("write SET name = value, with a name that SHOW ALL lists"));
    };
    let (name, value) = tokens.split_at(place);
    let word = name_of(name);
    let name = Name::of(&word).ok_or_else(|| wrong_name(&word))?;
    let text = match value {
        [_, Token::SingleQuotedString(text)] => text.clone(),
        [_, word] if lower(word) == "default" => return Ok(Command::Reset(vec![name])),
        [_, Token::Word(word)] => word.value.clone(),
        [_, Token::Number(number, _)] => number.clone(),
        [_, Token::Number(number, _), Token::Word(unit)] => format!("{number}{}", unit.value),
        // Several words need quotes, and a parameter cannot be known here.
        _ => return Err(wrong_value(name)),
    };
    Options::default().set(name, &text).map_err(|_| wrong_value(name))?;
    Ok(Command::Set(name, text))
}

/// What every command answers: options, what they are, and where that comes from.
pub(super) fn schema() -> SchemaRef {
    let text = |name, nullable| Field::new(name, DataType::Utf8, nullable);
    Arc::new(Schema::new(vec![text("name", false), text("value", true), text("source", false)]))
}

/// To set something, a client must keep the cookie that it was sent.
fn no_session(name: Name) -> Status {
    status::sql(format!(
        "SET needs a session, and your client did not send the cookie of one: switch cookies on \
         (ADBC: adbc.flight.sql.rpc.with_cookie_middleware), or send the header {} with each statement",
        name.header()
    ))
}

impl Shared {
    /// What is left to do of a command when it is fetched. A client that has shown its cookie has it carried out when it is
    /// announced: drivers fetch in the background, and what comes next must find it done.
    pub(super) fn settle(
        &self,
        command: Command,
        visit: &Visit,
        headers: &MetadataMap,
    ) -> Result<Command, Status> {
        let names = match &command {
            Command::Set(name, _) => vec![*name],
            Command::Reset(names) => names.clone(),
            Command::Show(_) | Command::Nothing => return Ok(command),
        };
        self.carry_out(&command, visit, headers)?;
        Ok(Command::Show(names))
    }

    /// Carries a command out, and says what is set then.
    pub(super) fn carry_out(
        &self,
        command: &Command,
        visit: &Visit,
        headers: &MetadataMap,
    ) -> Result<RecordBatch, Status> {
        let session = visit.session();
        let names = match (command, &session) {
            (Command::Set(name, _), None) => return Err(no_session(*name)),
            (Command::Set(name, text), Some(session)) => {
                let set = self.sessions.change(session, |options| options.set(*name, text))?;
                set.map_err(|_| wrong_value(*name))?;
                vec![*name]
            }
            (Command::Reset(names), Some(session)) => {
                self.sessions
                    .change(session, |options| names.iter().for_each(|name| options.reset(*name)))?;
                names.clone()
            }
            (Command::Reset(names) | Command::Show(names), _) => names.clone(),
            (Command::Nothing, _) => vec![],
        };
        self.shown(&names, &Options::of_headers(headers)?, &visit.options(&self.sessions)?)
    }

    fn shown(&self, names: &[Name], headers: &Options, session: &Options) -> Result<RecordBatch, Status> {
        let defaults = self.defaults();
        let found = names.iter().map(|name| {
            let places = [("header", headers), ("session", session), ("default", &defaults)];
            let found = places.into_iter().find_map(|(place, options)| Some((options.text(*name)?, place)));
            found.map_or((None, "default"), |(text, place)| (Some(text), place))
        });
        let (values, sources): (Vec<Option<String>>, Vec<&str>) = found.unzip();
        let names = names.iter().map(|name| name.word());
        RecordBatch::try_new(
            schema(),
            vec![
                Arc::new(StringArray::from_iter_values(names)),
                Arc::new(StringArray::from(values)),
                Arc::new(StringArray::from(sources)),
            ],
        )
        .map_err(|_| status::encoding())
    }

    /// What holds where nothing is set.
    pub(super) fn defaults(&self) -> Options {
        Options {
            purpose: None,
            cell_status: Some(crate::cell_status::CellStatus::default()),
            allow_partial: Some(false),
            timeout: Some(self.timeout),
            wire_types: Some(crate::plan::WireTypes::default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_from_questions() {
        let set = |name, text: &str| Some(Command::Set(name, text.to_owned()));
        for (sql, expected) in [
            ("SET jigsaw.purpose = 'winter ; planning';", set(Name::Purpose, "winter ; planning")),
            ("-- why\nset session \"jigsaw\".\"purpose\" TO 'x'", set(Name::Purpose, "x")),
            ("SET JIGSAW.ALLOW_PARTIAL = TRUE", set(Name::AllowPartial, "TRUE")),
            ("SET jigsaw.timeout = 30", set(Name::Timeout, "30")),
            ("SET jigsaw.timeout TO 30s", set(Name::Timeout, "30s")),
            ("SET jigsaw.timeout TO '30s'", set(Name::Timeout, "30s")),
            ("SET jigsaw.timeout = DEFAULT", Some(Command::Reset(vec![Name::Timeout]))),
            ("RESET jigsaw.purpose", Some(Command::Reset(vec![Name::Purpose]))),
            ("RESET ALL", Some(Command::Reset(Name::ALL.into()))),
            ("SHOW jigsaw.cell_status", Some(Command::Show(vec![Name::CellStatus]))),
            ("SHOW ALL;", Some(Command::Show(Name::ALL.into()))),
            ("BEGIN", Some(Command::Nothing)),
            ("START TRANSACTION READ ONLY", Some(Command::Nothing)),
            ("ROLLBACK;", Some(Command::Nothing)),
            ("ROLLBACK TO SAVEPOINT a", None),
            ("SHOW TABLES", None),
            ("SHOW COLUMNS FROM property", None),
            ("SELECT 'SET jigsaw.purpose'", None),
            ("/* SET */ SELECT 1", None),
            ("", None),
        ] {
            assert_eq!(read(sql).unwrap(), expected, "{sql}");
        }
    }

    #[test]
    fn what_cannot_be_set_is_refused_before_anything_runs() {
        for (sql, word) in [
            ("SET jigsaw.colour = 'red'", "there is no option jigsaw.colour"),
            ("SET autocommit = 1", "there is no option autocommit"),
            ("SET TIME ZONE 'UTC'", "SET name = value"),
            ("SET jigsaw.purpose = ?", "one line of text"),
            ("SET jigsaw.purpose =", "one line of text"),
            ("SET jigsaw.purpose = winter planning", "in quotes"),
            ("SET jigsaw.allow_partial = 'maybe'", "true or false"),
            ("SET jigsaw.timeout = -1", "whole seconds"),
            ("SHOW jigsaw.colour", "there is no option"),
            ("RESET colour", "there is no option"),
        ] {
            let refused = read(sql).unwrap_err();
            assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{sql}");
            assert!(refused.message().contains(word), "{sql}: {refused}");
        }
    }
}
