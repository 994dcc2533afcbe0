//! Real open data, split by borough into nodes: road collisions (STATS19) and air quality (LAQN).
//!
//! The files stay where they are; nodes get copies of their rows in the publisher's shape, and a mapping.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray, UInt32Array};
use arrow::compute::{cast, concat_batches, take_record_batch};
use arrow::datatypes::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::deliver::{csv_bytes, write_parquet};
use super::london::London;
use super::text;
use super::{DatasetFiles, Format, NodeData, Result};

/// A real dataset, split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// the nodes' files
    pub nodes: Vec<NodeData>,
    /// rows that are at no node, and why
    pub left_out: Vec<LeftOut>,
}

/// Rows that no borough could be found for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// dataset they belong to
    pub dataset: &'static str,
    /// how many
    pub rows: usize,
    /// why
    pub reason: String,
}

const COLLISION: &str = "SELECT accident_index AS collision_key, CAST(accident_year AS INTEGER) AS year, month, \
    local_authority_ons_district AS borough_gss, accident_severity AS severity, road_type, \
    road_surface_conditions AS road_surface, weather_conditions AS weather, light_conditions AS light, \
    junction_detail AS junction, urban_or_rural_area AS urban_rural, \
    CAST(NULLIF(speed_limit, -1) AS INTEGER) AS speed_limit, CAST(\"time\" AS VARCHAR) AS time_of_day FROM source";
const VEHICLE: &str = "SELECT accident_index AS collision_key, CAST(vehicle_reference AS INTEGER) AS vehicle_number, \
    vehicle_type, sex_of_driver AS driver_sex, age_band_of_driver AS driver_age_band FROM source";
const CASUALTY: &str = "SELECT accident_index AS collision_key, CAST(casualty_reference AS INTEGER) AS casualty_number, \
    casualty_type, sex_of_casualty AS sex, age_band_of_casualty AS age_band, casualty_severity AS severity, \
    pedestrian_location AS location, pedestrian_movement AS movement FROM source";
const AIR_QUALITY: &str =
    "SELECT site_code, borough_gss, species, ts, round(CAST(value AS DOUBLE), 3) AS value FROM source";
const AIR_QUALITY_SITE: &str = "SELECT site_code, borough_gss, site_name, site_type, \
    CAST(lat AS DOUBLE) AS lat, CAST(lon AS DOUBLE) AS lon FROM source";

/// Splits `london_{collisions,vehicles,casualties}_2014_2023.parquet`.
///
/// Vehicles and casualties have no borough of their own and go where their collision is; those without a collision
/// in the file are left out, and said to be.
pub fn stats19(from: &Path, to: &Path) -> Result<Split> {
    let mut split = Splitter::new(to)?;
    let collisions = read_parquet(&from.join("london_collisions_2014_2023.parquet"))?;
    let boroughs = texts(&collisions, "local_authority_ons_district")?;
    let keys = texts(&collisions, "accident_index")?;
    let at: HashMap<&str, &str> =
        keys.iter().zip(boroughs.iter()).filter_map(|(key, borough)| Some((key?, borough?))).collect();
    split.deliver(("collision", COLLISION, false), &collisions, |row| text_at(&boroughs, row))?;
    for (dataset, select, file) in [
        ("vehicle", VEHICLE, "london_vehicles_2014_2023.parquet"),
        ("casualty", CASUALTY, "london_casualties_2014_2023.parquet"),
    ] {
        let rows = read_parquet(&from.join(file))?;
        let keys = texts(&rows, "accident_index")?;
        let borough = |row| text_at(&keys, row).and_then(|key| at.get(key).copied());
        split.deliver((dataset, select, false), &rows, borough)?;
    }
    Ok(split.finish())
}

/// Splits `laqn_hourly_2022_2024.parquet` and `laqn_sites.csv`.
pub fn laqn(from: &Path, to: &Path) -> Result<Split> {
    let mut split = Splitter::new(to)?;
    let sites = text::read(&from.join("laqn_sites.csv"), ',')?;
    let boroughs = texts(&sites, "borough_gss")?;
    split.deliver(("air_quality_site", AIR_QUALITY_SITE, true), &sites, |row| text_at(&boroughs, row))?;
    let readings = read_parquet(&from.join("laqn_hourly_2022_2024.parquet"))?;
    let boroughs = texts(&readings, "borough_gss")?;
    split.deliver(("air_quality", AIR_QUALITY, false), &readings, |row| text_at(&boroughs, row))?;
    Ok(split.finish())
}

struct Splitter<'a> {
    to: &'a Path,
    london: London,
    nodes: BTreeMap<usize, Vec<DatasetFiles>>,
    left_out: Vec<LeftOut>,
}

impl<'a> Splitter<'a> {
    fn new(to: &'a Path) -> Result<Self> {
        Ok(Self { to, london: London::read()?, nodes: BTreeMap::new(), left_out: Vec::new() })
    }

    /// Gives every borough its rows of a dataset.
    fn deliver<'b>(
        &mut self,
        (dataset, select, csv): (&'static str, &str, bool),
        rows: &RecordBatch,
        borough: impl Fn(usize) -> Option<&'b str>,
    ) -> Result<()> {
        let mut by_borough: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for row in 0..rows.num_rows() {
            by_borough.entry(borough(row).unwrap_or("")).or_default().push(u32::try_from(row)?);
        }
        for (gss, rows_there) in by_borough {
            let Ok(node) = self.london.position(gss) else {
                let reason = if gss.is_empty() {
                    "they name no borough, or a collision that is not in the file".to_owned()
                } else {
                    format!("'{gss}' is no London borough")
                };
                self.left_out.push(LeftOut { dataset, rows: rows_there.len(), reason });
                continue;
            };
            let batch = take_record_batch(rows, &UInt32Array::from(rows_there))?;
            let folder = self.to.join(&self.london.borough(node)?.id);
            fs::create_dir_all(folder.join("data"))?;
            let (ending, format) = if csv {
                ("csv", Format::Csv { delimiter: ',', null_values: vec![String::new()] })
            } else {
                ("parquet", Format::Parquet)
            };
            let source = format!("data/{dataset}.{ending}");
            if csv {
                fs::write(folder.join(&source), csv_bytes(&batch, b',')?)?;
            } else {
                write_parquet(&folder.join(&source), &batch)?;
            }
            let contract = format!("{dataset}.toml");
            let files = DatasetFiles { dataset, contract, source, format, select: Some(select.to_owned()) };
            self.nodes.entry(node).or_default().push(files);
        }
        Ok(())
    }

    fn finish(self) -> Split {
        let mut nodes = Vec::new();
        for (borough, datasets) in self.nodes {
            if let Some(borough) = self.london.boroughs.get(borough) {
                nodes.push(NodeData { id: borough.id.clone(), title: borough.title.clone(), datasets });
            }
        }
        Split { nodes, left_out: self.left_out }
    }
}

fn read_parquet(path: &Path) -> Result<RecordBatch> {
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
    let schema = Arc::clone(builder.schema());
    let batches = builder.with_batch_size(65_536).build()?.collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(concat_batches(&schema, &batches)?)
}

fn texts(batch: &RecordBatch, column: &str) -> Result<StringArray> {
    let array = batch.column_by_name(column).ok_or_else(|| format!("the file has no column {column}"))?;
    let array: ArrayRef = cast(array, &DataType::Utf8)?;
    Ok(array.as_any().downcast_ref::<StringArray>().ok_or("a cast to text gives text")?.clone())
}

fn text_at(array: &StringArray, row: usize) -> Option<&str> {
    array.is_valid(row).then(|| array.value(row))
}
