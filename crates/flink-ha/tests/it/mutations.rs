//! Values with mistakes. Each prefix of what Flink and Java have written, and each change of one
//! byte in it, is decoded or refused, soon and without a panic. Long values get only the changes
//! that mean something. (Random changes of several bytes are tested beside the decoders.)

use std::collections::BTreeSet;

use incumbent_flink_ha::decode;
use serde_json::Value;

const MADE: &str = include_str!("../fixtures/made.tsv");

const ZNODES: [&str; 3] = [
    include_str!("../fixtures/zookeeper-1.20.3.znodes"),
    include_str!("../fixtures/zookeeper-2.2.1.znodes"),
    include_str!("../fixtures/zookeeper-2.3.0.znodes"),
];

const MAPS: [&str; 4] = [
    include_str!("../fixtures/kubernetes-1.14.6.json"),
    include_str!("../fixtures/kubernetes-1.20.3.json"),
    include_str!("../fixtures/kubernetes-2.2.1.json"),
    include_str!("../fixtures/kubernetes-2.3.0.json"),
];

/// Longer values get only the changes that mean something in a stream. All changes would take a
/// minute.
const LONG: usize = 150;

fn bytes(hex: &str) -> Vec<u8> {
    let pair = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(pair).collect()
}

/// All values of znodes, each once.
fn streams() -> BTreeSet<Vec<u8>> {
    let lines = ZNODES.iter().flat_map(|lines| lines.lines());
    let lines = lines.chain(MADE.lines());
    let hex = lines.filter_map(|line| line.rsplit_once('\t'));
    hex.map(|(_, hex)| bytes(hex)).collect()
}

/// The values of ConfigMaps, and the annotations.
fn texts() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for json in MAPS {
        let list: Value = serde_json::from_str(json).unwrap();
        for map in list["items"].as_array().unwrap() {
            for pairs in [&map["data"], &map["metadata"]["annotations"]] {
                let values = pairs
                    .as_object()
                    .into_iter()
                    .flat_map(|pairs| pairs.values());
                found.extend(values.filter_map(|value| value.as_str().map(str::to_owned)));
            }
        }
    }
    found
}

fn read_stream(bytes: &[u8]) {
    let _ = decode::connection_info(bytes);
    let _ = decode::state_handle(bytes);
    let _ = decode::shared_count(bytes);
}

fn read_text(text: &str) {
    let _ = decode::base64_handle(text);
    let _ = decode::leader_value(text);
    let _ = decode::leader_values(text, text);
    let _ = decode::lock(text);
    let _ = decode::decimal_counter(text);
    let _ = decode::checkpoint_id(text);
}

/// Every prefix, and every change of one byte; of long values only the telling changes.
fn each_mistake(whole: &[u8], read: impl Fn(&[u8])) {
    for end in 0..=whole.len() {
        read(&whole[..end]);
    }
    let mut bytes = whole.to_vec();
    for at in 0..bytes.len() {
        let right = bytes[at];
        let long = whole.len() > LONG;
        // Small numbers, letters of types, the type codes of a stream, and the largest byte.
        let telling = |value: &u8| matches!(value, 0..=3 | b'J' | b'L' | b'[' | 0x70..=0x7e | 0xff);
        for value in (0..=u8::MAX).filter(|value| !long || telling(value)) {
            bytes[at] = value;
            read(&bytes);
        }
        bytes[at] = right;
    }
}

#[test]
fn every_mistake_in_a_stream_is_read_or_refused() {
    let streams = streams();
    assert!(streams.len() > 20, "{}", streams.len());
    for whole in streams {
        each_mistake(&whole, read_stream);
    }
}

#[test]
fn every_mistake_in_a_text_is_read_or_refused() {
    let texts = texts();
    assert!(texts.len() > 15, "{}", texts.len());
    for whole in texts {
        each_mistake(whole.as_bytes(), |bytes| {
            read_text(&String::from_utf8_lossy(bytes));
        });
    }
}
