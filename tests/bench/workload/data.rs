//! The rows of the workload: TPC-H's tables split over 33 nodes by key, and readings of sensors. Written once, as other tools
//! write Parquet (Snappy, no Arrow schema inside), in one file for each table and node.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray as _, Float64Array, Int64Array, RecordBatch, TimestampMicrosecondArray, UInt32Array,
};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Int64Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use harness::data::{DatasetFiles, Format, NodeData, Result};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator, SupplierGenerator,
};
use tpchgen_arrow::{CustomerArrow, LineItemArrow, NationArrow, OrderArrow, PartArrow, SupplierArrow};

use crate::rows::{NODES, forget, id, target};

/// Tables whose rows lie at the nodes; the first column of TPC-H's is the key they are split by.
pub(crate) const TABLES: [&str; 4] = ["lineitem", "orders", "customer", "reading"];
/// Public tables, whole at the coordinator.
pub(crate) const REFERENCES: [&str; 3] = ["part", "supplier", "nation"];
/// Readings of one sensor: 15 minutes apart, nearly 21 days.
const READINGS: usize = 2_000;
/// 1 January 2026, microseconds since 1970.
const BEGIN: i64 = 1_767_225_600_000_000;
const ROWS_PER_BATCH: usize = 64 * 1024;

/// The folder of a scale factor, below `JIGSAW_BENCH_DATA` or the build folder; written on first use.
pub(crate) fn folder(scale: f64) -> Result<PathBuf> {
    let base = std::env::var_os("JIGSAW_BENCH_DATA").map_or_else(|| target().join("bench"), PathBuf::from);
    let dir = std::path::absolute(base.join(format!("workload-{scale}")))?;
    let done = dir.join("complete");
    if !done.is_file() {
        write(&dir, scale)?;
        fs::write(done, "")?;
    }
    for node in 0..NODES {
        forget(&dir.join(id(node)))?;
    }
    Ok(dir)
}

/// Where a table's file of a node is.
pub(crate) fn file(dir: &Path, node: usize, table: &str) -> PathBuf {
    dir.join(id(node)).join(format!("data/{table}.parquet"))
}

/// Where a public table is.
pub(crate) fn reference(dir: &Path, table: &str) -> PathBuf {
    dir.join(format!("public/{table}.parquet"))
}

/// The nodes of a folder.
pub(crate) fn nodes() -> Vec<NodeData> {
    let dataset = |dataset| DatasetFiles {
        dataset,
        contract: format!("{dataset}.toml"),
        source: format!("data/{dataset}.parquet"),
        format: Format::Parquet,
        select: None,
    };
    let datasets = || TABLES.into_iter().map(dataset).collect();
    (0..NODES)
        .map(|node| NodeData { id: id(node), title: format!("Borough {node}"), datasets: datasets() })
        .collect()
}

/// The contracts, of the first node's files: amounts are measures, everything else is a dimension.
pub(crate) fn contracts(dir: &Path) -> Result<Vec<(String, String)>> {
    TABLES.into_iter().map(|table| contract_of(table, &file(dir, 0, table))).collect()
}

/// Name and text of the contract that a file follows.
pub(crate) fn contract_of(table: &str, file: &Path) -> Result<(String, String)> {
    let schema = Arc::clone(ParquetRecordBatchReaderBuilder::try_new(File::open(file)?)?.schema());
    Ok((table.to_owned(), contract(table, &schema)?))
}

/// Rows of every table, for what a question scans.
pub(crate) fn rows(dir: &Path) -> Result<BTreeMap<&'static str, u64>> {
    let mut rows = BTreeMap::new();
    for table in TABLES {
        for node in 0..NODES {
            let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(file(dir, node, table))?)?;
            let count = u64::try_from(reader.metadata().file_metadata().num_rows())?;
            *rows.entry(table).or_default() += count;
        }
    }
    Ok(rows)
}

/// Tells the coordinator of the public tables.
pub(crate) fn publish(dir: &Path) {
    let path = dir.join("coordinator.toml");
    let mut text = fs::read_to_string(&path).unwrap();
    for name in REFERENCES {
        let block = format!(
            "\n[[reference]]\nname = \"{name}\"\nsource = \"public/{name}.parquet\"\ndescription = \"TPC-H's {name}\"\n"
        );
        text.push_str(&block);
    }
    fs::write(path, text).unwrap();
}

fn contract(table: &str, schema: &Schema) -> Result<String> {
    let mut text =
        format!("name = \"{table}\"\nversion = 1\ndescription = \"Of the bench.\"\nrelease = \"open\"\n");
    for field in schema.fields() {
        let (word, rest) = match field.data_type() {
            DataType::Int32 => ("int32".to_owned(), ""),
            DataType::Int64 => ("int64".to_owned(), ""),
            DataType::Utf8 | DataType::Utf8View => ("text".to_owned(), ""),
            DataType::Date32 => ("date".to_owned(), ""),
            DataType::Timestamp(..) => ("timestamp".to_owned(), ""),
            DataType::Decimal128(precision, scale) => (format!("decimal({precision},{scale})"), "0.01"),
            DataType::Float64 => ("float64".to_owned(), "0.1\nbounds = [-50.0, 150.0]"),
            other => return Err(format!("{table}.{}: no contract has {other}", field.name()).into()),
        };
        let role = if rest.is_empty() {
            "\"dimension\"".to_owned()
        } else {
            format!("\"measure\"\nfilterable = true\nresolution = {rest}")
        };
        write!(
            text,
            "\n[[column]]\nname = \"{}\"\ntype = \"{word}\"\nrole = {role}\ndescription = \"As its name says.\"\nnullable = {}\n",
            field.name(),
            field.is_nullable(),
        )?;
    }
    Ok(text)
}

/// Writes the rows of a scale factor.
pub(crate) fn write(dir: &Path, scale: f64) -> Result<()> {
    for folder in (0..NODES).map(|node| dir.join(id(node)).join("data")).chain([dir.join("public")]) {
        fs::create_dir_all(folder)?;
    }
    let lineitem = LineItemArrow::new(LineItemGenerator::new(scale, 1, 1)).with_batch_size(ROWS_PER_BATCH);
    split(dir, "lineitem", &LineItemArrow::schema_ref(), lineitem)?;
    let orders = OrderArrow::new(OrderGenerator::new(scale, 1, 1)).with_batch_size(ROWS_PER_BATCH);
    split(dir, "orders", &OrderArrow::schema_ref(), orders)?;
    let customer = CustomerArrow::new(CustomerGenerator::new(scale, 1, 1)).with_batch_size(ROWS_PER_BATCH);
    split(dir, "customer", &CustomerArrow::schema_ref(), customer)?;
    let part = PartArrow::new(PartGenerator::new(scale, 1, 1));
    whole(&reference(dir, "part"), &PartArrow::schema_ref(), &[0, 4, 5], part)?;
    let supplier = SupplierArrow::new(SupplierGenerator::new(scale, 1, 1));
    whole(&reference(dir, "supplier"), &SupplierArrow::schema_ref(), &[0, 1, 3], supplier)?;
    let nation = NationArrow::new(NationGenerator::new(scale, 1, 1));
    whole(&reference(dir, "nation"), &NationArrow::schema_ref(), &[0, 1, 2], nation)?;
    for node in 0..NODES {
        readings(&file(dir, node, "reading"), node, sensors(scale))?;
    }
    Ok(())
}

/// Sensors of a node: 500 at scale 1, which makes a million readings.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
fn sensors(scale: f64) -> usize {
    ((500.0 * scale).round() as usize).max(2)
}

/// The node of a key, by multiplicative hashing: SQL of every peer can say the same.
fn node(key: i64) -> usize {
    let hash = u64::from(u32::MAX) & key.cast_unsigned().wrapping_mul(2_654_435_761);
    usize::try_from((hash * NODES as u64) >> 32).unwrap_or(0)
}

fn writer(path: &Path, schema: SchemaRef) -> Result<ArrowWriter<File>> {
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    Ok(ArrowWriter::try_new_with_options(File::create(path)?, schema, options)?)
}

type Batches<'a> = &'a mut dyn Iterator<Item = std::result::Result<RecordBatch, ArrowError>>;

/// Gives every node the rows whose key, the first column, is its own.
fn split(
    dir: &Path,
    table: &str,
    schema: &SchemaRef,
    mut batches: impl Iterator<Item = std::result::Result<RecordBatch, ArrowError>>,
) -> Result<()> {
    let batches: Batches<'_> = &mut batches;
    let writers = (0..NODES).map(|node| writer(&file(dir, node, table), Arc::clone(schema)));
    let mut writers = writers.collect::<Result<Vec<_>>>()?;
    for batch in batches {
        let batch = batch?;
        let mut places = vec![Vec::new(); NODES];
        for (row, key) in (0_u32..).zip(batch.column(0).as_primitive::<Int64Type>().values()) {
            if let Some(places) = places.get_mut(node(*key)) {
                places.push(row);
            }
        }
        for (writer, places) in writers.iter_mut().zip(places) {
            writer.write(&take_record_batch(&batch, &UInt32Array::from(places))?)?;
        }
    }
    for writer in writers {
        writer.close()?;
    }
    Ok(())
}

/// Writes some columns of a table that is not split.
fn whole(
    path: &Path,
    schema: &SchemaRef,
    columns: &[usize],
    mut batches: impl Iterator<Item = std::result::Result<RecordBatch, ArrowError>>,
) -> Result<()> {
    let batches: Batches<'_> = &mut batches;
    let mut writer = writer(path, Arc::new(schema.project(columns)?))?;
    for batch in batches {
        writer.write(&batch?.project(columns)?)?;
    }
    writer.close()?;
    Ok(())
}

/// Readings in the order of time, every value a multiple of 0.1.
pub(crate) fn readings(path: &Path, node: usize, sensors: usize) -> Result<()> {
    let mut random = ChaCha8Rng::seed_from_u64(node as u64);
    let mut file: Option<ArrowWriter<File>> = None;
    for first in (0..READINGS).step_by(100) {
        let batch = reading(&mut random, node, sensors, first..first + 100)?;
        if file.is_none() {
            file = Some(writer(path, batch.schema())?);
        }
        if let Some(file) = &mut file {
            file.write(&batch)?;
        }
    }
    if let Some(file) = file {
        file.close()?;
    }
    Ok(())
}

/// A mild winter: the day is two degrees warmer than the night, each home has its own warmth, damp air where it is cold.
fn reading(
    random: &mut ChaCha8Rng,
    node: usize,
    sensors: usize,
    steps: std::ops::Range<usize>,
) -> Result<RecordBatch> {
    let rows = || steps.clone().flat_map(|step| (0..sensors).map(move |sensor| (step, sensor)));
    let time = |step: usize| i64::try_from(step).map(|step| BEGIN + step * 900_000_000).ok();
    let key = |sensor: usize| i64::try_from(node * sensors + sensor).ok();
    let (mut temperatures, mut humidities) = (Vec::new(), Vec::new());
    for (step, sensor) in rows() {
        let day = if (32..80).contains(&(step % 96)) { 20 } else { 0 };
        let home = i32::try_from(sensor % 60)?;
        let tenths = 150 + day + home + random.random_range(-20..=20);
        temperatures.push(f64::from(tenths) / 10.0);
        humidities.push(f64::from((700 - tenths + random.random_range(-50..=50)).clamp(0, 1000)) / 10.0);
    }
    let columns: [(&str, ArrayRef); 4] = [
        ("sensor_id", Arc::new(rows().map(|(_, sensor)| key(sensor)).collect::<Int64Array>())),
        ("ts", Arc::new(rows().map(|(step, _)| time(step)).collect::<TimestampMicrosecondArray>())),
        ("temp_c", Arc::new(Float64Array::from(temperatures))),
        ("rh_pct", Arc::new(Float64Array::from(humidities))),
    ];
    Ok(RecordBatch::try_from_iter(columns)?)
}
