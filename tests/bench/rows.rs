//! The rows of the bench: hourly readings, the same every time, one Parquet file a node, kept below the build folder.

use std::error::Error;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use harness::data::{DatasetFiles, Format, NodeData};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// As many as London has boroughs.
pub(crate) const NODES: usize = 33;

const MEASURES: [&str; 5] = ["NO2", "PM10", "temp_out", "traffic_flow", "river_level"];
const FILE: &str = "data/env_reading.parquet";

/// The folder of a size; written on first use.
pub(crate) fn folder(rows: usize) -> Result<PathBuf, Box<dyn Error>> {
    let dir = target().join(format!("bench/{rows}"));
    for node in 0..NODES {
        let folder = dir.join(id(node));
        forget(&folder)?;
        let path = folder.join(FILE);
        if !path.is_file() {
            fs::create_dir_all(path.parent().unwrap_or(&dir))?;
            write(&path, node, rows)?;
        }
    }
    Ok(dir)
}

/// Removes what a node of an earlier run recorded in its folder: the next has a key of its own.
pub(crate) fn forget(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder.join("audit")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// The build folder.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from)
}

/// The nodes of a folder.
pub(crate) fn nodes() -> Vec<NodeData> {
    let node = |node| NodeData {
        id: id(node),
        title: format!("Borough {node}"),
        datasets: vec![DatasetFiles {
            dataset: "env_reading",
            contract: "env_reading.toml".to_owned(),
            source: FILE.to_owned(),
            format: Format::Parquet,
            select: None,
        }],
    };
    (0..NODES).map(node).collect()
}

/// Size of the first node's file.
pub(crate) fn bytes_per_node(dir: &Path) -> f64 {
    let length = fs::metadata(dir.join(id(0)).join(FILE)).map_or(0, |file| file.len());
    f64::from(u32::try_from(length).unwrap_or(u32::MAX))
}

pub(crate) fn id(node: usize) -> String {
    format!("borough-{node:02}")
}

fn write(path: &Path, node: usize, rows: usize) -> Result<(), Box<dyn Error>> {
    let mut random = ChaCha8Rng::seed_from_u64(node as u64);
    let part = path.with_extension("part");
    let mut writer: Option<ArrowWriter<File>> = None;
    for first in (0..rows).step_by(100_000) {
        let batch = batch(&mut random, node, first, rows.min(first + 100_000))?;
        if writer.is_none() {
            let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
            writer = Some(ArrowWriter::try_new(File::create(&part)?, batch.schema(), Some(properties))?);
        }
        if let Some(writer) = &mut writer {
            writer.write(&batch)?;
        }
    }
    if let Some(writer) = writer {
        writer.close()?;
    }
    Ok(fs::rename(part, path)?)
}

fn batch(
    random: &mut ChaCha8Rng,
    node: usize,
    first: usize,
    last: usize,
) -> Result<RecordBatch, Box<dyn Error>> {
    let rows = first..last;
    let site = |row: usize| format!("S{node:02}{:02}", row % 15);
    let sites: StringArray = rows.clone().map(|row| Some(site(row))).collect();
    let boroughs: StringArray = rows.clone().map(|_| Some(format!("E09{:06}", node + 1))).collect();
    let measures: StringArray = rows.clone().map(|row| MEASURES.get(row % 5).copied()).collect();
    let units: StringArray = rows.clone().map(|_| Some("µg/m3")).collect();
    let hour = |row: usize| i64::try_from(row / 75).map(|hour| 1_640_995_200_000_000 + hour * 3_600_000_000);
    let times: TimestampMicrosecondArray = rows.clone().map(|row| hour(row).ok()).collect();
    let values: Float64Array =
        rows.map(|_| Some(f64::from(random.random_range(0_u32..1000)) / 10.0)).collect();
    let columns: [(&str, ArrayRef); 6] = [
        ("site_code", Arc::new(sites)),
        ("borough_gss", Arc::new(boroughs)),
        ("measure", Arc::new(measures)),
        ("unit", Arc::new(units)),
        ("ts", Arc::new(times)),
        ("value", Arc::new(values)),
    ];
    Ok(RecordBatch::try_from_iter(columns)?)
}
