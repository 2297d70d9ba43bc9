//! The shapes that are tried, and the mistakes that they notice.

use super::{Mutation, Shape, Source, explore};

/// Two stateful operators in a row on two ranks, one of which has nothing to read.
fn chain() -> Shape {
    Shape {
        ranks: 2,
        sources: vec![source(0, 0, &[0]), source(1, 0, &[])],
        has_windows: false,
        triggers: 1,
        aborts: 0,
        window: None,
        is_complete: false,
        mutation: Mutation::None,
    }
}

/// Both have something to read, and little may be on its way.
fn busy_chain() -> Shape {
    Shape {
        sources: vec![source(0, 0, &[0, 1]), source(1, 0, &[2])],
        window: Some(1),
        ..chain()
    }
}

/// Two checkpoints, of which one may be aborted, and ranks may not hear of it.
fn twice() -> Shape {
    Shape {
        sources: vec![source(0, 0, &[]), source(1, 0, &[])],
        triggers: 2,
        aborts: 1,
        ..chain()
    }
}

/// The second operator has an input of its own. Every rank holds every source, also without
/// records: else the frontier could pass a rank that was not asked yet.
fn join() -> Shape {
    let sources = [
        source(0, 0, &[0]),
        source(1, 0, &[]),
        source(0, 1, &[]),
        source(1, 1, &[2]),
    ];
    Shape {
        sources: sources.to_vec(),
        ..chain()
    }
}

/// The first operator puts out with the watermark.
fn windows() -> Shape {
    Shape {
        sources: vec![source(0, 0, &[0, 1]), source(1, 0, &[])],
        has_windows: true,
        ..chain()
    }
}

fn three_ranks() -> Shape {
    Shape {
        ranks: 3,
        sources: (0..3).map(|rank| source(rank, 0, &[])).collect(),
        ..chain()
    }
}

fn source(rank: usize, to: usize, records: &[u8]) -> Source {
    Source {
        rank,
        to,
        records: records.to_vec(),
    }
}

/// Nothing that can happen breaks it.
fn holds(shape: &Shape) {
    match explore(shape) {
        Ok(states) => println!("{states} states"),
        Err(broken) => panic!("{broken}"),
    }
}

/// The mistake is noticed, by something that is said like this.
fn notices(mutation: Mutation, shape: Shape, what: &str) {
    let broken = explore(&Shape { mutation, ..shape }).expect_err("nothing is noticed");
    assert!(broken.contains(what), "{mutation:?}: {broken}");
}

#[test]
fn a_chain_keeps_each_record_once() {
    holds(&chain());
}

#[test]
fn a_join_keeps_each_record_once() {
    holds(&Shape {
        triggers: 1,
        ..join()
    });
}

#[test]
fn an_abort_that_is_heard_of_by_a_rank_that_was_never_asked_changes_nothing() {
    holds(&Shape {
        aborts: 1,
        ..chain()
    });
}

#[test]
fn windows_are_never_late_for_each_other() {
    holds(&Shape {
        triggers: 0,
        ..windows()
    });
}

#[test]
fn the_end_of_the_input_stops_nobody() {
    holds(&Shape {
        triggers: 0,
        is_complete: true,
        ..chain()
    });
    holds(&Shape {
        triggers: 0,
        ..three_ranks()
    });
}

#[test]
#[ignore = "takes a minute: half a million states"]
fn everything_that_can_happen_to_larger_shapes() {
    let all = [
        (
            "complete",
            Shape {
                is_complete: true,
                ..chain()
            },
        ),
        ("busy", busy_chain()),
        ("twice", twice()),
        ("windows", windows()),
        ("three ranks", three_ranks()),
    ];
    for (name, shape) in all {
        println!("{name}");
        holds(&shape);
    }
}

#[test]
fn what_an_operator_does_wrong_is_noticed() {
    let wrong = "operators 1 have";
    notices(Mutation::AppliesLaterRoundsAtOnce, busy_chain(), wrong);
    notices(Mutation::SnapshotsAfterWhatWasKept, busy_chain(), wrong);
    notices(Mutation::IgnoresAnInput, busy_chain(), wrong);
    notices(Mutation::IgnoresAnInput, join(), wrong);
    notices(Mutation::HoldsNothing, busy_chain(), wrong);
    notices(Mutation::FiresAtTheLastMark, windows(), "comes late");
}

#[test]
fn what_a_source_does_wrong_is_noticed() {
    let moves = Mutation::MovesAfterTheNextRecord;
    notices(moves, busy_chain(), "operators 0 have");
    let mixes = "mixes last files and others";
    notices(Mutation::DropsItsSourceAtOnce, chain(), mixes);
    notices(Mutation::ClosesWithoutAsking, chain(), mixes);
    notices(Mutation::ClosesBeforeAllKnow, chain(), mixes);
    notices(Mutation::EntersAfterItHasClosed, chain(), mixes);
}

#[test]
fn what_a_rank_acknowledges_wrong_is_noticed() {
    let mixes = "mixes last files and others";
    notices(Mutation::AcknowledgesAboveTheLeast, chain(), mixes);
    notices(Mutation::FinishesBeforeItAcknowledges, chain(), mixes);
}
