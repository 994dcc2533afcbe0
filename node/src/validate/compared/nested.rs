//! Rows made one for each group, below the released aggregation.

use jigsaw_proto::expr::{Column, Expr};
use jigsaw_proto::fragment::Measure;
use jigsaw_proto::refusal::Refusal;

use super::{Columns, Made, Tests};

impl Tests<'_> {
    /// A number of rows is made of nothing, for what is counted was checked; any other aggregate is made of its argument, and no
    /// longer has the values of a column.
    pub(super) fn grouped(
        &mut self,
        alias: &str,
        keys: &[(String, Expr)],
        measures: &[(String, Measure)],
        input: &Columns,
    ) -> Result<Columns, Refusal> {
        let mut columns = vec![];
        for (name, key) in keys {
            self.key(key, input)?;
            columns.push((Column::new(alias, name), self.made(key, input)?));
        }
        for (name, measure) in measures {
            self.measure(measure, input)?;
            let argument = measure.argument.as_ref().filter(|_| !measure.state.is_count());
            let made = argument.map(|argument| self.made(argument, input)).transpose()?;
            let made = made.map_or_else(Made::outcome, |made| Made { plain: false, ..made });
            columns.push((Column::new(alias, name), made));
        }
        Ok(columns)
    }
}
