//! Anything may happen in any order: nothing panics, and what must hold holds.
//!
//! [`World`] itself refuses a second commit of a job while one is under way, an order that no
//! record calls for, and a task that is started twice.

use std::collections::BTreeMap;

use incumbent_core::Nonce;

use super::SECOND;
use super::world::{Fault, World, checkpointing, fenced, spec};
use crate::checkpoint::RestoreFrom;
use crate::dice::Dice;
use crate::leader::Question;
use crate::task_manager::TaskManagerEvent;
use crate::{Checkpointing, Isolation, JobId, JobSpec, JobState, NodeNonce, SavepointId, TaskId};

const SEEDS: u128 = 24;
const STEPS: usize = 120;
const MOST_NODES: usize = 8;

struct Chaos {
    world: World,
    dice: Dice,
    jobs: Vec<JobId>,
    /// The newest checkpoint that each job had.
    newest: BTreeMap<JobId, u64>,
}

impl Chaos {
    fn below(&mut self, most: usize) -> usize {
        (self.dice.number() % most.max(1) as u64) as usize
    }

    fn node(&mut self) -> NodeNonce {
        let at = self.below(self.world.nodes.len());
        *self.world.nodes.keys().nth(at).expect("there are nodes")
    }

    fn job(&mut self) -> Option<JobId> {
        let at = self.below(self.jobs.len());
        self.jobs.get(at).copied()
    }

    fn spec(&mut self) -> JobSpec {
        let name = format!("job-{}", self.below(20));
        let tasks = 1 + self.below(4) as u32;
        match self.below(6) {
            0 => fenced(&name, tasks),
            1 => spec(&name, tasks),
            2..=4 => {
                let is_fenced = self.below(2) == 0;
                let timeout_ms = Some(20_000);
                JobSpec {
                    isolation: if is_fenced {
                        Isolation::Fenced
                    } else {
                        Isolation::Exclusive { timeout_ms }
                    },
                    restore: self.restore(),
                    checkpoints: Some(Checkpointing {
                        interval_ms: Some(5_000),
                        ..Checkpointing::default()
                    }),
                    ..checkpointing(&name, tasks)
                }
            }
            _ => JobSpec {
                isolation: Isolation::Exclusive {
                    timeout_ms: Some(20_000),
                },
                ..spec(&name, tasks)
            },
        }
    }

    fn savepoint(&mut self) -> SavepointId {
        SavepointId::new(self.below(12) as u128)
    }

    /// Most jobs start with nothing. Only what is kept can be started from: output is not counted
    /// across jobs.
    fn restore(&mut self) -> Option<RestoreFrom> {
        let job = self.job()?;
        match self.below(8) {
            0 => Some(RestoreFrom::Job {
                job,
                checkpoint: None,
            }),
            1 => Some(RestoreFrom::Savepoint {
                savepoint: self.savepoint(),
            }),
            _ => None,
        }
    }

    fn question(&mut self, job: JobId) -> Question {
        let savepoint = self.savepoint();
        match self.below(12) {
            0 => Question::Cancel(job),
            1 => Question::Restart(job),
            2 => Question::Remove(job),
            3 | 4 => Question::Suspend { job, savepoint },
            5 | 6 => Question::Resume(job),
            7 | 8 => Question::Rescale {
                job,
                tasks: 1 + self.below(5) as u32,
            },
            9 => Question::Savepoint { job, savepoint },
            10 => Question::RemoveSavepoint(savepoint),
            _ => Question::Job(job),
        }
    }

    fn step(&mut self) {
        match self.below(24) {
            0..=2 => {
                let spec = self.spec();
                let job = self.world.submit(spec);
                if self.below(3) == 0 {
                    let length = self.below(40) as u64;
                    self.world.lengths.insert(job, length);
                }
                self.jobs.push(job);
            }
            3..=5 => {
                let processes = self
                    .world
                    .nodes
                    .values()
                    .flat_map(|node| node.processes.keys());
                let tasks: Vec<TaskId> = processes.copied().collect();
                let at = self.below(tasks.len());
                let code = i32::from(self.below(2) == 0);
                if let Some(task) = tasks.get(at) {
                    self.world.exit(*task, code, &["last"]);
                }
            }
            6 if self.world.nodes.len() < MOST_NODES => {
                let slots = 1 + self.below(3) as u32;
                self.world.add_node(slots);
                self.world.settle();
            }
            7 => {
                let node = self.node();
                self.world.kill(node);
                self.world.settle();
            }
            8 | 9 => {
                let node = self.node();
                let is_cut = self.below(2) == 0;
                self.world.nodes.get_mut(&node).expect("it is there").is_cut = is_cut;
                self.world.see_leaders();
            }
            10 => {
                let node = self.node();
                let node = self.world.nodes.get_mut(&node).expect("it is there");
                node.loses_orders = !node.loses_orders;
            }
            11 => {
                let faults = [Fault::NotApplied, Fault::UnknownWritten, Fault::UnknownLost];
                let fault = faults[self.below(faults.len())];
                self.world.faults.push_back(fault);
            }
            12 => self.world.is_store_up = self.below(2) == 0,
            13 => self.world.faults.push_back(Fault::LeaderDies),
            14 => self.world.kill_leader(),
            15 | 17..=19 => {
                let Some(job) = self.job() else { return };
                let question = self.question(job);
                self.world.ask(question);
            }
            20 => {
                let rank = self.below(3) as u32;
                if !self.world.late.remove(&rank) {
                    self.world.late.insert(rank);
                }
            }
            21 => {
                let refuses = [None, Some(true), Some(false)];
                self.world.blobs.refuses = refuses[self.below(3)];
                self.world.blobs.is_out = self.below(2) == 0;
            }
            22 => self.world.dies_after = Some(self.below(30)),
            16 => {
                let node = self.node();
                self.world.tell_node(node, TaskManagerEvent::Drain);
            }
            _ => {}
        }
        if self.below(3) == 0 && self.world.leader.is_none() {
            self.world.elect();
        }
        let pauses = [1, 50, 500, 2000, 12_000, 40_000];
        let pause = pauses[self.below(pauses.len())];
        self.world.run(SECOND * pause / 1000);
    }

    fn check(&self) {
        let mut exclusive: BTreeMap<JobId, (u64, u32)> = BTreeMap::new();
        let mut slots = BTreeMap::new();
        for (nonce, node) in &self.world.nodes {
            for (task, process) in &node.processes {
                let before = slots.insert((*nonce, process.slot), *task);
                assert_eq!(before, None, "two tasks in slot {}", process.slot);
                if !process.is_exclusive {
                    continue;
                }
                let attempt = (task.incarnation.get(), task.attempt.0);
                let other = exclusive.insert(task.job, attempt);
                assert!(
                    other.is_none_or(|other| other == attempt),
                    "two attempts of {task}"
                );
            }
        }
    }

    /// Numbers rise, and nothing is published twice.
    fn check_checkpoints(&mut self) {
        for job in &self.jobs {
            self.world.check_once(*job);
            let Some(stored) = self.world.store.get(job) else {
                continue;
            };
            if stored.record.state.is_terminal() {
                continue;
            }
            let now = stored.record.newest_checkpoint();
            let before = self.newest.insert(*job, now).unwrap_or_default();
            assert!(now >= before, "numbers of {job} rise");
        }
    }

    /// Everything works again: what can run, runs.
    fn heal(&mut self) {
        self.world.is_store_up = true;
        self.world.faults.clear();
        self.world.late.clear();
        self.world.dies_after = None;
        self.world.blobs.refuses = None;
        self.world.blobs.is_out = false;
        for node in self.world.nodes.values_mut() {
            node.is_cut = false;
            node.loses_orders = false;
        }
        for _ in 0..4 {
            self.world.add_node(4);
        }
        self.world.elect();
        self.world.run(400 * SECOND);
        for job in self.jobs.clone() {
            let Some(stored) = self.world.store.get(&job) else {
                continue;
            };
            if stored.record.state.is_terminal() {
                if stored.record.state == JobState::Finished {
                    self.world.check_output(job);
                }
                assert!(self.world.alive(job).is_empty(), "{job} has ended");
                continue;
            }
            let view = self.world.view(job);
            let newest = self.world.record(job).newest_checkpoint();
            let is_checkpointing = self.world.record(job).is_checkpointing();
            if self.world.record(job).state.is_at_rest() {
                assert_eq!(view.state, JobState::Suspended);
                assert!(self.world.alive(job).is_empty(), "{job} is suspended");
                self.world.check_output(job);
                continue;
            }
            if view.state == JobState::Running && is_checkpointing {
                self.world.run(SECOND * 12);
                if self.world.record(job).is_to_run() {
                    assert!(
                        self.world.record(job).newest_checkpoint() > newest,
                        "{view:?}"
                    );
                }
                self.world.check_output(job);
            }
            let is_waiting = view.why.iter().any(|line| line.contains("waits for slots"));
            assert!(
                view.state == JobState::Running || is_waiting,
                "job {job} is {:?}: {:?}",
                view.state,
                view.why
            );
        }
    }
}

#[test]
fn whatever_happens_attempts_do_not_overlap_output_comes_once_and_afterwards_everything_runs() {
    for seed in 0..SEEDS {
        let mut chaos = Chaos {
            world: World::new(&[2, 1, 3]),
            dice: Dice::new(Nonce::new(seed)),
            jobs: Vec::new(),
            newest: BTreeMap::new(),
        };
        for _ in 0..STEPS {
            chaos.step();
            chaos.check();
            chaos.check_checkpoints();
        }
        chaos.heal();
        chaos.check();
        chaos.check_checkpoints();
    }
}
