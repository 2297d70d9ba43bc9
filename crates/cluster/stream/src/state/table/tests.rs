//! A table against a map, with snapshots begun and given up at random.

use std::collections::{BTreeMap, HashMap};

use incumbent_state::{BlockReader, StateWriter};

use super::*;
use crate::testing::Random;

type Strings = Table<String, Vec<u64>>;
type Content = BTreeMap<String, Vec<u64>>;

fn take<K: Key, S: Data>(table: &mut Table<K, S>, budget: usize) -> Vec<Block> {
    let mut blocks = Vec::new();
    while !table.next_blocks(budget, &mut blocks).unwrap() {}
    blocks
}

/// What blocks hold; each of their keys lies where it should.
fn content(blocks: &[Block]) -> Content {
    let mut all = BTreeMap::new();
    for block in blocks {
        let mut entries = 0;
        for pair in block.pairs() {
            let (key, value) = pair.unwrap();
            let hash = hash_key_bytes(key);
            assert!(block.first <= hash && hash <= block.last);
            assert_eq!(KeyGroup::of(hash), block.group);
            let key = msgpack::decode(key).unwrap();
            assert_eq!(
                all.insert(key, msgpack::decode(value).unwrap()),
                None,
                "twice"
            );
            entries += 1;
        }
        assert_eq!(entries, block.entries);
        assert!(entries > 0);
    }
    all
}

fn in_order(blocks: &[Block]) -> bool {
    blocks.is_sorted_by_key(|block| block.group)
}

#[test]
fn a_snapshot_is_the_table_when_it_began() {
    for seed in 0..12 {
        let random = &mut Random::new(seed);
        let keys = [10, 300, 20_000][random.below(3) as usize];
        let largest = [3, 3, 3000][random.below(3) as usize];
        let mut table = Strings::new("s", "state");
        let mut model = BTreeMap::new();
        let mut snapshot: Option<(Content, Vec<Block>)> = None;
        let mut whole = 0;
        for _ in 0..8_000 {
            let key = format!("key-{}", random.below(keys));
            let hash = hash_key(&key);
            match random.below(1000) {
                0..500 => {
                    let add = vec![7; random.below(largest) as usize];
                    let value = model.entry(key.clone()).or_insert_with(Vec::new);
                    value.clone_from(&add);
                    if random.below(2) == 0 {
                        *table.entry(hash, &key, Vec::new) = add;
                    } else {
                        let (found, value) = table.entry_owned(hash, key.clone(), Vec::new);
                        assert_eq!(*found, key);
                        *value = add;
                    }
                }
                500..700 => assert_eq!(table.remove(hash, &key), model.remove(&key), "seed {seed}"),
                700..900 => {
                    let number = random.below(1000);
                    let value = table.get_mut(hash, &key);
                    assert_eq!(value.is_some(), model.contains_key(&key));
                    if let Some(value) = value {
                        value.push(number);
                        model.get_mut(&key).unwrap().push(number);
                    }
                }
                900..990 => {
                    if let Some((_, blocks)) = &mut snapshot
                        && table
                            .next_blocks(random.below(8000) as usize, blocks)
                            .unwrap()
                    {
                        let (begun, blocks) = snapshot.take().unwrap();
                        assert!(content(&blocks) == begun, "seed {seed}");
                        assert!(in_order(&blocks), "seed {seed}");
                        whole += 1;
                    }
                }
                990..997 if snapshot.is_none() => {
                    table.begin_snapshot();
                    snapshot = Some((model.clone(), Vec::new()));
                }
                997 => {
                    table.begin_snapshot();
                    snapshot = Some((model.clone(), Vec::new()));
                }
                998 => {
                    table.give_up_snapshot();
                    snapshot = None;
                    assert!(take(&mut table, 100).is_empty());
                }
                _ => assert_eq!(table.get(hash, &key), model.get(&key)),
            }
            assert_eq!(table.len(), model.len());
        }
        let all: BTreeMap<_, _> = table.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        assert!(all == model, "seed {seed}");
        assert!(whole > 0 || keys > 300, "seed {seed}");
    }
}

/// Marks come again after 127 snapshots.
#[test]
fn a_mark_of_long_ago_means_nothing() {
    let mut table = Table::<u64, u64>::new("s", "state");
    for key in 0..50_u64 {
        table.entry(hash_key(&key), &key, || 0);
    }
    for round in 1..600_u64 {
        table.begin_snapshot();
        for key in (0..50_u64).filter(|key| (key + round) % 7 < 2) {
            *table.get_mut(hash_key(&key), &key).unwrap() += 1000;
        }
        if round % 3 == 0 {
            let mut sum = 0;
            for block in take(&mut table, 10) {
                for pair in block.pairs() {
                    sum += msgpack::decode::<u64>(pair.unwrap().1).unwrap() + 1;
                }
            }
            let changed: u64 = (1..round)
                .map(|round| (0..50).filter(|key| (key + round) % 7 < 2).count() as u64)
                .sum();
            assert_eq!(sum, 50 + changed * 1000, "round {round}");
        }
    }
}

fn snapshot_of<K: Key, S: Data>(table: &mut Table<K, S>) -> Vec<Block> {
    table.begin_snapshot();
    take(table, 10_000)
}

/// What a file of these blocks gives to a rank.
fn through_a_file(blocks: &[Block], groups: Range<u32>) -> Vec<Block> {
    let mut writer = StateWriter::new(Vec::new()).unwrap();
    blocks.iter().for_each(|block| writer.push(block).unwrap());
    let (file, _) = writer.finish().unwrap();
    BlockReader::new(&file[..], groups)
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

#[test]
fn any_number_of_tasks_restores_the_same() {
    let mut table = Strings::new("s", "state");
    let mut model = HashMap::new();
    for number in 0..5000_u64 {
        let key = format!("key-{number}");
        table.entry(hash_key(&key), &key, || vec![number]);
        model.insert(key, vec![number]);
    }
    let blocks = snapshot_of(&mut table);
    for tasks in 1..=GROUPS {
        let mut all = HashMap::new();
        for rank in 0..tasks {
            let groups = KeyGroup::owned(rank, tasks);
            let mut part = Strings::new("s", "state");
            let mut misfits = Misfits::default();
            for block in through_a_file(&blocks, groups.clone()) {
                part.restore(&block, &mut misfits);
            }
            assert!(misfits.sentences().is_empty());
            for (key, value) in part.iter() {
                assert_eq!(KeyGroup::of(hash_key(key)).rank(tasks), rank);
                assert_eq!(all.insert(key.clone(), value.clone()), None);
            }
        }
        assert!(all == model, "{tasks} tasks");
    }
}
