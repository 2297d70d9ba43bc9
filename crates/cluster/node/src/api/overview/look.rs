//! [`Looks`]: one look at all jobs and nodes, for everybody who asks within half a second.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use incumbent_cluster_core::leader::{Answer, Question};
use incumbent_cluster_core::view::{ClusterView, JobView, NodeKind, NodeView, NodeViewState};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::types::{JobCounts, Marks, NodeCounts, Overview, SlotCounts};
use super::wrong::{MOST_WRONG, was_refused, wrong};
use crate::api::led::{Led, unexpected};
use crate::api::problem::Problem;

/// How long a look serves others. The leader's loop copies all jobs for one.
const FRESH: Duration = Duration::from_millis(500);

/// The last look of this node, while it leads.
#[derive(Clone, Default)]
pub(in super::super) struct Looks(Arc<Mutex<Last>>);

/// When it was taken, and what was seen.
type Last = Option<(Instant, Arc<Look>)>;

/// All jobs and nodes at one moment.
pub(super) struct Look {
    pub(super) cluster: ClusterView,
    pub(super) jobs: Vec<JobView>,
}

impl Looks {
    /// The last look, or a new one. All who ask meanwhile wait for the same.
    pub(super) async fn look(&self, led: &Led) -> Result<Arc<Look>, Problem> {
        let mut last = self.0.lock().await;
        if let Some((at, look)) = &*last
            && at.elapsed() < FRESH
        {
            return Ok(Arc::clone(look));
        }
        // Before the jobs: if it was complete then, so are they.
        let cluster = led.cluster().await?;
        let jobs = match led.ask(Question::Jobs).await? {
            Answer::Jobs(jobs) => jobs,
            other => return Err(unexpected(other)),
        };
        let look = Arc::new(Look { cluster, jobs });
        *last = Some((Instant::now(), Arc::clone(&look)));
        Ok(look)
    }
}

impl Look {
    /// What it shows at a glance.
    pub(super) fn overview(&self, now: SystemTime) -> Overview {
        let Self { cluster, jobs } = self;
        let mut counts = JobCounts::default();
        let taken = jobs.iter().filter(|job| !was_refused(job));
        taken.for_each(|job| counts.add(job.state));
        let mut wrong = wrong(cluster, jobs, now);
        let wrong_more = wrong.len().saturating_sub(MOST_WRONG);
        wrong.truncate(MOST_WRONG);
        Overview {
            wrong,
            wrong_more,
            cluster: cluster.id.clone(),
            leader: cluster.leader.clone(),
            epoch: cluster.epoch,
            nodes: node_counts(&cluster.nodes),
            slots: SlotCounts {
                total: cluster.slots,
                free: cluster.slots_free,
            },
            jobs: counts,
            is_complete: cluster.is_complete,
            marks: Marks {
                jobs: mark_of_jobs(jobs),
                nodes: mark_of_nodes(&cluster.nodes),
            },
        }
    }
}

fn node_counts(nodes: &[NodeView]) -> NodeCounts {
    let mut counts = NodeCounts::default();
    for node in nodes {
        match (node.kind, node.state) {
            (NodeKind::JobManager, _) => counts.job_managers += 1,
            (NodeKind::TaskManager, NodeViewState::Dead) => counts.dead += 1,
            (NodeKind::TaskManager, state) => {
                counts.task_managers += 1;
                counts.silent += usize::from(state == NodeViewState::Silent);
                counts.draining += usize::from(state == NodeViewState::Draining);
            }
        }
    }
    counts
}

/// Of what rows of jobs show.
fn mark_of_jobs(jobs: &[JobView]) -> String {
    let mut hash = DefaultHasher::new();
    for job in jobs {
        (&job.id, job.state, job.attempt, job.restarts, &job.why).hash(&mut hash);
        job.checkpoint
            .as_ref()
            .map(|last| last.number)
            .hash(&mut hash);
        for task in &job.tasks {
            (task.state as u8, task.pid).hash(&mut hash);
        }
    }
    format!("{:016x}", hash.finish())
}

/// Of what is shown of nodes, but for how long they are silent.
fn mark_of_nodes(nodes: &[NodeView]) -> String {
    let mut hash = DefaultHasher::new();
    for node in nodes {
        (&node.nonce, node.state as u8, node.slots, node.slots_free).hash(&mut hash);
    }
    format!("{:016x}", hash.finish())
}
