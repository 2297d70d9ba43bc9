//! [`Checkpoints`]: what one term knows of the checkpoints of a job and that is not in its record
//! (R12).
//!
//! ```text
//!   due ──► asked ── all ranks acknowledge ──► storing ──► stored ── one swap ──► committed
//!             │                                   │
//!             └── timed out ────── aborted ◄──────┘ not stored
//! ```
//!
//! Only the swap decides. Until then everything is in memory, and a new leader drops it: it tells
//! `aborted` for every number that it meets and that is not in the record. `trigger.rs` says when
//! one begins, `orders.rs` what TaskManagers are told, `pending.rs` is one checkpoint on its way,
//! `commit.rs` makes the next record.

pub(in crate::leader) mod commit;
mod orders;
mod pending;
mod trigger;

use std::collections::BTreeMap;
use std::time::Duration;

use incumbent_core::{Now, Time};

use self::orders::Told;
pub(in crate::leader) use self::pending::{Pending, Purpose, Stage};
use super::{Job, cause};
use crate::checkpoint::{CheckpointId, Intent, ManifestPointer};
use crate::leader::nodes::Nodes;
use crate::leader::{LeaderAction, LeaderConfig, restart, stories};
use crate::message::Acked;
use crate::moment::wall_text;
use crate::{Cause, CauseKind, Checkpointing, JobRecord, JobState, NodeNonce, Rank, SavepointId};

/// Pause after a checkpoint was aborted: what was in the way is seldom gone at once.
const PAUSE: Duration = Duration::from_secs(1);

/// What is known of the checkpoints of a job.
#[derive(Debug, Default)]
pub(in crate::leader) struct Checkpoints {
    /// The one that is being made.
    pub(in crate::leader) pending: Option<Pending>,
    /// How many were aborted in a row in this attempt, but for outages.
    pub(in crate::leader) aborted_in_row: u32,
    /// The last one that was aborted.
    pub(in crate::leader) last_aborted: Option<Aborted>,
    /// The savepoint that is wanted, and how many checkpoints for it came to nothing in a row, also
    /// in earlier attempts.
    missed: Option<(SavepointId, u32)>,
    /// The last savepoint that was given up, and why.
    given_up: Option<(SavepointId, String)>,
    /// Whether a checkpoint for an intent was aborted: one that is like any other comes next, so
    /// that what stands in the way of the intent does not make the state old.
    owes_plain: bool,
    /// The highest number that was met: in the record, in reports, or given out by this term.
    highest: u64,
    /// All numbers up to this one that are not committed are aborted.
    aborted: u64,
    /// From when the interval counts: the last trigger, or the beginning of the gang.
    counted_from: Option<Time>,
    /// Before this none is begun.
    hold_until: Option<Time>,
    told: BTreeMap<NodeNonce, Told>,
}

/// A checkpoint that was aborted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::leader) struct Aborted {
    pub(in crate::leader) number: u64,
    pub(in crate::leader) at: String,
    pub(in crate::leader) why: String,
    pub(in crate::leader) late: Vec<Rank>,
}

impl Checkpoints {
    /// The record is this now.
    pub(super) fn record_is(&mut self, record: &JobRecord, is_new_attempt: bool) {
        self.note_savepoint(record);
        if is_new_attempt {
            *self = Self {
                highest: self.highest,
                last_aborted: self.last_aborted.take(),
                missed: self.missed,
                given_up: self.given_up.take(),
                ..Self::default()
            };
        }
        let newest = record.newest_checkpoint();
        let origin = record.origin.as_ref().map_or(0, |from| from.from.number);
        self.highest = self.highest.max(newest).max(origin);
        let is_committed = |pending: &mut Pending| pending.number <= newest;
        if self.pending.take_if(is_committed).is_some() {
            self.aborted_in_row = 0;
        }
        if !record.is_to_run() {
            self.pending = None;
        }
    }

    /// The savepoint that is wanted: its attempt may have failed, or it is given up.
    fn note_savepoint(&mut self, record: &JobRecord) {
        let has_failed = (record.cause.as_ref()).is_some_and(|cause| restart::counts(cause.kind));
        if record.state == JobState::Restarting
            && has_failed
            && let Some(pending) = &self.pending
            && let Purpose::Intent(intent) = pending.purpose
        {
            self.missed(intent);
        }
        let is_wanted = |id| record.intent == Some(Intent::Savepoint { id });
        if let Some((id, count)) = self.missed.take_if(|(id, _)| !is_wanted(*id))
            && count >= most_failures(record)
            && record.savepoint(id).is_none()
        {
            let last = self.last_aborted.as_ref();
            let why = last.map_or(String::new(), |last| {
                format!("; number {} was aborted: {}", last.number, last.why)
            });
            let text = format!("{count} checkpoints for it came to nothing{why}");
            self.given_up = Some((id, text));
        }
    }

    /// A checkpoint that an intent needs came to nothing.
    fn missed(&mut self, intent: Intent) {
        if let Intent::Savepoint { id } = intent {
            let before = self.missed.filter(|(wanted, _)| *wanted == id);
            self.missed = Some((id, before.map_or(0, |(_, count)| count) + 1));
        }
    }

    /// Whether the savepoint that the record wants is to be given up: as many checkpoints for it
    /// came to nothing as would fail an attempt.
    pub(in crate::leader) fn gives_up_savepoint(&self, record: &JobRecord) -> bool {
        let is_too_many = |&(id, count): &(SavepointId, u32)| {
            record.intent == Some(Intent::Savepoint { id }) && count >= most_failures(record)
        };
        self.missed.as_ref().is_some_and(is_too_many)
    }

    /// Why this savepoint was given up, if it was.
    pub(in crate::leader) fn why_given_up(&self, savepoint: SavepointId) -> Option<&str> {
        let (_, why) = self.given_up.as_ref().filter(|(id, _)| *id == savepoint)?;
        Some(why)
    }

    /// The savepoint that was given up last, and why.
    pub(in crate::leader) fn given_up(&self) -> Option<(SavepointId, &str)> {
        let (id, why) = self.given_up.as_ref()?;
        Some((*id, why))
    }

    /// A rank of the attempt has acknowledged a part.
    ///
    /// What is not pending is of an earlier leader or was aborted: it changes nothing.
    pub(super) fn acked(&mut self, rank: usize, acked: Acked) {
        if let Some(pending) = &mut self.pending
            && pending.number == acked.number
        {
            pending.acked(rank, acked.part);
        }
    }

    /// A TaskManager of the attempt has seen this number. If it was not of this term, its
    /// checkpoint never completes: the record is sealed, and it is not in it.
    pub(super) fn met(&mut self, seen: u64) {
        if seen > self.highest {
            self.highest = seen;
            self.aborted = seen;
        }
    }

    /// The manifest of the pending checkpoint is durable.
    pub(in crate::leader) fn manifest_stored(&mut self, id: &CheckpointId, at: ManifestPointer) {
        if let Some(pending) = self.pending_of(id)
            && let Stage::Storing { bytes, took } = pending.stage
        {
            pending.stage = Stage::Stored {
                manifest: at,
                bytes,
                took,
            };
        }
    }

    /// The pending checkpoint, if it is this one and its manifest is being stored.
    fn pending_of(&mut self, id: &CheckpointId) -> Option<&mut Pending> {
        let is_it = |pending: &&mut Pending| {
            pending.number == id.number && matches!(pending.stage, Stage::Storing { .. })
        };
        self.pending.as_mut().filter(is_it)
    }
}

impl Job {
    /// How the job checkpoints.
    pub(in crate::leader) fn checkpointing(&self) -> Option<&Checkpointing> {
        self.record.spec.checkpoints.as_ref()
    }

    /// The manifest could not be written.
    pub(in crate::leader) fn manifest_not_stored(
        &mut self,
        id: &CheckpointId,
        why: &str,
        is_outage: bool,
        now: Now,
        out: &mut Vec<LeaderAction>,
    ) {
        let is_ours =
            id.incarnation == self.record.incarnation && id.attempt == self.record.attempt;
        if !is_ours || self.checkpoints.pending_of(id).is_none() {
            return;
        }
        let why = format!("its manifest could not be written: {why}");
        self.abort(why, !is_outage, now, out);
    }

    /// Looks at the pending checkpoint: complete, late, or not wanted any more. Before the next
    /// commit is decided.
    pub(in crate::leader) fn advance_checkpoint(
        &mut self,
        nodes: &Nodes,
        config: &LeaderConfig,
        now: Now,
        out: &mut Vec<LeaderAction>,
    ) {
        let is_out = self.has_outage(nodes);
        let deadline = self.deadline(nodes, config);
        let record = &self.record;
        let Some(pending) = &mut self.checkpoints.pending else {
            return;
        };
        pending.saw_outage |= is_out;
        if let Some(manifest) = pending.complete(record, now.time) {
            out.push(LeaderAction::StoreManifest(Box::new(manifest)));
        }
        if !pending.is_wanted(record) {
            return self.abort("it is not wanted any more".to_owned(), false, now, out);
        }
        // One that is stored waits for the store, which decides.
        let is_late = deadline.is_some_and(|at| at <= now.time);
        if is_late && !matches!(pending.stage, Stage::Stored { .. }) {
            let (why, counts) = (self.lateness(now), !pending_saw_outage(self));
            self.abort(why, counts, now, out);
        }
    }

    /// Gives up the pending checkpoint. If it counts and is one too many, the attempt has failed;
    /// but one for a savepoint fails none, as the savepoint is given up instead.
    fn abort(&mut self, why: String, counts: bool, now: Now, out: &mut Vec<LeaderAction>) {
        let Some(pending) = self.checkpoints.pending.take() else {
            return;
        };
        let late = pending.missing();
        let mut is_for_savepoint = false;
        if let Purpose::Intent(intent) = pending.purpose
            && pending.is_wanted(&self.record)
        {
            self.checkpoints.owes_plain = true;
            self.checkpoints.missed(intent);
            is_for_savepoint = matches!(intent, Intent::Savepoint { .. });
        }
        self.checkpoints.aborted = self.checkpoints.aborted.max(pending.number);
        self.checkpoints.hold_until = Some(now.time + PAUSE);
        self.checkpoints.aborted_in_row += u32::from(counts);
        let aborted = Aborted {
            number: pending.number,
            at: wall_text(now),
            why,
            late,
        };
        stories::checkpoint_aborted(self, &aborted, counts, out);
        let is_too_many = self.checkpoints.aborted_in_row >= most_failures(&self.record);
        if counts && is_too_many && !is_for_savepoint && self.failure.is_none() {
            self.failure = Some(self.too_many_aborted(&aborted));
        }
        self.checkpoints.last_aborted = Some(aborted);
    }

    fn too_many_aborted(&self, last: &Aborted) -> Cause {
        let count = self.checkpoints.aborted_in_row;
        let message = format!(
            "{count} checkpoints in a row were not completed; the last one, number {}: {}",
            last.number, last.why
        );
        match last.late.first() {
            Some(rank) => {
                cause::about(self, rank.0 as usize, CauseKind::CheckpointsFailed, message)
            }
            None => cause::plain(CauseKind::CheckpointsFailed, message),
        }
    }

    /// Why the pending checkpoint is late, in words.
    fn lateness(&self, now: Now) -> String {
        let Some(pending) = &self.checkpoints.pending else {
            return String::new();
        };
        let after = now.time.since(pending.begun_at).as_secs_f64();
        let late = pending.missing();
        if late.is_empty() {
            return format!("its manifest was not written after {after:.1} s");
        }
        let outage = if pending.saw_outage {
            ", as blobs did not answer"
        } else {
            ""
        };
        format!(
            "{} had not acknowledged it after {after:.1} s{outage}",
            cause::ranks_text(&late)
        )
    }

    /// When the pending checkpoint is aborted. Time in which this process was asleep, and reports
    /// waited for it, does not count in full.
    fn deadline(&self, nodes: &Nodes, config: &LeaderConfig) -> Option<Time> {
        let pending = self.checkpoints.pending.as_ref()?;
        let timeout = Duration::from_millis(self.checkpointing()?.timeout_ms);
        let awake = nodes.awake_at() + timeout.min(config.silence);
        Some((pending.begun_at + timeout).max(awake))
    }

    /// Whether blobs do not answer one of its TaskManagers.
    pub(in crate::leader) fn has_outage(&self, nodes: &Nodes) -> bool {
        let is_out = |nonce| nodes.get(nonce).is_some_and(|node| !node.has_blobs);
        self.record.nodes.iter().any(|place| is_out(place.nonce))
    }
}

/// How many in a row may come to nothing.
fn most_failures(record: &JobRecord) -> u32 {
    (record.spec.checkpoints.as_ref()).map_or(1, |how| how.failures.max(1))
}

fn pending_saw_outage(job: &Job) -> bool {
    (job.checkpoints.pending.as_ref()).is_some_and(|pending| pending.saw_outage)
}
