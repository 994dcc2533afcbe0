//! What drivers rely on without asking: types they can read, rows of parameters, ways to sign in, errors they can map.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Int64Type, Schema};
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::{FlightDescriptor, HandshakeRequest, Ticket};
use futures::TryStreamExt as _;
use tonic::{Code, Request, Status};

use super::reference::{command, thrice};
use super::visitor::{Visitor, descriptor, prepared};
use super::{HOMES, prepare};

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
        let numbers: ArrayRef = Arc::new(Int64Array::from(numbers));
        let words: ArrayRef = Arc::new(StringArray::from(words));
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
            .flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().iter().collect::<Vec<_>>())
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
        .flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec())
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
        assert!(!refused.message().contains("DecodeError"), "{garbage:?}: {refused}");
        let request = ada.request(Ticket::new(garbage.to_vec()));
        let refused = ada.flight().do_get(request).await.err().unwrap();
        let codes = [Code::InvalidArgument, Code::Unimplemented, Code::NotFound];
        assert!(codes.contains(&refused.code()), "{garbage:?}: {refused}");
        assert!(!refused.message().contains("DecodeError"), "{garbage:?}: {refused}");
    }
    // What is no question has an id to ask about as well, and each its own.
    ada.headers = vec![("x-jigsaw-timeout", "soon")];
    let (one, two) = (ada.plan("SELECT 1").await.unwrap_err(), ada.plan("SELECT 1").await.unwrap_err());
    ada.headers.clear();
    let nobody = Visitor::new(&federation, "no token of anybody").plan("SELECT 1").await.unwrap_err();
    let action = ada.act("no.such.action", vec![]).await.unwrap_err();
    let ids = [&one, &two, &nobody, &action].map(|status| {
        let id = status.metadata().get("x-query-id").unwrap_or_else(|| panic!("{status}"));
        id.to_str().unwrap().to_owned()
    });
    assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), 4, "{ids:?}");
    assert_eq!((nobody.code(), one.code()), (Code::Unauthenticated, Code::InvalidArgument));
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
