//! [`Tasks`]: what a TaskManager runs, and what it remembers of tasks that have ended.

use std::collections::BTreeMap;
use std::time::Duration;

use incumbent_core::Time;

use super::TaskManagerAction;
use crate::message::{ContractReport, Deploy, EndedHow, TaskEnd, TaskReport, TaskState};
use crate::{Attempt, Isolation, JobId, Rank, TaskId};

/// Most ended tasks that are remembered until a leader has written them down. Then no new task is
/// taken: to forget one would let it be started again.
pub(super) const MOST_REMEMBERED: usize = 10_000;

/// Most last lines in one report, in bytes as they may become in JSON, where one byte can take six.
/// Half of what a leader reads.
const LARGEST_LINES: usize = 8 * 1024 * 1024;

/// The tasks, live and ended.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    table: BTreeMap<TaskId, Task>,
    /// Those whose change was not acknowledged, in the order of the changes: the first failure is
    /// reported first.
    changed: BTreeMap<u64, TaskId>,
    changes: u64,
    live: usize,
}

#[derive(Debug)]
struct Task {
    slot: u32,
    state: TaskState,
    isolation: Isolation,
    isolated_at: Option<Time>,
    /// The number of its last change.
    change: u64,
}

impl Tasks {
    pub(super) fn state(&self, task: TaskId) -> Option<&TaskState> {
        self.table.get(&task).map(|task| &task.state)
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
                change: 0,
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
            change: 0,
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
            self.changed.remove(&ended.change);
        }
    }

    /// It is reported again.
    pub(super) fn touch(&mut self, task: TaskId) {
        if let Some(here) = self.table.get_mut(&task) {
            self.changed.remove(&here.change);
            self.changes += 1;
            here.change = self.changes;
            self.changed.insert(self.changes, task);
        }
    }

    pub(super) fn has_changes(&self) -> bool {
        !self.changed.is_empty()
    }

    /// The tasks that have changed, or all, in the order of their changes; and the number of the
    /// newest change among them.
    pub(super) fn report(&self, is_full: bool) -> (Vec<TaskReport>, u64) {
        let report = |id: &TaskId, task: &Task| TaskReport {
            task: *id,
            slot: task.slot,
            state: task.state.clone(),
            contract: ContractReport::default(),
            progress: None,
        };
        if !is_full {
            let changed = self.changed.values();
            let mut reports: Vec<_> = changed.map(|id| report(id, &self.table[id])).collect();
            shorten(&mut reports);
            return (reports, self.changes);
        }
        let mut all: Vec<(&TaskId, &Task)> = self.table.iter().collect();
        all.sort_unstable_by_key(|(_, task)| task.change);
        let mut reports: Vec<_> = all.into_iter().map(|(id, task)| report(id, task)).collect();
        shorten(&mut reports);
        (reports, self.changes)
    }

    /// The changes up to this one are known to the leader.
    pub(super) fn known_up_to(&mut self, change: u64) {
        self.changed = self.changed.split_off(&(change + 1));
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

/// Leaves out the last lines of tasks beyond [`LARGEST_LINES`]: the first failures are what people
/// look for, and a report that is refused for its size would come again for ever.
fn shorten(reports: &mut [TaskReport]) {
    let mut left = LARGEST_LINES;
    for report in reports {
        if let TaskState::Ended(end) = &mut report.state {
            let size: usize = end.last_lines.iter().map(|line| 6 * line.len()).sum();
            match left.checked_sub(size) {
                Some(rest) => left = rest,
                None => end.last_lines.clear(),
            }
        }
    }
}

fn is_ended(state: &TaskState) -> bool {
    matches!(state, TaskState::Ended(_))
}
