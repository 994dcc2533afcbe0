//! SQL text as one statement that may be answered here.

use std::ops::ControlFlow;

use datafusion::execution::context::{SQLOptions, SessionState};
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::{
    Ident, Query, SelectItem, SetExpr, ShowStatementOptions, Statement as Sql, TableFactor, Visit, VisitMut,
    Visitor, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use super::Explained;
use crate::query::QueryError;

/// Longest statement read, in bytes.
const MAX_SQL_BYTES: usize = 256 * 1024;

/// A statement, and whether its plan is asked for instead of its answer.
pub(crate) struct Statement {
    pub(crate) plan: LogicalPlan,
    pub(crate) explain: Option<Explained>,
}

/// Parses and resolves one statement.
pub(crate) async fn parse(sql: &str, session: &SessionState) -> Result<Statement, QueryError> {
    if sql.len() > MAX_SQL_BYTES {
        return Err(QueryError::sql(format!(
            "the statement is longer than {MAX_SQL_BYTES} bytes: write it shorter"
        )));
    }
    let planning = |error| QueryError::planning(&error);
    let sql = numbered(sql)?;
    if sql.trim().is_empty() {
        return Err(QueryError::sql("there is no statement: write a SELECT"));
    }
    let dialect = session.config().options().sql_parser.dialect;
    let mut parsed = session.sql_to_statement(&sql, &dialect).map_err(planning)?;
    if let Some(question) = listing(&parsed)? {
        parsed = session.sql_to_statement(question, &dialect).map_err(planning)?;
    }
    asks(&parsed)?;
    if let Parsed::Statement(statement) = &mut parsed {
        // Nothing breaks it off.
        _ = VisitMut::visit(statement.as_mut(), &mut NamesApart);
    }
    let plan = session.statement_to_plan(parsed).await.map_err(planning)?;
    match plan {
        LogicalPlan::Analyze(_) => Err(QueryError::Refused {
            message: "EXPLAIN ANALYZE would show what rows did to the run: use EXPLAIN".to_owned(),
        }),
        LogicalPlan::Explain(explain) => {
            read_only(&explain.plan)?;
            let how = if explain.verbose { Explained::Verbose } else { Explained::Steps };
            Ok(Statement { plan: (*explain.plan).clone(), explain: Some(how) })
        }
        plan => {
            read_only(&plan)?;
            Ok(Statement { plan, explain: None })
        }
    }
}

/// The question that `SHOW SCHEMAS` and its like stand for; the engine knows only of tables, columns and functions.
fn listing(parsed: &Parsed) -> Result<Option<&'static str>, QueryError> {
    let Parsed::Statement(statement) = parsed else { return Ok(None) };
    let (question, options) = match &**statement {
        Sql::ShowSchemas { show_options, .. } => {
            ("SELECT schema_name FROM information_schema.schemata ORDER BY schema_name", show_options)
        }
        Sql::ShowCatalogs { show_options, .. } | Sql::ShowDatabases { show_options, .. } => (
            "SELECT DISTINCT catalog_name FROM information_schema.schemata ORDER BY catalog_name",
            show_options,
        ),
        _ => return Ok(None),
    };
    if *options != NO_OPTIONS {
        return Err(QueryError::sql(
            "this form of SHOW takes nothing more: ask information_schema.schemata for a part of it",
        ));
    }
    Ok(Some(question))
}

const NO_OPTIONS: ShowStatementOptions = ShowStatementOptions {
    show_in: None,
    starts_with: None,
    limit: None,
    limit_from: None,
    filter_position: None,
};

/// Whether a statement asks something; it is decided by its kind, before a word of it is resolved.
fn asks(parsed: &Parsed) -> Result<(), QueryError> {
    match parsed {
        Parsed::Explain(explain) => asks(&explain.statement),
        Parsed::Statement(statement) => match &**statement {
            Sql::Query(_)
            | Sql::Explain { .. }
            | Sql::ExplainTable { .. }
            | Sql::ShowTables { .. }
            | Sql::ShowColumns { .. }
            | Sql::ShowFunctions { .. }
            | Sql::ShowVariable { .. } => match statement.visit(&mut Unsupported) {
                ControlFlow::Break(problem) => Err(problem),
                ControlFlow::Continue(()) => Ok(()),
            },
            _ => Err(changes_nothing()),
        },
        _ => Err(changes_nothing()),
    }
}

fn changes_nothing() -> QueryError {
    let message = "Jigsaw is read-only: it answers questions and changes nothing; write a SELECT, EXPLAIN, SHOW or DESCRIBE";
    QueryError::ReadOnly { message: message.to_owned() }
}

fn read_only(plan: &LogicalPlan) -> Result<(), QueryError> {
    let options = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    options.verify_plan(plan).map_err(|_| changes_nothing())
}

/// `?` placeholders as `$1`, `$2`, …, which is what the planner reads. Text, comments and quoted names are left alone.
fn numbered(sql: &str) -> Result<String, QueryError> {
    if !sql.contains('?') {
        return Ok(sql.to_owned());
    }
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize();
    let tokens = tokens.map_err(|error| QueryError::sql(error.to_string()))?;
    let mut count = 0;
    let rewritten = tokens.into_iter().map(|token| match token {
        Token::Placeholder(text) if text == "?" => {
            count += 1;
            format!("${count}")
        }
        Token::Question => {
            count += 1;
            format!("${count}")
        }
        token => token.to_string(),
    });
    Ok(rewritten.collect())
}

/// Gives repeated columns of the later branches of a set operation names of their own, which nobody sees: the planner wants them to
/// differ (`SELECT a, b FROM t UNION ALL SELECT c, c FROM u`).
struct NamesApart;

impl VisitorMut for NamesApart {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let SetExpr::SetOperation { .. } = &*query.body {
            named_apart(&mut query.body, true);
        }
        ControlFlow::Continue(())
    }
}

fn named_apart(branch: &mut SetExpr, first: bool) {
    match branch {
        SetExpr::SetOperation { left, right, .. } => {
            named_apart(left, first);
            named_apart(right, false);
        }
        SetExpr::Select(select) if !first => {
            let mut seen: Vec<SelectItem> = vec![];
            for (place, item) in select.projection.iter_mut().enumerate() {
                let repeated = seen.contains(item);
                seen.push(item.clone());
                if let (true, SelectItem::UnnamedExpr(expr)) = (repeated, &*item) {
                    let alias = Ident::with_quote('"', format!("column {place}"));
                    *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
                }
            }
        }
        _ => {}
    }
}

/// Clauses that the planner would ignore: ignoring them would be a wrong answer.
struct Unsupported;

impl Visitor for Unsupported {
    type Break = QueryError;

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<QueryError> {
        match table {
            TableFactor::Table { sample: Some(_), .. } => ControlFlow::Break(QueryError::sql(
                "TABLESAMPLE is not answered: a sample of a borough's rows is not a question about all of them",
            )),
            _ => ControlFlow::Continue(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn question_marks_become_numbers_outside_text() {
        let found = numbered("SELECT '?' AS \"?\" FROM t -- ?\nWHERE a = ? AND b > ?").unwrap();
        assert_eq!(found, "SELECT '?' AS \"?\" FROM t -- ?\nWHERE a = $1 AND b > $2");
    }
}
