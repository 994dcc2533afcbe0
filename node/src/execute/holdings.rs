//! Who stands behind a cell, and with how much: one holding for each entity.
//!
//! Dominance, cell keys and the guard against overlapping cells ask more than how many entities there are. This aggregate
//! keeps, for each group, every entity's key with the number of its rows and the sum of its amounts. It grows with the number
//! of entities and is bounded by the node's memory like every other aggregate; where a policy asks for the threshold alone,
//! [`super::contributors`] is used instead.

use std::collections::HashMap;
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
        Groups { secret: self.secret, cells: self.cells, ..Groups::default() }
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

/// What an entity holds of one cell.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    rows: u64,
    amount: f64,
}

/// The holdings of many groups: one table for all of them.
#[derive(Debug, Default)]
struct Groups {
    secret: Secret,
    cells: usize,
    /// by the group and a fast hash of the entity: the key that lasts is made once for each
    places: HashMap<(usize, u64), usize, RandomState>,
    entities: Vec<(usize, u64)>,
    /// as many for each entity as there are cells
    tallies: Vec<Tally>,
    many: usize,
    fast: RandomState,
}

impl Groups {
    /// The tallies of an entity of a group; its key is made when it is new.
    fn tallies(&mut self, group: usize, fast: u64, key: impl FnOnce(&Secret) -> u64) -> &mut [Tally] {
        let Self { secret, cells, places, entities, tallies, .. } = self;
        let place = *places.entry((group, fast)).or_insert_with(|| {
            entities.push((group, key(secret)));
            tallies.resize(entities.len() * *cells, Tally::default());
            entities.len() - 1
        });
        tallies.get_mut(place * *cells..(place + 1) * *cells).unwrap_or(&mut [])
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
        let entities = cast(entities, &DataType::Utf8)?;
        let amounts = amounts.iter().map(|amounts| cast(amounts, &DataType::Float64));
        let amounts = amounts.collect::<std::result::Result<Vec<_>, _>>()?;
        let amounts: Vec<_> = amounts.iter().map(AsArray::as_primitive::<Float64Type>).collect();
        for (row, (entity, group)) in entities.as_string::<i32>().iter().zip(groups).enumerate() {
            let kept = filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            let Some(entity) = entity.filter(|_| kept) else { continue };
            let fast = self.fast.hash_one(entity);
            let tallies = self.tallies(*group, fast, |secret| secret.entity_key(entity.as_bytes()));
            for (tally, amounts) in tallies.iter_mut().zip(&amounts) {
                if amounts.is_valid(row) {
                    tally.rows += 1;
                    tally.amount += amounts.value(row);
                }
            }
        }
        Ok(())
    }

    fn merge(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        let [states] = states else { return internal_err!("holdings has one state") };
        self.many = self.many.max(total);
        let states = states.as_list::<i32>();
        let cells = (0..self.cells)
            .flat_map(|cell| groups.iter().enumerate().map(move |(row, group)| (cell, row, group)));
        for (cell, row, group) in cells {
            for Holding { entity, rows, amount } in every(states, row, cell) {
                // Of states, the key that lasts is all there is.
                if let Some(tally) = self.tallies(*group, entity, |_| entity).get_mut(cell) {
                    tally.rows += rows;
                    tally.amount += amount;
                }
            }
        }
        Ok(())
    }

    /// The lists of the groups that are wanted; the others move up.
    fn take(&mut self, emit_to: EmitTo) -> Result<ListArray> {
        let emitted = match emit_to {
            EmitTo::All => self.many,
            EmitTo::First(groups) => groups.min(self.many),
        };
        let mut order: Vec<usize> = (0..self.entities.len()).collect();
        order.retain(|place| self.entities.get(*place).is_some_and(|(group, _)| *group < emitted));
        order.sort_unstable_by_key(|place| self.entities.get(*place).copied());
        let lists = self.lists(&order, emitted)?;
        self.drop_first(emitted);
        Ok(lists)
    }

    fn drop_first(&mut self, emitted: usize) {
        self.many -= emitted;
        let places = std::mem::take(&mut self.places);
        let (entities, tallies) = (std::mem::take(&mut self.entities), std::mem::take(&mut self.tallies));
        let mut kept: Vec<_> = places.into_iter().filter(|((group, _), _)| *group >= emitted).collect();
        kept.sort_unstable_by_key(|(_, place)| *place);
        for ((group, fast), place) in kept {
            let Some((_, key)) = entities.get(place).copied() else { continue };
            let held = tallies.get(place * self.cells..(place + 1) * self.cells).unwrap_or(&[]);
            for (tally, held) in self.tallies(group - emitted, fast, |_| key).iter_mut().zip(held) {
                *tally = *held;
            }
        }
    }

    /// Lists of the entities at `order`, which is that of their groups.
    fn lists(&self, order: &[usize], groups: usize) -> Result<ListArray> {
        let entities = || order.iter().filter_map(|place| self.entities.get(*place));
        let mut lengths = vec![0; groups];
        for (group, _) in entities() {
            if let Some(length) = lengths.get_mut(*group) {
                *length += 1;
            }
        }
        let mut columns: Vec<ArrayRef> =
            vec![Arc::new(entities().map(|(_, key)| *key).collect::<UInt64Array>())];
        for cell in 0..self.cells {
            let tallies = || order.iter().filter_map(|place| self.tallies.get(place * self.cells + cell));
            columns.push(Arc::new(tallies().map(|tally| tally.rows).collect::<UInt64Array>()));
            columns.push(Arc::new(tallies().map(|tally| tally.amount).collect::<Float64Array>()));
        }
        let structs = StructArray::try_new(fields(self.cells), columns, None)?;
        let offsets = OffsetBuffer::from_lengths(lengths);
        Ok(ListArray::try_new(list_field(self.cells), offsets, Arc::new(structs), None)?)
    }

    fn bytes(&self) -> usize {
        self.entities.capacity() * size_of::<(usize, u64)>()
            + self.tallies.capacity() * size_of::<Tally>()
            + self.places.capacity() * (size_of::<((usize, u64), usize)>() + 1)
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
        let mut each = Self { secret: self.secret, cells: self.cells, ..Self::default() };
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
