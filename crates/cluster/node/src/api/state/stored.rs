//! `as-of=checkpoint`: the newest committed checkpoint, read by this node itself. Nothing has to
//! run, and nobody has to lead.
//!
//! What is read of a file is a range of it, so its SHA-256 cannot be compared: each block and each
//! index has a checksum of its own (CRC-32), which is.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use incumbent_cluster_blobs as blobs;
use incumbent_cluster_core::checkpoint::{CheckpointId, RestorePoint, StoredFile};
use incumbent_cluster_core::{JobId, JobRecord};
use incumbent_state::{
    Block, BlockAt, Damaged, Index, META_FILE, Opening, RangeScan, RankMeta, hash_key_bytes,
    key_bytes, to_json,
};
use serde_json::Value;
use tokio::sync::Semaphore;

use super::super::Api;
use super::super::problem::Problem;
use super::super::types::{AsOf, StateEntry, StateNames, StateRange, StateValue};
use super::{AS_OF_LIVE, live, no_such_key, unknown_state};
use crate::query::KeyRange;

/// Checkpoints whose indexes are kept: those that are asked for again and again.
const MOST_OPEN: usize = 8;

/// Files that are read at a time for one query.
const SIDE_BY_SIDE: usize = 16;

/// Scans at a time: each reads all of a state.
const MOST_SCANS: usize = 2;

/// Most bytes of a state that is scanned for a range: some seconds of reading.
const LARGEST_SCAN: u64 = 256 * 1024 * 1024;

/// The largest `meta.json`, in bytes.
const LARGEST_META: u64 = 16 * 1024 * 1024;

/// Checkpoints that were opened lately.
pub(super) struct Checkpoints {
    open: Mutex<VecDeque<Arc<Opened>>>,
    scans: Semaphore,
}

impl Default for Checkpoints {
    fn default() -> Self {
        Self {
            open: Mutex::default(),
            scans: Semaphore::new(MOST_SCANS),
        }
    }
}

/// A checkpoint whose indexes were read.
struct Opened {
    point: RestorePoint,
    states: Vec<String>,
    files: Vec<File>,
}

/// A file of state.
struct File {
    rank: u32,
    stored: StoredFile,
    index: Index,
}

/// Why it is not answered.
enum Failed {
    /// Files are gone: there is a newer checkpoint by now.
    Gone(Problem),
    For(Problem),
}

impl From<Failed> for Problem {
    fn from(failed: Failed) -> Self {
        let (Failed::Gone(problem) | Failed::For(problem)) = failed;
        problem
    }
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self::For(problem)
    }
}

impl From<blobs::Error> for Failed {
    fn from(error: blobs::Error) -> Self {
        let problem = Problem::of_blobs(&error);
        match error {
            blobs::Error::NotFound { .. } => Self::Gone(problem),
            _ => Self::For(problem),
        }
    }
}

pub(super) async fn names(api: &Arc<Api>, id: JobId) -> Result<StateNames, Problem> {
    let opened = match newest(api, id).await {
        Err(Failed::Gone(_)) => newest(api, id).await?,
        opened => opened?,
    };
    Ok(StateNames {
        states: opened.states.clone(),
        as_of: AsOf::Checkpoint,
        attempt: opened.point.from.attempt.0,
        checkpoint: Some(opened.point.from.number),
    })
}

/// The value of the key, or else of the other one.
pub(super) async fn value(
    api: &Arc<Api>,
    id: JobId,
    state: &str,
    key: Value,
    other: Option<Value>,
) -> Result<StateValue, Problem> {
    let keys = (&key, other.as_ref());
    Ok(match value_now(api, id, state, keys).await {
        Err(Failed::Gone(_)) => value_now(api, id, state, keys).await?,
        found => found?,
    })
}

async fn value_now(
    api: &Arc<Api>,
    id: JobId,
    state: &str,
    (key, other): (&Value, Option<&Value>),
) -> Result<StateValue, Failed> {
    let opened = newest(api, id).await?;
    opened.check(state)?;
    for key in [Some(key), other].into_iter().flatten() {
        if let Some((rank, key, value)) = find(api, &opened, state, key).await? {
            return Ok(StateValue {
                state: state.to_owned(),
                key,
                value,
                rank,
                as_of: AsOf::Checkpoint,
                attempt: opened.point.from.attempt.0,
                checkpoint: Some(opened.point.from.number),
            });
        }
    }
    Err(no_such_key(state, key).into())
}

pub(super) async fn range(
    api: &Arc<Api>,
    id: JobId,
    state: &str,
    range: KeyRange,
) -> Result<StateRange, Problem> {
    Ok(match range_now(api, id, state, &range).await {
        Err(Failed::Gone(_)) => range_now(api, id, state, &range).await?,
        found => found?,
    })
}

async fn range_now(
    api: &Arc<Api>,
    id: JobId,
    state: &str,
    range: &KeyRange,
) -> Result<StateRange, Failed> {
    let opened = newest(api, id).await?;
    opened.check(state)?;
    let (entries, more) = scan(api, &opened, state, range).await?;
    Ok(StateRange {
        state: state.to_owned(),
        entries,
        more,
        as_of: AsOf::Checkpoint,
        attempt: opened.point.from.attempt.0,
        checkpoint: Some(opened.point.from.number),
    })
}

/// The newest checkpoint that the record names. If its files are gone, there is a newer one by now:
/// ask again.
async fn newest(api: &Arc<Api>, id: JobId) -> Result<Arc<Opened>, Failed> {
    let record = api.state.records.newest(api, id).await?;
    let point = record.restore_point();
    let point = point.ok_or_else(|| Failed::Gone(none_yet(&record)))?;
    api.state.stored.get(&api.blobs, point).await
}

async fn find(
    api: &Api,
    opened: &Opened,
    name: &str,
    key: &Value,
) -> Result<Option<(u32, Value, Value)>, Failed> {
    for file in &opened.files {
        let Some(state) = file.index.state(name) else {
            continue;
        };
        for bytes in key_bytes(key, &state.example) {
            for at in state.blocks_of(hash_key_bytes(&bytes)) {
                let block = read_block(&api.blobs, opened, file, at).await?;
                let damaged = |error| file.damaged(&error);
                if let Some(value) = block.find(&bytes).map_err(damaged)? {
                    let key = to_json(&bytes).map_err(damaged)?;
                    return Ok(Some((file.rank, key, to_json(value).map_err(damaged)?)));
                }
            }
        }
    }
    Ok(None)
}

async fn scan(
    api: &Api,
    opened: &Opened,
    name: &str,
    range: &KeyRange,
) -> Result<(Vec<StateEntry>, bool), Failed> {
    let blocks = opened.files.iter().flat_map(|file| {
        let state = file.index.state(name).into_iter();
        state.flat_map(move |state| state.blocks.iter().map(move |at| (file, at)))
    });
    let blocks: Vec<(&File, &BlockAt)> = blocks.collect();
    let size: u64 = blocks.iter().map(|(_, at)| u64::from(at.length)).sum();
    if size > LARGEST_SCAN {
        return Err(Problem::too_large("The state", LARGEST_SCAN, "Ask for single keys.").into());
    }
    let permit = api.state.stored.scans.try_acquire();
    let _permit = permit.map_err(|_| Problem::too_many("scans of checkpoints", MOST_SCANS))?;
    let mut scans: BTreeMap<u32, RangeScan> = BTreeMap::new();
    let blocks = blocks.into_iter().map(|(file, at)| async move {
        let block = read_block(&api.blobs, opened, file, at).await?;
        Ok::<_, Failed>((file, block))
    });
    let blocks: Vec<_> = blocks.collect();
    let mut blocks = futures::stream::iter(blocks).buffered(SIDE_BY_SIDE);
    while let Some((file, block)) = blocks.try_next().await? {
        let KeyRange { from, to, limit } = range.clone();
        let scan = scans.entry(file.rank);
        let scan = scan.or_insert_with(|| RangeScan::new(from, to, limit));
        scan.offer_block(&block)
            .map_err(|error| file.damaged(&error))?;
        // A block is some milliseconds of work at most; others are to have their turn.
        tokio::task::yield_now().await;
    }
    let (mut entries, mut more) = (Vec::new(), false);
    for (rank, scan) in scans {
        let scanned = scan.finish();
        let scanned = scanned.map_err(|error| damaged("a file of state", &error))?;
        more |= scanned.has_more;
        let found = scanned.entries.into_iter();
        entries.extend(found.map(|(key, value)| StateEntry { key, value, rank }));
    }
    entries.sort_by(|a, b| incumbent_state::compare_json(&a.key, &b.key));
    more |= entries.len() > range.limit;
    entries.truncate(range.limit);
    Ok((entries, more))
}

async fn read_block(
    blobs: &blobs::Blobs,
    opened: &Opened,
    file: &File,
    at: &BlockAt,
) -> Result<Block, Failed> {
    let bytes = read(blobs, &opened.point.from, &file.stored, at.range()).await?;
    at.decode(&bytes)
        .map_err(|error| file.damaged(&error).into())
}

async fn read(
    blobs: &blobs::Blobs,
    of: &CheckpointId,
    file: &StoredFile,
    range: Range<u64>,
) -> Result<Bytes, Failed> {
    Ok(blobs.read_checkpoint_range(of, file, range).await?)
}

impl Checkpoints {
    /// A checkpoint, whose indexes are read once.
    async fn get(&self, blobs: &blobs::Blobs, point: RestorePoint) -> Result<Arc<Opened>, Failed> {
        let known = {
            let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.iter().find(|opened| opened.point == point).cloned()
        };
        if let Some(known) = known {
            return Ok(known);
        }
        let opened = Arc::new(open(blobs, point).await?);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= MOST_OPEN {
            open.pop_front();
        }
        open.push_back(Arc::clone(&opened));
        Ok(opened)
    }
}

async fn open(blobs: &blobs::Blobs, point: RestorePoint) -> Result<Opened, Failed> {
    let manifest = blobs.manifest(&point).await?;
    let of = &point.from;
    let ranks = (0..).zip(&manifest.ranks).map(|(rank, part)| async move {
        let file = |name: &str| part.files.iter().find(|file| file.name == name);
        let Some(meta) = file(META_FILE).filter(|file| file.size <= LARGEST_META) else {
            return Err(Failed::For(other_format(rank)));
        };
        let read = blobs.read_checkpoint_file(of, meta);
        let pieces: Vec<Bytes> = read.try_collect().await?;
        let meta: RankMeta =
            serde_json::from_slice(&pieces.concat()).map_err(|_| other_format(rank))?;
        let mut files = Vec::new();
        for named in &meta.files {
            let stored = file(&named.name).ok_or_else(|| other_format(rank))?;
            let index = open_file(blobs, of, stored).await?;
            files.push(File {
                rank,
                stored: stored.clone(),
                index,
            });
        }
        Ok((meta, files))
    });
    let ranks: Vec<_> = ranks.collect();
    let mut ranks = futures::stream::iter(ranks).buffered(SIDE_BY_SIDE);
    let (mut states, mut all) = (Vec::new(), Vec::new());
    while let Some((meta, files)) = ranks.try_next().await? {
        states.extend(meta.states.into_keys());
        all.extend(files);
    }
    drop(ranks);
    states.sort_unstable();
    states.dedup();
    Ok(Opened {
        point,
        states,
        files: all,
    })
}

async fn open_file(
    blobs: &blobs::Blobs,
    of: &CheckpointId,
    file: &StoredFile,
) -> Result<Index, Failed> {
    let mut range = Index::first_range(file.size);
    loop {
        let bytes = read(blobs, of, file, range.clone()).await?;
        let opened = Index::open(file.size, range, &bytes);
        match opened.map_err(|error| damaged(&file.name, &error))? {
            Opening::Index(index) => return Ok(index),
            Opening::Needs(more) => range = more,
        }
    }
}

impl Opened {
    fn check(&self, state: &str) -> Result<(), Failed> {
        match self.states.iter().any(|name| name == state) {
            true => Ok(()),
            false => Err(unknown_state(state, &self.states).into()),
        }
    }
}

impl File {
    fn damaged(&self, error: &Damaged) -> Problem {
        damaged(
            &format!("file {} of rank {}", self.stored.name, self.rank),
            error,
        )
    }
}

fn damaged(what: &str, error: &Damaged) -> Problem {
    let detail = format!(
        "{what} of the checkpoint was altered: {error}. Tasks would not start from it either; an older checkpoint, \
         or a savepoint, may be whole."
    );
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    Problem::new(status, "damaged", "A checkpoint is damaged", detail)
}

fn none_yet(record: &JobRecord) -> Problem {
    let id = record.id;
    let none = match record.is_checkpointing() {
        true => format!("Job {id} has no committed checkpoint."),
        false => format!("Job {id} makes no checkpoints."),
    };
    let detail = match live::runs(record) {
        true => format!("{none} Its tasks may answer: ask with {AS_OF_LIVE}."),
        false => format!("{none} Nor does it run, so nobody knows its state."),
    };
    Problem::new(
        StatusCode::NOT_FOUND,
        "no-checkpoint",
        "There is no checkpoint",
        detail,
    )
}

fn other_format(rank: u32) -> Problem {
    let detail = format!(
        "The files that rank {rank} has stored are not of the format of stream jobs (docs/design/0014-streams.md), \
         so nobody but the job can read them. If it runs, ask with {AS_OF_LIVE}."
    );
    let title = "The checkpoint cannot be read";
    Problem::new(StatusCode::CONFLICT, "other-format", title, detail)
}
