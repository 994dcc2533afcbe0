//! SIGKILL at every step of the pipeline: the record is whole afterwards, and never behind what was sent.
//!
//! The node runs in a process of its own: this test program, started again, which kills itself at the step it is told.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use super::*;
use crate::audit::key::PublicKey;
use crate::audit::verify::verify;

const FOLDER: &str = "JIGSAW_TEST_FOLDER";
const STEP: &str = "JIGSAW_TEST_KILL_AT";

/// Every step, which time it is reached, and how the next start may find the first request. Lines are written at the start, when
/// a request is asked, and when it ends; what waits at the same time is written together.
const STEPS: [(&str, &[&str]); 14] = [
    ("half written:1", &[""]),
    ("written:1", &[""]),
    ("durable:1", &[""]),
    // The other thread may have written what was asked, or not yet.
    ("asked:1", &["", "crashed"]),
    ("validated:1", &["", "crashed"]),
    ("executed:1", &["", "crashed"]),
    ("disclosed:1", &["", "crashed"]),
    ("half written:2", &["", "crashed"]),
    ("written:2", &["crashed", "released"]),
    ("half written:3", &["crashed", "released"]),
    ("written:3", &["released"]),
    ("durable:2", &["crashed", "released"]),
    ("told:2", &["released"]),
    ("recorded:1", &["released"]),
];

/// What the child does: two questions, and a note of each answer where a coordinator would have it.
#[tokio::test]
#[ignore = "runs in a process that a_kill_at_any_step_loses_no_record starts"]
async fn in_a_process_of_its_own() {
    let folder = PathBuf::from(std::env::var(FOLDER).expect("started by the other test"));
    let bench = Bench::with(|settings| settings.audit = audit_in(&folder)).await;
    for number in 0..2 {
        bench.ask(counted(equal(t("ward"), text("big")))).await.unwrap();
        fs::write(folder.join(format!("received{number}")), "").unwrap();
    }
}

fn audit_in(folder: &Path) -> AuditSettings {
    AuditSettings { file: folder.join("audit.jsonl"), key: folder.join("audit.key"), rotate: 4096 }
}

/// Runs the child to its end; whether it was killed.
async fn run(folder: &Path, step: &str) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "pipeline::tests::crash::in_a_process_of_its_own", "--ignored"]);
    child.env(FOLDER, folder).env(STEP, step);
    let output = tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap();
    let killed = output.status.signal() == Some(9);
    assert!(killed || output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    killed
}

/// How requests ended, in all files of the log.
fn outcomes(settings: &AuditSettings) -> Vec<String> {
    let key = PublicKey::load(&settings.key).unwrap();
    let mut outcomes = vec![];
    crate::audit::read::each_line(&settings.file, &key, |read| {
        assert!(read.signed);
        if read.line.outcome.ends() {
            outcomes.push(read.line.outcome.word().to_owned());
        }
        Ok(())
    })
    .unwrap();
    outcomes
}

fn received(folder: &Path) -> usize {
    let received = fs::read_dir(folder).unwrap();
    received
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("received"))
        .count()
}

#[tokio::test]
async fn a_kill_at_any_step_loses_no_record() {
    for (step, expected) in STEPS {
        let dir = tempfile::tempdir().unwrap();
        let settings = audit_in(dir.path());
        assert!(run(dir.path(), step).await, "the process is killed at '{step}'");
        drop(crate::audit::Audit::open(&settings).unwrap());
        let report = verify(&settings.file, &PublicKey::load(&settings.key).unwrap()).unwrap();
        assert!(report.problems.is_empty() && report.notes.is_empty(), "{step}: {report:?}");
        let outcomes = outcomes(&settings);
        let released = outcomes.iter().filter(|outcome| *outcome == "released").count();
        assert!(released >= received(dir.path()), "{step}: {outcomes:?}");
        assert!(expected.contains(&outcomes.first().map_or("", String::as_str)), "{step}: {outcomes:?}");
    }
}

/// Killed again and again while files are rotated, and never the same log twice.
#[tokio::test]
async fn a_log_survives_many_kills() {
    let dir = tempfile::tempdir().unwrap();
    let settings = audit_in(dir.path());
    let steps = [
        "none:0",
        "recorded:1",
        "executed:2",
        "renamed:1",
        "written:3",
        "recorded:2",
        "renamed:1",
        "half written:2",
    ];
    let mut killed = 0;
    for step in steps {
        killed += usize::from(run(dir.path(), step).await);
    }
    assert!(killed >= 5, "{killed} of {} were killed", steps.len() - 1);
    drop(crate::audit::Audit::open(&settings).unwrap());
    let report = verify(&settings.file, &PublicKey::load(&settings.key).unwrap()).unwrap();
    assert!(report.problems.is_empty() && report.files > 1, "{report:?}");
    let outcomes = outcomes(&settings);
    assert!(outcomes.contains(&"crashed".to_owned()) && outcomes.contains(&"released".to_owned()));
}
