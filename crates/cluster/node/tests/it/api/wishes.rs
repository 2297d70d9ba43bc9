//! What is wanted of a job: stopped, resumed, with another number of tasks.

use std::sync::Arc;

use incumbent_cluster_core::leader::Question;
use incumbent_cluster_core::view::JobView;
use incumbent_cluster_core::{Checkpointing, Desired, JobState, SavepointId};
use serde_json::{Value, json};

use super::harness::{Cluster, FakeLeader, How, Running, checkpoints_view, id, spec, view};

/// A job that checkpoints, or one that does not.
fn job(checkpoints: bool) -> JobView {
    let mut job = view(id(1), "job-1");
    let mut wanted: incumbent_cluster_core::JobSpec =
        serde_json::from_value(spec("job-1")).unwrap();
    if checkpoints {
        wanted.checkpoints = Some(Checkpointing::default());
        job.checkpoints = Some(checkpoints_view());
    }
    job.spec = Some(wanted);
    job
}

async fn leading(cluster: &Cluster, job: JobView) -> (Running, Arc<FakeLeader>) {
    let fake = Arc::new(FakeLeader::default());
    fake.add(job);
    let how = How {
        leader: Some(Arc::clone(&fake)),
        ..How::default()
    };
    (cluster.node(how).await, fake)
}

fn path() -> String {
    format!("/v1/jobs/{}/desired", id(1))
}

/// What was asked that changes something.
fn wishes(fake: &FakeLeader) -> Vec<Question> {
    let mut asked = fake.asked();
    asked.retain(|asked| !matches!(asked, Question::Job(_)));
    asked
}

async fn want(node: &Running, wish: Value) -> JobView {
    let reply = node.put(&path(), &wish).send().await;
    assert_eq!(reply.status, 200, "{wish}: {reply:?}");
    reply.json()
}

#[tokio::test]
async fn a_job_that_checkpoints_is_stopped_with_the_savepoint_that_the_client_has_drawn() {
    let cluster = Cluster::new();
    let (node, fake) = leading(&cluster, job(true)).await;
    let leadership = node.lead().await;
    let nameless = node
        .put(&path(), &json!({ "state": "suspended" }))
        .refused()
        .await;
    assert_eq!(nameless, (400, "bad-request".into()));
    assert_eq!(wishes(&fake), []);
    let savepoint = SavepointId::new(9);
    let wish = json!({ "state": "suspended", "savepoint": savepoint.to_string() });
    for _ in 0..2 {
        assert_eq!(want(&node, wish.clone()).await.desired, Desired::Suspended);
    }
    let job = id(1);
    let stop = Question::Suspend { job, savepoint };
    assert_eq!(wishes(&fake), [stop.clone(), stop]);
    drop(leadership);
}

#[tokio::test]
async fn all_who_stop_a_job_without_checkpoints_want_the_same() {
    let cluster = Cluster::new();
    let (node, fake) = leading(&cluster, job(false)).await;
    let leadership = node.lead().await;
    want(&node, json!({ "state": "suspended" })).await;
    want(
        &node,
        json!({ "state": "suspended", "savepoint": "b".repeat(32) }),
    )
    .await;
    let wishes = wishes(&fake);
    assert_eq!(wishes.len(), 2);
    assert_eq!(wishes[0], wishes[1]);
    drop(leadership);
}

#[tokio::test]
async fn a_suspended_job_is_resumed_with_another_number_of_tasks_if_that_is_wanted() {
    let cluster = Cluster::new();
    let (node, fake) = leading(&cluster, job(true)).await;
    let leadership = node.lead().await;
    let stop = json!({ "state": "suspended", "savepoint": "b".repeat(32) });
    want(&node, stop.clone()).await;
    assert_eq!(
        want(&node, json!({ "state": "running" })).await.desired,
        Desired::Running
    );
    want(&node, stop).await;
    let job = id(1);
    let resumed = want(&node, json!({ "state": "running", "tasks": 3 })).await;
    assert_eq!(resumed.desired, Desired::Running);
    let asked = wishes(&fake);
    let rescale = Question::Rescale { job, tasks: 3 };
    assert_eq!(asked[1], Question::Resume(job));
    assert_eq!(asked[3..], [rescale.clone(), Question::Resume(job)]);
    // It runs: nothing is to be resumed.
    want(&node, json!({ "state": "running", "tasks": 3 })).await;
    assert_eq!(wishes(&fake)[5..], [rescale]);
    drop(leadership);
}

#[tokio::test]
async fn rescaling_a_job_that_is_being_stopped_withdraws_the_stop_first() {
    let cluster = Cluster::new();
    let stopping = JobView {
        state: JobState::Running,
        desired: Desired::Suspended,
        ..job(true)
    };
    let (node, fake) = leading(&cluster, stopping).await;
    let leadership = node.lead().await;
    want(&node, json!({ "state": "running", "tasks": 3 })).await;
    let job = id(1);
    let expected = [Question::Resume(job), Question::Rescale { job, tasks: 3 }];
    assert_eq!(wishes(&fake), expected);
    drop(leadership);
}
