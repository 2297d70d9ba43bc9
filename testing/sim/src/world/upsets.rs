//! What goes wrong between requests: pauses, deaths, cuts, and people who change the root.

use std::collections::VecDeque;

use incumbent_core::root::Handover;
use incumbent_core::{Nonce, Timing, Version};

use super::{Event, World};
use crate::clock::Instant;
use crate::faults::Upset;
use crate::history::{Fact, Item, Phase, Process, process_of};
use crate::node::{Mail, holder};
use crate::store::Stored;

impl World {
    pub(super) fn upset(&mut self) {
        if self.phase != Phase::Chaos {
            return;
        }
        if !self.plan.faults.upsets.is_empty() {
            let upset = self.dice.pick(&self.plan.faults.upsets);
            self.suffer(upset);
        }
        let lease = self.plan.longest(Timing::lease);
        let pause = self.dice.range(0, lease);
        self.after(pause, Event::Upset);
    }

    fn suffer(&mut self, upset: Upset) {
        let any = self.dice.index(self.hosts.len());
        let leader = self.leader().unwrap_or(any);
        let lease = self.plan.longest(Timing::lease);
        let long = self.dice.range(0, lease * 5 / 2);
        let until = self.now + long;
        self.trace.line(self.now, || {
            format!("{upset:?} of {any} or leader {leader} for {long}")
        });
        match upset {
            Upset::Pause => self.pause(any, until),
            Upset::PauseLeader => self.pause(leader, until),
            Upset::Kill => self.kill(any, until),
            Upset::KillLeader => self.kill(leader, until),
            Upset::CutRequests => self.hosts[any].requests_cut_until = until,
            Upset::CutAnswers => self.hosts[any].answers_cut_until = until,
            Upset::CutBoth => {
                self.hosts[leader].requests_cut_until = until;
                self.hosts[leader].answers_cut_until = until;
            }
            Upset::Outage => self.outage_until = self.now + long / 2,
            Upset::Silence => self.hosts[any].silent_until = until + 3 * lease,
            Upset::IdleHint => {
                let number = self.dice.range(1, 1 + self.last_number / 8);
                let version = self.dice.chance(500);
                let version = version.then(|| Version::new(number.to_string()));
                self.hint(any, version, 0);
            }
            Upset::WrongVerdict => self.judge(any),
            Upset::DeleteRoot => {
                let fact = self.store.remove(Item::Root, None);
                self.facts.extend(fact);
                self.root_changed();
            }
            Upset::RestoreRoot => self.restore_root(),
            Upset::AskHandover => {
                if let Some((version, root)) = self.store.root() {
                    let to = self.dice.chance(500).then(|| holder(any));
                    let by = "somebody".to_owned();
                    let root = Box::new(root.clone().asking(Handover { to, by }));
                    let delay = self.delay();
                    self.after(delay, Event::Handover { version, root });
                }
            }
        }
    }

    fn pause(&mut self, index: usize, until: Instant) {
        self.hosts[index].paused_until = until;
        self.at(until, Event::Resume(index));
    }

    pub(super) fn resume(&mut self, index: usize) {
        if self.now < self.hosts[index].paused_until {
            return;
        }
        let mut waiting = std::mem::take(&mut self.hosts[index].waiting);
        // Timers may be late beside everything else that waits.
        if self.dice.chance(500) {
            let (ticks, others): (VecDeque<_>, _) = waiting
                .into_iter()
                .partition(|mail| matches!(mail, Mail::Tick { .. } | Mail::TimedOut { .. }));
            waiting = others;
            waiting.extend(ticks);
        }
        for mail in waiting {
            self.handle(index, mail);
        }
    }

    fn kill(&mut self, index: usize, until: Instant) {
        self.at(until, Event::Restart(index));
        let host = &mut self.hosts[index];
        if let Some(node) = host.node.take() {
            host.waiting.clear();
            host.paused_until = 0;
            self.dead.insert(node.process);
            let process = node.process;
            self.facts.push(Fact::Killed { process });
        }
    }

    pub(super) fn judge(&mut self, index: usize) {
        if let Some(nonce) = self.probe_target(index)
            && let Some(process) = self.process(index)
        {
            let (to, mail) = ((index, process), Mail::Dead { nonce });
            self.after(0, Event::Mail { to, mail });
        }
    }

    /// Every node looks whether the holder that it sees is dead.
    pub(super) fn probe(&mut self) {
        for index in 0..self.hosts.len() {
            let target = self.probe_target(index);
            if target.is_some_and(|nonce| self.dead.contains(&process_of(nonce)))
                && self.dice.chance(500)
            {
                self.judge(index);
            }
        }
        let pause = self.plan.longest(Timing::retry) / 2;
        self.after(pause, Event::Probe);
    }

    fn probe_target(&self, index: usize) -> Option<Nonce> {
        let node = self.hosts[index].node.as_ref()?;
        node.election.probe_target().map(|(_, nonce)| nonce)
    }

    fn restore_root(&mut self) {
        if self.backups.is_empty() {
            return;
        }
        let root = self.backups[self.dice.index(self.backups.len())].clone();
        let body = Stored::Root(Box::new(root));
        let (_, fact) = self.store.put(Item::Root, body, true);
        self.facts.push(fact);
        self.root_changed();
    }

    pub(super) fn process(&self, index: usize) -> Option<Process> {
        self.hosts[index].node.as_ref().map(|node| node.process)
    }

    /// The node whose process holds the root.
    fn leader(&self) -> Option<usize> {
        let holder = process_of(self.store.root()?.1.nonce);
        (0..self.hosts.len()).find(|index| self.process(*index) == Some(holder))
    }
}
