//! What drivers ask about the server itself, in the union branches that they read.

use std::sync::LazyLock;

use arrow_flight::sql::metadata::{
    SqlInfoData, SqlInfoDataBuilder, XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder,
};
use arrow_flight::sql::{
    CommandGetSqlInfo, CommandGetXdbcTypeInfo, Nullable, Searchable, SqlInfo, XdbcDataType,
};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::error::ArrowError;
use tonic::Status;

use super::status::encoding;
use crate::query::Engine;

type Loaded<T> = Result<T, ()>;

static SQL_INFO: LazyLock<Loaded<SqlInfoData>> = LazyLock::new(|| build_sql_info().map_err(|_| ()));
static TYPES: LazyLock<Loaded<XdbcTypeInfoData>> = LazyLock::new(|| build_types().map_err(|_| ()));

pub(super) fn sql_info(_: &Engine, query: CommandGetSqlInfo) -> Result<RecordBatch, Status> {
    let infos = SQL_INFO.as_ref().map_err(|()| encoding())?;
    query.into_builder(infos).build().map_err(|_| encoding())
}

pub(super) fn xdbc_types(_: &Engine, query: CommandGetXdbcTypeInfo) -> Result<RecordBatch, Status> {
    let types = TYPES.as_ref().map_err(|()| encoding())?;
    query.into_builder(types).build().map_err(|_| encoding())
}

fn build_sql_info() -> arrow_flight::error::Result<SqlInfoData> {
    let mut info = SqlInfoDataBuilder::new();
    info.append(SqlInfo::FlightSqlServerName, "Jigsaw");
    info.append(SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION"));
    info.append(SqlInfo::FlightSqlServerArrowVersion, "59.0.0");
    info.append(SqlInfo::FlightSqlServerReadOnly, true);
    info.append(SqlInfo::FlightSqlServerSql, true);
    info.append(SqlInfo::FlightSqlServerSubstrait, false);
    // Transactions are accepted and have nothing to do: drivers that insist on one are content.
    info.append(SqlInfo::FlightSqlServerTransaction, 1_i32);
    info.append(SqlInfo::FlightSqlServerCancel, false);
    info.append(SqlInfo::SqlDdlCatalog, false);
    info.append(SqlInfo::SqlDdlSchema, false);
    info.append(SqlInfo::SqlDdlTable, false);
    info.append(SqlInfo::SqlIdentifierCase, 3_i64);
    info.append(SqlInfo::SqlIdentifierQuoteChar, "\"");
    info.append(SqlInfo::SqlQuotedIdentifierCase, 1_i64);
    info.append(SqlInfo::SqlAllTablesAreSelectable, false);
    info.append(SqlInfo::SqlNullOrdering, 1_i64);
    info.append(SqlInfo::SqlSearchStringEscape, "\\");
    info.append(SqlInfo::SqlExtraNameCharacters, "");
    info.append(SqlInfo::SqlSupportsColumnAliasing, true);
    info.append(SqlInfo::SqlNullPlusNullIsNull, true);
    info.append(SqlInfo::SqlSupportsTableCorrelationNames, true);
    info.append(SqlInfo::SqlSupportsExpressionsInOrderBy, true);
    info.append(SqlInfo::SqlSupportsOrderByUnrelated, true);
    info.append(SqlInfo::SqlSupportedGroupBy, 3_i32);
    info.append(SqlInfo::SqlSupportsLikeEscapeClause, false);
    info.append(SqlInfo::SqlSupportsNonNullableColumns, true);
    info.append(SqlInfo::SqlSupportedGrammar, 3_i32);
    info.append(SqlInfo::SqlAnsi92SupportedLevel, 1_i32);
    info.append(SqlInfo::SqlOuterJoinsSupportLevel, 3_i32);
    info.append(SqlInfo::SqlSchemaTerm, "schema");
    info.append(SqlInfo::SqlCatalogTerm, "catalog");
    info.append(SqlInfo::SqlProcedureTerm, "");
    info.append(SqlInfo::SqlCatalogAtStart, true);
    info.append(SqlInfo::SqlTransactionsSupported, false);
    info.append(SqlInfo::SqlDefaultTransactionIsolation, 0_i64);
    info.build()
}

fn build_types() -> Result<XdbcTypeInfoData, ArrowError> {
    let mut types = XdbcTypeInfoDataBuilder::new();
    for (name, data_type, size, quoted) in [
        ("BOOLEAN", XdbcDataType::XdbcBit, 1, false),
        ("INTEGER", XdbcDataType::XdbcInteger, 32, false),
        ("BIGINT", XdbcDataType::XdbcBigint, 64, false),
        ("DOUBLE", XdbcDataType::XdbcDouble, 53, false),
        ("DECIMAL", XdbcDataType::XdbcDecimal, 38, false),
        ("VARCHAR", XdbcDataType::XdbcVarchar, i32::MAX, true),
        ("DATE", XdbcDataType::XdbcDate, 10, true),
        ("TIMESTAMP", XdbcDataType::XdbcTimestamp, 26, true),
    ] {
        let quote = quoted.then(|| "'".to_owned());
        types.append(XdbcTypeInfo {
            type_name: name.to_owned(),
            data_type,
            column_size: Some(size),
            literal_prefix: quote.clone(),
            literal_suffix: quote,
            create_params: None,
            nullable: Nullable::NullabilityNullable,
            case_sensitive: quoted,
            searchable: Searchable::Full,
            unsigned_attribute: (!quoted).then_some(false),
            fixed_prec_scale: false,
            auto_increment: None,
            local_type_name: Some(name.to_owned()),
            minimum_scale: None,
            maximum_scale: None,
            sql_data_type: data_type,
            datetime_subcode: None,
            num_prec_radix: (!quoted).then_some(2),
            interval_precision: None,
        });
    }
    types.build().map_err(|error| ArrowError::ExternalError(Box::new(error)))
}
