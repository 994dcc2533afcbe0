//! Sessions keep what their owner set, for their owner; questions can be followed and cancelled by who asked them.
#![cfg(test)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use harness::data::{Scale, Synthetic, hex};
use harness::federation::{Builder, Federation, Policy};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tonic::Code;

mod alive;
mod answers;
mod following;
mod oversize;
mod reference;
mod surface;
mod types;
mod visitor;

use visitor::{Value, Visitor, prepared};

const HOMES: &str = "SELECT COUNT(*) AS homes FROM property";

const EVE: &str = "the token of another analyst";

/// Another analyst, who is nobody's friend.
fn with_eve(folder: &Path) {
    let file = folder.join("analysts.toml");
    let text = fs::read_to_string(&file).unwrap();
    let eve = format!("\n[[analyst]]\nname = \"eve\"\ntoken_sha256 = \"{}\"\n", hex(&Sha256::digest(EVE)));
    fs::write(file, text + &eve).unwrap();
}

fn with_short_sessions(folder: &Path) {
    let file = folder.join("coordinator.toml");
    let text = fs::read_to_string(&file).unwrap();
    let (before, after) = text.split_once("query_timeout_seconds").unwrap();
    fs::write(file, format!("{before}session_idle_seconds = 1\nquery_timeout_seconds{after}")).unwrap();
}

fn prepare() -> (TempDir, Builder) {
    let dir = tempfile::tempdir().unwrap();
    let mut nodes = Synthetic::new(7, Scale::test()).write_to(dir.path()).unwrap();
    nodes.retain(|node| ["camden", "hackney"].contains(&node.id.as_str()));
    let builder = Federation::builder(dir.path(), nodes).policy(Policy::Open).edit(with_eve);
    (dir, builder)
}

/// The purpose that a node recorded last.
fn purpose(federation: &Federation) -> String {
    let audit = federation.audit("camden");
    let mut purposes = audit.iter().filter_map(|entry| entry["purpose"].as_str());
    purposes.next_back().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_holds_for_the_session_and_a_header_for_its_question() {
    let (_dir, builder) = prepare();
    let federation = builder.start().await.unwrap();
    let (mut ada, mut other) = (Visitor::ada(&federation), Visitor::ada(&federation));
    assert_eq!(ada.ask("SHOW jigsaw.purpose").await.unwrap(), ["jigsaw.purpose - default"]);
    assert_eq!(ada.cookie, None, "looking opens no session");
    let set = ada.ask("SET jigsaw.purpose = 'winter planning'").await.unwrap();
    assert_eq!(set, ["jigsaw.purpose winter planning session"]);
    assert_eq!(ada.cookie.as_ref().unwrap().len(), 32);
    ada.ask(HOMES).await.unwrap();
    assert_eq!(purpose(&federation), "winter planning");
    let unset = ["jigsaw.purpose - default"];
    assert_eq!(other.ask("SHOW jigsaw.purpose").await.unwrap(), unset, "another connection, another session");
    ada.headers = vec![("x-jigsaw-purpose", "annual return")];
    assert_eq!(ada.ask("SHOW jigsaw.purpose").await.unwrap(), ["jigsaw.purpose annual return header"]);
    ada.ask(HOMES).await.unwrap();
    assert_eq!(purpose(&federation), "annual return");
    ada.headers.clear();

    ada.ask("SET jigsaw.cell_status = columns").await.unwrap();
    let whole = ada.ask(HOMES).await.unwrap();
    assert!(whole[0].ends_with(" exact 0 0"), "{whole:?}");
    ada.headers = vec![("x-jigsaw-cell-status", "plain")];
    assert!(!ada.ask(HOMES).await.unwrap()[0].contains("exact"));
    ada.headers.clear();
    ada.ask("SET jigsaw.timeout = '20s'").await.unwrap();
    let shown = ada.ask("SHOW ALL").await.unwrap();
    assert_eq!(
        shown,
        [
            "jigsaw.allow_partial false default",
            "jigsaw.cell_status columns session",
            "jigsaw.purpose winter planning session",
            "jigsaw.timeout 20s session",
            "jigsaw.wire_types portable default",
        ]
    );
    assert_eq!(ada.ask("RESET jigsaw.cell_status").await.unwrap(), ["jigsaw.cell_status plain default"]);
    ada.ask("RESET ALL").await.unwrap();
    assert_eq!(ada.ask("SHOW jigsaw.timeout").await.unwrap(), ["jigsaw.timeout 30s default"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partial_answer_and_a_limit_can_be_set_too() {
    let (_dir, builder) = prepare();
    let mut federation = builder.start().await.unwrap();
    let mut ada = Visitor::ada(&federation);
    federation.stop_node("camden").await.unwrap();
    assert_eq!(ada.ask(HOMES).await.unwrap_err().code(), Code::Unavailable);
    ada.ask("SET jigsaw.allow_partial = true").await.unwrap();
    assert_eq!(ada.ask(HOMES).await.unwrap().len(), 1);
    ada.headers = vec![("x-jigsaw-allow-partial", "false")];
    assert_eq!(ada.ask(HOMES).await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_a_session_ends_a_question() {
    let (_dir, builder) = prepare();
    let federation = builder.tap(["camden"]).start().await.unwrap();
    let mut ada = Visitor::ada(&federation);
    ada.ask("SET jigsaw.timeout = 1").await.unwrap();
    ada.ask(HOMES).await.unwrap();
    federation.tap("camden").fault(harness::tap::Fault::Stall);
    let started = std::time::Instant::now();
    let late = ada.ask(HOMES).await.unwrap_err();
    assert!(late.message().contains("camden"), "{late}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn options_are_set_and_read_by_actions_with_the_codes_of_the_reference() {
    let (_dir, builder) = prepare();
    let federation = builder.start().await.unwrap();
    let mut ada = Visitor::ada(&federation);
    let text = |text: &str| Some(Value::Text(text.to_owned()));
    let harmless = ada.set_options([("catalog", text("jigsaw")), ("schema", text("public"))]).await.unwrap();
    assert!(harmless.is_empty() && ada.cookie.is_none(), "{harmless:?}");
    let (invalid_name, invalid_value) = (1, 2);
    let errors = ada
        .set_options([
            ("catalog", text("elsewhere")),
            ("jigsaw.colour", text("red")),
            ("jigsaw.timeout", Some(Value::Boolean(true))),
            ("jigsaw.allow_partial", Some(Value::Boolean(true))),
            ("jigsaw.cell_status", text("rows")),
            ("jigsaw.purpose", text("planning")),
        ])
        .await
        .unwrap();
    let expected = [
        ("catalog", invalid_value),
        ("jigsaw.cell_status", invalid_value),
        ("jigsaw.colour", invalid_name),
        ("jigsaw.timeout", invalid_value),
    ];
    let mut errors: Vec<_> = errors.iter().map(|(name, kind)| (name.as_str(), *kind)).collect();
    errors.sort_unstable();
    assert_eq!(errors, expected);
    ada.set_options([("jigsaw.timeout", Some(Value::Integer(7)))]).await.unwrap();
    let options = ada.options().await.unwrap();
    assert_eq!(options["catalog"], Value::Text("jigsaw".to_owned()));
    assert_eq!(options["jigsaw.allow_partial"], Value::Boolean(true));
    assert_eq!(options["jigsaw.purpose"], Value::Text("planning".to_owned()));
    assert_eq!(options["jigsaw.timeout"], Value::Text("7s".to_owned()));
    ada.ask(HOMES).await.unwrap();
    assert_eq!(purpose(&federation), "planning");
    ada.set_options([("jigsaw.purpose", None)]).await.unwrap();
    assert_eq!(ada.options().await.unwrap()["jigsaw.purpose"], Value::Text(String::new()));

    let cookie = ada.cookie.clone();
    let closed = ada.act("CloseSession", vec![]).await.unwrap();
    assert_eq!(closed, [vec![8, 1]], "CLOSED");
    assert_eq!(ada.cookie, None, "the client is told to forget the cookie");
    assert_eq!(ada.options().await.unwrap()["jigsaw.allow_partial"], Value::Boolean(false));
    ada.cookie = cookie;
    assert_eq!(ada.options().await.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_session_is_of_no_use() {
    let (_dir, builder) = prepare();
    let federation = builder.start().await.unwrap();
    let (mut ada, mut eve) = (Visitor::ada(&federation), Visitor::new(&federation, EVE));
    ada.ask("SET jigsaw.purpose = 'a secret of hers'").await.unwrap();
    eve.cookie.clone_from(&ada.cookie);
    let refused = [
        eve.ask("SHOW jigsaw.purpose").await.unwrap_err(),
        eve.ask("SET jigsaw.purpose = 'mine'").await.unwrap_err(),
        eve.ask(HOMES).await.unwrap_err(),
        eve.options().await.unwrap_err(),
        eve.set_options([("jigsaw.purpose", None)]).await.unwrap_err(),
        eve.act("CloseSession", vec![]).await.unwrap_err(),
        eve.act("CreatePreparedStatement", vec![]).await.unwrap_err(),
    ];
    for refused in refused {
        assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
        assert!(!refused.message().contains("secret"), "{refused}");
    }
    let mut stranger = Visitor::new(&federation, "no token");
    stranger.cookie.clone_from(&ada.cookie);
    assert_eq!(stranger.options().await.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(ada.ask("SHOW jigsaw.purpose").await.unwrap(), ["jigsaw.purpose a secret of hers session"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_session_ends_and_its_questions_fail_rather_than_change() {
    let (_dir, builder) = prepare();
    let federation = builder.edit(with_short_sessions).start().await.unwrap();
    let mut ada = Visitor::ada(&federation);
    ada.ask("SET jigsaw.purpose = 'planning'").await.unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let refused = ada.ask(HOMES).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert!(refused.message().contains("connect again"), "{refused}");
}

/// Prepared statements and tickets take memory, and go with the time; what is used stays.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_prepared_or_announced_and_not_used_expires() {
    let (_dir, builder) = prepare();
    let federation = builder.edit(with_short_sessions).start().await.unwrap();
    let mut ada = Visitor::ada(&federation);
    let (used, idle) = (ada.prepare(HOMES).await.unwrap(), ada.prepare(HOMES).await.unwrap());
    let ticket = ada.plan(HOMES).await.unwrap().endpoint[0].ticket.clone().unwrap();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert!(ada.announce(prepared(&used)).await.is_ok());
    }
    for refused in [ada.announce(prepared(&idle)).await.unwrap_err(), ada.fetch(ticket).await.unwrap_err()] {
        assert_eq!(refused.code(), Code::NotFound);
        assert!(refused.message().contains("expired"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_cookies_is_told_what_to_do_instead() {
    let (_dir, builder) = prepare();
    let federation = builder.start().await.unwrap();
    let mut ada = Visitor::ada(&federation);
    ada.keeps_cookies = false;
    let refused = ada.ask("SET jigsaw.purpose = 'planning'").await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    for word in ["cookie", "x-jigsaw-purpose"] {
        assert!(refused.message().contains(word), "{refused}");
    }
    for (sql, word) in [
        ("SET jigsaw.allow_partial = 'perhaps'", "true or false"),
        ("SET jigsaw.colour = 'red'", "jigsaw.cell_status"),
        ("SET jigsaw.timeout = 'soon'", "seconds"),
    ] {
        let refused = ada.ask(sql).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{sql}: {refused}");
        assert!(refused.message().contains(word), "{sql}: {refused}");
    }
    assert_eq!(ada.ask("SHOW jigsaw.allow_partial").await.unwrap(), ["jigsaw.allow_partial false default"]);
    assert_eq!(ada.ask("BEGIN").await.unwrap(), [""; 0]);
    assert_eq!(ada.ask("COMMIT").await.unwrap(), [""; 0]);
}
