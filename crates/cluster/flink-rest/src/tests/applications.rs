//! Jobs as applications.

use incumbent_cluster_core::JobState;
use serde_json::json;

use super::sample::{JOB, NOW, job};
use crate::applications;

#[test]
fn a_job_is_an_application_with_the_same_id() {
    let mut job = job();
    let all = applications::overview(std::slice::from_ref(&job), NOW);
    let one = &all["applications"][0];
    assert_eq!(
        (&one["id"], &one["status"]),
        (&json!(JOB), &json!("RUNNING"))
    );
    assert_eq!(one["jobs"], json!({ "RUNNING": 1 }));
    let shown = applications::details(&job, NOW);
    assert_eq!(shown["jobs"][0]["jid"], JOB);
    assert_eq!(shown["timestamps"]["FINISHED"], 0);
    job.state = JobState::Suspended;
    assert_eq!(applications::details(&job, NOW)["status"], "RUNNING");
    job.state = JobState::Canceled;
    job.ended_at = Some("2026-01-01T00:00:01Z".into());
    let shown = applications::details(&job, NOW);
    assert_eq!(shown["timestamps"]["CANCELED"], shown["end-time"]);
}
