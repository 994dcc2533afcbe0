//! Public reference tables: small files held by the coordinator, read once at start.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::prelude::{CsvReadOptions, ParquetReadOptions, SessionConfig, SessionContext};
use jigsaw_proto::id::DatasetName;

use crate::query::QueryError;

/// A reference table as the configuration lists it.
#[derive(Debug, Clone)]
pub(crate) struct ReferenceEntry {
    pub(crate) name: DatasetName,
    pub(crate) source: PathBuf,
    pub(crate) description: String,
}

/// A reference table, in memory.
#[derive(Debug)]
pub(crate) struct ReferenceTable {
    entry: ReferenceEntry,
    table: Arc<MemTable>,
}

impl ReferenceTable {
    /// Reads the file, CSV or Parquet by its ending.
    pub(crate) async fn load(entry: ReferenceEntry) -> Result<Self, QueryError> {
        let (name, source) = (entry.name.clone(), entry.source.display().to_string());
        let failed = |error: &DataFusionError| QueryError::Sql {
            message: format!("reference table {name}: {source} cannot be read: {}", error.strip_backtrace()),
        };
        let table = read(&entry).await.map_err(|error| failed(&error))?;
        Ok(Self { entry, table: Arc::new(table) })
    }

    pub(crate) fn name(&self) -> &DatasetName {
        &self.entry.name
    }

    pub(crate) fn description(&self) -> &str {
        &self.entry.description
    }

    pub(crate) fn provider(&self) -> Arc<dyn TableProvider> {
        Arc::clone(&self.table) as _
    }
}

async fn read(entry: &ReferenceEntry) -> Result<MemTable, DataFusionError> {
    if !entry.source.is_file() {
        return Err(DataFusionError::Plan("there is no such file".to_owned()));
    }
    let mut config = SessionConfig::new();
    config.options_mut().execution.parquet.schema_force_view_types = false;
    let context = SessionContext::new_with_config(config);
    let path = entry.source.to_string_lossy().into_owned();
    let extension = entry.source.extension().and_then(OsStr::to_str).unwrap_or_default();
    let frame = match extension.to_ascii_lowercase().as_str() {
        "parquet" => context.read_parquet(path, ParquetReadOptions::default()).await?,
        "csv" => {
            let suffix = format!(".{extension}");
            // The whole file decides on a column's type: a code that looks like a number in the first rows stays text.
            let options = CsvReadOptions::new().file_extension(&suffix).schema_infer_max_records(usize::MAX);
            context.read_csv(path, options).await?
        }
        _ => return Err(DataFusionError::Plan("use a file that ends in .csv or .parquet".to_owned())),
    };
    let schema = frame.schema().as_arrow().clone();
    let batches = frame.collect().await?;
    plain(&schema, &batches)
}

/// The table with text in one encoding, as every other table has it.
fn plain(schema: &Schema, batches: &[RecordBatch]) -> Result<MemTable, DataFusionError> {
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| {
            let data_type = match field.data_type() {
                DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
                other => other.clone(),
            };
            Field::new(field.name(), data_type, true)
        })
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let recast = |batch: &RecordBatch| {
        let columns = batch
            .columns()
            .iter()
            .zip(schema.fields())
            .map(|(column, field)| cast(column, field.data_type()));
        RecordBatch::try_new(Arc::clone(&schema), columns.collect::<Result<_, _>>()?)
    };
    let batches = batches.iter().map(recast).collect::<Result<Vec<_>, _>>()?;
    MemTable::try_new(Arc::clone(&schema), vec![batches])
}
