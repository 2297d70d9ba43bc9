//! What the tasks of a job that checkpoints do: they count a stream, stage what they make of it and
//! publish it when it is committed.
//!
//! A job has as many *sources* as it had tasks first; each rank reads some of them. Each checkpoint
//! takes one more item of each source. So the output of a job is right if it has each item of each
//! source once, up to where the last checkpoint says: whatever was killed meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use super::{Message, World};
use crate::checkpoint::{Manifest, ManifestPointer, RankPart, RestorePoint, StoredFile};
use crate::leader::{FoundSavepoint, LeaderEvent, Tidy};
use crate::message::{Acked, ContractOrder, Deploy};
use crate::task_manager::{Said, TaskManagerEvent};
use crate::{JobId, NodeNonce, SavepointId, TaskId};

/// One item of a source.
type Item = (u32, u64);

/// What one rank knows. Its files hold all of it.
#[derive(Clone, Debug, Default)]
pub(in crate::tests) struct App {
    /// Where it is in each of its sources.
    pub(in crate::tests) positions: BTreeMap<u32, u64>,
    /// What is staged, by which attempt and for which checkpoint.
    staged: BTreeMap<Item, (u32, u64)>,
    /// The highest number that it has acknowledged, or heard of.
    seen: u64,
    has_finished: bool,
    attempt: u32,
}

/// What is durable beyond processes.
#[derive(Debug, Default)]
pub(in crate::tests) struct Blobs {
    pub(in crate::tests) manifests: BTreeMap<String, Manifest>,
    files: BTreeMap<String, App>,
    names: u64,
    pub(in crate::tests) marked: BTreeMap<SavepointId, RestorePoint>,
    pub(in crate::tests) removed: Vec<SavepointId>,
    /// What was published: each item, and by which attempts and for which checkpoints it
    /// was staged.
    pub(in crate::tests) output: BTreeMap<JobId, BTreeMap<Item, BTreeSet<(u32, u64)>>>,
    pub(in crate::tests) tidied: Vec<Tidy>,
    /// Manifests cannot be written now; whether that is an outage.
    pub(in crate::tests) refuses: Option<bool>,
    /// Manifests of savepoints cannot be written, as in an outage.
    pub(in crate::tests) refuses_savepoints: bool,
    /// Answers about manifests and removals are held back.
    pub(in crate::tests) holds: bool,
    held: Vec<LeaderEvent>,
    /// The blobs do not say which savepoints there are.
    pub(in crate::tests) is_out: bool,
}

impl Blobs {
    fn name(&mut self) -> String {
        self.names += 1;
        format!("object-{}", self.names)
    }

    fn store(&mut self, app: &App, is_finished: bool) -> RankPart {
        let object = self.name();
        self.files.insert(object.clone(), app.clone());
        let file = StoredFile {
            name: "state".to_owned(),
            object,
            size: 100,
            sha256: "0".repeat(64),
        };
        RankPart {
            is_finished,
            files: vec![file],
        }
    }

    /// What a rank of an attempt starts with.
    fn restore(&self, deploy: &Deploy) -> App {
        let rank = deploy.task.rank.0;
        let mut app = App {
            attempt: deploy.task.attempt.0,
            ..App::default()
        };
        let Some(from) = &deploy.restore else {
            app.positions.insert(rank, 0);
            return app;
        };
        let manifest = self.manifests.get(&from.manifest.object);
        let manifest = manifest.expect("what an attempt starts from is there");
        assert_eq!(manifest.id, from.from);
        for part in &manifest.ranks {
            for file in &part.files {
                let state = &self.files[&file.object];
                let is_ours = |source: u32| source % deploy.tasks == rank;
                let positions = state.positions.iter().filter(|(s, _)| is_ours(**s));
                app.positions.extend(positions);
                let staged = state.staged.iter().filter(|((s, _), _)| is_ours(*s));
                app.staged.extend(staged);
            }
        }
        app
    }

    /// Publishing is repeatable: the same item of the same attempt and number.
    fn publish(&mut self, job: JobId, app: &mut App, up_to: u64) {
        let output = self.output.entry(job).or_default();
        app.staged.retain(|item, by| {
            let is_committed = by.1 <= up_to;
            if is_committed {
                output.entry(*item).or_default().insert(*by);
            }
            !is_committed
        });
    }
}

impl App {
    /// Takes one more item of each source that has more.
    fn take(&mut self, number: u64, length: impl Fn(u32) -> u64) {
        for (source, position) in &mut self.positions {
            if *position < length(*source) {
                let by = (self.attempt, number);
                self.staged.insert((*source, *position), by);
                *position += 1;
            }
        }
    }

    fn is_at_end(&self, length: impl Fn(u32) -> u64) -> bool {
        let mut all = self.positions.iter();
        all.all(|(source, position)| *position >= length(*source))
    }
}

impl World {
    /// How many items each source of a job has: the first one as many, and each other one three
    /// more than the one before.
    fn length(&self, job: JobId) -> impl Fn(u32) -> u64 + Copy + use<> {
        let first = self.lengths.get(&job).copied();
        move |source| first.map_or(u64::MAX, |first| first + 3 * u64::from(source))
    }

    /// The process of a task that speaks the contract: it publishes what it starts from, and says
    /// that it is ready.
    pub(super) fn app_started(&mut self, nonce: NodeNonce, deploy: &Deploy) -> Option<App> {
        if !deploy.is_checkpointing {
            return None;
        }
        let mut app = self.blobs.restore(deploy);
        if let Some(from) = &deploy.restore {
            self.blobs
                .publish(deploy.task.job, &mut app, from.from.number);
            assert!(
                app.staged.is_empty(),
                "a checkpoint holds what is staged for it"
            );
        }
        if !self.never_ready.contains(&deploy.task.rank.0) {
            self.queue
                .push_back(Message::Later(nonce, deploy.task, Said::Ready));
        }
        Some(app)
    }

    /// A task is told something.
    pub(super) fn app_told(&mut self, nonce: NodeNonce, task: TaskId, what: ContractOrder) {
        let length = self.length(task.job);
        let is_late = self.late.contains(&task.rank.0);
        let newest = self.record(task.job).newest_checkpoint();
        let Some(app) = self.app(nonce, task) else {
            return;
        };
        match what {
            ContractOrder::Begin => {
                if app.is_at_end(length) {
                    self.finish(nonce, task);
                }
            }
            ContractOrder::Checkpoint { number, .. } => {
                app.seen = number;
                if is_late {
                    return;
                }
                app.take(number, length);
                let app = app.clone();
                let part = self.blobs.store(&app, false);
                let said = Said::Acked(Acked { number, part });
                self.queue.push_back(Message::Said(nonce, task, said));
                if app.is_at_end(length) {
                    self.finish(nonce, task);
                }
            }
            ContractOrder::Committed { number } => {
                assert!(number <= newest, "only what a record has is committed");
                let mut app = std::mem::take(app);
                self.blobs.publish(task.job, &mut app, number);
                *self.app(nonce, task).expect("it was there") = app;
            }
            ContractOrder::Aborted { .. } => {}
            ContractOrder::Stop => {
                if self.never_stops.contains(&task.rank.0) {
                    return;
                }
                let node = self.nodes.get_mut(&nonce).expect("it runs there");
                node.processes.remove(&task);
                let how = crate::message::EndedHow::Exited { code: 0 };
                self.ended(nonce, task, how, &[]);
            }
        }
    }

    /// The input of a rank has ended.
    fn finish(&mut self, nonce: NodeNonce, task: TaskId) {
        let length = self.length(task.job);
        let Some(app) = self.app(nonce, task) else {
            return;
        };
        if std::mem::replace(&mut app.has_finished, true) {
            return;
        }
        let next = app.seen + 1;
        app.take(next, length);
        let app = app.clone();
        let part = self.blobs.store(&app, true);
        self.queue
            .push_back(Message::Said(nonce, task, Said::Finished(part)));
    }

    pub(super) fn app(&mut self, nonce: NodeNonce, task: TaskId) -> Option<&mut App> {
        let node = self.nodes.get_mut(&nonce)?;
        node.processes.get_mut(&task)?.app.as_mut()
    }

    /// A task says something on its socket.
    pub(in crate::tests) fn say(&mut self, task: TaskId, said: Said) {
        let nonce = self.place_of(task).expect("the task runs");
        self.tell_node(nonce, TaskManagerEvent::Said { task, said });
    }

    /// A part of this rank, as if it had stored it.
    pub(in crate::tests) fn part(&mut self) -> RankPart {
        self.blobs.store(&App::default(), false)
    }

    pub(super) fn store_manifest(&mut self, manifest: Manifest) -> Option<LeaderEvent> {
        let checkpoint = Box::new(manifest.id);
        let is_refused = self.blobs.refuses_savepoints && checkpoint.savepoint.is_some();
        let event = match self.blobs.refuses.or(is_refused.then_some(true)) {
            Some(is_outage) => LeaderEvent::ManifestNotStored {
                checkpoint,
                why: "the bucket is gone".to_owned(),
                is_outage,
            },
            None => {
                let object = self.blobs.name();
                self.blobs.manifests.insert(object.clone(), manifest);
                let sha256 = "1".repeat(64);
                let manifest = Box::new(ManifestPointer { object, sha256 });
                LeaderEvent::ManifestStored {
                    checkpoint,
                    manifest,
                }
            }
        };
        if self.blobs.holds {
            self.blobs.held.push(event);
            return None;
        }
        Some(event)
    }

    /// The answers that were held back.
    pub(in crate::tests) fn answer_held(&mut self) {
        self.blobs.holds = false;
        for event in std::mem::take(&mut self.blobs.held) {
            self.tell_leader(event);
        }
    }

    pub(super) fn find_savepoint(&self, savepoint: SavepointId) -> LeaderEvent {
        let found = match self.blobs.marked.get(&savepoint) {
            _ if self.blobs.is_out => FoundSavepoint::Unavailable,
            Some(point) => FoundSavepoint::Found(Box::new(point.clone())),
            None => FoundSavepoint::Absent,
        };
        LeaderEvent::SavepointFound { savepoint, found }
    }

    pub(super) fn remove_savepoint_files(&mut self, savepoint: SavepointId) -> Option<LeaderEvent> {
        self.blobs.marked.remove(&savepoint);
        self.blobs.removed.push(savepoint);
        let is_it = |manifest: &Manifest| manifest.id.savepoint == Some(savepoint);
        self.blobs.manifests.retain(|_, manifest| !is_it(manifest));
        let event = LeaderEvent::SavepointRemoved {
            savepoint,
            why_not: None,
        };
        if self.blobs.holds {
            self.blobs.held.push(event);
            return None;
        }
        Some(event)
    }

    /// What the janitor does: it deletes what is not listed.
    pub(super) fn tidy(&mut self, tidy: Tidy) {
        let record = self.record(tidy.job).clone();
        let newest = tidy.listed.iter().map(|point| point.from.number).max();
        self.blobs.manifests.retain(|object, manifest| {
            let id = manifest.id;
            let is_of_it = id.job == tidy.job && id.incarnation == tidy.incarnation;
            let is_listed = tidy.listed.iter().any(|at| at.manifest.object == *object);
            let is_old = if id.attempt < tidy.attempt {
                tidy.are_older_gone
            } else {
                id.attempt == tidy.attempt && Some(id.number) < newest
            };
            let goes = is_of_it && id.savepoint.is_none() && !is_listed && is_old;
            let is_needed = record
                .checkpoints
                .iter()
                .any(|c| c.manifest.object == *object);
            assert!(!(goes && is_needed), "the record lists {id:?}");
            !goes
        });
        self.blobs.tidied.push(tidy);
    }

    /// Nothing is published twice.
    pub(in crate::tests) fn check_once(&self, job: JobId) {
        for (item, by) in self.blobs.output.get(&job).into_iter().flatten() {
            assert_eq!(by.len(), 1, "{item:?} of {job} is published twice: {by:?}");
        }
    }

    /// Each item of each source is published once, up to where the last checkpoint says.
    pub(in crate::tests) fn check_output(&self, job: JobId) {
        let empty = BTreeMap::new();
        let output = self.blobs.output.get(&job).unwrap_or(&empty);
        self.check_once(job);
        if self.record(job).origin.is_some() {
            // What came before is the output of another job.
            return;
        }
        let Some(last) = self.record(job).checkpoints.last() else {
            return assert!(output.is_empty(), "nothing is committed, and {output:?}");
        };
        let manifest = &self.blobs.manifests[&last.manifest.object];
        let mut expected = BTreeSet::new();
        for file in manifest.ranks.iter().flat_map(|part| &part.files) {
            for (source, position) in &self.blobs.files[&file.object].positions {
                expected.extend((0..*position).map(|at| (*source, at)));
            }
        }
        let published: BTreeSet<Item> = output.keys().copied().collect();
        assert_eq!(published, expected, "of {last:?}");
    }
}
