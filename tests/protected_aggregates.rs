//! Aggregates over protected rows: what is asked of nodes for subtotals, distinct values and quantiles, and what one person's record
//! is worth in it.
#![cfg(test)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use arrow::array::{Array as _, AsArray};
use arrow::datatypes::Float64Type;
use arrow::util::display::array_value_to_string;
use harness::data::{DatasetFiles, Format, NodeData};
use harness::federation::{Answer, Federation, Policy};

const CONTRACT: &str = r#"
name = "club_member"
version = 1
description = "One row per person."
release = "protected"
threshold = 10
rounding = 5
conditions = "any"

[[column]]
name = "person_key"
type = "text"
role = "entity"
description = "Who."

[[column]]
name = "category"
type = "text"
role = "dimension"
description = "What they do."

[[column]]
name = "age"
type = "int32"
role = "measure"
description = "Years."
bounds = [0.0, 100.0]
filterable = true

[[column]]
name = "steps"
type = "float64"
role = "measure"
description = "A number that anything may be."
filterable = true

[[column]]
name = "income"
type = "float64"
role = "measure"
description = "Nobody's business."
bounds = [0.0, 1000000.0]
"#;

/// Node, category, people, age of the youngest; each of the others is a year older than the one before, up to forty years.
const PEOPLE: &[(&str, &str, u32, u32)] = &[
    ("camden", "chess", 400, 20),
    ("camden", "go", 3, 20),
    ("hackney", "chess", 400, 20),
    ("hackney", "draughts", 80, 30),
];

/// The oldest by far, and the only one in camden who does not play.
const MATRIARCH: u32 = 97;

fn nodes(folder: &Path) -> Vec<NodeData> {
    let written = ["camden", "hackney"].map(|node| {
        let mut text = "person_key,category,age,steps,income\n".to_owned();
        for (_, category, people, youngest) in PEOPLE.iter().filter(|(at, ..)| *at == node) {
            for person in 0..*people {
                let age = youngest + person % 40;
                // Infallible: writing to a String.
                _ = writeln!(text, "{node}-{category}-{person},{category},{age},{age}.5,{age}000");
            }
        }
        if node == "camden" {
            _ = writeln!(text, "matriarch,chess,{MATRIARCH},9999,1000000");
        }
        fs::create_dir_all(folder.join(node)).unwrap();
        fs::write(folder.join(node).join("members.csv"), text).unwrap();
        NodeData {
            id: node.to_owned(),
            title: node.to_owned(),
            datasets: vec![DatasetFiles {
                dataset: "club_member",
                contract: "club_member.toml".to_owned(),
                source: "members.csv".to_owned(),
                format: Format::Csv { delimiter: ',', null_values: vec![] },
                select: None,
            }],
        }
    });
    written.into()
}

async fn under(folder: &Path, conditions: &str) -> Federation {
    let builder = Federation::builder(folder, nodes(folder)).policy(Policy::Contract);
    let policy = "release = \"protected\"\nbudget = { cells_per_day = 1000000 }";
    let builder = builder.policy_text(&format!("{policy}\nconditions = \"{conditions}\""));
    builder.contracts([("club_member".to_owned(), CONTRACT.to_owned())]).start().await.unwrap()
}

/// Where any condition may be asked.
async fn federation(folder: &Path) -> Federation {
    under(folder, "any").await
}

/// Where questions are about the cells of a table.
async fn cube(folder: &Path) -> Federation {
    under(folder, "cube").await
}

fn rows(answer: &Answer) -> Vec<String> {
    let row = |batch: &arrow::array::RecordBatch, row: usize| {
        let cells = batch.columns().iter().map(|column| {
            if column.is_null(row) { "-".to_owned() } else { array_value_to_string(column, row).unwrap() }
        });
        cells.collect::<Vec<_>>().join(" ")
    };
    let batches = answer.batches.iter();
    batches.flat_map(|batch| (0..batch.num_rows()).map(move |at| row(batch, at))).collect()
}

async fn figure(federation: &Federation, sql: &str) -> (Option<f64>, Vec<String>) {
    let answer = federation.sql(sql).await.unwrap_or_else(|problem| panic!("{sql}: {problem}"));
    let column = answer.batches[0].column(0).as_primitive::<Float64Type>();
    let caveats = answer.caveats().into_iter().map(str::to_owned).collect();
    (column.is_valid(0).then(|| column.value(0)), caveats)
}

#[tokio::test(flavor = "multi_thread")]
async fn quantiles_are_read_off_buckets_of_many() {
    let dir = tempfile::tempdir().unwrap();
    quantiles(&federation(dir.path()).await).await;
    let dir = tempfile::tempdir().unwrap();
    quantiles(&cube(dir.path()).await).await;
}

async fn quantiles(federation: &Federation) {
    for (quantile, truth) in [
        ("MEDIAN(age)", 40.0),
        ("PERCENTILE_CONT(0.25) WITHIN GROUP (ORDER BY age)", 30.0),
        ("PERCENTILE_CONT(0.95) WITHIN GROUP (ORDER BY age)", 58.0),
        ("PERCENTILE_CONT(0.95) WITHIN GROUP (ORDER BY age DESC)", 22.0),
        ("APPROX_PERCENTILE_CONT(0.25) WITHIN GROUP (ORDER BY CAST(age AS DOUBLE))", 30.0),
    ] {
        let (found, caveats) = figure(federation, &format!("SELECT {quantile} FROM club_member")).await;
        let found = found.unwrap();
        assert!((found - truth).abs() <= 5.0, "{quantile} is {found}, not {truth}");
        assert!(caveats.iter().any(|caveat| caveat.contains("buckets 5 wide")), "{caveats:?}");
    }
}

/// The greatest of all is one person's: no fraction, condition or group shows more than that there are many up to 60.
#[tokio::test(flavor = "multi_thread")]
async fn no_quantile_is_one_persons_age() {
    let dir = tempfile::tempdir().unwrap();
    let federation = federation(dir.path()).await;
    for fraction in ["0.999", "0.9999999", "1.0"] {
        for filter in ["", " FILTER (WHERE category = 'chess')", " FILTER (WHERE node = 'camden')"] {
            let sql = format!(
                "SELECT CAST(PERCENTILE_DISC({fraction}) WITHIN GROUP (ORDER BY age){filter} AS DOUBLE) FROM club_member"
            );
            let found = figure(&federation, &sql).await.0.unwrap();
            assert!(found <= 70.0, "{sql}: {found}");
        }
    }
    let alone = "SELECT MEDIAN(age) FROM club_member WHERE age > 90";
    assert_eq!(figure(&federation, alone).await.0, None);
    let greatest = "SELECT PERCENTILE_CONT(1.0) WITHIN GROUP (ORDER BY age) FROM club_member";
    let problem = federation.sql(greatest).await.unwrap_err();
    assert!(problem.message.contains("R06"), "{problem}");
    let few = federation.sql("SELECT MEDIAN(age) FROM club_member WHERE category = 'go'").await.unwrap();
    assert_eq!(rows(&few), ["-"]);
}

/// A group of three people has no row, beside other aggregates and alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_few_has_no_quantile() {
    let dir = tempfile::tempdir().unwrap();
    let federation = federation(dir.path()).await;
    let by_category = "SELECT category, COUNT(*) AS n, MEDIAN(age) IS NULL AS unknown FROM club_member GROUP BY category \
                       ORDER BY category";
    let answer = federation.sql(by_category).await.unwrap();
    assert_eq!(rows(&answer), ["chess 800 false", "draughts 80 false"]);
    let alone = "SELECT category, MEDIAN(age) IS NULL AS unknown FROM club_member GROUP BY category ORDER BY category";
    assert_eq!(rows(&federation.sql(alone).await.unwrap()), ["chess false", "draughts false"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_buckets_is_refused_with_what_to_ask_instead() {
    let dir = tempfile::tempdir().unwrap();
    let federation = federation(dir.path()).await;
    for (sql, words) in [
        ("SELECT MEDIAN(income) FROM club_member", "does not open it to bands: ask for AVG"),
        ("SELECT MEDIAN(steps) FROM club_member", "declares no bounds"),
        ("SELECT MEDIAN(age * 2) FROM club_member", "compute with the answer"),
        ("SELECT COUNT(DISTINCT income) FROM club_member", "R04"),
        ("SELECT COUNT(DISTINCT person_key) FROM club_member", "node"),
        (
            "SELECT node, category, COUNT(DISTINCT person_key) FROM club_member GROUP BY node, ROLLUP (category)",
            "ask each grouping by itself",
        ),
    ] {
        let problem = federation.sql(sql).await.unwrap_err();
        assert!(problem.message.contains(words), "{sql}: {problem}");
    }
}

/// The three who play go are in no count, and nobody can tell that anybody does.
#[tokio::test(flavor = "multi_thread")]
async fn values_of_few_people_are_not_counted() {
    let dir = tempfile::tempdir().unwrap();
    let federation = federation(dir.path()).await;
    let answer = federation.sql("SELECT COUNT(DISTINCT category) FROM club_member").await.unwrap();
    assert_eq!(rows(&answer), ["2"]);
    assert!(answer.caveats().iter().any(|caveat| caveat.contains("DISTINCT")), "{:?}", answer.caveats());
    let at = "SELECT COUNT(DISTINCT category) FILTER (WHERE age > 90), BOOL_OR(category = 'go'), BOOL_AND(age < 90), \
              BOOL_AND(category = 'chess') FROM club_member";
    let answer = federation.sql(at).await.unwrap();
    assert_eq!(rows(&answer), ["0 - - false"], "that nobody or everybody is so is not told");
}

/// A total beside its parts would tell the part that is withheld: it is their sum, and nodes are asked for the parts alone.
#[tokio::test(flavor = "multi_thread")]
async fn subtotals_are_sums_of_what_was_released() {
    let dir = tempfile::tempdir().unwrap();
    let federation = federation(dir.path()).await;
    let rollup =
        "SELECT node, category, COUNT(*) FROM club_member GROUP BY ROLLUP (node, category) ORDER BY 1, 2";
    let answer = federation.sql(rollup).await.unwrap();
    let wanted = [
        "camden chess 400",
        "camden - 400",
        "hackney chess 400",
        "hackney draughts 80",
        "hackney - 480",
        "- - 880",
    ];
    assert_eq!(rows(&answer), wanted);
    assert!(
        answer.caveats().iter().any(|caveat| caveat.contains("subtotals are sums")),
        "{:?}",
        answer.caveats()
    );
    let asked = federation.audit("camden");
    let fragments: Vec<String> = asked
        .iter()
        .filter_map(|line| line["fragment"].as_str())
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
        .collect();
    assert!(
        !fragments.is_empty() && fragments.iter().all(|fragment| fragment.contains("GROUP BY g0, g1")),
        "{fragments:?}"
    );
}
