//! Counting distinct entities up to a threshold, in memory that does not grow with the data.
//!
//! Whether a cell stands for enough entities is a question with a small answer: a group keeps at most `threshold` distinct
//! 64-bit hashes and then stops counting. Hashes are keyed at random in each process; that two of a handful of entities
//! collide has a probability below 2⁻⁵⁰, and a collision can only withhold a cell, never release one.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, ListArray, ListBuilder, UInt64Array, UInt64Builder,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, UInt64Type};
use datafusion::common::{ScalarValue, internal_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};

static KEYED: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// `min(threshold, count(DISTINCT entity))` as an unsigned integer; NULL is no entity.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Contributors {
    threshold: u32,
    signature: Signature,
}

impl Contributors {
    pub(super) fn new(threshold: u32) -> Self {
        Self { threshold, signature: Signature::any(1, Volatility::Immutable) }
    }

    fn capacity(&self) -> usize {
        usize::try_from(self.threshold).unwrap_or(usize::MAX)
    }
}

impl AggregateUDFImpl for Contributors {
    fn name(&self) -> &'static str {
        "contributors"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::UInt64)
    }

    fn is_nullable(&self) -> bool {
        false
    }

    fn state_fields(&self, _: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let hash = Field::new_list_field(DataType::UInt64, true);
        Ok(vec![Arc::new(Field::new_list("hashes", hash, true))])
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Group { capacity: self.capacity(), seen: Seen::default() }))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Groups { capacity: self.capacity(), groups: vec![] }))
    }

    fn default_value(&self, _: &DataType) -> Result<ScalarValue> {
        Ok(ScalarValue::UInt64(Some(0)))
    }
}

/// The distinct hashes of one group, at most as many as the threshold.
#[derive(Debug, Default, Clone)]
struct Seen {
    hashes: Vec<u64>,
}

impl Seen {
    fn add(&mut self, hash: u64, capacity: usize) {
        if self.hashes.len() < capacity && !self.hashes.contains(&hash) {
            self.hashes.push(hash);
        }
    }

    fn count(&self) -> u64 {
        self.hashes.len() as u64
    }
}

/// Hashes of entities; NULL stays NULL.
fn hashes(entities: &ArrayRef) -> Result<UInt64Array> {
    let hash = |bytes: &[u8]| {
        let mut hasher = KEYED.build_hasher();
        hasher.write(bytes);
        hasher.finish()
    };
    let texts = cast(entities, &DataType::Utf8View)?;
    Ok(texts.as_string_view().iter().map(|text| text.map(|text| hash(text.as_bytes()))).collect())
}

/// One group, for queries without keys.
#[derive(Debug)]
struct Group {
    capacity: usize,
    seen: Seen,
}

impl Group {
    fn add(&mut self, hashes: &UInt64Array) {
        for hash in hashes.iter().flatten() {
            self.seen.add(hash, self.capacity);
        }
    }
}

impl Accumulator for Group {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [entities] = values else { return internal_err!("contributors takes one column") };
        // Once enough are known, the rest of the rows cannot change the answer.
        if self.seen.hashes.len() < self.capacity {
            self.add(&hashes(entities)?);
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [lists] = states else { return internal_err!("contributors has one state") };
        for list in lists.as_list::<i32>().iter().flatten() {
            self.add(list.as_primitive::<UInt64Type>());
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::List(Arc::new(lists(std::slice::from_ref(&self.seen))))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::UInt64(Some(self.seen.count())))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.seen.hashes.capacity() * size_of::<u64>()
    }
}

/// Many groups at once.
#[derive(Debug)]
struct Groups {
    capacity: usize,
    groups: Vec<Seen>,
}

impl Groups {
    fn take(&mut self, emit_to: EmitTo) -> Vec<Seen> {
        emit_to.take_needed(&mut self.groups)
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
        let [entities] = values else { return internal_err!("contributors takes one column") };
        self.groups.resize(total_num_groups, Seen::default());
        // Once every group of a batch has enough, its entities need not be looked at.
        let open =
            |group: &usize| self.groups.get(*group).is_some_and(|seen| seen.hashes.len() < self.capacity);
        if !group_indices.iter().any(open) {
            return Ok(());
        }
        let hashes = hashes(entities)?;
        for (row, (hash, group)) in hashes.iter().zip(group_indices).enumerate() {
            let kept = filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            if let (true, Some(hash), Some(seen)) = (kept, hash, self.groups.get_mut(*group)) {
                seen.add(hash, self.capacity);
            }
        }
        Ok(())
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        let [states] = states else { return internal_err!("contributors has one state") };
        self.groups.resize(total_num_groups, Seen::default());
        for (list, group) in states.as_list::<i32>().iter().zip(group_indices) {
            if let (Some(list), Some(seen)) = (list, self.groups.get_mut(*group)) {
                for hash in list.as_primitive::<UInt64Type>().iter().flatten() {
                    seen.add(hash, self.capacity);
                }
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        Ok(Arc::new(
            self.take(emit_to)
                .iter()
                .map(Seen::count)
                .collect::<Vec<_>>()
                .into_iter()
                .collect::<UInt64Array>(),
        ))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![Arc::new(lists(&self.take(emit_to)))])
    }

    /// Each row as a group of its own.
    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let [entities] = values else { return internal_err!("contributors takes one column") };
        let mut rows = Self { capacity: self.capacity, groups: vec![] };
        let each: Vec<usize> = (0..entities.len()).collect();
        rows.update_batch(values, &each, filter, entities.len())?;
        Ok(vec![Arc::new(lists(&rows.groups))])
    }

    fn size(&self) -> usize {
        self.groups.iter().map(|seen| size_of::<Seen>() + seen.hashes.capacity() * size_of::<u64>()).sum()
    }
}

fn lists(groups: &[Seen]) -> ListArray {
    let mut lists = ListBuilder::new(UInt64Builder::new());
    for seen in groups {
        lists.append_value(seen.hashes.iter().copied().map(Some));
    }
    lists.finish()
}
