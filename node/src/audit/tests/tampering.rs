//! Each way of tampering, at each line, is found where it was done.

use std::fs;

use super::*;
use crate::audit::verify::Problem;

/// Three files of a few lines each.
async fn small() -> Bench {
    let bench = Bench::new(1500);
    let audit = bench.open();
    for _ in 0..3 {
        released(&audit).await.unwrap();
        refused(&audit).await.unwrap();
    }
    drop(audit);
    bench.is_whole();
    assert!(bench.files().len() >= 3, "{:?}", bench.files());
    bench
}

/// A line's file, its number in it, and its number in the chain.
type Place = (PathBuf, usize, u64);

fn places(bench: &Bench) -> Vec<Place> {
    let mut places = Vec::new();
    for file in bench.files() {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        for line in 0..lines {
            places.push((file.clone(), line, places.len() as u64 + 1));
        }
    }
    places
}

fn edit(place: &Place, edit: impl FnOnce(&mut Vec<String>, usize)) {
    let text = fs::read_to_string(&place.0).unwrap();
    let mut lines = text.lines().map(str::to_owned).collect();
    edit(&mut lines, place.1);
    let text: String = lines.into_iter().map(|line| line + "\n").collect();
    fs::write(&place.0, text).unwrap();
}

fn restore(kept: Vec<(Vec<u8>, PathBuf)>) {
    for (bytes, file) in kept {
        fs::write(file, bytes).unwrap();
    }
}

/// Tampers at every place in turn, and undoes it.
async fn at_each(tamper: impl Fn(&Bench, &Place), check: impl Fn(&Place, &[Problem], usize)) {
    let bench = small().await;
    let places = places(&bench);
    for place in &places {
        let kept: Vec<_> = bench.files().into_iter().map(|file| (fs::read(&file).unwrap(), file)).collect();
        tamper(&bench, place);
        check(place, &bench.verify().problems, places.len());
        restore(kept);
    }
    bench.is_whole();
}

#[track_caller]
fn is(problem: &Problem, place: &Place, offset: usize, seq: u64, what: &str) {
    assert_eq!(problem.file, place.0.file_name().unwrap().to_string_lossy());
    assert_eq!((problem.line, problem.seq), (place.1 + 1 + offset, Some(seq)), "{problem}");
    assert!(problem.what.contains(what), "{problem}");
}

#[tokio::test]
async fn an_edited_line_is_named() {
    let edits: [(&str, &str); 3] = [("\"outcome\":\"", "\"outcome\":\"un"), ("Z\"", "z\""), ("=\"}", "A\"}")];
    for (from, to) in edits {
        at_each(
            |_, place| edit(place, |lines, at| lines[at] = lines[at].replacen(from, to, 1)),
            |place, problems, _| {
                assert_eq!(problems.len(), 1, "{problems:?}");
                is(&problems[0], place, 0, place.2, "was changed");
            },
        )
        .await;
    }
}

#[tokio::test]
async fn a_deleted_line_is_named() {
    at_each(
        |_, place| edit(place, |lines, at| drop(lines.remove(at))),
        |place, problems, all| {
            assert_eq!(problems.len(), 1, "{problems:?}");
            if place.2 == all as u64 {
                assert!(problems[0].what.contains("the end is cut off"), "{problems:?}");
            } else {
                assert_eq!(problems[0].seq, Some(place.2 + 1));
                assert!(problems[0].what.contains(&format!("seq {} is missing", place.2)), "{problems:?}");
            }
        },
    )
    .await;
}

#[tokio::test]
async fn a_foreign_line_is_named() {
    at_each(
        |_, place| edit(place, |lines, at| lines.insert(at, "{\"seq\":7}".to_owned())),
        |place, problems, _| {
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert_eq!((problems[0].line, problems[0].seq), (place.1 + 1, None), "{problems:?}");
            assert!(problems[0].what.contains("was put in"), "{problems:?}");
        },
    )
    .await;
}

#[tokio::test]
async fn a_copied_line_is_named() {
    at_each(
        |_, place| edit(place, |lines, at| lines.insert(at, lines[at].clone())),
        |place, problems, _| {
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert_eq!(problems[0].seq, Some(place.2));
            assert!([place.1 + 1, place.1 + 2].contains(&problems[0].line), "{problems:?}");
            assert!(problems[0].what.contains("a copy"), "{problems:?}");
        },
    )
    .await;
}

/// Every line to every other place of the log, but for its neighbours', where it cannot be told which of two was moved.
#[tokio::test]
async fn a_moved_line_is_named() {
    let bench = small().await;
    let places = places(&bench);
    for from in &places {
        for to in places.iter().filter(|to| to.2 + 1 < from.2 || to.2 > from.2 + 2) {
            let kept: Vec<_> =
                bench.files().into_iter().map(|file| (fs::read(&file).unwrap(), file)).collect();
            let mut line = String::new();
            edit(from, |lines, at| line = lines.remove(at));
            let shift = usize::from(from.0 == to.0 && from.1 < to.1);
            let to = (to.0.clone(), to.1 - shift, to.2);
            edit(&to, |lines, at| lines.insert(at, line));
            let problems = bench.verify().problems;
            assert_eq!(problems.len(), 1, "{from:?} to {to:?}: {problems:?}");
            is(&problems[0], &to, 0, from.2, "moved");
            restore(kept);
        }
    }
}

#[tokio::test]
async fn neighbours_in_each_others_places_are_named() {
    at_each(
        |_, place| edit(place, |lines, at| lines.swap(at.saturating_sub(1), at)),
        |place, problems, _| {
            if place.1 == 0 {
                assert!(problems.is_empty(), "nothing was done");
            } else {
                assert_eq!(problems.len(), 1, "{problems:?}");
                assert!([place.1, place.1 + 1].contains(&problems[0].line), "{problems:?}");
            }
        },
    )
    .await;
}

/// Cut after every line, and in the middle of every line.
#[tokio::test]
async fn a_cut_end_is_named() {
    for half in [false, true] {
        at_each(
            |bench, place| {
                for file in bench.files().iter().rev().take_while(|file| **file != place.0) {
                    fs::remove_file(file).unwrap();
                }
                edit(place, Vec::truncate);
                if half {
                    let text = fs::read_to_string(&place.0).unwrap();
                    fs::write(&place.0, text + "{\"seq\":1,\"previous\"").unwrap();
                }
            },
            |place, problems, all| {
                assert_eq!(problems.len(), 1, "{problems:?}");
                let says = format!("ends at seq {}, its head record names seq {all}", place.2 - 1);
                assert!(problems[0].what.contains(&says), "{problems:?}");
            },
        )
        .await;
    }
}

#[tokio::test]
async fn swapped_and_missing_files_are_named() {
    let bench = small().await;
    let files = bench.files();
    let (first, second) = (fs::read(&files[0]).unwrap(), fs::read(&files[1]).unwrap());
    fs::write(&files[0], &second).unwrap();
    fs::write(&files[1], &first).unwrap();
    let problems = bench.verify().problems;
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].what.contains("the files are swapped"), "{problems:?}");
    fs::write(&files[0], &first).unwrap();
    fs::remove_file(&files[1]).unwrap();
    let problems = bench.verify().problems;
    assert_eq!((problems.len(), problems[0].line), (1, 1), "{problems:?}");
    assert!(problems[0].what.contains("missing before this line"), "{problems:?}");
}

#[tokio::test]
async fn the_wrong_key_is_named() {
    let (bench, other) = (small().await, small().await);
    let problems = verify(&bench.settings.file, &other.key()).unwrap().problems;
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].what.contains("no line is signed with this key"), "{problems:?}");
    fs::copy(&other.settings.key, &bench.settings.key).unwrap();
    assert!(bench.refused().contains("head record"), "{}", bench.refused());
}

/// A log that is put back to an earlier state and goes on with the node's own key.
#[tokio::test]
async fn two_histories_do_not_make_one() {
    let bench = Bench::new(u64::MAX);
    released(&bench.open()).await.unwrap();
    let head = bench.dir.path().join("audit.jsonl.head");
    let (earlier, then) = (fs::read(&bench.settings.file).unwrap(), fs::read(&head).unwrap());
    released(&bench.open()).await.unwrap();
    let one = bench.lines();
    fs::write(&bench.settings.file, earlier).unwrap();
    assert!(bench.refused().contains("head record"), "a log that was put back is not written on");
    fs::write(&head, then).unwrap();
    refused(&bench.open()).await.unwrap();
    bench.is_whole();
    let place = (bench.settings.file.clone(), 4, 5);
    edit(&place, |lines, at| lines[at].clone_from(&one[at]));
    let problems = bench.verify().problems;
    assert_eq!(problems.len(), 2, "{problems:?}");
    is(&problems[0], &place, 0, 5, "does not name the line before");
    is(&problems[1], &place, 1, 6, "does not name the line before");
}

/// The log and its head record taken away, and the key left: no new log begins under the old key.
#[tokio::test]
async fn a_key_without_a_log_begins_none() {
    let bench = small().await;
    bench.files().into_iter().for_each(|file| fs::remove_file(file).unwrap());
    assert!(bench.refused().contains("names line 13"), "{}", bench.refused());
    fs::remove_file(bench.dir.path().join("audit.jsonl.head")).unwrap();
    assert!(bench.refused().contains("its head record is gone"), "{}", bench.refused());
    fs::remove_file(&bench.settings.key).unwrap();
    drop(bench.open());
    bench.is_whole();
}

#[tokio::test]
async fn a_tampered_head_record_is_named() {
    let bench = small().await;
    let head = bench.dir.path().join("audit.jsonl.head");
    let kept = fs::read(&head).unwrap();
    for (bytes, what) in
        [(vec![], "is gone"), (vec![b'x'; 1024], "not signed"), (kept[..512].to_vec(), "damaged")]
    {
        fs::write(&head, bytes).unwrap();
        let problems = bench.verify().problems;
        assert_eq!((problems.len(), problems[0].file.as_str()), (1, "audit.jsonl.head"), "{problems:?}");
        assert!(problems[0].what.contains(what), "{problems:?}");
    }
}

/// Whatever single byte is changed, the line it is in is named.
#[tokio::test]
async fn every_changed_byte_is_found() {
    let bench = small().await;
    let file = bench.files()[1].clone();
    let bytes = fs::read(&file).unwrap();
    for at in (0..bytes.len()).step_by(7) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        fs::write(&file, &changed).unwrap();
        let line = bytes[..at].split(|byte| *byte == b'\n').count();
        let problems = bench.verify().problems;
        assert!(
            problems.iter().any(|problem| problem.line == line),
            "byte {at} of line {line}: {problems:?}"
        );
    }
}
