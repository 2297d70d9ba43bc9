//! [`Contract`]: a task that speaks the contract: it reads its partitions of the input, stages what
//! it makes of them, and publishes that when a checkpoint is committed.
//!
//! Every record of the input becomes one of the output, so what is published says whether something
//! was lost or doubled.

use std::sync::Arc;

use incumbent_cluster_core::checkpoint::{
    CheckpointId, Manifest, PartKind, RankPart, RestorePoint, StoredFile,
};
use incumbent_cluster_core::message::{Acked, ContractOrder, Deploy, EndedHow};
use incumbent_cluster_core::task_manager::Said;
use incumbent_cluster_core::{SavepointId, Seal, TaskId};

use super::blobs::{Content, Fate, File, Key, PATIENCE, Piece, RankState, Root, directory};
use super::fact::Fact;
use super::jobs::RECORDS_A_SECOND;
use super::mode::ClusterMutation;
use super::task_manager::TaskManagerMail;
use super::tasks::TaskEvent;
use super::world::{Event, Process, World, item_of};
use crate::clock::{Instant, MILLISECOND};
use crate::history::Item;

/// How long a task takes at most for a step.
const LONGEST_STEP: u64 = 5 * MILLISECOND;

/// How long a task takes at most to write down what it has.
const LONGEST_SNAPSHOT: u64 = 20 * MILLISECOND;

/// The same of one that is slow.
const LONGEST_SLOW_SNAPSHOT: u64 = 3000 * MILLISECOND;

/// What a task knows.
#[derive(Debug)]
pub(super) struct Contract {
    tasks: u32,
    restore: Option<RestorePoint>,
    has_two_files: bool,
    /// The records of each partition.
    records: u64,
    partitions: Vec<Partition>,
    /// What it was restored with and publishes before it is ready.
    restored: Vec<Piece>,
    begun_at: Option<Instant>,
    staged: Vec<Staged>,
    saying: Option<Saying>,
    /// The checkpoint that it was asked for.
    asked: Option<Asked>,
    upload: Option<Upload>,
    /// The highest number that it has acknowledged, or was restored from: what comes later belongs
    /// to higher ones, also if it is told once more that this one is committed.
    acked: u64,
    /// The highest number that it was told as committed.
    committed: u64,
    input: Input,
    /// It never acknowledges anything.
    hangs: bool,
    /// When it hears what it was told last: in turn.
    hears_at: Instant,
    was_stopped: bool,
}

#[derive(Clone, Copy, Debug)]
struct Partition {
    index: u32,
    /// How many records were read when it began.
    base: u64,
    /// How many are staged.
    staged: u64,
}

/// A piece that is to be published with this number or a higher one.
#[derive(Clone, Copy, Debug)]
struct Staged {
    number: u64,
    piece: Piece,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Saying {
    Ready,
    Acked(u64),
    Finished,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Open,
    Ended,
    /// Its last files are being stored, or are.
    Finished,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    number: u64,
    savepoint: Option<SavepointId>,
}

/// Files that are being stored.
#[derive(Clone, Debug)]
struct Upload {
    id: u64,
    /// For this checkpoint, or the last ones.
    of: Option<Asked>,
    state: Arc<Content>,
}

/// What happens to a task that speaks the contract.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// It asks what to start from.
    Restore,
    /// It reads the files that the manifest names.
    ReadFiles(Box<Manifest>),
    /// It publishes what it was restored with, and says that it is ready.
    Prepare,
    /// It is told something; a checkpoint by this term.
    Told(ContractOrder, Option<Seal>),
    /// It stores what it has.
    Store(u64),
    Stored {
        upload: u64,
        part: RankPart,
    },
    NotStored(u64),
    /// What it said is taken, or not.
    Heard(bool),
    /// It has read all its records.
    InputEnds,
    /// It publishes what is staged up to this number.
    Publish(u64),
    Exit,
}

impl Contract {
    /// Of a task that is to be started.
    pub(super) fn new(world: &mut World, deploy: &Deploy) -> Option<Box<Self>> {
        let Item::Record(index) = item_of(deploy.task.job) else {
            unreachable!("a job has a record")
        };
        let job = &world.plan.jobs[usize::from(index)];
        let plan = job.checkpoints.as_ref()?;
        let rank = deploy.task.rank.0;
        let partitions = (0..plan.partitions).filter(|index| index % deploy.tasks == rank);
        let hangs = world.plan.faults.contract.hangs;
        let hangs = world.is_chaos && world.dice.chance(hangs);
        Some(Box::new(Self {
            tasks: deploy.tasks,
            restore: deploy.restore.clone(),
            has_two_files: plan.has_two_files,
            records: job.records(),
            partitions: partitions
                .map(|index| Partition {
                    index,
                    base: 0,
                    staged: 0,
                })
                .collect(),
            restored: Vec::new(),
            begun_at: None,
            staged: Vec::new(),
            saying: None,
            asked: None,
            upload: None,
            acked: deploy.restore.as_ref().map_or(0, |point| point.from.number),
            committed: 0,
            input: Input::Open,
            hangs,
            hears_at: 0,
            was_stopped: false,
        }))
    }

    /// Starts from what the ranks of a checkpoint have stored, however many they were.
    fn restored(&mut self, states: &[&RankState], rank: u32) {
        let is_ours = |partition: u32| partition % self.tasks == rank;
        for (partition, offset) in states.iter().flat_map(|state| &state.offsets) {
            let ours = self.partitions.iter_mut();
            for ours in ours.filter(|ours| ours.index == *partition) {
                (ours.base, ours.staged) = (*offset, *offset);
            }
        }
        let pieces = states.iter().flat_map(|state| &state.staged).copied();
        self.restored = pieces.filter(|piece| is_ours(piece.partition)).collect();
    }

    fn read(&self, partition: &Partition, now: Instant) -> u64 {
        let since = self.begun_at.map_or(0, |begun| now - begun);
        let read = since / MILLISECOND * RECORDS_A_SECOND / 1000;
        (partition.base + read)
            .min(self.records)
            .max(partition.base)
    }

    /// When it has read everything.
    fn ends_at(&self, begun: Instant) -> Option<Instant> {
        if self.records == u64::MAX {
            return None;
        }
        let left = self.partitions.iter();
        let left = left.map(|partition| self.records.saturating_sub(partition.base));
        let millis = left.max().unwrap_or(0) * 1000 / RECORDS_A_SECOND + 1;
        Some(begun + millis * MILLISECOND)
    }

    /// Stages what was read and not staged yet, for this number, and says what it has.
    fn snapshot(
        &mut self,
        task: TaskId,
        number: u64,
        asked: Option<(u64, Seal)>,
        now: Instant,
    ) -> RankState {
        let mut offsets = Vec::with_capacity(self.partitions.len());
        for at in 0..self.partitions.len() {
            let partition = self.partitions[at];
            let read = self.read(&partition, now);
            if read > partition.staged {
                let piece = Piece {
                    partition: partition.index,
                    from: partition.staged,
                    to: read,
                };
                self.staged.push(Staged { number, piece });
                self.partitions[at].staged = read;
            }
            offsets.push((partition.index, read));
        }
        RankState {
            attempt: task.attempt,
            rank: task.rank,
            asked,
            offsets,
            staged: self.staged.iter().map(|staged| staged.piece).collect(),
        }
    }
}

impl World {
    /// Tells a task something, after what it was told before.
    pub(super) fn tell_task(
        &mut self,
        key: (Process, TaskId),
        order: ContractOrder,
        seal: Option<Seal>,
    ) {
        let at = self.now + self.dice.range(0, MILLISECOND);
        let Some(contract) = self.contract_of(key) else {
            return;
        };
        contract.hears_at = at.max(contract.hears_at + 1);
        contract.was_stopped |= order == ContractOrder::Stop;
        let at = contract.hears_at;
        self.at(at, step(key, Step::Told(order, seal)));
    }

    /// Says whether what a task said is taken.
    pub(super) fn task_heard(&mut self, key: (Process, TaskId), is_taken: bool) {
        self.soon(key, Step::Heard(is_taken));
    }

    /// The process of a task that speaks the contract begins.
    pub(super) fn begin_contract(&mut self, key: (Process, TaskId)) {
        if self.contract_of(key).is_some() {
            self.soon(key, Step::Restore);
        }
    }

    /// Copies the last files of a rank that has finished to where those of a savepoint lie.
    pub(super) fn copy_last(
        &mut self,
        host: usize,
        key: (Process, TaskId),
        of: (u64, SavepointId),
        part: &RankPart,
    ) {
        let (process, task) = key;
        let number = of.0;
        let from = checkpoint_id(task, number, None);
        let to = checkpoint_id(task, number, Some(of.1));
        let mut files = Vec::new();
        let mut copies = Vec::new();
        for file in &part.files {
            let Some(source) = self.blobs.get(&Key::of_file(&from, file)).cloned() else {
                return; // Gone with an attempt that is over.
            };
            let object = self.draw_name(&format!("{}/{}/last", directory(&to), task.rank.0));
            let copy = StoredFile {
                object,
                ..file.clone()
            };
            copies.push((Key::of_file(&to, &copy), source));
            files.push(copy);
        }
        let part = RankPart {
            is_finished: true,
            files,
        };
        match self.put_files(copies) {
            Some(at) => {
                let said = Said::Acked(Acked { number, part });
                let mail = TaskManagerMail::Said {
                    task,
                    said,
                    is_by_task: false,
                };
                self.at(at, Event::TaskManager((host, process), mail));
            }
            None => {
                let mail = TaskManagerMail::CopyAgain {
                    task,
                    number,
                    savepoint: of.1,
                };
                self.after(PATIENCE, Event::TaskManager((host, process), mail));
            }
        }
    }

    /// What happens to a task that speaks the contract.
    pub(super) fn contract_steps(&mut self, key: (Process, TaskId), step: Step) {
        if self.meets_mishap(key, &step) {
            return;
        }
        let Some(mut contract) = self
            .tasks
            .get_mut(&key)
            .and_then(|task| task.contract.take())
        else {
            return;
        };
        match step {
            Step::Restore => self.restore(key, &contract),
            Step::ReadFiles(manifest) => self.read_files(key, &mut contract, &manifest),
            Step::Prepare => {
                let pieces = std::mem::take(&mut contract.restored);
                self.publish(key.1, pieces);
                self.say(key, &mut contract, Saying::Ready, Said::Ready);
            }
            Step::Told(order, seal) => self.told(key, &mut contract, order, seal),
            Step::Store(id) => self.store_part(key, &contract, id),
            Step::Stored { upload, part } => self.stored_part(key, &mut contract, upload, part),
            Step::NotStored(id) => {
                if contract
                    .upload
                    .as_ref()
                    .is_some_and(|upload| upload.id == id)
                {
                    self.soon(key, Step::Store(id));
                }
            }
            Step::Heard(is_taken) => self.heard(key, &mut contract, is_taken),
            Step::InputEnds => {
                contract.input = Input::Ended;
                self.finish_if_ended(key, &mut contract);
            }
            Step::Publish(up_to) => {
                let pieces = take_staged(&mut contract, up_to);
                self.publish(key.1, pieces);
            }
            Step::Exit => {
                let up_to = contract.committed;
                let pieces = take_staged(&mut contract, up_to);
                self.publish(key.1, pieces);
                return self.end(key, EndedHow::Exited { code: 0 });
            }
        }
        if let Some(task) = self.tasks.get_mut(&key) {
            task.contract = Some(contract);
        }
    }

    /// Whether the dice end it here.
    fn meets_mishap(&mut self, key: (Process, TaskId), step: &Step) -> bool {
        if !self.is_chaos {
            return false;
        }
        let faults = self.plan.faults.contract;
        // Between the commit and the last piece that is published it matters most.
        let is_closing = matches!(
            step,
            Step::Publish(_) | Step::Exit | Step::Told(ContractOrder::Stop, _)
        );
        let dies = if is_closing {
            8 * faults.dies
        } else {
            faults.dies
        };
        let how = if self.dice.chance(dies) {
            EndedHow::Exited { code: 1 }
        } else if self.dice.chance(faults.exits) && self.hears_nothing(key) {
            EndedHow::Exited { code: 0 }
        } else {
            return false;
        };
        if let (Step::Publish(up_to), Some(contract)) = (step, self.contract_of(key)) {
            let mut pieces = take_staged(contract, *up_to);
            let some = self.dice.index(pieces.len() + 1);
            pieces.truncate(some);
            self.publish(key.1, pieces);
        }
        self.end(key, how);
        true
    }

    /// Whether nothing is on its way to a task. One that exits with 0 after it was told to stop has
    /// promised that everything is published, so it must have heard what it was told.
    fn hears_nothing(&mut self, key: (Process, TaskId)) -> bool {
        let now = self.now;
        let Some(host) = self.tasks.get(&key).map(|task| task.host) else {
            return false;
        };
        let place = &self.task_managers[host];
        let is_reached = now >= place.paused_until && place.waiting.is_empty();
        let contract = self.contract_of(key);
        let is_told = |contract: &mut Contract| {
            let committed = contract.committed;
            let is_due = |staged: &Staged| staged.number <= committed;
            now <= contract.hears_at
                || contract.was_stopped
                || contract.staged.iter().any(is_due)
                || !contract.restored.is_empty()
        };
        is_reached && !contract.is_none_or(is_told)
    }

    fn contract_of(&mut self, key: (Process, TaskId)) -> Option<&mut Contract> {
        self.tasks.get_mut(&key)?.contract.as_deref_mut()
    }

    fn soon(&mut self, key: (Process, TaskId), then: Step) {
        let delay = self.dice.range(0, LONGEST_STEP);
        self.after(delay, step(key, then));
    }

    fn say(&mut self, key: (Process, TaskId), contract: &mut Contract, what: Saying, said: Said) {
        contract.saying = Some(what);
        let (process, task) = key;
        let Some(host) = self.tasks.get(&key).map(|task| task.host) else {
            return;
        };
        let mail = TaskManagerMail::Said {
            task,
            said,
            is_by_task: true,
        };
        let delay = self.dice.range(0, MILLISECOND);
        self.after(delay, Event::TaskManager((host, process), mail));
    }

    fn publish(&mut self, task: TaskId, pieces: Vec<Piece>) {
        for piece in pieces {
            self.fact(Fact::Published { task, piece });
        }
    }

    // From what it starts.

    fn restore(&mut self, key: (Process, TaskId), contract: &Contract) {
        let Some(point) = contract.restore.clone() else {
            return self.soon(key, Step::Prepare);
        };
        match self.blob_fate() {
            Fate::Answered(delay) => match self.blobs.manifest(&point).cloned() {
                Some(manifest) => {
                    self.after(delay, step(key, Step::ReadFiles(Box::new(manifest))));
                }
                None => self.not_restored(key, &format!("the manifest {point:?}")),
            },
            Fate::Unanswered(_) => self.after(PATIENCE, step(key, Step::Restore)),
        }
    }

    fn read_files(&mut self, key: (Process, TaskId), contract: &mut Contract, manifest: &Manifest) {
        if matches!(self.blob_fate(), Fate::Unanswered(_)) {
            return self.after(PATIENCE, step(key, Step::Restore));
        }
        let mut states = Vec::new();
        for file in manifest.ranks.iter().flat_map(|part| &part.files) {
            let found = self.blobs.get(&Key::of_file(&manifest.id, file));
            let Some(found) = found.filter(|found| found.sha256 == file.sha256) else {
                let why = format!("{} of {:?}", file.object, manifest.id);
                return self.not_restored(key, &why);
            };
            if let Content::State(state) = &*found.content {
                states.push(state);
            }
        }
        contract.restored(&states, key.1.rank.0);
        self.soon(key, Step::Prepare);
    }

    fn not_restored(&mut self, key: (Process, TaskId), what: &str) {
        let why = format!("{what} is gone or altered");
        self.fact(Fact::NotRestored { task: key.1 });
        self.end(key, EndedHow::NotRestored { why });
    }

    // What it is told.

    fn told(
        &mut self,
        key: (Process, TaskId),
        contract: &mut Contract,
        order: ContractOrder,
        seal: Option<Seal>,
    ) {
        match order {
            ContractOrder::Begin => {
                contract.begun_at = Some(self.now);
                if let Some(at) = contract.ends_at(self.now) {
                    self.at(at, step(key, Step::InputEnds));
                }
            }
            ContractOrder::Checkpoint { number, savepoint } => {
                let seal = seal.expect("an order of a term asks for it");
                let task = key.1;
                self.fact(Fact::Asked { task, number, seal });
                if contract.input == Input::Finished || contract.hangs {
                    return;
                }
                let asked = Asked { number, savepoint };
                let state = contract.snapshot(task, number, Some((number, seal)), self.now);
                contract.asked = Some(asked);
                self.begin_upload(key, contract, Some(asked), state);
            }
            ContractOrder::Aborted { number } => {
                if self.plan.mutation == ClusterMutation::SkippedForgotten {
                    contract.staged.retain(|staged| staged.number > number);
                }
                settle(contract, number);
                self.finish_if_ended(key, contract);
            }
            ContractOrder::Committed { number } => {
                contract.committed = contract.committed.max(number);
                settle(contract, number);
                self.soon(key, Step::Publish(number));
                self.finish_if_ended(key, contract);
            }
            ContractOrder::Stop => self.soon(key, Step::Exit),
        }
    }

    fn heard(&mut self, key: (Process, TaskId), contract: &mut Contract, is_taken: bool) {
        match contract.saying.take() {
            Some(Saying::Acked(number)) if is_taken => {
                contract.acked = contract.acked.max(number);
                if self.plan.mutation == ClusterMutation::PublishedWhenAcked {
                    self.soon(key, Step::Publish(number));
                }
            }
            Some(Saying::Acked(_) | Saying::Ready | Saying::Finished) | None => {}
        }
        self.finish_if_ended(key, contract);
    }

    /// Hands over the last files, when what it acknowledges is settled: what is staged for later
    /// belongs to checkpoints above that.
    fn finish_if_ended(&mut self, key: (Process, TaskId), contract: &mut Contract) {
        if contract.input != Input::Ended || contract.saying.is_some() || contract.hangs {
            return;
        }
        contract.input = Input::Finished;
        contract.asked = None;
        let next = contract.acked + 1;
        for staged in &mut contract.staged {
            staged.number = staged.number.min(next);
        }
        let state = contract.snapshot(key.1, next, None, self.now);
        self.begin_upload(key, contract, None, state);
    }

    // What it stores.

    fn begin_upload(
        &mut self,
        key: (Process, TaskId),
        contract: &mut Contract,
        of: Option<Asked>,
        state: RankState,
    ) {
        let id = self.number();
        let state = Arc::new(Content::State(state));
        contract.upload = Some(Upload { id, of, state });
        let slow = self.plan.faults.contract.is_slow;
        let longest = if self.is_chaos && self.dice.chance(slow) {
            LONGEST_SLOW_SNAPSHOT
        } else {
            LONGEST_SNAPSHOT
        };
        let delay = self.dice.range(0, longest);
        self.after(delay, step(key, Step::Store(id)));
    }

    fn store_part(&mut self, key: (Process, TaskId), contract: &Contract, id: u64) {
        let Some(upload) = contract.upload.as_ref().filter(|upload| upload.id == id) else {
            return;
        };
        let task = key.1;
        let (checkpoint, directory, kind) = match upload.of {
            Some(Asked { number, savepoint }) => {
                let id = checkpoint_id(task, number, savepoint);
                (id, directory(&id), PartKind::Numbered)
            }
            None => {
                let id = checkpoint_id(task, 0, None);
                (id, format!("{}/final", task.attempt.0), PartKind::Last)
            }
        };
        let second = contract.has_two_files.then(|| Arc::new(Content::Second));
        let contents = [
            Some(("state", Arc::clone(&upload.state))),
            second.map(|c| ("second", c)),
        ];
        let (mut files, mut puts) = (Vec::new(), Vec::new());
        for (name, content) in contents.into_iter().flatten() {
            let object = self.draw_name(&format!("{directory}/{}/{name}", task.rank.0));
            let sha256 = self.digest();
            let key = Key {
                root: Root::of(&checkpoint),
                name: object.clone(),
            };
            puts.push((
                key,
                File {
                    content,
                    sha256: sha256.clone(),
                },
            ));
            files.push(StoredFile {
                name: name.to_owned(),
                object,
                size: 1,
                sha256,
            });
        }
        let part = RankPart {
            is_finished: kind == PartKind::Last,
            files,
        };
        let upload = id;
        match self.put_files(puts) {
            Some(at) => self.at(at, step(key, Step::Stored { upload, part })),
            None => self.after(PATIENCE, step(key, Step::NotStored(upload))),
        }
    }

    /// Writes files; when that is known to be done, if it is.
    fn put_files(&mut self, puts: Vec<(Key, File)>) -> Option<Instant> {
        match self.blob_fate() {
            Fate::Answered(delay) => {
                self.after(delay, Event::PutFiles(puts));
                Some(self.now + 2 * delay + 1)
            }
            Fate::Unanswered(lands) => {
                if let Some(delay) = lands {
                    self.after(delay, Event::PutFiles(puts));
                }
                None
            }
        }
    }

    fn stored_part(
        &mut self,
        key: (Process, TaskId),
        contract: &mut Contract,
        id: u64,
        part: RankPart,
    ) {
        let Some(upload) = contract.upload.take_if(|upload| upload.id == id) else {
            return; // It was given up meanwhile.
        };
        match upload.of {
            Some(Asked { number, .. }) => {
                let said = Said::Acked(Acked { number, part });
                self.say(key, contract, Saying::Acked(number), said);
            }
            None => self.say(key, contract, Saying::Finished, Said::Finished(part)),
        }
    }
}

/// Nothing up to this number is to be stored any more.
fn settle(contract: &mut Contract, number: u64) {
    contract.asked.take_if(|asked| asked.number <= number);
    let is_settled = |upload: &mut Upload| upload.of.is_some_and(|asked| asked.number <= number);
    contract.upload.take_if(is_settled);
}

fn take_staged(contract: &mut Contract, up_to: u64) -> Vec<Piece> {
    let taken = contract
        .staged
        .extract_if(.., |staged| staged.number <= up_to);
    taken.map(|staged| staged.piece).collect()
}

fn checkpoint_id(task: TaskId, number: u64, savepoint: Option<SavepointId>) -> CheckpointId {
    CheckpointId {
        job: task.job,
        incarnation: task.incarnation,
        attempt: task.attempt,
        number,
        savepoint,
    }
}

fn step(key: (Process, TaskId), step: Step) -> Event {
    Event::Task(key, TaskEvent::Contract(step))
}
