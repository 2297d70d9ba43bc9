//! One seed, from its plan to its verdict: start reading here.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use clap::ValueEnum;

use crate::faults::{Mode, Mutation};
use crate::oracle::{Broken, Counts};
use crate::trace::Trace;
use crate::world::World;

/// What is to be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Simulation {
    /// Decides everything else.
    pub seed: u64,
    /// Which kinds of faults there are.
    pub mode: Mode,
    /// Which rule is left out.
    pub mutation: Mutation,
}

/// What came of a seed that kept every promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Differs if anything that happened does.
    pub fingerprint: u64,
    /// How much happened.
    pub counts: Counts,
}

/// A broken promise, and how to see it again.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What was run.
    pub simulation: Simulation,
    /// What was broken.
    pub broken: Broken,
    /// The last lines of what happened before, if they were asked for.
    pub trace: Vec<String>,
}

impl Simulation {
    /// A run of the protocol as it is.
    pub const fn new(seed: u64, mode: Mode) -> Self {
        let mutation = Mutation::None;
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
    pub fn run(self, lines: usize) -> Result<Report, Box<Failure>> {
        let trace = match lines {
            0 => Trace::off(),
            most => Trace::last(most),
        };
        let mut world = World::new(self.seed, self.mode, self.mutation, trace);
        let result = catch_unwind(AssertUnwindSafe(|| world.run()));
        let broken = match result {
            Ok(Ok(())) => {
                return Ok(Report {
                    fingerprint: world.oracle().fingerprint(),
                    counts: world.oracle().counts(),
                });
            }
            Ok(Err(broken)) => broken,
            Err(panic) => Broken {
                at: world.now(),
                promise: "nothing panics",
                how: message(&*panic),
            },
        };
        let trace = world.into_trace();
        Err(Box::new(Failure {
            simulation: self,
            broken,
            trace: trace.lines().map(str::to_owned).collect(),
        }))
    }

    /// The command that runs it again.
    pub fn command(&self) -> String {
        let name = |value: &dyn Fn() -> Option<clap::builder::PossibleValue>| {
            let value = value().expect("no value is hidden");
            value.get_name().to_owned()
        };
        let mode = name(&|| self.mode.to_possible_value());
        let mutation = match self.mutation {
            Mutation::None => String::new(),
            _ => format!(
                " --mutation {}",
                name(&|| self.mutation.to_possible_value())
            ),
        };
        format!(
            "cargo run --release -p incumbent-sim --bin simulate -- --mode {mode} --from {} --seeds 1{mutation} --trace",
            self.seed
        )
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(f, "{line}")?;
        }
        let seed = self.simulation.seed;
        writeln!(f, "seed {seed}, mode {:?}", self.simulation.mode)?;
        writeln!(f, "{}", self.broken)?;
        write!(f, "replay: {}", self.simulation.command())
    }
}

impl std::error::Error for Failure {}

pub(crate) fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    text.or(owned).unwrap_or("something panicked").to_owned()
}
