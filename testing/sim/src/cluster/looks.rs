//! What processes look at now and then: who is dead, who leads, which records there are.

use incumbent_cluster_core::leader::LeaderEvent;
use incumbent_cluster_core::{JobId, NodeNonce};

use super::job_manager::JobManagerMail;
use super::mode::ClusterMutation;
use super::world::{Event, World, host_of, process_of};
use crate::clock::MILLISECOND;

/// Pause between two looks at who is dead.
const LOOK_EVERY: u64 = 50 * MILLISECOND;

/// Pause between two looks of an observer, and of a leader at all records.
const POLL_EVERY: u64 = 1000 * MILLISECOND;

impl World {
    /// Everybody looks whether those are dead that they watch.
    pub(super) fn look(&mut self) {
        for host in 0..self.job_managers.len() {
            let Some(running) = &self.job_managers[host].running else {
                continue;
            };
            let process = running.process;
            if let Some(nonce) = running.probe_target()
                && self.dead.contains(&crate::history::process_of(nonce))
                && self.dice.chance(500)
            {
                let mail = JobManagerMail::HolderDead { nonce };
                self.after(0, Event::JobManager((host, process), mail));
            }
            let Some(running) = &self.job_managers[host].running else {
                continue;
            };
            let Some(term) = running.term.as_ref().filter(|term| term.leads()) else {
                continue;
            };
            let epoch = term.seal.epoch;
            let watched: Vec<_> = term
                .watched
                .values()
                .map(|node| (node.nonce, node.address.clone()))
                .collect();
            for (nonce, address) in watched {
                let is_proven = self.is_proven_dead(nonce);
                let reach = !self.is_cut(host, host_of(&address));
                if is_proven && reach && self.told.insert((epoch, nonce)) {
                    let mail = JobManagerMail::Leader(Box::new(LeaderEvent::Dead(nonce)));
                    let delay = self.delay();
                    self.after(delay, Event::JobManager((host, process), mail));
                }
            }
        }
        self.after(LOOK_EVERY, Event::Look);
    }

    /// Nothing listens at its liveness endpoint any more: neither the process nor a guard.
    fn is_proven_dead(&self, nonce: NodeNonce) -> bool {
        let process = process_of(nonce);
        let has_guards = self.tasks.keys().any(|(of, _)| *of == process);
        let guards_matter = self.plan.mutation != ClusterMutation::GuardsHoldNothing;
        self.dead.contains(&process) && !(has_guards && guards_matter)
    }

    /// Observers read the root, leaders look at the list of records.
    pub(super) fn poll(&mut self) {
        for host in 0..self.task_managers.len() {
            self.show_leader(host);
        }
        for job in self.jobs_in_store() {
            self.hint(job);
        }
        self.after(POLL_EVERY, Event::Poll);
    }

    pub(super) fn hint(&mut self, job: JobId) {
        for host in 0..self.job_managers.len() {
            let Some(process) = self.job_managers[host].process() else {
                continue;
            };
            if self.is_lost(self.job_managers[host].store_cut_until) {
                continue;
            }
            let delay = self.delay();
            let mail = JobManagerMail::Leader(Box::new(LeaderEvent::Hinted(job)));
            self.after(delay, Event::JobManager((host, process), mail));
        }
    }
}
