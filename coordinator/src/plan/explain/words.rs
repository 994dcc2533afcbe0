//! SQL and columns for people to read.

use datafusion::arrow::datatypes::FieldRef;
use datafusion::logical_expr::Expr;
use datafusion::sql::unparser::expr_to_sql;
use jigsaw_proto::types::DataType;

/// What begins a line, where it is in no brackets and in no text.
const CLAUSES: [&str; 8] = [
    " FROM ",
    " WHERE ",
    " GROUP BY ",
    " HAVING ",
    " JOIN ",
    " LEFT JOIN ",
    " LEFT SEMI JOIN ",
    " LEFT ANTI JOIN ",
];

/// A statement of one line, a line for each clause.
pub(super) fn in_lines(sql: &str) -> String {
    let (mut lines, mut rest) = (String::with_capacity(sql.len()), sql);
    let (mut depth, mut quote) = (0_usize, None);
    while let Some(character) = rest.chars().next() {
        let outside = depth == 0 && quote.is_none();
        if let Some(clause) = CLAUSES.iter().find(|clause| outside && rest.starts_with(**clause)) {
            lines.push('\n');
            lines.push_str(clause.trim_start());
            rest = rest.get(clause.len()..).unwrap_or_default();
            continue;
        }
        match (character, quote) {
            ('\'' | '"', None) => quote = Some(character),
            (_, Some(open)) if open == character => quote = None,
            ('(', None) => depth += 1,
            (')', None) => depth = depth.saturating_sub(1),
            _ => {}
        }
        lines.push(character);
        rest = rest.get(character.len_utf8()..).unwrap_or_default();
    }
    lines
}

/// Expressions as they are written where there is one table.
pub(super) fn expressions<'a>(expressions: impl IntoIterator<Item = &'a Expr>) -> String {
    let texts = expressions.into_iter().map(expression);
    texts.collect::<Vec<_>>().join(", ")
}

/// An expression as SQL, without the name of the release that its columns are of.
pub(super) fn expression(expression: &Expr) -> String {
    let sql = match expression {
        Expr::Alias(alias) => format!("{} AS {}", self::expression(&alias.expr), alias.name),
        plain => match expr_to_sql(plain) {
            Ok(sql) => sql.to_string(),
            Err(_) => plain.human_display().to_string(),
        },
    };
    sql.replace("\"release\".", "").replace("release.", "")
}

/// Names and types, as SQL writes them.
pub(super) fn columns<'a>(fields: impl IntoIterator<Item = &'a FieldRef>) -> String {
    let column = |field: &FieldRef| match DataType::from_arrow(field.data_type()) {
        Some(known) => format!("{} {known}", field.name()),
        None => format!("{} {}", field.name(), field.data_type()),
    };
    fields.into_iter().map(column).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::in_lines;

    #[test]
    fn clauses_begin_lines_outside_of_brackets_and_texts() {
        let sql = "SELECT a, (SELECT 1 FROM x) FROM t LEFT SEMI JOIN u ON t.a = u.a WHERE t.b = ' FROM ''é' GROUP BY a";
        let lines = "SELECT a, (SELECT 1 FROM x)\nFROM t\nLEFT SEMI JOIN u ON t.a = u.a\nWHERE t.b = ' FROM ''é'\nGROUP BY a";
        assert_eq!(in_lines(sql), lines);
    }
}
