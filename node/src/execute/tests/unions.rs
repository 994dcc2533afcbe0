//! What a union's columns mean does not depend on what is carried along beside them.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use jigsaw_proto::expr::Column;
use jigsaw_proto::fragment::{Fragment, Join, JoinKind, Relation};

use super::{Bench, ROWS, column, scan};

const PEOPLE: &str = r#"
name = "people"
version = 1
description = "One row per person."
release = "protected"
threshold = 3
rounding = 1
conditions = "any"
column = [
  { name = "person", type = "text", role = "entity", description = "" },
  { name = "secret", type = "text", role = "hidden", description = "" },
  { name = "place", type = "text", role = "dimension", description = "" },
]
"#;

const PLACES: &str = r#"
name = "places"
version = 1
description = "One row per place."
release = "open"
column = [
  { name = "place", type = "text", role = "dimension", description = "" },
  { name = "kind", type = "text", role = "dimension", description = "" },
]
"#;

fn texts<const N: usize>(columns: [(&str, [&str; 4]); N]) -> RecordBatch {
    let columns = columns.map(|(name, cells)| {
        let cells: ArrayRef = Arc::new(StringArray::from(cells.to_vec()));
        (name, cells)
    });
    RecordBatch::try_from_iter(columns).unwrap()
}

async fn bench() -> Bench {
    let people = texts([
        ("person", ["ann", "bob", "cyd", "dan"]),
        ("secret", ["s1", "s2", "s3", "s4"]),
        ("place", ["x", "x", "x", "y"]),
    ]);
    let places = texts([("place", ["x", "y", "z", "w"]), ("kind", ["inn", "inn", "pub", "pub"])]);
    Bench::open(2, &[(PEOPLE, &people), (PLACES, &places)]).await
}

fn union(inputs: [Relation; 2]) -> Relation {
    Relation::UnionAll { alias: "u".to_owned(), inputs: inputs.into() }
}

#[tokio::test]
async fn a_union_of_tables_has_their_columns_and_their_node() {
    let bench = bench().await;
    let input = union([scan("people", "a"), scan("people", "b")]);
    let keys = vec![column("u", "place"), column("u", "node")];
    let raw = bench.run(Fragment { input, keys, measures: vec![ROWS] }).await;
    let text = super::sorted(raw.columns());
    assert_eq!(
        text.split_whitespace().collect::<Vec<_>>().join(" ").matches("| camden |").count(),
        2,
        "{text}"
    );
    let rows = raw.columns().num_rows();
    let counts: Vec<u64> =
        raw.groups().iter().flat_map(|holders| (0..rows).map(|row| holders.count(row))).collect();
    assert_eq!(
        {
            let mut counts = counts;
            counts.sort_unstable();
            counts
        },
        [1, 3],
        "the same people in both"
    );
}

/// The entity travels between the columns of a join's sides: it must never take the place of one that may be named.
#[tokio::test]
async fn a_union_of_joins_does_not_show_the_entity() {
    let bench = bench().await;
    let side = |people: &str, places: &str| {
        let project = Relation::Project {
            input: Box::new(scan("people", people)),
            alias: format!("{people}1"),
            columns: vec![("place".to_owned(), column(people, "place"))],
        };
        let kinds = Relation::Project {
            input: Box::new(scan("places", places)),
            alias: format!("{places}1"),
            columns: vec![
                ("there".to_owned(), column(places, "place")),
                ("kind".to_owned(), column(places, "kind")),
            ],
        };
        let on =
            vec![(Column::new(format!("{people}1"), "place"), Column::new(format!("{places}1"), "there"))];
        Relation::Join(Box::new(Join {
            left: project,
            right: kinds,
            kind: JoinKind::Inner,
            on,
            filter: None,
        }))
    };
    let input = union([side("a", "b"), side("c", "d")]);
    let keys = vec![column("u", "kind"), column("u", "there")];
    let raw = bench.run(Fragment { input, keys, measures: vec![ROWS] }).await;
    let text = super::sorted(raw.columns());
    assert!(text.contains("inn") && !text.contains("ann") && !text.contains("s1"), "{text}");
    assert_eq!(raw.groups().len(), 1);
    let counts = (0..raw.columns().num_rows()).map(|row| raw.groups()[0].count(row));
    assert_eq!(counts.max(), Some(3));
}
