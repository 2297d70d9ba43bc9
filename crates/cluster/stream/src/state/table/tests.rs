//! A table against a map, with snapshots begun and given up at random.

use std::collections::{BTreeMap, HashMap};

use incumbent_state::{BlockReader, StateWriter};
use serde::{Deserialize, Serialize};
use serde_json::json;

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

/// Keys of two groups only, so that shards become full.
fn crowded(count: usize) -> Vec<String> {
    let keys = (0..).map(|number| format!("key-{number}"));
    let crowd = keys.filter(|key| KeyGroup::of(hash_key(key)).number() < 2);
    crowd.take(count).collect()
}

#[test]
fn a_snapshot_is_the_table_when_it_began() {
    let crowd = crowded(6_000);
    let mut all_whole = 0;
    for seed in 0..6 {
        let random = &mut Random::new(seed);
        let keys = [10, 300, 6_000][seed as usize % 3];
        let largest = [3, 3, 100][random.below(3) as usize];
        let mut table = Strings::new("s", "state");
        let mut model = BTreeMap::new();
        let mut snapshot: Option<(Content, Vec<Block>)> = None;
        for _ in 0..6_000 {
            let key = &crowd[random.below(keys) as usize];
            let hash = hash_key(key);
            match random.below(1000) {
                0..600 => {
                    let add = vec![7; random.below(largest) as usize];
                    model.insert(key.clone(), add.clone());
                    *table.entry(hash, key, Vec::new) = add;
                }
                600..700 => assert_eq!(table.remove(hash, key), model.remove(key), "seed {seed}"),
                700..900 => {
                    let number = random.below(1000);
                    let value = table.get_mut(hash, key);
                    assert_eq!(value.is_some(), model.contains_key(key));
                    if let Some(value) = value {
                        value.push(number);
                        model.get_mut(key).unwrap().push(number);
                    }
                }
                900..980 => {
                    let budget = random.below(40_000) as usize;
                    if let Some((_, blocks)) = &mut snapshot
                        && table.next_blocks(budget, blocks).unwrap()
                    {
                        let (begun, blocks) = snapshot.take().unwrap();
                        assert!(content(&blocks) == begun, "seed {seed}");
                        assert!(in_order(&blocks), "seed {seed}");
                        assert_eq!(table.snapshot_keys(), begun.len() as u64);
                        assert_eq!(table.saved_bytes(), 0, "seed {seed}");
                        all_whole += 1;
                    }
                }
                980..985 if snapshot.is_none() => {
                    table.begin_snapshot();
                    snapshot = Some((model.clone(), Vec::new()));
                }
                985 => {
                    table.begin_snapshot();
                    snapshot = Some((model.clone(), Vec::new()));
                }
                986 => {
                    table.give_up_snapshot();
                    snapshot = None;
                    assert!(take(&mut table, 100).is_empty());
                }
                _ => assert_eq!(table.get(hash, key), model.get(key)),
            }
            assert_eq!(table.len(), model.len());
        }
        let all: BTreeMap<_, _> = table.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        assert!(all == model, "seed {seed}");
    }
    assert!(all_whole > 5, "{all_whole}");
}

#[test]
fn what_is_saved_before_its_turn_is_counted_until_it_is_taken() {
    let crowd = crowded(3_000);
    let mut table = Strings::new("s", "state");
    let touch = |table: &mut Strings, key: &String| {
        table.entry(hash_key(key), key, Vec::new).push(7);
    };
    crowd[..2_000].iter().for_each(|key| touch(&mut table, key));
    assert_eq!(table.saved_bytes(), 0, "nothing wants it");
    table.begin_snapshot();
    crowd[..500].iter().for_each(|key| touch(&mut table, key));
    let some = table.saved_bytes();
    assert!(some > 0);
    // Shards are divided, and what was saved of them waits elsewhere.
    crowd.iter().for_each(|key| touch(&mut table, key));
    let all = table.saved_bytes();
    crowd.iter().for_each(|key| touch(&mut table, key));
    assert_eq!(table.saved_bytes(), all, "once each");
    let taken: usize = take(&mut table, 10_000)
        .iter()
        .map(|block| block.bytes.len())
        .sum();
    assert_eq!((taken, table.saved_bytes()), (all, 0), "all was saved");
    // What is given up stays until the next one comes by.
    table.begin_snapshot();
    crowd.iter().for_each(|key| touch(&mut table, key));
    table.give_up_snapshot();
    table.begin_snapshot();
    drop(take(&mut table, 10_000));
    assert_eq!(table.saved_bytes(), 0);
}

/// A shard of large values is divided when it has been written, so that a key is soon found.
#[test]
fn large_values_have_blocks_of_their_own_from_the_second_snapshot_on() {
    let crowd = crowded(60);
    let mut table = Table::<String, String>::new("s", "state");
    for key in &crowd {
        table.entry(hash_key(key), key, || "x".repeat(200 << 10));
    }
    let most = |blocks: &[Block]| {
        let of = |hash| {
            blocks
                .iter()
                .filter(move |at| at.first <= hash && hash <= at.last)
        };
        let bytes = |key| {
            of(hash_key(key))
                .map(|block| block.bytes.len())
                .sum::<usize>()
        };
        crowd.iter().map(bytes).max().unwrap()
    };
    assert!(most(&snapshot_of(&mut table)) > 5 << 20);
    let second = snapshot_of(&mut table);
    assert!(most(&second) < 3 << 20);
    assert_eq!(second.iter().map(|block| block.entries).sum::<u32>(), 60);
}

#[test]
fn a_value_that_cannot_be_stored_is_named() {
    #[derive(Clone, Deserialize)]
    struct Odd;
    impl Serialize for Odd {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("too odd"))
        }
    }
    let said = "state `odds` cannot be stored: the value of key 5 cannot be encoded: too odd";
    for is_changed in [false, true] {
        let mut table = Table::<u64, Odd>::new("odds", "state");
        table.entry(hash_key(&5), &5, || Odd);
        table.begin_snapshot();
        if is_changed {
            table.get_mut(hash_key(&5), &5);
        }
        assert_eq!(
            table.next_blocks(100, &mut Vec::new()),
            Err(said.to_owned())
        );
    }
}

#[test]
fn a_value_that_could_not_be_read_again_is_refused_when_it_is_stored() {
    #[derive(Clone, Serialize, Deserialize)]
    struct Nested {
        inner: Option<Box<Nested>>,
    }
    let nested = |depth| {
        let wrap = |inner, _| Nested {
            inner: Some(Box::new(inner)),
        };
        (0..depth).fold(Nested { inner: None }, wrap)
    };
    for (depth, is_stored) in [(100, true), (254, true), (255, false), (300, false)] {
        let mut table = Table::<u64, Nested>::new("deep", "state");
        table.entry(hash_key(&5), &5, || nested(depth));
        table.begin_snapshot();
        match table.next_blocks(1 << 20, &mut Vec::new()) {
            Ok(is_whole) => assert!(is_whole && is_stored, "{depth}"),
            Err(said) => {
                let words = "the value of key 5 cannot be read again, as it is nested too deeply";
                assert!(!is_stored && said.contains(words), "{depth}: {said}");
            }
        }
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
    for tasks in [1, 2, 3, 4, 7, 30, GROUPS] {
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

/// Restores what one table has stored into another.
fn moved<K: Key, S: Data, K2: Key, S2: Data>(
    from: &mut Table<K, S>,
) -> (Table<K2, S2>, Vec<String>) {
    let mut to = Table::new("s", "state");
    let mut misfits = Misfits::default();
    for block in snapshot_of(from) {
        to.restore(&block, &mut misfits);
    }
    (to, misfits.sentences())
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Before {
    count: u64,
    note: String,
}

fn before() -> Table<u32, Before> {
    let mut table = Table::new("s", "state");
    for key in 0..3_u32 {
        let note = "n".repeat(key as usize);
        table.entry(hash_key(&key), &key, || Before {
            count: u64::from(key),
            note,
        });
    }
    table
}

#[test]
fn a_field_may_be_added_and_left_out_and_a_key_may_be_wider() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct After {
        count: u64,
        #[serde(default)]
        last: Option<u64>,
    }
    let (after, refused) = moved::<_, _, u64, After>(&mut before());
    assert_eq!(refused, Vec::<String>::new());
    assert_eq!(
        after.get(hash_key(&2), &2),
        Some(&After {
            count: 2,
            last: None
        })
    );
    assert_eq!(after.len(), 3);
}

#[test]
fn a_renamed_field_and_another_type_are_refused_with_the_reason() {
    #[derive(Clone, Debug, Serialize, Deserialize)]
    struct Renamed {
        total: u64,
    }
    let (_, refused) = moved::<_, _, u32, Renamed>(&mut before());
    assert_eq!(refused.len(), 1);
    assert!(
        refused[0].starts_with("state `s`: 3 keys cannot be read, the first is "),
        "{refused:?}"
    );
    assert!(
        refused[0].ends_with(": missing field `total`"),
        "{refused:?}"
    );
    let (_, refused) = moved::<_, _, String, Before>(&mut before());
    assert!(refused[0].contains("invalid type: integer"), "{refused:?}");
}

/// A key that is written otherwise now might belong to another task: it would be there and not be
/// found.
#[test]
fn a_key_with_another_field_is_refused() {
    #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
    struct Old {
        id: u32,
    }
    #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
    struct New {
        id: u32,
        #[serde(default)]
        zone: u8,
    }
    let mut table = Table::<Old, u64>::new("s", "state");
    let key = Old { id: 7 };
    table.entry(hash_key(&key), &key, || 1);
    let (_, refused) = moved::<_, _, New, u64>(&mut table);
    let said = "state `s`: key {\"id\":7} cannot be read: the type of the key has changed: it would be \
                written otherwise now";
    assert_eq!(refused, [said]);
}

fn asked<K: Key, S: Data>(table: &Table<K, S>, asked: &Asked) -> Result<Answer, String> {
    let mut question = table.ask(asked);
    loop {
        if let Some(answer) = table.answer(&mut question, 10) {
            return answer;
        }
    }
}

#[test]
fn a_key_is_found_by_its_json() {
    let numbers = before();
    let value = json!({"count": 2, "note": "nn"});
    for key in [json!(2), json!("2")] {
        let answer = asked(&numbers, &Asked::Key(key)).unwrap();
        assert_eq!(answer.entries, [(json!(2), value.clone())]);
        assert!(answer.is_owner);
    }
    assert_eq!(asked(&numbers, &Asked::Key(json!(9))).unwrap().entries, []);
    let refused = asked(&numbers, &Asked::Key(json!("x"))).unwrap_err();
    assert!(
        refused.starts_with("\"x\" is no key of state `s`: "),
        "{refused}"
    );

    let mut strings = Table::<String, u8>::new("s", "state");
    strings.entry(hash_key("7"), &"7".to_owned(), || 1);
    for key in [json!("7"), json!(7)] {
        assert_eq!(asked(&strings, &Asked::Key(key)).unwrap().entries.len(), 1);
    }
    let mut pairs = Table::<(u8, String), u8>::new("s", "state");
    let key = (1, "a".to_owned());
    pairs.entry(hash_key(&key), &key, || 1);
    assert_eq!(
        asked(&pairs, &Asked::Key(json!([1, "a"])))
            .unwrap()
            .entries
            .len(),
        1
    );
}

#[test]
fn who_has_no_key_says_whether_it_would() {
    let mut table = before();
    let key = json!(77);
    let group = KeyGroup::of(hash_key(&77)).number();
    for (owned, is_owner) in [(0..group, false), (group..GROUPS, true)] {
        table.own(owned);
        assert_eq!(
            asked(&table, &Asked::Key(key.clone())).unwrap().is_owner,
            is_owner
        );
    }
}

#[test]
fn a_range_has_its_first_keys_in_order() {
    let mut table = Table::<i64, i64>::new("s", "state");
    for key in -500..500_i64 {
        table.entry(hash_key(&key), &key, || key * 2);
    }
    let range = |from: Option<i64>, to: Option<i64>, limit| {
        let (from, to) = (from.map(Value::from), to.map(Value::from));
        let answer = asked(&table, &Asked::Range { from, to, limit }).unwrap();
        let keys = answer.entries.iter().map(|(key, value)| {
            assert_eq!(value.as_i64(), key.as_i64().map(|key| key * 2));
            key.as_i64().unwrap()
        });
        (keys.collect::<Vec<_>>(), answer.has_more)
    };
    assert_eq!(range(None, None, 3), (vec![-500, -499, -498], true));
    assert_eq!(range(Some(-2), Some(2), 10), (vec![-2, -1, 0, 1], false));
    assert_eq!(range(Some(-2), Some(2), 4), (vec![-2, -1, 0, 1], false));
    assert_eq!(range(Some(498), None, 10), (vec![498, 499], false));
    assert_eq!(range(Some(500), None, 10), (vec![], false));
    assert_eq!(range(None, None, 0), (vec![], true));
    assert_eq!(range(None, None, 2_000).0, (-500..500).collect::<Vec<_>>());
}
