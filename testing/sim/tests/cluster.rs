//! Some hundred seeds of jobs in every mode, and the proof that the promises can be seen to break.

use incumbent_sim::cluster::{ClusterMode, ClusterMutation, ClusterReport, ClusterSimulation};

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
fn every_record_is_in_the_output_once_while_everything_goes_wrong() {
    keeps_every_promise(ClusterMode::Checkpoints);
}

#[test]
fn checkpoints_are_made_for_every_reason_and_restored_in_every_way() {
    let mut all = ClusterReport::default();
    for seed in 0..3 * SEEDS {
        let simulation = ClusterSimulation::new(seed, ClusterMode::Checkpoints);
        all.add(&simulation.run(0).expect("other tests say so"));
    }
    let counts = [
        all.checkpoints,
        all.savepoints,
        all.restored,
        all.suspended,
        all.finished,
        all.rescaled,
        all.closed_again,
        all.not_completed,
        all.from_others,
        all.erased,
    ];
    println!("{all:?}");
    assert!(counts.iter().all(|count| *count > 0), "{all:?}");
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

/// Of rules about checkpoints.
fn breaks_of_checkpoints(mutation: ClusterMutation, promise: &str) {
    breaks(mutation, ClusterMode::Checkpoints, promise);
}

#[test]
fn saying_committed_before_the_swap_is_seen() {
    breaks_of_checkpoints(
        ClusterMutation::CommittedBeforeSwap,
        "only what a record says is said to be committed",
    );
}

#[test]
fn ending_tasks_before_the_swap_is_seen() {
    breaks_of_checkpoints(
        ClusterMutation::KillBeforeSwap,
        "the end of an attempt is written before its tasks are ended",
    );
}

#[test]
fn using_a_number_and_its_paths_again_is_seen() {
    breaks_of_checkpoints(
        ClusterMutation::NumbersAgain,
        "a path never has another content",
    );
}

#[test]
fn counting_what_an_older_attempt_has_acknowledged_is_seen() {
    breaks_of_checkpoints(
        ClusterMutation::OlderAcksCount,
        "a checkpoint has what each rank of one attempt has stored",
    );
}

#[test]
fn committing_a_checkpoint_without_a_rank_is_seen() {
    breaks_of_checkpoints(
        ClusterMutation::RankMissing,
        "a checkpoint has what each rank of one attempt has stored",
    );
}

#[test]
fn not_saying_again_what_an_earlier_leader_has_committed_is_seen() {
    breaks_of_checkpoints(
        ClusterMutation::CommittedNotRepeated,
        "every job that can run runs",
    );
}

#[test]
fn starting_from_an_older_checkpoint_is_seen() {
    breaks_of_checkpoints(
        ClusterMutation::RestoreOlder,
        "an attempt starts from the newest checkpoint",
    );
}

#[test]
fn suspending_before_everything_is_published_is_seen() {
    breaks_of_checkpoints(
        ClusterMutation::ClosedUnpublished,
        "what is staged is published before a job is suspended",
    );
}

#[test]
fn finishing_before_everything_is_published_is_seen() {
    breaks_of_checkpoints(
        ClusterMutation::ClosedUnpublished,
        "a finished job has its whole output",
    );
}

#[test]
fn finishing_by_exit_0_alone_is_seen() {
    breaks_of_checkpoints(
        ClusterMutation::ExitFinishes,
        "a finished job has its whole output",
    );
}

#[test]
fn a_janitor_that_goes_by_listing_alone_is_seen() {
    breaks_of_checkpoints(
        ClusterMutation::JanitorByListing,
        "what a record names is there",
    );
}

#[test]
fn a_janitor_that_takes_what_is_newer_than_its_list_is_seen() {
    breaks_of_checkpoints(
        ClusterMutation::JanitorTakesNewer,
        "what a record names is there",
    );
}

#[test]
fn a_janitor_that_does_nothing_is_seen() {
    breaks_of_checkpoints(
        ClusterMutation::JanitorIdle,
        "the janitor takes what no record can name",
    );
}

#[test]
fn removing_a_savepoint_that_is_needed_is_seen() {
    breaks_of_checkpoints(
        ClusterMutation::RemovedInUse,
        "what a record names is there",
    );
}

#[test]
fn publishing_before_the_commit_is_seen() {
    breaks_of_checkpoints(
        ClusterMutation::PublishedWhenAcked,
        "what is published is committed",
    );
}

#[test]
fn forgetting_what_a_skipped_checkpoint_has_staged_is_seen() {
    breaks_of_checkpoints(
        ClusterMutation::SkippedForgotten,
        "committed checkpoints have each record of the input once",
    );
}
