//! What became of a savepoint or a stop, by what the record of the job says.

use incumbent_cluster_core::checkpoint::Intent;
use incumbent_cluster_core::view::{GivenUpSavepointView, JobView};
use incumbent_cluster_core::{Desired, JobState, SavepointId};
use serde_json::Value;

use super::sample::{SAVEPOINT, job};
use crate::savepoints::{checkpoint_begun, checkpoint_status, of_location, status};

fn made() -> SavepointId {
    SAVEPOINT.parse().unwrap()
}

fn told(job: &JobView, id: SavepointId) -> Result<(String, Value), u16> {
    let told = status(job, id).map_err(|failure| failure.status.as_u16())?;
    Ok((
        told["status"]["id"].as_str().unwrap().to_owned(),
        told["operation"].clone(),
    ))
}

#[test]
fn a_savepoint_is_in_progress_then_there() {
    let other = SavepointId::new(7);
    let mut job = job();
    assert_eq!(told(&job, made()).unwrap().1["location"], SAVEPOINT);
    assert_eq!(told(&job, other), Err(404));
    job.intent = Some(Intent::Savepoint { id: other });
    assert_eq!(told(&job, other).unwrap().0, "IN_PROGRESS");
    job.intent = None;
    job.checkpoints.as_mut().unwrap().given_up = Some(GivenUpSavepointView {
        id: other.to_string(),
        why: "rank 1 was late".into(),
    });
    let (state, operation) = told(&job, other).unwrap();
    assert_eq!(state, "COMPLETED");
    let trace = operation["failure-cause"]["stack-trace"].as_str().unwrap();
    assert!(trace.contains("rank 1 was late"), "{trace}");
}

#[test]
fn a_stop_is_over_when_the_job_is_suspended() {
    let mut job = job();
    job.desired = Desired::Suspended;
    for (state, is_over) in [
        (JobState::Running, false),
        (JobState::Stopping, false),
        (JobState::Suspended, true),
        (JobState::Canceled, true),
    ] {
        job.state = state;
        let expected = if is_over { "COMPLETED" } else { "IN_PROGRESS" };
        assert_eq!(told(&job, made()).unwrap().0, expected, "{state:?}");
    }
    // A job that waits for slots is suspended as it is.
    job.state = JobState::Suspended;
    let (_, operation) = told(&job, SavepointId::new(7)).unwrap();
    assert!(operation["failure-cause"]["class"].is_string());
}

#[test]
fn a_checkpoint_that_is_asked_for_is_the_next_one() {
    let mut job = job();
    let begun = checkpoint_begun(&job).unwrap();
    let trigger: SavepointId = begun["request-id"].as_str().unwrap().parse().unwrap();
    assert_eq!(
        trigger.get(),
        7,
        "the pending one may be older than the wish"
    );
    assert_eq!(
        checkpoint_status(&job, trigger).unwrap()["status"]["id"],
        "IN_PROGRESS"
    );
    let all = job.checkpoints.as_mut().unwrap();
    let mut next = all.completed[0].clone();
    next.number = 9;
    all.completed.push(next);
    let told = checkpoint_status(&job, trigger).unwrap();
    assert_eq!(told["operation"]["checkpointId"], 9);
}

#[test]
fn a_savepoint_is_named_by_its_id_whatever_stands_before_it() {
    for path in [
        SAVEPOINT.to_owned(),
        format!("file:///x/{SAVEPOINT}/"),
        format!("savepoint-{SAVEPOINT}"),
        format!("incumbent:{}", SAVEPOINT.to_uppercase()),
    ] {
        assert_eq!(of_location(&path), Ok(made()), "{path}");
    }
    for path in [
        "",
        "/",
        "file:///tmp/savepoint-a1b2c3-d4e5",
        &SAVEPOINT[1..],
    ] {
        assert!(of_location(path).is_err(), "{path}");
    }
}
