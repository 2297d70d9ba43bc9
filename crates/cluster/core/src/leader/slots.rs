//! [`Slots`]: what is in each slot of a TaskManager.
//!
//! A slot is taken by a task that its TaskManager reports, or held by a job whose record places a
//! rank there, or whose next attempt is about to. Only a slot that is neither is free.

use crate::{JobId, TaskId};

/// The slots of one TaskManager, by number.
#[derive(Debug, Default)]
pub(super) struct Slots {
    slots: Vec<Slot>,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    /// The port that it has reserved; 0 if it has none.
    port: u16,
    /// The task in it that has not ended.
    task: Option<TaskId>,
    /// The job that it is held for.
    held_by: Option<JobId>,
}

impl Slots {
    /// How many there are.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.slots.len()).unwrap_or(u32::MAX)
    }

    /// How many are free.
    pub(super) fn free(&self) -> u32 {
        let free = self.slots.iter().filter(|slot| slot.is_free()).count();
        u32::try_from(free).unwrap_or(u32::MAX)
    }

    /// Whether no task is in any, and none is held.
    pub(super) fn are_idle(&self) -> bool {
        (self.slots.iter()).all(|slot| slot.task.is_none() && slot.held_by.is_none())
    }

    /// The first free one, and its port.
    pub(super) fn first_free(&self) -> Option<(u32, u16)> {
        let at = self.slots.iter().position(Slot::is_free)?;
        Some((u32::try_from(at).ok()?, self.slots[at].port))
    }

    /// Whether a task of this job can begin in this slot, which is held for it; its port.
    pub(super) fn ready(&self, slot: u32, job: JobId) -> Option<u16> {
        let slot = self.slots.get(slot as usize)?;
        let is_ready = slot.held_by == Some(job) && slot.task.is_none() && slot.port != 0;
        is_ready.then_some(slot.port)
    }

    /// Whether a slot is held for this job.
    pub(super) fn is_held(&self, slot: u32, job: JobId) -> bool {
        self.slots
            .get(slot as usize)
            .is_some_and(|slot| slot.held_by == Some(job))
    }

    /// Its TaskManager says which ports it has reserved, and so how many slots there are. Slots
    /// that jobs hold stay.
    pub(super) fn set_ports(&mut self, ports: &[u16]) {
        let least = self.slots.iter().rposition(|slot| slot.held_by.is_some());
        let count = ports.len().max(least.map_or(0, |last| last + 1));
        self.slots.resize(count, Slot::default());
        for (at, slot) in self.slots.iter_mut().enumerate() {
            slot.port = ports.get(at).copied().unwrap_or(0);
        }
    }

    /// A full report follows: nothing is known to be in any slot.
    pub(super) fn clear_tasks(&mut self) {
        for slot in &mut self.slots {
            slot.task = None;
        }
    }

    /// A task is in this slot.
    pub(super) fn take(&mut self, slot: u32, task: TaskId) {
        if let Some(slot) = self.slots.get_mut(slot as usize) {
            slot.task = Some(task);
        }
    }

    /// A task has ended. Returns the job that the slot is held for.
    pub(super) fn leave(&mut self, slot: u32, task: TaskId) -> Option<JobId> {
        let slot = self.slots.get_mut(slot as usize)?;
        if slot.task == Some(task) {
            slot.task = None;
        }
        slot.held_by
    }

    /// Holds a slot for a job. One that its TaskManager has not reported yet is made.
    ///
    /// Returns the job that it was held for, which is another only if records contradict each
    /// other.
    pub(super) fn hold(&mut self, slot: u32, job: JobId) -> Option<JobId> {
        let at = slot as usize;
        if at >= MOST_SLOTS {
            return None;
        }
        if self.slots.len() <= at {
            self.slots.resize(at + 1, Slot::default());
        }
        let before = self.slots[at].held_by;
        if before.is_none() {
            self.slots[at].held_by = Some(job);
        }
        before.filter(|holder| *holder != job)
    }

    /// Holds it no more.
    pub(super) fn release(&mut self, slot: u32, job: JobId) {
        if let Some(slot) = self.slots.get_mut(slot as usize)
            && slot.held_by == Some(job)
        {
            slot.held_by = None;
        }
    }
}

impl Slot {
    fn is_free(&self) -> bool {
        self.port != 0 && self.task.is_none() && self.held_by.is_none()
    }
}

/// Most slots of a TaskManager: each has a port, and there are not more of those.
pub(super) const MOST_SLOTS: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Attempt, Incarnation, Rank};

    const JOB: JobId = JobId::new(1);

    fn task(job: JobId) -> TaskId {
        TaskId {
            job,
            incarnation: Incarnation::new(1),
            attempt: Attempt(1),
            rank: Rank(0),
        }
    }

    #[test]
    fn a_slot_is_free_only_if_nobody_holds_it_and_no_task_is_in_it() {
        let mut slots = Slots::default();
        slots.set_ports(&[7001, 0, 7003]);
        assert_eq!(slots.free(), 2, "a slot without a port is not free");
        slots.hold(0, JOB);
        slots.take(2, task(JOB));
        assert_eq!(slots.first_free(), None);
        assert_eq!(slots.ready(0, JOB), Some(7001));
        assert_eq!(slots.ready(0, JobId::new(2)), None);
        slots.leave(2, task(JobId::new(9)));
        assert_eq!(slots.free(), 0, "another task has ended");
        slots.leave(2, task(JOB));
        assert_eq!(slots.first_free(), Some((2, 7003)));
    }

    #[test]
    fn what_a_record_says_is_held_before_its_task_manager_reports() {
        let mut slots = Slots::default();
        assert_eq!(slots.hold(1, JOB), None);
        slots.set_ports(&[7001, 7002]);
        assert_eq!(slots.first_free(), Some((0, 7001)));
        assert_eq!(slots.free(), 1);
        assert_eq!(slots.hold(1, JobId::new(2)), Some(JOB));
    }
}
