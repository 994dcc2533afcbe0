//! What drivers rely on without asking: the reference's schemas to the last flag, filters, types they can read, ways to sign in.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use arrow::array::{AsArray as _, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Int32Type, Schema, UInt32Type};
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::sql::{
    CommandGetCatalogs, CommandGetCrossReference, CommandGetDbSchemas, CommandGetExportedKeys,
    CommandGetImportedKeys, CommandGetPrimaryKeys, CommandGetSqlInfo, CommandGetTableTypes, CommandGetTables,
    CommandGetXdbcTypeInfo, CommandPreparedStatementQuery, ProstMessageExt,
};
use arrow_flight::{FlightDescriptor, HandshakeRequest, IpcMessage, SchemaResult, Ticket};
use futures::TryStreamExt as _;
use prost::Message as _;
use tonic::{Code, Request, Status};

use super::visitor::{Visitor, descriptor};
use super::{HOMES, prepare};

/// Names, types and `?` for what may be NULL, as Arrow's specification has them.
const REFERENCE: [(&str, &str); 11] = [
    ("GetCatalogs", "catalog_name Utf8"),
    ("GetDbSchemas", "catalog_name Utf8?, db_schema_name Utf8"),
    ("GetTables", "catalog_name Utf8?, db_schema_name Utf8?, table_name Utf8, table_type Utf8"),
    (
        "GetTables with schemas",
        "catalog_name Utf8?, db_schema_name Utf8?, table_name Utf8, table_type Utf8, table_schema Binary",
    ),
    ("GetTableTypes", "table_type Utf8"),
    (
        "GetPrimaryKeys",
        "catalog_name Utf8?, db_schema_name Utf8?, table_name Utf8, column_name Utf8, key_sequence Int32, key_name Utf8?",
    ),
    ("GetExportedKeys", FOREIGN),
    ("GetImportedKeys", FOREIGN),
    ("GetCrossReference", FOREIGN),
    (
        "GetSqlInfo",
        "info_name UInt32, value (0 string_value Utf8, 1 bool_value Boolean, 2 bigint_value Int64, 3 int32_bitmask Int32, 4 string_list List, 5 int32_to_int32_list_map Map)",
    ),
    (
        "GetXdbcTypeInfo",
        "type_name Utf8, data_type Int32, column_size Int32?, literal_prefix Utf8?, literal_suffix Utf8?, create_params List?, nullable Int32, case_sensitive Boolean, searchable Int32, unsigned_attribute Boolean?, fixed_prec_scale Boolean, auto_increment Boolean?, local_type_name Utf8?, minimum_scale Int32?, maximum_scale Int32?, sql_data_type Int32, datetime_subcode Int32?, num_prec_radix Int32?, interval_precision Int32?",
    ),
];

const FOREIGN: &str = "pk_catalog_name Utf8?, pk_db_schema_name Utf8?, pk_table_name Utf8, pk_column_name Utf8, fk_catalog_name Utf8?, fk_db_schema_name Utf8?, fk_table_name Utf8, fk_column_name Utf8, key_sequence Int32, fk_key_name Utf8?, pk_key_name Utf8?, update_rule UInt8, delete_rule UInt8";

fn command(name: &str) -> FlightDescriptor {
    let any = match name {
        "GetCatalogs" => CommandGetCatalogs {}.as_any(),
        "GetDbSchemas" => CommandGetDbSchemas::default().as_any(),
        "GetTables" => CommandGetTables::default().as_any(),
        "GetTables with schemas" => {
            CommandGetTables { include_schema: true, ..CommandGetTables::default() }.as_any()
        }
        "GetTableTypes" => CommandGetTableTypes {}.as_any(),
        "GetPrimaryKeys" => {
            CommandGetPrimaryKeys { table: "property".to_owned(), ..Default::default() }.as_any()
        }
        "GetExportedKeys" => {
            CommandGetExportedKeys { table: "property".to_owned(), ..Default::default() }.as_any()
        }
        "GetImportedKeys" => {
            CommandGetImportedKeys { table: "property".to_owned(), ..Default::default() }.as_any()
        }
        "GetCrossReference" => CommandGetCrossReference::default().as_any(),
        "GetSqlInfo" => CommandGetSqlInfo::default().as_any(),
        "GetXdbcTypeInfo" => CommandGetXdbcTypeInfo::default().as_any(),
        other => panic!("{other}"),
    };
    FlightDescriptor::new_cmd(any.encode_to_vec())
}

fn word(data_type: &DataType) -> String {
    match data_type {
        DataType::List(_) => "List".to_owned(),
        DataType::Map(..) => "Map".to_owned(),
        DataType::Union(branches, _) => {
            let branches = branches.iter().map(|(id, field)| {
                let flag = if field.is_nullable() { "?" } else { "" };
                format!("{id} {} {}{flag}", field.name(), word(field.data_type()))
            });
            format!("({})", branches.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn words(schema: &Schema) -> String {
    let fields = schema.fields().iter().map(|field| {
        let flag = if field.is_nullable() { "?" } else { "" };
        format!("{} {}{flag}", field.name(), word(field.data_type()))
    });
    fields.collect::<Vec<_>>().join(", ")
}

/// The schema and the batches of a stream.
async fn stream(ada: &mut Visitor, ticket: Ticket) -> Result<(Schema, Vec<RecordBatch>), Status> {
    let request = ada.request(ticket);
    let messages = ada.flight().do_get(request).await?.into_inner().map_err(FlightError::from);
    let mut batches = FlightRecordBatchStream::new_from_flight_data(messages);
    let mut all = vec![];
    while let Some(batch) = batches.try_next().await.map_err(Status::from)? {
        all.push(batch);
    }
    Ok((batches.schema().unwrap().as_ref().clone(), all))
}

/// Announced, described and sent: three times the same schema.
async fn thrice(ada: &mut Visitor, asked: FlightDescriptor) -> Result<(Schema, Vec<RecordBatch>), Status> {
    let request = ada.request(asked.clone());
    let info = ada.flight().get_flight_info(request).await?.into_inner();
    let announced = info.clone().try_decode_schema().unwrap();
    let request = ada.request(asked);
    let SchemaResult { schema } = ada.flight().get_schema(request).await?.into_inner();
    let described: Schema = IpcMessage(schema).try_into().unwrap();
    assert_eq!(announced, described);
    assert_eq!(info.endpoint.len(), 1, "clients want one endpoint");
    assert!(info.endpoint[0].location.is_empty(), "whoever can ask can fetch");
    let (sent, batches) = stream(ada, info.endpoint[0].ticket.clone().unwrap()).await?;
    assert_eq!(announced, sent);
    Ok((sent, batches))
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_is_in_the_schemas_of_the_reference() {
    let (_dir, builder) = prepare();
    let federation = builder.start().await.unwrap();
    let mut ada = Visitor::ada(&federation);
    for (name, expected) in REFERENCE {
        let (schema, batches) = thrice(&mut ada, command(name)).await.unwrap();
        assert_eq!(words(&schema), expected, "{name}");
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(rows == 0, name.ends_with("Keys") || name == "GetCrossReference", "{name}: {rows} rows");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_found_by_catalog_pattern_and_type() {
    let (_dir, builder) = prepare();
    let federation = builder.start().await.unwrap();
    let mut ada = Visitor::ada(&federation);
    let text = |text: &str| Some(text.to_owned());
    let none = CommandGetTables::default();
    let table = |pattern: &str| CommandGetTables { table_name_filter_pattern: text(pattern), ..none.clone() };
    let in_schema =
        |pattern: &str| CommandGetTables { db_schema_filter_pattern: text(pattern), ..none.clone() };
    let of_types = |types: &[&str]| CommandGetTables {
        table_types: types.iter().map(ToString::to_string).collect(),
        ..none.clone()
    };
    let in_catalog = |catalog: &str| CommandGetTables { catalog: text(catalog), ..none.clone() };
    let long = format!("SELECT wall_type, COUNT(*) FROM property WHERE x LIKE '%_{}'", "x".repeat(10_000));
    for (asked, has, has_not) in [
        (none.clone(), "property", ""),
        (none.clone(), "key_column_usage", ""),
        (in_catalog("jigsaw"), "nodes", ""),
        (in_catalog("elsewhere"), "", "property"),
        (in_catalog(""), "", "property"),
        (in_schema("public"), "property", "nodes"),
        (in_schema("sys%"), "nodes", "property"),
        (in_schema("information\\_schema"), "table_constraints", "property"),
        (table("property"), "property", "ref_borough"),
        (table("propert_"), "property", "ref_borough"),
        (table("prop%"), "property", "ref_borough"),
        (table("ref\\_borough"), "ref_borough", "property"),
        (table("ref\\%"), "", "ref_borough"),
        (table(&long), "", "property"),
        (of_types(&["BASE TABLE", "table"]), "property", "nodes"),
        (of_types(&["VIEW"]), "nodes", "property"),
        (of_types(&["TEMPORARY"]), "", "nodes"),
    ] {
        let asked_text = format!("{asked:?}");
        let ticket = Ticket::new(asked.as_any().encode_to_vec());
        let (_, batches) = stream(&mut ada, ticket).await.unwrap();
        let names: BTreeSet<String> = batches
            .iter()
            .flat_map(|batch| batch.column(2).as_string::<i32>().iter().flatten().map(str::to_owned))
            .collect();
        assert!(has.is_empty() || names.contains(has), "{asked_text}: {names:?}");
        assert!(!names.contains(has_not), "{asked_text}: {names:?}");
    }
}

/// The union branch of each id: text, Boolean, number, bitmask, list, map.
fn branches() -> BTreeMap<u32, i8> {
    let (text, boolean, number, bits, list, map) = (0, 1, 2, 3, 4, 5);
    let mut branches = BTreeMap::new();
    let mut are = |ids: &[u32], branch: i8| branches.extend(ids.iter().map(|id| (*id, branch)));
    are(&[0, 1, 2, 6, 7, 504, 513, 514, 529, 530, 531], text);
    are(&[3, 4, 5, 9, 10, 11, 500, 501, 502, 506, 515, 516, 518, 519, 520, 521, 523, 524, 527, 532], boolean);
    are(&[536, 537, 539, 563, 565, 566, 572, 573, 574, 575, 576], boolean);
    are(&[503, 505, 507, 562], number);
    are(&(541..=561).collect::<Vec<_>>(), number);
    are(&[8, 100, 101, 522, 525, 526, 528, 533, 534, 535, 538, 540, 564, 567, 568, 569, 570, 571], bits);
    are(&[508, 509, 510, 511, 512], list);
    are(&[517], map);
    branches
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_about_the_server_is_in_the_branch_that_drivers_read() {
    let (_dir, builder) = prepare();
    let federation = builder.start().await.unwrap();
    let mut ada = Visitor::ada(&federation);
    let (_, batches) = thrice(&mut ada, command("GetSqlInfo")).await.unwrap();
    let found: BTreeMap<u32, i8> = batches
        .iter()
        .flat_map(|batch| {
            let ids = batch.column(0).as_primitive::<UInt32Type>();
            let values = batch.column(1).as_union();
            (0..batch.num_rows()).map(move |row| (ids.value(row), values.type_id(row))).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(found, branches());
    let one = CommandGetSqlInfo { info: vec![8] };
    let (_, batches) = stream(&mut ada, Ticket::new(one.as_any().encode_to_vec())).await.unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 1);
    let unknown = CommandGetSqlInfo { info: vec![9_999] };
    assert!(stream(&mut ada, Ticket::new(unknown.as_any().encode_to_vec())).await.is_ok());

    let (_, types) = thrice(&mut ada, command("GetXdbcTypeInfo")).await.unwrap();
    let codes: Vec<i32> = types
        .iter()
        .flat_map(|batch| batch.column(1).as_primitive::<Int32Type>().values().to_vec())
        .collect();
    assert!(codes.is_sorted() && codes.len() >= 13, "{codes:?}");
    let date = CommandGetXdbcTypeInfo { data_type: Some(91) };
    let (_, types) = stream(&mut ada, Ticket::new(date.as_any().encode_to_vec())).await.unwrap();
    assert_eq!(types[0].column(0).as_string::<i32>().value(0), "DATE");
    let moment = types[0].column_by_name("sql_data_type").unwrap().as_primitive::<Int32Type>().value(0);
    assert_eq!((types[0].num_rows(), moment), (1, 9));
}

/// Expression, type in which every client can read it, native type.
const TYPES: [(&str, &str, &str); 11] = [
    ("arrow_cast('text', 'Utf8View')", "Utf8", "Utf8View"),
    ("arrow_cast('text', 'LargeUtf8')", "Utf8", "LargeUtf8"),
    ("arrow_cast('text', 'Dictionary(Int32, Utf8)')", "Utf8", "Dictionary(Int32, Utf8)"),
    ("arrow_cast(7, 'UInt64')", "Int64", "UInt64"),
    ("arrow_cast(7, 'UInt8')", "Int32", "UInt8"),
    ("arrow_cast(7, 'Int16')", "Int16", "Int16"),
    ("CAST(1.5 AS DECIMAL(10, 2))", "Decimal128(10, 2)", "Decimal128(10, 2)"),
    ("CAST('2024-05-01T12:00:00' AS TIMESTAMP)", "Timestamp(µs)", "Timestamp(ns)"),
    ("CAST('12:00:00' AS TIME)", "Time64(µs)", "Time64(ns)"),
    ("DATE '2024-05-01'", "Date32", "Date32"),
    ("NULL", "Utf8", "Null"),
];

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_in_types_that_every_client_reads_and_in_others_on_request() {
    let (_dir, builder) = prepare();
    let federation = builder.start().await.unwrap();
    let mut ada = Visitor::ada(&federation);
    let columns = TYPES.iter().enumerate().map(|(place, (sql, ..))| format!("{sql} AS c{place}"));
    let sql = format!("SELECT {}", columns.collect::<Vec<_>>().join(", "));
    let types = |schema: &Schema| -> Vec<String> {
        schema.fields().iter().map(|field| field.data_type().to_string()).collect()
    };
    let (schema, batches) = thrice(&mut ada, descriptor(&sql)).await.unwrap();
    assert_eq!(types(&schema), TYPES.map(|(_, portable, _)| portable));
    for field in schema.fields() {
        assert!(field.is_nullable(), "{field:?}");
        // Exact numbers alone have something said beside them; REMARKS would be a label to JDBC.
        let said = if field.data_type().is_decimal() { 2 } else { 0 };
        assert_eq!(field.metadata().len(), said, "{field:?}");
    }
    assert_eq!(batches[0].column(2).as_string::<i32>().value(0), "text");
    ada.headers = vec![("x-jigsaw-wire-types", "native")];
    let (schema, batches) = thrice(&mut ada, descriptor(&sql)).await.unwrap();
    assert_eq!(types(&schema), TYPES.map(|(.., native)| native));
    assert_eq!(batches[0].num_rows(), 1);
    // In the session it holds for statements that are prepared, too.
    ada.headers.clear();
    ada.ask("SET jigsaw.wire_types = native").await.unwrap();
    let handle = ada.prepare(&sql).await.unwrap();
    let (schema, _) = thrice(&mut ada, prepared(&handle)).await.unwrap();
    assert_eq!(types(&schema), TYPES.map(|(.., native)| native));
    ada.ask("RESET ALL").await.unwrap();

    let large = "SELECT arrow_cast(18446744073709551615, 'UInt64') AS large";
    let refused = ada.ask(large).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    assert!(refused.message().contains("large") && refused.message().contains("native"), "{refused}");
    ada.headers = vec![("x-jigsaw-wire-types", "native")];
    assert_eq!(ada.ask(large).await.unwrap(), ["18446744073709551615"]);
}

fn prepared(handle: &[u8]) -> FlightDescriptor {
    let command = CommandPreparedStatementQuery { prepared_statement_handle: handle.to_vec().into() };
    FlightDescriptor::new_cmd(command.as_any().encode_to_vec())
}

/// Sends rows of parameters.
async fn bind(ada: &mut Visitor, handle: &[u8], rows: RecordBatch) -> Result<(), Status> {
    let encoder = FlightDataEncoderBuilder::new().with_flight_descriptor(Some(prepared(handle)));
    let messages: Vec<_> =
        encoder.build(futures::stream::iter([Ok(rows)])).try_collect().await.map_err(Status::from)?;
    let request = ada.request(()).map(|()| futures::stream::iter(messages));
    let answers: Vec<_> = ada.flight().do_put(request).await?.into_inner().try_collect().await?;
    assert_eq!(answers.len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_answered_for_each_row_of_its_parameters() {
    let (_dir, builder) = prepare();
    let federation = builder.start().await.unwrap();
    let mut ada = Visitor::ada(&federation);
    let rows = |numbers: Vec<Option<i64>>, words: Vec<Option<&str>>| {
        let numbers: arrow::array::ArrayRef = std::sync::Arc::new(Int64Array::from(numbers));
        let words: arrow::array::ArrayRef = std::sync::Arc::new(StringArray::from(words));
        RecordBatch::try_from_iter_with_nullable([("0", numbers, true), ("1", words, true)]).unwrap()
    };
    for sql in ["SELECT ? AS a, ? AS b", "SELECT $1 AS a, $2 AS b"] {
        let handle = ada.prepare(sql).await.unwrap();
        let three = rows(vec![Some(42), Some(-42), None], vec![Some(""), None, Some("bar")]);
        bind(&mut ada, &handle, three).await.unwrap();
        let (schema, batches) = thrice(&mut ada, prepared(&handle)).await.unwrap();
        assert_eq!(schema.field(0).data_type(), &DataType::Int64, "a value keeps its type where any will do");
        let numbers: Vec<Option<i64>> = batches
            .iter()
            .flat_map(|batch| {
                batch.column(0).as_primitive::<arrow::datatypes::Int64Type>().iter().collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(numbers, [Some(42), Some(-42), None]);
    }
    let handle =
        ada.prepare("SELECT COUNT(*) AS n FROM ref_borough WHERE population > ? AND name = ?").await.unwrap();
    bind(&mut ada, &handle, rows(vec![Some(1), Some(1)], vec![Some("Camden"), Some("Atlantis")]))
        .await
        .unwrap();
    let (_, batches) = thrice(&mut ada, prepared(&handle)).await.unwrap();
    let counts: Vec<i64> = batches
        .iter()
        .flat_map(|batch| batch.column(0).as_primitive::<arrow::datatypes::Int64Type>().values().to_vec())
        .collect();
    assert_eq!(counts, [1, 0]);
    for wrong in [rows(vec![], vec![]), rows(vec![Some(1); 101], vec![Some("Camden"); 101])] {
        let refused = bind(&mut ada, &handle, wrong).await.unwrap_err();
        assert!(refused.message().contains("1 to 100 rows"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_signs_on_in_the_way_their_driver_does() {
    let (_dir, builder) = prepare();
    let federation = builder.start().await.unwrap();
    let token = std::fs::read_to_string(federation.token_file()).unwrap();
    let plain = base64(&format!("ada:{token}"));
    let unpadded = plain.trim_end_matches('=').to_owned();
    for (credential, is_let_in) in [
        (format!("Basic {plain}"), true),
        (format!("Basic {unpadded}"), true),
        (format!("basic {plain}"), true),
        (format!("Bearer {token}"), true),
        (format!("Basic {}", base64("ada:guess")), false),
        (format!("Basic {}", base64(&format!("eve:{token}"))), false),
        ("Basic ???".to_owned(), false),
        ("Bearer guess".to_owned(), false),
        ("Digest x".to_owned(), false),
    ] {
        // JDBC and ODBC send one empty message, others none.
        for messages in [vec![], vec![HandshakeRequest::default()]] {
            let mut request = Request::new(futures::stream::iter(messages));
            request.metadata_mut().insert("authorization", credential.parse().unwrap());
            match federation.flight().handshake(request).await {
                Ok(response) => {
                    assert!(is_let_in, "{credential}");
                    let bearer =
                        response.metadata().get("authorization").unwrap().to_str().unwrap().to_owned();
                    assert_eq!(bearer, format!("Bearer {token}"));
                    let answers: Vec<_> = response.into_inner().try_collect().await.unwrap();
                    assert_eq!(answers.len(), 1);
                }
                Err(refused) => {
                    assert!(!is_let_in, "{credential}: {refused}");
                    assert_eq!(refused.code(), Code::Unauthenticated);
                    assert!(!refused.message().contains(&token), "{refused}");
                }
            }
        }
    }
}

/// Base64 with padding.
fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.as_bytes().chunks(3).flat_map(|three| {
        let number = three.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte))
            << (8 * (3 - three.len()));
        (0..4).map(move |place| {
            let digit = DIGITS[(number >> (18 - 6 * place) & 63) as usize] as char;
            if place > three.len() { '=' } else { digit }
        })
    });
    digits.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_has_the_code_that_drivers_map_and_an_id_to_ask_about() {
    let (_dir, builder) = prepare();
    let federation = builder.start().await.unwrap();
    let mut ada = Visitor::ada(&federation);
    for (sql, code) in [
        ("SELEKT 1", Code::InvalidArgument),
        ("SELECT nonsense FROM property", Code::InvalidArgument),
        ("SELECT COUNT(*) FROM no_such_table", Code::NotFound),
        ("SELECT * FROM property", Code::PermissionDenied),
        ("DROP TABLE property", Code::Unimplemented),
        ("SELECT COUNT(*) FROM property WHERE wall_type = ?", Code::InvalidArgument),
    ] {
        let refused = ada.ask(sql).await.unwrap_err();
        assert_eq!(refused.code(), code, "{sql}: {refused}");
        let id = refused.metadata().get("x-query-id").map(|id| id.to_str().unwrap().len());
        assert_eq!(id, Some(32), "{sql}: {refused}");
        assert_eq!(refused.message().lines().count(), 1, "{sql}: {refused}");
    }
    for garbage in [&b""[..], b"garbage", &[0xff; 40], &command("GetTables").cmd[..20]] {
        let request = ada.request(FlightDescriptor::new_cmd(garbage.to_vec()));
        let refused = ada.flight().get_flight_info(request).await.unwrap_err();
        assert!(
            [Code::InvalidArgument, Code::Unimplemented].contains(&refused.code()),
            "{garbage:?}: {refused}"
        );
        let request = ada.request(Ticket::new(garbage.to_vec()));
        let refused = ada.flight().do_get(request).await.err().unwrap();
        let codes = [Code::InvalidArgument, Code::Unimplemented, Code::NotFound];
        assert!(codes.contains(&refused.code()), "{garbage:?}: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_contacts_no_node() {
    let (_dir, builder) = prepare();
    let federation = builder.tap(["camden", "hackney"]).start().await.unwrap();
    let mut ada = Visitor::ada(&federation);
    let sent = || {
        let of = |node: &str| {
            federation.tap(node).recordings().iter().map(|line| line.to_node.len()).sum::<usize>()
        };
        of("camden") + of("hackney")
    };
    ada.ask(HOMES).await.unwrap();
    for node in ["camden", "hackney"] {
        federation.tap(node).fault(harness::tap::Fault::Stall);
    }
    // Nodes are asked now and then how they are, and lines are tried: one quiet round proves it.
    let mut quiet = false;
    for _ in 0..5 {
        let (before, started) = (sent(), Instant::now());
        for (name, _) in REFERENCE {
            thrice(&mut ada, command(name)).await.unwrap();
        }
        for sql in
            ["SHOW TABLES", "DESCRIBE property", "SELECT * FROM information_schema.columns", "SELECT 1"]
        {
            ada.ask(sql).await.unwrap();
        }
        ada.prepare(HOMES).await.unwrap();
        ada.plan(HOMES).await.unwrap();
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
        quiet = quiet || sent() == before;
    }
    assert!(quiet, "every round sent something to a node");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_is_used_again_is_not_an_answer_that_is_told_again() {
    let (_dir, builder) = prepare();
    let mut federation = builder.start().await.unwrap();
    let mut ada = Visitor::ada(&federation);
    let first = ada.ask("SELECT CAST(now() AS VARCHAR) AS moment").await.unwrap();
    assert_ne!(ada.ask("SELECT CAST(now() AS VARCHAR) AS moment").await.unwrap(), first);
    let before = ada.ask(HOMES).await.unwrap();
    assert_eq!(ada.ask(HOMES).await.unwrap(), before);
    federation.stop_node("hackney").await.unwrap();
    let missing = ada.ask(HOMES).await.unwrap_err();
    assert!(missing.message().contains("hackney"), "{missing}");
}
