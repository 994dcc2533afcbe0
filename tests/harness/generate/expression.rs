//! Expressions of random questions: keys, conditions, numbers.

use jigsaw_proto::contract::Role;
use jigsaw_proto::types::DataType;

use super::{Questions, Source};

impl Questions {
    /// A group key over a dimension, or a band over a number.
    pub(super) fn key(&mut self, columns: &[Source<'_>]) -> Option<String> {
        if self.once_in(5)
            && let Some(number) = self.measure(columns)
        {
            let edge = self.constant(number);
            return Some(format!("CASE WHEN {} > {edge} THEN 'above' ELSE 'not above' END", number.sql));
        }
        let source = self.dimension(columns)?;
        let sql = &source.sql;
        Some(match source.column.data_type {
            DataType::Text => match self.below(5) {
                0 => format!("UPPER({sql})"),
                1 => format!("LEFT({sql}, {})", 1 + self.below(6)),
                2 => format!("COALESCE({sql}, 'none')"),
                _ => sql.clone(),
            },
            DataType::Date | DataType::Timestamp { .. } => match self.below(3) {
                0 => {
                    let unit = self.pick(&["year", "quarter", "month", "week"])?;
                    format!("date_trunc('{unit}', {sql})")
                }
                1 => {
                    let part = self.pick(&["YEAR", "QUARTER", "MONTH", "DAY"])?;
                    format!("EXTRACT({part} FROM {sql})")
                }
                _ => sql.clone(),
            },
            DataType::Int32 if self.once_in(2) => format!("{sql} % 3"),
            _ => sql.clone(),
        })
    }

    /// A condition, `depth` connectives deep.
    pub(super) fn predicate(&mut self, columns: &[Source<'_>], depth: usize) -> Option<String> {
        if depth > 0 && self.once_in(2) {
            let (one, two) = (self.predicate(columns, depth - 1)?, self.predicate(columns, depth - 1)?);
            return Some(match self.below(4) {
                0 => format!("({one} OR {two})"),
                1 => format!("NOT ({one})"),
                _ => format!("({one} AND {two})"),
            });
        }
        if self.once_in(4)
            && let Some(number) = self.measure(columns)
        {
            return self.number_predicate(number);
        }
        let source = self.dimension(columns)?;
        let sql = &source.sql;
        if self.once_in(8) {
            let negation = if self.once_in(2) { "NOT " } else { "" };
            return Some(format!("{sql} IS {negation}NULL"));
        }
        match source.column.data_type {
            DataType::Text => self.text_predicate(source),
            DataType::Boolean => Some(sql.clone()),
            DataType::Date => {
                let operator = self.pick(&[">=", "<", "<>"])?;
                let (month, day) = (1 + self.below(12), 1 + self.below(28));
                Some(format!("{sql} {operator} DATE '2025-{month:02}-{day:02}'"))
            }
            DataType::Timestamp { .. } => {
                let operator = self.pick(&[">=", "<"])?;
                Some(format!(
                    "{sql} {operator} TIMESTAMP '2026-01-0{} {:02}:00:00'",
                    1 + self.below(2),
                    self.below(24)
                ))
            }
            _ => self.number_predicate(source),
        }
    }

    fn text_predicate(&mut self, source: &Source<'_>) -> Option<String> {
        let sql = &source.sql;
        let codes: Vec<String> = if source.column.codes.is_empty() {
            ["E09000007", "E09000022", "E09000033", "Central", "Riverside"].map(str::to_owned).to_vec()
        } else {
            source.column.codes.clone()
        };
        let one = self.pick(&codes)?.clone();
        let two = self.pick(&codes)?.clone();
        let start: String = one.chars().take(3).collect();
        Some(match self.below(6) {
            0 => format!("{sql} = '{one}'"),
            1 => format!("{sql} <> '{one}'"),
            2 => format!("{sql} IN ('{one}', '{two}')"),
            3 => format!("{sql} LIKE '{start}%'"),
            4 => format!("{sql} ILIKE '%{}%'", start.to_uppercase()),
            _ => format!("CHARACTER_LENGTH({sql}) > {}", self.below(12)),
        })
    }

    fn number_predicate(&mut self, source: &Source<'_>) -> Option<String> {
        let sql = &source.sql;
        let (one, two) = (self.constant(source), self.constant(source));
        if self.once_in(3) {
            return Some(format!("{sql} BETWEEN {one} AND {two}"));
        }
        let operator = self.pick(&["<", "<=", ">", ">=", "=", "<>"])?;
        Some(format!("{sql} {operator} {one}"))
    }

    /// A number that is never negative, so that sums do not cancel.
    pub(super) fn number(&mut self, columns: &[Source<'_>], depth: usize) -> Option<String> {
        let source = self.measure(columns)?;
        let sql = source.sql.clone();
        let double = source.column.data_type == DataType::Float64;
        if depth == 0 {
            return Some(format!("ABS({sql})"));
        }
        Some(match self.below(7) {
            0 => format!("ABS({sql}) + {}", 1 + self.below(9)),
            1 => format!("ABS({sql}) * {}", 1 + self.below(9)),
            2 => format!("COALESCE(ABS({sql}), 0)"),
            3 => {
                let condition = self.predicate(columns, 1)?;
                format!("CASE WHEN {condition} THEN {} ELSE 0 END", self.number(columns, depth - 1)?)
            }
            4 if double => {
                let function = self.pick(&["FLOOR", "CEIL", "ROUND", "SQRT"])?;
                format!("{function}(ABS({sql}))")
            }
            5 if double => format!("LN(ABS({sql}) + 1.0)"),
            5 => format!("GREATEST({sql}, {sql})"),
            _ => format!("ABS({sql})"),
        })
    }

    fn measure<'a, 'b>(&mut self, columns: &'b [Source<'a>]) -> Option<&'b Source<'a>> {
        let measures: Vec<_> =
            columns.iter().filter(|source| matches!(source.column.role, Role::Measure { .. })).collect();
        self.pick(&measures).copied()
    }

    /// A plausible value of the column.
    fn constant(&mut self, source: &Source<'_>) -> String {
        let number = match source.column.name.as_str() {
            "rebuild_cost" => 90_000 + 1_000 * self.below(300),
            "repair_cost" => 40 + self.below(3_000),
            "weekly_charge" => 120 + self.below(300),
            "rh_pct" => 40 + self.below(40),
            "temp_c" => 15 + self.below(8),
            "school_urn" => 900_001 + self.below(250),
            _ => self.below(40),
        };
        match source.column.data_type {
            DataType::Float64 => format!("{number}.5"),
            DataType::Decimal { .. } => format!("{number}.25"),
            _ => number.to_string(),
        }
    }
}
