//! What disclosure control costs: one node over a million rows of a hundred thousand people, the same questions under stricter and
//! stricter policies, as multiples of what they take under an open one in the same run.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int64Array, RecordBatch, StringArray};
use chrono::NaiveDate;
use futures::future::join_all;
use harness::data::{DatasetFiles, Format, NodeData, Result};
use harness::federation::{Federation, Line, Policy};
use parquet::arrow::ArrowWriter;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{Cost, peers, rows, timed};

const ROWS: i64 = 1_000_000;
const PEOPLE: i64 = 100_000;
const NODE: &str = "borough";
const FILE: &str = "data/visit.parquet";

const CONTRACT: &str = r#"
name = "visit"
version = 1
description = "One row per visit to a library."
release = "protected"
threshold = 10
rounding = 5
conditions = "any"

[[column]]
name = "person_key"
type = "text"
role = "entity"
description = "Keyed hash of the person."
nullable = false

[[column]]
name = "branch"
type = "text"
role = "dimension"
description = "Which library."

[[column]]
name = "kind"
type = "text"
role = "dimension"
description = "What for."

[[column]]
name = "day"
type = "date"
role = "dimension"
description = "When."

[[column]]
name = "minutes"
type = "int64"
role = "measure"
description = "How long."
unit = "min"
bounds = [0.0, 600.0]
resolution = 1.0
"#;

/// The policies, each stricter than the one before.
const POLICIES: [(&str, &str); 4] = [
    ("open", ""),
    ("threshold and rounding", "dominance = \"off\"\noverlap_guard = false\n"),
    ("and dominance", "overlap_guard = false\n"),
    ("and the overlap guard", ""),
];

/// The first of the 365 days of the rows.
const FIRST_DAY: NaiveDate = NaiveDate::from_ymd_opt(2023, 12, 9).unwrap();

/// Questions; where one has `{day}`, each run asks it of fewer days than the one before.
const QUESTIONS: [(&str, &str); 5] = [
    ("total", "SELECT COUNT(*) AS n FROM visit"),
    ("24 branches", "SELECT branch, COUNT(*) AS n FROM visit GROUP BY branch"),
    ("24 branches, sum", "SELECT branch, COUNT(*) AS n, SUM(minutes) AS minutes FROM visit GROUP BY branch"),
    ("365 days", "SELECT day, COUNT(*) AS n FROM visit GROUP BY day"),
    (
        "24 branches, other days each time",
        "SELECT branch, COUNT(*) AS n FROM visit WHERE day >= DATE '{day}' GROUP BY branch",
    ),
];

/// Prints the table.
pub(crate) async fn measure(runs: usize) -> Result<()> {
    let dir = folder()?;
    println!("{ROWS} rows of {PEOPLE} people at one node, one thread, warm medians in milliseconds (CPU)\n");
    println!("| question | {} |", POLICIES.map(|(name, _)| name).join(" | "));
    println!("|-|-|-|-|-|");
    let mut lines = QUESTIONS.map(|(name, _)| format!("| {name} |"));
    let mut open = QUESTIONS.map(|_| Cost { wall: 0.0, cpu: 0.0 });
    for (name, words) in POLICIES {
        let federation = start(&dir, name, words).await?;
        for ((line, open), (_, sql)) in lines.iter_mut().zip(&mut open).zip(QUESTIONS) {
            let cost = asked(&federation, sql, runs).await;
            if name == "open" {
                write!(line, " {cost} |")?;
                *open = cost;
            } else {
                write!(line, " {cost} = {} |", cost.times(open))?;
            }
        }
        federation.stop().await?;
    }
    println!("{}\n", lines.join("\n"));
    guard(&dir, runs, open).await?;
    audit(&dir, runs).await
}

/// The same with tens of thousands of released cells in the guard's memory, and what these weigh.
async fn guard(dir: &Path, runs: usize, open: [Cost; QUESTIONS.len()]) -> Result<()> {
    let federation = start(dir, "and the overlap guard", "").await?;
    for (_, sql) in QUESTIONS {
        federation.ask(&sql.replace("{day}", "2024-06-01")).await?;
    }
    let (before, mut cells) = (peers::resident_mib(), 0);
    for kind in 0..12 {
        let sql = format!(
            "SELECT branch, day, COUNT(*) AS n FROM visit WHERE kind = 'k{kind}' GROUP BY branch, day"
        );
        cells += federation.ask(&sql).await?.iter().map(RecordBatch::num_rows).sum::<usize>();
    }
    let weight = (peers::resident_mib() - before) / f64::from(u32::try_from(cells)?) * 1e6;
    println!("{cells} earlier cells: {weight:.0} MiB for each million\n");
    println!("| question | again | × open |\n|-|-|-|");
    for ((name, sql), open) in QUESTIONS.into_iter().zip(open) {
        let cost = asked(&federation, sql, runs).await;
        println!("| {name} | {cost} | {} |", cost.times(&open));
    }
    println!();
    federation.stop().await
}

impl Cost {
    /// As a multiple of another one.
    fn times(&self, other: &Self) -> String {
        format!("{:.2}× ({:.2}×)", self.wall / other.wall, self.cpu / other.cpu)
    }
}

/// What a question takes.
async fn asked(federation: &Federation, sql: &str, runs: usize) -> Cost {
    let mut days = FIRST_DAY.iter_days();
    timed(runs, async || {
        let day = days.next().unwrap_or(FIRST_DAY).to_string();
        drop(federation.ask(&sql.replace("{day}", &day)).await.unwrap());
    })
    .await
}

/// What a record of a request takes: a ticket that is none is refused and recorded, and nothing else is done.
async fn audit(dir: &Path, runs: usize) -> Result<()> {
    const TOGETHER: usize = 16;
    let federation = start(dir, "open", "").await?;
    let mut lines = vec![];
    for _ in 0..TOGETHER {
        lines.push(federation.line(NODE).await?);
    }
    println!("| requests together | ping | refused and recorded | a record, ms each |\n|-|-|-|-|");
    for together in [1, TOGETHER] {
        let lines = lines.get_mut(..together).unwrap_or_default();
        let ping =
            timed(runs * 20, async || all(lines, async |line: &mut Line| line.ping().await.is_ok()).await)
                .await;
        let refused = timed(runs * 20, async || {
            all(lines, async |line: &mut Line| line.ask(vec![1]).await.is_err()).await;
        })
        .await;
        let each = (refused.wall - ping.wall) / f64::from(u32::try_from(together)?);
        println!("| {together} | {ping} | {refused} | {each:.3} |");
    }
    federation.stop().await
}

async fn all(lines: &mut [Line], call: impl AsyncFn(&mut Line) -> bool) {
    assert!(join_all(lines.iter_mut().map(async |line| call(line).await)).await.into_iter().all(|done| done));
}

async fn start(dir: &Path, name: &str, words: &str) -> Result<Federation> {
    rows::forget(&dir.join(NODE))?;
    let node = NodeData {
        id: NODE.to_owned(),
        title: "A borough".to_owned(),
        datasets: vec![DatasetFiles {
            dataset: "visit",
            contract: "visit.toml".to_owned(),
            source: FILE.to_owned(),
            format: Format::Parquet,
            select: None,
        }],
    };
    let policy = if name == "open" { Policy::Open } else { Policy::Contract };
    let builder = Federation::builder(dir, vec![node])
        .policy(policy)
        .policy_text(&format!(
            "release = \"protected\"\nconditions = \"any\"\ntick_milliseconds = 0\n{words}"
        ))
        .contracts([("visit".to_owned(), CONTRACT.to_owned())]);
    builder.start().await
}

/// The rows, below the build folder; written on first use.
fn folder() -> Result<PathBuf> {
    let dir = rows::target().join("bench/cost");
    let path = dir.join(NODE).join(FILE);
    if !path.is_file() {
        fs::create_dir_all(dir.join(NODE).join("data"))?;
        write(&path)?;
    }
    Ok(dir)
}

fn write(path: &Path) -> Result<()> {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut draw = |below: i64| -> Vec<i64> { (0..ROWS).map(|_| random.random_range(0..below)).collect() };
    let words = |numbers: Vec<i64>, word: &str| -> StringArray {
        numbers.into_iter().map(|number| Some(format!("{word}{number}"))).collect()
    };
    let day = |number: i64| i32::try_from(19_700 + number).ok();
    let columns: [(&str, ArrayRef); 5] = [
        ("person_key", Arc::new(words(draw(PEOPLE), "person-"))),
        ("branch", Arc::new(words(draw(24), "b"))),
        ("kind", Arc::new(words(draw(12), "k"))),
        ("day", Arc::new(draw(365).into_iter().map(day).collect::<Date32Array>())),
        ("minutes", Arc::new(Int64Array::from(draw(120)))),
    ];
    let batch = RecordBatch::try_from_iter(columns)?;
    let part = path.with_extension("part");
    let mut writer = ArrowWriter::try_new(File::create(&part)?, batch.schema(), None)?;
    writer.write(&batch)?;
    writer.close()?;
    fs::rename(part, path)?;
    Ok(())
}
