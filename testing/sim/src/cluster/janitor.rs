//! What a leader does with blobs: manifests, markers of savepoints, and what the janitor deletes.

use std::collections::BTreeSet;
use std::sync::Arc;

use incumbent_cluster_core::checkpoint::{
    CheckpointId, Manifest, ManifestPointer, RankPart, RestorePoint, Savepoint,
};
use incumbent_cluster_core::leader::{FoundSavepoint, LeaderEvent, Tidy, Unwritten};
use incumbent_cluster_core::{Incarnation, JobId, SavepointId};
use incumbent_core::Seal;

use super::blobs::{Content, Fate, File, Key, PATIENCE, Root};
use super::job_manager::{JobManagerMail, Term};
use super::mode::ClusterMutation;
use super::world::{Event, Process, World};
use crate::clock::MILLISECOND;

/// How long the janitor waits before it begins, at most.
const LONGEST_REST: u64 = 300 * MILLISECOND;

/// A term of a process, which waits for the blobs.
#[derive(Clone, Copy, Debug)]
pub(super) struct OfTerm {
    pub(super) host: usize,
    pub(super) process: Process,
    pub(super) seal: Seal,
}

/// What a leader wants of the blobs.
#[derive(Clone, Debug)]
pub(super) enum BlobWork {
    StoreManifest(Box<Manifest>),
    Find(SavepointId),
    Mark {
        job: JobId,
        incarnation: Incarnation,
        savepoint: Box<Savepoint>,
    },
    /// Marks all of these; then the record is erased.
    MarkAndErase {
        job: JobId,
        incarnation: Incarnation,
        savepoints: Vec<Savepoint>,
    },
    Remove(SavepointId),
    Tidy(Box<Tidy>),
}

impl World {
    pub(super) fn blob_work(&mut self, by: OfTerm, work: BlobWork) {
        if !self.is_led_by(by) {
            return;
        }
        match work {
            BlobWork::StoreManifest(manifest) => self.store_manifest(by, *manifest),
            BlobWork::Find(id) => self.find(by, id),
            BlobWork::Mark {
                job,
                incarnation,
                savepoint,
            } => {
                if !self.mark(job, incarnation, &[(*savepoint).clone()]) {
                    let work = BlobWork::Mark {
                        job,
                        incarnation,
                        savepoint,
                    };
                    self.after(PATIENCE, Event::BlobWork(by, work));
                }
            }
            BlobWork::MarkAndErase {
                job,
                incarnation,
                savepoints,
            } => {
                let mail = if self.mark(job, incarnation, &savepoints) {
                    JobManagerMail::Erase { job }
                } else {
                    let why = Unwritten::NotApplied;
                    JobManagerMail::Leader(Box::new(LeaderEvent::NotCommitted { job, why }))
                };
                self.tell_term(by, PATIENCE, mail);
            }
            BlobWork::Remove(id) => self.remove(by, id),
            BlobWork::Tidy(_) if self.plan.mutation == ClusterMutation::JanitorIdle => {}
            BlobWork::Tidy(tidy) => {
                self.last_tidy += 1;
                let number = self.last_tidy;
                self.tidies
                    .insert((by.process, by.seal.epoch, tidy.job), number);
                let delay = self.dice.range(0, LONGEST_REST);
                self.after(delay, Event::Tidy(by, tidy, number));
            }
        }
    }

    /// The janitor looks at the files of a job, and has those deleted that no record can name.
    pub(super) fn tidy(&mut self, by: OfTerm, tidy: Box<Tidy>, number: u64) {
        let newest = self.tidies.get(&(by.process, by.seal.epoch, tidy.job));
        if newest != Some(&number) || !self.is_led_by(by) {
            return; // A newer list has replaced this one, or the term is over.
        }
        if matches!(self.blob_fate(), Fate::Unanswered(_)) {
            return self.after(PATIENCE, Event::Tidy(by, tidy, number));
        }
        let Some(taken) = self.unlisted(&tidy) else {
            return; // A manifest cannot be read.
        };
        // It may be deposed by the time they are deleted.
        let delay = match self.blob_fate() {
            Fate::Answered(delay) | Fate::Unanswered(Some(delay)) => delay,
            Fate::Unanswered(None) => return,
        };
        self.after(delay, Event::DeleteFiles(taken));
    }

    /// What may be deleted of a job, if all manifests that are listed can be read.
    fn unlisted(&self, tidy: &Tidy) -> Option<Vec<Key>> {
        let root = Root::Checkpoints(tidy.job, tidy.incarnation);
        let listed: Vec<&RestorePoint> = tidy
            .listed
            .iter()
            .filter(|point| Root::of(&point.from) == root)
            .collect();
        let is_listed = |attempt: u32, number: u64| {
            let mut listed = listed.iter();
            listed.any(|point| (point.from.attempt.0, point.from.number) == (attempt, number))
        };
        let newest = listed.iter().map(|point| point.from.number).max();
        let mutation = self.plan.mutation;
        let is_candidate = |key: &&Key| {
            let (attempt, number) = place(&key.name);
            match number {
                _ if mutation == ClusterMutation::JanitorTakesNewer => {
                    number.is_some_and(|number| !is_listed(attempt, number))
                }
                _ if attempt < tidy.attempt.0 => tidy.are_older_gone,
                Some(number) if attempt == tidy.attempt.0 => {
                    newest.is_some_and(|newest| number < newest) && !is_listed(attempt, number)
                }
                _ => false,
            }
        };
        let candidates: Vec<&Key> = self.blobs.below(root).filter(is_candidate).collect();
        if candidates.is_empty() {
            return Some(Vec::new());
        }
        let mut named = BTreeSet::new();
        for point in &listed {
            if mutation == ClusterMutation::JanitorByListing {
                continue;
            }
            let manifest = self.blobs.manifest(point)?;
            named.insert(Key::of_manifest(&point.from, &point.manifest).name);
            let files = manifest.ranks.iter().flat_map(|part| &part.files);
            named.extend(files.map(|file| file.object.clone()));
        }
        let is_spared = |key: &Key| match place(&key.name) {
            (attempt, Some(number)) if mutation == ClusterMutation::JanitorByListing => {
                is_listed(attempt, number)
            }
            _ => named.contains(&key.name),
        };
        let taken = candidates.into_iter().filter(|key| !is_spared(key));
        Some(taken.cloned().collect())
    }

    fn is_led_by(&self, by: OfTerm) -> bool {
        let running = self.job_managers[by.host].running.as_ref();
        running.is_some_and(|running| {
            let term = running.term.as_ref().filter(|term| Term::leads(term));
            running.process == by.process && term.is_some_and(|term| term.seal == by.seal)
        })
    }

    fn tell_term(&mut self, by: OfTerm, delay: u64, mail: JobManagerMail) {
        let mail = JobManagerMail::OfTerm {
            seal: by.seal,
            mail: Box::new(mail),
        };
        self.after(delay, Event::JobManager((by.host, by.process), mail));
    }

    fn tell_leader(&mut self, by: OfTerm, delay: u64, event: LeaderEvent) {
        self.tell_term(by, delay, JobManagerMail::Leader(Box::new(event)));
    }

    fn store_manifest(&mut self, by: OfTerm, mut manifest: Manifest) {
        if self.plan.mutation == ClusterMutation::RankMissing
            && let Some(last) = manifest.ranks.last_mut()
        {
            *last = RankPart::default();
        }
        if self.plan.mutation == ClusterMutation::OlderAcksCount {
            for (rank, part) in (0..).zip(&mut manifest.ranks) {
                if let Some(older) = self.older_part(&manifest.id, rank) {
                    *part = older;
                }
            }
        }
        let id = manifest.id;
        let object = self.draw_name(&format!("manifest-{}", by.seal.epoch));
        let pointer = ManifestPointer {
            object,
            sha256: self.digest(),
        };
        let file = File {
            content: Arc::new(Content::Manifest(manifest.clone())),
            sha256: pointer.sha256.clone(),
        };
        let puts = vec![(Key::of_manifest(&id, &pointer), file)];
        match self.blob_fate() {
            Fate::Answered(delay) => {
                self.after(delay, Event::PutFiles(puts));
                let stored = LeaderEvent::ManifestStored {
                    checkpoint: Box::new(id),
                    manifest: Box::new(pointer),
                };
                self.tell_leader(by, 2 * delay + 1, stored);
            }
            Fate::Unanswered(lands) => {
                if let Some(delay) = lands {
                    self.after(delay, Event::PutFiles(puts));
                }
                if self.dice.chance(500) {
                    let again = BlobWork::StoreManifest(Box::new(manifest));
                    return self.after(PATIENCE, Event::BlobWork(by, again));
                }
                let not_stored = LeaderEvent::ManifestNotStored {
                    checkpoint: Box::new(id),
                    why: "no answer".to_owned(),
                    is_outage: self.now < self.blobs.outage_until,
                };
                self.tell_leader(by, PATIENCE, not_stored);
            }
        }
    }

    /// What a rank of the attempt before has stored.
    fn older_part(&self, id: &CheckpointId, rank: u32) -> Option<RankPart> {
        let older = id.attempt.0.checked_sub(1)?;
        let is_state = |key: &&Key| {
            let mut parts = key.name.split('/');
            parts.next() == Some(&older.to_string())
                && parts.nth(1) == Some(&rank.to_string())
                && parts.next().is_some_and(|name| name.starts_with("state"))
        };
        let mut there = self.blobs.below(Root::Checkpoints(id.job, id.incarnation));
        let key = there.find(is_state)?;
        let file = self.blobs.get(key)?;
        let files = vec![incumbent_cluster_core::checkpoint::StoredFile {
            name: "state".to_owned(),
            object: key.name.clone(),
            size: 1,
            sha256: file.sha256.clone(),
        }];
        let is_finished = false;
        Some(RankPart { is_finished, files })
    }

    fn find(&mut self, by: OfTerm, id: SavepointId) {
        let (delay, found) = match self.blob_fate() {
            Fate::Answered(delay) => {
                let file = self.blobs.get(&Key::of_marker(id));
                let found = match file.map(|file| &*file.content) {
                    Some(Content::Marker(point)) => FoundSavepoint::Found(Box::new(point.clone())),
                    _ => FoundSavepoint::Absent,
                };
                (2 * delay, found)
            }
            Fate::Unanswered(_) => (PATIENCE, FoundSavepoint::Unavailable),
        };
        let savepoint = id;
        self.tell_leader(by, delay, LeaderEvent::SavepointFound { savepoint, found });
    }

    /// Says beside the files that these savepoints were committed; whether that is known to be
    /// done.
    fn mark(&mut self, job: JobId, incarnation: Incarnation, savepoints: &[Savepoint]) -> bool {
        let fate = self.blob_fate();
        let (delay, is_done) = match fate {
            Fate::Answered(delay) => (delay, true),
            Fate::Unanswered(Some(delay)) => (delay, false),
            Fate::Unanswered(None) => return false,
        };
        let mut puts = Vec::new();
        for savepoint in savepoints {
            let content = Content::Marker(savepoint.checkpoint.restore_point(job, incarnation));
            let file = File {
                content: Arc::new(content),
                sha256: String::new(),
            };
            puts.push((Key::of_marker(savepoint.id), file));
        }
        self.after(delay.min(PATIENCE), Event::PutFiles(puts));
        is_done
    }

    fn remove(&mut self, by: OfTerm, id: SavepointId) {
        let (why_not, delay, is_carried_out) = match self.blob_fate() {
            Fate::Answered(delay) => (None, delay, true),
            Fate::Unanswered(lands) => (Some("no answer".to_owned()), PATIENCE, lands.is_some()),
        };
        if is_carried_out {
            let keys = self.blobs.of_savepoint(id);
            self.delete_files(keys);
        }
        let savepoint = id;
        let removed = LeaderEvent::SavepointRemoved { savepoint, why_not };
        self.tell_leader(by, delay, removed);
    }
}

/// The attempt and the number in a path below the checkpoints of a job; no number for last files.
fn place(name: &str) -> (u32, Option<u64>) {
    let mut parts = name.split('/');
    let attempt = parts.next().and_then(|part| part.parse().ok());
    let number = parts.next().and_then(|part| part.parse().ok());
    (attempt.expect("paths begin with an attempt"), number)
}
