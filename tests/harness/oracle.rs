//! The oracle: one DataFusion over the union of all nodes' rows, and the comparison of two answers.
//!
//! Every node's files go through the same mapping as at the node; the virtual column `node` is added as a literal. An
//! answer of the federation under open policy must be equal: integers, decimals, text, booleans, dates and timestamps
//! to the last digit; doubles within a relative 1e-9 (and 1e-9 around zero), because the order of additions differs.
//!
//! Scripts are `sqllogictest` files: the oracle supplies the expected rows, so that most scripts are only SQL. See
//! [`script`].

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::prelude::{CsvReadOptions, ParquetReadOptions, SessionConfig, SessionContext};
use jigsaw_proto::contract::{Contract, NODE_COLUMN};

use crate::data::{self, DatasetFiles, Format, NodeData, REFERENCES, Result};

pub mod compare;
mod mould;
pub mod script;

use compare::{Table, difference};

/// All rows in one place.
pub struct Oracle {
    context: SessionContext,
}

impl std::fmt::Debug for Oracle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Oracle").finish_non_exhaustive()
    }
}

impl Oracle {
    /// Reads every node's files, found in the folder of its id below `dir`, and the reference tables.
    pub async fn over(dir: &Path, nodes: &[NodeData]) -> Result<Self> {
        let config = SessionConfig::new().with_default_catalog_and_schema("jigsaw", "public");
        let context = SessionContext::new_with_config(config);
        context.register_udaf(mould::mould_index());
        let mut names: Vec<&str> =
            nodes.iter().flat_map(|node| &node.datasets).map(|files| files.dataset).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let contract = data::contract(name)?;
            let schema = schema(&contract);
            let mut partitions = Vec::new();
            for node in nodes {
                for files in node.datasets.iter().filter(|files| files.dataset == name) {
                    let batches = read(&dir.join(&node.id), files, &contract).await?;
                    let shaped = batches.iter().map(|batch| shape(batch, &schema, &node.id));
                    partitions.push(shaped.collect::<Result<Vec<_>>>()?);
                }
            }
            context.register_table(name, Arc::new(MemTable::try_new(schema, partitions)?))?;
        }
        let references = tempfile::tempdir()?;
        data::Synthetic::write_references(references.path())?;
        for reference in REFERENCES {
            let path = references.path().join(format!("{}.csv", reference.name));
            let table = SessionContext::new().read_csv(text(&path)?, CsvReadOptions::new()).await?;
            let schema = Arc::new(table.schema().as_arrow().clone());
            let rows = MemTable::try_new(schema, vec![table.collect().await?])?;
            context.register_table(reference.name, Arc::new(rows))?;
        }
        Ok(Self { context })
    }

    /// Answers a query.
    ///
    /// # Errors
    /// The engine's text.
    pub async fn ask(&self, sql: &str) -> std::result::Result<Vec<RecordBatch>, String> {
        let answer = async {
            let query = self.context.sql(sql).await?;
            let schema = Arc::new(query.schema().as_arrow().clone());
            let batches = query.collect().await?;
            // An answer without rows still has columns.
            Ok(if batches.is_empty() { vec![RecordBatch::new_empty(schema)] } else { batches })
        };
        answer.await.map_err(|error: DataFusionError| error.to_string())
    }
}

impl Oracle {
    /// What another engine's answer to the same query gets wrong, whatever the order of its rows.
    ///
    /// # Errors
    /// A query that the oracle cannot answer either.
    pub async fn disagrees(
        &self,
        sql: &str,
        answer: &[RecordBatch],
    ) -> std::result::Result<Option<String>, String> {
        let mut expected = Table::new(&self.ask(sql).await?)?;
        let mut actual = Table::new(answer)?;
        expected.sort();
        actual.sort();
        Ok(difference(&expected, &actual))
    }
}

/// The contract's columns and `node`.
fn schema(contract: &Contract) -> SchemaRef {
    let columns = contract
        .columns
        .iter()
        .map(|column| Field::new(column.name.as_str(), column.data_type.to_arrow(), column.nullable));
    let node = Field::new(NODE_COLUMN, DataType::Utf8, false);
    Arc::new(Schema::new(columns.chain([node]).collect::<Vec<_>>()))
}

/// A node's rows, through its mapping.
async fn read(folder: &Path, files: &DatasetFiles, contract: &Contract) -> Result<Vec<RecordBatch>> {
    let context = SessionContext::new();
    let path = folder.join(&files.source);
    match &files.format {
        Format::Parquet => {
            context.register_parquet("source", text(&path)?, ParquetReadOptions::default()).await?;
        }
        Format::Csv { delimiter, null_values } => {
            let rows = nulled(&data::text::read(&path, *delimiter)?, null_values)?;
            let rows = if files.select.is_none() { typed(&rows, contract)? } else { rows };
            let table = MemTable::try_new(rows.schema(), vec![vec![rows]])?;
            context.register_table("source", Arc::new(table))?;
        }
    }
    let select = files.select.as_deref().unwrap_or("SELECT * FROM source");
    let problem = |error| format!("{} at {}: {error}", files.dataset, folder.display());
    let rows = context.sql(select).await.map_err(problem)?;
    Ok(rows.collect().await.map_err(problem)?)
}

/// Text columns with NULL for the texts that mean it.
fn nulled(rows: &RecordBatch, null_values: &[String]) -> Result<RecordBatch> {
    let mut columns: Vec<ArrayRef> = Vec::new();
    for column in rows.columns() {
        let texts = column.as_string::<i32>().iter();
        let known = |text: &&str| !null_values.iter().any(|null| null == text);
        columns.push(Arc::new(texts.map(|text| text.filter(known)).collect::<StringArray>()));
    }
    Ok(RecordBatch::try_new(rows.schema(), columns)?)
}

/// Text columns as the contract's types.
fn typed(rows: &RecordBatch, contract: &Contract) -> Result<RecordBatch> {
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    for column in &contract.columns {
        let name = column.name.as_str();
        let text = rows.column_by_name(name).ok_or_else(|| format!("there is no column {name}"))?;
        columns.push(cast_with_options(text, &column.data_type.to_arrow(), &strict)?);
        fields.push(Field::new(name, column.data_type.to_arrow(), true));
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

/// The batch in the contract's order and types, with the column `node`.
fn shape(batch: &RecordBatch, schema: &SchemaRef, node: &str) -> Result<RecordBatch> {
    let mut columns: Vec<ArrayRef> = Vec::new();
    for field in schema.fields() {
        if field.name() == NODE_COLUMN {
            columns.push(Arc::new(StringArray::from(vec![node; batch.num_rows()])));
            continue;
        }
        let column = batch.column_by_name(field.name());
        let column = column.ok_or_else(|| format!("{node} has no column {}", field.name()))?;
        columns.push(cast(column, field.data_type())?);
    }
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| format!("{} is no UTF-8", path.display()).into())
}
