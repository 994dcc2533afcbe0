//! Each released cell says how good it is: a table small enough to be worked out by hand.
#![cfg(test)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use arrow::array::{Array as _, RecordBatch};
use arrow::util::display::array_value_to_string;
use harness::data::{DatasetFiles, Format, NodeData};
use harness::federation::{Answer, Asking, Federation, Policy};

const CONTRACT: &str = r#"
name = "grant_paid"
version = 1
description = "One row per person and grant."
release = "open"

[[column]]
name = "person_key"
type = "text"
role = "entity"
description = "Who got it."
nullable = false

[[column]]
name = "category"
type = "text"
role = "dimension"
description = "What for."
nullable = false

[[column]]
name = "cost"
type = "decimal(10,2)"
role = "measure"
description = "How much; NULL if not known."
unit = "GBP"
bounds = [0.0, 1000.0]
resolution = 10.0
"#;

/// Node, category, people, and of how many of them the cost, 10 each, is known.
const PEOPLE: &[(&str, &str, usize, usize)] = &[
    ("camden", "a", 20, 20),
    ("camden", "b", 12, 3),
    ("camden", "c", 4, 4),
    ("hackney", "a", 15, 15),
    ("hackney", "b", 15, 15),
    ("hackney", "d", 10, 2),
    ("lambeth", "a", 7, 7),
    ("lambeth", "b", 3, 3),
    ("lambeth", "c", 2, 2),
    ("lambeth", "e", 1, 1),
];

/// Question; its rows, values first, then status, nodes that withheld and nodes that left out for each figure.
const TABLE: &[(&str, &[&str])] = &[
    (
        "SELECT category, COUNT(*) AS n, SUM(cost) AS cost FROM grant_paid GROUP BY category ORDER BY category",
        &[
            "a 42 420.00 rounded 0 0 rounded 0 0",
            "b 28 180.00 rounded 0 0 partial 1 0",
            "c 2 20.00 partial 0 2 partial 0 2",
            "d 10 - partial 0 1 withheld 1 1",
            "e 1 10.00 partial 0 2 partial 0 2",
        ],
    ),
    (
        "SELECT node, category, SUM(cost) AS cost FROM grant_paid WHERE category IN ('a', 'c', 'd') \
         GROUP BY node, category ORDER BY node, category",
        &[
            "camden a 200.00 rounded 0 0",
            "hackney a 150.00 rounded 0 0",
            "hackney d - withheld 1 0",
            "lambeth a 70.00 exact 0 0",
            "lambeth c 20.00 exact 0 0",
        ],
    ),
    (
        "SELECT category, SUM(cost) / COUNT(*) AS mean, COALESCE(SUM(cost), 0) + 1 AS more FROM grant_paid \
         WHERE category < 'c' OR category = 'd' GROUP BY category ORDER BY category",
        &[
            "a 10.000000 421.00 rounded 0 0 rounded 0 0",
            "b 6.428571 181.00 partial 1 0 partial 1 0",
            "d - 1.00 withheld 1 1 partial 1 1",
        ],
    ),
    (
        "SELECT category, AVG(cost) AS mean FROM grant_paid GROUP BY category HAVING AVG(cost) IS NOT NULL \
         ORDER BY category LIMIT 2",
        &["a 10.000000 rounded 0 0", "b 10.000000 partial 1 0"],
    ),
    (
        "WITH t AS (SELECT category, COUNT(*) AS n FROM grant_paid GROUP BY category HAVING COUNT(*) > 5) \
         SELECT category, n * 2 AS twice FROM t ORDER BY n DESC",
        &["a 84 rounded 0 0", "b 56 rounded 0 0", "d 20 partial 0 1"],
    ),
    (
        "WITH t AS (SELECT category, COUNT(*) AS n FROM grant_paid GROUP BY category) \
         SELECT SUM(n) AS total, COUNT(*) AS groups FROM t",
        &["83 5 partial 0 2 partial 0 2"],
    ),
    (
        "WITH t AS (SELECT category, COUNT(*) AS n FROM grant_paid WHERE node = 'lambeth' GROUP BY category) \
         SELECT SUM(n) AS total FROM t",
        &["13 exact 0 0"],
    ),
    (
        "WITH t AS (SELECT category, COUNT(*) AS n FROM grant_paid GROUP BY category), \
         s AS (SELECT category, COUNT(*) AS n FROM grant_paid WHERE node = 'camden' GROUP BY category) \
         SELECT t.category, t.n, s.n AS camden FROM t LEFT JOIN s ON t.category = s.category ORDER BY 1",
        &[
            "a 42 20 rounded 0 0 rounded 0 0",
            "b 28 10 rounded 0 0 rounded 0 0",
            "c 2 - partial 0 2 withheld 0 1",
            "d 10 - partial 0 1 withheld 0 1",
            "e 1 - partial 0 2 withheld 0 1",
        ],
    ),
    (
        "SELECT category, COUNT(*) AS n FROM grant_paid WHERE category = 'a' GROUP BY category \
         UNION ALL SELECT 'x', 1 ORDER BY 1",
        &["a 42 rounded 0 0", "x 1 exact 0 0"],
    ),
    (
        "SELECT category, SUM(COUNT(*)) OVER (ORDER BY category) AS running FROM grant_paid \
         WHERE category < 'c' GROUP BY category ORDER BY category",
        &["a 42 partial 0 2", "b 70 partial 0 2"],
    ),
    (
        "SELECT COUNT(*) AS n, SUM(cost) AS cost FROM grant_paid WHERE category = 'none'",
        // Without GROUP BY there is one group at every node, so it is the cells that are withheld.
        &["0 - partial 2 0 withheld 2 0"],
    ),
    ("SELECT COUNT(*) AS n FROM grant_paid", &["88 rounded 0 0"]),
    (
        "SELECT COUNT(*) AS n, COUNT(b.gss) AS m FROM grant_paid g LEFT JOIN ref_borough b ON g.category = b.gss",
        // Nodes are asked for the categories: some are missing from the total.
        &["83 0 partial 0 2 partial 0 2"],
    ),
    (
        "WITH t AS (SELECT category, COUNT(*) AS n FROM grant_paid GROUP BY category), \
         s AS (SELECT COUNT(*) AS n FROM grant_paid) \
         SELECT category, t.n * 100 / s.n AS share FROM t CROSS JOIN s ORDER BY category LIMIT 3",
        &["a 47 rounded 0 0", "b 31 rounded 0 0", "c 2 partial 0 2"],
    ),
    (
        "SELECT COUNT(*) AS n, SUM(cost) AS cost FROM grant_paid WHERE category = 'none' AND node = 'lambeth'",
        &["0 - exact 0 0 exact 0 0"],
    ),
    (
        "SELECT category, COUNT(*) AS n FROM grant_paid WHERE category IN ('a', 'd') GROUP BY ROLLUP (category) ORDER BY category",
        &["a 42 partial 0 2", "d 10 partial 0 2", "- 52 partial 0 2"],
    ),
    (
        "WITH t AS (SELECT category, COUNT(*) AS n FROM grant_paid WHERE node = 'lambeth' GROUP BY category) \
         SELECT category, SUM(n) AS total FROM t WHERE category < 'c' GROUP BY ROLLUP (category) ORDER BY category",
        &["a 7 exact 0 0", "b 3 exact 0 0", "- 10 exact 0 0"],
    ),
    ("SELECT COUNT(DISTINCT category) AS n FROM grant_paid", &["5 partial 0 2"]),
    (
        "SELECT category, COUNT(*) AS n, COUNT(DISTINCT node) AS nodes FROM grant_paid GROUP BY category ORDER BY category",
        &[
            "a 42 3 rounded 0 0 partial 0 2",
            "b 28 3 rounded 0 0 partial 0 2",
            "c 2 1 partial 0 2 partial 0 2",
            "d 10 1 partial 0 1 partial 0 2",
            "e 1 1 partial 0 2 partial 0 2",
        ],
    ),
    (
        "SELECT BOOL_AND(category = 'a') AS every, BOOL_OR(category = 'z') AS some FROM grant_paid",
        &["false - rounded 0 0 withheld 2 0"],
    ),
    ("SELECT DISTINCT category FROM grant_paid WHERE category < 'c' ORDER BY category", &["a", "b"]),
];

const STATUS: Asking = Asking { allow_partial: false, timeout: None, cell_status: true };

/// Camden and Hackney protect; the guard is off, so that every figure is its own.
fn protecting(folder: &Path) {
    for node in ["camden", "hackney"] {
        let file = folder.join(node).join("node.toml");
        let text = fs::read_to_string(&file).unwrap();
        let strict = "release = \"protected\"\nthreshold = 10\nrounding = 5\noverlap_guard = false\nconditions = \"any\"";
        assert!(text.contains("release = \"open\""), "{text}");
        fs::write(file, text.replace("release = \"open\"", strict)).unwrap();
    }
}

fn nodes(folder: &Path) -> Vec<NodeData> {
    let written = ["camden", "hackney", "lambeth"].map(|node| {
        let mut text = "person_key,category,cost\n".to_owned();
        for (_, category, people, known) in PEOPLE.iter().filter(|(at, ..)| *at == node) {
            for person in 0..*people {
                let cost = if person < *known { "10.00" } else { "" };
                // Infallible: writing to a String.
                _ = writeln!(text, "{node}{category}{person},{category},{cost}");
            }
        }
        fs::create_dir_all(folder.join(node)).unwrap();
        fs::write(folder.join(node).join("grants.csv"), text).unwrap();
        NodeData {
            id: node.to_owned(),
            title: node.to_owned(),
            datasets: vec![DatasetFiles {
                dataset: "grant_paid",
                contract: "grant_paid.toml".to_owned(),
                source: "grants.csv".to_owned(),
                format: Format::Csv { delimiter: ',', null_values: vec![] },
                select: None,
            }],
        }
    });
    written.into()
}

/// The same on dense grids: at a node that protects, no cell is told from a withheld one. Of the last category there is nobody.
const DENSE: &[(&str, &[&str])] = &[
    (
        "SELECT category, COUNT(*) AS n FROM grant_paid GROUP BY category ORDER BY category",
        &[
            "a 42 rounded 0 0",
            "b 28 rounded 0 0",
            "c 2 partial 2 0",
            "d 10 partial 1 0",
            "e 1 partial 2 0",
            "f - withheld 2 0",
        ],
    ),
    (
        "SELECT node, category, SUM(cost) AS cost FROM grant_paid WHERE category IN ('a', 'd') \
         GROUP BY node, category HAVING SUM(cost) IS NOT NULL ORDER BY node, category",
        &["camden a 200.00 rounded 0 0", "hackney a 150.00 rounded 0 0", "lambeth a 70.00 exact 0 0"],
    ),
    ("SELECT COUNT(*) AS n FROM grant_paid", &["88 rounded 0 0"]),
    (
        "SELECT COUNT(*) AS n FROM (SELECT category FROM grant_paid WHERE node = 'camden' GROUP BY category) AS t",
        // The coordinator does not know that no group is left out.
        &["6 partial 0 1"],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn on_dense_grids_every_cell_says_it_too() {
    let dir = tempfile::tempdir().unwrap();
    let codes = "description = \"What for.\"\ncodes = [\"a\", \"b\", \"c\", \"d\", \"e\", \"f\"]";
    let contract = CONTRACT.replace("description = \"What for.\"", codes);
    let builder = Federation::builder(dir.path(), nodes(dir.path())).policy(Policy::Contract);
    let builder = builder.contracts([("grant_paid".to_owned(), contract)]).edit(|folder| {
        protecting(folder);
        for node in ["camden", "hackney"] {
            let file = folder.join(node).join("node.toml");
            let text = fs::read_to_string(&file).unwrap();
            let guard = "overlap_guard = false";
            fs::write(file, text.replace(guard, &format!("{guard}\ngrid = \"dense\""))).unwrap();
        }
    });
    let federation = builder.start().await.unwrap();
    for (sql, expected) in DENSE {
        assert_eq!(all(&federation.sql_with(sql, STATUS).await.unwrap()), *expected, "{sql}");
    }
}

/// The rows as words; NULL is a dash.
fn rows(batches: &[RecordBatch], columns: usize) -> Vec<String> {
    let row = |batch: &RecordBatch, row: usize| {
        let cells = batch.columns().iter().take(columns).map(|column| {
            if column.is_null(row) { "-".to_owned() } else { array_value_to_string(column, row).unwrap() }
        });
        cells.collect::<Vec<_>>().join(" ")
    };
    batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |at| row(batch, at))).collect()
}

fn all(answer: &Answer) -> Vec<String> {
    rows(&answer.batches, usize::MAX)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_cell_says_how_good_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let builder = Federation::builder(dir.path(), nodes(dir.path())).policy(Policy::Contract);
    let builder = builder.contracts([("grant_paid".to_owned(), CONTRACT.to_owned())]).edit(protecting);
    let mut federation = builder.start().await.unwrap();
    let mut wrong = vec![];
    for (sql, expected) in TABLE {
        let plain = federation.sql(sql).await.unwrap();
        match federation.sql_with(sql, STATUS).await {
            Ok(answer) if all(&answer) != *expected => {
                wrong.push(format!("{sql}\n  {:#?}\n  not {expected:#?}", all(&answer)));
            }
            Ok(answer) => {
                let values = rows(&answer.batches, plain.schema.fields().len());
                assert_eq!(values, all(&plain), "{sql}");
            }
            Err(problem) => wrong.push(format!("{sql}\n  {problem}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let nested = "SELECT category, COUNT(*) * 100 / (SELECT COUNT(*) FROM grant_paid) AS share FROM grant_paid \
                  GROUP BY category";
    let problem = federation.sql_with(nested, STATUS).await.unwrap_err();
    assert!(problem.message.contains("cannot be followed through a subquery"), "{problem}");
    assert!(federation.sql(nested).await.is_ok(), "without status it is answered");

    // A status column never takes the name of another.
    let taken = "SELECT COUNT(*) AS n, 'mine' AS n__status FROM grant_paid";
    let problem = federation.sql_with(taken, STATUS).await.unwrap_err();
    assert!(problem.message.contains("n__status"), "{problem}");

    federation.stop_node("lambeth").await.unwrap();
    let without = Asking { allow_partial: true, ..STATUS };
    let answer = federation.sql_with(TABLE[0].0, without).await.unwrap();
    assert_eq!(
        all(&answer)[..2],
        ["a 35 350.00 partial 0 1 partial 0 1", "b 25 150.00 partial 0 1 partial 1 1"]
    );
}
