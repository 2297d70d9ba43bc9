//! Stop, resume and rescale of a job that counts: nothing is lost and nothing is there twice,
//! whenever the leading JobManager is killed.

use rustix::process::Signal;
use serde_json::Value;

use super::counters::{Counting, assert_counted, cluster};
use super::running::{Cluster, tasks};
use super::witness::a_moment;

/// Pauses between a request and the kill, in milliseconds: from before anything is done to after
/// all of it.
const DELAYS: [u64; 4] = [0, 20, 80, 250];

/// A cluster with JobManagers to spare while others are started again.
const MANY_LEADERS: [&str; 2] = ["--job-managers", "3"];

/// Whether a job looks so.
type Is = fn(&Value) -> bool;

fn id_of(job: &Value) -> String {
    job["id"].as_str().unwrap().to_owned()
}

/// A job that is not over while the test is.
fn counting(limit: u64) -> Counting<'static> {
    Counting {
        limit,
        pace: "0.02",
        ..Counting::default()
    }
}

#[test]
fn a_stopped_job_goes_on_from_its_savepoint() {
    let Some(cluster) = cluster(&[]) else {
        return;
    };
    let id = id_of(&counting(300).run(&cluster));
    cluster.checkpointed("count", 2);
    let stopped = cluster.ask(&["job", "stop", "count"]).assert_code(0).json();
    assert_eq!(stopped["state"], "suspended", "{stopped}");
    let savepoint = &stopped["checkpoint"]["savepoint"];
    assert!(savepoint.is_string(), "{stopped}");
    assert_eq!(savepoint, &stopped["savepoints"][0]["id"]);
    assert_eq!(cluster.view()["slots_free"], 4, "it takes no slots");
    // Once more is the same.
    let again = cluster.ask(&["job", "stop", "count"]).assert_code(0).json();
    assert_eq!(again["checkpoint"], stopped["checkpoint"]);
    let refused = cluster
        .ask(&["job", "rescale", "count", "3"])
        .assert_code(4);
    assert!(
        refused.err.contains("job resume count --tasks 3"),
        "{}",
        refused.err
    );

    cluster
        .ask(&["job", "resume", "count", "--tasks", "3"])
        .assert_code(0);
    let resumed = cluster.job("count", "goes on", |job| job["attempt"] == 2);
    assert_eq!(resumed["restarts"], 0, "{resumed}");
    let ended = cluster.finished("count");
    assert_eq!(ended["savepoints"][0]["id"], *savepoint, "it stays");
    assert_counted(&cluster, &id, 300);
}

#[test]
fn a_job_is_rescaled_from_one_to_three_to_two_tasks() {
    let Some(cluster) = cluster(&[]) else {
        return;
    };
    let job = Counting {
        tasks: 1,
        ..counting(300)
    };
    let id = id_of(&job.run(&cluster));
    cluster.checkpointed("count", 1);
    for tasks in [3, 2] {
        let number = tasks.to_string();
        let done = cluster
            .ask(&["job", "rescale", "count", &number])
            .assert_code(0)
            .json();
        assert_eq!(done["tasks"].as_array().unwrap().len(), tasks, "{done}");
        assert_eq!(
            (&done["state"], &done["restarts"]),
            (&"running".into(), &0.into())
        );
        cluster.checkpointed_in("count", done["attempt"].as_u64().unwrap());
    }
    // There are four slots.
    let refused = cluster
        .ask(&["job", "rescale", "count", "9"])
        .assert_code(4);
    assert!(refused.err.contains("slots"), "{}", refused.err);
    let job = cluster.show("count");
    assert_eq!(
        job["tasks"].as_array().unwrap().len(),
        2,
        "nothing was stopped"
    );
    cluster.finished("count");
    assert_counted(&cluster, &id, 300);
}

#[test]
fn a_stop_that_its_leader_does_not_survive_is_carried_out() {
    let Some(cluster) = cluster(&MANY_LEADERS) else {
        return;
    };
    let id = id_of(&counting(600).run(&cluster));
    for (number, delay) in DELAYS.into_iter().enumerate() {
        let attempt = cluster.running_any("count")["attempt"].as_u64().unwrap();
        cluster.checkpointed_in("count", attempt);
        let name = format!("stop-{number}");
        let mut asking = cluster.asking(&name, &["job", "stop", "count"]);
        a_moment(delay);
        cluster.kill_leader();
        assert_eq!(asking.code(), Some(0), "{}", asking.log());
        let stopped = cluster.show("count");
        assert_eq!(stopped["state"], "suspended", "{stopped}");
        let savepoints = stopped["savepoints"].as_array().unwrap();
        assert_eq!(savepoints.len(), number + 1, "one each: {stopped}");
        cluster.ask(&["job", "resume", "count"]).assert_code(0);
    }
    cluster.finished("count");
    assert_counted(&cluster, &id, 600);
}

#[test]
fn the_leader_is_killed_at_each_step_of_a_stop_that_can_be_seen() {
    let Some(cluster) = cluster(&MANY_LEADERS) else {
        return;
    };
    let id = id_of(&counting(600).run(&cluster));
    let steps: [(&str, Is); 3] = [
        ("is to be stopped", |job| job["desired"] == "suspended"),
        ("has its savepoint", |job| {
            job["checkpoint"]["savepoint"].is_string()
        }),
        ("is suspended", |job| job["state"] == "suspended"),
    ];
    for (number, (what, is)) in steps.into_iter().enumerate() {
        let attempt = cluster.running_any("count")["attempt"].as_u64().unwrap();
        cluster.checkpointed_in("count", attempt);
        let name = format!("stop-{number}");
        let mut asking = cluster.asking(&name, &["job", "stop", "count"]);
        cluster.job("count", what, is);
        cluster.kill_leader();
        assert_eq!(asking.code(), Some(0), "{}", asking.log());
        assert_eq!(cluster.show("count")["state"], "suspended");
        cluster.ask(&["job", "resume", "count"]).assert_code(0);
    }
    cluster.finished("count");
    assert_counted(&cluster, &id, 600);
}

#[test]
fn a_rescaling_that_its_leader_does_not_survive_is_carried_out() {
    let Some(cluster) = cluster(&MANY_LEADERS) else {
        return;
    };
    let id = id_of(&counting(600).run(&cluster));
    for (number, (delay, tasks)) in DELAYS.into_iter().zip([3, 1, 4, 2]).enumerate() {
        let attempt = cluster.running_any("count")["attempt"].as_u64().unwrap();
        cluster.checkpointed_in("count", attempt);
        let name = format!("rescale-{number}");
        let wanted = tasks.to_string();
        let mut asking = cluster.asking(&name, &["job", "rescale", "count", &wanted]);
        a_moment(delay);
        cluster.kill_leader();
        assert_eq!(asking.code(), Some(0), "{}", asking.log());
        let job = cluster.running_any("count");
        assert_eq!(self::tasks(&job).len(), tasks, "{job}");
    }
    cluster.finished("count");
    assert_counted(&cluster, &id, 600);
}

#[test]
fn a_stop_that_is_withdrawn_stops_nothing() {
    let Some(cluster) = cluster(&[]) else {
        return;
    };
    // No checkpoint is ever complete, so there is time.
    let deaf = Counting {
        flags: &["--env", "DEAF=1"],
        ..Counting::default()
    };
    deaf.run(&cluster);
    let pids = super::running::task_pids(&cluster.running("count", 1));
    let mut asking = cluster.asking("stop", &["job", "stop", "count"]);
    cluster.job("count", "is to be stopped", |job| {
        job["desired"] == "suspended"
    });
    cluster.ask(&["job", "resume", "count"]).assert_code(0);
    assert_eq!(asking.code(), Some(4), "{}", asking.log());
    assert!(asking.log().contains("withdrawn"), "{}", asking.log());
    let job = cluster.show("count");
    assert_eq!(
        (&job["state"], &job["attempt"]),
        (&"running".into(), &1.into())
    );
    assert_eq!(super::running::task_pids(&job), pids);
}

#[test]
fn ctrl_c_ends_the_waiting_and_not_the_stop() {
    let Some(cluster) = cluster(&[]) else {
        return;
    };
    let deaf = Counting {
        flags: &["--env", "DEAF=1"],
        ..Counting::default()
    };
    deaf.run(&cluster);
    cluster.running("count", 1);
    let mut asking = cluster.asking("stop", &["job", "stop", "count"]);
    cluster.job("count", "is to be stopped", |job| {
        job["desired"] == "suspended"
    });
    asking.signal(Signal::INT);
    assert_eq!(asking.code(), Some(130));
    asking.logged("count goes on being stopped");
    assert_eq!(cluster.show("count")["desired"], "suspended");
}

impl Cluster {
    /// Waits until all tasks of the present attempt run, whichever that is.
    #[track_caller]
    fn running_any(&self, job: &str) -> Value {
        self.job(job, "runs", |view| {
            let all = tasks(view);
            view["state"] == "running"
                && !all.is_empty()
                && all.iter().all(|task| task["state"] == "running")
        })
    }
}
