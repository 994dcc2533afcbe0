//! Cutting a text into SQL statements at the semicolons that end them.

/// The statements of `text`, trimmed, without their semicolons; what holds only blanks and comments is no statement.
///
/// Semicolons inside quotes and comments do not end a statement. Nothing else is parsed: the server knows SQL.
pub(crate) fn split(text: &str) -> Vec<&str> {
    let mut statements = Vec::new();
    let mut rest = text;
    while let Some(first) = first(rest) {
        statements.extend(first.sql);
        rest = rest.get(first.length..).unwrap_or_default();
    }
    statements
}

/// What a text begins with.
#[derive(Debug)]
pub(crate) struct First<'t> {
    /// The statement, if there is more than blanks and comments.
    pub(crate) sql: Option<&'t str>,
    /// It ends with a semicolon.
    pub(crate) ended: bool,
    /// How much of the text it takes.
    pub(crate) length: usize,
}

/// The first statement of `text`; none if the text is empty.
pub(crate) fn first(text: &str) -> Option<First<'_>> {
    let (mut holds_code, mut rest) = (false, text);
    while let Some(first) = rest.chars().next() {
        let at = text.len() - rest.len();
        if first == ';' {
            let sql = text.get(..at).map(str::trim).filter(|_| holds_code);
            return Some(First { sql, ended: true, length: at + 1 });
        }
        let (length, code) = token(rest, first);
        holds_code |= code;
        rest = rest.get(length..).unwrap_or_default();
    }
    let sql = Some(text.trim()).filter(|_| holds_code);
    (!text.is_empty()).then_some(First { sql, ended: false, length: text.len() })
}

/// Length of the token `rest` begins with, and whether it is more than blank or comment.
pub(crate) fn token(rest: &str, first: char) -> (usize, bool) {
    let after = |skip: usize| rest.get(skip..).unwrap_or_default();
    match first {
        // A doubled quote reads as the end of one string and the beginning of the next.
        '\'' | '"' => (after(1).find(first).map_or(rest.len(), |end| end + 2), true),
        '-' if rest.starts_with("--") => (rest.find('\n').map_or(rest.len(), |end| end + 1), false),
        '/' if rest.starts_with("/*") => (block_comment(rest), false),
        _ => (first.len_utf8(), !first.is_whitespace()),
    }
}

/// Length of the comment `rest` begins with; comments nest.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(tail) = rest.get(at..).filter(|tail| !tail.is_empty()) {
        if tail.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if tail.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
        } else {
            at += tail.chars().next().map_or(1, char::len_utf8);
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn semicolons_end_statements_outside_quotes_and_comments() {
        let text = "SELECT ';' ; -- one; two\nSELECT \"a;b\" /* ; /* ; */ ; */ FROM t;;\n-- end;\n";
        assert_eq!(split(text), ["SELECT ';'", "-- one; two\nSELECT \"a;b\" /* ; /* ; */ ; */ FROM t"]);
    }

    #[test]
    fn the_last_semicolon_is_optional_and_nothing_is_no_statement() {
        assert_eq!(split("SELECT 'it''s; é'"), ["SELECT 'it''s; é'"]);
        assert_eq!(split(" ; /* ; */ -- x"), [""; 0]);
        assert_eq!(split("SELECT 'open; quote"), ["SELECT 'open; quote"]);
        assert_eq!(split("SELECT 1 /* open ; comment"), ["SELECT 1 /* open ; comment"]);
    }
}
