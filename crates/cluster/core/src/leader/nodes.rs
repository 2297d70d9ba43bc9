//! [`Nodes`]: the TaskManagers that this term knows, from reports and from records.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use incumbent_core::{Pace, Seal, Time};

use super::presence::{self, GoneBecause, Presence};
use super::slots::Slots;
use super::{LeaderAction, LeaderConfig};
use crate::message::{Command, NodeInfo, Order, Report};
use crate::record::PlacedNode;
use crate::{Isolation, JobId, NodeNonce, TaskId};

/// Most TaskManagers of a cluster that a leader takes in.
pub(super) const MOST_NODES: usize = 10_000;

/// Most TaskManagers that were heard of and are not in the table. More are not acknowledged.
const MOST_HEARD: usize = 100_000;

/// First and longest pause before an order that did not arrive is given again.
const ORDER_PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// All of them, and which have free slots.
#[derive(Debug)]
pub(super) struct Nodes {
    seal: Seal,
    config: LeaderConfig,
    /// From when silence counts at the earliest: the grant.
    granted_at: Time,
    /// For the silence of fenced jobs it also counts from when this process was last asleep.
    awake_at: Time,
    table: BTreeMap<NodeNonce, Node>,
    /// When those were last heard of that are not in the table: a record that is opened later may
    /// name them, and their silence counts from then (R8).
    heard: BTreeMap<NodeNonce, Time>,
    /// Those that can take tasks now, by their free slots.
    by_free: BTreeSet<(u32, NodeNonce)>,
    /// Those with ended tasks to forget.
    forgetting: BTreeSet<NodeNonce>,
    /// Whether a TaskManager can take more tasks than before: gangs that wait are to look again.
    has_news: bool,
}

/// One TaskManager.
#[derive(Debug)]
pub(super) struct Node {
    /// Where it is.
    pub(super) place: PlacedNode,
    /// What it says about itself, once it has registered here.
    pub(super) info: Option<NodeInfo>,
    /// Whether it has reported everything to this term.
    pub(super) is_registered: bool,
    /// Whether it is proven dead, or a person says so.
    pub(super) is_dead: bool,
    /// When it was last heard of in this term.
    pub(super) heard_at: Option<Time>,
    /// The number of its newest report.
    pub(super) last_seq: Option<u64>,
    pub(super) is_draining: bool,
    /// Whether this term wants it to leave, as nobody needs it.
    pub(super) is_retired: bool,
    /// Whether this term has ordered it to drain.
    pub(super) is_drain_ordered: bool,
    /// Whether its present silence was logged.
    pub(super) is_silence_told: bool,
    pub(super) has_blobs: bool,
    /// Whether this leader can reach it: its address was verified, and orders arrive.
    pub(super) is_verified: bool,
    pub(super) slots: Slots,
    /// The jobs whose records place ranks here.
    pub(super) jobs: BTreeSet<JobId>,
    /// Tasks that no record places, and whether their end was ordered.
    pub(super) strays: BTreeMap<TaskId, bool>,
    /// Ended tasks that were written down.
    pub(super) forget: Vec<TaskId>,
    order_seq: u64,
    /// Whether an order arrived there and was not taken, as if it had not arrived.
    pub(super) was_refused: bool,
    /// Since when orders do not arrive.
    pub(super) failing_since: Option<Time>,
    /// Until when no order is given.
    pub(super) hold_until: Option<Time>,
    pace: Pace,
    free_key: Option<u32>,
    /// Whether it could take tasks when that was looked at last.
    took_tasks: bool,
}

impl Nodes {
    pub(super) fn new(config: LeaderConfig, seal: Seal, now: Time) -> Self {
        Self {
            seal,
            config,
            granted_at: now,
            awake_at: now,
            table: BTreeMap::new(),
            heard: BTreeMap::new(),
            by_free: BTreeSet::new(),
            forgetting: BTreeSet::new(),
            has_news: false,
        }
    }

    pub(super) fn get(&self, nonce: NodeNonce) -> Option<&Node> {
        self.table.get(&nonce)
    }

    /// To change it. [`Nodes::changed`] must follow if that may have changed its free slots.
    pub(super) fn get_mut(&mut self, nonce: NodeNonce) -> Option<&mut Node> {
        self.table.get_mut(&nonce)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (NodeNonce, &Node)> {
        self.table.iter().map(|(nonce, node)| (*nonce, node))
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// The names of TaskManagers that live.
    pub(super) fn names_in_use(&self) -> BTreeSet<&str> {
        let living = self.table.values().filter(|node| node.is_registered);
        living.map(|node| &node.place.name[..]).collect()
    }

    /// The TaskManager at this place, which is made known if it is not.
    pub(super) fn know(&mut self, place: &PlacedNode) -> &mut Node {
        let heard = &mut self.heard;
        self.table.entry(place.nonce).or_insert_with(|| Node {
            heard_at: heard.remove(&place.nonce),
            ..Node::new(place.clone())
        })
    }

    /// A report came, whatever becomes of it. Returns whether that is noted, so that it may be
    /// acknowledged.
    pub(super) fn note_heard(&mut self, nonce: NodeNonce, now: Time) -> bool {
        if let Some(node) = self.table.get_mut(&nonce) {
            node.heard_at = Some(now);
            return true;
        }
        let has_room = self.heard.len() < MOST_HEARD || self.heard.contains_key(&nonce);
        if has_room {
            self.heard.insert(nonce, now);
        }
        has_room
    }

    pub(super) fn remove(&mut self, nonce: NodeNonce) {
        if let Some(node) = self.table.remove(&nonce) {
            if let Some(free) = node.free_key {
                self.by_free.remove(&(free, nonce));
            }
            if let Some(at) = node.heard_at.filter(|_| !node.is_dead) {
                self.heard.insert(nonce, at);
            }
        }
        self.forgetting.remove(&nonce);
    }

    /// Puts it where its free slots belong.
    pub(super) fn changed(&mut self, nonce: NodeNonce, now: Time) {
        let silence = self.config.silence;
        let since = self.silent_since(nonce);
        let Some(node) = self.table.get_mut(&nonce) else {
            return;
        };
        let takes_tasks = node.takes_tasks() && now.since(since) < silence;
        // Also if none is free: a gang may hold them all, and wait for the TaskManager only.
        self.has_news |= takes_tasks && !node.took_tasks;
        node.took_tasks = takes_tasks;
        let free = takes_tasks.then(|| node.slots.free()).filter(|n| *n > 0);
        if free != node.free_key {
            if let Some(before) = node.free_key {
                self.by_free.remove(&(before, nonce));
            }
            if let Some(free) = free {
                self.by_free.insert((free, nonce));
            }
            self.has_news |= free > node.free_key;
            node.free_key = free;
        }
    }

    /// Whether a TaskManager can take more tasks than when this was asked last: it registered,
    /// freed slots, came back from silence, or can be reached again.
    pub(super) fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.has_news)
    }

    /// Those with free slots, the one with the most first.
    pub(super) fn with_free(&self) -> impl Iterator<Item = (u32, NodeNonce, &Node)> {
        self.by_free
            .iter()
            .rev()
            .filter_map(|(free, nonce)| Some((*free, *nonce, self.table.get(nonce)?)))
    }

    /// Slots that could ever be free for a job, as things stand.
    pub(super) fn usable_slots(&self) -> u32 {
        let usable = self.table.values().filter(|node| node.takes_tasks());
        usable.map(|node| node.slots.count()).sum()
    }

    /// From when the silence of a TaskManager counts.
    pub(super) fn silent_since(&self, nonce: NodeNonce) -> Time {
        let heard = self.table.get(&nonce).and_then(|node| node.heard_at);
        heard.map_or(self.granted_at, |heard| heard.max(self.granted_at))
    }

    /// This process was asleep, and reports may wait for it: silence that it did not hear counts
    /// from now, where that is no matter of safety.
    pub(super) fn woke(&mut self, now: Time) {
        self.awake_at = now;
    }

    /// Since when this process was not asleep.
    pub(super) fn awake_at(&self) -> Time {
        self.awake_at
    }

    /// What a job may conclude about its tasks there.
    pub(super) fn presence(&self, nonce: NodeNonce, isolation: Isolation, now: Time) -> Presence {
        let mut since = self.silent_since(nonce);
        if let Some(node) = self.table.get(&nonce) {
            if node.is_dead {
                return Presence::Gone(GoneBecause::Dead);
            }
            if node.is_registered && now.since(since) < self.config.silence {
                return Presence::Here;
            }
        }
        if !isolation.is_exclusive() {
            since = since.max(self.awake_at);
        }
        presence::of_silence(since, now, isolation, &self.config)
    }

    /// Whether it reports, no matter to whom.
    pub(super) fn is_silent(&self, nonce: NodeNonce, now: Time) -> bool {
        now.since(self.silent_since(nonce).max(self.awake_at)) >= self.config.silence
    }

    /// Whether an order can be given now.
    pub(super) fn takes_orders(&self, nonce: NodeNonce, now: Time) -> bool {
        self.table.get(&nonce).is_some_and(|node| {
            node.is_registered && !node.is_dead && node.hold_until.is_none_or(|until| until <= now)
        })
    }

    /// Gives an order to a registered TaskManager; its number.
    pub(super) fn order(
        &mut self,
        to: NodeNonce,
        command: Command,
        out: &mut Vec<LeaderAction>,
    ) -> u64 {
        let Some(node) = self.table.get_mut(&to) else {
            return 0;
        };
        node.order_seq += 1;
        out.push(LeaderAction::Order(Box::new(Order {
            seal: self.seal,
            to,
            seq: node.order_seq,
            command,
        })));
        node.order_seq
    }

    /// An order did not arrive. Returns when orders are given again.
    pub(super) fn undelivered(&mut self, to: NodeNonce, now: Time, random: u64) -> Option<Time> {
        let node = self.table.get_mut(&to)?;
        node.failing_since.get_or_insert(now);
        // Orders that failed together are one failure.
        if node.hold_until.is_none_or(|until| until <= now) {
            node.hold_until = Some(now + node.pace.after_failure(random));
        }
        node.hold_until
    }

    /// Orders arrive.
    pub(super) fn delivered(&mut self, to: NodeNonce) {
        if let Some(node) = self.table.get_mut(&to) {
            if std::mem::take(&mut node.was_refused) {
                return;
            }
            node.failing_since = None;
            node.hold_until = None;
            node.pace.reset();
        }
    }

    /// Since when orders do not arrive there, if that is long ago.
    pub(super) fn unreachable_since(&self, nonce: NodeNonce, now: Time) -> Option<Time> {
        let since = self.table.get(&nonce)?.failing_since?;
        (now.since(since) >= self.config.silence).then_some(since)
    }

    /// The end of this task is written down, or nobody wants to know.
    pub(super) fn forget(&mut self, nonce: NodeNonce, task: TaskId) {
        if let Some(node) = self.table.get_mut(&nonce).filter(|node| !node.is_dead) {
            node.forget.push(task);
            self.forgetting.insert(nonce);
        }
    }

    /// Orders to forget what is to be forgotten.
    pub(super) fn order_forgetting(&mut self, now: Time, out: &mut Vec<LeaderAction>) {
        for nonce in std::mem::take(&mut self.forgetting) {
            if !self.takes_orders(nonce, now) {
                // With the next report's acknowledgement, or after the pause.
                self.forgetting.insert(nonce);
                continue;
            }
            let node = self.table.get_mut(&nonce).expect("it takes orders");
            let tasks = std::mem::take(&mut node.forget);
            if !tasks.is_empty() {
                self.order(nonce, Command::Forget { tasks }, out);
            }
        }
    }
}

impl Node {
    fn new(place: PlacedNode) -> Self {
        let (first, longest) = ORDER_PAUSES;
        Self {
            place,
            info: None,
            is_registered: false,
            is_dead: false,
            heard_at: None,
            last_seq: None,
            is_draining: false,
            is_retired: false,
            is_drain_ordered: false,
            is_silence_told: false,
            has_blobs: true,
            is_verified: false,
            slots: Slots::default(),
            jobs: BTreeSet::new(),
            strays: BTreeMap::new(),
            forget: Vec::new(),
            order_seq: 0,
            was_refused: false,
            failing_since: None,
            hold_until: None,
            pace: Pace::new(first, longest),
            free_key: None,
            took_tasks: false,
        }
    }

    /// Whether new tasks may be placed there, if it has free slots.
    pub(super) fn takes_tasks(&self) -> bool {
        self.is_registered
            && self.is_verified
            && !self.is_dead
            && !self.is_draining
            && !self.is_retired
            && self.failing_since.is_none()
    }

    /// Whether nobody misses it: it left as it was told to, or another one has its name by now.
    pub(super) fn is_past(&self, names_in_use: &BTreeSet<&str>) -> bool {
        self.is_dead && (self.is_draining || names_in_use.contains(&self.place.name[..]))
    }

    /// Takes over what a report says about the TaskManager itself.
    pub(super) fn take_report(&mut self, report: &Report, address: Option<&str>, now: Time) {
        self.heard_at = Some(now);
        self.is_silence_told = false;
        self.last_seq = Some(report.seq);
        self.is_draining |= report.is_draining;
        self.has_blobs = report.has_blobs;
        if let Some(ports) = &report.ports {
            self.slots.set_ports(ports);
        }
        let Some(info) = report.node.as_ref().filter(|_| report.is_full) else {
            return;
        };
        self.is_registered = true;
        self.is_dead = false;
        self.place.name.clone_from(&info.name);
        self.place.liveness.clone_from(&info.liveness);
        self.is_verified = address.is_some();
        if let Some(address) = address {
            address.clone_into(&mut self.place.address);
        }
        self.info = Some(info.clone());
        self.slots.clear_tasks();
        self.strays.clear();
    }
}
