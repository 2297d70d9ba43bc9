//! State as the newest checkpoint has it, while nothing runs.

use bytes::Bytes;
use incumbent_cluster_blobs::Blobs;
use incumbent_cluster_core::checkpoint::{
    Checkpoint, MANIFEST_FORMAT, Manifest, PartKind, PartPlace, RankPart,
};
use incumbent_cluster_core::{Attempt, JobRecord, JobState, Rank};
use incumbent_cluster_node::api::{StateNames, StateRange, StateValue};
use incumbent_core::Epoch;
use incumbent_state::{Block, KeyGroup, RankMeta, StateMeta, StateWriter, hash_key, msgpack};
use serde::Serialize;
use serde_json::{Value, json};

use super::harness::{Cluster, How, id, record};

const TASKS: u32 = 3;

/// Pairs as blocks of one key group each, of one rank.
fn blocks<K: Serialize, V: Serialize>(name: &str, pairs: &[(K, V)], rank: u32) -> Vec<Block> {
    let mut pairs: Vec<_> = pairs
        .iter()
        .map(|(key, value)| (hash_key(key), key, value))
        .collect();
    pairs.sort_by_key(|(hash, ..)| *hash);
    let pairs = pairs.into_iter();
    let pairs = pairs.filter(|(hash, ..)| KeyGroup::of(*hash).rank(TASKS) == rank);
    let mut blocks: Vec<Block> = Vec::new();
    for (hash, key, value) in pairs {
        let group = KeyGroup::of(hash);
        if blocks.last().is_none_or(|last| last.group != group) {
            let (state, bytes) = (name.into(), Vec::new());
            blocks.push(Block {
                state,
                group,
                first: hash,
                last: hash,
                entries: 0,
                bytes,
            });
        }
        let block = blocks.last_mut().unwrap();
        (block.last, block.entries) = (hash, block.entries + 1);
        msgpack::encode(key, &mut block.bytes).unwrap();
        msgpack::encode(value, &mut block.bytes).unwrap();
    }
    blocks
}

/// A state: its name, and its blocks of a rank.
type Made<'a> = (&'a str, &'a dyn Fn(u32) -> Vec<Block>);

/// A suspended job whose newest checkpoint has these states.
async fn suspended(blobs: &Blobs, states: &[Made<'_>]) -> JobRecord {
    let mut record = record(id(1), TASKS, "127.0.0.1:1".parse().unwrap());
    (record.state, record.placements) = (JobState::Suspended, Vec::new());
    let number = 7;
    let mut checkpoint: Checkpoint = serde_json::from_value(json!({
        "number": number, "attempt": 1, "tasks": TASKS, "bytes": 0, "took_ms": 1,
        "completed_at": "2026-01-01T00:00:01Z", "manifest": {"object": "", "sha256": ""},
    }))
    .unwrap();
    let of = checkpoint.id(record.id, record.incarnation);
    let mut ranks = Vec::new();
    for rank in 0..TASKS {
        let mut writer = StateWriter::new(Vec::new()).unwrap();
        let mut meta = RankMeta {
            version: 1,
            ..RankMeta::default()
        };
        for (name, blocks) in states {
            let blocks = blocks(rank);
            let keys = blocks.iter().map(|block| u64::from(block.entries)).sum();
            let kind = "state".to_owned();
            meta.states
                .insert((*name).to_owned(), StateMeta { kind, keys });
            blocks.iter().for_each(|block| writer.push(block).unwrap());
        }
        let (file, contents) = writer.finish().unwrap();
        meta.files.push(contents.named("state-0"));
        let meta = serde_json::to_vec(&meta).unwrap();
        let mut files = Vec::new();
        for (name, bytes) in [("state-0", file), ("meta.json", meta)] {
            let place = PartPlace {
                checkpoint: of,
                rank: Rank(rank),
                kind: PartKind::Numbered,
            };
            let content = futures::stream::iter([Ok::<_, std::io::Error>(Bytes::from(bytes))]);
            files.push(
                blobs
                    .put_checkpoint_file(place, name, content)
                    .await
                    .unwrap(),
            );
        }
        ranks.push(RankPart {
            is_finished: false,
            files,
        });
    }
    let manifest = Manifest {
        format: MANIFEST_FORMAT,
        id: of,
        ranks,
    };
    checkpoint.manifest = blobs.put_manifest(&manifest, Epoch::new(1)).await.unwrap();
    assert_eq!(checkpoint.attempt, Attempt(1));
    record.checkpoints = vec![checkpoint];
    record
}

fn words() -> Vec<(String, u64)> {
    (0..500)
        .map(|number| (format!("w{number:03}"), number))
        .collect()
}

#[tokio::test]
async fn the_newest_checkpoint_is_read_while_nothing_runs_and_nobody_leads() {
    let cluster = Cluster::new();
    let node = cluster.node(How::default()).await;
    let pairs: Vec<((u32, String), Value)> = (0..50)
        .map(|number| ((number, "eu".to_owned()), json!({"n": number})))
        .collect();
    let zips = [("10115".to_owned(), 1), ("10117".to_owned(), 2)];
    let record = suspended(
        node.node.blobs(),
        &[
            ("pairs", &|rank| blocks("pairs", &pairs, rank)),
            ("words", &|rank| blocks("words", &words(), rank)),
            ("zips", &|rank| blocks("zips", &zips, rank)),
        ],
    )
    .await;
    node.write(&record).await;
    let state = format!("/v1/jobs/{}/state", id(1));
    let get = async |rest: &str| node.get(&format!("{state}{rest}")).send().await;
    let names: StateNames = get("?as-of=checkpoint").await.json();
    assert_eq!(names.states, ["pairs", "words", "zips"]);
    for number in [0, 1, 77, 499] {
        let path = format!("/words/w{number:03}?as-of=checkpoint");
        let found: StateValue = get(&path).await.json();
        assert_eq!((&found.value, found.checkpoint), (&json!(number), Some(7)));
        let rank = KeyGroup::of(hash_key(&format!("w{number:03}"))).rank(TASKS);
        assert_eq!(found.rank, rank);
    }
    let pair: StateValue = get("/pairs/[7,%22eu%22]?as-of=checkpoint").await.json();
    assert_eq!(pair.value, json!({"n": 7}));
    let zip: StateValue = get("/zips/10117?as-of=checkpoint").await.json();
    assert_eq!(zip.key, json!("10117"));
    let range: StateRange = get("/words?from=w100&to=w200&limit=3&as-of=checkpoint")
        .await
        .json();
    let keys: Vec<_> = range
        .entries
        .iter()
        .map(|entry| entry.key.clone())
        .collect();
    assert_eq!(
        (json!(keys), range.more),
        (json!(["w100", "w101", "w102"]), true)
    );
    let range: StateRange = get("/words?from=w498&as-of=checkpoint").await.json();
    assert_eq!((range.entries.len(), range.more), (2, false));
    for (path, problem) in [
        ("/words/x?as-of=checkpoint", (404, "no-such-key")),
        ("/pairs/7?as-of=checkpoint", (404, "no-such-key")),
        ("/other/x?as-of=checkpoint", (404, "unknown-state")),
        ("/words/w000", (409, "not-running")),
    ] {
        let found = node.get(&format!("{state}{path}")).refused().await;
        assert_eq!(found, (problem.0, problem.1.to_owned()), "{path}");
    }
}

#[tokio::test]
async fn an_altered_block_is_never_shown() {
    let cluster = Cluster::new();
    let node = cluster.node(How::default()).await;
    let states: [Made<'_>; 1] = [("words", &|rank| blocks("words", &words(), rank))];
    let record = suspended(node.node.blobs(), &states).await;
    node.write(&record).await;
    // Its beginning, with the first blocks; the index at its end stays.
    for path in all_files(&cluster.blobs()) {
        if path.to_string_lossy().contains("state-0") {
            let mut bytes = std::fs::read(&path).unwrap();
            let half = bytes.len() / 2;
            bytes[64..half].iter_mut().for_each(|byte| *byte ^= 0x55);
            std::fs::write(&path, bytes).unwrap();
        }
    }
    let path = format!("/v1/jobs/{}/state/words?as-of=checkpoint", id(1));
    let refused = node.get(&path).refused().await;
    assert_eq!(refused, (500, "damaged".to_owned()));
}

fn all_files(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let files = paths.flat_map(|path| match path.is_dir() {
        true => all_files(&path),
        false => vec![path],
    });
    files.collect()
}

/// Not a claim: what a key of 50,000 costs.
#[tokio::test]
#[expect(clippy::print_stderr, reason = "a figure for people")]
async fn keys_of_fifty_thousand_are_found_and_their_times_are_printed() {
    let cluster = Cluster::new();
    let node = cluster.node(How::default()).await;
    let many: Vec<(String, u64)> = (0..50_000).map(|n| (format!("key-{n}"), n)).collect();
    let states: [Made<'_>; 1] = [("many", &|rank| blocks("many", &many, rank))];
    let record = suspended(node.node.blobs(), &states).await;
    node.write(&record).await;
    let mut times = Vec::new();
    for number in (0..50_000).step_by(97) {
        let begun = tokio::time::Instant::now();
        let path = format!(
            "/v1/jobs/{}/state/many/key-{number}?as-of=checkpoint",
            id(1)
        );
        let found: StateValue = node.get(&path).send().await.json();
        assert_eq!(found.value, json!(number));
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    let of = |part: usize| times[times.len() * part / 1000];
    eprintln!(
        "key of a checkpoint: p50 {:?}, p99 {:?}, max {:?}",
        of(500),
        of(990),
        of(999)
    );
}
