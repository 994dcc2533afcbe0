//! What tools ask before they ask anything: names, columns, flights, actions; and what they are refused.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::{DataType, Schema};
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::sql::{
    ActionBeginSavepointRequest, ActionBeginTransactionRequest, ActionBeginTransactionResult,
    ActionCreatePreparedSubstraitPlanRequest, ActionEndTransactionRequest, Any, CommandGetTables,
    CommandStatementIngest, CommandStatementSubstraitPlan, CommandStatementUpdate, ProstMessageExt as _,
};
use arrow_flight::{Criteria, Empty, FlightData, FlightDescriptor, IpcMessage, SchemaResult};
use futures::TryStreamExt as _;
use harness::federation::Federation;
use prost::Message as _;
use tonic::{Code, Request, Status};

use super::prepare;
use super::visitor::{Visitor, descriptor};

/// Statement, and a row that is in its answer; an empty one where only its being answered counts.
const STATEMENTS: &[(&str, &str)] = &[
    ("SELECT 1", "1"),
    ("SELECT 1 AS one", "1"),
    ("SELECT COUNT(*) > 0 AS some FROM \"jigsaw\".\"public\".\"property\"", "true"),
    ("SELECT COUNT(*) > 0 AS some FROM public.property", "true"),
    ("SELECT wall_type, COUNT(*) AS n FROM property WHERE 1 = 0 GROUP BY wall_type", ""),
    ("SELECT wall_type, COUNT(*) AS n FROM property GROUP BY wall_type LIMIT 0", ""),
    ("SELECT * FROM \"jigsaw\".\"public\".\"ref_borough\" LIMIT 0", ""),
    ("SHOW TABLES", "jigsaw public property BASE TABLE"),
    ("SHOW TABLES", "jigsaw system nodes VIEW"),
    ("SHOW COLUMNS FROM property", "jigsaw public property wall_type Utf8 YES"),
    ("SHOW COLUMNS FROM \"jigsaw\".\"system\".\"nodes\"", "jigsaw system nodes status Utf8 YES"),
    ("SHOW FUNCTIONS LIKE 'upper'", ""),
    ("DESCRIBE property", "wall_type Utf8 YES"),
    ("DESCRIBE \"public\".\"property\"", "wall_type Utf8 YES"),
    ("DESC \"jigsaw\".\"public\".\"ref_borough\"", "gss Utf8 YES"),
    ("SHOW SCHEMAS", "system"),
    ("SHOW DATABASES", "jigsaw"),
    ("SHOW CATALOGS", "jigsaw"),
    ("SELECT version() LIKE '%' AS known", "true"),
    ("SELECT current_catalog AS c, current_schema() AS s", "jigsaw public"),
    ("SELECT current_database() AS c, COUNT(*) > 0 AS some FROM property", "jigsaw true"),
    ("SELECT schema_name FROM information_schema.schemata WHERE catalog_name = 'jigsaw'", "public"),
    ("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'", "property"),
    (
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'property'",
        "wall_type Utf8",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_tools_ask_first_is_answered() {
    let (_dir, builder) = prepare();
    let federation = builder.start().await.unwrap();
    let mut ada = Visitor::ada(&federation);
    let mut wrong = vec![];
    for (sql, expected) in STATEMENTS {
        match ada.ask(sql).await {
            Ok(rows) if expected.is_empty() || rows.iter().any(|row| row == expected) => {}
            Ok(rows) => wrong.push(format!("{sql}\n  {rows:?}")),
            Err(problem) => wrong.push(format!("{sql}\n  {problem}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn flights_and_schemas_are_told() {
    let (_dir, builder) = prepare();
    let federation = builder.start().await.unwrap();
    let mut ada = Visitor::ada(&federation);
    let all = flights(&mut ada, "").await.unwrap();
    assert!(all.contains_key("jigsaw.public.property") && all.contains_key("jigsaw.system.nodes"), "{all:?}");
    assert!(all["jigsaw.public.property"].field_with_name("wall_type").is_ok());
    let some = flights(&mut ada, "system.").await.unwrap();
    assert_eq!(some.keys().collect::<Vec<_>>().len(), 4, "{some:?}");

    let path = |names: &[&str]| FlightDescriptor::new_path(names.iter().map(ToString::to_string).collect());
    for names in [&["jigsaw", "public", "property"][..], &["public", "property"], &["property"]] {
        let told = schema(&mut ada, path(names)).await.unwrap();
        assert_eq!(told, all["jigsaw.public.property"], "{names:?}");
    }
    assert_eq!(schema(&mut ada, path(&["nothing"])).await.unwrap_err().code(), Code::NotFound);
    let asked = schema(&mut ada, descriptor("SELECT 1 AS one")).await.unwrap();
    assert_eq!(asked.field(0).data_type(), &DataType::Int64);
    let set = schema(&mut ada, descriptor("SHOW ALL")).await.unwrap();
    assert_eq!(set.fields().len(), 3);
    let tables = CommandGetTables { include_schema: true, ..CommandGetTables::default() };
    let tables = FlightDescriptor::new_cmd(tables.as_any().encode_to_vec());
    assert_eq!(schema(&mut ada, tables).await.unwrap().fields().len(), 5);
    let request = ada.request(path(&["system", "nodes"]));
    let info = ada.flight().get_flight_info(request).await.unwrap().into_inner();
    assert_eq!(ada.fetch(info.endpoint[0].ticket.clone().unwrap()).await.unwrap().len(), 2);
    let request = ada.request(path(&["property"]));
    let refused = ada.flight().get_flight_info(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied, "rows never leave: {refused}");

    let mut nobody = federation.flight();
    assert_eq!(nobody.list_actions(Empty {}).await.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(nobody.list_flights(Criteria::default()).await.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_action_that_is_listed_is_known() {
    let (_dir, builder) = prepare();
    let federation = builder.start().await.unwrap();
    let mut ada = Visitor::ada(&federation);
    let request = ada.request(Empty {});
    let listed: Vec<_> =
        ada.flight().list_actions(request).await.unwrap().into_inner().try_collect().await.unwrap();
    let listed: BTreeSet<_> = listed.iter().map(|action| action.r#type.as_str()).collect();
    let all = [
        "BeginSavepoint",
        "BeginTransaction",
        "CancelFlightInfo",
        "CancelQuery",
        "ClosePreparedStatement",
        "CloseSession",
        "CreatePreparedStatement",
        "CreatePreparedSubstraitPlan",
        "EndSavepoint",
        "EndTransaction",
        "GetSessionOptions",
        "RenewFlightEndpoint",
        "SetSessionOptions",
        "jigsaw.fragments",
        "jigsaw.progress",
    ];
    assert_eq!(listed, all.into());
    // Without a body, each is at fault for that, or does what needs none, or says that it is known and not done here.
    for action in all {
        let Err(refused) = ada.act(action, vec![]).await else { continue };
        let undone = ["BeginSavepoint", "EndSavepoint", "CreatePreparedSubstraitPlan"].contains(&action)
            && refused.code() == Code::Unimplemented;
        assert!(
            undone || matches!(refused.code(), Code::InvalidArgument | Code::NotFound),
            "{action}: {refused}"
        );
    }
    assert_eq!(ada.act("jigsaw.dance", vec![]).await.unwrap_err().code(), Code::Unimplemented);
}

async fn flights(ada: &mut Visitor, criteria: &str) -> Result<BTreeMap<String, Schema>, Status> {
    let request = ada.request(Criteria { expression: criteria.as_bytes().to_vec().into() });
    let flights: Vec<_> = ada.flight().list_flights(request).await?.into_inner().try_collect().await?;
    let named = flights.into_iter().map(|info| {
        let name = info.flight_descriptor.as_ref().unwrap().path.join(".");
        (name, info.try_decode_schema().unwrap())
    });
    Ok(named.collect())
}

async fn schema(ada: &mut Visitor, descriptor: FlightDescriptor) -> Result<Schema, Status> {
    let request = ada.request(descriptor);
    let SchemaResult { schema } = ada.flight().get_schema(request).await?.into_inner();
    Ok(IpcMessage(schema).try_into().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_would_change_something_is_refused_in_a_sentence() {
    let (_dir, builder) = prepare();
    let federation = builder.start().await.unwrap();
    let mut ada = Visitor::ada(&federation);
    for sql in
        ["DELETE FROM property", "CREATE TABLE t (a INT)", "INSERT INTO property VALUES (1)", "SAVEPOINT a"]
    {
        let refused = ada.ask(sql).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unimplemented, "{sql}: {refused}");
        assert!(refused.message().contains("changes nothing"), "{sql}: {refused}");
    }
    let update =
        |query: &str| CommandStatementUpdate { query: query.to_owned(), transaction_id: None }.as_any();
    for (command, word) in [
        (update("DELETE FROM property"), "changes nothing"),
        (CommandStatementIngest { table: "t".to_owned(), ..Default::default() }.as_any(), "changes nothing"),
        (CommandStatementSubstraitPlan::default().as_any(), "ask in SQL"),
    ] {
        let refused = put(&mut ada, &command).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unimplemented, "{refused}");
        assert!(refused.message().contains(word), "{refused}");
    }
    put(&mut ada, &update("BEGIN")).await.unwrap();
    put(&mut ada, &update("SET autocommit = 1")).await.unwrap();
    let refused = put(&mut ada, &update("SET jigsaw.purpose = 'lost'")).await.unwrap_err();
    assert!(refused.message().contains("cookie"), "{refused}");
    ada.ask("SET jigsaw.purpose = 'kept'").await.unwrap();
    put(&mut ada, &update("SET jigsaw.purpose = 'changed'")).await.unwrap();
    assert_eq!(ada.ask("SHOW jigsaw.purpose").await.unwrap(), ["jigsaw.purpose changed session"]);

    let savepoint = ActionBeginSavepointRequest::default().as_any().encode_to_vec();
    let refused = ada.act("BeginSavepoint", savepoint).await.unwrap_err();
    assert!(refused.code() == Code::Unimplemented && refused.message().contains("savepoints"), "{refused}");
    let plan = ActionCreatePreparedSubstraitPlanRequest::default().as_any().encode_to_vec();
    let refused = ada.act("CreatePreparedSubstraitPlan", plan).await.unwrap_err();
    assert!(refused.code() == Code::Unimplemented && refused.message().contains("SQL"), "{refused}");
    let plan = FlightDescriptor::new_cmd(CommandStatementSubstraitPlan::default().as_any().encode_to_vec());
    let request = ada.request(plan);
    let refused = ada.flight().get_flight_info(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented, "{refused}");

    let begun =
        ada.act("BeginTransaction", ActionBeginTransactionRequest {}.as_any().encode_to_vec()).await.unwrap();
    let begun: ActionBeginTransactionResult =
        Any::decode(begun[0].as_slice()).unwrap().unpack().unwrap().unwrap();
    let end = ActionEndTransactionRequest { transaction_id: begun.transaction_id, action: 1 };
    ada.act("EndTransaction", end.as_any().encode_to_vec()).await.unwrap();
}

async fn put(ada: &mut Visitor, command: &Any) -> Result<(), Status> {
    let descriptor = FlightDescriptor::new_cmd(command.encode_to_vec());
    let message = FlightData { flight_descriptor: Some(descriptor), ..FlightData::default() };
    let request = ada.request(()).map(|()| futures::stream::iter([message]));
    let answers: Vec<_> = ada.flight().do_put(request).await?.into_inner().try_collect().await?;
    assert_eq!(answers.len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_column_explains_itself_to_a_schema_browser() {
    let (_dir, builder) = prepare();
    let federation = builder.start().await.unwrap();
    let tables = columns(&federation).await;
    let remarks = |table: &str, column: &str| {
        let field = tables[table].field_with_name(column).unwrap().clone();
        field.metadata().get("ARROW:FLIGHT:SQL:REMARKS").cloned().unwrap_or_default()
    };
    let cost = remarks("property", "rebuild_cost");
    assert_eq!(cost, "What it would cost to build again. Unit: GBP. Role: measure.");
    for (table, schema) in &tables {
        for field in schema.fields().iter().filter(|_| !table.starts_with("ref_")) {
            assert!(remarks(table, field.name()).len() > 5, "{table}.{} says nothing", field.name());
        }
    }
}

/// The columns of each table, as `GetTables` gives them.
async fn columns(federation: &Federation) -> BTreeMap<String, Schema> {
    let mut ada = Visitor::ada(federation);
    let command = CommandGetTables { include_schema: true, ..CommandGetTables::default() };
    let ticket = arrow_flight::Ticket::new(command.as_any().encode_to_vec());
    let request: Request<_> = ada.request(ticket);
    let messages = ada.flight().do_get(request).await.unwrap().into_inner().map_err(FlightError::from);
    let batches: Vec<_> =
        FlightRecordBatchStream::new_from_flight_data(messages).try_collect().await.unwrap();
    let mut tables = BTreeMap::new();
    for batch in batches {
        let names = arrow::array::AsArray::as_string::<i32>(batch.column(2));
        let schemas = arrow::array::AsArray::as_binary::<i32>(batch.column(4));
        for (name, schema) in names.iter().zip(schemas) {
            let message = IpcMessage(schema.unwrap().to_vec().into());
            tables.insert(name.unwrap().to_owned(), message.try_into().unwrap());
        }
    }
    tables
}

/// There are no constraints; whoever asks for them is told that, in the same words everywhere.
const CONSTRAINTS: [&str; 6] = [
    "check_constraints",
    "constraint_column_usage",
    "constraint_table_usage",
    "key_column_usage",
    "referential_constraints",
    "table_constraints",
];

#[tokio::test(flavor = "multi_thread")]
async fn tables_and_columns_are_the_same_to_metadata_calls_and_to_sql() {
    let (_dir, builder) = prepare();
    let federation = builder.start().await.unwrap();
    let mut ada = Visitor::ada(&federation);
    let flights = flights(&mut ada, "").await.unwrap();
    let told = flights.iter().flat_map(|(table, schema)| {
        let columns = schema.fields().iter().zip(0..);
        columns.map(move |(field, place)| format!("{table} {place} {} {}", field.name(), field.is_nullable()))
    });
    let asked = "SELECT table_catalog || '.' || table_schema || '.' || table_name AS name, ordinal_position, column_name, \
        is_nullable = 'YES' AS nullable FROM information_schema.columns";
    let asked = ada.ask(asked).await.unwrap();
    assert_eq!(asked.iter().cloned().collect::<BTreeSet<_>>(), told.collect());
    let told: BTreeSet<String> = flights.into_keys().collect();
    for asked in [
        "SELECT table_catalog, table_schema, table_name FROM information_schema.tables",
        "SELECT DISTINCT table_catalog, table_schema, table_name FROM information_schema.columns",
    ] {
        let rows = ada.ask(asked).await.unwrap();
        assert_eq!(rows.len(), told.len(), "{asked}");
        assert_eq!(rows.iter().map(|row| row.replace(' ', ".")).collect::<BTreeSet<_>>(), told, "{asked}");
    }
    let own = "SELECT table_type, COUNT(*) AS n FROM information_schema.tables WHERE table_schema = 'information_schema' GROUP BY table_type";
    assert_eq!(ada.ask(own).await.unwrap(), ["VIEW 13"]);
    let mut schemas = ada.ask("SELECT schema_name FROM information_schema.schemata").await.unwrap();
    schemas.sort();
    assert_eq!(schemas, ["information_schema", "public", "system"]);
    for view in CONSTRAINTS {
        let sql = format!("SELECT * FROM information_schema.{view}");
        assert_eq!(ada.ask(&sql).await.unwrap(), [""; 0]);
        assert!(told.contains(&format!("jigsaw.information_schema.{view}")), "{told:?}");
        assert!(
            ada.ask(&format!("SHOW COLUMNS FROM information_schema.{view}")).await.unwrap().len() > 3,
            "{view}"
        );
    }
    // As tools ask for the keys of a table and for where they point.
    let keys = "SELECT k.column_name, c.constraint_type FROM information_schema.table_constraints c \
        JOIN information_schema.key_column_usage k ON k.constraint_name = c.constraint_name AND k.table_name = c.table_name \
        WHERE c.table_schema = 'public' AND c.table_name = 'property' ORDER BY k.ordinal_position";
    assert_eq!(ada.ask(keys).await.unwrap(), [""; 0]);
    let references = "SELECT r.constraint_name, u.table_name, u.column_name FROM information_schema.referential_constraints r \
        LEFT JOIN information_schema.constraint_column_usage u ON u.constraint_name = r.unique_constraint_name \
        LEFT JOIN information_schema.check_constraints k ON k.constraint_name = r.constraint_name \
        WHERE r.constraint_schema = 'public'";
    assert_eq!(ada.ask(references).await.unwrap(), [""; 0]);
}
