//! Some hundred seeds of jobs in every mode, and the proof that the promises can be seen to break.

use incumbent_sim::cluster::{ClusterMode, ClusterMutation, ClusterSimulation};

/// Seeds of every mode in the normal tests. `simulate cluster` runs as many as one likes.
const SEEDS: u64 = 60;

/// A rule left out is found within so many seeds. Most are found within some dozens.
const SEEDS_OF_A_MUTATION: u64 = 6000;

/// How many of the last lines a failure shows.
const LINES: usize = 200;

fn keeps_every_promise(mode: ClusterMode) {
    for seed in 0..SEEDS {
        let simulation = ClusterSimulation::new(seed, mode);
        if simulation.run(0).is_err() {
            let failure = simulation.run(LINES).expect_err("the same seed again");
            panic!("\n{failure}");
        }
    }
}

/// Runs seeds with a rule left out until this promise breaks. Another may break in others.
fn breaks(mutation: ClusterMutation, mode: ClusterMode, promise: &str) {
    let is_broken = (0..SEEDS_OF_A_MUTATION).any(|seed| {
        let simulation = ClusterSimulation {
            seed,
            mode,
            mutation,
        };
        simulation.run(0).is_err_and(|failure| {
            println!("{mutation:?}: {}", failure.broken);
            failure.broken.promise.contains(promise)
        })
    });
    assert!(
        is_broken,
        "{mutation:?} broke no {promise:?} in {SEEDS_OF_A_MUTATION} seeds"
    );
}

#[test]
fn every_promise_is_kept_while_nothing_goes_wrong() {
    keeps_every_promise(ClusterMode::Calm);
}

#[test]
fn no_task_notices_that_job_managers_die() {
    keeps_every_promise(ClusterMode::JobManagers);
}

#[test]
fn every_promise_is_kept_while_task_managers_pause_and_die() {
    keeps_every_promise(ClusterMode::TaskManagers);
}

#[test]
fn every_promise_is_kept_on_a_bad_network() {
    keeps_every_promise(ClusterMode::Network);
}

#[test]
fn every_promise_is_kept_while_everything_goes_wrong() {
    keeps_every_promise(ClusterMode::Everything);
}

#[test]
fn every_promise_but_the_single_attempt_is_kept_with_wrong_verdicts() {
    keeps_every_promise(ClusterMode::Verdicts);
}

#[test]
fn the_same_seed_twice_gives_the_same_history() {
    for mode in ClusterMode::ALL {
        for seed in 1000..1004 {
            let [first, second] =
                [0, 10].map(|lines| ClusterSimulation::new(seed, mode).run(lines));
            assert_eq!(first.unwrap(), second.unwrap(), "{mode:?} {seed}");
        }
    }
}

/// What is promised of exclusive jobs.
const SINGLE: &str = "two attempts of an exclusive job";

#[test]
fn counting_isolation_from_the_receipt_of_an_acknowledgement_is_seen() {
    breaks(
        ClusterMutation::CountFromReceipt,
        ClusterMode::Network,
        SINGLE,
    );
}

#[test]
fn giving_up_ranks_in_haste_is_seen() {
    breaks(
        ClusterMutation::AdoptInHaste,
        ClusterMode::Everything,
        SINGLE,
    );
}

#[test]
fn acknowledging_without_a_guard_is_seen() {
    breaks(
        ClusterMutation::AcknowledgeWithoutGuard,
        ClusterMode::Network,
        SINGLE,
    );
}

#[test]
fn acting_before_the_swap_is_seen() {
    breaks(
        ClusterMutation::ActBeforeSwap,
        ClusterMode::Everything,
        "is written before",
    );
}

#[test]
fn taking_an_unknown_outcome_for_none_is_seen() {
    breaks(
        ClusterMutation::UnknownIsNotApplied,
        ClusterMode::Network,
        "",
    );
}

#[test]
fn a_proof_of_death_that_forgets_the_guards_is_seen() {
    breaks(
        ClusterMutation::GuardsHoldNothing,
        ClusterMode::TaskManagers,
        SINGLE,
    );
}

#[test]
fn counting_silence_from_before_the_grant_is_seen() {
    breaks(
        ClusterMutation::SilenceBeforeGrant,
        ClusterMode::Everything,
        SINGLE,
    );
}
