//! Who stands behind a cell, and with how much: one holding for each entity.
//!
//! Dominance, cell keys and the guard against overlapping cells ask more than how many entities there are. This aggregate
//! keeps, for each group, every entity's key with the number of its rows and the sum of its amounts. It grows with the number
//! of entities and is bounded by the node's memory like every other aggregate; where a policy asks for the threshold alone,
//! [`super::contributors`] is used instead.

use std::hash::BuildHasher;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, ListArray, StructArray, UInt64Array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type, UInt64Type};
use datafusion::common::{ScalarValue, internal_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};
use foldhash::fast::RandomState;

use super::tallies::{Entities, Tallies, Tally};
use crate::secret::Secret;

/// What one entity holds of a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Holding {
    /// the entity's key under the node's secret
    pub(crate) entity: u64,
    /// how many of its rows are in the cell
    pub(crate) rows: u64,
    /// the sum of their amounts; of ones, where the cell counts
    pub(crate) amount: f64,
}

/// `holdings(entity, amount…)`: each entity of a group with the number and sum of its amounts that are not NULL, in the order of
/// their keys. A NULL entity is none. One call serves all cells of a group, so that a row is looked up once.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Holdings {
    secret: Secret,
    cells: usize,
    signature: Signature,
}

impl Holdings {
    /// Of so many amounts.
    pub(super) fn new(secret: Secret, cells: usize) -> Self {
        Self { secret, cells, signature: Signature::any(1 + cells, Volatility::Immutable) }
    }

    fn groups(&self) -> Groups {
        Groups::new(self.secret, self.cells)
    }
}

/// The key, then rows and amount for each cell.
fn fields(cells: usize) -> Fields {
    let cell = |cell: usize| {
        [
            Field::new(format!("rows{cell}"), DataType::UInt64, false),
            Field::new(format!("amount{cell}"), DataType::Float64, false),
        ]
    };
    [Field::new("entity", DataType::UInt64, false)].into_iter().chain((0..cells).flat_map(cell)).collect()
}

fn list_field(cells: usize) -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Struct(fields(cells)), false))
}

impl AggregateUDFImpl for Holdings {
    fn name(&self) -> &'static str {
        "holdings"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(list_field(self.cells)))
    }

    fn is_nullable(&self) -> bool {
        false
    }

    fn state_fields(&self, _: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new("holdings", DataType::List(list_field(self.cells)), false))])
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Group(self.groups())))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(self.groups()))
    }

    fn default_value(&self, _: &DataType) -> Result<ScalarValue> {
        let mut none = self.groups();
        none.many = 1;
        Ok(ScalarValue::List(Arc::new(none.take(EmitTo::All)?)))
    }
}

/// The holdings of many groups: one table of tallies for all of them.
#[derive(Debug)]
struct Groups {
    secret: Secret,
    cells: usize,
    entities: Entities,
    tallies: Tallies,
    many: usize,
    fast: RandomState,
}

impl Groups {
    fn new(secret: Secret, cells: usize) -> Self {
        let (entities, tallies) = (Entities::default(), Tallies::new(cells));
        Self { secret, cells, entities, tallies, many: 0, fast: RandomState::default() }
    }

    fn update(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        let Some((entities, amounts)) = values.split_first() else {
            return internal_err!("holdings takes an entity");
        };
        self.many = self.many.max(total);
        let entities = cast(entities, &DataType::Utf8View)?;
        let amounts = amounts.iter().map(|amounts| cast(amounts, &DataType::Float64));
        let amounts = amounts.collect::<std::result::Result<Vec<_>, _>>()?;
        let amounts: Vec<_> = amounts.iter().map(AsArray::as_primitive::<Float64Type>).collect();
        for (row, (entity, group)) in entities.as_string_view().iter().zip(groups).enumerate() {
            let kept = filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            let Some(entity) = entity.filter(|_| kept) else { continue };
            let secret = &self.secret;
            let id = self.entities.id(self.fast.hash_one(entity), || secret.entity_key(entity.as_bytes()));
            self.tallies.push(*group, id, |cell| match amounts.get(cell) {
                Some(amounts) if amounts.is_valid(row) => Tally { rows: 1, amount: amounts.value(row) },
                _ => Tally::default(),
            });
        }
        self.tallies.settle_if_long();
        Ok(())
    }

    fn merge(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        let [states] = states else { return internal_err!("holdings has one state") };
        self.many = self.many.max(total);
        let states = states.as_list::<i32>();
        for (row, group) in groups.iter().enumerate() {
            let cells: Vec<_> = (0..self.cells).map(|cell| every(states, row, cell)).collect();
            let Some(first) = cells.first() else { continue };
            for (place, Holding { entity, .. }) in first.iter().enumerate() {
                // Of states, the key that lasts is all there is.
                let id = self.entities.id(*entity, || *entity);
                self.tallies.push(*group, id, |cell| {
                    let holding = cells.get(cell).and_then(|holdings| holdings.get(place));
                    holding.map_or_else(Tally::default, |Holding { rows, amount, .. }| Tally {
                        rows: *rows,
                        amount: *amount,
                    })
                });
            }
        }
        self.tallies.settle_if_long();
        Ok(())
    }

    /// The lists of the groups that are wanted; the others move up.
    fn take(&mut self, emit_to: EmitTo) -> Result<ListArray> {
        let emitted = match emit_to {
            EmitTo::All => self.many,
            EmitTo::First(groups) => groups.min(self.many),
        };
        self.many -= emitted;
        let order = self.entities.sort();
        self.tallies.renumber(&order);
        let taken = self.tallies.take(emitted);
        let mut lengths = vec![0; emitted];
        for (group, _) in taken.places() {
            if let Some(length) = lengths.get_mut(group) {
                *length += 1;
            }
        }
        let keys = taken.places().filter_map(|(_, id)| self.entities.key(id));
        let mut columns: Vec<ArrayRef> = vec![Arc::new(keys.collect::<UInt64Array>())];
        for cell in 0..self.cells {
            columns.push(Arc::new(taken.of_cell(cell).map(|tally| tally.rows).collect::<UInt64Array>()));
            columns.push(Arc::new(taken.of_cell(cell).map(|tally| tally.amount).collect::<Float64Array>()));
        }
        let structs = StructArray::try_new(fields(self.cells), columns, None)?;
        let offsets = OffsetBuffer::from_lengths(lengths);
        Ok(ListArray::try_new(list_field(self.cells), offsets, Arc::new(structs), None)?)
    }

    fn bytes(&self) -> usize {
        self.entities.bytes() + self.tallies.bytes()
    }
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.update(values, group_indices, filter, total_num_groups)
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.merge(states, group_indices, total_num_groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        Ok(Arc::new(self.take(emit_to)?))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![Arc::new(self.take(emit_to)?)])
    }

    /// Each row as a group of its own.
    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = values.first().map_or(0, Array::len);
        let mut each = Self::new(self.secret, self.cells);
        each.update(values, &(0..rows).collect::<Vec<_>>(), filter, rows)?;
        Ok(vec![Arc::new(each.take(EmitTo::All)?)])
    }

    fn size(&self) -> usize {
        self.bytes()
    }
}

/// One group, for fragments without keys.
#[derive(Debug)]
struct Group(Groups);

impl Accumulator for Group {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let rows = values.first().map_or(0, Array::len);
        self.0.update(values, &vec![0; rows], None, 1)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let rows = states.first().map_or(0, Array::len);
        self.0.merge(states, &vec![0; rows], 1)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.0.many = 1;
        Ok(ScalarValue::List(Arc::new(self.0.take(EmitTo::All)?)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.0.bytes()
    }
}

/// What the entities of a group hold of one of its cells: those that have rows in it.
pub(super) fn of(lists: &ListArray, row: usize, cell: usize) -> Vec<Holding> {
    let mut holdings = every(lists, row, cell);
    holdings.retain(|holding| holding.rows > 0);
    holdings
}

fn every(lists: &ListArray, row: usize, cell: usize) -> Vec<Holding> {
    if row >= lists.len() || lists.is_null(row) {
        return vec![];
    }
    let list = lists.value(row);
    let columns = list.as_struct().columns();
    let (Some(entities), Some(rows), Some(amounts)) =
        (columns.first(), columns.get(1 + 2 * cell), columns.get(2 + 2 * cell))
    else {
        return vec![];
    };
    let rows = rows.as_primitive::<UInt64Type>().values();
    let amounts = amounts.as_primitive::<Float64Type>().values();
    let entities = entities.as_primitive::<UInt64Type>().values();
    let holding = |((entity, rows), amount): ((&u64, &u64), &f64)| Holding {
        entity: *entity,
        rows: *rows,
        amount: *amount,
    };
    entities.iter().zip(rows).zip(amounts).map(holding).collect()
}
