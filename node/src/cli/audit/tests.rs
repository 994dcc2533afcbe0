//! The command over the files of a log, stopped and running.

use std::fs;

use clap::Parser;
use jigsaw_proto::refusal::{Refusal, RefusalCode};
use tempfile::TempDir;

use super::*;
use crate::audit::Audit;

const CONFIG: &str = r#"
[node]
id = "camden"
title = "Camden"
listen = "127.0.0.1:50051"
[tls]
certificate = "none.pem"
key = "none.key"
client_ca = "none.pem"
[[coordinator]]
identity = "coordinator.example"
[audit]
file = "log/audit.jsonl"
"#;

struct Bench {
    dir: TempDir,
    audit: Audit,
}

impl Bench {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("node.toml"), CONFIG).unwrap();
        let settings = AuditSettings::load(&dir.path().join("node.toml")).unwrap();
        assert!(settings.key.ends_with("log/audit.jsonl.key"));
        let audit = Audit::open(&settings).unwrap();
        let refusal = Refusal::new(RefusalCode::BadRequest, "no");
        audit.entry("=cmd|calc").refused(&refusal).await.unwrap();
        audit.entry("a\u{1b}[31m, \"b\"").refused(&refusal).await.unwrap();
        drop(audit.entry("coordinator.example"));
        audit.settle();
        Self { dir, audit }
    }

    fn run(&self, words: &[&str]) -> (bool, String) {
        #[derive(Debug, Parser)]
        struct Words {
            #[command(subcommand)]
            command: Command,
        }
        let config = self.dir.path().join("node.toml");
        let first = ["audit", words[0], "--config", config.to_str().unwrap()];
        let words = Words::parse_from(first.iter().chain(&words[1..]));
        let mut out = Vec::new();
        let exit = run(&words.command, &mut out);
        let done = format!("{exit:?}") == format!("{:?}", ExitCode::SUCCESS);
        (done, String::from_utf8(out).unwrap())
    }
}

#[tokio::test]
async fn show_is_for_people() {
    let bench = Bench::new().await;
    let (done, text) = bench.run(&["show"]);
    assert!(done && text.ends_with("3 shown\n"), "{text}");
    assert!(text.contains("refused with N03, after "), "{text}");
    assert!(!text.contains('\u{1b}'), "{text:?}");
    let (_, text) = bench.run(&["show", "--limit", "1"]);
    assert!(
        text.contains("abandoned") && text.ends_with("1 shown; 2 older: --limit 3 shows all\n"),
        "{text}"
    );
    for (words, shown) in [
        (["--outcome", "abandoned"], 1),
        (["--outcome", "started"], 1),
        (["--query", "q9"], 0),
        (["--since", "2020-01-01"], 3),
        (["--since", "2999-01-01T00:00:00Z"], 0),
    ] {
        let (_, text) = bench.run(&["show", words[0], words[1]]);
        assert!(text.ends_with(&format!("{shown} shown\n")), "{words:?}: {text}");
    }
}

#[tokio::test]
async fn exports_are_tables() {
    let bench = Bench::new().await;
    let (_, csv) = bench.run(&["export", "--format", "csv"]);
    assert_eq!(csv.split("\r\n").count(), 5, "{csv}");
    assert!(csv.contains(",'=cmd|calc,") && csv.contains("[31m, \"\"b\"\"\""), "{csv}");
    let file = bench.dir.path().join("out.json");
    let (done, nothing) = bench.run(&["export", "--format", "json", "-o", file.to_str().unwrap()]);
    assert!(done && nothing.is_empty());
    let json: Vec<serde_json::Value> = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    assert_eq!((json.len(), &json[0]["coordinator"]), (3, &"=cmd|calc".into()));
    assert!(json.iter().all(|entry| entry["signed"] == true));
}

#[tokio::test]
async fn verify_tells_where() {
    let bench = Bench::new().await;
    let (done, text) = bench.run(&["verify"]);
    assert!(done && text == "4 lines in 1 files; 3 requests ended\n", "{text}");
    // With the public half alone, as an auditor has it.
    let (_, pem) = bench.run(&["key"]);
    assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA"), "{pem}");
    let public = bench.dir.path().join("public.pem");
    fs::write(&public, pem).unwrap();
    assert!(bench.run(&["verify", "--public-key", public.to_str().unwrap()]).0);
    drop(bench.audit.clone());
    let file = bench.dir.path().join("log/audit.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("N03", "N04", 1)).unwrap();
    let (done, text) = bench.run(&["verify"]);
    let place = "PROBLEM audit.jsonl:2 (seq 2): the line was changed";
    assert!(!done && text.starts_with(place), "{text}");
    assert!(bench.run(&["show"]).1.contains("WARNING"));
}
