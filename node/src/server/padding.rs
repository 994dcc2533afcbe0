//! How many bytes an answer takes: under protection, one of a few sizes.
//!
//! Arrow leaves out the bitmap of a column without NULLs, numbers of cells take more bytes or fewer, and every group has a row. So the
//! length of an answer tells whoever sees encrypted bytes pass how many groups there were, and whether a cell was withheld. An answer
//! under protection is filled up to the next of the sizes 1, 2, 4, 5, 6, 7, 8, 10, 12, 14, 16 KiB and so on, as if every column had a
//! bitmap. On a dense grid (`R12`), where the rows follow from the question, so does the length.

use arrow::array::{Array, RecordBatch};
use arrow_flight::FlightData;
use jigsaw_proto::release::Manifest;
use prost::Message;

/// No answer is shorter.
const LEAST: usize = 1024;
/// From here on sizes are a quarter of a power of two apart.
const CLOSE: usize = 4096;
/// And no more than this.
const MOST: usize = 256 * 1024;
/// Arrow's buffers are filled up to multiples of this.
const ALIGNMENT: usize = 64;

/// So many bytes as an answer takes whose last message has no manifest yet, had every column of every part a bitmap; the
/// messages, and the part of each that has rows.
pub(super) fn full(messages: &[FlightData], parts: &[RecordBatch], manifest: &Manifest) -> usize {
    let sent: usize = messages.iter().map(Message::encoded_len).sum();
    let absent = |part: &RecordBatch| {
        let without = part.columns().iter().filter(|column| column.null_count() == 0).count();
        without * part.num_rows().div_ceil(8).next_multiple_of(ALIGNMENT)
    };
    let numbers = Manifest { released_cells: u64::MAX, withheld_cells: u64::MAX, ..manifest.clone() };
    // Lengths before lengths: a few bytes for each message, and for the manifest.
    let lengths = 16 * (messages.len() + 1);
    sent + parts.iter().map(absent).sum::<usize>() + numbers.encode().len() + lengths
}

/// The size that an answer of so many bytes is filled up to.
fn size(bytes: usize) -> usize {
    if bytes <= CLOSE {
        return bytes.next_power_of_two().max(LEAST);
    }
    let power = 1_usize << bytes.ilog2();
    bytes.next_multiple_of((power / 4).min(MOST))
}

/// Puts the manifest into the last message, and fills it up so that all together take one of the sizes, `full` bytes at least.
pub(super) fn fill(messages: &mut [FlightData], manifest: &Manifest, full: usize) {
    let mut goal = size(full);
    // Of two lengths in a row, one may not be there, where a number of bytes takes a byte more itself.
    for _ in 0..2 {
        if reach(messages, manifest, goal) {
            return;
        }
        goal = size(goal + 1);
    }
}

fn reach(messages: &mut [FlightData], manifest: &Manifest, goal: usize) -> bool {
    for empty in 0..2 {
        let mut filling = 0;
        // The first guess is right but for the lengths of lengths.
        for _ in 0..4 {
            let Some(last) = messages.last_mut() else { return true };
            last.app_metadata = manifest.encode_filled(filling, empty).into();
            let sent: usize = messages.iter().map(Message::encoded_len).sum();
            match goal.cmp(&sent) {
                std::cmp::Ordering::Equal => return true,
                std::cmp::Ordering::Greater => filling += goal - sent,
                std::cmp::Ordering::Less => filling = filling.saturating_sub(sent - goal),
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_few_and_no_more_than_a_quarter_apart() {
        let sizes = [0, 1024, 1025, 4096, 4097, 9000, 70_000, 3_000_000].map(size);
        assert_eq!(sizes, [1024, 1024, 2048, 4096, 5120, 10_240, 81_920, 3_145_728]);
    }

    /// Whatever an answer takes, it is filled up to the byte.
    #[test]
    fn answers_take_their_size_to_the_byte() {
        let manifest = Manifest {
            node: "camden".parse().unwrap(),
            query: "q".parse().unwrap(),
            policy: String::new(),
            mode: jigsaw_proto::release::ReleaseMode::Protected,
            threshold: 10,
            rounding: 5,
            released_cells: 3,
            withheld_cells: 200,
            rules: vec![],
            data_as_of: String::new(),
        };
        for body in (0..40_000).step_by(7) {
            let mut messages = vec![FlightData { data_body: vec![0; body].into(), ..FlightData::default() }];
            let full = full(&messages, &[], &manifest);
            fill(&mut messages, &manifest, full);
            let sent = messages.first().unwrap().encoded_len();
            assert!(sent == size(full) || sent == size(size(full) + 1), "{body}: {sent}");
            assert_eq!(Manifest::decode(&messages.first().unwrap().app_metadata).unwrap(), manifest);
        }
    }
}
