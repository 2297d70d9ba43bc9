use super::*;
use crate::decode::{Leader, Lock};
use crate::model::{Election, FlinkJob, LeaderEntry, Pointer, Severity};

const OLD: &str = "8b5f5a4e-1c55-4f0c-9d2e-000000000001";
const NEW: &str = "8b5f5a4e-1c55-4f0c-9d2e-000000000002";

/// The id of a job.
fn job(number: u32) -> String {
    format!("{number:032x}")
}

/// A cluster on Kubernetes with these leaders, and these jobs stored.
fn cluster(leaders: &[(&str, &str)], jobs: &[u32]) -> FlinkCluster {
    let lock = Lock {
        holder: Some("process".into()),
        lease_duration: None,
        acquired: None,
        renewed: None,
        transitions: None,
    };
    let election = Election {
        key: "map".into(),
        holder: lock.holder.clone(),
        owner: None,
        waiting: None,
        lock: Some(lock),
        renewal: None,
    };
    let leaders = leaders.iter().map(|&(name, session)| {
        let leader = Leader {
            session: session.parse().unwrap(),
            address: "address".into(),
        };
        let entry = LeaderEntry {
            key: format!("map/{name}"),
            leader,
            owner: None,
        };
        (name.to_owned(), entry)
    });
    let jobs = jobs.iter().map(|&number| {
        let job = FlinkJob {
            plan: Some(pointer()),
            ..FlinkJob::default()
        };
        (self::job(number), job)
    });
    FlinkCluster {
        elections: vec![election],
        leaders: leaders.collect(),
        jobs: jobs.collect(),
        ..FlinkCluster::default()
    }
}

fn pointer() -> Pointer {
    Pointer {
        key: "map/plan".into(),
        handle: None,
        defect: None,
        deleting: false,
        locks: Vec::new(),
        file: None,
    }
}

/// The kinds and keys of a cluster's problems.
fn judged(mut cluster: FlinkCluster) -> Vec<(ProblemKind, String)> {
    judge(&mut cluster);
    let problems = cluster.problems.into_iter();
    problems.map(|it| (it.kind, it.key)).collect()
}

/// However many entries of jobs an earlier leader has left, they do not outvote the components.
#[test]
fn jobs_of_an_earlier_leader_never_make_the_present_one_stale() {
    let names: Vec<_> = (1..=5)
        .map(|number| format!("job-{}", job(number)))
        .collect();
    for count in 1..=5 {
        let mut leaders = vec![
            ("restserver", NEW),
            ("dispatcher", NEW),
            ("resourcemanager", NEW),
        ];
        leaders.extend(names[..count].iter().map(|name| (name.as_str(), OLD)));
        let stored: Vec<_> = (1..=5).collect();
        let of_jobs = |kind| {
            let keys = names[..count].iter();
            let keys = keys.map(move |name| (kind, format!("map/{name}")));
            keys.collect::<Vec<_>>()
        };
        // Jobs that the new leader has not started yet.
        assert_eq!(
            judged(cluster(&leaders, &stored)),
            of_jobs(ProblemKind::Stale)
        );
        // Jobs that have ended.
        assert_eq!(
            judged(cluster(&leaders, &[])),
            of_jobs(ProblemKind::Orphaned)
        );
    }
}

/// Right after a new leader has begun to write, as seen on a real Flink 1.20.3.
#[test]
fn the_first_entry_of_a_new_leader_is_not_stale() {
    let of_job = format!("job-{}", job(1));
    let leaders = [("restserver", NEW), (of_job.as_str(), OLD)];
    let stale = (ProblemKind::Stale, format!("map/{of_job}"));
    assert_eq!(judged(cluster(&leaders, &[1])), [stale]);
}

#[test]
fn components_that_disagree_are_one_problem_and_none_of_them_is_stale() {
    for sessions in [[NEW, OLD, OLD], [OLD, NEW, NEW], [OLD, NEW, OLD]] {
        let names = ["restserver", "dispatcher", "resourcemanager"];
        let leaders: Vec<_> = names.into_iter().zip(sessions).collect();
        let mixed = (ProblemKind::Mixed, "map".to_owned());
        assert_eq!(judged(cluster(&leaders, &[])), [mixed], "{sessions:?}");
    }
}

#[test]
fn a_cluster_that_nobody_leads_is_critical_as_soon_as_it_has_jobs() {
    for (jobs, severity, words) in [
        (&[][..], Severity::Warning, "takes no jobs"),
        (&[1], Severity::Critical, "The cluster's job does not run"),
        (
            &[1, 2],
            Severity::Critical,
            "The cluster's 2 jobs do not run",
        ),
    ] {
        for free in [true, false] {
            let mut cluster = cluster(&[], jobs);
            if free {
                cluster.elections[0].holder = None;
            } else {
                cluster.elections.clear();
            }
            judge(&mut cluster);
            let [problem] = &cluster.problems[..] else {
                panic!("{:?}", cluster.problems);
            };
            assert_eq!(
                (problem.kind, problem.severity),
                (ProblemKind::NoLeader, severity)
            );
            assert!(problem.follows.contains(words), "{}", problem.follows);
        }
    }
}
