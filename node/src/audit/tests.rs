//! The log as it is written, read and tampered with.

mod start;
mod tampering;

use std::path::PathBuf;

use jigsaw_proto::refusal::{Refusal, RefusalCode};
use jigsaw_proto::release::{Manifest, ReleaseMode};
use tempfile::TempDir;

use super::files;
use super::key::PublicKey;
use super::verify::{Report, verify};
use super::*;

/// A log in a folder of its own.
struct Bench {
    dir: TempDir,
    settings: AuditSettings,
}

impl Bench {
    fn new(rotate: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("audit.jsonl");
        let settings = AuditSettings { key: dir.path().join("audit.key"), file, rotate };
        Self { dir, settings }
    }

    fn open(&self) -> Audit {
        Audit::open(&self.settings).unwrap()
    }

    /// The sentence that keeps it closed.
    fn refused(&self) -> String {
        Audit::open(&self.settings).unwrap_err().to_string()
    }

    fn files(&self) -> Vec<PathBuf> {
        files::all(&self.settings.file).unwrap()
    }

    fn lines(&self) -> Vec<String> {
        let texts = self.files().into_iter().map(|file| std::fs::read_to_string(file).unwrap());
        texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
    }

    fn outcomes(&self) -> Vec<String> {
        let outcome = |line: &String| {
            let line = serde_json::from_str::<serde_json::Value>(line).ok()?;
            Some(line["outcome"].as_str()?.to_owned())
        };
        self.lines().iter().map(|line| outcome(line).unwrap_or_default()).collect()
    }

    fn key(&self) -> PublicKey {
        PublicKey::load(&self.settings.key).unwrap()
    }

    fn verify(&self) -> Report {
        verify(&self.settings.file, &self.key()).unwrap()
    }

    #[track_caller]
    fn is_whole(&self) {
        let report = self.verify();
        assert!(report.problems.is_empty(), "{:?}", report.problems);
    }
}

fn asked(audit: &Audit) -> Entry {
    let request = request();
    let mut entry = audit.entry("coordinator.example");
    entry.asked(&request, &request.encode());
    entry
}

fn request() -> FragmentRequest {
    use jigsaw_proto::aggregate::State;
    use jigsaw_proto::fragment::{Fragment, Measure, Relation};
    let input = Relation::Scan { dataset: "stay".parse().unwrap(), alias: "t".to_owned() };
    let measures =
        vec![Measure { state: State::Rows, argument: None, paired: None, time: None, filter: None }];
    FragmentRequest {
        query: "q1".parse().unwrap(),
        principal: "ada".to_owned(),
        purpose: "a test".to_owned(),
        deadline_ms: 60_000,
        fragment: Fragment { input, keys: vec![], measures },
        serial: 0,
        issued_ms: 0,
        assertion: Assertion::default(),
    }
}

fn manifest() -> Manifest {
    Manifest {
        node: "camden".parse().unwrap(),
        query: "q1".parse().unwrap(),
        policy: "p".to_owned(),
        mode: ReleaseMode::Protected,
        threshold: 10,
        rounding: 5,
        released_cells: 3,
        withheld_cells: 1,
        rules: vec!["R07".to_owned()],
        data_as_of: String::new(),
    }
}

async fn released(audit: &Audit) -> io::Result<()> {
    asked(audit).released(&manifest(), &Fired::from([("R07", 2)]), b"bytes").await
}

async fn refused(audit: &Audit) -> io::Result<()> {
    asked(audit).refused(&Refusal::new(RefusalCode::Failed, "no")).await
}
