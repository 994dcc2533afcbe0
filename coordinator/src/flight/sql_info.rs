//! What drivers ask about the server itself, in the union branches that they read.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use arrow_flight::sql::metadata::{
    SqlInfoData, SqlInfoDataBuilder, XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder,
};
use arrow_flight::sql::{
    CommandGetSqlInfo, CommandGetXdbcTypeInfo, Nullable, Searchable, SqlInfo, SqlSupportsConvert,
    XdbcDataType,
};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::error::ArrowError;
use tonic::Status;

use super::status::encoding;

static TYPES: LazyLock<Option<XdbcTypeInfoData>> = LazyLock::new(|| build_types().ok());

pub(super) fn sql_info(timeout: Duration, query: CommandGetSqlInfo) -> Result<RecordBatch, Status> {
    let infos = build_sql_info(timeout).map_err(|_| encoding())?;
    query.into_builder(&infos).build().map_err(|_| encoding())
}

pub(super) fn xdbc_types(query: CommandGetXdbcTypeInfo) -> Result<RecordBatch, Status> {
    let types = TYPES.as_ref().ok_or_else(encoding)?;
    query.into_builder(types).build().map_err(|_| encoding())
}

/// Every id there is: some drivers fall over one that is missing, or that is in another branch of the union.
fn build_sql_info(timeout: Duration) -> arrow_flight::error::Result<SqlInfoData> {
    let mut info = SqlInfoDataBuilder::new();
    for (id, value) in TEXTS {
        info.append(id, value);
    }
    for (id, value) in BOOLEANS {
        info.append(id, value);
    }
    for (id, value) in BITMASKS {
        info.append(id, value);
    }
    let timeout = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    info.append(SqlInfo::FlightSqlServerStatementTimeout, timeout);
    for (id, value) in NUMBERS {
        info.append(id, value);
    }
    // No limits that could be told in advance: SqlMaxBinaryLiteralLength to SqlMaxUsernameLength.
    for id in 541..=561_u32 {
        info.append(id, 0_i64);
    }
    info.append(SqlInfo::SqlMaxStatementLength, MOST_SQL_BYTES);
    for (id, names) in LISTS {
        info.append(id, names);
    }
    info.append(SqlInfo::SqlSupportsConvert, conversions());
    info.build()
}

/// Longest statement that is read, in bytes.
const MOST_SQL_BYTES: i64 = 256 * 1024;

const TEXTS: [(SqlInfo, &str); 11] = [
    (SqlInfo::FlightSqlServerName, "Jigsaw"),
    (SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION")),
    (SqlInfo::FlightSqlServerArrowVersion, "59.0.0"),
    (SqlInfo::FlightSqlServerSubstraitMinVersion, ""),
    (SqlInfo::FlightSqlServerSubstraitMaxVersion, ""),
    (SqlInfo::SqlIdentifierQuoteChar, "\""),
    (SqlInfo::SqlSearchStringEscape, "\\"),
    (SqlInfo::SqlExtraNameCharacters, ""),
    (SqlInfo::SqlSchemaTerm, "schema"),
    (SqlInfo::SqlCatalogTerm, "catalog"),
    (SqlInfo::SqlProcedureTerm, ""),
];

const BOOLEANS: [(SqlInfo, bool); 31] = [
    (SqlInfo::FlightSqlServerReadOnly, true),
    (SqlInfo::FlightSqlServerSql, true),
    (SqlInfo::FlightSqlServerSubstrait, false),
    (SqlInfo::FlightSqlServerCancel, true),
    (SqlInfo::FlightSqlServerBulkIngestion, false),
    (SqlInfo::FlightSqlServerIngestTransactionsSupported, false),
    (SqlInfo::SqlDdlCatalog, false),
    (SqlInfo::SqlDdlSchema, false),
    (SqlInfo::SqlDdlTable, false),
    (SqlInfo::SqlAllTablesAreSelectable, false),
    (SqlInfo::SqlSupportsColumnAliasing, true),
    (SqlInfo::SqlNullPlusNullIsNull, true),
    (SqlInfo::SqlSupportsTableCorrelationNames, true),
    (SqlInfo::SqlSupportsDifferentTableCorrelationNames, false),
    (SqlInfo::SqlSupportsExpressionsInOrderBy, true),
    (SqlInfo::SqlSupportsOrderByUnrelated, true),
    (SqlInfo::SqlSupportsLikeEscapeClause, false),
    (SqlInfo::SqlSupportsNonNullableColumns, true),
    (SqlInfo::SqlSupportsIntegrityEnhancementFacility, false),
    (SqlInfo::SqlCatalogAtStart, true),
    (SqlInfo::SqlSelectForUpdateSupported, false),
    (SqlInfo::SqlStoredProceduresSupported, false),
    (SqlInfo::SqlCorrelatedSubqueriesSupported, false),
    (SqlInfo::SqlMaxRowSizeIncludesBlobs, false),
    (SqlInfo::SqlTransactionsSupported, false),
    (SqlInfo::SqlDataDefinitionCausesTransactionCommit, false),
    (SqlInfo::SqlDataDefinitionsInTransactionsIgnored, false),
    (SqlInfo::SqlBatchUpdatesSupported, false),
    (SqlInfo::SqlSavepointsSupported, false),
    (SqlInfo::SqlNamedParametersSupported, false),
    (SqlInfo::SqlLocatorsUpdateCopy, false),
];

const BITMASKS: [(SqlInfo, i32); 17] = [
    // Transactions are accepted and have nothing to do: drivers that insist on one are content.
    (SqlInfo::FlightSqlServerTransaction, 1),
    (SqlInfo::FlightSqlServerTransactionTimeout, 0),
    // by columns that are not selected, and beyond those that are
    (SqlInfo::SqlSupportedGroupBy, 0b11),
    // minimum, core, extended
    (SqlInfo::SqlSupportedGrammar, 0b111),
    // entry level
    (SqlInfo::SqlAnsi92SupportedLevel, 0b1),
    // limited and full outer joins
    (SqlInfo::SqlOuterJoinsSupportLevel, 0b110),
    (SqlInfo::SqlSchemasSupportedActions, 0),
    (SqlInfo::SqlCatalogsSupportedActions, 0),
    (SqlInfo::SqlSupportedPositionedCommands, 0),
    // in comparisons, EXISTS, IN, quantified: over released values
    (SqlInfo::SqlSupportedSubqueries, 0b1111),
    // UNION, UNION ALL
    (SqlInfo::SqlSupportedUnions, 0b11),
    // none
    (SqlInfo::SqlSupportedTransactionsIsolationLevels, 0b1),
    // forward only
    (SqlInfo::SqlSupportedResultSetTypes, 0b10),
    (SqlInfo::SqlSupportedConcurrenciesForResultSetUnspecified, 0),
    // read only
    (SqlInfo::SqlSupportedConcurrenciesForResultSetForwardOnly, 0b10),
    (SqlInfo::SqlSupportedConcurrenciesForResultSetScrollSensitive, 0),
    (SqlInfo::SqlSupportedConcurrenciesForResultSetScrollInsensitive, 0),
];

const NUMBERS: [(SqlInfo, i64); 4] = [
    // lower case
    (SqlInfo::SqlIdentifierCase, 3),
    // as written, for which the specification has no word
    (SqlInfo::SqlQuotedIdentifierCase, 0),
    // NULLs sort high
    (SqlInfo::SqlNullOrdering, 0),
    (SqlInfo::SqlDefaultTransactionIsolation, 0),
];

const LISTS: [(SqlInfo, &[&str]); 5] = [
    (SqlInfo::SqlKeywords, &["EXPLAIN", "FILTER", "ILIKE", "LIMIT", "OFFSET", "QUALIFY", "SHOW", "TRY_CAST"]),
    (
        SqlInfo::SqlNumericFunctions,
        &["abs", "ceil", "exp", "floor", "ln", "log10", "power", "round", "signum", "sqrt", "trunc"],
    ),
    (
        SqlInfo::SqlStringFunctions,
        &[
            "character_length",
            "concat",
            "left",
            "lower",
            "ltrim",
            "right",
            "rtrim",
            "starts_with",
            "strpos",
            "substr",
            "trim",
            "upper",
        ],
    ),
    (SqlInfo::SqlSystemFunctions, &["coalesce", "nullif", "version"]),
    (
        SqlInfo::SqlDatetimeFunctions,
        &["current_date", "date_bin", "date_part", "date_trunc", "extract", "now"],
    ),
];

/// From each type to each: numbers and text to one another, dates and timestamps to one another and to text.
fn conversions() -> BTreeMap<i32, Vec<i32>> {
    use SqlSupportsConvert::{
        SqlConvertBigint as Bigint, SqlConvertBit as Bit, SqlConvertDate as Date,
        SqlConvertDecimal as Decimal, SqlConvertFloat as Float, SqlConvertInteger as Integer,
        SqlConvertTimestamp as Timestamp, SqlConvertVarchar as Varchar,
    };
    let among = |types: &[SqlSupportsConvert]| types.iter().map(|to| *to as i32).collect::<Vec<_>>();
    let numbers = [Bit, Integer, Bigint, Decimal, Float, Varchar];
    let times = [Date, Timestamp, Varchar];
    let all = [Bit, Integer, Bigint, Decimal, Float, Date, Timestamp, Varchar];
    let numeric = numbers.iter().filter(|from| **from != Varchar).map(|from| (*from as i32, among(&numbers)));
    let temporal = times.iter().filter(|from| **from != Varchar).map(|from| (*from as i32, among(&times)));
    numeric.chain(temporal).chain([(Varchar as i32, among(&all))]).collect()
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
