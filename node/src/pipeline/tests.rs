//! Attacks and promises, from the bytes of a ticket to the bytes that would leave.

mod attacks;
mod bounds;
mod budget;
mod combined;
mod crash;
mod cube;
mod filters;
mod grants;
mod grid;
mod intervals;
mod mould;
mod nested;
mod pairs;
mod record;
mod series;
mod summands;
mod withheld;

use std::collections::BTreeMap;
use std::fs::File;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Float64Type, Int64Type, Schema};
use arrow_flight::FlightData;
use arrow_flight::utils::flight_data_to_batches;
use jigsaw_proto::aggregate::State;
use jigsaw_proto::contract::{Contract, Floor};
use jigsaw_proto::expr::{BinaryOp, Branch, Column, Expr, Literal, UnaryOp};
use jigsaw_proto::fragment::{Fragment, Measure, Relation};
use jigsaw_proto::refusal::Refusal;
use jigsaw_proto::release::Manifest;
use jigsaw_proto::tls::TlsMaterial;
use jigsaw_proto::wire::{FragmentRequest, unix_ms};
use parquet::arrow::ArrowWriter;
use tempfile::TempDir;

use super::answer;
use crate::config::{CsvWords, FormatWord};
use crate::disclose::policy::Policy;
use crate::node::Node;
use crate::settings::{AuditSettings, DatasetSettings, Limits, Settings};

/// A protected dataset: ten people to a cell, counts in fives.
const STAY: &str = r#"
name = "stay"
version = 1
description = "nights in a shelter"
release = "protected"
threshold = 10
rounding = 5
conditions = "any"
[[column]]
name = "person"
type = "text"
role = "entity"
description = "who"
[[column]]
name = "ward"
type = "text"
role = "dimension"
description = "where"
[[column]]
name = "beds"
type = "int64"
role = "dimension"
description = "a number to group by"
[[column]]
name = "cost"
type = "int64"
role = "measure"
resolution = 100.0
description = "pounds"
[[column]]
name = "temp"
type = "float64"
role = "measure"
resolution = 0.1
filterable = true
description = "degrees"
[[column]]
name = "note"
type = "text"
role = "hidden"
description = "for nobody"
"#;

/// The datasets of a bench and their contracts.
pub(crate) fn contracts() -> [(&'static str, String); 3] {
    [("stay", STAY.to_owned()), ("meal", meal()), ("site", site())]
}

/// The same rows as if they were public.
fn site() -> String {
    let open = "release = \"open\"";
    let text = STAY.replace("name = \"stay\"", "name = \"site\"").replace("release = \"protected\"", open);
    text.replace("threshold = 10\n", "").replace("rounding = 5\n", "").replace("conditions = \"any\"\n", "")
}

/// A second protected dataset over the same people.
fn meal() -> String {
    STAY.replace("name = \"stay\"", "name = \"meal\"")
}

/// People and rows of each ward. `sensor` has many rows of few people, `edge` exactly as many people as the threshold.
const WARDS: [(Option<&str>, usize, usize); 5] = [
    (Some("big"), 200, 1),
    (Some("tiny"), 3, 1),
    (Some("edge"), 10, 1),
    (Some("sensor"), 3, 1000),
    (None, 12, 1),
];

/// What the people of `tiny` cost: a value to look for in bytes.
const CANARY: i64 = 7_654_321;

fn rows() -> RecordBatch {
    let (mut people, mut wards, mut beds, mut costs, mut temps) = (vec![], vec![], vec![], vec![], vec![]);
    for (ward, persons, each) in WARDS {
        for person in 0..persons {
            for row in 0..each {
                people.push(format!("{}-{person}", ward.unwrap_or("none")));
                wards.push(ward);
                beds.push(Some(if ward == Some("tiny") { 9 } else { 2 }));
                costs.push(if ward == Some("tiny") { Some(CANARY) } else { Some(100) });
                temps.push(Some(18.0 + f64::from(u8::try_from((person + row) % 8).unwrap_or(0)) / 2.0));
            }
        }
    }
    let notes = StringArray::from(vec!["secret"; people.len()]);
    let columns: [(&str, ArrayRef); 6] = [
        ("person", Arc::new(StringArray::from(people))),
        ("ward", Arc::new(StringArray::from(wards))),
        ("beds", Arc::new(Int64Array::from(beds))),
        ("cost", Arc::new(Int64Array::from(costs))),
        ("temp", Arc::new(Float64Array::from(temps))),
        ("note", Arc::new(notes)),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// A node without its server.
pub(crate) struct Bench {
    pub(crate) dir: TempDir,
    pub(crate) node: Arc<Node>,
}

/// What would be sent.
struct Answer {
    messages: Vec<FlightData>,
    batch: RecordBatch,
    manifest: Manifest,
}

impl Bench {
    pub(crate) async fn open() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let datasets = contracts().map(|(_, contract)| dataset(&contract, dir.path()));
        let mut settings = Settings {
            file: dir.path().join("node.toml"),
            id: "camden".parse().unwrap(),
            title: "Camden".to_owned(),
            listen: "127.0.0.1:0".parse().unwrap(),
            tls: TlsMaterial { certificate: String::new(), key: String::new(), authority: String::new() },
            coordinators: vec!["coordinator.example".to_owned()],
            disclosure: dir.path().join("disclosure"),
            audit: AuditSettings {
                file: dir.path().join("audit.jsonl"),
                key: dir.path().join("audit.key"),
                rotate: u64::MAX,
            },
            limits: Limits {
                fragments: 4,
                memory: 256 * 1024 * 1024,
                deadline: Duration::from_mins(1),
                threads: NonZeroUsize::MIN,
            },
            identity: None,
            pace: jigsaw_proto::pace::Limits::default(),
            datasets: datasets.into(),
        };
        change(&mut settings);
        Self { node: Arc::new(Node::open(settings).await.unwrap()), dir }
    }

    /// A bench whose `stay` is under that policy, beside being protected against any conditions.
    async fn under(policy: &str) -> Self {
        Self::under_conditions("any", policy).await
    }

    /// A bench whose `stay` is under that policy, beside being protected.
    async fn under_conditions(conditions: &str, policy: &str) -> Self {
        let text = format!("release = \"protected\"\nconditions = \"{conditions}\"\n{policy}");
        Self::with(|settings| {
            for dataset in
                settings.datasets.iter_mut().filter(|dataset| dataset.contract.name.as_str() == "stay")
            {
                dataset.policy = Policy::parse(&text, &dataset.contract).unwrap();
            }
        })
        .await
    }

    async fn ask(&self, fragment: Fragment) -> Result<Answer, Refusal> {
        self.ask_with(&ticket(fragment)).await
    }

    async fn ask_with(&self, ticket: &[u8]) -> Result<Answer, Refusal> {
        let messages = answer(&self.node, "coordinator.example", ticket).await?;
        let mut batches = flight_data_to_batches(&messages).unwrap();
        let manifest = Manifest::decode(&messages.last().unwrap().app_metadata).unwrap();
        assert!(batches.len() <= 1, "the rows of a bench fit one message");
        let batch = batches.pop().unwrap_or_else(|| RecordBatch::new_empty(Arc::new(Schema::empty())));
        Ok(Answer { messages, batch, manifest })
    }

    /// The one cell of a fragment without keys.
    async fn cell(&self, measure: Measure) -> Result<Option<f64>, Refusal> {
        let answer =
            self.ask(Fragment { input: scan("stay"), keys: vec![], measures: vec![measure] }).await?;
        let column = answer.batch.column(0);
        let number = match column.as_primitive_opt::<Int64Type>() {
            #[expect(clippy::cast_precision_loss, reason = "the numbers of a bench are small")]
            Some(whole) => whole.iter().next().flatten().map(|value| value as f64),
            None => column.as_primitive::<Float64Type>().iter().next().flatten(),
        };
        Ok(number)
    }

    /// The code of the refusal, or what was released instead.
    async fn refusal(&self, fragment: Fragment) -> String {
        match self.ask(fragment).await {
            Ok(answer) => format!("released {:?}", answer.batch),
            Err(refusal) => refusal.code.to_string(),
        }
    }

    /// The wards that [`by_ward`] shows, in order.
    pub(crate) async fn wards(&self) -> Vec<Option<String>> {
        let answer = self.ask(by_ward()).await.unwrap();
        answer.batch.column(0).as_string::<i32>().iter().map(|ward| ward.map(str::to_owned)).collect()
    }

    /// The audit log's lines, but for those of starts.
    fn audit(&self) -> Vec<serde_json::Value> {
        self.node.audit.settle();
        let text = std::fs::read_to_string(self.dir.path().join("audit.jsonl")).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.filter(|line| line["outcome"] != "started").collect()
    }

    /// The ends of requests.
    fn ends(&self) -> Vec<serde_json::Value> {
        self.audit().into_iter().filter(|line| line["outcome"] != "asked").collect()
    }
}

fn dataset(contract: &str, dir: &Path) -> DatasetSettings {
    let contract = Contract::parse(contract).unwrap();
    let path: PathBuf = dir.join(format!("{}.parquet", contract.name));
    let rows = rows();
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), rows.schema(), None).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    DatasetSettings {
        policy: Policy::parse(freest(&contract), &contract).unwrap(),
        contract,
        contract_text: String::new(),
        source: path.display().to_string(),
        folder: dir.to_path_buf(),
        format: FormatWord::Parquet,
        csv: CsvWords { columns: BTreeMap::new(), ..CsvWords::plain() },
        select: None,
        only: vec![],
    }
}

/// The freest policy that the contract allows.
fn freest(contract: &Contract) -> &'static str {
    match contract.floor {
        Floor::Open => "release = \"open\"",
        Floor::Protected { .. } => "release = \"protected\"\nconditions = \"any\"",
    }
}

pub(crate) fn ticket(fragment: Fragment) -> Vec<u8> {
    static TICKETS: AtomicU32 = AtomicU32::new(0);
    let (query, principal, purpose) = ("q1".parse().unwrap(), "ada".to_owned(), "a test".to_owned());
    let (serial, issued_ms) = (TICKETS.fetch_add(1, Ordering::Relaxed), unix_ms());
    FragmentRequest {
        query,
        principal,
        purpose,
        deadline_ms: 60_000,
        fragment,
        serial,
        issued_ms,
        assertion: jigsaw_proto::identity::Assertion::default(),
    }
    .encode()
}

// ---- fragments in few words ----

/// A dataset under the alias `t`.
fn scan(dataset: &str) -> Relation {
    aliased(dataset, "t")
}

fn aliased(dataset: &str, alias: &str) -> Relation {
    Relation::Scan { dataset: dataset.parse().unwrap(), alias: alias.to_owned() }
}

/// A column of `t`.
fn t(name: &str) -> Expr {
    of("t", name)
}

fn of(relation: &str, name: &str) -> Expr {
    Expr::Column(Column::new(relation, name))
}

fn text(text: &str) -> Expr {
    Expr::Literal(Literal::text(text))
}

fn int(value: i64) -> Expr {
    Expr::Literal(Literal::int64(value))
}

fn double(value: f64) -> Expr {
    use jigsaw_proto::expr::Value;
    use jigsaw_proto::types::DataType;
    Expr::Literal(Literal::new(DataType::Float64, Some(Value::Float(value))).unwrap())
}

fn equal(left: Expr, right: Expr) -> Expr {
    left.binary(BinaryOp::Eq, right)
}

/// `t.ward = 'tiny'`: three people.
fn tiny() -> Expr {
    equal(t("ward"), text("tiny"))
}

fn is_null(expr: Expr) -> Expr {
    expr.unary(UnaryOp::IsNull)
}

fn case(when: Expr, then: Expr, otherwise: Option<Expr>) -> Expr {
    Expr::Case { branches: vec![Branch { when, then }], otherwise: otherwise.map(Box::new) }
}

fn measure(state: State, argument: Expr) -> Measure {
    Measure { state, argument: Some(argument), paired: None, time: None, filter: None }
}

const ROWS: Measure = Measure { state: State::Rows, argument: None, paired: None, time: None, filter: None };

fn filtered(input: Relation, predicate: Expr) -> Relation {
    Relation::Filter { input: Box::new(input), predicate }
}

fn fragment(input: Relation, keys: Vec<Expr>, measures: Vec<Measure>) -> Fragment {
    Fragment { input, keys, measures }
}

/// `SELECT t.ward, count(*) FROM stay AS t GROUP BY t.ward`
pub(crate) fn by_ward() -> Fragment {
    fragment(scan("stay"), vec![t("ward")], vec![ROWS])
}

/// `SELECT count(*) FROM stay AS t WHERE predicate`
fn counted(predicate: Expr) -> Fragment {
    fragment(filtered(scan("stay"), predicate), vec![], vec![ROWS])
}

/// `SELECT state(argument) FROM stay AS t`
fn aggregated(state: State, argument: Expr) -> Fragment {
    fragment(scan("stay"), vec![], vec![measure(state, argument)])
}
