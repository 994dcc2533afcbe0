//! The protocol is what its schema says, stays what it was, and takes no nonsense.
#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};

use harness::data::{Scale, Synthetic};
use harness::federation::{Federation, Policy};
use jigsaw_proto::refusal::Refusal;
use jigsaw_proto::release::{Manifest, NodeDescription};
use jigsaw_proto::wire::{FragmentRequest, InvalidRequest, MAX_REQUEST_BYTES, unix_ms};
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

mod frozen;

use frozen::seed;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whoever changes a `.proto` file also generates anew.
#[test]
fn generated_code_is_what_the_schema_generates() {
    let schema = root().join("../proto/schema");
    let files = ["fragment", "release", "node"].map(|file| schema.join(format!("jigsaw/v1/{file}.proto")));
    let descriptors = protox::compile(files, [schema]).unwrap();
    let out = tempfile::tempdir().unwrap();
    let mut config = prost_build::Config::new();
    config.out_dir(out.path()).btree_map(["."]).compile_fds(descriptors).unwrap();
    let generated = fs::read_to_string(out.path().join("jigsaw.v1.rs")).unwrap();
    let committed = root().join("../proto/src/generated/jigsaw.v1.rs");
    let same = fs::read_to_string(&committed).unwrap() == generated;
    assert!(same, "{} is not what the schema generates: copy it from a new run", committed.display());
}

/// Requests that were sent by the first version are read today, mean the same, and are written the same way.
#[test]
fn frozen_requests_still_decode() {
    for (name, bytes, meaning) in frozen::requests() {
        let request = FragmentRequest::decode(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(request.fragment.to_string(), meaning.trim_end(), "{name} means something else");
        assert_eq!(request.encode(), bytes, "{name} is written in another way");
    }
}

#[test]
fn frozen_answers_still_decode() {
    let manifest = frozen::bytes("manifest");
    let read = Manifest::decode(&manifest).unwrap();
    assert_eq!(
        (read.node.as_str(), read.threshold, read.rounding, read.withheld_cells),
        ("camden", 10, 5, 2)
    );
    assert_eq!(read.encode(), manifest);
    let description = frozen::bytes("description");
    let read = NodeDescription::decode(&description).unwrap();
    assert_eq!((read.node.as_str(), read.protocol, read.datasets.len()), ("camden", 1, 1));
    assert_eq!(read.encode(), description);
}

/// What the language has no word for is no request: unknown kinds, missing parts, other versions.
#[test]
fn what_the_language_cannot_say_does_not_decode() {
    let (_, bytes, _) = frozen::requests().remove(0);
    for (name, broken) in frozen::nonsense(&bytes) {
        assert!(FragmentRequest::decode(&broken).is_err(), "{name} was read as a request");
    }
    let long = vec![0; MAX_REQUEST_BYTES + 1];
    assert!(matches!(FragmentRequest::decode(&long), Err(InvalidRequest::Oversize { .. })));
}

/// Deep nesting is a refusal, not an overflow of the stack.
#[test]
fn nesting_has_an_end() {
    let deep = frozen::nested(10_000);
    assert!(FragmentRequest::decode(&deep).is_err());
}

/// Runs: `JIGSAW_FUZZ` for more, `JIGSAW_SEED` to repeat one.
fn runs(least: usize) -> usize {
    std::env::var("JIGSAW_FUZZ").ok().and_then(|runs| runs.parse().ok()).unwrap_or(least)
}

#[test]
fn the_decoder_survives_mutated_requests() {
    let seed = seed();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let requests = frozen::requests();
    let mut read = 0;
    for run in 0..runs(50_000) {
        let (_, bytes, _) = &requests[random.random_range(0..requests.len())];
        let bytes = mutated(&mut random, bytes);
        // Whatever is read can be written and read again with the same meaning.
        if let Ok(request) = FragmentRequest::decode(&bytes) {
            read += 1;
            let again = FragmentRequest::decode(&request.encode());
            let again = again.unwrap_or_else(|error| panic!("JIGSAW_SEED={seed}, run {run}: {error}"));
            let same = again.fragment.to_string() == request.fragment.to_string();
            assert!(same, "JIGSAW_SEED={seed}, run {run}: {request:?}");
        }
    }
    assert!(read > 0, "JIGSAW_SEED={seed}: every mutation was refused, so nothing was tried");
}

/// A node answers whatever ticket with a release or a refusal of the closed list, and lives on.
#[tokio::test(flavor = "multi_thread")]
async fn the_validator_survives_mutated_requests() {
    let seed = seed();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let dir = tempfile::tempdir().unwrap();
    let mut nodes = Synthetic::new(7, Scale::test()).write_to(dir.path()).unwrap();
    nodes.retain(|node| node.id == "camden");
    let federation = Federation::builder(dir.path(), nodes).policy(Policy::Contract).start().await.unwrap();
    let mut line = federation.line("camden").await.unwrap();
    let requests = frozen::requests();
    let (mut released, mut refused) = (0, 0);
    for run in 0..runs(1_500) {
        let (_, bytes, _) = &requests[random.random_range(0..requests.len())];
        let ticket = if run % 50 == 0 { bytes.clone() } else { mutated(&mut random, bytes) };
        match line.ask(issued(&ticket, run)).await {
            Ok(_) => released += 1,
            Err(status) => {
                refused += 1;
                let refusal = Refusal::from_status(&status);
                assert!(refusal.is_some(), "JIGSAW_SEED={seed}, run {run}: {status:?} for {ticket:?}");
            }
        }
    }
    assert!(released > 0 && refused > 0, "{released} released, {refused} refused");
    let answer = federation.sql("SELECT COUNT(*) FROM property").await.unwrap();
    assert_eq!(answer.rows(), 1);
}

/// The same request as one that is made now: fields at the end of a message replace those before.
fn issued(bytes: &[u8], serial: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (field, value) in [(7_u64, serial as u64), (8, unix_ms())] {
        prost::encoding::encode_varint(field << 3, &mut bytes);
        prost::encoding::encode_varint(value, &mut bytes);
    }
    bytes
}

/// One to four of: a flipped bit, another byte, a cut, a doubled part, a part of itself elsewhere.
fn mutated(random: &mut ChaCha8Rng, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..random.random_range(1..=4) {
        if bytes.is_empty() {
            break;
        }
        let at = random.random_range(0..bytes.len());
        match random.random_range(0..5) {
            0 => bytes[at] ^= 1 << random.random_range(0..8),
            1 => bytes[at] = random.next_u32().to_le_bytes()[0],
            2 => bytes.truncate(at),
            3 => {
                let end = random.random_range(at..bytes.len());
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            _ => {
                let end = random.random_range(at..bytes.len());
                let part = bytes[at..end].to_vec();
                let to = random.random_range(0..bytes.len());
                bytes.splice(to..to, part);
            }
        }
    }
    bytes
}

fn folder() -> PathBuf {
    root().join("wire")
}
