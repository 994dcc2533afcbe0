//! Reference tables that choose rows.

use jigsaw_proto::contract::Contract;

use super::{Entities, Questions, Table, sources};

/// Columns that are keys of a reference table: the column, and the table with its key.
const KEYS: [(&str, &str, &str); 4] = [
    ("borough_gss", "ref_borough", "gss"),
    ("borough_gss", "ref_neighbour", "gss_a"),
    ("home_gss", "ref_borough", "gss"),
    ("school_urn", "ref_school", "urn"),
];

impl Questions {
    /// A condition on a borough of the reference table.
    pub(super) fn of_borough(&mut self, alias: &str) -> String {
        match self.below(5) {
            0 => format!("{alias}.inner_outer = 'Inner'"),
            1 => format!("{alias}.population > {}", self.below(400_000)),
            2 => format!("{alias}.households BETWEEN {} AND 110000", self.below(110_000)),
            3 => format!("{alias}.name LIKE '%a{}%'", self.pick(&["m", "r", "n", "ck"]).unwrap_or(&"m")),
            _ => format!("({alias}.inner_outer <> 'Inner' OR {alias}.pop_0_15 < {})", self.below(90_000)),
        }
    }

    fn of_reference(&mut self, table: &str) -> String {
        match table {
            "ref_borough" => self.of_borough("b"),
            "ref_neighbour" => format!("b.gss_b < 'E090000{:02}'", 1 + self.below(33)),
            _ => format!("b.pct_fsm > {} OR b.phase = 'Secondary'", self.below(40)),
        }
    }

    /// Rows whose key is among those of a reference table that pass a condition, or is not.
    pub(super) fn by_reference(&mut self, contracts: &[Contract]) -> Option<String> {
        let contract = self.pick(contracts)?;
        let (column, table, key) = *self.pick(&KEYS)?;
        contract.column(column)?;
        let tables = [Table { alias: "t", contract }];
        let columns = sources(&tables);
        let dimension = self.dimension(&columns)?.sql.clone();
        let (predicate, condition) = (self.predicate(&columns, 1)?, self.of_reference(table));
        let among = match self.below(5) {
            0 => format!("t.{column} NOT IN (SELECT b.{key} FROM {table} AS b WHERE {condition})"),
            1 => format!("EXISTS (SELECT 1 FROM {table} AS b WHERE b.{key} = t.{column} AND ({condition}))"),
            2 => format!(
                "t.{column} IN (SELECT NULLIF(b.{key}, b.{key}) FROM {table} AS b UNION ALL SELECT b.{key} FROM {table} AS b WHERE {condition})"
            ),
            _ => format!("t.{column} IN (SELECT b.{key} FROM {table} AS b WHERE {condition})"),
        };
        // Beside a table that stays, entities are not counted distinct.
        let entities = if among.contains("NOT IN") { Entities::None } else { Entities::OfOneNode };
        let aggregate = self.aggregate(&columns, entities)?;
        let name = &contract.name;
        Some(format!(
            "SELECT {dimension} AS k0, {aggregate} AS a0 FROM {name} AS t WHERE ({predicate}) AND {among} GROUP BY {dimension}"
        ))
    }
}
