//! [`Gangs`]: jobs that want slots, the oldest first, all or none (R2).

use std::collections::{BTreeMap, BTreeSet};

use incumbent_core::Time;

use super::LeaderConfig;
use super::job::Job;
use super::job::intents::Wish;
use super::jobs::Jobs;
use super::nodes::{Node, Nodes};
use super::supply::gang_need;
use crate::checkpoint::Intent;
use crate::demand::GangNeed;
use crate::record::{PlacedNode, Placement};
use crate::{JobId, NodeNonce};

/// The jobs that wait for slots.
#[derive(Debug, Default)]
pub(super) struct Gangs {
    /// By when they were submitted.
    waiting: BTreeSet<(u64, JobId)>,
    /// Whether slots may have come free, or somebody has come to wait.
    is_due: bool,
}

/// What one look at the waiting gangs found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The jobs for which slots are held now: all that they want.
    pub(super) served: Vec<JobId>,
    /// When the oldest may reserve slots.
    pub(super) again_at: Option<Time>,
}

impl Gangs {
    pub(super) fn wait(&mut self, job: &Job) {
        self.is_due |= self.waiting.insert(key(job));
    }

    pub(super) fn leave(&mut self, job: &Job) {
        // What it had reserved is free for others.
        self.is_due |= self.waiting.remove(&key(job));
    }

    /// Slots may have come free.
    pub(super) fn look(&mut self) {
        self.is_due = true;
    }

    pub(super) fn is_due(&mut self) -> bool {
        std::mem::take(&mut self.is_due) && !self.waiting.is_empty()
    }

    /// How many older gangs wait before this one.
    pub(super) fn before(&self, job: &Job) -> usize {
        self.waiting.range(..key(job)).count()
    }

    /// What each of them lacks, the oldest first.
    pub(super) fn needs(&self, jobs: &Jobs, nodes: &Nodes, now: Time) -> Vec<GangNeed> {
        let waiting = self.waiting.iter().filter_map(|(_, id)| jobs.open(*id));
        waiting.map(|job| gang_need(job, nodes, now)).collect()
    }

    /// Serves the gangs that can be served now: the oldest first, and a younger one only with slots
    /// that no older one has reserved.
    pub(super) fn serve(
        &self,
        jobs: &mut Jobs,
        nodes: &mut Nodes,
        config: &LeaderConfig,
        now: Time,
    ) -> Found {
        let mut found = Found::default();
        let usable_slots = nodes.usable_slots();
        for (_, id) in &self.waiting {
            let Some(job) = jobs.open_mut(*id) else {
                continue;
            };
            let since = *job.waiting_since.get_or_insert(now);
            let wanted = wanted(job);
            let least = if job.record.is_to_run() {
                wanted
            } else {
                // What an intent to rescale wants is not waited for when nothing runs.
                job.record.tasks().min(wanted)
            };
            if hold_all(job, nodes, wanted, now) || hold_all(job, nodes, least, now) {
                found.served.push(*id);
                continue;
            }
            let reserves_at = since + config.reserve_after;
            // One that cannot fit as things stand starves nobody.
            if usable_slots < least {
                continue;
            }
            if reserves_at <= now {
                break;
            }
            found.again_at = Some(
                found
                    .again_at
                    .map_or(reserves_at, |at: Time| at.min(reserves_at)),
            );
        }
        found
    }
}

fn key(job: &Job) -> (u64, JobId) {
    (job.record.submitted_ms, job.record.id)
}

/// Whether this slot, which is held for the job, can still be used by it.
fn is_usable(job: &Job, nodes: &Nodes, nonce: NodeNonce, slot: u32, now: Time) -> bool {
    nodes.get(nonce).is_some_and(|node| {
        suits(job, node) && !nodes.is_silent(nonce, now) && node.slots.is_held(slot, job.record.id)
    })
}

/// Whether tasks of this job can be placed there.
fn suits(job: &Job, node: &Node) -> bool {
    // The artifact comes from the blobs: an outage there is no failure of the task (R4).
    node.takes_tasks() && (node.has_blobs || job.record.spec.artifact.is_none())
}

/// Gives back the slots that the job can use no more: of a TaskManager that is gone, silent or
/// drained.
fn give_back(job: &mut Job, nodes: &mut Nodes, now: Time) {
    let held = std::mem::take(&mut job.held);
    for (nonce, slot) in held {
        if is_usable(job, nodes, nonce, slot, now) {
            job.held.push((nonce, slot));
        } else {
            release(nodes, nonce, slot, job.record.id, now);
        }
    }
}

/// How many tasks the job is to have.
pub(super) fn wanted(job: &Job) -> u32 {
    match job.record.intent {
        Some(Intent::Rescale { tasks }) => tasks,
        Some(Intent::Savepoint { .. } | Intent::Stop { .. }) | None => job.record.tasks(),
    }
}

/// Holds as many slots as are wanted, if there are so many, and nothing more if not. Slots that it
/// holds already are kept.
pub(super) fn hold_all(job: &mut Job, nodes: &mut Nodes, wanted: u32, now: Time) -> bool {
    let wanted = wanted as usize;
    let usable = |&(nonce, slot): &(NodeNonce, u32)| is_usable(job, nodes, nonce, slot, now);
    let kept = job.held.iter().filter(|held| usable(held)).count();
    let missing = wanted.saturating_sub(kept);
    if missing > 0 {
        let mut free = 0;
        for (count, _, node) in nodes.with_free() {
            if suits(job, node) {
                free += count as usize;
            }
            if free >= missing {
                break;
            }
        }
        if free < missing {
            return false;
        }
    }
    give_back(job, nodes, now);
    while job.held.len() < wanted {
        // The one with the most free slots: a gang spreads.
        let best = nodes.with_free().find(|(.., node)| suits(job, node));
        let Some((_, nonce, node)) = best else {
            return false;
        };
        let (slot, _) = node.slots.first_free().expect("it has free slots");
        hold(nodes, nonce, slot, job.record.id, now);
        job.held.push((nonce, slot));
    }
    true
}

/// Whether the job holds slots for all its tasks that it can use, now or when its old tasks have
/// left them.
pub(super) fn has_all(job: &Job, nodes: &Nodes, now: Time) -> bool {
    let usable = |&&(nonce, slot): &&(NodeNonce, u32)| is_usable(job, nodes, nonce, slot, now);
    job.held.iter().filter(usable).count() >= wanted(job) as usize
}

/// Slots that the job would have to get to have this many.
pub(super) fn lacking(job: &Job, nodes: &Nodes, wanted: u32, now: Time) -> u32 {
    let usable = |&&(nonce, slot): &&(NodeNonce, u32)| is_usable(job, nodes, nonce, slot, now);
    let held = job.held.iter().filter(usable).count();
    wanted.saturating_sub(u32::try_from(held).unwrap_or(u32::MAX))
}

/// Where the next attempt runs, if the job holds slots for all its tasks and nothing is in them.
pub(super) fn placement(
    job: &mut Job,
    nodes: &mut Nodes,
    now: Time,
) -> Option<(Vec<PlacedNode>, Vec<Placement>)> {
    let id = job.record.id;
    let mut ready: Vec<(NodeNonce, u32, u16)> = job
        .held
        .iter()
        .filter(|(nonce, slot)| is_usable(job, nodes, *nonce, *slot, now))
        .filter_map(|(nonce, slot)| {
            let port = nodes.get(*nonce)?.slots.ready(*slot, id)?;
            Some((*nonce, *slot, port))
        })
        .collect();
    let (wanted, least) = (wanted(job) as usize, job.record.tasks() as usize);
    let tasks = if ready.len() >= wanted { wanted } else { least };
    if ready.len() < tasks {
        return None;
    }
    ready.truncate(tasks);
    // What it holds beyond that, it holds no more.
    let surplus = job
        .held
        .iter()
        .filter(|(nonce, slot)| !ready.iter().any(|(n, s, _)| n == nonce && s == slot));
    for (nonce, slot) in surplus.copied().collect::<Vec<_>>() {
        release(nodes, nonce, slot, id, now);
    }
    job.held = ready
        .iter()
        .map(|(nonce, slot, _)| (*nonce, *slot))
        .collect();
    let mut places: Vec<PlacedNode> = Vec::new();
    let mut at: BTreeMap<NodeNonce, u32> = BTreeMap::new();
    let mut placements = Vec::with_capacity(ready.len());
    for (nonce, slot, port) in ready {
        let node = *at.entry(nonce).or_insert_with(|| {
            let place = nodes.get(nonce).expect("its slot is ready").place.clone();
            places.push(place);
            u32::try_from(places.len() - 1).expect("a job has at most MOST_TASKS nodes")
        });
        placements.push(Placement { node, slot, port });
    }
    Some((places, placements))
}

/// Gives back what a running job holds beyond its tasks: what it was to have is not wanted any
/// more.
pub(super) fn release_surplus(job: &mut Job, nodes: &mut Nodes, now: Time) {
    let is_wished = matches!(job.wishes.change, Some(Wish::Rescale { .. }));
    if is_wished || job.held.len() <= job.ranks.len().max(wanted(job) as usize) {
        return;
    }
    let id = job.record.id;
    let is_used = |held: &(NodeNonce, u32)| {
        (0..job.ranks.len()).any(|rank| {
            job.nonce_of(rank) == Some(held.0) && job.record.placements[rank].slot == held.1
        })
    };
    let (kept, surplus): (Vec<_>, Vec<_>) = job.held.iter().copied().partition(is_used);
    for (nonce, slot) in surplus {
        release(nodes, nonce, slot, id, now);
    }
    job.held = kept;
}

/// Holds a slot for a job.
pub(super) fn hold(nodes: &mut Nodes, nonce: NodeNonce, slot: u32, job: JobId, now: Time) {
    if let Some(node) = nodes.get_mut(nonce) {
        node.slots.hold(slot, job);
        nodes.changed(nonce, now);
    }
}

/// Holds it no more.
pub(super) fn release(nodes: &mut Nodes, nonce: NodeNonce, slot: u32, job: JobId, now: Time) {
    if let Some(node) = nodes.get_mut(nonce) {
        node.slots.release(slot, job);
        nodes.changed(nonce, now);
    }
}
