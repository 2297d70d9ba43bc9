//! What a task starts from: its share of a checkpoint.

use incumbent_state::KeyGroup;
use incumbent_task::{Restore, Task};

use crate::engine::Plan;
use crate::meta::{META_FILE, META_VERSION, Meta, StagedMeta, sink_file};
use crate::orders::{Blocks, Restored};
use crate::state::RestoredBlocks;
use crate::{Error, Result};

pub(super) const META_FILE_NAME: &str = META_FILE;

/// Reads this rank's share of the checkpoint that the job starts from, if there is one. Its blocks
/// are read when they are taken.
///
/// # Errors
///
/// [`Error::DoesNotFit`], [`Error::Task`].
pub(super) fn read(task: &Task, plan: &Plan) -> Result<Restored> {
    let Some(restore) = task.restore()? else {
        return Ok(Restored::default());
    };
    let mut restored = Restored {
        number: restore.number,
        ..Restored::default()
    };
    let mut files = Vec::new();
    for (rank, bytes) in restore.all(META_FILE)? {
        let meta: Meta = serde_json::from_slice(&bytes).map_err(|error| damaged(rank, &error))?;
        if meta.version > META_VERSION {
            let fault = format!(
                "it is of version {} of the format, and this build knows {META_VERSION}: run a later build",
                meta.version
            );
            return Err(Error::DoesNotFit(vec![fault]));
        }
        files.extend(meta.files.iter().map(|file| (rank, file.clone())));
        merge(&mut restored, &restore, rank, meta)?;
    }
    let faults = plan.unfit(&restored);
    if !faults.is_empty() {
        return Err(Error::DoesNotFit(faults));
    }
    let owned = KeyGroup::owned(task.rank(), task.tasks());
    let open = move |rank, name: &str| Ok(restore.open(rank, name)?);
    restored.blocks = Blocks::new(RestoredBlocks::new(files, owned, open));
    Ok(restored)
}

fn merge(restored: &mut Restored, restore: &Restore, rank: u32, meta: Meta) -> Result<()> {
    for (name, state) in meta.states {
        let known = restored.states.entry(name).or_insert_with(|| state.clone());
        known.keys += state.keys;
        known.watermark = known.watermark.min(state.watermark);
    }
    for (name, source) in meta.sources {
        let known = restored.sources.entry(name).or_default();
        known.splits.extend(source.splits);
    }
    for (name, sink) in meta.sinks {
        let known = restored.sinks.entry(name.clone()).or_default();
        let has_bytes = |each: &StagedMeta| each.bytes.as_ref().is_some_and(|at| !at.is_empty());
        let file = match sink.staged.iter().any(has_bytes) {
            true => restore.bytes(rank, &sink_file(&name))?,
            false => Vec::new(),
        };
        for each in sink.staged {
            let mut staged = each.staged;
            if let Some(at) = each.bytes {
                let bytes = file.get(at).ok_or_else(|| cut_short(rank, &name))?;
                staged.bytes = Some(bytes.into());
            }
            known.push(staged);
        }
    }
    Ok(())
}

fn cut_short(rank: u32, sink: &str) -> Error {
    let fault = format!("what sink `{sink}` of rank {rank} has staged is not all there");
    Error::DoesNotFit(vec![fault])
}

fn damaged(rank: u32, error: &serde_json::Error) -> Error {
    Error::DoesNotFit(vec![format!(
        "{META_FILE} of rank {rank} cannot be read: {error}"
    )])
}
