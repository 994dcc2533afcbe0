//! What goes wrong: exit codes, sentences, and nothing half-written.

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tonic::transport::Identity;

use super::server::{TOKEN, start};
use super::{Call, Closed, PIPES};
use crate::{Exit, Terminal};

#[tokio::test]
async fn failures_have_their_codes_and_sentences() {
    let coordinator = start(None).await;
    let cases = [
        ("wrong", Exit::Failed, "jigsaw: no column x; did you mean y? (query 0123abcd)\n"),
        ("refused", Exit::Refused, "jigsaw: R07: person_key is hidden (query 0123abcd)\n"),
        ("bare refusal", Exit::Refused, "jigsaw: not for you\n"),
        ("incomplete", Exit::Incomplete, "jigsaw: no answer from camden (query 0123abcd)\n"),
        ("midway", Exit::Failed, "jigsaw: the query failed at barnet (query 0123abcd)\n"),
        (
            "no notes",
            Exit::Failed,
            "jigsaw: the answer came without readable notes, so its caveats are unknown: do not use it\n",
        ),
    ];
    for (sql, exit, stderr) in cases {
        let ran = Call::new(&coordinator, &["query", sql]).run().await;
        assert_eq!((ran.exit, ran.stderr.as_str(), ran.text()), (exit, stderr, ""), "{sql}");
    }
    let codes =
        [Exit::Answered, Exit::Failed, Exit::Usage, Exit::Connection, Exit::Refused, Exit::Incomplete];
    assert_eq!(codes.map(Exit::code), [0, 1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn a_failed_answer_leaves_the_file_as_it_was() {
    let coordinator = start(None).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("answer");
    for format in ["csv", "json", "table", "parquet", "arrow"] {
        fs::write(&file, "old").unwrap();
        let path = file.to_str().unwrap();
        let ran = Call::new(&coordinator, &["query", "midway", "--format", format, "-o", path]).run().await;
        assert_eq!(ran.exit, Exit::Failed);
        assert_eq!(fs::read_to_string(&file).unwrap(), "old", "{format}");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "no temporary file is left");
    }
    let ran = Call::new(&coordinator, &["query", "rows", "-o", "/nowhere/at/all"]).run().await;
    assert_eq!(ran.exit, Exit::Usage, "{}", ran.stderr);
}

#[tokio::test]
async fn a_wrong_token_and_a_missing_server_say_so() {
    let coordinator = start(None).await;
    let ran = Call::new(&coordinator, &["query", "rows"]).set("JIGSAW_TOKEN", "wrong").run().await;
    let sentence =
        "jigsaw: the server does not accept this token: unknown token; check JIGSAW_TOKEN or --token-file\n";
    assert_eq!((ran.exit, ran.stderr.as_str()), (Exit::Connection, sentence));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let args = ["query", "rows", "--token-file", file.to_str().unwrap()];
    let ran = Call::new(&coordinator, &args).set("JIGSAW_TOKEN", "wrong").run().await;
    assert_eq!(ran.exit, Exit::Answered, "the flag wins: {}", ran.stderr);

    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ran = Call::new(&coordinator, &["query", "rows"])
        .set("JIGSAW_SERVER", format!("http://{free}"))
        .run()
        .await;
    assert_eq!(ran.exit, Exit::Connection);
    assert!(ran.stderr.starts_with(&format!("jigsaw: cannot reach http://{free}/: ")), "{}", ran.stderr);
    assert!(ran.stderr.contains("refused"), "{}", ran.stderr);
}

/// A server, or something on the way, that takes the connection and ends it: at once, or when the first request is there.
#[tokio::test]
async fn a_connection_that_is_ended_is_said_to_be_lost() {
    use tokio::io::AsyncReadExt as _;
    for bytes in [0, 1, 60] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut line, _)) = listener.accept().await {
                // What is left unread makes the system reset the connection.
                _ = line.read_exact(&mut vec![0; bytes]).await;
            }
        });
        let coordinator = start(None).await;
        let call =
            Call::new(&coordinator, &["query", "rows"]).set("JIGSAW_SERVER", format!("http://{address}"));
        let ran = call.run().await;
        assert_eq!(ran.exit, Exit::Connection, "after {bytes} bytes: {}", ran.stderr);
        let said = ["jigsaw: the connection to the server was lost: ", "jigsaw: cannot reach "];
        assert!(said.iter().any(|said| ran.stderr.starts_with(said)), "after {bytes} bytes: {}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    }
}

#[tokio::test]
async fn tls_is_verified() {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params.clone(), KeyPair::generate().unwrap()).unwrap();
    let stranger = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &authority).unwrap();
    let coordinator = start(Some(Identity::from_pem(leaf.pem(), key.serialize_pem()))).await;
    let folder = tempfile::tempdir().unwrap();
    for (certificate, exit) in [(authority.pem(), Exit::Answered), (stranger.pem(), Exit::Connection)] {
        let file = folder.path().join("ca.pem");
        fs::write(&file, certificate).unwrap();
        let call = Call::new(&coordinator, &["query", "rows", "--ca", file.to_str().unwrap()]);
        let ran = call.set("JIGSAW_SERVER", format!("https://{}", coordinator.address)).run().await;
        assert_eq!(ran.exit, exit, "{}", ran.stderr);
    }
}

#[tokio::test]
async fn usage_is_checked_before_anything_is_asked() {
    let coordinator = start(None).await;
    for args in [
        &["query", "rows", "--file", "x.sql"][..],
        &["query", "rows", "--format", "xml"],
        &["query", "rows", "--timeout", "0"],
        &["query", "rows;rows", "-o", "x"],
        &["query", "rows", "--server", "http://coordinator.example"],
        &["query", "rows", "--server", "https://ada:secret@127.0.0.1"],
        &["query", "rows", "--purpose", "two\nlines"],
        &["query", "-- nothing"],
        &["explain", "a; b"],
        &["query", "--token", "secret", "rows"],
        &[],
    ] {
        let ran = Call::new(&coordinator, args).run().await;
        assert_eq!((ran.exit, ran.text()), (Exit::Usage, ""), "{args:?}: {}", ran.stderr);
        assert!(!ran.stderr.is_empty());
    }
    for args in [&["query", "rows", "--format", "parquet"][..], &["query"]] {
        let terminal = Terminal { stdin: true, stdout: true, ..PIPES };
        let ran = Call { terminal, ..Call::new(&coordinator, args) }.run().await;
        assert_eq!(ran.exit, Exit::Usage, "{args:?}");
    }
    assert!(coordinator.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_reader_that_goes_away_is_no_failure() {
    let coordinator = start(None).await;
    for format in ["table", "csv", "json", "ndjson", "parquet", "arrow"] {
        let call = Call::new(&coordinator, &["query", "rows", "--format", format]);
        let (exit, stderr) = call.run_into(&mut Closed, std::future::pending()).await;
        assert_eq!((exit, stderr.as_str()), (Exit::Answered, ""), "{format}");
    }
}

#[tokio::test]
async fn an_interrupt_drops_the_stream_and_the_file() {
    let coordinator = start(None).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("answer.csv");
    let mut hanging = coordinator.hanging.clone();
    let interrupt = async move { assert!(hanging.wait_for(|count| *count == 1).await.is_ok()) };
    let args = ["query", "hang", "--format", "csv", "-o", file.to_str().unwrap()];
    let (exit, stderr) = Call::new(&coordinator, &args).run_into(&mut Vec::new(), interrupt).await;
    assert_eq!((exit, exit.code(), stderr.as_str()), (Exit::Interrupted, 130, "cancelled\n"));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    let mut dropped = coordinator.dropped.clone();
    assert!(dropped.wait_for(|count| *count == 1).await.is_ok(), "the server sees the stream go");
}

#[tokio::test]
async fn a_server_that_never_ends_is_given_up() {
    let coordinator = start(None).await;
    let ran = Call::new(&coordinator, &["query", "hang", "--timeout", "1"]).run().await;
    let sentence = "jigsaw: no answer within 1 s: allow more with --timeout\n";
    assert_eq!((ran.exit, ran.stderr.as_str()), (Exit::Failed, sentence));
}
