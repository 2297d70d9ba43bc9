//! Every kind of damage, with what follows from it: what Flink does then.
//!
//! The sentences are what Flink 1.20.3 and 2.3.0 were seen to do with such data, or what their
//! sources and log messages say. Where neither tells, the sentence says that it is not known.

use std::fmt::Display;
use std::time::Duration;

use crate::data::Gate;
use crate::decode::DecodeError;
use crate::model::{Problem, ProblemKind, Severity};

use ProblemKind as Kind;
use Severity::{Critical, Note, Warning};

fn problem(
    severity: Severity,
    kind: Kind,
    key: impl Into<String>,
    reason: impl Into<String>,
    follows: impl Into<String>,
) -> Problem {
    Problem {
        severity,
        kind,
        key: key.into(),
        reason: reason.into(),
        follows: follows.into(),
    }
}

/// What nobody leading means for this many jobs.
fn nobody_leads(key: &str, reason: String, why: &str, jobs: usize) -> Problem {
    let (severity, follows) = match jobs {
        0 => (
            Warning,
            "The cluster takes no jobs until one starts.".into(),
        ),
        1 => (
            Critical,
            "The cluster's job does not run until one starts.".into(),
        ),
        jobs => (
            Critical,
            format!("The cluster's {jobs} jobs do not run until one starts."),
        ),
    };
    problem(
        severity,
        Kind::NoLeader,
        key,
        reason,
        format!("{why} {follows}"),
    )
}

pub(crate) fn no_election(key: &str, jobs: usize) -> Problem {
    let why = "No JobManager has used these data since they were made or copied.";
    nobody_leads(key, "there is no election".into(), why, jobs)
}

pub(crate) fn latch_free(key: &str, jobs: usize) -> Problem {
    let why = "No JobManager is connected to ZooKeeper.";
    nobody_leads(key, "nobody holds the latch".into(), why, jobs)
}

pub(crate) fn lock_free(key: &str, jobs: usize) -> Problem {
    let why = "The last leader has stopped, and no other JobManager has taken over.";
    nobody_leads(key, "nobody holds the lock".into(), why, jobs)
}

/// The lock's holder let its lease pass, as we saw by our own clock.
pub(crate) fn lock_silent(key: &str, watched: Duration, lease: Duration, jobs: usize) -> Problem {
    let [watched, lease] = [watched, lease].map(in_words);
    let reason = format!("the lock was not renewed for {watched}; its lease is {lease}");
    let why = "Its holder is dead or cut off, and no other JobManager has taken over.";
    nobody_leads(key, reason, why, jobs)
}

/// The lock was watched, for less than its lease.
pub(crate) fn lock_not_renewed_yet(
    key: &str,
    watched: Duration,
    lease: Option<Duration>,
) -> Problem {
    let lease = lease.map_or("not readable".into(), in_words);
    let reason = format!(
        "the lock was not renewed for {}; its lease is {lease}",
        in_words(watched)
    );
    let follows = "Its holder may be alive or dead: it was watched for less than a lease.";
    problem(Warning, Kind::NoLeader, key, reason, follows)
}

pub(crate) fn lock_missing(key: &str, annotation: &str) -> Problem {
    let reason = format!("it has no annotation {annotation}");
    let follows = "Flink elects nobody, however long it waits and however often it is started: its \
                   elector does not add a missing annotation. Jobs do not run until the annotation \
                   is added by hand, with an empty holder.";
    problem(Critical, Kind::NoLeader, key, reason, follows)
}

pub(crate) fn lock_unreadable(key: &str, error: &DecodeError) -> Problem {
    let follows =
        "Flink elects its leader by this annotation. What it does with this one is not known.";
    problem(Warning, Kind::Unreadable, key, error.to_string(), follows)
}

/// Nobody may lead here.
pub(crate) fn closed(key: &str, gate: &Gate) -> Problem {
    let follows = match gate {
        Gate::Moved { .. } => {
            "Flink elects nobody here, so that jobs do not run twice and no JobManager reads \
             pointers to files that are gone. If no Flink has run at the other place, `incumbent \
             flink reopen` lets one lead here again."
        }
        Gate::Copying { .. } => {
            "Flink elects nobody here until the same `incumbent flink migrate` has finished. \
             `incumbent flink clean` removes the unfinished copy."
        }
        Gate::Unreadable => "Flink elects nobody here.",
    };
    problem(Warning, Kind::Closed, key, gate.why(), follows)
}

pub(crate) fn leader_unreadable(key: &str, error: &DecodeError) -> Problem {
    let follows = "Flink acts as if nobody led this component, until the leading JobManager writes \
                   the entry again.";
    problem(Warning, Kind::Unreadable, key, error.to_string(), follows)
}

const MISLED: &str =
    "Clients and TaskManagers that read this entry go to a JobManager that does not lead.";

/// A leader's entry of another ZooKeeper session than the latch's holder.
pub(crate) fn leader_of_other_owner(key: &str, owner: &str, holder: &str) -> Problem {
    let reason =
        format!("its ZooKeeper session {owner} is not that of the latch's holder, {holder}");
    problem(Warning, Kind::Stale, key, reason, MISLED)
}

pub(crate) fn leader_persistent(key: &str) -> Problem {
    let reason = "it is not an ephemeral node";
    let follows = "It stays when its leader goes. Clients and TaskManagers then go to a JobManager \
                   that is gone.";
    problem(Warning, Kind::Stale, key, reason, follows)
}

/// Components that must have the same leader name several.
pub(crate) fn leaders_mixed(key: &str, leaders: &str) -> Problem {
    let reason = format!("the components name leaders of several sessions: {leaders}");
    let follows = "Either a takeover is under way, or an earlier leader's entry was left behind. \
                   Look again in a minute: if this is still so, clients and TaskManagers that read \
                   the old entry go to a JobManager that does not lead.";
    problem(Warning, Kind::Mixed, key, reason, follows)
}

pub(crate) fn job_leader_stale(key: &str, session: &dyn Display, present: &dyn Display) -> Problem {
    let reason = format!("its session {session} is not that of the present leader, {present}");
    let follows =
        "The present leader has not started this job. If that stays so, its log says why.";
    problem(Warning, Kind::Stale, key, reason, follows)
}

pub(crate) fn job_leader_orphaned(key: &str) -> Problem {
    let reason = "nothing else is stored of this job";
    let follows = "Flink leaves such entries behind when a job ends. It does no harm.";
    problem(Note, Kind::Orphaned, key, reason, follows)
}

/// What a [`Pointer`](crate::model::Pointer) outside checkpoints is for.
#[derive(Clone, Copy)]
pub(crate) enum Recovered {
    Application,
    Job,
}

impl Recovered {
    fn name(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Job => "job",
        }
    }
}

/// An entry or a file that Flink needs to recover something, and fails on.
pub(crate) fn recovery_fails(what: Recovered, kind: Kind, key: &str, reason: String) -> Problem {
    let follows = format!(
        "At the next failover the new leader cannot recover this {}. Its JobManager ends, and so \
         does each one after it: all jobs of the cluster are down until {}.",
        what.name(),
        remedy(kind)
    );
    problem(Critical, kind, key, reason, follows)
}

/// What brings the cluster back.
fn remedy(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "the file is restored, or this entry removed",
        _ => "this entry is removed",
    }
}

pub(crate) fn recovery_skipped(what: Recovered, key: &str, runs: bool) -> Problem {
    let name = what.name();
    let reason = "its removal has begun, and is not finished";
    let follows = format!(
        "At the next failover Flink takes this {name} for finished and does not start it, without \
         an error in its log."
    );
    let severity = if runs { Critical } else { Warning };
    problem(severity, Kind::Deleting, key, reason, follows)
}

/// A checkpoint that Flink fails on.
pub(crate) fn checkpoint_fatal(kind: Kind, key: &str, id: u64, reason: String) -> Problem {
    let follows = format!(
        "At the next failover the new leader cannot read checkpoint {id}. Its JobManager ends, and \
         so does each one after it: all jobs of the cluster are down until {}.",
        remedy(kind)
    );
    problem(Critical, kind, key, reason, follows)
}

/// A checkpoint that Flink passes over. `instead` is the newest one that it restores.
pub(crate) fn checkpoint_ignored(
    kind: Kind,
    key: &str,
    id: u64,
    reason: String,
    instead: Option<u64>,
) -> Problem {
    let (severity, follows) = match instead {
        None => (
            Critical,
            "Flink ignores this entry, and there is no other checkpoint: at the next failover the \
             job starts without any state. Flink's log only has a warning."
                .to_owned(),
        ),
        Some(instead) if instead < id => (
            Critical,
            format!(
                "Flink ignores this entry. At the next failover the job goes back to checkpoint \
                 {instead}, which is older. Flink's log only has a warning."
            ),
        ),
        Some(instead) => (
            Note,
            format!("Flink ignores this entry, and restores checkpoint {instead}, which is newer."),
        ),
    };
    problem(severity, kind, key, reason, follows)
}

/// A damaged checkpoint of a job that Flink does not start.
pub(crate) fn checkpoint_unused(kind: Kind, key: &str, reason: String) -> Problem {
    let follows = "Flink does not read it while the job has no plan.";
    problem(Note, kind, key, reason, follows)
}

pub(crate) fn checkpoint_unnamed(key: &str, error: &DecodeError) -> Problem {
    let follows = "Its name holds no checkpoint id. What Flink does with it is not known.";
    problem(Warning, Kind::Unreadable, key, error.to_string(), follows)
}

pub(crate) fn counter_unreadable(key: &str, error: &DecodeError) -> Problem {
    let follows =
        "Flink takes the id of each checkpoint from it. What it does with this value is not known.";
    problem(Warning, Kind::Unreadable, key, error.to_string(), follows)
}

/// The counter is missing (`None`), or not above the newest checkpoint.
pub(crate) fn counter_behind(job: &str, counter: Option<u64>, newest: u64) -> Problem {
    let (reason, next) = match counter {
        None => (
            format!("the counter is missing, and there is checkpoint {newest}"),
            1,
        ),
        Some(next) => (
            format!("the next checkpoint would be {next}, and there is checkpoint {newest}"),
            next,
        ),
    };
    let follows = format!(
        "At the next failover Flink counts on from {next}: ids and chk-N directories up to \
         {newest} are used twice."
    );
    problem(Critical, Kind::CounterBehind, job, reason, follows)
}

/// A job with checkpoints or a counter, and without a plan.
pub(crate) fn plan_missing(job: &str, runs: bool) -> Problem {
    let reason =
        "there are checkpoints or a counter, and neither an execution plan nor a job graph";
    let (severity, follows) = if runs {
        (
            Critical,
            "The job has a leader now. At the next failover it is not started.",
        )
    } else {
        (
            Warning,
            "Flink does not start this job. It has ended and was not cleaned up, or its plan was \
             lost.",
        )
    };
    problem(severity, Kind::Orphaned, job, reason, follows)
}

pub(crate) fn job_graph_outdated(key: &str) -> Problem {
    let reason = "a job graph of Flink 1 is beside the execution plan of Flink 2";
    let follows = "Flink 2 reads only the execution plan, and Flink 1 only the job graph.";
    problem(Note, Kind::Outdated, key, reason, follows)
}

pub(crate) fn unlabelled(key: &str, labels: &str) -> Problem {
    let reason = format!("it lacks the labels {labels}");
    let follows = "Flink still reads it by its name. Flink's watches and its cleanup select by \
                   labels, and miss it.";
    problem(Warning, Kind::Unlabelled, key, reason, follows)
}

pub(crate) fn unknown_key(key: &str) -> Problem {
    let reason = "no known Flink writes a key of this name";
    let follows = "It is not known what reads it.";
    problem(Note, Kind::Unknown, key, reason, follows)
}

pub(crate) fn unknown_node(path: &str) -> Problem {
    let reason = "no known Flink writes a node of this name";
    let follows = "If an option high-availability.zookeeper.path.… of Flink is changed, jobs may \
                   be stored below it, which are not shown here.";
    problem(Note, Kind::Unknown, path, reason, follows)
}

/// A duration as people write it, in whole tenths of seconds.
fn in_words(duration: Duration) -> String {
    let tenths = duration.as_millis() / 100;
    match tenths % 10 {
        0 => format!("{} s", tenths / 10),
        rest => format!("{}.{rest} s", tenths / 10),
    }
}
