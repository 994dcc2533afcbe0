//! What is asked below the released aggregation: rows made one for each group, and EXISTS.
//!
//! An inner aggregation hands its check on to the aggregation above it, as Snowflake's aggregation policies do: where an entity is
//! among its keys, each of its rows is about that entity, and the threshold is asked of the cells that are released. The other
//! entities behind such a row, of which there may be many, are stood for by one: so fewer are counted than there are, and never more.

use jigsaw_proto::expr::{Column, Expr};
use jigsaw_proto::fragment::{Join, JoinKind, Measure};
use jigsaw_proto::refusal::{Refusal, RefusalCode};

use super::input::Input;
use super::{Rows, Use, refused};

/// The rows of an inner aggregation.
pub(super) fn grouped(
    rows: Rows,
    alias: &str,
    keys: &[(String, Expr)],
    measures: &[(String, Measure)],
) -> Result<Rows, Refusal> {
    let input = Input::new(&rows.columns);
    let mut by_entity = false;
    let mut columns = vec![];
    for (name, key) in keys {
        if input.is_entity(key) {
            by_entity |= matches!(key, Expr::Column(column) if input.is_counted(column));
        } else {
            input.condition(key, "GROUP BY")?;
        }
        columns.push(input.projected(key, Column::new(alias, name))?);
    }
    if rows.protected && !by_entity {
        return Err(refused(
            RefusalCode::InnerAggregate,
            "protected rows are aggregated below another aggregation without their entity: add the entity to the inner GROUP BY, \
             or aggregate once"
                .to_owned(),
        ));
    }
    let mut filters = rows.filters.clone();
    for (name, measure) in measures {
        filters.extend(measure.filter.iter().flat_map(|filter| input.sources(filter)));
        columns.push(input.grouped(measure, Column::new(alias, name), rows.protected)?);
    }
    Ok(Rows { columns, kinds: rows.kinds, protected: rows.protected, filters })
}

/// Whether the entities of the right side stay with the rows of a join. EXISTS keeps one for each value of the join keys, which a
/// condition beside them would not let it choose; then they are those that the sides are joined on.
pub(crate) fn carries_right(join: &Join) -> bool {
    match join.kind {
        JoinKind::Inner | JoinKind::Left | JoinKind::Right | JoinKind::Full => true,
        JoinKind::Semi => join.filter.is_none(),
        JoinKind::Anti => false,
    }
}

/// EXISTS over protected rows: whether anybody is there at all is nobody's business, so it is asked about each of the entities that
/// are counted on the left (A23).
pub(super) fn asked_by_exists(join: &Join, left: &Rows, right: &Rows) -> Result<(), Refusal> {
    if !right.protected {
        return Ok(());
    }
    let (left, right_input) = (Input::new(&left.columns), Input::new(&right.columns));
    let about_entity =
        join.on.iter().any(|(own, other)| left.is_counted(own) && right_input.of(other) == Use::Entity);
    if !about_entity {
        return Err(refused(
            RefusalCode::JoinNotAllowed,
            "EXISTS or IN over protected rows would tell whether anybody is there: let it be about the entity of protected rows \
             outside it, as in WHERE inside.person = outside.person"
                .to_owned(),
        ));
    }
    if join.kind == JoinKind::Semi && !carries_right(join) && right.kinds.len() > 1 {
        return Err(refused(
            RefusalCode::JoinNotAllowed,
            "EXISTS with a further condition, over a dataset that protects more than one kind of entity, cannot count them all: \
             join instead, or move the condition into the subquery's own rows"
                .to_owned(),
        ));
    }
    Ok(())
}
