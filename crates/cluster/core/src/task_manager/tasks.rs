//! [`Tasks`]: what a TaskManager runs, and what it remembers of tasks that have ended.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use incumbent_core::Time;

use super::changes::{Changed, Changes};
use super::contract::{Contract, Effect};
use super::fitting::{put_off, shorten};
use super::{NotHeard, Said, TaskManagerAction};
use crate::message::{ContractOrder, ContractReport, Gang};
use crate::message::{Deploy, EndedHow, TaskEnd, TaskReport, TaskState};
use crate::{Attempt, Isolation, JobId, Rank, TaskId};

/// Most ended tasks that are remembered until a leader has written them down. Then no new task is
/// taken: to forget one would let it be started again.
pub(super) const MOST_REMEMBERED: usize = 10_000;

/// The tasks, live and ended.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    table: BTreeMap<TaskId, Task>,
    changes: Changes,
    live: usize,
}

#[derive(Debug)]
struct Task {
    slot: u32,
    state: TaskState,
    isolation: Isolation,
    isolated_at: Option<Time>,
    /// `None`: its job does not checkpoint.
    contract: Option<Contract>,
    progress: Option<String>,
    changed: Changed,
}

impl Tasks {
    pub(super) fn state(&self, task: TaskId) -> Option<&TaskState> {
        self.table.get(&task).map(|task| &task.state)
    }

    pub(super) fn contract(&self, task: TaskId) -> Option<&ContractReport> {
        let contract = self.table.get(&task)?.contract.as_ref();
        contract.map(Contract::report)
    }

    pub(super) fn has_live(&self) -> bool {
        self.live > 0
    }

    /// How many ended ones are remembered.
    pub(super) fn remembered(&self) -> usize {
        self.table.len() - self.live
    }

    /// A newer attempt of the job that this task is of.
    pub(super) fn newer_than(&self, task: TaskId) -> Option<TaskId> {
        let after = TaskId {
            attempt: Attempt(task.attempt.0.saturating_add(1)),
            rank: Rank(0),
            ..task
        };
        let last = TaskId {
            attempt: Attempt(u32::MAX),
            rank: Rank(u32::MAX),
            ..task
        };
        let mut newer = self.table.range(after..=last).map(|(id, _)| *id);
        newer.next().filter(|_| task.attempt.0 < u32::MAX)
    }

    /// The slot of an older attempt of the same job that has not ended.
    pub(super) fn older_alive(&self, task: TaskId) -> Option<u32> {
        let first = TaskId {
            attempt: Attempt(0),
            rank: Rank(0),
            ..task
        };
        let before = TaskId {
            rank: Rank(0),
            ..task
        };
        let mut older = self.table.range(first..before);
        older.find_map(|(_, task)| (!is_ended(&task.state)).then_some(task.slot))
    }

    /// The job whose task is in this slot and has not ended.
    pub(super) fn in_slot(&self, slot: u32) -> Option<JobId> {
        let mut there = self.table.iter().filter(|(_, task)| task.slot == slot);
        there.find_map(|(id, task)| (!is_ended(&task.state)).then_some(id.job))
    }

    /// A task is being started.
    pub(super) fn starting(&mut self, deploy: &Deploy, isolated_at: Option<Time>) {
        self.live += 1;
        self.table.insert(
            deploy.task,
            Task {
                slot: deploy.slot,
                state: TaskState::Starting,
                isolation: deploy.isolation,
                isolated_at,
                contract: deploy.is_checkpointing.then(Contract::default),
                progress: None,
                changed: Changed::default(),
            },
        );
        self.touch(deploy.task);
    }

    /// A task that never was here, and never will be.
    pub(super) fn never(&mut self, task: TaskId, slot: u32, end: TaskEnd) {
        let ended = Task {
            slot,
            state: TaskState::Ended(end),
            isolation: Isolation::Fenced,
            isolated_at: None,
            contract: None,
            progress: None,
            changed: Changed::default(),
        };
        let before = self.table.insert(task, ended);
        debug_assert!(before.is_none(), "a task that is here is not unknown");
        self.touch(task);
    }

    pub(super) fn running(&mut self, task: TaskId, pid: u32, since: String) {
        let Some(here) = self.table.get_mut(&task) else {
            return;
        };
        here.state = match &here.state {
            TaskState::Starting => TaskState::Running { pid, since },
            TaskState::Ending { .. } => TaskState::Ending { pid: Some(pid) },
            TaskState::Running { .. } | TaskState::Ended(_) => return,
        };
        self.touch(task);
    }

    /// It is to be ended; whether that is new.
    pub(super) fn ending(&mut self, task: TaskId) -> bool {
        let Some(here) = self.table.get_mut(&task) else {
            return false;
        };
        let pid = match &here.state {
            TaskState::Starting => None,
            TaskState::Running { pid, .. } => Some(*pid),
            TaskState::Ending { .. } | TaskState::Ended(_) => return false,
        };
        here.state = TaskState::Ending { pid };
        self.touch(task);
        true
    }

    /// It has ended; the slot that it was in, if that is new.
    pub(super) fn ended(&mut self, task: TaskId, mut end: TaskEnd) -> Option<u32> {
        let here = self.table.get_mut(&task)?;
        let was_ending = match &here.state {
            TaskState::Ended(_) => return None,
            TaskState::Ending { .. } => true,
            TaskState::Starting | TaskState::Running { .. } => false,
        };
        // What follows from the order is no failure of its own.
        let is_by_signal = matches!(end.how, EndedHow::Signaled { .. } | EndedHow::Exited { .. });
        if was_ending && is_by_signal {
            end.how = EndedHow::Ordered;
        }
        here.state = TaskState::Ended(end);
        let slot = here.slot;
        self.live -= 1;
        self.touch(task);
        Some(slot)
    }

    /// A leader has written its end down.
    pub(super) fn forget(&mut self, task: TaskId) {
        if self.table.get(&task).is_some_and(|t| is_ended(&t.state))
            && let Some(ended) = self.table.remove(&task)
        {
            self.changes.forget(&ended.changed);
        }
    }

    /// It is reported again.
    pub(super) fn touch(&mut self, task: TaskId) {
        if let Some(here) = self.table.get_mut(&task) {
            self.changes.note(task, &mut here.changed);
        }
    }

    /// All tasks of this attempt that have not ended are told.
    pub(super) fn contract_ordered(
        &mut self,
        gang: Gang,
        order: ContractOrder,
        out: &mut Vec<TaskManagerAction>,
    ) {
        for (&id, task) in self.table.range_mut(all_of(gang)) {
            let is_live = !is_ended(&task.state);
            let Some(contract) = task.contract.as_mut().filter(|_| is_live) else {
                continue;
            };
            let before = contract.shape();
            let effects = contract.ordered(order);
            if contract.shape() != before {
                self.changes.note(id, &mut task.changed);
            }
            out.extend(effects.into_iter().map(|effect| effect.of(id)));
        }
    }

    /// A task says something: the answer, and what follows.
    pub(super) fn said(&mut self, id: TaskId, said: Said, out: &mut Vec<TaskManagerAction>) {
        let heard = self.hear(id, said);
        let (answer, effects) = match heard {
            Ok(effects) => (TaskManagerAction::Heard, effects),
            Err(why) => (TaskManagerAction::NotHeard(why), Vec::new()),
        };
        out.push(answer);
        out.extend(effects.into_iter().map(|effect| effect.of(id)));
    }

    fn hear(&mut self, id: TaskId, said: Said) -> Result<Vec<Effect>, NotHeard> {
        let here = self.table.get_mut(&id);
        let here = here.filter(|task| !is_ended(&task.state));
        let task = here.ok_or(NotHeard::NoSuchTask)?;
        if let Said::Progress(line) = said {
            if task.progress.as_ref() != Some(&line) {
                task.progress = Some(line);
                self.changes.note_aside(id, &mut task.changed);
            }
            return Ok(Vec::new());
        }
        let contract = task.contract.as_mut().ok_or(NotHeard::NotCheckpointing)?;
        let before = contract.shape();
        let effects = contract.said(said)?;
        if contract.shape() != before {
            self.changes.note(id, &mut task.changed);
        }
        Ok(effects)
    }

    pub(super) fn has_news(&self) -> bool {
        self.changes.has_news()
    }

    /// The tasks that have changed, or all, in the order of their changes; and the number of the
    /// newest change among them.
    pub(super) fn report(&mut self, is_full: bool) -> (Vec<TaskReport>, u64) {
        let newest = self.changes.newest();
        let ids = if is_full {
            let mut all: Vec<TaskId> = self.table.keys().copied().collect();
            all.sort_by_key(|id| self.table[id].changed.order());
            all
        } else {
            self.changes.tasks()
        };
        let reports = ids.iter().map(|id| self.table[id].report(*id));
        let mut reports: Vec<TaskReport> = reports.collect();
        shorten(&mut reports);
        for task in put_off(&mut reports) {
            // With a newer number, so that the next report has it.
            self.touch(task);
        }
        (reports, newest)
    }

    /// The changes up to this one are known to the leader.
    pub(super) fn known_up_to(&mut self, change: u64) {
        self.changes.known_up_to(change);
    }

    /// Moves the deadlines of exclusive tasks to their timeouts after `heard_of_at`, if that gains
    /// a part of the timeout.
    pub(super) fn extend(
        &mut self,
        heard_of_at: Time,
        part: u32,
        out: &mut Vec<TaskManagerAction>,
    ) {
        for (id, task) in &mut self.table {
            let Isolation::Exclusive {
                timeout_ms: Some(ms),
            } = task.isolation
            else {
                continue;
            };
            let timeout = Duration::from_millis(ms);
            let isolated_at = heard_of_at + timeout;
            let before = task.isolated_at.unwrap_or_default();
            if !is_ended(&task.state) && isolated_at.since(before) >= timeout / part {
                task.isolated_at = Some(isolated_at);
                out.push(TaskManagerAction::Extend {
                    task: *id,
                    isolated_at,
                });
            }
        }
    }
}

impl Task {
    fn report(&self, id: TaskId) -> TaskReport {
        let contract = self.contract.as_ref().map(Contract::report);
        TaskReport {
            task: id,
            slot: self.slot,
            state: self.state.clone(),
            contract: contract.cloned().unwrap_or_default(),
            progress: self.progress.clone(),
        }
    }
}

impl Effect {
    fn of(self, task: TaskId) -> TaskManagerAction {
        match self {
            Self::Tell(what) => TaskManagerAction::TellTask { task, what },
            Self::CopyLast {
                number,
                savepoint,
                part,
            } => TaskManagerAction::CopyLast {
                task,
                number,
                savepoint,
                part,
            },
        }
    }
}

/// All tasks that an attempt can have.
fn all_of(gang: Gang) -> RangeInclusive<TaskId> {
    let of = |rank| TaskId {
        job: gang.job,
        incarnation: gang.incarnation,
        attempt: gang.attempt,
        rank: Rank(rank),
    };
    of(0)..=of(u32::MAX)
}

fn is_ended(state: &TaskState) -> bool {
    matches!(state, TaskState::Ended(_))
}
