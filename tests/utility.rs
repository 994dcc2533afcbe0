//! What disclosure control leaves: the share of questions, cells and counts that survive at the default policy, and which rule took
//! the rest.
//!
//! The tables are printed (`--nocapture`) and written to `utility.md` in the folder for temporary files of the build. `JIGSAW_QUESTIONS`
//! names a file of more questions, each ended by `;`, and has all scripts asked; STATS19 is asked where `JIGSAW_OPEN_DATA` has it.
#![cfg(test)]
#![expect(clippy::cast_precision_loss, clippy::print_stdout, reason = "shares, and tables to be read")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::{DataType, Int64Type};
use harness::data::{self, NodeData, Scale, Synthetic, real};
use harness::federation::{Federation, Policy};
use harness::oracle::script::{Script, scripts};

/// Groupings of a table of collisions, from coarse to fine.
const TABLES: [&str; 9] = [
    "severity",
    "road_type",
    "light",
    "month",
    "year",
    "year, severity",
    "road_type, light",
    "weather, road_surface",
    "year, month, severity",
];

/// What became of some questions.
#[derive(Debug, Default)]
struct Survey {
    asked: usize,
    answered: usize,
    /// by code of the refusal
    refused: BTreeMap<String, usize>,
    /// figures where nothing is protected, and where it is
    cells: [usize; 2],
    /// what the counts add up to, likewise
    counts: [i64; 2],
}

impl Survey {
    /// Asks both federations.
    async fn ask(&mut self, open: &Federation, protected: &Federation, sql: &str) {
        let Ok(exact) = open.ask(sql).await else { return };
        self.asked += 1;
        let released = protected.sql(sql).await;
        let shown = match released {
            Ok(answer) => {
                self.answered += 1;
                answer.batches
            }
            Err(problem) => {
                *self.refused.entry(code(&problem.message)).or_default() += 1;
                return;
            }
        };
        for (place, batches) in [exact, shown].iter().enumerate() {
            self.cells[place] += batches.iter().map(figures).sum::<usize>();
            self.counts[place] += batches.iter().map(counted).sum::<i64>();
        }
    }

    /// As a line of a table.
    fn line(&self, what: &str) -> String {
        let share = |part: f64, whole: f64| if whole > 0.0 { 100.0 * part / whole } else { 0.0 };
        let [all, shown] = self.cells;
        let [exact, released] = self.counts;
        let refused: Vec<String> =
            self.refused.iter().map(|(code, count)| format!("{code} {count}")).collect();
        format!(
            "| {what} | {} | {} ({:.0} %) | {} | {:.1} % | {:.1} % |",
            self.asked,
            self.answered,
            share(self.answered as f64, self.asked as f64),
            refused.join(", "),
            share(shown as f64, all as f64),
            share(released as f64, exact as f64),
        )
    }
}

/// The rule in a refusal; of the coordinator itself: `-`.
fn code(message: &str) -> String {
    let is_code = |word: &&str| {
        let digits = word.trim_start_matches(['R', 'N']);
        word.len() == 3 && digits.len() == 2 && digits.chars().all(|digit| digit.is_ascii_digit())
    };
    let mut words = message.split(|letter: char| !letter.is_ascii_alphanumeric());
    words.find(is_code).unwrap_or("-").to_owned()
}

/// Numbers that are not NULL.
fn figures(batch: &RecordBatch) -> usize {
    let numbers = batch.columns().iter().filter(|column| column.data_type().is_numeric());
    numbers.map(|column| column.len() - column.null_count()).sum()
}

/// The sum of the last column, if it counts.
fn counted(batch: &RecordBatch) -> i64 {
    match batch.columns().last() {
        Some(column) if *column.data_type() == DataType::Int64 => {
            column.as_primitive::<Int64Type>().iter().flatten().sum()
        }
        _ => 0,
    }
}

/// How often each rule took a group or a cell, over all nodes, and what was released.
fn rules(federation: &Federation) -> String {
    let mut fired: BTreeMap<String, u64> = BTreeMap::new();
    for node in federation.nodes() {
        for line in federation.audit(node) {
            for (rule, count) in line["fired"].as_object().into_iter().flatten() {
                *fired.entry(rule.clone()).or_default() += count.as_u64().unwrap_or(0);
            }
            let released = line["released_cells"].as_u64().unwrap_or(0);
            *fired.entry("released".to_owned()).or_default() += released;
        }
    }
    let parts: Vec<String> = fired.iter().map(|(rule, count)| format!("{rule} {count}")).collect();
    parts.join(", ")
}

async fn pair(dirs: [&Path; 2], nodes: [Vec<NodeData>; 2]) -> [Federation; 2] {
    let [open, protected] = nodes;
    let start = |dir, nodes, policy| Federation::builder(dir, nodes).policy(policy);
    [
        start(dirs[0], open, Policy::Open).start().await.unwrap(),
        start(dirs[1], protected, Policy::Contract).start().await.unwrap(),
    ]
}

const HEAD: &str = "| questions | asked | answered | refused by | cells that survive | counts that survive |\n|-|-|-|-|-|-|\n";

fn publish(file: &str, text: &str) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join(file), text).unwrap();
    println!("{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn most_questions_survive_the_default_policy() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let synthetic = |dir: &Path| Synthetic::new(7, Scale::test()).write_to(dir).unwrap();
    let nodes = [synthetic(one.path()), synthetic(other.path())];
    let [open, protected] = pair([one.path(), other.path()], nodes).await;
    let mut text = HEAD.to_owned();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
    let mut all = Survey::default();
    let scripts = scripts(&root).unwrap();
    // All of them where somebody wants to know; in every run, some.
    let step = if std::env::var_os("JIGSAW_QUESTIONS").is_some() { 1 } else { 5 };
    for sql in scripts.iter().flat_map(Script::queries).step_by(step) {
        all.ask(&open, &protected, sql).await;
    }
    writeln!(text, "{}", all.line("the scripts in `sql/`")).unwrap();
    if let Some(file) = std::env::var_os("JIGSAW_QUESTIONS") {
        let questions = fs::read_to_string(file).unwrap();
        let mut survey = Survey::default();
        for sql in questions.split(';').filter(|sql| sql.contains("SELECT")) {
            survey.ask(&open, &protected, sql).await;
        }
        writeln!(text, "{}", survey.line("the thirty questions")).unwrap();
    }
    writeln!(text, "\nBy rule: {}", rules(&protected)).unwrap();
    publish("utility.md", &text);
    assert!(all.asked > 25 && all.answered * 2 > all.asked, "{text}");
}

/// The collisions under a contract that protects them: a collision is whom its rows are about.
fn protecting(dir: &Path) {
    let file = dir.join("contracts/collision.toml");
    let text = fs::read_to_string(&file).unwrap();
    let entity = "name = \"collision_key\"\ntype = \"text\"\nrole = \"entity\"";
    let text = text.replace("name = \"collision_key\"\ntype = \"text\"\nrole = \"dimension\"", entity);
    let floor = "release = \"protected\"\nthreshold = 10\nrounding = 5";
    fs::write(&file, text.replace("release = \"open\"", floor)).unwrap();
    for node in fs::read_dir(dir).unwrap() {
        let file = node.unwrap().path().join("node.toml");
        let Ok(text) = fs::read_to_string(&file) else { continue };
        let mut blocks: Vec<String> = text.split("[[dataset]]").map(str::to_owned).collect();
        for block in blocks.iter_mut().filter(|block| block.contains("/collision.toml")) {
            *block = block.replace("release = \"open\"", "release = \"protected\"");
        }
        fs::write(&file, blocks.join("[[dataset]]")).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn most_of_a_table_of_collisions_survives() {
    let Some(from) = std::env::var_os("JIGSAW_OPEN_DATA").map(PathBuf::from) else { return };
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let only = |dir: &Path| {
        let mut nodes = real::stats19(&from.join("stats19"), dir).unwrap().nodes;
        for node in &mut nodes {
            node.datasets.retain(|files| files.dataset == "collision");
        }
        nodes
    };
    let builder = |dir: &Path, nodes| Federation::builder(dir, nodes);
    let open = builder(one.path(), only(one.path())).policy(Policy::Open).start().await.unwrap();
    let protected = builder(other.path(), only(other.path())).policy(Policy::Contract).edit(protecting);
    let protected = protected.start().await.unwrap();
    let mut text = HEAD.to_owned();
    for keys in TABLES {
        let mut survey = Survey::default();
        let sql = format!("SELECT node, {keys}, COUNT(*) AS n FROM collision GROUP BY node, {keys}");
        survey.ask(&open, &protected, &sql).await;
        assert_eq!(survey.answered, 1, "{sql}: {survey:?}");
        writeln!(text, "{}", survey.line(&format!("by borough, {keys}"))).unwrap();
    }
    writeln!(text, "\nBy rule: {}", rules(&protected)).unwrap();
    publish("utility_stats19.md", &text);
}

/// The contracts that protect somebody.
#[test]
fn every_protected_contract_is_a_cube() {
    for (name, text) in data::contracts() {
        assert!(!text.contains("conditions = \"any\""), "{name}");
    }
}
