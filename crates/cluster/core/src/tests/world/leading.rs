//! What the JobManager does for its leader, at once.

use super::{Fault, Message, World};
use crate::leader::{LeaderAction, LeaderEvent, Opened, Unwritten};
use crate::message::{Command, ContractOrder, Gang};
use crate::task_manager::TaskManagerEvent;
use crate::{JobId, JobRecord};

impl World {
    pub(super) fn step_leader(&mut self, event: LeaderEvent) {
        let now = self.now();
        let Some(leader) = &mut self.leader else {
            return;
        };
        if let LeaderEvent::Committed(job) | LeaderEvent::NotCommitted { job, .. } = &event {
            self.committing.remove(job);
        }
        for action in leader.step(now, event) {
            if let Some(left) = &mut self.dies_after {
                match left.checked_sub(1) {
                    Some(fewer) => *left = fewer,
                    None => {
                        self.dies_after = None;
                        return self.kill_leader();
                    }
                }
            }
            self.perform(action);
            if self.leader.is_none() {
                return;
            }
        }
    }

    fn perform(&mut self, action: LeaderAction) {
        let answer = match action {
            LeaderAction::List if self.is_store_up => {
                LeaderEvent::Listed(self.store.keys().copied().collect())
            }
            LeaderAction::List => return,
            LeaderAction::Open(job) if self.holds_opening => return self.held.push(job),
            LeaderAction::Open(job) => self.open(job),
            LeaderAction::Commit(record) => {
                self.trace.push(format!(
                    "commit {:?} attempt {}",
                    record.state, record.attempt
                ));
                let is_first = self.committing.insert(record.id);
                assert!(is_first, "at most one commit of a job is under way");
                match self.commit(*record) {
                    Some(event) => event,
                    None => return,
                }
            }
            LeaderAction::Erase { job, .. } if self.never_erases => {
                let why = Unwritten::NotApplied;
                LeaderEvent::NotCommitted { job, why }
            }
            LeaderAction::Erase {
                job, is_archived, ..
            } => {
                self.trace.push(format!("erase {job}"));
                self.archived.extend(is_archived.then_some(job));
                self.store.remove(&job);
                LeaderEvent::Erased(job)
            }
            LeaderAction::Dial(_) => return,
            LeaderAction::Order(order) => {
                self.trace.push(match &order.command {
                    Command::Report { .. } => "report".to_owned(),
                    Command::Deploy(deploy) => {
                        format!("deploy {} {}", deploy.task.attempt, deploy.task.rank)
                    }
                    Command::End { task, .. } => format!("end {} {}", task.attempt, task.rank),
                    Command::Forget { tasks } => format!("forget {}", tasks.len()),
                    Command::Drain => "drain".to_owned(),
                    Command::Contract { order, .. } => match order {
                        ContractOrder::Begin => "begin".to_owned(),
                        ContractOrder::Checkpoint { number, .. } => format!("checkpoint {number}"),
                        ContractOrder::Committed { number } => format!("committed {number}"),
                        ContractOrder::Aborted { number } => format!("aborted {number}"),
                        ContractOrder::Stop => "stop".to_owned(),
                    },
                });
                self.check_order(&order.command);
                let to = order.to;
                let lost = self
                    .nodes
                    .get(&to)
                    .is_none_or(|node| node.is_dead || node.is_cut || node.loses_orders);
                if lost {
                    let why = "connection refused".to_owned();
                    LeaderEvent::Undelivered { to, order, why }
                } else {
                    return self.step_node(to, TaskManagerEvent::Ordered(order));
                }
            }
            LeaderAction::Acknowledge { to, ack } => {
                let sent_at = self.now().time;
                if let Some(node) = self.nodes.get(&to)
                    && !node.is_cut
                {
                    let event = TaskManagerEvent::Acknowledged { ack, sent_at };
                    self.queue.push_back(Message::Node(to, event));
                }
                return;
            }
            LeaderAction::Watch(place) => {
                self.watched.insert(place.nonce);
                return self.prove(place.nonce);
            }
            LeaderAction::Unwatch(nonce) => {
                self.watched.remove(&nonce);
                return;
            }
            LeaderAction::Answer { ticket, answer } => {
                let before = self.answers.insert(ticket.0, answer);
                assert!(before.is_none(), "a question is answered once");
                return;
            }
            LeaderAction::StoreManifest(manifest) => {
                self.trace.push(format!("manifest {}", manifest.id.number));
                match self.store_manifest(*manifest) {
                    Some(event) => event,
                    None => return,
                }
            }
            LeaderAction::FindSavepoint(savepoint) => self.find_savepoint(savepoint),
            LeaderAction::MarkSavepoint {
                job,
                incarnation,
                savepoint,
                ..
            } => {
                let point = savepoint.checkpoint.restore_point(job, incarnation);
                self.blobs.marked.insert(savepoint.id, point);
                return;
            }
            LeaderAction::RemoveSavepoint(savepoint) => {
                match self.remove_savepoint_files(savepoint) {
                    Some(event) => event,
                    None => return,
                }
            }
            LeaderAction::Tidy(tidy) => return self.tidy(*tidy),
            LeaderAction::Tell(story) => return self.stories.push(story),
            LeaderAction::StepDown => {
                self.trace.push("step down".to_owned());
                return self.kill_leader();
            }
        };
        self.queue.push_back(Message::Leader(answer));
    }

    /// Every order repeats what a record says (R3).
    fn check_order(&self, command: &Command) {
        let (task, is_end) = match command {
            Command::Deploy(deploy) => (deploy.task, false),
            Command::End { task, .. } => (*task, true),
            Command::Contract { gang, order } => return self.check_contract(gang, *order),
            Command::Report { .. } | Command::Forget { .. } | Command::Drain => return,
        };
        let record = self.store.get(&task.job).map(|stored| &stored.record);
        let is_present = record.is_some_and(|record| {
            record.incarnation == task.incarnation
                && record.attempt == task.attempt
                && record.is_to_run()
        });
        assert_ne!(is_present, is_end, "{task}: {record:#?}");
    }

    /// None but the trigger and the beginning says what no record says.
    fn check_contract(&self, gang: &Gang, order: ContractOrder) {
        let record = self.record(gang.job);
        assert!(record.is_to_run() && record.attempt == gang.attempt);
        let is_committed = |n| record.checkpoints.iter().any(|c| c.number == n);
        match order {
            ContractOrder::Begin => {}
            ContractOrder::Checkpoint { number, .. } => {
                assert!(number > record.newest_checkpoint(), "numbers rise");
            }
            ContractOrder::Committed { number } => assert!(is_committed(number)),
            ContractOrder::Aborted { number } => assert!(!is_committed(number)),
            ContractOrder::Stop => assert!(record.closing.is_some()),
        }
    }

    fn open(&mut self, job: JobId) -> LeaderEvent {
        let seal = self.seal();
        let found = match self.store.get_mut(&job) {
            _ if !self.is_store_up => Opened::Unavailable,
            None => Opened::Absent,
            Some(stored) => {
                stored.seal = Some(seal);
                match &stored.damage {
                    Some(why) => Opened::Damaged(why.clone()),
                    None => Opened::Record(Box::new(stored.record.clone())),
                }
            }
        };
        LeaderEvent::Opened { job, found }
    }

    /// Answers one that was held back.
    pub(in crate::tests) fn open_one(&mut self, job: JobId) {
        self.held.retain(|held| *held != job);
        let event = self.open(job);
        self.tell_leader(event);
    }

    /// Answers what was held back.
    pub(in crate::tests) fn open_held(&mut self) {
        self.holds_opening = false;
        for job in std::mem::take(&mut self.held) {
            let event = self.open(job);
            self.queue.push_back(Message::Leader(event));
        }
        self.settle();
    }

    fn commit(&mut self, record: JobRecord) -> Option<LeaderEvent> {
        let seal = self.seal();
        let job = record.id;
        let not = |why| Some(LeaderEvent::NotCommitted { job, why });
        if !self.is_store_up {
            return not(Unwritten::NotApplied);
        }
        let fault = self.faults.pop_front().unwrap_or(Fault::None);
        let stored = self.store.get_mut(&job).expect("it was opened");
        assert_eq!(stored.seal, Some(seal), "only what is open is committed");
        match fault {
            Fault::None => {
                stored.record = record;
                Some(LeaderEvent::Committed(job))
            }
            Fault::NotApplied => not(Unwritten::NotApplied),
            Fault::UnknownWritten => {
                stored.record = record;
                not(Unwritten::Unknown)
            }
            Fault::UnknownLost => not(Unwritten::Unknown),
            Fault::Silent => {
                self.silent = Some(record);
                None
            }
            Fault::LeaderDies => {
                self.kill_leader();
                None
            }
        }
    }

    /// The commit of which nothing was told takes effect.
    pub(in crate::tests) fn commit_silent(&mut self, job: JobId) {
        let record = self.silent.take().expect("a commit is under way");
        assert_eq!(record.id, job);
        self.store.get_mut(&job).expect("it was opened").record = record;
        self.tell_leader(LeaderEvent::Committed(job));
    }
}
