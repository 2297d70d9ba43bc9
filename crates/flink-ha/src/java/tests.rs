use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::fixtures;

fn kind(bytes: &[u8]) -> JavaErrorKind {
    read(bytes).unwrap_err().kind
}

/// A stream with these bytes after its head.
fn stream(rest: &[&[u8]]) -> Vec<u8> {
    [&[0xac, 0xed, 0, 5][..], &rest.concat()].concat()
}

/// A class without fields, named `a`, of these flags, up to the class above it.
fn class(flags: u8) -> Vec<u8> {
    let head: &[u8] = &[0x72, 0, 1, b'a', 0, 0, 0, 0, 0, 0, 0, 0];
    [head, &[flags, 0, 0, 0x78]].concat()
}

#[test]
fn all_that_java_writes_is_read() {
    let made = fixtures::made();
    let graph = read(&made["everything"]).unwrap();
    let Content::Block(number) = &graph.contents[0] else {
        panic!("an int was written first");
    };
    assert_eq!(number, &7_i32.to_be_bytes());
    let [
        _,
        Content::Value(map),
        Content::Value(id),
        Content::Value(again),
    ] = &graph.contents[..]
    else {
        panic!("{:?}", graph.contents.len());
    };
    assert_eq!(graph.object(*map).unwrap().class(), "java.util.HashMap");
    let id = graph.object(*id).unwrap();
    assert_eq!(id.class(), "java.util.UUID");
    assert_eq!(
        id.long("mostSigBits"),
        Some(0x8b5f_5a4e_1c55_4f0c_u64.cast_signed())
    );
    assert!(
        matches!(again, Value::Thing(_)),
        "a reference after a reset"
    );
}

/// Not only without a panic: a stream that is cut between two values is whole, any other is an
/// error with its place.
#[test]
fn a_stream_that_is_cut_anywhere_is_refused_or_shorter() {
    for (name, bytes) in fixtures::made() {
        let whole = read(&bytes).unwrap().contents.len();
        for length in 0..bytes.len() {
            match read(&bytes[..length]) {
                Ok(graph) => assert!(graph.contents.len() < whole, "{name} {length}"),
                Err(error) => {
                    assert_eq!(error.kind, JavaErrorKind::Truncated, "{name} {length}");
                    assert!(error.at <= length, "{name} {length}");
                }
            }
        }
    }
}

#[test]
fn no_bytes_make_it_panic() {
    let seed = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let made: Vec<_> = fixtures::made().into_values().collect();
    for round in 0..20_000 {
        let mut bytes = match round % 2 {
            0 => made[random.random_range(0..made.len())].clone(),
            _ => stream(&[&(0..random.random_range(0..64))
                .map(|_| mark(&mut random))
                .collect::<Vec<u8>>()]),
        };
        for _ in 0..random.random_range(0..4) {
            let at = random.random_range(0..bytes.len());
            bytes[at] = mark(&mut random);
        }
        let _ = read(&bytes);
    }
}

/// Mostly what means something.
fn mark(random: &mut StdRng) -> u8 {
    match random.random_range(0..3) {
        0 => random.random_range(0x70..0x7f),
        1 => random.random_range(0..4),
        _ => random.random(),
    }
}

#[test]
fn what_is_no_stream_is_refused_with_a_reason() {
    for (bytes, expected) in [
        (vec![], JavaErrorKind::Truncated),
        (b"\xac\xed\x00\x04".to_vec(), JavaErrorKind::NoStream),
        (b"text".to_vec(), JavaErrorKind::NoStream),
        (
            vec![0; 1024 * 1024 + 1],
            JavaErrorKind::TooLong(1024 * 1024),
        ),
        (stream(&[b"\x6f"]), JavaErrorKind::Mark(0x6f)),
        (stream(&[b"\x7b"]), JavaErrorKind::Exception),
        (
            stream(&[b"\x71\x00\x7e\x00\x00"]),
            JavaErrorKind::Reference(0x7e_0000),
        ),
        (
            stream(&[b"\x71\x00\x00\x00\x00"]),
            JavaErrorKind::Reference(0),
        ),
        (stream(&[b"\x74\x00\x01\xff"]), JavaErrorKind::Text),
        (stream(&[b"\x74\x00\x02\xc3\x28"]), JavaErrorKind::Text),
        (
            stream(&[b"\x7a\xff\xff\xff\xff"]),
            JavaErrorKind::Length(-1),
        ),
        (stream(&[b"\x7a\x7f\xff\xff\xff"]), JavaErrorKind::Truncated),
        (
            stream(&[b"\x7c\xff\xff\xff\xff\xff\xff\xff\xff"]),
            JavaErrorKind::Length(-1),
        ),
        (stream(&[b"\x73\x70"]), JavaErrorKind::Mark(0x70)),
        (
            stream(&[b"\x73", &class(4), b"\x70"]),
            JavaErrorKind::Opaque("a".into()),
        ),
        // An array of a class without a type.
        (
            stream(&[b"\x75", &class(2), b"\x70\0\0\0\0"]),
            JavaErrorKind::Type(0),
        ),
    ] {
        assert_eq!(kind(&bytes), expected, "{bytes:x?}");
    }
}

#[test]
fn a_long_string_is_read() {
    let text = "x".repeat(70_000);
    let length = 70_000_u64.to_be_bytes();
    let graph = read(&stream(&[b"\x7c", &length, text.as_bytes()])).unwrap();
    assert_eq!(graph.text(graph.first_value().unwrap()), Some(&*text));
}

/// A class whose superclass is itself; objects in objects; many of them.
#[test]
fn what_would_never_end_is_refused() {
    let itself = stream(&[b"\x73", &class(2), b"\x71\x00\x7e\x00\x00"]);
    assert!(matches!(kind(&itself), JavaErrorKind::Reference(_)));
    // An array of arrays of arrays.
    let array: &[u8] = &[
        0x75, 0x72, 0, 2, b'[', b'[', 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0x78, 0x70, 0, 0, 0, 1,
    ];
    assert_eq!(
        kind(&stream(&vec![array; 1000])),
        JavaErrorKind::TooDeep(64)
    );
    let strings = stream(&vec![&b"\x74\x00\x00"[..]; 20_000]);
    assert_eq!(kind(&strings), JavaErrorKind::TooMany(10_000));
    // Classes above classes.
    let line = vec![class(2); 1000].concat();
    assert_eq!(
        kind(&stream(&[b"\x73", &line, b"\x70"])),
        JavaErrorKind::TooDeep(64)
    );
    // A long line of classes, each made where the one above it is known.
    let mut line = stream(&[&class(2), b"\x70"]);
    for number in 0..40_u32 {
        line.extend(class(2));
        line.push(0x71);
        line.extend((0x7e_0000 + number).to_be_bytes());
    }
    line.extend(b"\x73\x71");
    line.extend((0x7e_0000 + 40_u32).to_be_bytes());
    assert_eq!(kind(&line), JavaErrorKind::TooDeep(32));
}
