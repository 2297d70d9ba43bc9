//! Why a job does not run, in words (`incumbent job why`).

mod contract;

use std::time::Duration;

use incumbent_core::{Now, Time};

use super::LeaderConfig;
use super::gangs::Gangs;
use super::job::rank::RankState;
use super::job::{Job, Write, cause};
use super::nodes::{Node, Nodes};
use super::presence::{GoneBecause, Presence};
use crate::demand::Supply;
use crate::moment::wall_text;
use crate::plural::counted;
use crate::{Cause, CauseKind, Isolation, JobState, NodeNonce, Rank, Restart};

/// The cause of an attempt that ends because a TaskManager is gone.
pub(super) fn cause_of_absence(job: &Job, rank: usize, why: GoneBecause, now: Now) -> Cause {
    let name = node_name(job, rank);
    let (kind, message) = match why {
        GoneBecause::Dead => (
            CauseKind::NodeDied,
            format!("TaskManager {name}, which had rank {rank}, is proven dead"),
        ),
        GoneBecause::Silence { since } => (
            CauseKind::NodeSilent,
            format!(
                "TaskManager {name}, which had rank {rank}, has been silent for {}",
                span(now.time.since(since))
            ),
        ),
    };
    cause::about(job, rank, kind, message)
}

/// Why it does not run, or does not run well: one line each, the most telling first.
pub(super) fn lines(
    job: &Job,
    nodes: &Nodes,
    gangs: &Gangs,
    config: &LeaderConfig,
    is_complete: bool,
    supply: Option<&Supply>,
    now: Now,
) -> Vec<String> {
    let mut lines = Vec::new();
    match job.record.state {
        JobState::Waiting => {
            contract::waits_for_origin(job, &mut lines);
            waits_for_slots(job, nodes, gangs, is_complete, supply, &mut lines);
        }
        JobState::Running => {
            not_up(job, nodes, &mut lines);
            silent(job, nodes, now, &mut lines);
            contract::lines(job, nodes, config, now, &mut lines);
            if job.waits_to_grow(nodes, now.time) {
                made(supply, &mut lines);
            }
            draining(job, nodes, &mut lines);
        }
        JobState::Restarting => {
            failed(job, &mut lines);
            let before = lines.len();
            old_ranks(job, nodes, now, &mut lines);
            if lines.len() > before {
                // The delay runs meanwhile.
            } else if now.time < job.ready_at {
                let wait = span(job.ready_at.since(now.time));
                lines.push(format!(
                    "the next attempt begins in {wait}: the restart delay"
                ));
            } else {
                waits_for_slots(job, nodes, gangs, is_complete, supply, &mut lines);
            }
        }
        JobState::Stopping if job.record.closing.is_some() => {
            contract::closing(job, &mut lines);
            not_up(job, nodes, &mut lines);
            silent(job, nodes, now, &mut lines);
            contract::lines(job, nodes, config, now, &mut lines);
        }
        JobState::Stopping => {
            lines.push(if job.is_to_be_canceled() {
                "it is being canceled".to_owned()
            } else {
                "it is being stopped".to_owned()
            });
            old_ranks(job, nodes, now, &mut lines);
        }
        JobState::Failed => failed(job, &mut lines),
        JobState::Canceled => lines.push("a person canceled it".to_owned()),
        JobState::Finished => lines.push("all its tasks exited with 0".to_owned()),
        JobState::Suspended => {
            lines.push("it is suspended; `incumbent job resume` runs it again".to_owned());
        }
    }
    match job.write {
        Write::Pausing(_) => {
            lines.push("the store did not take its last change; it is tried again".to_owned());
        }
        Write::Reopening => lines.push(
            "the store has not said what became of its last change; its record is being read again"
                .to_owned(),
        ),
        Write::Idle | Write::UnderWay(_) | Write::Erasing => {}
    }
    lines
}

fn failed(job: &Job, lines: &mut Vec<String>) {
    let Some(cause) = &job.record.cause else {
        return;
    };
    lines.push(format!("attempt {}: {}", job.record.attempt, cause.message));
    if !cause.last_lines.is_empty() {
        lines.push("its last lines were:".to_owned());
        lines.extend(cause.last_lines.iter().map(|line| format!("  {line}")));
    }
}

fn waits_for_slots(
    job: &Job,
    nodes: &Nodes,
    gangs: &Gangs,
    is_complete: bool,
    supply: Option<&Supply>,
    lines: &mut Vec<String>,
) {
    let wanted = job.record.tasks();
    if !is_complete {
        return lines.push("a new leader is still opening the records of jobs".to_owned());
    }
    let usable = nodes.usable_slots();
    let free: u32 = nodes.with_free().map(|(free, ..)| free).sum();
    let tasks = if wanted == 1 { "task" } else { "tasks" };
    let most = supply.map_or(0, |supply| supply.most_slots);
    if usable < wanted && wanted <= most {
        lines.push(format!(
            "it has {wanted} {tasks}, and all TaskManagers together have {usable} slots: Kubernetes \
             is asked for TaskManagers with {} more",
            wanted - usable
        ));
    } else if usable < wanted && supply.is_some() {
        lines.push(format!(
            "it has {wanted} {tasks}, and all TaskManagers together have {usable} slots: Kubernetes \
             is asked for {most} slots at most (--most-task-managers, --slots-per-pod)"
        ));
    } else if usable < wanted {
        lines.push(format!(
            "it has {wanted} {tasks}, and all TaskManagers together have {usable} slots: start \
             TaskManagers with {} more",
            wanted - usable
        ));
    } else {
        let held = u32::try_from(job.held.len()).unwrap_or(u32::MAX);
        let missing = wanted.saturating_sub(held).saturating_sub(free);
        let are = if missing == 1 { "is" } else { "are" };
        lines.push(format!(
            "it waits for slots: it has {wanted} {tasks} and holds {}; {free} of {usable} are free, \
             {missing} {are} missing",
            counted(held as usize, "slot")
        ));
    }
    made(supply, lines);
    let without_blobs = (nodes.iter())
        .filter(|(_, n)| n.takes_tasks() && !n.has_blobs)
        .count();
    if job.record.spec.artifact.is_some() && without_blobs > 0 {
        lines.push(format!(
            "{} cannot read its artifact: the blobs do not answer there",
            counted(without_blobs, "TaskManager")
        ));
    }
    let before = gangs.before(job);
    if before > 0 {
        let waits = if before == 1 { "waits" } else { "wait" };
        let older = counted(before, "older job");
        lines.push(format!("{older} {waits} before it"));
    }
    unusable_nodes(job, nodes, lines);
}

/// What is done about slots that are missing.
fn made(supply: Option<&Supply>, lines: &mut Vec<String>) {
    let Some(supply) = supply else {
        return;
    };
    if supply.coming > 0 {
        let coming = supply.coming;
        lines.push(format!(
            "{coming} slots are on their way, in pods of Kubernetes"
        ));
    }
    lines.extend(supply.why.iter().cloned());
}

/// TaskManagers that have slots which cannot be used. One that is dead has none; it matters to a
/// job that ran there.
fn unusable_nodes(job: &Job, nodes: &Nodes, lines: &mut Vec<String>) {
    let names_in_use = nodes.names_in_use();
    let is_of_interest = |node: &Node| {
        !node.is_dead || (node.jobs.contains(&job.record.id) && !node.is_past(&names_in_use))
    };
    for (_, node) in nodes
        .iter()
        .filter(|(_, node)| !node.takes_tasks() && is_of_interest(node))
        .take(MOST_NODE_LINES)
    {
        let name = &node.place.name;
        lines.push(if node.is_dead {
            format!("TaskManager {name} is dead")
        } else if !node.is_registered {
            format!("TaskManager {name} has not reported to this leader")
        } else if node.is_draining {
            format!("TaskManager {name} is being drained")
        } else {
            format!("TaskManager {name} cannot be reached, though it reports")
        });
    }
}

/// Most TaskManagers that are named one by one.
const MOST_NODE_LINES: usize = 8;

fn not_up(job: &Job, nodes: &Nodes, lines: &mut Vec<String>) {
    let of = |wanted: fn(&RankState) -> bool| -> Vec<Rank> {
        (0..job.ranks.len())
            .filter(|rank| wanted(&job.ranks[*rank].state))
            .map(|rank| job.task(rank).rank)
            .collect()
    };
    let starting = of(|state| matches!(state, RankState::Starting | RankState::Absent));
    if !starting.is_empty() {
        let which = cause::ranks_text(&starting);
        lines.push(format!(
            "attempt {}: {which} being started",
            job.record.attempt
        ));
    }
    if job.record.spec.artifact.is_none() {
        return;
    }
    let starting = by_node(job, |rank| {
        matches!(rank.state, RankState::Starting | RankState::Absent)
    });
    for (nonce, ranks) in starting {
        if nodes.get(nonce).is_some_and(|node| !node.has_blobs) {
            lines.push(format!(
                "{} waits for its artifact: the blobs do not answer TaskManager {}, which goes on \
                 asking",
                cause::ranks_text(&ranks),
                name_of(job, nonce)
            ));
        }
    }
}

fn silent(job: &Job, nodes: &Nodes, now: Now, lines: &mut Vec<String>) {
    for (nonce, ranks) in by_node(job, |rank| !rank.is_done()) {
        let presence = nodes.presence(nonce, job.record.spec.isolation, now.time);
        if let Presence::Silent { since, gone_at } = presence {
            lines.push(silence_line(job, nonce, &ranks, since, gone_at, now));
        }
    }
}

fn draining(job: &Job, nodes: &Nodes, lines: &mut Vec<String>) {
    for (nonce, ranks) in by_node(job, |rank| !rank.is_done()) {
        if nodes.get(nonce).is_some_and(|node| node.is_draining) {
            let (which, name) = (cause::ranks_text(&ranks), name_of(job, nonce));
            lines.push(if job.record.spec.restart == Restart::None {
                format!(
                    "TaskManager {name} is being drained and waits for {which}: the job is never \
                     restarted, so it is not moved"
                )
            } else {
                format!(
                    "{which} moves when there are slots elsewhere: TaskManager {name} is being \
                     drained"
                )
            });
        }
    }
}

fn old_ranks(job: &Job, nodes: &Nodes, now: Now, lines: &mut Vec<String>) {
    for (nonce, ranks) in by_node(job, |rank| !rank.is_over()) {
        match nodes.presence(nonce, job.record.spec.isolation, now.time) {
            Presence::Gone(_) => {}
            Presence::Here => {
                let is_reached = nodes.unreachable_since(nonce, now.time).is_none();
                let but = if is_reached {
                    ""
                } else {
                    ", but orders do not reach it, though its reports arrive"
                };
                lines.push(format!(
                    "{} of attempt {} is being ended on {}{but}",
                    cause::ranks_text(&ranks),
                    job.record.attempt,
                    name_of(job, nonce)
                ));
            }
            Presence::Silent { since, gone_at } => {
                lines.push(silence_line(job, nonce, &ranks, since, gone_at, now));
            }
        }
    }
}

fn silence_line(
    job: &Job,
    nonce: NodeNonce,
    ranks: &[Rank],
    since: Time,
    gone_at: Option<Time>,
    now: Now,
) -> String {
    let name = name_of(job, nonce);
    let which = cause::ranks_text(ranks);
    let heard = now.wall - now.time.since(since);
    let heard = wall_text(Now {
        time: since,
        wall: heard,
    });
    let may_overlap = job.record.spec.isolation == Isolation::Fenced;
    let next = match gone_at {
        Some(at) if may_overlap => {
            format!("the next attempt begins in {}", span(at.since(now.time)))
        }
        Some(at) => format!(
            "it may still run, so the next attempt begins in {} at the latest, or when that \
             TaskManager is proven dead, or by `incumbent node forget {name}`",
            span(at.since(now.time))
        ),
        None => format!(
            "it may still run, and the job has no isolation timeout: if that TaskManager is gone \
             for good, say `incumbent node forget {name}`"
        ),
    };
    format!("TaskManager {name} with {which} has been silent since {heard}: {next}")
}

/// The ranks for which this holds, by TaskManager.
fn by_node(
    job: &Job,
    is_meant: impl Fn(&super::job::rank::Rank) -> bool,
) -> std::collections::BTreeMap<NodeNonce, Vec<Rank>> {
    let mut by_node = std::collections::BTreeMap::<_, Vec<_>>::new();
    for (at, rank) in job.ranks.iter().enumerate() {
        if let Some(nonce) = job.nonce_of(at).filter(|_| is_meant(rank)) {
            by_node.entry(nonce).or_default().push(job.task(at).rank);
        }
    }
    by_node
}

fn node_name(job: &Job, rank: usize) -> &str {
    job.record
        .node_of(job.task(rank).rank)
        .map_or("?", |node| &node.name)
}

fn name_of(job: &Job, nonce: NodeNonce) -> &str {
    (job.record.nodes.iter())
        .find(|node| node.nonce == nonce)
        .map_or("?", |node| &node.name)
}

/// A duration as people read it.
fn span(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        format!("{} ms", duration.as_millis())
    } else if duration < Duration::from_secs(120) {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} min", duration.as_secs().div_ceil(60))
    }
}
