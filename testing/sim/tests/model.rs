//! The exhaustive model: the protocol keeps every promise, and without any one of its rules it does
//! not.
//!
//! `cargo test -p incumbent-sim --test model -- --nocapture` prints how many states there are.

use incumbent_sim::model::{
    Bounds, Mutation, Outcome, Promise, Violation, explore, explore_promises,
};

/// Leaders that campaign once each and write one record: enough for most rules.
const SMALL: Bounds = Bounds {
    leaders: 2,
    terms: 1,
    records: 1,
    handles_per_record: 1,
    commits: 1,
    deletes: 0,
    creators: 0,
    erases: false,
    lost_answers: 1,
    root_deletions: 0,
    root_restores: 0,
    renewals: 0,
    versions_restart: false,
    states: 20_000_000,
};

const ROOT_DELETED: Bounds = Bounds {
    lost_answers: 0,
    root_deletions: 1,
    ..SMALL
};

/// The leader of the root that is put back may still renew it.
const ROOT_PUT_BACK: Bounds = Bounds {
    lost_answers: 0,
    root_restores: 1,
    renewals: 1,
    ..SMALL
};

const RECORD_DELETED: Bounds = Bounds {
    commits: 2,
    deletes: 1,
    ..SMALL
};

const RECORD_ERASED: Bounds = Bounds {
    erases: true,
    ..RECORD_DELETED
};

/// One process creates the record, and its answer may be lost.
const CREATED: Bounds = Bounds {
    creators: 1,
    deletes: 1,
    ..SMALL
};

const TWO_CREATED: Bounds = Bounds {
    creators: 2,
    ..CREATED
};

/// Without a lost answer: an erased name is free, also for a creation that was sent before.
const CREATED_AND_ERASED: Bounds = Bounds {
    erases: true,
    lost_answers: 0,
    ..CREATED
};

const TWO_HANDLES: Bounds = Bounds {
    handles_per_record: 2,
    lost_answers: 0,
    ..SMALL
};

#[track_caller]
fn holds(bounds: Bounds) {
    let outcome = explore(bounds, Mutation::None);
    println!("{outcome}: {bounds:?}");
    assert!(matches!(outcome, Outcome::Holds { .. }), "{outcome}");
}

#[track_caller]
fn caught(mutation: Mutation, bounds: Bounds) -> Violation {
    let rule = mutation.rule();
    match explore(bounds, mutation) {
        Outcome::Broken(violation) => {
            println!("without rule {rule} ({mutation}): {violation}");
            violation
        }
        outcome => panic!("without rule {rule} ({mutation}) it {outcome}"),
    }
}

// The protocol keeps its promises.

#[test]
fn holds_for_two_leaders_with_two_terms_each() {
    holds(Bounds { terms: 2, ..SMALL });
}

#[test]
fn holds_when_the_root_is_deleted_by_hand() {
    holds(Bounds {
        terms: 2,
        root_deletions: 1,
        ..SMALL
    });
}

#[test]
fn holds_when_a_recreated_root_counts_its_versions_anew() {
    holds(Bounds {
        commits: 0,
        terms: 2,
        root_deletions: 1,
        renewals: 1,
        versions_restart: true,
        ..SMALL
    });
}

#[test]
fn holds_when_an_older_root_is_put_back() {
    holds(ROOT_PUT_BACK);
    holds(Bounds {
        terms: 2,
        commits: 0,
        ..ROOT_PUT_BACK
    });
}

#[test]
fn holds_when_an_older_root_is_put_back_and_an_answer_is_lost() {
    holds(Bounds {
        lost_answers: 1,
        ..ROOT_PUT_BACK
    });
}

#[test]
fn holds_when_roots_are_put_back_again_and_again() {
    holds(Bounds {
        commits: 0,
        root_restores: 3,
        renewals: 2,
        ..ROOT_PUT_BACK
    });
}

#[test]
fn holds_with_two_records() {
    holds(Bounds {
        records: 2,
        ..SMALL
    });
}

#[test]
fn holds_with_tombstones_and_two_lost_answers() {
    holds(Bounds {
        lost_answers: 2,
        ..RECORD_DELETED
    });
}

#[test]
fn holds_with_tombstones_and_two_terms_each() {
    holds(Bounds {
        terms: 2,
        deletes: 1,
        ..SMALL
    });
}

#[test]
fn holds_with_erasures() {
    holds(RECORD_ERASED);
}

#[test]
fn holds_with_erasures_when_two_answers_are_lost() {
    holds(Bounds {
        commits: 1,
        lost_answers: 2,
        ..RECORD_ERASED
    });
}

#[test]
fn holds_with_erasures_and_two_terms_each() {
    holds(Bounds {
        commits: 1,
        terms: 2,
        ..RECORD_ERASED
    });
}

#[test]
fn holds_with_erasures_when_the_root_is_deleted() {
    holds(Bounds {
        commits: 1,
        root_deletions: 1,
        versions_restart: true,
        ..RECORD_ERASED
    });
}

#[test]
fn holds_with_erasures_for_three_leaders() {
    holds(Bounds {
        leaders: 3,
        commits: 1,
        lost_answers: 0,
        ..RECORD_ERASED
    });
}

#[test]
fn holds_when_a_leader_opens_a_record_twice_at_a_time() {
    holds(TWO_HANDLES);
}

#[test]
fn holds_for_three_leaders() {
    holds(Bounds {
        leaders: 3,
        ..SMALL
    });
}

#[test]
fn holds_for_three_leaders_when_the_root_is_deleted() {
    holds(Bounds {
        leaders: 3,
        versions_restart: true,
        ..ROOT_DELETED
    });
}

#[test]
fn holds_with_a_creator_when_two_answers_are_lost() {
    holds(Bounds {
        lost_answers: 2,
        ..CREATED
    });
}

#[test]
fn holds_with_two_creators() {
    holds(TWO_CREATED);
}

#[test]
fn holds_with_a_creator_when_the_root_is_deleted() {
    holds(Bounds {
        root_deletions: 1,
        versions_restart: true,
        lost_answers: 0,
        ..CREATED
    });
}

#[test]
fn holds_with_a_creator_and_erasures() {
    holds(CREATED_AND_ERASED);
    holds(Bounds {
        creators: 2,
        ..CREATED_AND_ERASED
    });
}

// Every rule is needed.

#[test]
fn caught_commit_without_compare_and_swap() {
    caught(Mutation::UnconditionalWrite, SMALL);
}

#[test]
fn caught_seal_without_compare_and_swap() {
    caught(Mutation::UnconditionalSeal, SMALL);
}

#[test]
fn caught_root_without_compare_and_swap() {
    caught(Mutation::UnconditionalRoot, SMALL);
}

#[test]
fn caught_epoch_reused_after_the_root_is_lost() {
    let violation = caught(Mutation::EpochReused, ROOT_DELETED);
    assert_eq!(violation.promise, Promise::EpochLedOnce);
}

#[test]
fn caught_term_without_nonce() {
    caught(Mutation::NoNonce, SMALL);
}

#[test]
fn caught_read_without_seal() {
    caught(Mutation::ReadWithoutSeal, SMALL);
    let violation = caught(Mutation::ReadWithoutSeal, TWO_HANDLES);
    assert_eq!(violation.promise, Promise::OldWritesStayOut);
}

#[test]
fn caught_read_before_seal() {
    caught(Mutation::ReadBeforeSeal, SMALL);
}

#[test]
fn caught_seal_over_a_higher_seal() {
    caught(Mutation::OpenIgnoresSeal, SMALL);
}

#[test]
fn caught_commit_from_a_version_another_leader_wrote() {
    caught(Mutation::CommitFromForeignVersion, SMALL);
}

#[test]
fn caught_vacant_record_opened_without_a_look_at_the_floor() {
    caught(Mutation::VacantUnconfirmed, RECORD_ERASED);
    let writes = [Promise::OldWritesStayOut];
    let outcome = explore_promises(RECORD_ERASED, Mutation::VacantUnconfirmed, &writes);
    assert!(matches!(outcome, Outcome::Broken(_)), "{outcome}");
    // Where nothing is erased it is not needed.
    let outcome = explore(RECORD_DELETED, Mutation::VacantUnconfirmed);
    assert!(matches!(outcome, Outcome::Holds { .. }), "{outcome}");
}

#[test]
fn caught_erasure_without_compare_and_swap() {
    caught(Mutation::UnconditionalErase, RECORD_ERASED);
}

#[test]
fn caught_tombstone_without_seal() {
    caught(Mutation::TombstoneWithoutSeal, RECORD_DELETED);
    // Not only for the missing seal itself: an older leader opens the record again, and what it did
    // not know of is lost.
    let lost = [Promise::NothingLost];
    let outcome = explore_promises(RECORD_DELETED, Mutation::TombstoneWithoutSeal, &lost);
    assert!(matches!(outcome, Outcome::Broken(_)), "{outcome}");
}

#[test]
fn caught_leading_without_floor() {
    let violation = caught(Mutation::NoFloor, ROOT_DELETED);
    assert_eq!(violation.promise, Promise::EpochLedOnce);
}

/// Another has led meanwhile. Observers that saw that cannot follow this leader any more.
#[test]
fn caught_leading_on_from_a_root_that_was_put_back() {
    let violation = caught(Mutation::OwnRootBelieved, ROOT_PUT_BACK);
    assert_eq!(violation.promise, Promise::EpochsRise);
}

#[test]
fn caught_unknown_taken_as_not_applied() {
    let violation = caught(Mutation::UnknownTakenAsNotApplied, SMALL);
    assert_eq!(violation.promise, Promise::RefusedMeansNever);
}

#[test]
fn caught_own_write_taken_for_a_foreign_one() {
    let violation = caught(Mutation::OwnWriteTakenAsForeign, SMALL);
    assert_eq!(violation.promise, Promise::RefusedMeansNever);
}

/// The least obvious one: the write landed, its answer was lost, a newer leader sealed over it, and
/// the repeated swap finds that leader's seal. "Fenced" is right; "nothing was written" is not.
#[test]
fn caught_fenced_after_a_lost_answer_taken_as_not_applied() {
    let violation = caught(Mutation::RefusalTakenAsNotApplied, SMALL);
    assert_eq!(violation.promise, Promise::RefusedMeansNever);
}

#[test]
fn caught_retry_as_a_new_write() {
    let violation = caught(Mutation::RetryWithoutRecognition, SMALL);
    assert_eq!(violation.promise, Promise::NothingTwice);
}

#[test]
fn caught_reopening_without_sealing_again() {
    let violation = caught(Mutation::ReopenWithoutReseal, SMALL);
    assert_eq!(violation.promise, Promise::RefusedMeansNever);
}

#[test]
fn caught_attempts_without_a_sequence_number() {
    caught(Mutation::SequenceNotCompared, SMALL);
    caught(Mutation::SequenceNotCompared, TWO_HANDLES);
}

#[test]
fn caught_creation_that_replaces_what_is_there() {
    caught(Mutation::UnconditionalCreate, CREATED);
    let lost = [Promise::NothingLost];
    let outcome = explore_promises(CREATED, Mutation::UnconditionalCreate, &lost);
    assert!(matches!(outcome, Outcome::Broken(_)), "{outcome}");
}

#[test]
fn caught_creation_that_replaces_a_tombstone() {
    caught(Mutation::CreatedOverTombstone, CREATED);
}

/// Of two that create a record, both would go on as if it were theirs.
#[test]
fn caught_creator_that_takes_what_it_finds_for_its_own() {
    let violation = caught(Mutation::CreationNotRecognized, TWO_CREATED);
    assert_eq!(violation.promise, Promise::NothingLost);
}

/// The creation landed, its answer was lost, a leader has opened the record since.
#[test]
fn caught_leader_that_forgets_whose_creation_a_record_is() {
    let violation = caught(Mutation::CreationForgotten, CREATED);
    assert_eq!(violation.promise, Promise::RefusedMeansNever);
}

#[test]
fn caught_creation_without_an_answer_taken_as_not_made() {
    let violation = caught(Mutation::CreationTakenAsNotApplied, CREATED);
    assert_eq!(violation.promise, Promise::RefusedMeansNever);
}

/// A newer leader has erased the name before it was created anew.
#[test]
fn caught_created_record_opened_without_a_look_at_the_floor() {
    caught(Mutation::UnledUnconfirmed, CREATED_AND_ERASED);
    // Where nothing is erased it is not needed.
    let outcome = explore(CREATED, Mutation::UnledUnconfirmed);
    assert!(matches!(outcome, Outcome::Holds { .. }), "{outcome}");
}

#[test]
fn caught_seal_that_hides_that_no_leader_has_written() {
    let bounds = Bounds {
        leaders: 3,
        ..CREATED_AND_ERASED
    };
    caught(Mutation::UnledForgotten, bounds);
}

/// Why names that are created without leading must not be erased while a creation of them may be
/// under way.
#[test]
fn a_creation_that_is_sent_again_may_bring_back_an_erased_name() {
    let bounds = Bounds {
        lost_answers: 1,
        ..CREATED_AND_ERASED
    };
    let twice = [Promise::NothingTwice];
    let outcome = explore_promises(bounds, Mutation::None, &twice);
    assert!(matches!(outcome, Outcome::Broken(_)), "{outcome}");
    println!("{outcome}");
}

#[test]
fn the_floor_alone_keeps_epochs_apart() {
    let bounds = Bounds {
        terms: 2,
        ..ROOT_DELETED
    };
    let outcome = explore(bounds, Mutation::NoScan);
    println!("without the look at the seals: {outcome}");
    assert!(matches!(outcome, Outcome::Holds { .. }), "{outcome}");
}

// And the model looks.

#[test]
fn every_rule_left_out_is_caught() {
    for mutation in Mutation::ALL {
        let worlds = [
            SMALL,
            ROOT_DELETED,
            ROOT_PUT_BACK,
            RECORD_DELETED,
            RECORD_ERASED,
            TWO_CREATED,
            CREATED_AND_ERASED,
        ];
        let mut outcomes = worlds.map(|bounds| explore(bounds, mutation)).into_iter();
        let caught = outcomes.any(|outcome| matches!(outcome, Outcome::Broken(_)));
        assert!(caught, "{mutation}: {}", mutation.rule());
    }
}

#[test]
fn every_promise_can_be_broken() {
    for promise in Promise::ALL {
        let worlds = [SMALL, ROOT_DELETED, RECORD_DELETED, RECORD_ERASED];
        let broken = Mutation::ALL.into_iter().find(|mutation| {
            worlds.iter().any(|bounds| {
                let outcome = explore_promises(*bounds, *mutation, &[promise]);
                matches!(outcome, Outcome::Broken(_))
            })
        });
        assert!(broken.is_some(), "nothing breaks that {promise}");
    }
}

#[test]
fn a_trace_is_a_shortest_one_and_says_who_did_what() {
    let violation = caught(Mutation::EpochReused, ROOT_DELETED);
    let trace: Vec<&str> = violation.trace.iter().map(String::as_str).collect();
    assert_eq!(
        trace,
        [
            "A campaigns: reads the root; A claims 1/A1",
            "A hears about its claim of the root; root = 1/A1; A leads as 1/A1",
            "an operator deletes the root; root = absent",
            "B campaigns: reads the root; B claims 1/B1",
            "B hears about its claim of the root; root = 1/B1; B leads as 1/B1",
        ]
    );
}
