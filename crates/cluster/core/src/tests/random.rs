//! Anything may happen in any order: nothing panics, and what must hold holds.
//!
//! [`World`] itself refuses a second commit of a job while one is under way, an order that no
//! record calls for, and a task that is started twice.

use std::collections::BTreeMap;

use incumbent_core::Nonce;

use super::SECOND;
use super::world::{Fault, World, fenced, spec};
use crate::dice::Dice;
use crate::leader::Question;
use crate::task_manager::TaskManagerEvent;
use crate::{Isolation, JobId, JobSpec, JobState, NodeNonce, TaskId};

const SEEDS: u128 = 40;
const STEPS: usize = 120;
const MOST_NODES: usize = 8;

struct Chaos {
    world: World,
    dice: Dice,
    jobs: Vec<JobId>,
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
        match self.below(3) {
            0 => fenced(&name, tasks),
            1 => spec(&name, tasks),
            _ => JobSpec {
                isolation: Isolation::Exclusive {
                    timeout_ms: Some(20_000),
                },
                ..spec(&name, tasks)
            },
        }
    }

    fn step(&mut self) {
        match self.below(20) {
            0..=2 => {
                let spec = self.spec();
                let job = self.world.submit(spec);
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
            15 => {
                let Some(job) = self.job() else { return };
                let question = match self.below(4) {
                    0 => Question::Cancel(job),
                    1 => Question::Restart(job),
                    2 => Question::Remove(job),
                    _ => Question::Job(job),
                };
                self.world.ask(question);
            }
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

    /// Everything works again: what can run, runs.
    fn heal(&mut self) {
        self.world.is_store_up = true;
        self.world.faults.clear();
        for node in self.world.nodes.values_mut() {
            node.is_cut = false;
            node.loses_orders = false;
        }
        for _ in 0..4 {
            self.world.add_node(4);
        }
        self.world.elect();
        self.world.run(1000 * SECOND);
        for job in self.jobs.clone() {
            let Some(stored) = self.world.store.get(&job) else {
                continue;
            };
            if stored.record.state.is_terminal() {
                assert!(self.world.alive(job).is_empty(), "{job} has ended");
                continue;
            }
            let view = self.world.view(job);
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
fn whatever_happens_no_exclusive_attempts_overlap_and_afterwards_everything_runs() {
    for seed in 0..SEEDS {
        let mut chaos = Chaos {
            world: World::new(&[2, 1, 3]),
            dice: Dice::new(Nonce::new(seed)),
            jobs: Vec::new(),
        };
        for _ in 0..STEPS {
            chaos.step();
            chaos.check();
        }
        chaos.heal();
        chaos.check();
    }
}
