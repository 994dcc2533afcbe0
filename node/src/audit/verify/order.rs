//! Lines that were changed, put in, taken out or moved.

use std::collections::BTreeSet;

use super::{Chain, Mark, Problem};

/// What is wrong with the lines and their order, in the order of the files.
pub(super) fn in_order(chain: &Chain) -> Vec<Problem> {
    let placed = longest_increasing(&chain.marks);
    let present: BTreeSet<u64> = chain.marks.iter().filter_map(|mark| mark.seq).collect();
    let mut problems: Vec<Problem> = Vec::new();
    // The last line in its place, and what stands between it and the next.
    let (mut last, mut foreign): (Option<&Mark>, Vec<&Mark>) = (None, Vec::new());
    let mut moved: Option<(&Mark, &Mark)> = None;
    for (mark, placed) in chain.marks.iter().zip(placed) {
        let in_place = placed && mark.seq.is_some();
        if in_place || mark.seq.is_none() || moved.is_some_and(|(_, to)| !follows(to, mark)) {
            problems.extend(moved.take().map(|(from, to)| out_of_place(chain, from, to, last)));
        }
        match mark.seq {
            None => foreign.push(mark),
            Some(_) if !placed => moved = Some((moved.map_or(mark, |(from, _)| from), mark)),
            Some(seq) => {
                let before = last.and_then(|last| last.seq).unwrap_or(0);
                let gap = (before + 1..seq).filter(|seq| !present.contains(seq)).collect();
                problems.extend(between(chain, &foreign, gap, mark));
                let linked = foreign.is_empty() && before + 1 == seq;
                if linked && mark.previous != last.map_or("", |last| last.digest.as_str()) {
                    let what =
                        "it does not name the line before: one of the two is from another log of this node";
                    problems.push(chain.problem(mark, what.to_owned()));
                }
                foreign.clear();
                last = Some(mark);
            }
        }
    }
    problems.extend(moved.map(|(from, to)| out_of_place(chain, from, to, last)));
    let next = last.and_then(|last| last.seq).unwrap_or(0) + 1;
    problems.extend(foreign.into_iter().zip(next..).map(|(mark, seq)| changed(chain, mark, Some(seq))));
    problems.sort_by_key(|problem| {
        let file = chain.files.iter().position(|file| *file == problem.file);
        (file, problem.line)
    });
    problems
}

/// Whether a line is right after another, in its file and in the chain.
fn follows(one: &Mark, next: &Mark) -> bool {
    one.file == next.file && one.seq.map(|seq| seq + 1) == next.seq
}

/// Foreign lines stand where the missing ones were; more of them were put in, fewer: some were taken out.
fn between(chain: &Chain, foreign: &[&Mark], gap: Vec<u64>, next: &Mark) -> Vec<Problem> {
    let mut gap = gap.into_iter();
    let mut problems: Vec<Problem> = foreign.iter().map(|mark| changed(chain, mark, gap.next())).collect();
    if let Some(from) = gap.next() {
        let to = gap.last().unwrap_or(from);
        let lines = if from == to { format!("seq {from} is") } else { format!("seq {from} to {to} are") };
        problems.push(chain.problem(next, format!("{lines} missing before this line: deleted")));
    }
    problems
}

fn changed(chain: &Chain, mark: &Mark, seq: Option<u64>) -> Problem {
    let what = match seq {
        Some(_) => "the line was changed: the node's signature does not fit what it says",
        None => "the line was put in: this node did not write it",
    };
    Problem { seq, ..chain.problem(mark, what.to_owned()) }
}

fn out_of_place(chain: &Chain, from: &Mark, to: &Mark, last: Option<&Mark>) -> Problem {
    let after = match last.and_then(|last| last.seq) {
        Some(seq) => format!("after seq {seq}"),
        None => "at the beginning".to_owned(),
    };
    let what = match to.line - from.line {
        0 => format!("the line stands {after}: moved, or a copy"),
        more => {
            format!("this and the next {more} lines stand {after}: moved, copied, or the files are swapped")
        }
    };
    chain.problem(from, what)
}

/// Which marks are in a longest strictly increasing subsequence of the numbers (patience sorting).
fn longest_increasing(marks: &[Mark]) -> Vec<bool> {
    let mut ends: Vec<(u64, usize)> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; marks.len()];
    for (at, mark) in marks.iter().enumerate() {
        let Some(seq) = mark.seq else { continue };
        let length = ends.partition_point(|(end, _)| *end < seq);
        if let Some(slot) = before.get_mut(at) {
            *slot = length.checked_sub(1).and_then(|length| ends.get(length)).map(|(_, end)| *end);
        }
        match ends.get_mut(length) {
            Some(end) => *end = (seq, at),
            None => ends.push((seq, at)),
        }
    }
    let mut placed = vec![false; marks.len()];
    let mut at = ends.last().map(|(_, end)| *end);
    while let Some(here) = at {
        if let Some(slot) = placed.get_mut(here) {
            *slot = true;
        }
        at = before.get(here).copied().flatten();
    }
    placed
}
