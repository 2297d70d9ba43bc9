//! [`Gauges`]: the figures of a term, as metrics.

mod checkpoints;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use incumbent::Time;
use incumbent_cluster_core::leader::{Answer, LeaderEvent, Opened, Ticket};
use incumbent_cluster_core::message::Order;
use incumbent_cluster_core::view::{ClusterView, NodeKind, NodeViewState};
use incumbent_cluster_core::{Attempt, JobId, JobRecord, JobState};
use incumbent_core::Now;
use metrics::{counter, gauge, histogram};

use checkpoints::{Aborted, Newest};

/// How often slots and nodes are counted.
const PERIOD: Duration = Duration::from_secs(5);

const STATES: [(JobState, &str); 8] = [
    (JobState::Waiting, "waiting"),
    (JobState::Running, "running"),
    (JobState::Restarting, "restarting"),
    (JobState::Stopping, "stopping"),
    (JobState::Suspended, "suspended"),
    (JobState::Finished, "finished"),
    (JobState::Failed, "failed"),
    (JobState::Canceled, "canceled"),
];

/// What is counted in one term. At its end the gauges are zero, so that the sum over all
/// JobManagers is that of the cluster.
pub(super) struct Gauges {
    granted: Now,
    since: String,
    /// Each job as it was written last: its state, its attempt, how many tasks it has placed.
    jobs: HashMap<JobId, Job>,
    /// What is being written.
    writing: HashMap<JobId, Job>,
    aborted: Aborted,
    adoption: Adoption,
    asked: Option<Ticket>,
    due: Time,
}

/// How far the records of the first list are open.
enum Adoption {
    /// There is no list yet.
    Unlisted,
    /// These are not open yet.
    Missing(HashSet<JobId>),
    /// All of them were. Later lists are of no interest.
    Done,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Job {
    state: JobState,
    attempt: Attempt,
    restarts: u32,
    tasks: u32,
    /// If it checkpoints.
    newest: Option<Newest>,
}

impl Gauges {
    /// Of a term that was granted at this time.
    pub(super) fn new(granted: Now) -> Self {
        Self {
            since: humantime::format_rfc3339_millis(granted.wall).to_string(),
            granted,
            jobs: HashMap::new(),
            writing: HashMap::new(),
            aborted: Aborted::default(),
            adoption: Adoption::Unlisted,
            asked: None,
            due: granted.time,
        }
    }

    /// Since when the term lasts, for people.
    pub(super) fn since(&self) -> &str {
        &self.since
    }

    /// Counts what the machine is told.
    pub(super) fn see(&mut self, event: &LeaderEvent, now: Now) {
        match event {
            LeaderEvent::Listed(jobs) => {
                if matches!(self.adoption, Adoption::Unlisted) {
                    let missing = jobs.iter().copied();
                    let missing = missing.filter(|job| !self.jobs.contains_key(job));
                    self.adoption = Adoption::Missing(missing.collect());
                }
                self.adopted(now);
            }
            LeaderEvent::Opened { job, found } => {
                match found {
                    Opened::Record(body) => {
                        // Of a commit whose outcome was unknown.
                        self.replace(*job, Job::of(body, now));
                    }
                    Opened::Absent => {
                        self.jobs.remove(job);
                    }
                    Opened::Damaged(_) => counter!("incumbent_cluster_damaged_total").increment(1),
                    Opened::Unavailable => return,
                }
                if let Adoption::Missing(missing) = &mut self.adoption {
                    missing.remove(job);
                }
                self.adopted(now);
            }
            LeaderEvent::Committed(job) => {
                counter!("incumbent_cluster_commits_total").increment(1);
                self.committed(*job);
            }
            LeaderEvent::NotCommitted { job, .. } => {
                self.writing.remove(job);
            }
            LeaderEvent::Erased(job) => {
                self.jobs.remove(job);
                self.aborted.forget(*job);
            }
            LeaderEvent::Hinted(_)
            | LeaderEvent::Reported { .. }
            | LeaderEvent::Dead(_)
            | LeaderEvent::Undelivered { .. }
            | LeaderEvent::Delivered { .. }
            | LeaderEvent::OrderRefused { .. }
            | LeaderEvent::Asked { .. }
            | LeaderEvent::ManifestStored { .. }
            | LeaderEvent::ManifestNotStored { .. }
            | LeaderEvent::SavepointFound { .. }
            | LeaderEvent::SavepointRemoved { .. }
            | LeaderEvent::Supplied(_)
            | LeaderEvent::Retire(_)
            | LeaderEvent::Tick => {}
        }
    }

    /// This body is going to be written.
    pub(super) fn committing(&mut self, body: &JobRecord, now: Now) {
        self.writing.insert(body.id, Job::of(body, now));
    }

    /// This order is going to be sent.
    pub(super) fn ordering(&mut self, order: &Order) {
        self.aborted.see(order);
    }

    /// For how long nothing has to be counted.
    pub(super) fn until_due(&self, now: Time) -> Duration {
        self.due.since(now)
    }

    /// Whether it is time to count.
    pub(super) fn is_due(&self, now: Now) -> bool {
        self.until_due(now.time).is_zero()
    }

    /// The machine is asked for its nodes under this ticket.
    pub(super) fn asked(&mut self, ticket: Ticket, now: Now) {
        self.asked = Some(ticket);
        self.due = now.time + PERIOD;
    }

    /// Takes the answer, if it is to the question that was asked here.
    pub(super) fn take(&mut self, ticket: Ticket, answer: &Answer, now: Now) -> bool {
        if self.asked != Some(ticket) {
            return false;
        }
        self.asked = None;
        if let Answer::Cluster(view) = answer {
            self.count(Some((view, now)));
        }
        true
    }

    fn committed(&mut self, job: JobId) {
        let Some(new) = self.writing.remove(&job) else {
            return;
        };
        let old = self.replace(job, new);
        if old.is_none_or(|old| old.attempt < new.attempt) {
            counter!("incumbent_cluster_attempts_total").increment(1);
        }
        if let Some(old) = old {
            let restarts = new.restarts.saturating_sub(old.restarts);
            counter!("incumbent_cluster_restarts_total").increment(u64::from(restarts));
        }
    }

    fn replace(&mut self, job: JobId, mut new: Job) -> Option<Job> {
        let old = self.jobs.get(&job).copied();
        if let (Some(new), Some(old)) = (&mut new.newest, old.and_then(|old| old.newest)) {
            new.count(old);
        }
        self.jobs.insert(job, new)
    }

    /// If all records of the list are open now, how long that took.
    fn adopted(&mut self, now: Now) {
        if matches!(&self.adoption, Adoption::Missing(missing) if missing.is_empty()) {
            self.adoption = Adoption::Done;
            let took = now.time.since(self.granted.time);
            histogram!("incumbent_cluster_adoption_seconds").record(took);
            tracing::debug!(
                ?took,
                jobs = self.jobs.len(),
                "all records of jobs are open"
            );
        }
    }

    fn count(&self, leads: Option<(&ClusterView, Now)>) {
        let (view, now) = leads.unzip();
        for (state, name) in STATES {
            let jobs = self.jobs.values().filter(|job| job.state == state).count();
            gauge!("incumbent_cluster_jobs", "state" => name).set(float(jobs));
        }
        let running = self.jobs.values().filter(|job| !job.state.is_terminal());
        let tasks: u32 = running.map(|job| job.tasks).sum();
        gauge!("incumbent_cluster_tasks").set(f64::from(tasks));
        let newest = self.jobs.values().filter_map(|job| job.newest);
        checkpoints::set(newest, now);
        let slots = view.map_or(0, |view| view.slots);
        let free = view.map_or(0, |view| view.slots_free);
        gauge!("incumbent_cluster_slots").set(f64::from(slots));
        gauge!("incumbent_cluster_slots_free").set(f64::from(free));
        let nodes = view.map_or(&[][..], |view| &view.nodes[..]);
        let is_live = |state| matches!(state, NodeViewState::Live | NodeViewState::Draining);
        for (kind, name) in [
            (NodeKind::JobManager, "job-manager"),
            (NodeKind::TaskManager, "task-manager"),
        ] {
            let live = nodes
                .iter()
                .filter(|node| node.kind == kind && is_live(node.state));
            gauge!("incumbent_cluster_nodes", "kind" => name).set(float(live.count()));
        }
        gauge!("incumbent_cluster_leads").set(if view.is_some() { 1.0 } else { 0.0 });
    }
}

impl Drop for Gauges {
    fn drop(&mut self) {
        self.jobs.clear();
        self.count(None);
    }
}

impl Job {
    fn of(body: &JobRecord, now: Now) -> Self {
        Self {
            state: body.state,
            attempt: body.attempt,
            restarts: body.restarts,
            tasks: u32::try_from(body.placements.len()).unwrap_or(u32::MAX),
            newest: Newest::of(body, now),
        }
    }
}

fn float(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Says what the metrics of a JobManager mean. To be called once, after a recorder is installed.
pub fn describe_metrics() {
    use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
    checkpoints::describe();
    describe_gauge!("incumbent_cluster_leads", "1 if this JobManager leads.");
    describe_gauge!(
        "incumbent_cluster_jobs",
        "Jobs by state, as the leader has written them."
    );
    describe_gauge!("incumbent_cluster_tasks", "Tasks that are placed.");
    describe_gauge!("incumbent_cluster_slots", "Slots of all TaskManagers.");
    describe_gauge!("incumbent_cluster_slots_free", "Slots that are free.");
    describe_gauge!("incumbent_cluster_nodes", "Nodes that report, by kind.");
    describe_counter!(
        "incumbent_cluster_commits_total",
        "Swaps of records of jobs that took effect: each is one write of the store."
    );
    describe_counter!("incumbent_cluster_attempts_total", "Attempts that began.");
    describe_counter!(
        "incumbent_cluster_restarts_total",
        "Attempts that ended and are followed by another."
    );
    describe_counter!(
        "incumbent_cluster_reports_total",
        "Reports of TaskManagers that were taken."
    );
    describe_counter!(
        "incumbent_cluster_orders_total",
        "Orders to TaskManagers by outcome: delivered, of which some are refused, or undelivered."
    );
    describe_counter!(
        "incumbent_cluster_unwritten_total",
        "Openings and commits of records of jobs that failed, by operation and outcome."
    );
    describe_counter!(
        "incumbent_cluster_damaged_total",
        "Records of jobs that were found damaged."
    );
    describe_histogram!(
        "incumbent_cluster_commit_seconds",
        Unit::Seconds,
        "How long a commit of a record of a job took."
    );
    describe_histogram!(
        "incumbent_cluster_adoption_seconds",
        Unit::Seconds,
        "From the grant of a term until all records of jobs were open."
    );
}
