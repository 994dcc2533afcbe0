//! What drivers rely on without asking: metadata in the reference's schemas to the last flag, found by every filter, and no
//! node asked for it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::{DataType, Int32Type, Schema, UInt32Type};
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::sql::{
    CommandGetCatalogs, CommandGetCrossReference, CommandGetDbSchemas, CommandGetExportedKeys,
    CommandGetImportedKeys, CommandGetPrimaryKeys, CommandGetSqlInfo, CommandGetTableTypes, CommandGetTables,
    CommandGetXdbcTypeInfo, ProstMessageExt,
};
use arrow_flight::{FlightDescriptor, IpcMessage, SchemaResult, Ticket};
use futures::TryStreamExt as _;
use prost::Message as _;
use tonic::Status;

use super::visitor::Visitor;
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

pub(super) fn command(name: &str) -> FlightDescriptor {
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
pub(super) async fn thrice(
    ada: &mut Visitor,
    asked: FlightDescriptor,
) -> Result<(Schema, Vec<RecordBatch>), Status> {
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
    assert!(codes.is_sorted() && codes.len() == 14, "{codes:?}");
    let date = CommandGetXdbcTypeInfo { data_type: Some(91) };
    let (_, types) = stream(&mut ada, Ticket::new(date.as_any().encode_to_vec())).await.unwrap();
    assert_eq!(types[0].column(0).as_string::<i32>().value(0), "DATE");
    let moment = types[0].column_by_name("sql_data_type").unwrap().as_primitive::<Int32Type>().value(0);
    assert_eq!((types[0].num_rows(), moment), (1, 9));
    let span = CommandGetXdbcTypeInfo { data_type: Some(10) };
    let (_, types) = stream(&mut ada, Ticket::new(span.as_any().encode_to_vec())).await.unwrap();
    let word = |name: &str| types[0].column_by_name(name).unwrap().as_string::<i32>().value(0).to_owned();
    assert_eq!(word("type_name"), "INTERVAL");
    // A literal is what is written between the two.
    let literal = format!("{}-1 month{}", word("literal_prefix"), word("literal_suffix"));
    assert_eq!(ada.ask(&format!("SELECT {literal} AS span")).await.unwrap(), ["-1 mons"]);
    assert!(types[0].column_by_name("datetime_subcode").unwrap().is_null(0));
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
