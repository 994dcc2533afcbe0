//! Ways to see the answer to a fragment as a table: what was released, and what is known of it from the manifests.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use jigsaw_proto::release::{Manifest, ReleaseMode};

use crate::dispatch::Released;

/// What is scanned of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// the rows as released: `g0…`, `p0…`
    Release,
    /// the same rows, each beside [`NODE`], [`PROTECTED`] and [`CHANGE`] of the node it is from
    Marked,
    /// one row, always there, with [`MAY_LACK`]
    Nodes,
}

/// Column: a number for the node of a row.
pub(crate) const NODE: &str = "status_node";
/// Column: 1 where the node protects what it released, else 0.
pub(crate) const PROTECTED: &str = "status_protected";
/// Column: what the node does to every figure: 0 nothing, 1 rounds, 2 perturbs.
pub(crate) const CHANGE: &str = "status_change";
/// Column: how many nodes may hold a group and not show it: those that protect, and those that did not answer.
pub(crate) const MAY_LACK: &str = "status_may_lack";

impl View {
    /// The columns of the view, given those that were asked for.
    pub(super) fn schema(self, released: &SchemaRef) -> SchemaRef {
        let number = |name: &str| Arc::new(Field::new(name, DataType::Int64, true));
        match self {
            Self::Release => Arc::clone(released),
            Self::Marked => {
                let marks = [NODE, PROTECTED, CHANGE].map(number);
                Arc::new(Schema::new(released.fields().iter().cloned().chain(marks).collect::<Vec<_>>()))
            }
            Self::Nodes => Arc::new(Schema::new(vec![number(MAY_LACK)])),
        }
    }

    /// The rows of the view, whose columns are those of `schema`.
    pub(super) fn batches(
        self,
        answer: &Released,
        schema: &SchemaRef,
    ) -> Result<Vec<RecordBatch>, ArrowError> {
        let made = |columns: Vec<ArrayRef>| RecordBatch::try_new(Arc::clone(schema), columns);
        match self {
            Self::Release => Ok(answer.batches().cloned().collect()),
            Self::Marked => (0_i64..)
                .zip(&answer.answers)
                .flat_map(|(node, (manifest, batches))| {
                    let marks = [node, i64::from(protects(manifest)), change(manifest)];
                    batches.iter().map(move |batch| (batch, marks))
                })
                .map(|(batch, marks)| {
                    let constant =
                        |mark: i64| -> ArrayRef { Arc::new(Int64Array::from_value(mark, batch.num_rows())) };
                    made(batch.columns().iter().cloned().chain(marks.map(constant)).collect())
                })
                .collect(),
            Self::Nodes => {
                let protecting = answer.answers.iter().filter(|(manifest, _)| protects(manifest)).count();
                let may_lack = i64::try_from(protecting + answer.missing).unwrap_or(i64::MAX);
                Ok(vec![made(vec![Arc::new(Int64Array::from_value(may_lack, 1))])?])
            }
        }
    }
}

fn protects(manifest: &Manifest) -> bool {
    manifest.mode != ReleaseMode::Open
}

/// Rules by which a node changes figures: `R13P` perturbs, `R13` rounds, `R14` shows earlier figures.
///
/// A protected release is never called exact: a newer node may have rules that are not known here.
fn change(manifest: &Manifest) -> i64 {
    match manifest.mode {
        ReleaseMode::Open => 0,
        ReleaseMode::Protected if manifest.rules.iter().any(|rule| rule == "R13P") => 2,
        ReleaseMode::Protected => 1,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::AsArray;
    use datafusion::arrow::datatypes::Int64Type;

    use super::*;

    fn manifest(mode: ReleaseMode, rules: &[&str]) -> Box<Manifest> {
        Box::new(Manifest {
            node: "camden".parse().unwrap(),
            query: "q1".parse().unwrap(),
            policy: String::new(),
            mode,
            threshold: 10,
            rounding: 5,
            released_cells: 1,
            withheld_cells: 0,
            rules: rules.iter().map(|rule| (*rule).to_owned()).collect(),
            data_as_of: String::new(),
        })
    }

    #[test]
    fn rows_carry_what_their_node_does_and_all_who_may_lack_a_group_are_counted() {
        let schema = Arc::new(Schema::new(vec![Field::new("p0", DataType::Int64, true)]));
        let row = || {
            let column: ArrayRef = Arc::new(Int64Array::from_value(7, 1));
            vec![RecordBatch::try_new(Arc::clone(&schema), vec![column]).unwrap()]
        };
        let answers = vec![
            (manifest(ReleaseMode::Open, &[]), row()),
            (manifest(ReleaseMode::Protected, &["R07", "R13"]), row()),
            (manifest(ReleaseMode::Protected, &["R07", "R13P", "R13"]), row()),
            (manifest(ReleaseMode::Protected, &["R99"]), vec![]),
        ];
        let answer = Released { answers, missing: 2 };
        let seen = |view: View| -> Vec<Vec<i64>> {
            let batches = view.batches(&answer, &view.schema(&schema)).unwrap();
            let cells = |batch: &RecordBatch| {
                batch.columns().iter().map(|column| column.as_primitive::<Int64Type>().value(0)).collect()
            };
            batches.iter().map(cells).collect()
        };
        assert_eq!(seen(View::Release), [[7], [7], [7]]);
        assert_eq!(seen(View::Marked), [[7, 0, 0, 0], [7, 1, 1, 1], [7, 2, 1, 2]]);
        assert_eq!(seen(View::Nodes), [[5]]);
    }
}
