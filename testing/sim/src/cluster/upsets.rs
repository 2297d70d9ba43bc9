//! What goes wrong between messages, and the end of it.

use incumbent_cluster_core::leader::LeaderEvent;
use incumbent_cluster_core::message::EndedHow;

use super::fact::Fact;
use super::faults::Upset;
use super::job_manager::{JobManagerMail, Term};
use super::task_manager::TaskManagerMail;
use super::world::{Event, World};
use crate::clock::{Instant, MILLISECOND};
use crate::faults::nanos;

/// How long a TaskManager takes to notice whether the blobs answer.
const NOTICED_AFTER: u64 = 5 * MILLISECOND;

impl World {
    pub(super) fn upset(&mut self) {
        if !self.is_chaos {
            return;
        }
        if !self.plan.faults.upsets.is_empty() {
            let upset = self.dice.pick(&self.plan.faults.upsets);
            self.suffer(upset);
        }
        let longest = self.plan.faults.pause * nanos(self.plan.timing.lease());
        let pause = self.dice.range(0, longest);
        self.after(pause, Event::Upset);
    }

    fn suffer(&mut self, upset: Upset) {
        let any = self.dice.index(self.job_managers.len());
        let leader = self.leader().unwrap_or(any);
        let task_manager = self.dice.index(self.task_managers.len());
        let leases = if self.plan.faults.are_rare() { 12 } else { 3 };
        let long = self.dice.range(0, nanos(self.plan.timing.lease()) * leases);
        let until = self.now + long;
        self.trace.line(self.now, || {
            format!("{upset:?} of jm-{any}, leader jm-{leader} or tm-{task_manager} for {long}")
        });
        match upset {
            Upset::KillLeader => self.kill_job_manager(leader, until),
            Upset::KillJobManager => self.kill_job_manager(any, until),
            Upset::PauseLeader => {
                self.job_managers[leader].paused_until = until;
                self.at(until, Event::ResumeJobManager(leader));
            }
            Upset::KillTaskManager => self.kill_task_manager(task_manager, until),
            Upset::PauseTaskManager => {
                self.task_managers[task_manager].paused_until = until;
                self.at(until, Event::ResumeTaskManager(task_manager));
            }
            Upset::KillTask => {
                let running: Vec<_> = self
                    .tasks
                    .iter()
                    .filter(|(_, task)| task.has_begun)
                    .map(|(key, _)| *key)
                    .collect();
                if !running.is_empty() {
                    let key = self.dice.pick(&running);
                    self.end(key, EndedHow::Signaled { signal: 9 });
                }
            }
            Upset::CutStore => {
                if self.dice.chance(500) {
                    self.job_managers[any].cut_from_store(until);
                } else {
                    self.task_managers[task_manager].cut_from_store(until);
                }
            }
            Upset::CutPair => {
                self.cut(any, task_manager, until);
            }
            Upset::Island => {
                self.job_managers[leader].cut_from_store(until);
                self.task_managers[task_manager].cut_from_store(until);
                for other in (0..self.job_managers.len()).filter(|other| *other != leader) {
                    self.cut(other, task_manager, until);
                }
            }
            Upset::LateAcks => {
                let from = self.now + self.dice.range(0, nanos(self.plan.timing.lease()) / 2);
                self.late_acks.insert(task_manager, from);
                for job_manager in 0..self.job_managers.len() {
                    let cut = (from, from + long);
                    self.cut_pairs.insert((job_manager, task_manager), cut);
                }
            }
            Upset::Outage => self.outage_until = until,
            Upset::BlobOutage => {
                self.blobs.outage_until = until;
                self.show_blobs();
                self.at(until, Event::BlobsBack);
            }
            Upset::WrongVerdict => self.judge_wrongly(leader, task_manager),
        }
    }

    /// TaskManagers notice whether the blobs answer.
    pub(super) fn show_blobs(&mut self) {
        let has_blobs = self.now >= self.blobs.outage_until;
        for host in 0..self.task_managers.len() {
            if let Some(process) = self.task_managers[host].process() {
                let mail = TaskManagerMail::Blobs(has_blobs);
                // In turn: each looks for itself.
                self.after(NOTICED_AFTER, Event::TaskManager((host, process), mail));
            }
        }
    }

    fn cut(&mut self, job_manager: usize, task_manager: usize, until: Instant) {
        let (from, to) = self
            .cut_pairs
            .entry((job_manager, task_manager))
            .or_default();
        if self.now < *from || until > *to {
            (*from, *to) = (self.now, until);
        }
    }

    fn leader(&self) -> Option<usize> {
        (0..self.job_managers.len()).find(|host| {
            let running = self.job_managers[*host].running.as_ref();
            running.is_some_and(|running| running.term.as_ref().is_some_and(Term::leads))
        })
    }

    fn kill_job_manager(&mut self, host: usize, until: Instant) {
        self.at(until, Event::RestartJobManager(host));
        let place = &mut self.job_managers[host];
        if let Some(killed) = place.running.take() {
            place.waiting.clear();
            place.paused_until = 0;
            self.dead.insert(killed.process);
            self.counts.kills += 1;
        }
    }

    fn kill_task_manager(&mut self, host: usize, until: Instant) {
        self.at(until, Event::RestartTaskManager(host));
        let place = &mut self.task_managers[host];
        if let Some(killed) = place.running.take() {
            place.waiting.clear();
            place.paused_until = 0;
            self.dead.insert(killed.process);
            self.counts.kills += 1;
            self.orphan_tasks(killed.process);
        }
    }

    fn judge_wrongly(&mut self, leader: usize, task_manager: usize) {
        if let Some(running) = &self.task_managers[task_manager].running
            && let Some(process) = self.job_managers[leader].process()
        {
            let event = LeaderEvent::Dead(running.nonce);
            let mail = JobManagerMail::Leader(Box::new(event));
            self.after(0, Event::JobManager((leader, process), mail));
        }
    }

    pub(super) fn heal(&mut self) {
        self.is_chaos = false;
        self.fact(Fact::Healed);
        self.outage_until = 0;
        self.blobs.outage_until = 0;
        self.show_blobs();
        self.cut_pairs.clear();
        for host in 0..self.job_managers.len() {
            self.job_managers[host].paused_until = 0;
            self.job_managers[host].store_cut_until = 0;
            self.resume_job_manager(host);
            self.after(0, Event::RestartJobManager(host));
        }
        for host in 0..self.task_managers.len() {
            self.task_managers[host].paused_until = 0;
            self.task_managers[host].store_cut_until = 0;
            self.resume_task_manager(host);
            self.after(0, Event::RestartTaskManager(host));
        }
    }
}
