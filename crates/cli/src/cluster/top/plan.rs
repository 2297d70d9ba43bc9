//! What can be done with a job or a node, what that will do, and why it cannot be done now. Pure.

use hyper::Method;
use incumbent_cluster_core::view::JobView;
use incumbent_cluster_core::{Desired, JobState};
use serde_json::{Value, json};

use super::snapshot::counted;
use crate::cluster::client::{Ask, segment};
use crate::cluster::job::describe::short_state;

/// What a person wants. It names the job by its id: its name may be another job's by the time the
/// request arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) what: What,
    /// The id of the job, or the name of the node.
    pub(super) id: String,
    /// Its name, for people.
    pub(super) name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Stop,
    Cancel,
    /// The present attempt, so that a repeated request restarts nothing twice.
    Restart {
        after_attempt: u32,
    },
    Rescale {
        tasks: u32,
    },
    Savepoint,
    Resume,
    Drain,
}

/// What can be done with a job, by a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Stop,
    Cancel,
    Restart,
    Rescale,
    Savepoint,
    Resume,
}

impl Verb {
    /// Why it cannot be done with a job that stands so. `None`: it can. The cluster decides all the
    /// same; this saves a person the question.
    pub(super) fn refusal(self, job: &JobView) -> Option<String> {
        let name = &job.name;
        let is_suspended = job.state == JobState::Suspended;
        if job.state.is_terminal() {
            return Some(format!(
                "{name} has ended ({}): nothing can be done with it",
                short_state(job)
            ));
        }
        match self {
            Self::Resume if job.desired != Desired::Suspended => {
                Some(format!("{name} is not suspended"))
            }
            Self::Resume | Self::Cancel => None,
            Self::Stop if job.desired == Desired::Suspended => {
                Some(format!("{name} is stopped already; u resumes it"))
            }
            Self::Restart | Self::Rescale | Self::Savepoint if is_suspended => {
                Some(format!("{name} is suspended: u resumes it"))
            }
            Self::Stop | Self::Restart | Self::Rescale | Self::Savepoint => None,
        }
    }
}

impl Plan {
    pub(super) fn of(verb: Verb, job: &JobView, tasks: u32) -> Self {
        let what = match verb {
            Verb::Stop => What::Stop,
            Verb::Cancel => What::Cancel,
            Verb::Restart => What::Restart {
                after_attempt: job.attempt,
            },
            Verb::Rescale => What::Rescale { tasks },
            Verb::Savepoint => What::Savepoint,
            Verb::Resume => What::Resume,
        };
        Self {
            what,
            id: job.id.clone(),
            name: job.name.clone(),
        }
    }

    pub(super) fn drain(node: &str) -> Self {
        Self {
            what: What::Drain,
            id: node.to_owned(),
            name: node.to_owned(),
        }
    }

    /// The question, as the title of a dialog.
    pub(super) fn question(&self) -> String {
        let name = &self.name;
        match self.what {
            What::Stop => format!("Stop {name} with a savepoint?"),
            What::Cancel => format!("Cancel {name}?"),
            What::Restart { .. } => format!("Restart {name}?"),
            What::Rescale { tasks } => {
                format!("Rescale {name} to {}?", counted(tasks as usize, "task"))
            }
            What::Savepoint => format!("Make a savepoint of {name}?"),
            What::Resume => format!("Resume {name}?"),
            What::Drain => format!("Drain {name}?"),
        }
    }

    /// What will happen. `checkpoints`: whether the job makes any, if that is known.
    pub(super) fn consequence(&self, checkpoints: Option<bool>) -> String {
        let with = "It stores a savepoint, publishes what is staged, and its tasks end. It takes no slots, and u \
             lets it go on from there.";
        let without = "It makes no checkpoints: its tasks get SIGTERM, and it begins anew when it is resumed.";
        match self.what {
            What::Stop => match checkpoints {
                Some(true) => with.into(),
                Some(false) => without.into(),
                None => format!("If it checkpoints: {with} If not: its tasks get SIGTERM."),
            },
            What::Cancel => "Its tasks are ended, and it cannot be resumed. Its savepoints stay.".into(),
            What::Restart { after_attempt } => {
                let from = match checkpoints {
                    Some(true) => "from its last completed checkpoint",
                    Some(false) => "from its beginning, as it makes no checkpoints",
                    None => "from its last completed checkpoint, or from its beginning if it has none",
                };
                format!("Attempt {after_attempt} is ended, and the next one starts {from}. It keeps its slots.")
            }
            What::Rescale { tasks } => {
                let how = match checkpoints {
                    Some(true) => "It makes a checkpoint, its tasks end, and the next attempt goes on from there",
                    Some(false) => "It makes no checkpoints, so its tasks end, and the next attempt begins anew",
                    None => {
                        "Its tasks end, and the next attempt goes on from a checkpoint, if it makes any,"
                    }
                };
                let with = counted(tasks as usize, "task");
                format!("{how} with {with}. If there are not so many slots, nothing is stopped.")
            }
            What::Savepoint => "It goes on. The savepoint has files of its own and stays until it is removed, also \
                if the job is."
                .into(),
            What::Resume => "It starts again, from its savepoint if it has one. A stop that has no savepoint yet is \
                withdrawn."
                .into(),
            What::Drain => "It takes no more tasks, those that it has are started elsewhere, and then it ends.".into(),
        }
    }

    /// The request. It may be repeated. `drawn`: the id of a savepoint, if one is made.
    pub(super) fn ask(&self, drawn: &str) -> Ask {
        let id = segment(&self.id);
        let job = |below: &str, body: Value| {
            Ask::new(Method::PUT, format!("/v1/jobs/{id}/{below}")).json(&body)
        };
        match self.what {
            What::Stop => job(
                "desired",
                json!({ "state": "suspended", "savepoint": drawn }),
            ),
            What::Cancel => job("desired", json!({ "state": "canceled" })),
            What::Restart { after_attempt } => job(
                "desired",
                json!({ "state": "running", "after_attempt": after_attempt }),
            ),
            What::Rescale { tasks } => {
                job("desired", json!({ "state": "running", "tasks": tasks }))
            }
            What::Savepoint => job(&format!("savepoints/{drawn}"), json!({})),
            What::Resume => job("desired", json!({ "state": "running" })),
            What::Drain => Ask::new(Method::PUT, format!("/v1/nodes/{id}/desired"))
                .json(&json!({ "state": "draining" })),
        }
    }

    /// What is said when the request was answered: it is written down.
    pub(super) fn done(&self, drawn: &str) -> String {
        let name = &self.name;
        match self.what {
            What::Stop => format!("{name} is being stopped (savepoint {drawn} if it checkpoints)"),
            What::Cancel => format!("{name} is being canceled"),
            What::Restart { .. } => format!("{name} is being restarted"),
            What::Rescale { tasks } => {
                format!(
                    "{name} is being rescaled to {}",
                    counted(tasks as usize, "task")
                )
            }
            What::Savepoint => format!("savepoint {drawn} of {name} is made"),
            What::Resume => format!("{name} is resumed"),
            What::Drain => format!("{name} is being drained"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::snapshot::tests::job;
    use super::*;

    fn view(state: &str, desired: &str) -> JobView {
        let mut view = job("hello", state, 2);
        view["desired"] = desired.into();
        serde_json::from_value(view).unwrap()
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_a_reason() {
        let all = [
            Verb::Stop,
            Verb::Cancel,
            Verb::Restart,
            Verb::Rescale,
            Verb::Savepoint,
            Verb::Resume,
        ];
        let refused = |view: &JobView| all.map(|verb| verb.refusal(view).is_some());
        assert_eq!(refused(&view("finished", "running")), [true; 6]);
        let running = [false, false, false, false, false, true];
        assert_eq!(refused(&view("running", "running")), running);
        let suspended = [true, false, true, true, true, false];
        assert_eq!(refused(&view("suspended", "suspended")), suspended);
    }

    #[test]
    fn each_plan_says_what_it_will_do() {
        let running = view("running", "running");
        for (verb, words) in [
            (Verb::Stop, "publishes what is staged"),
            (Verb::Cancel, "cannot be resumed"),
            (Verb::Restart, "Attempt 2 is ended"),
            (Verb::Rescale, "with 3 tasks"),
            (Verb::Savepoint, "It goes on"),
        ] {
            let plan = Plan::of(verb, &running, 3);
            assert!(plan.consequence(Some(true)).contains(words), "{verb:?}");
            assert!(plan.question().contains("hello"));
        }
        let stop = Plan::of(Verb::Stop, &running, 0);
        assert!(stop.consequence(Some(false)).contains("begins anew"));
        assert!(stop.consequence(None).contains("If it checkpoints"));
    }
}
