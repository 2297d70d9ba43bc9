//! One seed, from its plan to its verdict.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use clap::ValueEnum;

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
            Ok(Ok(())) => {
                let counts = world.counts;
                return Ok(ClusterReport {
                    events: counts.events,
                    terms: counts.terms,
                    attempts: counts.attempts,
                    kills: counts.kills,
                });
            }
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
