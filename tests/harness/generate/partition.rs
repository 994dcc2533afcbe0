//! Questions that must have one answer without asking anybody else: a whole and its parts.
//!
//! Rigger and Su (2020), *Finding Bugs in Database Systems via Query Partitioning* (TLP): rows where a condition is true, false and
//! NULL are all rows. Rigger and Su (2020), *Detecting Optimization Bugs in Database Engines via Non-Optimizing Reference Engine
//! Construction* (`NoREC`): a condition in WHERE, which is pushed down, says what it says in the select list.

use jigsaw_proto::contract::Contract;

use super::{Questions, Table, sources};

/// Two questions with one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twins {
    /// the SQL of one
    pub one: String,
    /// of the other
    pub other: String,
}

impl Questions {
    /// The next pair.
    pub fn twins(&mut self) -> Twins {
        let contracts = self.contracts.clone();
        loop {
            let twins =
                if self.once_in(3) { self.counted_twice(&contracts) } else { self.partitioned(&contracts) };
            if let Some(twins) = twins {
                return twins;
            }
        }
    }

    /// A count of the rows that pass a condition, and the same as a sum over all rows.
    fn counted_twice(&mut self, contracts: &[Contract]) -> Option<Twins> {
        let contract = self.pick(contracts)?;
        let columns = sources(&[Table { alias: "t", contract }]);
        let condition = self.predicate(&columns, 2)?;
        let name = &contract.name;
        Some(Twins {
            one: format!("SELECT COUNT(*) AS n FROM {name} AS t WHERE {condition}"),
            other: format!(
                "SELECT COALESCE(SUM(CASE WHEN {condition} THEN 1 ELSE 0 END), 0) AS n FROM {name} AS t"
            ),
        })
    }

    /// Groups of all rows, and the same put together from those where a condition is true, false and neither.
    fn partitioned(&mut self, contracts: &[Contract]) -> Option<Twins> {
        let contract = self.pick(contracts)?;
        let columns = sources(&[Table { alias: "t", contract }]);
        let (key, condition) = (self.key(&columns)?, self.predicate(&columns, 2)?);
        let counted = self.dimension(&columns)?.sql.clone();
        let summed = self.number(&columns, 1).unwrap_or_else(|| "1".to_owned());
        let least = self.pick_comparable(&columns)?.sql.clone();
        let name = &contract.name;
        let part = |condition: &str| {
            format!(
                "SELECT {key} AS k, COUNT(*) AS n, COUNT({counted}) AS c, SUM({summed}) AS s, MIN({least}) AS l \
                 FROM {name} AS t WHERE {condition} GROUP BY {key}"
            )
        };
        let parts =
            [format!("({condition})"), format!("NOT ({condition})"), format!("({condition}) IS NULL")];
        let parts = parts.map(|condition| part(&condition)).join(" UNION ALL ");
        Some(Twins {
            one: part("TRUE"),
            other: format!(
                "SELECT k, SUM(n) AS n, SUM(c) AS c, SUM(s) AS s, MIN(l) AS l FROM ({parts}) AS p GROUP BY k"
            ),
        })
    }
}
