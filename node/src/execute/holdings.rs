//! Who stands behind a cell, and with how much: one holding for each entity.
//!
//! Dominance, cell keys and the guard against overlapping cells ask more than how many entities there are. This aggregate
//! keeps, for each group, every entity's key with the number of its rows and the sum of its amounts. It grows with the number
//! of entities and is bounded by the node's memory like every other aggregate; where a policy asks for the threshold alone,
//! [`super::contributors`] is used instead.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, ListArray, RecordBatch, StructArray, UInt64Array,
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

/// `holdings(entity, amount)`: a list of holdings in the order of their keys; NULL is no entity.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Holdings {
    secret: Secret,
    signature: Signature,
}

impl Holdings {
    pub(super) fn new(secret: Secret) -> Self {
        Self { secret, signature: Signature::any(2, Volatility::Immutable) }
    }
}

fn fields() -> Fields {
    Fields::from(vec![
        Field::new("entity", DataType::UInt64, false),
        Field::new("rows", DataType::UInt64, false),
        Field::new("amount", DataType::Float64, false),
    ])
}

fn list_type() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Struct(fields()), false)))
}

impl AggregateUDFImpl for Holdings {
    fn name(&self) -> &'static str {
        "holdings"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(list_type())
    }

    fn is_nullable(&self) -> bool {
        false
    }

    fn state_fields(&self, _: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new("holdings", list_type(), false))])
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Group(Groups::new(self.secret))))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Groups::new(self.secret)))
    }

    fn default_value(&self, _: &DataType) -> Result<ScalarValue> {
        Ok(ScalarValue::List(Arc::new(lists(&[], 1)?)))
    }
}

/// The holdings of many groups: one table for all of them.
#[derive(Debug)]
struct Groups {
    secret: Secret,
    places: HashMap<(usize, u64), usize, RandomState>,
    held: Vec<(usize, Holding)>,
    many: usize,
}

impl Groups {
    fn new(secret: Secret) -> Self {
        Self { secret, places: HashMap::default(), held: vec![], many: 0 }
    }

    fn add(&mut self, group: usize, more: Holding) {
        let Self { places, held, .. } = self;
        let place = *places.entry((group, more.entity)).or_insert_with(|| {
            held.push((group, Holding { rows: 0, amount: 0.0, ..more }));
            held.len() - 1
        });
        if let Some((_, holding)) = held.get_mut(place) {
            holding.rows += more.rows;
            holding.amount += more.amount;
        }
    }

    /// The rows of a batch whose group, entity and filter are there.
    fn update(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        let [entities, amounts] = values else { return internal_err!("holdings takes two columns") };
        self.many = self.many.max(total);
        let (entities, amounts) = (cast(entities, &DataType::Utf8)?, cast(amounts, &DataType::Float64)?);
        let (entities, amounts) = (entities.as_string::<i32>(), amounts.as_primitive::<Float64Type>());
        // Rows of one entity mostly follow one another.
        let mut last: Option<(&str, u64)> = None;
        for (row, (entity, group)) in entities.iter().zip(groups).enumerate() {
            let kept = filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            let Some(text) = entity.filter(|_| kept) else { continue };
            let entity = match last {
                Some((known, key)) if known == text => key,
                _ => self.secret.entity_key(text.as_bytes()),
            };
            last = Some((text, entity));
            let amount = if amounts.is_valid(row) { amounts.value(row) } else { 0.0 };
            self.add(*group, Holding { entity, rows: 1, amount });
        }
        Ok(())
    }

    fn merge(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        let [states] = states else { return internal_err!("holdings has one state") };
        self.many = self.many.max(total);
        let states = states.as_list::<i32>();
        for (row, group) in groups.iter().enumerate() {
            for holding in of(states, row) {
                self.add(*group, holding);
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
        let held = std::mem::take(&mut self.held);
        self.places.clear();
        let (mut out, kept): (Vec<_>, Vec<_>) = held.into_iter().partition(|(group, _)| *group < emitted);
        self.many -= emitted;
        for (group, holding) in kept {
            self.add(group - emitted, holding);
        }
        out.sort_unstable_by_key(|(group, holding)| (*group, holding.entity));
        lists(&out, emitted)
    }

    fn bytes(&self) -> usize {
        self.held.capacity() * size_of::<(usize, Holding)>()
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
        let mut each = Self::new(self.secret);
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

/// Lists of holdings that are in the order of their groups.
fn lists(held: &[(usize, Holding)], groups: usize) -> Result<ListArray> {
    let mut lengths = vec![0; groups];
    for (group, _) in held {
        if let Some(length) = lengths.get_mut(*group) {
            *length += 1;
        }
    }
    let holdings = held.iter().map(|(_, holding)| holding);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(holdings.clone().map(|holding| holding.entity).collect::<UInt64Array>()),
        Arc::new(holdings.clone().map(|holding| holding.rows).collect::<UInt64Array>()),
        Arc::new(holdings.map(|holding| holding.amount).collect::<Float64Array>()),
    ];
    let structs = StructArray::try_new(fields(), columns, None)?;
    let field = Arc::new(Field::new_list_field(DataType::Struct(fields()), false));
    Ok(ListArray::try_new(field, OffsetBuffer::from_lengths(lengths), Arc::new(structs), None)?)
}

/// The holdings of one group.
pub(super) fn of(lists: &ListArray, row: usize) -> Vec<Holding> {
    if row >= lists.len() || lists.is_null(row) {
        return vec![];
    }
    let batch = RecordBatch::from(lists.value(row).as_struct());
    let columns: Vec<&ArrayRef> = batch.columns().iter().collect();
    let [entities, rows, amounts] = columns.as_slice() else { return vec![] };
    let whole =
        entities.as_primitive::<UInt64Type>().values().iter().zip(rows.as_primitive::<UInt64Type>().values());
    whole
        .zip(amounts.as_primitive::<Float64Type>().values())
        .map(|((entity, rows), amount)| Holding { entity: *entity, rows: *rows, amount: *amount })
        .collect()
}
