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
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type};
use datafusion::common::{ScalarValue, internal_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};
use foldhash::fast::RandomState;

use super::holders::{Held, Named};
use super::tallies::{Entities, Tallies, Tally};
use crate::secret::Secret;

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
        let amounts = amounts.iter().map(AsArray::as_primitive::<Float64Type>);
        let amounts: Vec<_> = amounts.map(|amounts| (amounts.values().as_ref(), amounts.nulls())).collect();
        for (row, (entity, group)) in entities.as_string_view().iter().zip(groups).enumerate() {
            let kept = filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            let Some(entity) = entity.filter(|_| kept) else { continue };
            let secret = &self.secret;
            let id = self.entities.id(self.fast.hash_one(entity), || secret.entity_key(entity.as_bytes()));
            let tally = |(amounts, nulls): &(&[f64], Option<&NullBuffer>)| match amounts.get(row) {
                Some(amount) if nulls.is_none_or(|nulls| nulls.is_valid(row)) => {
                    Tally { rows: 1, amount: *amount }
                }
                _ => Tally::default(),
            };
            self.tallies.push(*group, id, amounts.iter().map(tally));
        }
        self.tallies.settle_if_long();
        Ok(())
    }

    fn merge(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        let [states] = states else { return internal_err!("holdings has one state") };
        self.many = self.many.max(total);
        let states = states.as_list::<i32>();
        let cells = (0..self.cells).map(|cell| Named::of(states, cell)).collect::<Result<Vec<_>>>()?;
        for (row, group) in groups.iter().enumerate() {
            let held: Vec<Held<'_>> = cells.iter().map(|named| named.held(row)).collect();
            let Some(first) = held.first() else { continue };
            for (place, entity) in first.entities.iter().enumerate() {
                // Of states, the key that lasts is all there is.
                let id = self.entities.id(*entity, || *entity);
                let tally = |held: &Held<'_>| match (held.rows.get(place), held.amounts.get(place)) {
                    (Some(rows), Some(amount)) => Tally { rows: *rows, amount: *amount },
                    _ => Tally::default(),
                };
                self.tallies.push(*group, id, held.iter().map(tally));
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
        let keys: Vec<u64> = taken.places().filter_map(|(_, id)| self.entities.key(id)).collect();
        let mut columns: Vec<ArrayRef> = vec![Arc::new(UInt64Array::from(keys))];
        for cell in 0..self.cells {
            let rows: Vec<u64> = taken.of_cell(cell).map(|tally| tally.rows).collect();
            let amounts: Vec<f64> = taken.of_cell(cell).map(|tally| tally.amount).collect();
            columns.extend([
                Arc::new(UInt64Array::from(rows)) as ArrayRef,
                Arc::new(Float64Array::from(amounts)),
            ]);
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
