//! Random legal questions over the synthetic federation.
//!
//! Drawn from the part of SQL that a federation must answer exactly under open policy. Kept out: division by a column
//! and integers that could overflow (at a node x/0 and overflow are NULL on purpose), sums of numbers of both signs (no
//! relative tolerance holds where they cancel), and rounding of an average (its last digit may fall either way).

use std::fmt;

use jigsaw_proto::contract::{ColumnContract, Contract, Role};
use jigsaw_proto::types::DataType;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use crate::data::{self, Result};

mod aggregate;
mod expression;
mod nested;
mod partition;
mod reference;

use aggregate::Entities;
pub use partition::Twins;

/// Datasets that questions are about, with a node-local join partner and the key of the join.
const TABLES: [(&str, Option<(&str, &str)>); 13] = [
    ("accommodation_stay", None),
    ("benefit_child", None),
    ("case_support_need", Some(("homelessness_case", "case_id"))),
    ("damp_case", Some(("property", "uprn_key"))),
    ("env_reading", Some(("env_site", "site_code"))),
    ("env_site", None),
    ("flood_report", None),
    ("homelessness_case", Some(("case_support_need", "case_id"))),
    ("property", Some(("damp_case", "uprn_key"))),
    ("rough_sleeping_contact", None),
    ("school_census_pupil", None),
    ("sensor", Some(("property", "uprn_key"))),
    ("sensor_reading", Some(("sensor", "sensor_id"))),
];

/// The questions of a seed, without end.
#[derive(Debug)]
pub struct Questions {
    rng: ChaCha8Rng,
    contracts: Vec<Contract>,
}

/// One question. It brings its rows into a total order where it cuts them off; else compare them sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// the SQL
    pub sql: String,
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sql)
    }
}

/// A table in FROM.
struct Table<'a> {
    alias: &'static str,
    contract: &'a Contract,
}

/// A column of such a table, as SQL names it.
struct Source<'a> {
    sql: String,
    column: &'a ColumnContract,
}

impl Questions {
    /// The questions of a seed.
    pub fn new(seed: u64) -> Result<Self> {
        let contracts = TABLES.iter().map(|(name, _)| data::contract(name)).collect::<Result<_>>()?;
        Ok(Self { rng: ChaCha8Rng::seed_from_u64(seed), contracts })
    }

    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or_default();
        usize::try_from((u64::from(self.rng.next_u32()) * end) >> 32).unwrap_or_default()
    }

    /// True once in so many times.
    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let index = self.below(items.len());
        items.get(index)
    }
}

impl Iterator for Questions {
    type Item = Question;

    fn next(&mut self) -> Option<Question> {
        let contracts = self.contracts.clone();
        let question = loop {
            // Some draws lead nowhere, such as a table without a measure.
            let sql = match self.below(13) {
                0 => self.union(&contracts),
                1 => self.over_aggregate(&contracts),
                2 => self.windowed(&contracts),
                3 => self.by_existence(&contracts),
                4 => self.two_levels(&contracts),
                5 => self.by_reference(&contracts),
                _ => self.select(&contracts),
            };
            if let Some(sql) = sql {
                break sql;
            }
        };
        Some(Question { sql: question })
    }
}

impl Questions {
    /// `SELECT keys, aggregates FROM … WHERE … GROUP BY … HAVING … ORDER BY … LIMIT …`
    fn select(&mut self, contracts: &[Contract]) -> Option<String> {
        let (from, tables) = self.from(contracts)?;
        let columns = sources(&tables);
        let keys = self.keys(&columns, &tables);
        let grouping = self.grouping(&keys);
        let plain = grouping == keys.join(", ");
        let mut items: Vec<String> =
            keys.iter().enumerate().map(|(index, key)| format!("{key} AS k{index}")).collect();
        let by_node = tables.iter().any(|table| keys.contains(&format!("{}.node", table.alias)));
        // Entities are not counted distinct beside a public table, and people only where each group is at one node.
        let entities = match (from.contains("ref_borough"), by_node && plain) {
            (true, _) => Entities::None,
            (false, true) => Entities::All,
            (false, false) => Entities::OfOneNode,
        };
        for index in 0..=self.below(3) {
            let aggregate = self.aggregate(&columns, entities)?;
            items.push(format!("{aggregate} AS a{index}"));
        }
        let mut clauses = vec![format!("SELECT {} FROM {from}", items.join(", "))];
        if !self.once_in(3) {
            clauses.push(format!("WHERE {}", self.predicate(&columns, 2)?));
        }
        if !keys.is_empty() {
            clauses.push(format!("GROUP BY {grouping}"));
        }
        if self.once_in(4) {
            clauses.push(format!("HAVING COUNT(*) > {}", self.below(30)));
        }
        // Subtotals are not told from groups of NULL by their keys: they have no total order.
        if !keys.is_empty() && plain && self.once_in(3) {
            let order: Vec<String> = (1..=keys.len()).map(|position| position.to_string()).collect();
            clauses.push(format!("ORDER BY {}", order.join(", ")));
            if self.once_in(2) {
                clauses.push(format!("LIMIT {} OFFSET {}", 1 + self.below(20), self.below(5)));
            }
        }
        Some(clauses.join(" "))
    }

    /// The keys as they are, or as sets.
    fn grouping(&mut self, keys: &[String]) -> String {
        let list = keys.join(", ");
        if keys.is_empty() || !self.once_in(6) {
            return list;
        }
        match (self.below(4), keys) {
            (0, _) => format!("ROLLUP ({list})"),
            (1, _) => format!("CUBE ({list})"),
            (2, [first, rest @ ..]) if !rest.is_empty() => format!("{first}, ROLLUP ({})", rest.join(", ")),
            _ => {
                let sets: Vec<String> = keys.iter().map(|key| format!("({key})")).collect();
                format!("GROUPING SETS ({}, ())", sets.join(", "))
            }
        }
    }

    /// Two parts of one table under one aggregate.
    fn union(&mut self, contracts: &[Contract]) -> Option<String> {
        let contract = self.pick(contracts)?;
        let table = [Table { alias: "t", contract }];
        let columns = sources(&table);
        let dimension = self.dimension(&columns)?.column.name.clone();
        let name = &contract.name;
        let one = self.predicate(&columns, 1)?;
        let two = self.predicate(&columns, 1)?;
        Some(format!(
            "SELECT {dimension} AS k0, COUNT(*) AS a0 FROM (SELECT t.{dimension} FROM {name} AS t WHERE {one} \
             UNION ALL SELECT t.{dimension} FROM {name} AS t WHERE {two}) AS u GROUP BY {dimension}"
        ))
    }

    /// Aggregates of released values.
    fn over_aggregate(&mut self, contracts: &[Contract]) -> Option<String> {
        let contract = self.pick(contracts)?;
        let tables = [Table { alias: "t", contract }];
        let columns = sources(&tables);
        let key = self.dimension(&columns)?.sql.clone();
        let predicate = self.predicate(&columns, 1)?;
        let name = &contract.name;
        Some(format!(
            "WITH c AS (SELECT t.node AS n, {key} AS k, COUNT(*) AS rows FROM {name} AS t WHERE {predicate} \
             GROUP BY t.node, {key}) SELECT n, SUM(rows) AS a0, MAX(rows) AS a1, COUNT(*) AS a2 FROM c GROUP BY n"
        ))
    }

    /// Windows over released values.
    fn windowed(&mut self, contracts: &[Contract]) -> Option<String> {
        let contract = self.pick(contracts)?;
        let tables = [Table { alias: "t", contract }];
        let columns = sources(&tables);
        let key = self.dimension(&columns)?.sql.clone();
        let predicate = self.predicate(&columns, 1)?;
        let name = &contract.name;
        Some(format!(
            "SELECT t.node AS k0, {key} AS k1, COUNT(*) AS a0, SUM(COUNT(*)) OVER (PARTITION BY t.node) AS a1, \
             RANK() OVER (PARTITION BY t.node ORDER BY COUNT(*) DESC) AS a2 FROM {name} AS t WHERE {predicate} \
             GROUP BY t.node, {key}"
        ))
    }

    /// One table, or two joined within a node, or with the boroughs.
    fn from<'a>(&mut self, contracts: &'a [Contract]) -> Option<(String, Vec<Table<'a>>)> {
        let (name, partner) = *self.pick(&TABLES)?;
        let find = |name: &str| contracts.iter().find(|contract| contract.name.as_str() == name);
        let mut tables = vec![Table { alias: "t", contract: find(name)? }];
        let mut from = format!("{name} AS t");
        if let Some((other, key)) = partner
            && self.once_in(3)
        {
            let join = if self.once_in(2) { "LEFT JOIN" } else { "JOIN" };
            from = format!("{from} {join} {other} AS o ON o.node = t.node AND o.{key} = t.{key}");
            tables.push(Table { alias: "o", contract: find(other)? });
        } else if self.once_in(4) && find(name)?.column("borough_gss").is_some() {
            from += " JOIN ref_borough AS b ON b.gss = t.borough_gss";
            if self.once_in(2) {
                from = format!("{from} AND {}", self.of_borough("b"));
            }
        }
        Some((from, tables))
    }

    /// None to two group keys.
    fn keys(&mut self, columns: &[Source<'_>], tables: &[Table<'_>]) -> Vec<String> {
        let mut keys = Vec::new();
        for _ in 0..self.below(3) {
            let node = self.once_in(3);
            let key = if node {
                tables.first().map(|table| format!("{}.node", table.alias))
            } else {
                self.key(columns)
            };
            keys.extend(key.filter(|key| !keys.contains(key)));
        }
        keys
    }

    fn dimension<'a, 'b>(&mut self, columns: &'b [Source<'a>]) -> Option<&'b Source<'a>> {
        let dimensions: Vec<_> =
            columns.iter().filter(|source| matches!(source.column.role, Role::Dimension)).collect();
        self.pick(&dimensions).copied()
    }

    fn pick_comparable<'a, 'b>(&mut self, columns: &'b [Source<'a>]) -> Option<&'b Source<'a>> {
        let comparable: Vec<_> = columns
            .iter()
            .filter(|source| matches!(source.column.role, Role::Dimension | Role::Measure { .. }))
            .filter(|source| source.column.data_type != DataType::Boolean)
            .collect();
        self.pick(&comparable).copied()
    }
}

/// The columns of the tables that a question may use, hidden ones left out.
fn sources<'a>(tables: &[Table<'a>]) -> Vec<Source<'a>> {
    let mut sources = Vec::new();
    for table in tables {
        let visible = table.contract.columns.iter().filter(|column| !matches!(column.role, Role::Hidden));
        sources
            .extend(visible.map(|column| Source { sql: format!("{}.{}", table.alias, column.name), column }));
    }
    sources
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_asks_the_same() {
        let ask = |seed| Questions::new(seed).unwrap().take(50).collect::<Vec<_>>();
        assert_eq!(ask(1), ask(1));
        assert_ne!(ask(1), ask(2));
    }

    #[test]
    fn questions_are_of_many_kinds() {
        // As many as two runs ask: the rarest kind, EXTRACT, is one question in a hundred.
        let asked: Vec<String> = Questions::new(1).unwrap().take(600).map(|question| question.sql).collect();
        for kind in [
            "UNION ALL",
            "WITH",
            "OVER",
            "LEFT JOIN",
            " JOIN ",
            "ref_borough AS b ON b.gss = t.borough_gss AND",
            "IN (SELECT",
            "FILTER",
            "HAVING",
            "LIMIT",
            "CASE",
            "ILIKE",
            "BETWEEN",
            " IN (",
            "IS NULL",
            "COUNT(DISTINCT",
            "STDDEV",
            "VAR_",
            "COVAR_",
            "REGR_",
            "BOOL_",
            "MEDIAN",
            "PERCENTILE_CONT",
            "ROLLUP",
            "CUBE",
            "GROUPING SETS",
            "date_trunc",
            "EXTRACT",
            "COALESCE",
            "NOT ",
        ] {
            let times = asked.iter().filter(|sql| sql.contains(kind)).count();
            assert!(times >= 3, "{kind} occurs {times} times");
        }
    }
}
