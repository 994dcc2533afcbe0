//! Catalogs, schemas, tables and keys, in exactly the reference schemas. No node is contacted.

use std::sync::Arc;

use arrow_flight::sql::{
    CommandGetCatalogs, CommandGetCrossReference, CommandGetDbSchemas, CommandGetExportedKeys,
    CommandGetImportedKeys, CommandGetPrimaryKeys, CommandGetTableTypes, CommandGetTables, ProstMessageExt,
};
use arrow_flight::{FlightDescriptor, FlightEndpoint, FlightInfo, Ticket};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use prost::Message as _;
use tonic::{Response, Status};

use super::status::encoding;
use crate::catalogue::{CATALOG, INFORMATION, PUBLIC, SYSTEM};
use crate::plan::portable_field;
use crate::query::Engine;

type Result<T> = std::result::Result<T, Status>;

fn failed<E>(_: E) -> Status {
    encoding()
}

/// The announcement of a metadata command: fetching the same command gives the batch.
pub(super) fn announce(
    batch: &RecordBatch,
    command: &impl ProstMessageExt,
    descriptor: FlightDescriptor,
) -> Result<Response<FlightInfo>> {
    let ticket = Ticket::new(command.as_any().encode_to_vec());
    let info = FlightInfo::new().try_with_schema(&batch.schema()).map_err(failed)?;
    let info = info.with_descriptor(descriptor).with_endpoint(FlightEndpoint::new().with_ticket(ticket));
    Ok(Response::new(info))
}

pub(super) fn catalogs(_: &Engine, query: CommandGetCatalogs) -> Result<RecordBatch> {
    let mut builder = query.into_builder();
    builder.append(CATALOG);
    builder.build().map_err(failed)
}

pub(super) fn schemas(_: &Engine, query: CommandGetDbSchemas) -> Result<RecordBatch> {
    let mut builder = query.into_builder();
    for schema in [PUBLIC, SYSTEM, INFORMATION] {
        builder.append(CATALOG, schema);
    }
    builder.build().map_err(failed)
}

pub(super) fn tables(engine: &Engine, query: CommandGetTables) -> Result<RecordBatch> {
    let mut builder = query.into_builder();
    for table in engine.tables() {
        let schema = described(&table.arrow, table.schema, &table.name);
        builder.append(CATALOG, table.schema, &table.name, table.kind, &schema).map_err(failed)?;
    }
    builder.build().map_err(failed)
}

/// The columns in the types they are sent in, with what drivers show of them beside the descriptions.
fn described(columns: &Schema, schema: &str, table: &str) -> Schema {
    let fields = columns.fields().iter().map(|field| {
        let field = portable_field(field);
        let mut metadata = field.metadata().clone();
        let mut say = |key: &str, value: String| metadata.insert(format!("ARROW:FLIGHT:SQL:{key}"), value);
        say("CATALOG_NAME", CATALOG.to_owned());
        say("DB_SCHEMA_NAME", schema.to_owned());
        say("TABLE_NAME", table.to_owned());
        say("TYPE_NAME", type_name(field.data_type()));
        if let Some((precision, scale)) = precision(field.data_type()) {
            say("PRECISION", precision.to_string());
            say("SCALE", scale.to_string());
        }
        let flag = |flag: bool| if flag { "1" } else { "0" }.to_owned();
        say("IS_AUTO_INCREMENT", flag(false));
        say("IS_CASE_SENSITIVE", flag(*field.data_type() == DataType::Utf8));
        say("IS_READ_ONLY", flag(true));
        say("IS_SEARCHABLE", flag(true));
        field.with_metadata(metadata)
    });
    Schema::new(fields.collect::<Vec<_>>())
}

/// Digits or characters, and digits after the point, where a type has them.
fn precision(data_type: &DataType) -> Option<(u8, i8)> {
    Some(match data_type {
        DataType::Int8 => (3, 0),
        DataType::Int16 => (5, 0),
        DataType::Int32 | DataType::Date32 => (10, 0),
        DataType::Int64 => (19, 0),
        DataType::Float32 => (7, 0),
        DataType::Float64 => (15, 0),
        DataType::Decimal128(precision, scale) => (*precision, *scale),
        DataType::Time64(_) => (15, 6),
        DataType::Timestamp(..) => (26, 6),
        DataType::Boolean => (1, 0),
        _ => return None,
    })
}

fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Timestamp(..) => "TIMESTAMP".to_owned(),
        DataType::Time64(_) => "TIME".to_owned(),
        DataType::Int8 => "TINYINT".to_owned(),
        DataType::Int16 => "SMALLINT".to_owned(),
        DataType::Float32 => "REAL".to_owned(),
        DataType::Binary => "VARBINARY".to_owned(),
        other => jigsaw_proto::types::DataType::from_arrow(other)
            .map_or_else(|| other.to_string().to_uppercase(), |known| known.to_string()),
    }
}

pub(super) fn table_types(_: &Engine, query: CommandGetTableTypes) -> Result<RecordBatch> {
    let mut builder = query.into_builder();
    builder.append("BASE TABLE");
    builder.append("VIEW");
    builder.build().map_err(failed)
}

/// No table has keys that can be told; drivers want an empty list, not an error.
#[expect(clippy::unnecessary_wraps, reason = "the shape of every metadata command")]
pub(super) fn primary_keys(_: &Engine, _query: CommandGetPrimaryKeys) -> Result<RecordBatch> {
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
    Ok(RecordBatch::new_empty(Arc::new(Schema::new(vec![
        text("catalog_name", true),
        text("db_schema_name", true),
        text("table_name", false),
        text("column_name", false),
        Field::new("key_sequence", DataType::Int32, false),
        text("key_name", true),
    ]))))
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every metadata command")]
pub(super) fn exported_keys(_: &Engine, _query: CommandGetExportedKeys) -> Result<RecordBatch> {
    Ok(foreign_keys())
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every metadata command")]
pub(super) fn imported_keys(_: &Engine, _query: CommandGetImportedKeys) -> Result<RecordBatch> {
    Ok(foreign_keys())
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every metadata command")]
pub(super) fn cross_reference(_: &Engine, _query: CommandGetCrossReference) -> Result<RecordBatch> {
    Ok(foreign_keys())
}

fn foreign_keys() -> RecordBatch {
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
    RecordBatch::new_empty(Arc::new(Schema::new(vec![
        text("pk_catalog_name", true),
        text("pk_db_schema_name", true),
        text("pk_table_name", false),
        text("pk_column_name", false),
        text("fk_catalog_name", true),
        text("fk_db_schema_name", true),
        text("fk_table_name", false),
        text("fk_column_name", false),
        Field::new("key_sequence", DataType::Int32, false),
        text("fk_key_name", true),
        text("pk_key_name", true),
        Field::new("update_rule", DataType::UInt8, false),
        Field::new("delete_rule", DataType::UInt8, false),
    ])))
}
