//! Every request leaves one line, on disk before anything leaves, and no line means no release.

use std::fs::OpenOptions;

use base64::Engine as _;
use jigsaw_proto::refusal::RefusalCode;
use sha2::{Digest, Sha256};

use super::*;
use crate::pipeline::unpanicked;

#[tokio::test]
async fn a_release_is_recorded_in_full_but_for_its_values() {
    let bench = Bench::open().await;
    let asked = ticket(by_ward());
    let answer = bench.ask_with(&asked).await.unwrap();
    let [opened, mut line] = <[serde_json::Value; 2]>::try_from(bench.audit()).unwrap();
    assert_eq!(
        (&opened["outcome"], &opened["entry"], &opened["query"]),
        (&"asked".into(), &1.into(), &"q1".into())
    );
    assert_eq!(opened["request"], line["request"]);
    let request =
        base64::engine::general_purpose::STANDARD.decode(line["request"].as_str().unwrap()).unwrap();
    assert_eq!(request, asked, "what was asked can be asked again");
    let body: Vec<u8> =
        answer.messages.iter().flat_map(|message| message.data_body.iter().copied()).collect();
    let bytes = body.len();
    let digest = Sha256::digest(body).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    assert_eq!((&line["digest"], &line["bytes"]), (&digest.into(), &bytes.into()));
    assert_eq!(line["policy"], answer.manifest.policy);
    for changing in ["time", "digest", "policy", "bytes", "milliseconds", "request", "previous", "signature"]
    {
        line[changing] = "…".into();
    }
    let expected = serde_json::json!({
        "seq": 3, "previous": "…", "time": "…", "entry": 1, "outcome": "released", "query": "q1", "coordinator": "coordinator.example",
        "principal": "ada", "purpose": "a test",
        "fragment": "SELECT t.ward AS g0, count(*) AS p0 FROM stay AS t GROUP BY g0",
        "rules": ["R07", "R08", "R09", "R10", "R13", "R14", "R15", "R16"],
        "fired": {"R07": 2}, "released_cells": 3, "withheld_cells": 0,
        "policy": "…", "digest": "…", "bytes": "…", "milliseconds": "…",
        "request": "…", "signature": "…",
    });
    assert_eq!(line, expected);
}

#[tokio::test]
async fn a_refusal_is_recorded_with_its_code() {
    let bench = Bench::open().await;
    bench.ask(aggregated(State::Max, t("cost"))).await.err().unwrap();
    answer(&bench.node, "coordinator.example", b"no ticket").await.unwrap_err();
    let lines = bench.ends();
    let codes: Vec<_> = lines.iter().map(|line| (&line["outcome"], &line["code"])).collect();
    assert_eq!(codes, [(&"refused".into(), &"R06".into()), (&"refused".into(), &"N03".into())]);
}

/// Whoever hangs up has asked all the same.
#[tokio::test]
async fn an_abandoned_request_is_recorded() {
    let bench = Bench::open().await;
    let turns = bench.node.gate.turns().acquire_many(4).await.unwrap();
    let ticket = ticket(by_ward());
    let asking = answer(&bench.node, "coordinator.example", &ticket);
    assert!(tokio::time::timeout(Duration::from_millis(50), asking).await.is_err());
    drop(turns);
    assert_eq!(bench.ends()[0]["outcome"], "abandoned");
    assert!(bench.ask(by_ward()).await.is_ok(), "the turn is given back");
}

/// R25: what cannot be recorded is not released.
#[tokio::test]
async fn without_a_record_nothing_is_released() {
    let bench = Bench::open().await;
    let log = bench.node.audit.swap(OpenOptions::new().append(true).open("/dev/full").unwrap());
    assert_eq!(bench.refusal(by_ward()).await, RefusalCode::AuditUnavailable.as_str());
    let max = aggregated(State::Max, t("cost"));
    assert_eq!(bench.refusal(max).await, RefusalCode::AuditUnavailable.as_str());
    bench.node.audit.swap(log);
    assert!(bench.ask(by_ward()).await.is_ok());
    let ends: Vec<_> =
        bench.ends().iter().map(|line| (line["outcome"].clone(), line["code"].clone())).collect();
    let refused = ("refused".into(), "R25".into());
    assert_eq!(ends, [refused.clone(), refused, ("released".into(), serde_json::Value::Null)]);
}

#[tokio::test]
async fn a_busy_node_says_so_in_time() {
    let bench = Bench::open().await;
    let _turns = bench.node.gate.turns().acquire_many(4).await.unwrap();
    let mut request = FragmentRequest::decode(&ticket(by_ward())).unwrap();
    request.deadline_ms = 20;
    let refusal = answer(&bench.node, "coordinator.example", &request.encode()).await.unwrap_err();
    assert_eq!(refusal.code, RefusalCode::Busy);
}

#[tokio::test]
async fn the_nodes_own_deadline_counts() {
    let bench = Bench::with(|settings| settings.limits.deadline = Duration::ZERO).await;
    assert_eq!(bench.refusal(by_ward()).await, RefusalCode::DeadlinePassed.as_str());
}

/// R20: answers about protected rows, refusals included, leave at ticks.
#[tokio::test]
async fn answers_leave_at_ticks() {
    let bench = Bench::open().await;
    let tick = bench.node.tick(&by_ward());
    assert!(!tick.is_zero());
    assert_eq!(bench.node.tick(&fragment(scan("site"), vec![], vec![ROWS])), Duration::ZERO);
    for asked in [by_ward(), aggregated(State::Max, t("cost"))] {
        let started = std::time::Instant::now();
        _ = bench.ask(asked).await;
        assert!(started.elapsed() >= tick, "{:?}", started.elapsed());
    }
}

/// A panic may quote a row; the refusal does not.
#[tokio::test]
async fn a_panic_is_a_failure_without_words() {
    let refusal = unpanicked(async { panic!("value {CANARY}") }).await.unwrap_err();
    assert_eq!(refusal.code, RefusalCode::Failed);
    assert!(!refusal.to_string().contains(&CANARY.to_string()));
}
