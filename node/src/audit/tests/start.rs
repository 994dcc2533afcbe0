//! What a crash or a full disk leaves, and how the next line goes on from there.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use super::*;

fn append(bench: &Bench, bytes: &[u8]) {
    OpenOptions::new().append(true).open(&bench.settings.file).unwrap().write_all(bytes).unwrap();
}

#[tokio::test]
async fn every_kind_of_end_is_in_the_chain() {
    let bench = Bench::new(u64::MAX);
    let audit = bench.open();
    released(&audit).await.unwrap();
    refused(&audit).await.unwrap();
    let mut entry = asked(&audit);
    entry.granted("DSA-2031/7");
    drop(entry);
    drop(audit.entry("coordinator.example"));
    drop(audit);
    let expected = ["started", "asked", "released", "asked", "refused", "asked", "abandoned", "abandoned"];
    assert_eq!(bench.outcomes(), expected);
    assert!(bench.lines()[6].contains("\"agreement\":\"DSA-2031/7\""));
    bench.is_whole();
    assert_eq!(bench.verify().ended, 4);
}

#[test]
fn the_key_is_for_its_owner_alone() {
    let bench = Bench::new(u64::MAX);
    drop(bench.open());
    assert_eq!(fs::metadata(&bench.settings.key).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&bench.settings.key, Permissions::from_mode(0o640)).unwrap();
    assert!(bench.refused().contains("chmod 600"), "{}", bench.refused());
    fs::remove_file(&bench.settings.key).unwrap();
    assert!(bench.refused().contains("is gone"), "{}", bench.refused());
}

#[tokio::test]
async fn a_line_that_a_crash_cut_off_is_sealed_and_kept() {
    let bench = Bench::new(u64::MAX);
    released(&bench.open()).await.unwrap();
    append(&bench, b"{\"seq\":4,\"outcome\":\"rel");
    let report = bench.verify();
    assert!(report.problems.is_empty() && report.notes.len() == 1, "{report:?}");
    drop(bench.open().entry("coordinator.example"));
    let lines = bench.lines();
    assert_eq!(lines[3], "{\"seq\":4,\"outcome\":\"rel");
    assert_eq!(bench.outcomes(), ["started", "asked", "released", "", "torn", "started", "abandoned"]);
    bench.is_whole();
}

#[tokio::test]
async fn whole_lines_that_were_never_durable_are_sealed_with_the_rest() {
    let bench = Bench::new(u64::MAX);
    let audit = bench.open();
    released(&audit).await.unwrap();
    let end = fs::read(&bench.settings.file).unwrap();
    let last = end.split_inclusive(|byte| *byte == b'\n').next_back().unwrap();
    let log = audit.swap(OpenOptions::new().append(true).read(true).open("/dev/full").unwrap());
    assert!(released(&audit).await.is_err());
    append(&bench, &[last, b"{\"seq\":"].concat());
    audit.swap(log);
    refused(&audit).await.unwrap();
    drop(audit);
    let outcomes = bench.outcomes();
    let expected = ["started", "asked", "released", "released", "", "torn", "refused", "asked", "refused"];
    assert_eq!(outcomes, expected);
    assert!(
        bench.lines()[6].contains("\"code\":\"R25\""),
        "what could not be written is refused, and said so"
    );
    bench.is_whole();
}

#[tokio::test]
async fn half_a_line_of_a_full_disk_does_not_swallow_the_next() {
    let bench = Bench::new(u64::MAX);
    let audit = bench.open();
    let log = audit.swap(OpenOptions::new().append(true).read(true).open("/dev/full").unwrap());
    drop(audit.entry("coordinator.example"));
    audit.settle();
    append(&bench, b"{\"seq\":2,\"outcome\":\"aban");
    audit.swap(log);
    drop(audit.entry("coordinator.example"));
    drop(audit);
    assert_eq!(bench.outcomes(), ["started", "", "torn", "abandoned", "abandoned"]);
    bench.is_whole();
}

#[tokio::test]
async fn refusals_beyond_what_is_kept_are_counted() {
    let bench = Bench::new(u64::MAX);
    let audit = bench.open();
    let log = audit.swap(OpenOptions::new().append(true).read(true).open("/dev/full").unwrap());
    for _ in 0..1030 {
        drop(audit.entry("coordinator.example"));
    }
    audit.settle();
    audit.swap(log);
    drop(audit.entry("coordinator.example"));
    drop(audit);
    let outcomes = bench.outcomes();
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "abandoned").count(), 1025);
    assert!(bench.lines().iter().any(|line| line.contains("\"unrecorded\":6")), "six are counted");
    bench.is_whole();
}

#[tokio::test]
async fn a_deleted_log_is_not_written_on() {
    let bench = Bench::new(u64::MAX);
    let audit = bench.open();
    released(&audit).await.unwrap();
    fs::remove_file(&bench.settings.file).unwrap();
    assert!(released(&audit).await.is_err());
    drop(audit);
    assert!(bench.refused().contains("its head record names line 3"), "{}", bench.refused());
}

#[test]
fn one_process_writes() {
    let bench = Bench::new(u64::MAX);
    let _audit = bench.open();
    assert!(bench.refused().contains("another process"), "{}", bench.refused());
}

#[tokio::test]
async fn the_chain_goes_on_through_files() {
    let bench = Bench::new(1500);
    for _ in 0..2 {
        let audit = bench.open();
        for _ in 0..4 {
            released(&audit).await.unwrap();
        }
    }
    assert!(bench.files().len() > 3, "{:?}", bench.files());
    assert_eq!(bench.verify().lines, 18);
    bench.is_whole();
    // A crash between the two steps of a rotation.
    fs::rename(&bench.settings.file, bench.dir.path().join("audit.jsonl.000099")).unwrap();
    drop(bench.open());
    assert_eq!(bench.verify().lines, 19);
    bench.is_whole();
}

/// What the record costs beyond the disk's own time; the bound is wide, for a busy machine and a debug build.
#[tokio::test]
async fn a_record_costs_little_beside_the_disk() {
    let bench = Bench::new(u64::MAX);
    let audit = bench.open();
    let began = Instant::now();
    for _ in 0..100 {
        released(&audit).await.unwrap();
    }
    let recorded = began.elapsed() / 100;
    let mut file = fs::File::create(bench.dir.path().join("plain")).unwrap();
    let began = Instant::now();
    for _ in 0..100 {
        file.write_all(&[b'x'; 1000]).unwrap();
        file.sync_data().unwrap();
    }
    let disk = began.elapsed() / 100;
    assert!(recorded < 3 * disk + std::time::Duration::from_millis(20), "{recorded:?} beside {disk:?}");
}

/// Many at once share the disk's waits, and all are in the log.
#[tokio::test(flavor = "multi_thread")]
async fn groups_are_committed_together() {
    let bench = Bench::new(u64::MAX);
    let audit = bench.open();
    let tasks = (0..200).map(|_| {
        let audit = audit.clone();
        tokio::spawn(async move { released(&audit).await })
    });
    for done in futures::future::join_all(tasks).await {
        done.unwrap().unwrap();
    }
    drop(audit);
    let report = bench.verify();
    assert_eq!((report.ended, report.lines), (200, 401));
    bench.is_whole();
}
