//! What drivers ask about the server itself, in the union branches that they read.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use arrow_flight::sql::metadata::{
    SqlInfoData, SqlInfoDataBuilder, XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder,
};
use arrow_flight::sql::{
    CommandGetSqlInfo, CommandGetXdbcTypeInfo, Nullable, Searchable, SqlInfo, SqlSupportsConvert,
    XdbcDataType, XdbcDatetimeSubcode,
};
use datafusion::arrow::array::{Array, RecordBatch, UnionArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow::error::ArrowError;
use tonic::Status;

use super::status::encoding;

static TYPES: LazyLock<Option<XdbcTypeInfoData>> = LazyLock::new(|| build_types().ok());

pub(super) fn sql_info(timeout: Duration, query: CommandGetSqlInfo) -> Result<RecordBatch, Status> {
    let infos = build_sql_info(timeout).map_err(|_| encoding())?;
    strict(&query.into_builder(&infos).build().map_err(|_| encoding())?).ok_or_else(encoding)
}

/// The batch in the reference schema, where no branch of the union is nullable: the builder says that lists and maps are.
fn strict(batch: &RecordBatch) -> Option<RecordBatch> {
    let [ids, values] = batch.columns() else { return None };
    let values = values.as_any().downcast_ref::<UnionArray>()?;
    let DataType::Union(branches, _) = values.data_type() else { return None };
    let strict =
        branches.iter().map(|(id, field)| (id, Arc::new(field.as_ref().clone().with_nullable(false))));
    let (_, type_ids, offsets, children) = values.clone().into_parts();
    let values = UnionArray::try_new(strict.collect(), type_ids, offsets, children).ok()?;
    let field = Field::new("value", values.data_type().clone(), false);
    let schema = Schema::new(vec![Field::new("info_name", DataType::UInt32, false), field]);
    RecordBatch::try_new(Arc::new(schema), vec![Arc::clone(ids), Arc::new(values)]).ok()
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
    (SqlInfo::FlightSqlServerArrowVersion, arrow::ARROW_VERSION),
    (SqlInfo::FlightSqlServerSubstraitMinVersion, ""),
    (SqlInfo::FlightSqlServerSubstraitMaxVersion, ""),
    (SqlInfo::SqlIdentifierQuoteChar, "\""),
    (SqlInfo::SqlSearchStringEscape, "\\"),
    (SqlInfo::SqlExtraNameCharacters, ""),
    (SqlInfo::SqlSchemaTerm, "schema"),
    (SqlInfo::SqlCatalogTerm, "catalog"),
    (SqlInfo::SqlProcedureTerm, ""),
];

const BOOLEANS: [(SqlInfo, bool); 32] = [
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
    (SqlInfo::SqlStoredFunctionsUsingCallSyntaxSupported, false),
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

/// A type as ODBC describes it.
struct Described {
    name: &'static str,
    data_type: XdbcDataType,
    /// digits of numbers, bits of floating-point numbers, characters of the rest
    size: i32,
    /// the base that `size` counts digits in
    radix: Option<i32>,
    /// digits after the point: fewest and most
    scale: Option<(i32, i32)>,
    /// what can be written in brackets after the name
    parameters: &'static [&'static str],
    quoted: bool,
    /// which of the moments it is: a date, a time, a timestamp
    moment: Option<XdbcDatetimeSubcode>,
}

const PLAIN: Described = Described {
    name: "BOOLEAN",
    data_type: XdbcDataType::XdbcBit,
    size: 1,
    radix: None,
    scale: None,
    parameters: &[],
    quoted: false,
    moment: None,
};

const fn integer(name: &'static str, data_type: XdbcDataType, size: i32) -> Described {
    Described { name, data_type, size, radix: Some(10), scale: Some((0, 0)), ..PLAIN }
}

const fn floating(name: &'static str, data_type: XdbcDataType, size: i32) -> Described {
    Described { name, data_type, size, radix: Some(2), ..PLAIN }
}

const fn moment(
    name: &'static str,
    data_type: XdbcDataType,
    size: i32,
    digits: i32,
    moment: XdbcDatetimeSubcode,
) -> Described {
    let scale = if digits > 0 { Some((0, digits)) } else { None };
    Described { name, data_type, size, scale, quoted: true, moment: Some(moment), ..PLAIN }
}

/// Every type that an answer can have in the portable types, and spans, which are in questions and are text in answers; by number,
/// as the specification wants it.
const DESCRIBED: [Described; 14] = [
    PLAIN,
    integer("TINYINT", XdbcDataType::XdbcTinyint, 3),
    integer("BIGINT", XdbcDataType::XdbcBigint, 19),
    Described {
        name: "VARBINARY",
        data_type: XdbcDataType::XdbcVarbinary,
        size: i32::MAX,
        quoted: true,
        ..PLAIN
    },
    Described {
        name: "DECIMAL",
        data_type: XdbcDataType::XdbcDecimal,
        size: 38,
        radix: Some(10),
        scale: Some((0, 38)),
        parameters: &["precision", "scale"],
        ..PLAIN
    },
    integer("INTEGER", XdbcDataType::XdbcInteger, 10),
    integer("SMALLINT", XdbcDataType::XdbcSmallint, 5),
    floating("REAL", XdbcDataType::XdbcFloat, 24),
    floating("DOUBLE", XdbcDataType::XdbcDouble, 53),
    // Of months, days and nanoseconds at once, so none of the kinds that have a code of their own.
    Described {
        name: "INTERVAL",
        data_type: XdbcDataType::XdbcInterval,
        size: i32::MAX,
        quoted: true,
        ..PLAIN
    },
    Described {
        name: "VARCHAR",
        data_type: XdbcDataType::XdbcVarchar,
        size: i32::MAX,
        parameters: &["length"],
        quoted: true,
        ..PLAIN
    },
    // The code of dates and of years is the same number.
    moment("DATE", XdbcDataType::XdbcDate, 10, 0, XdbcDatetimeSubcode::XdbcSubcodeYear),
    moment("TIME", XdbcDataType::XdbcTime, 15, 6, XdbcDatetimeSubcode::XdbcSubcodeTime),
    moment("TIMESTAMP", XdbcDataType::XdbcTimestamp, 26, 6, XdbcDatetimeSubcode::XdbcSubcodeTimestamp),
];

fn build_types() -> Result<XdbcTypeInfoData, ArrowError> {
    let mut types = XdbcTypeInfoDataBuilder::new();
    for described in DESCRIBED {
        types.append(described.info());
    }
    types.build().map_err(|error| ArrowError::ExternalError(Box::new(error)))
}

impl Described {
    fn info(&self) -> XdbcTypeInfo {
        let quote = self.quoted.then(|| match self.data_type {
            XdbcDataType::XdbcVarbinary => ("X'".to_owned(), "'".to_owned()),
            XdbcDataType::XdbcInterval => ("INTERVAL '".to_owned(), "'".to_owned()),
            _ => ("'".to_owned(), "'".to_owned()),
        });
        let (prefix, suffix) = quote.unzip();
        let text = self.data_type == XdbcDataType::XdbcVarchar;
        let parameters: Vec<String> = self.parameters.iter().map(|name| (*name).to_owned()).collect();
        XdbcTypeInfo {
            type_name: self.name.to_owned(),
            data_type: self.data_type,
            column_size: Some(self.size),
            literal_prefix: prefix,
            literal_suffix: suffix,
            create_params: (!parameters.is_empty()).then_some(parameters),
            nullable: Nullable::NullabilityNullable,
            case_sensitive: text,
            searchable: if text { Searchable::Full } else { Searchable::Basic },
            unsigned_attribute: self.radix.map(|_| false),
            fixed_prec_scale: false,
            auto_increment: self.radix.map(|_| false),
            local_type_name: Some(self.name.to_owned()),
            minimum_scale: self.scale.map(|(fewest, _)| fewest),
            maximum_scale: self.scale.map(|(_, most)| most),
            // Moments are one type to ODBC, and which of them is in the next column.
            sql_data_type: self.moment.map_or(self.data_type, |_| XdbcDataType::XdbcDatetime),
            datetime_subcode: self.moment,
            num_prec_radix: self.radix,
            interval_precision: None,
        }
    }
}
