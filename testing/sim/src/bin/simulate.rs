//! Runs seeds until one breaks a promise, or goes through every state of the model.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use clap::{Args, Parser, Subcommand};
use incumbent_sim::cluster::{ClusterFailure, ClusterMode, ClusterMutation, ClusterSimulation};
use incumbent_sim::faults::{Mode, Mutation};
use incumbent_sim::model::{self, Bounds, Outcome};
use incumbent_sim::simulation::{Failure, Simulation};

/// How many lines of a trace are shown unless all are asked for.
const LINES: usize = 100;

/// Simulates groups of candidates in virtual time: one seed decides the nodes, their clocks, the
/// faults and the work.
///
/// While faults rage every promise is checked at every step; then all faults are lifted, and the
/// group must recover within a stated bound and must have lost nothing that was acknowledged. The
/// first seed that breaks a promise ends the run with exit code 1, the last part of what happened,
/// and the command that replays it.
#[derive(Parser)]
#[command(name = "simulate", after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    /// How many seeds to run in each mode.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0, value_name = "SEED")]
    from: u64,
    /// Only this kind of faults; all kinds in turn if absent.
    #[arg(long)]
    mode: Option<Mode>,
    /// Leave out one rule, to see the promise that it was made for break.
    #[arg(long, default_value = "none")]
    mutation: Mutation,
    /// After a failure show everything that happened and not only the end.
    #[arg(long)]
    trace: bool,
    /// How many threads to run on.
    #[arg(long, default_value_t = 2)]
    threads: u64,
}

#[derive(Subcommand)]
enum Command {
    /// Goes through every state of the exhaustive model of the safety rule, within larger bounds
    /// than the tests do.
    Model(ModelOptions),
    /// Simulates jobs on JobManagers and TaskManagers, above the election.
    Cluster(ClusterOptions),
}

/// While faults rage every promise is checked at every step; then all faults are lifted, and every
/// job that can run must run.
#[derive(Args)]
struct ClusterOptions {
    /// How many seeds to run in each mode.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0, value_name = "SEED")]
    from: u64,
    /// Only this kind of faults; all kinds in turn if absent.
    #[arg(long)]
    mode: Option<ClusterMode>,
    /// Leave out one rule, to see the promise that it was made for break.
    #[arg(long, default_value = "none")]
    mutation: ClusterMutation,
    /// After a failure show everything that happened and not only the end.
    #[arg(long)]
    trace: bool,
    /// How many threads to run on.
    #[arg(long, default_value_t = 2)]
    threads: u64,
}

/// There are no clocks in the model: anyone may campaign at any time, and requests arrive in any
/// order. Memory grows with the number of states.
#[derive(Args)]
struct ModelOptions {
    /// Processes that campaign.
    #[arg(long, default_value_t = 2)]
    leaders: u8,
    /// How often each of them campaigns.
    #[arg(long, default_value_t = 2)]
    terms: u8,
    /// Records beside the floor.
    #[arg(long, default_value_t = 1)]
    records: u8,
    /// Handles of one leader on each record.
    #[arg(long, default_value_t = 1)]
    handles: u8,
    /// How often each leader commits.
    #[arg(long, default_value_t = 2)]
    commits: u8,
    /// How often each leader deletes.
    #[arg(long, default_value_t = 0)]
    deletes: u8,
    /// Processes that create the first record without leading.
    #[arg(long, default_value_t = 0)]
    creators: u8,
    /// Deleting erases, and leaves no tombstone.
    #[arg(long)]
    erases: bool,
    /// How many answers are lost.
    #[arg(long, default_value_t = 1)]
    lost_answers: u8,
    /// How often the root is deleted by hand.
    #[arg(long, default_value_t = 0)]
    root_deletions: u8,
    /// How often the root of the term before is put back by hand.
    #[arg(long, default_value_t = 0)]
    root_restores: u8,
    /// How often the root is renewed.
    #[arg(long, default_value_t = 0)]
    renewals: u8,
    /// The versions of a deleted root start again, as they do in ZooKeeper.
    #[arg(long)]
    versions_restart: bool,
    /// After how many states to stop.
    #[arg(long, default_value_t = 100_000_000)]
    states: u64,
}

const EXAMPLES: &str = "\
Examples:
  simulate                                   a thousand seeds of every mode
  simulate --seeds 1000000 --from 5000       a million, beginning elsewhere
  simulate --mode network --from 17 --seeds 1 --trace
                                             one seed again, with everything that happens
  simulate --mutation vacant-unconfirmed     see a promise break
  simulate model --leaders 3 --terms 1       every state of three leaders
  simulate cluster --seeds 200000            jobs, in every mode";

fn main() -> ExitCode {
    let options = Options::parse();
    match &options.command {
        Some(Command::Model(bounds)) => explore(bounds),
        Some(Command::Cluster(options)) => {
            let modes = options
                .mode
                .map_or(ClusterMode::ALL.to_vec(), |mode| vec![mode]);
            let simulation = |seed, mode: usize| ClusterSimulation {
                seed,
                mode: modes[mode],
                mutation: options.mutation,
            };
            let range = Range {
                from: options.from,
                seeds: options.seeds,
                modes: modes.len(),
                threads: options.threads,
            };
            let run = |seed, mode| {
                let report = simulation(seed, mode).run(0)?;
                Ok(Sum {
                    seeds: 1,
                    facts: report.events,
                    terms: report.terms,
                    kills: report.kills,
                    commits: report.checkpoints,
                    ..Sum::default()
                })
            };
            verdict(
                search(range, run),
                options.trace,
                |failure: &ClusterFailure, lines| failure.simulation.run(lines).err(),
            )
        }
        None => {
            let modes = options.mode.map_or(Mode::ALL.to_vec(), |mode| vec![mode]);
            let range = Range {
                from: options.from,
                seeds: options.seeds,
                modes: modes.len(),
                threads: options.threads,
            };
            let run = |seed, mode: usize| {
                let simulation = Simulation {
                    seed,
                    mode: modes[mode],
                    mutation: options.mutation,
                };
                let report = simulation.run(0)?;
                Ok(Sum {
                    seeds: 1,
                    facts: report.counts.facts,
                    terms: report.counts.terms,
                    commits: report.counts.commits,
                    unknown: report.counts.unknown,
                    kills: report.counts.kills,
                })
            };
            verdict(
                search(range, run),
                options.trace,
                |failure: &Failure, lines| failure.simulation.run(lines).err(),
            )
        }
    }
}

/// Which seeds are run.
#[derive(Clone, Copy)]
struct Range {
    from: u64,
    seeds: u64,
    modes: usize,
    threads: u64,
}

fn verdict<F: std::fmt::Display>(
    result: Result<(), Box<F>>,
    whole_trace: bool,
    again: impl FnOnce(&F, usize) -> Option<Box<F>>,
) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let lines = if whole_trace { usize::MAX } else { LINES };
            println!("{}", again(&failure, lines).unwrap_or(failure));
            ExitCode::FAILURE
        }
    }
}

fn explore(options: &ModelOptions) -> ExitCode {
    let bounds = Bounds {
        leaders: options.leaders,
        terms: options.terms,
        records: options.records,
        handles_per_record: options.handles,
        commits: options.commits,
        deletes: options.deletes,
        creators: options.creators,
        erases: options.erases,
        lost_answers: options.lost_answers,
        root_deletions: options.root_deletions,
        root_restores: options.root_restores,
        renewals: options.renewals,
        versions_restart: options.versions_restart,
        states: options.states,
    };
    let outcome = model::explore(bounds, model::Mutation::None);
    println!("{outcome}");
    match outcome {
        Outcome::Holds { .. } | Outcome::Stopped { .. } => ExitCode::SUCCESS,
        Outcome::Broken(_) => ExitCode::FAILURE,
    }
}

fn search<F: Send>(
    range: Range,
    run: impl Fn(u64, usize) -> Result<Sum, Box<F>> + Sync,
) -> Result<(), Box<F>> {
    let begin = clock();
    let total = range.seeds * u64::try_from(range.modes).expect("few");
    let next = AtomicU64::new(0);
    let (sender, results) = channel();
    std::thread::scope(|scope| {
        for _ in 0..range.threads.max(1) {
            let sender = sender.clone();
            scope.spawn(|| work(range, total, &next, &run, sender));
        }
        drop(sender);
        let mut done = Sum::default();
        let mut shown = clock();
        let result = loop {
            match results.recv_timeout(Duration::from_millis(200)) {
                Ok(Ok(sum)) => done.add(&sum),
                Ok(Err(failure)) => break Err(failure),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break Ok(()),
            }
            if shown.elapsed() > Duration::from_secs(1) {
                shown = clock();
                done.show(total, begin);
            }
        };
        next.store(total, Ordering::Relaxed);
        done.show(total, begin);
        result
    })
}

fn work<F>(
    range: Range,
    total: u64,
    next: &AtomicU64,
    run: &impl Fn(u64, usize) -> Result<Sum, Box<F>>,
    results: Sender<Result<Sum, Box<F>>>,
) {
    let kinds = u64::try_from(range.modes).expect("few");
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= total {
            return;
        }
        let kind = usize::try_from(number % kinds).expect("few");
        if results
            .send(run(range.from + number / kinds, kind))
            .is_err()
        {
            return;
        }
    }
}

#[derive(Default)]
struct Sum {
    seeds: u64,
    facts: u64,
    terms: u64,
    commits: u64,
    unknown: u64,
    kills: u64,
}

impl Sum {
    fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.facts += other.facts;
        self.terms += other.terms;
        self.commits += other.commits;
        self.unknown += other.unknown;
        self.kills += other.kills;
    }

    fn show(&self, total: u64, begin: Instant) {
        let rate = u128::from(self.seeds) * 1000 / begin.elapsed().as_millis().max(1);
        eprintln!(
            "{} of {total} seeds, {rate} a second: {} facts, {} terms, {} commits, {} unknown, {} kills",
            self.seeds, self.facts, self.terms, self.commits, self.unknown, self.kills
        );
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "tells a person how fast it goes; no simulation sees it"
)]
fn clock() -> Instant {
    Instant::now()
}
