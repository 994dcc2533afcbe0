//! EXISTS, and aggregations below aggregations.

use jigsaw_proto::contract::{Contract, Role};

use super::{Entities, Questions, TABLES, Table, sources};

impl Questions {
    /// Rows of a table that have a match in another of the same node, or none.
    pub(super) fn by_existence(&mut self, contracts: &[Contract]) -> Option<String> {
        let (name, partner) = *self.pick(&TABLES)?;
        let (other, key) = partner?;
        let find = |name: &str| contracts.iter().find(|contract| contract.name.as_str() == name);
        let (outside, inside) =
            ([Table { alias: "t", contract: find(name)? }], [Table { alias: "o", contract: find(other)? }]);
        let (columns, inner) = (sources(&outside), sources(&inside));
        let dimension = self.dimension(&columns)?.sql.clone();
        let not = if self.once_in(2) { "NOT " } else { "" };
        let (predicate, condition) = (self.predicate(&columns, 1)?, self.predicate(&inner, 1)?);
        let exists = if self.once_in(3) {
            let further = self.dimension(&inner)?.sql.clone();
            format!("{further} IS NOT NULL AND {condition}")
        } else {
            condition
        };
        let aggregate = self.aggregate(&columns, Entities::OfOneNode)?;
        Some(format!(
            "SELECT {dimension} AS k0, {aggregate} AS a0 FROM {name} AS t WHERE ({predicate}) AND {not}EXISTS (SELECT 1 FROM {other} AS o \
             WHERE o.node = t.node AND o.{key} = t.{key} AND ({exists})) GROUP BY {dimension}"
        ))
    }

    /// Aggregates over what was aggregated for each entity of a node.
    pub(super) fn two_levels(&mut self, contracts: &[Contract]) -> Option<String> {
        let contract = self.pick(contracts)?;
        let tables = [Table { alias: "t", contract }];
        let columns = sources(&tables);
        let entities: Vec<&str> = contract
            .columns
            .iter()
            .filter(|column| matches!(column.role, Role::Entity { .. }))
            .map(|column| column.name.as_str())
            .collect();
        let entity = *self.pick(&entities)?;
        let dimension = self.dimension(&columns)?.sql.clone();
        let (predicate, inner) = (self.predicate(&columns, 1)?, self.of_states(&columns, Entities::All)?);
        let name = &contract.name;
        let having = if self.once_in(3) { "HAVING COUNT(*) > 1" } else { "" };
        Some(format!(
            "WITH e AS (SELECT t.node AS n, t.{entity} AS e, {dimension} AS k, COUNT(*) AS c, {inner} AS x FROM {name} AS t \
             WHERE {predicate} GROUP BY t.node, t.{entity}, {dimension} {having}) \
             SELECT k AS k0, COUNT(*) AS a0, SUM(c) AS a1, MAX(c) AS a2, COUNT(x) AS a3, MIN(x) AS a4, MAX(x) AS a5 FROM e GROUP BY k"
        ))
    }
}
