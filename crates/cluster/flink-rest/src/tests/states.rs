//! States, and what is shown of failures.

use incumbent_cluster_core::view::{JobView, TaskViewState};
use incumbent_cluster_core::{CauseKind, Desired, JobState};

use super::sample::{NOW, failure, job};
use crate::{exceptions, job as of_job, jobs, plan, state};

fn in_state(state: JobState, desired: Desired) -> JobView {
    JobView {
        state,
        desired,
        ..job()
    }
}

#[test]
fn each_state_of_ours_is_one_of_flinks() {
    use Desired::{Canceled, Running, Suspended};
    for (ours, desired, flinks) in [
        (JobState::Waiting, Running, "CREATED"),
        (JobState::Running, Running, "RUNNING"),
        (JobState::Running, Suspended, "RUNNING"),
        (JobState::Restarting, Running, "RESTARTING"),
        (JobState::Stopping, Suspended, "RUNNING"),
        (JobState::Stopping, Canceled, "CANCELLING"),
        (JobState::Suspended, Suspended, "SUSPENDED"),
        (JobState::Finished, Running, "FINISHED"),
        (JobState::Failed, Running, "FAILED"),
        (JobState::Canceled, Canceled, "CANCELED"),
    ] {
        let job = in_state(ours, desired);
        assert_eq!(state::of_job(&job), flinks);
        assert!(state::OF_JOBS.contains(&flinks));
        let told = of_job::execution_result(&job, NOW);
        let is_over = told["status"]["id"] == "COMPLETED";
        assert_eq!(is_over, ours.is_terminal(), "{ours:?}");
    }
}

#[test]
fn each_state_of_a_task_is_one_of_flinks_and_all_are_counted() {
    for state in [
        TaskViewState::Placed,
        TaskViewState::Starting,
        TaskViewState::Running,
        TaskViewState::Ending,
        TaskViewState::Ended,
        TaskViewState::Unknown,
    ] {
        let mut job = job();
        job.tasks[0].state = state;
        assert!(state::OF_TASKS.contains(&state::of_task(&job, &job.tasks[0])));
        let sum: u64 = state::counts(&job)
            .values()
            .filter_map(|count| count.as_u64())
            .sum();
        assert_eq!(sum, 2);
        assert!(state::OF_TASKS.contains(&state::of_gang(&job)));
    }
    // Nothing is placed: they are there all the same, also in lists, which have no specification.
    let waiting = JobView {
        tasks: Vec::new(),
        spec: None,
        ..in_state(JobState::Waiting, Desired::Running)
    };
    assert_eq!(state::counts(&waiting)["CREATED"], 2);
    assert_eq!(
        jobs::overview(&[waiting], NOW)["jobs"][0]["tasks"]["total"],
        2
    );
}

#[test]
fn what_somebody_wanted_is_no_exception_and_the_root_cause_comes_first() {
    let mut job = job();
    let told = exceptions::exceptions(&job, None);
    assert_eq!(
        told["exceptionHistory"]["entries"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let root = told["root-exception"].as_str().unwrap();
    assert!(
        root.starts_with("incumbent.TaskFailed: rank 1 exited with 7\n"),
        "{root}"
    );
    assert!(
        root.contains("<script>"),
        "it is text, and the dashboard shows it as that: {root}"
    );
    assert_eq!(
        told["exceptionHistory"]["entries"][0]["taskName"],
        "sh -c a <b> & c (2/2)"
    );
    job.attempts[0].cause.kind = CauseKind::Rescaled;
    let told = exceptions::exceptions(&job, None);
    assert!(told["root-exception"].is_null());
    job.cause = Some(failure());
    let told = exceptions::exceptions(&job, Some(0));
    assert_eq!(told["exceptionHistory"]["truncated"], true);
}

#[test]
fn a_command_is_no_markup_and_secrets_are_not_shown() {
    let told = plan::plan(&job());
    assert_eq!(told["nodes"][0]["description"], "sh -c a &lt;b&gt; &amp; c");
    let told = of_job::config(&job()).to_string();
    assert!(
        told.contains("PASSWORD") && !told.contains("hidden"),
        "{told}"
    );
}
