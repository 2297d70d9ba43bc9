//! Files that are whole, cut and changed.

use super::*;
use crate::{Block, Error, GROUPS, KeyGroup, hash_key, msgpack};

/// Blocks of two states, with so many keys each, one group after the other.
fn blocks(keys: u64) -> Vec<Block> {
    let mut all = Vec::new();
    for state in ["visits", "totals"] {
        for group in 0..GROUPS {
            let mut keys: Vec<(u64, u64)> = (0..keys)
                .map(|key| (hash_key(&key), key))
                .filter(|(hash, _)| KeyGroup::of(*hash).number() == group)
                .collect();
            keys.sort_unstable();
            for keys in keys.chunks(3) {
                let mut bytes = Vec::new();
                for (_, key) in keys {
                    msgpack::encode(key, &mut bytes).unwrap();
                    msgpack::encode(&format!("{state} {key}"), &mut bytes).unwrap();
                }
                all.push(Block {
                    state: state.to_owned(),
                    group: KeyGroup::new(group).unwrap(),
                    first: keys[0].0,
                    last: keys[keys.len() - 1].0,
                    entries: keys.len() as u32,
                    bytes,
                });
            }
        }
    }
    all
}

fn written(blocks: &[Block]) -> (Vec<u8>, Contents) {
    let mut writer = StateWriter::new(Vec::new()).unwrap();
    blocks.iter().for_each(|block| writer.push(block).unwrap());
    writer.finish().unwrap()
}

fn read(file: &[u8], groups: std::ops::Range<u32>) -> Result<Vec<Block>, Error> {
    BlockReader::new(file, groups)?.collect()
}

/// Opens a file as a node does, and counts how often it reads.
fn opened(file: &[u8]) -> Result<(Index, u32), crate::Damaged> {
    let length = file.len() as u64;
    let mut range = Index::first_range(length);
    for reads in 1.. {
        let bytes = &file[range.start as usize..range.end as usize];
        match Index::open(length, range.clone(), bytes)? {
            Opening::Index(index) => return Ok((index, reads)),
            Opening::Needs(more) => range = more,
        }
    }
    unreachable!()
}

#[test]
fn a_file_gives_back_what_was_written() {
    for keys in [0, 1, 2_000] {
        let blocks = blocks(keys);
        let (file, contents) = written(&blocks);
        assert_eq!(contents.bytes, file.len() as u64);
        assert_eq!(contents.keys.values().sum::<u64>(), 2 * keys);
        assert_eq!(read(&file, 0..GROUPS).unwrap(), blocks);
        let some = read(&file, 5..40).unwrap();
        let expected = blocks
            .iter()
            .filter(|block| (5..40).contains(&block.group.number()));
        assert_eq!(some, expected.cloned().collect::<Vec<_>>());
        let named = contents.named("state-0000");
        assert_eq!(named.overlaps(&(0..GROUPS)), keys > 0);
    }
}

#[test]
fn a_node_finds_each_key_by_two_reads() {
    let (file, _) = written(&blocks(2_000));
    let (index, reads) = opened(&file).unwrap();
    assert_eq!(reads, 1);
    let state = index.state("totals").unwrap();
    assert_eq!(state.keys, 2_000);
    for key in 0..2_010_u64 {
        let json = serde_json::json!(key.to_string());
        let form = &crate::key_bytes(&json, &state.example)[0];
        let hash = crate::hash_key_bytes(form);
        assert_eq!(hash, hash_key(&key));
        let at: Vec<_> = state.blocks_of(hash).collect();
        assert!(at.len() <= 1);
        let found = at.first().and_then(|at| {
            let range = at.range();
            let block = at
                .decode(&file[range.start as usize..range.end as usize])
                .unwrap();
            let value = block.find(form).unwrap()?;
            Some(crate::to_json(value).unwrap())
        });
        let expected = (key < 2_000).then(|| serde_json::json!(format!("totals {key}")));
        assert_eq!(found, expected);
    }
    assert_eq!(index.state("other"), None);
    let groups = state.blocks_in(3..5).count();
    assert!(groups > 0 && groups < state.blocks.len());
}

#[test]
fn a_large_index_is_read_in_two_steps() {
    let (file, _) = written(&blocks(20_000));
    let (index, reads) = opened(&file).unwrap();
    assert_eq!(reads, 2);
    assert_eq!(index.states.len(), 2);
}

#[test]
fn a_file_that_was_cut_is_noticed() {
    let (file, _) = written(&blocks(12));
    for end in 0..file.len() {
        assert!(read(&file[..end], 0..GROUPS).is_err(), "cut at {end}");
        assert!(opened(&file[..end]).is_err(), "cut at {end}");
    }
    let longer = [&file[..], b"x"].concat();
    assert!(read(&longer, 0..GROUPS).is_err());
    assert!(opened(&longer).is_err());
}

#[test]
fn each_changed_byte_is_noticed() {
    let (file, _) = written(&blocks(12));
    let (index, _) = opened(&file).unwrap();
    for at in 0..file.len() {
        for bit in [0, 3, 7] {
            let mut file = file.clone();
            file[at] ^= 1 << bit;
            assert!(read(&file, 0..GROUPS).is_err(), "bit {bit} of byte {at}");
            // Also in blocks that are skipped.
            assert!(read(&file, 0..0).is_err(), "bit {bit} of byte {at}");
            for place in index.states.values().flat_map(|state| &state.blocks) {
                if place.range().contains(&(at as u64)) {
                    let range = place.range();
                    let bytes = &file[range.start as usize..range.end as usize];
                    assert!(place.decode(bytes).is_err());
                }
            }
            // The index does not cover the blocks.
            let is_in_blocks = (at as u64) < index.states.values().map(blocks_end).max().unwrap();
            assert!(
                is_in_blocks || opened(&file).is_err(),
                "bit {bit} of byte {at}"
            );
        }
    }
}

fn blocks_end(state: &IndexedState) -> u64 {
    state.blocks.iter().map(|at| at.range().end).max().unwrap()
}

#[test]
fn a_file_of_a_newer_build_is_refused_by_its_version() {
    let (mut file, _) = written(&blocks(3));
    file[8] = 2;
    assert!(matches!(read(&file, 0..1), Err(Error::Newer { found: 2 })));
}

#[test]
fn what_is_no_file_of_state_never_panics() {
    for bytes in [&b""[..], b"INCSTATE", &[0; 100], &[0xff; 100]] {
        assert!(read(bytes, 0..GROUPS).is_err());
        assert!(opened(bytes).is_err());
    }
}

#[test]
fn files_are_split_by_size_and_where_groups_begin_anew() {
    let mut splitter = Splitter::default();
    let mut begins = |group, bytes| {
        let block = Block {
            state: String::new(),
            group: KeyGroup::new(group).unwrap(),
            first: 0,
            last: 0,
            entries: 0,
            bytes: vec![0; bytes],
        };
        splitter.begins_file(&block)
    };
    assert!(begins(0, 1 << 20));
    // A small table and the next one share a file.
    assert!(!begins(1, 1 << 20));
    assert!(!begins(0, 1 << 20));
    assert!(!begins(100, 1 << 20));
    // A large one and the next one do not.
    assert!(begins(0, 60 << 20));
    assert!(!begins(0, 10 << 20));
    assert!(begins(1, 1));
    assert!(!begins(127, 5 << 20));
    assert!(begins(0, 1));
}
