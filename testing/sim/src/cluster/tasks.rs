//! [`Task`]: a process whose life is known, and its guard.

use incumbent_cluster_core::message::{Deploy, EndedHow};
use incumbent_cluster_core::{NodeNonce, TaskId};

use super::contract::{Contract, Step};
use super::fact::Fact;
use super::task_manager::TaskManagerMail;
use super::world::{Event, Process, World, item_of};
use crate::clock::{Instant, MILLISECOND};
use crate::history::Item;

/// How long a task takes to end after SIGTERM. All heed it.
const LONGEST_END: u64 = 1000 * MILLISECOND;

/// How long a guard takes to end its task after its TaskManager has died.
const LAST_WORDS: u64 = 300 * MILLISECOND;

/// A task that is being started, or runs.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) host: usize,
    pub(super) node: NodeNonce,
    pub(super) slot: u32,
    is_exclusive: bool,
    /// Whether its process runs.
    pub(super) has_begun: bool,
    /// When its guard ends it.
    ends_at: Option<Instant>,
    is_ending: bool,
    /// What it knows, if it speaks the contract.
    pub(super) contract: Option<Box<Contract>>,
}

/// What happens to a task.
#[derive(Clone, Debug)]
pub(super) enum TaskEvent {
    Begins,
    /// It ends, in this way.
    Ends(EndedHow),
    /// The deadline of its guard, if it was not moved.
    Deadline(Instant),
    /// Its guard has noticed that its TaskManager is dead.
    Orphaned,
    /// It does something that the contract says.
    Contract(Step),
}

impl World {
    pub(super) fn start_task(
        &mut self,
        host: usize,
        process: Process,
        node: NodeNonce,
        deploy: &Deploy,
        ends_at: Option<Instant>,
    ) {
        let key = (process, deploy.task);
        assert!(
            !self.tasks.contains_key(&key),
            "{} is started twice",
            deploy.task
        );
        let is_exclusive = deploy.isolation.is_exclusive();
        let contract = Contract::new(self, deploy);
        self.tasks.insert(
            key,
            Task {
                host,
                node,
                slot: deploy.slot,
                is_exclusive,
                has_begun: false,
                ends_at,
                is_ending: false,
                contract,
            },
        );
        let delay = self.dice.range(MILLISECOND, 30 * MILLISECOND);
        self.after(delay, Event::Task(key, TaskEvent::Begins));
        if let Some(at) = ends_at {
            self.at(at, Event::Task(key, TaskEvent::Deadline(at)));
        }
    }

    pub(super) fn extend_task(&mut self, process: Process, task: TaskId, ends_at: Instant) {
        let key = (process, task);
        let Some(found) = self.tasks.get_mut(&key) else {
            return;
        };
        if found.ends_at.is_some_and(|at| at < ends_at) {
            found.ends_at = Some(ends_at);
            self.at(ends_at, Event::Task(key, TaskEvent::Deadline(ends_at)));
        }
    }

    pub(super) fn end_task(&mut self, process: Process, task: TaskId, grace: u64) {
        let key = (process, task);
        let Some(found) = self.tasks.get_mut(&key) else {
            return;
        };
        if found.is_ending {
            return;
        }
        found.is_ending = true;
        let delay = self.dice.range(0, grace.min(LONGEST_END) + MILLISECOND);
        self.after(delay, Event::Task(key, TaskEvent::Ends(EndedHow::Ordered)));
    }

    pub(super) fn task_happens(&mut self, key: (Process, TaskId), event: TaskEvent) {
        let Some(task) = self.tasks.get(&key) else {
            return;
        };
        match event {
            TaskEvent::Begins => self.begin(key),
            TaskEvent::Ends(how) => self.end(key, how),
            TaskEvent::Deadline(at) => {
                if task.ends_at == Some(at) {
                    self.end(key, EndedHow::Isolated);
                }
            }
            TaskEvent::Orphaned => self.end(key, EndedHow::Signaled { signal: 9 }),
            TaskEvent::Contract(step) => self.contract_steps(key, step),
        }
    }

    fn begin(&mut self, key: (Process, TaskId)) {
        let Some(task) = self.tasks.get_mut(&key) else {
            return;
        };
        if task.is_ending {
            return;
        }
        let (process, id) = key;
        let (host, node, slot, is_exclusive) = (task.host, task.node, task.slot, task.is_exclusive);
        if self.dead.contains(&process) {
            self.tasks.remove(&key);
            return;
        }
        let fails = self.is_chaos && self.dice.chance(self.plan.faults.task_fails);
        let life = self.dice.range(MILLISECOND, 2000 * MILLISECOND);
        if fails && self.dice.chance(300) {
            let why = "as the dice fell".to_owned();
            return self.end(key, EndedHow::NotStarted { why });
        }
        let task = self.tasks.get_mut(&key).expect("just looked");
        task.has_begun = true;
        self.fact(Fact::Began {
            node,
            slot,
            task: id,
            is_exclusive,
        });
        let pid = u32::try_from(self.number()).expect("simulations are short");
        let mail = TaskManagerMail::Started { task: id, pid };
        let delay = self.dice.range(0, MILLISECOND);
        self.after(delay, Event::TaskManager((host, process), mail));
        self.begin_contract(key);
        if fails {
            self.after(
                life,
                Event::Task(key, TaskEvent::Ends(EndedHow::Exited { code: 1 })),
            );
        } else if let Some(works) = self.works(id) {
            self.after(
                works,
                Event::Task(key, TaskEvent::Ends(EndedHow::Exited { code: 0 })),
            );
        }
    }

    fn works(&self, task: TaskId) -> Option<u64> {
        let Item::Record(index) = item_of(task.job) else {
            return None;
        };
        let job = &self.plan.jobs[usize::from(index)];
        job.works.filter(|_| job.checkpoints.is_none())
    }

    /// The process ends, and everything that it started; then its guard says so.
    pub(super) fn end(&mut self, key: (Process, TaskId), how: EndedHow) {
        let Some(task) = self.tasks.remove(&key) else {
            return;
        };
        let (process, id) = key;
        if task.has_begun {
            self.fact(Fact::Gone {
                node: task.node,
                task: id,
            });
        }
        // Of one that exits with 0 nothing else is learned first: see `hears_nothing`.
        let longest = match how {
            EndedHow::Exited { code: 0 } => 0,
            _ => MILLISECOND,
        };
        let mail = TaskManagerMail::Ended { task: id, how };
        let delay = self.dice.range(0, longest);
        self.after(delay, Event::TaskManager((task.host, process), mail));
    }

    /// The guards of a TaskManager notice that it is dead.
    pub(super) fn orphan_tasks(&mut self, process: Process) {
        let orphans: Vec<_> = self
            .tasks
            .keys()
            .filter(|(of, _)| *of == process)
            .copied()
            .collect();
        for key in orphans {
            let delay = self.dice.range(0, LAST_WORDS);
            self.after(delay, Event::Task(key, TaskEvent::Orphaned));
        }
    }
}
