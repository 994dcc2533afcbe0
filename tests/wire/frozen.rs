//! Bytes of version 1, frozen in files of hexadecimal digits; made once, never again.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use jigsaw_proto::generated as wire;
use prost::Message as _;

use super::folder;

/// `JIGSAW_SEED` to repeat a run; else a new one every time.
pub(super) fn seed() -> u64 {
    let given = std::env::var("JIGSAW_SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| u64::from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos()))
}

/// The bytes in `NAME.hex`.
pub(super) fn bytes(name: &str) -> Vec<u8> {
    let text = fs::read_to_string(folder().join(format!("{name}.hex"))).unwrap();
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// Every frozen request: name, bytes, and the SQL it means.
pub(super) fn requests() -> Vec<(String, Vec<u8>, String)> {
    let mut names: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "sql"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert!(names.len() >= 4, "the frozen requests are gone");
    let meaning = |name: &String| fs::read_to_string(folder().join(format!("{name}.sql"))).unwrap();
    names.into_iter().map(|name| (name.clone(), bytes(&name), meaning(&name))).collect()
}

/// Requests with one thing wrong, and what it is.
pub(super) fn nonsense(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    type Change = fn(&mut wire::FragmentRequest);
    let changes: [(&'static str, Change); 9] = [
        ("no fragment", |message| message.fragment = None),
        ("another version", |message| message.protocol = 2),
        ("no version", |message| message.protocol = 0),
        ("a query id with a line break", |message| message.query_id = "a\nb".to_owned()),
        ("a fragment without input", |message| message.fragment.as_mut().unwrap().input = None),
        ("a fragment without keys and measures", |message| {
            let fragment = message.fragment.as_mut().unwrap();
            fragment.keys.clear();
            fragment.measures.clear();
        }),
        ("an unknown state", |message| message.fragment.as_mut().unwrap().measures[0].state = 99),
        ("an unspecified state", |message| message.fragment.as_mut().unwrap().measures[0].state = 0),
        ("a relation of no kind", |message| {
            message.fragment.as_mut().unwrap().input = Some(wire::Relation { kind: None });
        }),
    ];
    let message = wire::FragmentRequest::decode(bytes).unwrap();
    let change = |change: Change| {
        let mut message = message.clone();
        change(&mut message);
        message.encode_to_vec()
    };
    changes.map(|(name, each)| (name, change(each))).into()
}

/// A request whose key is `NOT NOT NOT … x`, written from the inside out.
pub(super) fn nested(depth: usize) -> Vec<u8> {
    let column = wire::Column { relation: "a".to_owned(), name: "b".to_owned() };
    let mut expr = wire::Expr { kind: Some(wire::expr::Kind::Column(column)) }.encode_to_vec();
    for _ in 0..depth {
        // Expr { unary (8) = Unary { op (1) = NOT (1), operand (2) = expr } }
        let mut unary = vec![0x08, 0x01, 0x12];
        prost::encoding::encode_varint(expr.len() as u64, &mut unary);
        unary.append(&mut expr);
        expr = vec![0x42];
        prost::encoding::encode_varint(unary.len() as u64, &mut expr);
        expr.append(&mut unary);
    }
    let (_, request, _) = requests().remove(0);
    let mut message = wire::FragmentRequest::decode(request.as_slice()).unwrap();
    let fragment = message.fragment.take().unwrap();
    // Fields of a message may come in any order: the fragment goes last, its extra key last of all.
    let mut fragment = fragment.encode_to_vec();
    fragment.push(0x12);
    prost::encoding::encode_varint(expr.len() as u64, &mut fragment);
    fragment.append(&mut expr);
    let mut bytes = message.encode_to_vec();
    bytes.push(0x32);
    prost::encoding::encode_varint(fragment.len() as u64, &mut bytes);
    bytes.append(&mut fragment);
    bytes
}
