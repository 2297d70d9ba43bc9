//! Requests, answers and hints on their way between the nodes and the store.

use incumbent_core::{Timing, Version};

use super::{Event, Request, World};
use crate::clock::MILLISECOND;
use crate::faults::nanos;
use crate::history::{Item, Phase};
use crate::node::Mail;
use crate::store::{Call, Reply};

/// A request arrives at most so many leases after its sender gave it up.
const LATEST_LEASES: u64 = 4;

/// Of how many old roots there are backups.
const MOST_BACKUPS: usize = 16;

impl World {
    pub(super) fn send(&mut self, number: u64, request: Request) {
        let chaos = self.phase == Phase::Chaos;
        let faults = &self.plan.faults;
        let (index, process) = request.from;
        let is_write = !matches!(request.call, Call::Read);
        // All dice are thrown, needed or not, so that one fault that is switched off does not
        // change the others.
        let lost = self.dice.chance(faults.lost_request);
        let late = self.dice.chance(faults.late_request);
        let refused = self.dice.chance(faults.refused);
        let cut = self.now < self.hosts[index].requests_cut_until.max(self.outage_until);
        let noticed = self.dice.chance(300);
        let delay = self.delay();
        let timing = self.plan.nodes[index].timing;
        if chaos && (refused || (cut && noticed)) {
            let mail = Mail::Refused { request: number };
            let to = (index, process);
            return self.after(delay, Event::Mail { to, mail });
        }
        if chaos && (late || lost || cut) {
            if late && is_write {
                let patience = nanos(timing.request_timeout());
                let lateness = self.dice.range(0, LATEST_LEASES * nanos(timing.lease()));
                self.requests.insert(number, request);
                self.after(patience / 2 + lateness, Event::Arrive(number));
            }
            return;
        }
        self.requests.insert(number, request);
        self.after(delay, Event::Arrive(number));
    }

    pub(super) fn arrive(&mut self, number: u64) {
        let request = self.requests.remove(&number).expect("it arrives once");
        let (index, process) = request.from;
        let reply = self.write(request.item, request.call);
        let host = &self.hosts[index];
        let cut = self.now < host.answers_cut_until;
        let lost = self.dice.chance(self.plan.faults.lost_answer);
        let delay = self.delay();
        if self.phase == Phase::Chaos && (lost || cut) {
            return;
        }
        let (to, mail) = (
            (index, process),
            Mail::Answer {
                request: number,
                reply,
            },
        );
        self.after(delay, Event::Mail { to, mail });
    }

    /// Does something to the store, and hints at it.
    pub(super) fn write(&mut self, item: Item, call: Call) -> Reply {
        let (reply, fact) = self.store.perform(item, call);
        let changed = fact.is_some();
        self.facts.extend(fact);
        if changed && item == Item::Root {
            self.root_changed();
        }
        reply
    }

    pub(super) fn root_changed(&mut self) {
        let root = self.store.root();
        let version = root.as_ref().map(|(version, _)| version.clone());
        if let Some((_, root)) = root {
            if self.backups.len() == MOST_BACKUPS {
                let any = self.dice.index(MOST_BACKUPS);
                self.backups.remove(any);
            }
            self.backups.push_back(root.clone());
        }
        for index in 0..self.hosts.len() {
            let lost = self.dice.chance(self.plan.faults.lost_hint);
            let late = self.dice.chance(self.plan.faults.late_hint);
            let vague = self.dice.chance(200);
            let mut delay = self.delay();
            let silent = self.now < self.hosts[index].silent_until;
            if self.phase == Phase::Chaos {
                if lost || silent {
                    continue;
                }
                if late {
                    delay += self.dice.range(0, self.plan.longest(Timing::lease));
                }
            }
            let version = version.clone().filter(|_| !vague);
            self.hint(index, version, delay);
        }
    }

    pub(super) fn hint(&mut self, index: usize, version: Option<Version>, delay: u64) {
        if let Some(process) = self.process(index) {
            let (to, mail) = ((index, process), Mail::Hint { version });
            self.after(delay, Event::Mail { to, mail });
        }
    }

    pub(super) fn delay(&mut self) -> u64 {
        let slow = self.dice.chance(self.plan.faults.slow);
        let usual = self.dice.range(MILLISECOND / 10, 5 * MILLISECOND);
        if slow && self.phase == Phase::Chaos {
            self.dice
                .range(0, self.plan.longest(Timing::request_timeout))
        } else {
            usual
        }
    }
}
