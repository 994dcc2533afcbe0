//! Aggregates.

use jigsaw_proto::contract::Role;

use super::{Questions, Source};

/// Which entities may be counted distinct.
#[derive(Debug, Clone, Copy)]
pub(super) enum Entities {
    None,
    OfOneNode,
    All,
}

impl Questions {
    pub(super) fn aggregate(&mut self, columns: &[Source<'_>], entities: Entities) -> Option<String> {
        if self.below(14) < 9 {
            return self.of_states(columns, entities);
        }
        let call = match self.below(5) {
            0 => format!("COUNT(DISTINCT {})", self.key(columns)?),
            1 => {
                let function = if self.once_in(2) { "BOOL_AND" } else { "BOOL_OR" };
                format!("{function}({})", self.predicate(columns, 1)?)
            }
            2 => {
                let functions =
                    ["COVAR_SAMP", "COVAR_POP", "REGR_COUNT", "REGR_AVGY", "REGR_SXX", "REGR_SXY"];
                let (one, two) = (self.number(columns, 0)?, self.number(columns, 0)?);
                format!("{}({one}, {two})", self.pick(&functions)?)
            }
            3 => format!("MEDIAN({})", self.number(columns, 2)?),
            _ => {
                let number = self.number(columns, 2)?;
                let fraction = self.pick(&["0.05", "0.25", "0.9", "0.95"])?;
                let order = if self.once_in(4) { " DESC" } else { "" };
                format!("PERCENTILE_CONT({fraction}) WITHIN GROUP (ORDER BY {number}{order})")
            }
        };
        self.sometimes_filtered(call, columns)
    }

    /// An aggregate that is answered below another aggregation, too.
    pub(super) fn of_states(&mut self, columns: &[Source<'_>], entities: Entities) -> Option<String> {
        let call = match self.below(9) {
            0 | 1 => "COUNT(*)".to_owned(),
            2 => format!("COUNT({})", self.dimension(columns)?.sql),
            3 => self.count_entities(columns, entities).unwrap_or_else(|| "COUNT(*)".to_owned()),
            4 => {
                let function = if self.once_in(2) { "MIN" } else { "MAX" };
                format!("{function}({})", self.pick_comparable(columns)?.sql)
            }
            kind => {
                let Some(number) = self.number(columns, 2) else { return Some("COUNT(*)".to_owned()) };
                match kind {
                    5 | 6 => format!("SUM({number})"),
                    7 => format!("AVG({number})"),
                    _ => {
                        let functions = ["VAR_SAMP", "VAR_POP", "STDDEV", "STDDEV_POP", "STDDEV_SAMP"];
                        format!("{}({number})", self.pick(&functions)?)
                    }
                }
            }
        };
        self.sometimes_filtered(call, columns)
    }

    fn sometimes_filtered(&mut self, call: String, columns: &[Source<'_>]) -> Option<String> {
        if self.once_in(5) {
            let condition = self.predicate(columns, 1)?;
            return Some(format!("{call} FILTER (WHERE {condition})"));
        }
        Some(call)
    }

    /// Entities that exist at one node only, or any entity where the groups are within nodes.
    fn count_entities(&mut self, columns: &[Source<'_>], which: Entities) -> Option<String> {
        let counted = |source: &&Source<'_>| match (&source.column.role, which) {
            (Role::Entity { node_scoped }, Entities::OfOneNode) => *node_scoped,
            (Role::Entity { .. }, Entities::All) => true,
            _ => false,
        };
        let entities: Vec<_> = columns.iter().filter(counted).collect();
        self.pick(&entities).map(|source| format!("COUNT(DISTINCT {})", source.sql))
    }
}
