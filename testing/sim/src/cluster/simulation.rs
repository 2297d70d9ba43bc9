//! One seed, from its plan to its verdict.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use clap::ValueEnum;
use incumbent_cluster_core::{CauseKind, JobRecord, JobState};

use super::mode::{ClusterMode, ClusterMutation};
use super::world::World;
use crate::oracle::Broken;
use crate::simulation::message;
use crate::trace::Trace;

/// What is to be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClusterSimulation {
    /// Decides everything else.
    pub seed: u64,
    /// Which kinds of faults there are.
    pub mode: ClusterMode,
    /// Which rule is left out.
    pub mutation: ClusterMutation,
}

/// What came of a seed that kept every promise: how much happened. The same seed gives the same
/// numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClusterReport {
    /// Events.
    pub events: u64,
    /// Terms that were granted.
    pub terms: u64,
    /// The highest attempt of any job.
    pub attempts: u64,
    /// Processes that were killed.
    pub kills: u64,
    /// Checkpoints that were committed.
    pub checkpoints: u64,
    /// Savepoints among them.
    pub savepoints: u64,
    /// Attempts that started from a checkpoint.
    pub restored: u64,
    /// Jobs that were suspended with a savepoint.
    pub suspended: u64,
    /// Jobs that finished with a last checkpoint.
    pub finished: u64,
    /// Attempts that ended because of another number of tasks.
    pub rescaled: u64,
    /// Attempts that had to publish what an earlier one had left when its job closed.
    pub closed_again: u64,
    /// Attempts that failed because checkpoints were not completed.
    pub not_completed: u64,
    /// Jobs that started from another one, or from a savepoint.
    pub from_others: u64,
    /// Records that were erased.
    pub erased: u64,
}

impl ClusterReport {
    /// The record of a job says this now.
    pub(super) fn count(&mut self, before: Option<&JobRecord>, record: &JobRecord) {
        self.attempts = self.attempts.max(record.attempt.0.into());
        let Some(before) = before else { return };
        let newest = |record: &JobRecord| record.checkpoints.last().map(|last| last.number);
        let is_new = |state| before.state != state && record.state == state;
        let is_new_attempt = before.attempt < record.attempt;
        let ended = record.ended.last().filter(|last| {
            let known = before.ended.last().map(|last| last.attempt);
            known != Some(last.attempt)
        });
        let has_ended = |kind| ended.is_some_and(|ended| ended.cause.kind == kind);
        for (count, has_happened) in [
            (&mut self.checkpoints, newest(before) < newest(record)),
            (
                &mut self.savepoints,
                before.savepoints.len() < record.savepoints.len(),
            ),
            (
                &mut self.restored,
                is_new_attempt && record.restore_point().is_some(),
            ),
            (
                &mut self.suspended,
                is_new(JobState::Suspended) && before.closing.is_some(),
            ),
            (
                &mut self.finished,
                is_new(JobState::Finished) && before.closing.is_some(),
            ),
            (&mut self.rescaled, has_ended(CauseKind::Rescaled)),
            (
                &mut self.closed_again,
                is_new_attempt && record.closing.is_some(),
            ),
            (
                &mut self.not_completed,
                has_ended(CauseKind::CheckpointsFailed),
            ),
            (
                &mut self.from_others,
                is_new_attempt && record.attempt.0 == 1 && record.origin.is_some(),
            ),
        ] {
            *count += u64::from(has_happened);
        }
    }

    /// Adds what came of another seed.
    pub fn add(&mut self, other: &Self) {
        self.attempts = self.attempts.max(other.attempts);
        for (sum, more) in [
            (&mut self.events, other.events),
            (&mut self.terms, other.terms),
            (&mut self.kills, other.kills),
            (&mut self.checkpoints, other.checkpoints),
            (&mut self.savepoints, other.savepoints),
            (&mut self.restored, other.restored),
            (&mut self.suspended, other.suspended),
            (&mut self.finished, other.finished),
            (&mut self.rescaled, other.rescaled),
            (&mut self.closed_again, other.closed_again),
            (&mut self.not_completed, other.not_completed),
            (&mut self.from_others, other.from_others),
            (&mut self.erased, other.erased),
        ] {
            *sum += more;
        }
    }
}

/// A broken promise, and how to see it again.
#[derive(Clone, Debug)]
pub struct ClusterFailure {
    /// What was run.
    pub simulation: ClusterSimulation,
    /// What was broken.
    pub broken: Broken,
    /// The last lines of what happened before, if they were asked for.
    pub trace: Vec<String>,
}

impl ClusterSimulation {
    /// A run of the rules as they are.
    pub const fn new(seed: u64, mode: ClusterMode) -> Self {
        let mutation = ClusterMutation::None;
        Self {
            seed,
            mode,
            mutation,
        }
    }

    /// Runs it, keeping so many of the last lines of what happens.
    ///
    /// # Errors
    ///
    /// The first promise that is broken. A panic is one.
    pub fn run(self, lines: usize) -> Result<ClusterReport, Box<ClusterFailure>> {
        let trace = match lines {
            0 => Trace::off(),
            most => Trace::last(most),
        };
        let mut world = World::new(self.seed, self.mode, self.mutation, trace);
        let result = catch_unwind(AssertUnwindSafe(|| world.run()));
        let broken = match result {
            Ok(Ok(())) => return Ok(world.counts),
            Ok(Err(broken)) => broken,
            Err(panic) => Broken {
                at: world.now,
                promise: "nothing panics",
                how: message(&*panic),
            },
        };
        let trace = world.into_trace();
        Err(Box::new(ClusterFailure {
            simulation: self,
            broken,
            trace: trace.lines().map(str::to_owned).collect(),
        }))
    }

    /// The command that runs it again.
    pub fn command(&self) -> String {
        let name = |value: Option<clap::builder::PossibleValue>| {
            value.expect("no value is hidden").get_name().to_owned()
        };
        let mode = name(self.mode.to_possible_value());
        let mutation = match self.mutation {
            ClusterMutation::None => String::new(),
            mutation => format!(" --mutation {}", name(mutation.to_possible_value())),
        };
        format!(
            "cargo run --release -p incumbent-sim --bin simulate -- cluster --mode {mode} --from {} --seeds 1{mutation} --trace",
            self.seed
        )
    }
}

impl fmt::Display for ClusterFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(f, "{line}")?;
        }
        writeln!(
            f,
            "seed {}, mode {:?}",
            self.simulation.seed, self.simulation.mode
        )?;
        writeln!(f, "{}", self.broken)?;
        write!(f, "replay: {}", self.simulation.command())
    }
}

impl std::error::Error for ClusterFailure {}
