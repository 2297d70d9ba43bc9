//! [`Adoption`]: which records are to be opened, and when all are (R10).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use incumbent_core::{Pace, Time};

use super::LeaderAction;
use crate::message::TaskReport;
use crate::{JobId, NodeNonce};

/// Pause between two looks at the list: for a record whose hint was lost.
const LIST_EVERY: Duration = Duration::from_secs(60);

/// How long a list may take before it is asked for again.
const LIST_PATIENCE: Duration = Duration::from_secs(5);

/// First and longest pause before a record that could not be read is opened again.
const OPEN_PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Most reports of tasks that are kept for records that are not open. A rank whose report was
/// dropped is ordered to start again, and its TaskManager answers with the report.
const MOST_KEPT: usize = 200_000;

/// The records that are not open.
#[derive(Debug)]
pub(super) struct Adoption {
    most_opening: usize,
    list_at: Option<Time>,
    was_listed: bool,
    queue: VecDeque<JobId>,
    queued: BTreeSet<JobId>,
    /// Those of them that were put before the others.
    urgent: BTreeSet<JobId>,
    opening: BTreeSet<JobId>,
    hold_until: Option<Time>,
    pace: Pace,
    kept: BTreeMap<JobId, Vec<(NodeNonce, TaskReport)>>,
    kept_count: usize,
    is_complete: bool,
}

impl Adoption {
    pub(super) fn new(most_opening: usize) -> Self {
        let (first, longest) = OPEN_PAUSES;
        Self {
            most_opening: most_opening.max(1),
            list_at: None,
            was_listed: false,
            queue: VecDeque::new(),
            queued: BTreeSet::new(),
            urgent: BTreeSet::new(),
            opening: BTreeSet::new(),
            hold_until: None,
            pace: Pace::new(first, longest),
            kept: BTreeMap::new(),
            kept_count: 0,
            is_complete: false,
        }
    }

    /// Whether the records that were there when the term began are all open, or cannot be.
    pub(super) fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Becomes complete when it is; whether that is new.
    pub(super) fn completes(&mut self) -> bool {
        let is_all = self.was_listed && self.queue.is_empty() && self.opening.is_empty();
        let is_new = is_all && !self.is_complete;
        self.is_complete |= is_all;
        is_new
    }

    /// Whether it is known which records there are.
    pub(super) fn was_listed(&self) -> bool {
        self.was_listed
    }

    /// Whether this record is being opened, or will be.
    pub(super) fn is_pending(&self, job: JobId) -> bool {
        self.queued.contains(&job) || self.opening.contains(&job)
    }

    pub(super) fn listed(&mut self, now: Time) {
        self.was_listed = true;
        self.list_at = Some(now + LIST_EVERY);
    }

    /// This record is to be opened; before all others if somebody waits for it.
    pub(super) fn want(&mut self, job: JobId, is_urgent: bool) {
        if self.opening.contains(&job) {
            return;
        }
        let is_new = self.queued.insert(job);
        if is_urgent && self.urgent.insert(job) {
            // Its later place in the queue is passed over.
            self.queue.push_front(job);
        } else if is_new && !is_urgent {
            self.queue.push_back(job);
        }
    }

    /// What opening found is known.
    pub(super) fn opened(&mut self, job: JobId) {
        self.opening.remove(&job);
        self.pace.reset();
    }

    /// The store did not answer.
    pub(super) fn unavailable(&mut self, job: JobId, now: Time, random: u64) {
        self.opening.remove(&job);
        self.want(job, false);
        if self.hold_until.is_none_or(|until| until <= now) {
            self.hold_until = Some(now + self.pace.after_failure(random));
        }
    }

    /// Asks for the list and opens records, as many as may be under way. Returns when to go on.
    pub(super) fn go_on(&mut self, now: Time, out: &mut Vec<LeaderAction>) -> Time {
        if self.list_at.is_none_or(|at| at <= now) {
            out.push(LeaderAction::List);
            self.list_at = Some(now + LIST_PATIENCE);
        }
        let list_at = self.list_at.expect("set above, if it was not");
        if let Some(until) = self.hold_until.filter(|until| *until > now) {
            return list_at.min(until);
        }
        self.hold_until = None;
        while self.opening.len() < self.most_opening
            && let Some(job) = self.queue.pop_front()
        {
            self.urgent.remove(&job);
            if self.queued.remove(&job) {
                self.opening.insert(job);
                out.push(LeaderAction::Open(job));
            }
        }
        list_at
    }

    /// A TaskManager reports a task whose record is not open.
    pub(super) fn keep(&mut self, from: NodeNonce, report: TaskReport) {
        let job = report.task.job;
        let kept = self.kept.entry(job).or_default();
        match kept
            .iter_mut()
            .find(|(node, earlier)| *node == from && earlier.task == report.task)
        {
            Some((_, earlier)) => *earlier = report,
            None if self.kept_count < MOST_KEPT => {
                kept.push((from, report));
                self.kept_count += 1;
            }
            None => {}
        }
        if self.queued.contains(&job) {
            self.want(job, true);
        }
    }

    /// What was kept for a record that is known now.
    pub(super) fn take_kept(&mut self, job: JobId) -> Vec<(NodeNonce, TaskReport)> {
        let kept = self.kept.remove(&job).unwrap_or_default();
        self.kept_count -= kept.len();
        kept
    }

    /// The jobs for which something was kept.
    pub(super) fn kept_jobs(&self) -> Vec<JobId> {
        self.kept.keys().copied().collect()
    }

    /// A full report follows: what this TaskManager has said before does not count.
    pub(super) fn forget_kept(&mut self, from: NodeNonce) {
        self.kept.retain(|_, reports| {
            let before = reports.len();
            reports.retain(|(node, _)| *node != from);
            self.kept_count -= before - reports.len();
            !reports.is_empty()
        });
    }
}
