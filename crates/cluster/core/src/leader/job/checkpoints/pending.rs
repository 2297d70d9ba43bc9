//! [`Pending`]: one checkpoint on its way.

use std::time::Duration;

use incumbent_core::Time;

use crate::checkpoint::{
    CheckpointId, Intent, MANIFEST_FORMAT, Manifest, ManifestPointer, RankPart,
};
use crate::{JobRecord, Rank, SavepointId};

/// A checkpoint that is being made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::leader) struct Pending {
    pub(in crate::leader) number: u64,
    pub(in crate::leader) purpose: Purpose,
    /// When it was triggered.
    pub(in crate::leader) begun_at: Time,
    pub(in crate::leader) stage: Stage,
    /// Whether blobs did not answer a TaskManager of the job meanwhile.
    pub(in crate::leader) saw_outage: bool,
    /// What was acknowledged, by rank.
    parts: Vec<Option<RankPart>>,
    /// How many have acknowledged it.
    acked: usize,
}

/// What a checkpoint is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::leader) enum Purpose {
    /// The interval is over.
    Interval,
    /// An intent that is written down needs it.
    Intent(Intent),
    /// All ranks have finished (R6).
    Finish,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::leader) enum Stage {
    /// Ranks are asked for their parts.
    Asked,
    /// All have acknowledged: the manifest is being written.
    Storing { bytes: u64, took: Duration },
    /// It is durable: what is left is the swap.
    Stored {
        manifest: ManifestPointer,
        bytes: u64,
        took: Duration,
    },
}

impl Purpose {
    /// The savepoint that the checkpoint is.
    pub(in crate::leader) fn savepoint(self) -> Option<SavepointId> {
        match self {
            Self::Intent(Intent::Savepoint { id } | Intent::Stop { savepoint: id }) => Some(id),
            Self::Intent(Intent::Rescale { .. }) | Self::Interval | Self::Finish => None,
        }
    }
}

impl Pending {
    pub(super) fn new(number: u64, purpose: Purpose, ranks: usize, now: Time) -> Self {
        Self {
            number,
            purpose,
            begun_at: now,
            stage: Stage::Asked,
            saw_outage: false,
            parts: vec![None; ranks],
            acked: 0,
        }
    }

    /// A rank has acknowledged it; the first time counts.
    pub(super) fn acked(&mut self, rank: usize, part: RankPart) {
        if let Some(slot) = self.parts.get_mut(rank)
            && slot.is_none()
        {
            *slot = Some(part);
            self.acked += 1;
        }
    }

    /// Whether this rank has not acknowledged it.
    pub(super) fn misses(&self, rank: usize) -> bool {
        self.parts.get(rank).is_some_and(Option::is_none)
    }

    /// The ranks that have not acknowledged it.
    pub(in crate::leader) fn missing(&self) -> Vec<Rank> {
        let missing = (0..self.parts.len()).filter(|rank| self.misses(*rank));
        let rank = |at| Rank(u32::try_from(at).expect("a job has at most MOST_TASKS ranks"));
        missing.map(rank).collect()
    }

    /// Whether what it is made for still stands.
    pub(super) fn is_wanted(&self, record: &JobRecord) -> bool {
        match self.purpose {
            Purpose::Interval | Purpose::Finish => true,
            Purpose::Intent(intent) => record.intent == Some(intent),
        }
    }

    /// The manifest, once, when all ranks have acknowledged it.
    pub(super) fn complete(&mut self, record: &JobRecord, now: Time) -> Option<Manifest> {
        if self.stage != Stage::Asked || self.acked < self.parts.len() {
            return None;
        }
        let manifest = Manifest {
            format: MANIFEST_FORMAT,
            id: CheckpointId {
                job: record.id,
                incarnation: record.incarnation,
                attempt: record.attempt,
                number: self.number,
                savepoint: self.purpose.savepoint(),
            },
            // The files are in the manifest from here on.
            ranks: (self.parts.iter_mut())
                .map(|part| std::mem::take(part.as_mut().expect("all have acknowledged it")))
                .collect(),
        };
        self.stage = Stage::Storing {
            bytes: manifest.bytes(),
            took: now.since(self.begun_at),
        };
        Some(manifest)
    }
}
