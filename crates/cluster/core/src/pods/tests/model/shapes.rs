//! The shapes that are tried, and the mistakes that they notice.

use super::{Budget, Mutation, NOTHING, Shape, explore};

/// A job of two tasks, whose leader is followed by another. What the first has sent arrives at any
/// time, or never.
fn two_leaders() -> Shape {
    Shape {
        tasks: 2,
        budget: Budget {
            leaders: 1,
            ..NOTHING
        },
        mutation: Mutation::None,
    }
}

/// A task, and three leaders in a row.
fn three_leaders() -> Shape {
    Shape {
        tasks: 1,
        budget: Budget {
            leaders: 2,
            ..NOTHING
        },
        mutation: Mutation::None,
    }
}

/// Requests are late, answers are lost, and the pods are listed again meanwhile.
fn late() -> Shape {
    Shape {
        tasks: 1,
        budget: Budget {
            leaders: 1,
            unanswered: 1,
            lists: 1,
            wakes: 1,
            ..NOTHING
        },
        mutation: Mutation::None,
    }
}

/// The job is cancelled.
fn cancelled() -> Shape {
    Shape {
        tasks: 1,
        budget: Budget {
            leaders: 1,
            cancels: 1,
            wakes: 1,
            ..NOTHING
        },
        mutation: Mutation::None,
    }
}

/// Pods crash.
fn crashed() -> Shape {
    Shape {
        tasks: 1,
        budget: Budget {
            leaders: 1,
            crashes: 1,
            ..NOTHING
        },
        mutation: Mutation::None,
    }
}

/// Somebody else deletes a pod, and requests are lost.
fn deleted() -> Shape {
    Shape {
        tasks: 1,
        budget: Budget {
            lost: 1,
            by_hand: 1,
            wakes: 1,
            ..NOTHING
        },
        mutation: Mutation::None,
    }
}

/// A node vanishes.
fn vanished() -> Shape {
    Shape {
        tasks: 1,
        budget: Budget {
            leaders: 1,
            vanish: 1,
            wakes: 1,
            ..NOTHING
        },
        mutation: Mutation::None,
    }
}

/// One job after the other: the second comes when the TaskManager of the first is to leave, or has.
fn again() -> Shape {
    Shape {
        tasks: 1,
        budget: Budget {
            cancels: 1,
            submits: 1,
            wakes: 1,
            ..NOTHING
        },
        mutation: Mutation::None,
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
fn two_leaders_never_make_one_pod_and_what_the_first_asked_for_is_adopted_or_removed() {
    let shape = two_leaders();
    holds(&Shape { tasks: 1, ..shape });
}

#[test]
fn three_leaders_never_make_one_pod() {
    holds(&three_leaders());
}

#[test]
fn late_requests_and_lost_answers_make_no_pod_too_many() {
    holds(&late());
}

#[test]
fn what_nobody_needs_any_more_goes_whoever_asked_for_it() {
    holds(&cancelled());
}

#[test]
fn pods_that_crash_or_are_deleted_are_replaced_once() {
    holds(&crashed());
    holds(&deleted());
}

#[test]
fn silence_deletes_nothing() {
    holds(&vanished());
}

#[test]
#[ignore = "takes minutes: millions of states"]
fn everything_that_can_happen_to_more_pods() {
    let more = |name: &str, shape: Shape| {
        println!("{name}");
        let budget = Budget {
            unanswered: 1,
            wakes: shape.budget.wakes + 1,
            ..shape.budget
        };
        holds(&Shape { budget, ..shape });
    };
    holds(&two_leaders());
    more("two leaders", two_leaders());
    more("three leaders", three_leaders());
    more("cancelled", cancelled());
    more("crashed", crashed());
    more("vanished", vanished());
    more("again", again());
}

#[test]
fn what_a_leader_does_wrong_is_noticed() {
    let twice = "two leaders have made";
    notices(Mutation::NamesWithoutEpoch, crashed(), twice);
    let many = "are asked for";
    notices(Mutation::UnansweredIsRefused, late(), many);
    notices(Mutation::OwnPodsOnly, two_leaders(), many);
    notices(Mutation::AsksBeforeListing, two_leaders(), many);
    let busy = "is deleted with a task in it";
    notices(Mutation::SilenceIsDeath, vanished(), busy);
    notices(Mutation::NoChanges, cancelled(), "that nobody needs");
}

/// The next job comes when an idle TaskManager is told to leave.
#[test]
fn a_task_manager_that_is_released_by_deletion_is_noticed() {
    let busy = "is deleted with a task in it";
    notices(Mutation::ReleasesByDeletion, again(), busy);
}

#[test]
fn an_idle_task_manager_leaves_without_a_task_in_it() {
    holds(&again());
}
