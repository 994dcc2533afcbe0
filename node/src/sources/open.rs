//! Opening files: Parquet as it is, CSV with declared types, never guessed ones.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType as ArrowType, Field, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::datasource::file_format::csv::CsvFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig};
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::context::SessionState;
use datafusion::execution::runtime_env::RuntimeEnv;
use futures::StreamExt;
use jigsaw_proto::types::DataType;

use super::location::Files;
use super::sanitised;
use crate::config::FormatWord;
use crate::settings::DatasetSettings;

/// The files as a table of their own columns.
pub(super) async fn open(
    settings: &DatasetSettings,
    files: &Files,
    runtime: &Arc<RuntimeEnv>,
) -> Result<Arc<dyn TableProvider>, String> {
    let session = session(runtime);
    let (options, schema) = match settings.format {
        FormatWord::Parquet => parquet(settings, files, &session).await?,
        FormatWord::Csv => csv(settings, files, &session).await?,
    };
    let config =
        ListingTableConfig::new(files.url().clone()).with_listing_options(options).with_schema(schema);
    let table = ListingTable::try_new(config).map_err(|error| sanitised(&error))?;
    Ok(Arc::new(table.with_cache(runtime.cache_manager.get_file_statistic_cache())))
}

fn session(runtime: &Arc<RuntimeEnv>) -> SessionState {
    SessionStateBuilder::new().with_default_features().with_runtime_env(Arc::clone(runtime)).build()
}

async fn parquet(
    settings: &DatasetSettings,
    files: &Files,
    session: &SessionState,
) -> Result<(ListingOptions, SchemaRef), String> {
    let format = ParquetFormat::default().with_options(session.table_options().parquet.clone());
    let options = ListingOptions::new(Arc::new(format)).with_file_extension(ending(settings, "parquet"));
    if is_empty(files, session, &options).await? {
        let columns = settings.contract.columns.iter();
        let fields =
            columns.map(|column| Field::new(column.name.as_str(), column.data_type.to_arrow(), true));
        return Ok((options, Arc::new(Schema::new(fields.collect::<Vec<_>>()))));
    }
    let schema = options.infer_schema(session, files.url()).await.map_err(|error| sanitised(&error))?;
    Ok((options, schema))
}

async fn is_empty(files: &Files, session: &SessionState, options: &ListingOptions) -> Result<bool, String> {
    let store = session.runtime_env().object_store(files.url()).map_err(|error| sanitised(&error))?;
    let mut listed = files
        .url()
        .list_all_files(session, store.as_ref(), &options.file_extension)
        .await
        .map_err(|error| sanitised(&error))?;
    match listed.next().await {
        None => Ok(true),
        Some(Ok(_)) => Ok(false),
        Some(Err(error)) => Err(sanitised(&error)),
    }
}

/// A single file may have any name; in a folder or glob only files with the ending count.
fn ending(settings: &DatasetSettings, ending: &str) -> String {
    let source = settings.source.to_ascii_lowercase();
    if source.ends_with('/')
        || source.ends_with(&format!(".{ending}"))
        || settings.folder.join(&settings.source).is_dir()
    {
        format!(".{ending}")
    } else {
        String::new()
    }
}

/// CSV is read as text, or with the types that are declared; what is NULL is decided by [`super::mapping`].
async fn csv(
    settings: &DatasetSettings,
    files: &Files,
    session: &SessionState,
) -> Result<(ListingOptions, SchemaRef), String> {
    let words = &settings.csv;
    let delimiter =
        u8::try_from(words.delimiter).map_err(|_| "delimiter is one ASCII character".to_owned())?;
    let format = CsvFormat::default()
        .with_delimiter(delimiter)
        .with_has_header(words.header)
        .with_schema_infer_max_rec(0);
    let options = ListingOptions::new(Arc::new(format)).with_file_extension(ending(settings, "csv"));
    if is_empty(files, session, &options).await? {
        let columns = settings
            .contract
            .columns
            .iter()
            .map(|column| Field::new(column.name.as_str(), ArrowType::Utf8, true));
        return Ok((options, Arc::new(Schema::new(columns.collect::<Vec<_>>()))));
    }
    let header = options.infer_schema(session, files.url()).await.map_err(|error| sanitised(&error))?;
    let mut declared = words.columns.clone();
    let fields = header.fields().iter().map(|field| {
        let data_type = match declared.remove(field.name()) {
            Some(text) => {
                text.parse::<DataType>().map_err(|error| format!("[dataset.csv]: {error}"))?.to_arrow()
            }
            None => ArrowType::Utf8,
        };
        Ok::<_, String>(Field::new(field.name(), data_type, true))
    });
    let fields = fields.collect::<Result<Vec<_>, _>>()?;
    match declared.keys().next() {
        Some(unknown) => {
            Err(format!("[dataset.csv]: the file has no column {unknown}: take it out of columns"))
        }
        None => Ok((options, Arc::new(Schema::new(fields)))),
    }
}
