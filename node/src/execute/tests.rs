//! Fragments over real files, from the ticket's bytes to the engine's answer.

mod bounds;
mod states;
mod totality;
mod unions;

use std::collections::BTreeMap;
use std::fs::File;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use jigsaw_proto::aggregate::State;
use jigsaw_proto::contract::Contract;
use jigsaw_proto::expr::{Column, Expr};
use jigsaw_proto::fragment::{Fragment, Measure, Relation};
use jigsaw_proto::id::DatasetName;
use jigsaw_proto::wire::FragmentRequest;
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use tempfile::TempDir;

use super::{Engine, Error, Holders, Raw, execute};
use crate::authorise::{Gate, authorise};
use crate::config::{CsvWords, FormatWord};
use crate::disclose::policy::Policy;
use crate::secret::Secret;
use crate::settings::DatasetSettings;
use crate::sources::Dataset;
use crate::validate::{Approved, validate};

/// A file of so many bytes is read anew for each question.
const LARGE: usize = 1024 * 1024;

/// A node's inside: datasets in Parquet files and the engine, without the server.
struct Bench {
    dir: TempDir,
    engine: Engine,
    datasets: BTreeMap<DatasetName, Arc<Dataset>>,
}

impl Bench {
    /// Datasets of one file each, with the freest policy their contract allows. The files are too large for their rows to
    /// be kept in memory.
    async fn open(threads: usize, tables: &[(&str, &RecordBatch)]) -> Self {
        Self::padded(threads, tables, LARGE).await
    }

    /// The same with files of `padding` bytes besides their rows.
    async fn padded(threads: usize, tables: &[(&str, &RecordBatch)], padding: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let runtime = Engine::runtime(256 * 1024 * 1024).unwrap();
        let mut datasets = BTreeMap::new();
        for (contract, rows) in tables {
            let contract = Contract::parse(contract).unwrap();
            let folder = dir.path().join(contract.name.as_str());
            std::fs::create_dir(&folder).unwrap();
            write(&folder.join("a.parquet"), rows, padding);
            let (name, settings) = (contract.name.clone(), settings(contract, &folder));
            datasets.insert(name, Arc::new(Dataset::open(settings, &runtime).await.unwrap()));
        }
        let threads = NonZeroUsize::new(threads).unwrap();
        Self {
            dir,
            engine: Engine::new("camden".parse().unwrap(), Secret::fresh().unwrap(), runtime, threads),
            datasets,
        }
    }

    async fn approve(&self, fragment: Fragment) -> Approved {
        let request = FragmentRequest {
            query: "q".parse().unwrap(),
            principal: String::new(),
            purpose: String::new(),
            deadline_ms: 60_000,
            fragment,
            serial: 0,
            issued_ms: 0,
            assertion: jigsaw_proto::identity::Assertion::default(),
        };
        let permit = authorise(&request.encode(), &Gate::trusting(), |_| {}).await.unwrap();
        validate(&permit, &self.datasets).unwrap()
    }

    async fn try_run(&self, fragment: Fragment) -> Result<Raw, Error> {
        execute(&self.approve(fragment).await, &self.engine, Duration::from_mins(1)).await
    }

    async fn run(&self, fragment: Fragment) -> Raw {
        self.try_run(fragment).await.unwrap()
    }

    /// The released columns as text, rows in order.
    async fn table(&self, fragment: Fragment) -> String {
        sorted(self.run(fragment).await.columns())
    }
}

fn settings(contract: Contract, folder: &Path) -> DatasetSettings {
    let protected = "release = \"protected\"\nthreshold = 3\nrounding = 1";
    let any = format!("{protected}\nconditions = \"any\"");
    let policy = Policy::parse("release = \"open\"", &contract);
    let policy = policy.or_else(|_| Policy::parse(&any, &contract));
    let policy = policy.or_else(|_| Policy::parse(protected, &contract));
    DatasetSettings {
        contract,
        contract_text: String::new(),
        policy: policy.unwrap(),
        source: format!("{}/", folder.display()),
        folder: folder.to_path_buf(),
        format: FormatWord::Parquet,
        csv: CsvWords::plain(),
        select: None,
        only: vec![],
    }
}

fn write(path: &Path, rows: &RecordBatch, padding: usize) {
    let remark = vec![KeyValue::new("remark".to_owned(), "-".repeat(padding))];
    let properties = WriterProperties::builder().set_key_value_metadata(Some(remark)).build();
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, rows.schema(), Some(properties)).unwrap();
    writer.write(rows).unwrap();
    writer.close().unwrap();
}

/// A table as text, its rows in order.
fn sorted(rows: &RecordBatch) -> String {
    let text = pretty_format_batches(std::slice::from_ref(rows)).unwrap().to_string();
    let mut lines: Vec<&str> = text.lines().skip(3).collect();
    lines.sort_unstable();
    lines.join("\n")
}

fn scan(dataset: &str, alias: &str) -> Relation {
    Relation::Scan { dataset: dataset.parse().unwrap(), alias: alias.to_owned() }
}

fn column(relation: &str, name: &str) -> Expr {
    Expr::Column(Column::new(relation, name))
}

fn measure(state: State, argument: Expr) -> Measure {
    Measure { state, argument: Some(argument), paired: None, time: None, filter: None }
}

const ROWS: Measure = Measure { state: State::Rows, argument: None, paired: None, time: None, filter: None };
