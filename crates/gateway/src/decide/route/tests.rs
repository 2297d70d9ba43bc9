use incumbent::{Epoch, Nonce};

use super::*;

const HOLD: Duration = Duration::from_secs(30);

fn seal(epoch: u64) -> Seal {
    Seal {
        epoch: Epoch::new(epoch),
        nonce: Nonce::new(epoch.into()),
    }
}

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn forward(epoch: u64) -> Step {
    Step::Forward {
        seal: seal(epoch),
        fresh: false,
    }
}

#[test]
fn a_leader_that_is_there_is_asked_at_once() {
    let mut route = Route::new(false, HOLD);
    assert_eq!(route.next(s(0), Sight::Ready(seal(1))), forward(1));
}

#[test]
fn whoever_cannot_be_asked_is_waited_for_and_the_refusal_says_why() {
    for (sight, why) in [
        (Sight::Nobody, Refusal::NobodyLeads),
        (Sight::Unreadable, Refusal::Unreadable),
        (Sight::Unpublished(seal(1)), Refusal::Unpublished),
        (Sight::Away(seal(1)), Refusal::Unreachable),
        (Sight::Over(seal(1)), Refusal::Misdirected),
        (Sight::Starting(seal(1)), Refusal::Starting),
    ] {
        let mut route = Route::new(true, HOLD);
        assert_eq!(route.next(s(1), sight), Step::Hold { until: s(31) });
        assert_eq!(route.next(s(30), sight), Step::Hold { until: s(31) });
        assert_eq!(route.next(s(31), sight), Step::Refuse(why));
    }
}

#[test]
fn all_holds_of_a_request_share_one_time() {
    let mut route = Route::new(true, HOLD);
    assert_eq!(route.next(s(0), Sight::Nobody), Step::Hold { until: s(30) });
    assert_eq!(route.next(s(20), Sight::Ready(seal(1))), forward(1));
    let broken = Failure::Broken { reused: false };
    // The two seconds in which it was worked on are none in which it was held.
    route.failed(s(22), seal(1), broken, Kept::Whole).unwrap();
    assert_eq!(
        route.next(s(22), Sight::Nobody),
        Step::Hold { until: s(32) }
    );
    assert_eq!(
        route.next(s(32), Sight::Nobody),
        Step::Refuse(Refusal::OutOfTime)
    );
}

#[test]
fn no_hold_at_all_means_an_answer_at_once() {
    let mut route = Route::new(true, Duration::ZERO);
    assert_eq!(
        route.next(s(5), Sight::Nobody),
        Step::Refuse(Refusal::NobodyLeads)
    );
}

#[test]
fn what_was_not_sent_is_sent_again_whatever_it_is() {
    let mut route = Route::new(false, HOLD);
    for _ in 0..100 {
        assert_eq!(route.next(s(0), Sight::Ready(seal(1))), forward(1));
        route
            .failed(s(0), seal(1), Failure::NotSent, Kept::Whole)
            .unwrap();
    }
    assert_eq!(route.sent(), 0);
}

#[test]
fn what_was_sent_and_is_unsafe_is_never_sent_again() {
    for how in [
        Failure::Broken { reused: false },
        Failure::Broken { reused: true },
        Failure::Overtaken,
        Failure::Ended,
    ] {
        for kept in [Kept::Whole, Kept::Cut] {
            let mut route = Route::new(false, HOLD);
            assert_eq!(route.failed(s(0), seal(1), how, kept), Err(Refusal::Lost));
        }
    }
}

#[test]
fn a_request_without_its_body_is_not_sent_again() {
    let mut route = Route::new(true, HOLD);
    let broken = Failure::Broken { reused: false };
    assert_eq!(
        route.failed(s(0), seal(1), broken, Kept::Cut),
        Err(Refusal::Lost)
    );
    for how in [Failure::NotSent, Failure::Misdirected] {
        let mut route = Route::new(true, HOLD);
        assert_eq!(
            route.failed(s(0), seal(1), how, Kept::Cut),
            Err(Refusal::NotKept)
        );
    }
}

#[test]
fn a_late_answer_is_refused_and_nothing_repeated() {
    let mut route = Route::new(true, HOLD);
    assert_eq!(
        route.failed(s(60), seal(1), Failure::Slow, Kept::Whole),
        Err(Refusal::Slow)
    );
}

#[test]
fn after_a_421_that_term_is_left_alone_for_a_while_and_the_next_is_not_whatever_the_method() {
    let mut route = Route::new(false, HOLD);
    route
        .failed(s(0), seal(1), Failure::Misdirected, Kept::Whole)
        .unwrap();
    let later = FIRST_ASKED_AGAIN;
    assert_eq!(
        route.next(s(0), Sight::Ready(seal(1))),
        Step::Hold { until: later }
    );
    assert_eq!(route.clone().next(later, Sight::Ready(seal(1))), forward(1));
    assert_eq!(route.next(s(0), Sight::Ready(seal(2))), forward(2));
}

#[test]
fn a_term_that_says_421_again_and_again_is_asked_less_and_less_and_the_next_is_not() {
    let mut route = Route::new(false, HOLD);
    let mut pauses = Vec::new();
    let mut at = s(0);
    loop {
        match route.next(at, Sight::Ready(seal(1))) {
            Step::Forward { .. } => {
                route
                    .failed(at, seal(1), Failure::Misdirected, Kept::Whole)
                    .unwrap();
            }
            Step::Hold { until } => {
                pauses.push((until - at).as_millis());
                at = until;
            }
            Step::Refuse(why) => {
                assert_eq!((why, at), (Refusal::Misdirected, HOLD));
                break;
            }
        }
    }
    assert_eq!(pauses[..7], [250, 500, 1000, 2000, 4000, 5000, 5000]);
    let mut route = Route::new(false, HOLD);
    for term in 1..5 {
        route
            .failed(s(0), seal(term), Failure::Misdirected, Kept::Whole)
            .unwrap();
        assert_eq!(
            route.next(s(0), Sight::Ready(seal(term))),
            Step::Hold {
                until: FIRST_ASKED_AGAIN
            }
        );
    }
}

/// Saying 421 does nothing, and so does not count as one of the times that a request may be lost.
#[test]
fn who_was_told_421_often_may_still_be_repeated() {
    let mut route = Route::new(true, HOLD);
    for _ in 0..=MOST_SENT {
        route
            .failed(s(0), seal(1), Failure::Misdirected, Kept::Whole)
            .unwrap();
    }
    assert!(route.may_repeat(Kept::Whole));
    let broken = Failure::Broken { reused: false };
    assert_eq!(route.failed(s(0), seal(1), broken, Kept::Whole), Ok(()));
}

/// Its handler may have done it before the term ended.
#[test]
fn what_outlives_a_term_is_sent_to_the_next_leader_only_if_that_is_safe() {
    let mut route = Route::new(true, HOLD);
    assert_eq!(
        route.failed(s(0), seal(1), Failure::Ended, Kept::Whole),
        Ok(())
    );
    assert_eq!(route.clone().next(s(0), Sight::Ready(seal(2))), forward(2));
    assert_eq!(route.next(s(0), Sight::Nobody), Step::Hold { until: s(30) });
    assert_eq!(
        route.next(s(30), Sight::Nobody),
        Step::Refuse(Refusal::OutOfTime)
    );
    let mut route = Route::new(false, HOLD);
    assert_eq!(
        route.failed(s(0), seal(1), Failure::Ended, Kept::Whole),
        Err(Refusal::Lost)
    );
}

#[test]
fn a_term_of_the_same_epoch_and_another_nonce_is_another_term() {
    let mut route = Route::new(false, HOLD);
    route
        .failed(s(0), seal(1), Failure::Misdirected, Kept::Whole)
        .unwrap();
    let other = Seal {
        nonce: Nonce::new(99),
        ..seal(1)
    };
    let fresh = false;
    assert_eq!(
        route.next(s(0), Sight::Ready(other)),
        Step::Forward { seal: other, fresh }
    );
}

#[test]
fn a_connection_that_broke_while_idle_is_replaced_at_once() {
    let mut route = Route::new(true, HOLD);
    route
        .failed(s(0), seal(1), Failure::Broken { reused: true }, Kept::Whole)
        .unwrap();
    assert_eq!(
        route.next(s(0), Sight::Ready(seal(1))),
        Step::Forward {
            seal: seal(1),
            fresh: true
        }
    );
}

#[test]
fn a_new_connection_that_broke_leaves_the_leader_alone_for_a_while_but_not_the_next_leader() {
    let mut route = Route::new(true, HOLD);
    route
        .failed(
            s(1),
            seal(1),
            Failure::Broken { reused: false },
            Kept::Whole,
        )
        .unwrap();
    let later = s(1) + PAUSE;
    assert_eq!(
        route.next(s(1), Sight::Ready(seal(1))),
        Step::Hold { until: later }
    );
    assert_eq!(route.clone().next(s(1), Sight::Ready(seal(2))), forward(2));
    assert_eq!(route.next(later, Sight::Ready(seal(1))), forward(1));
}

#[test]
fn a_request_that_breaks_everything_is_given_up() {
    let mut route = Route::new(true, HOLD);
    let broken = Failure::Broken { reused: false };
    for sent in 1..MOST_SENT {
        assert!(route.may_repeat(Kept::Whole));
        assert_eq!(route.failed(s(0), seal(1), broken, Kept::Whole), Ok(()));
        assert_eq!(route.sent(), sent);
    }
    assert_eq!(
        route.failed(s(0), seal(1), broken, Kept::Whole),
        Err(Refusal::TooOften)
    );
    assert!(!route.may_repeat(Kept::Whole));
}

#[test]
fn only_what_may_be_repeated_may_be_taken_from_a_leader_that_was_overtaken() {
    assert!(Route::new(true, HOLD).may_repeat(Kept::Whole));
    assert!(!Route::new(true, HOLD).may_repeat(Kept::Cut));
    assert!(!Route::new(false, HOLD).may_repeat(Kept::Whole));
    let mut route = Route::new(true, HOLD);
    route
        .failed(s(0), seal(1), Failure::Overtaken, Kept::Whole)
        .unwrap();
    assert_eq!(route.next(s(0), Sight::Ready(seal(2))), forward(2));
}

/// Whatever happens in whatever order: an unsafe request reaches nodes that may process it at most
/// once, a safe one at most MOST_SENT times, and nothing is held longer than it may be.
#[test]
fn no_sequence_of_misfortunes_breaks_the_promises() {
    let events = [
        Failure::NotSent,
        Failure::Misdirected,
        Failure::Broken { reused: true },
        Failure::Broken { reused: false },
        Failure::Overtaken,
        Failure::Ended,
        Failure::Slow,
    ];
    let sights = [
        Sight::Nobody,
        Sight::Away(seal(1)),
        Sight::Over(seal(1)),
        Sight::Ready(seal(1)),
        Sight::Ready(seal(2)),
    ];
    // All sequences of five rounds, each a sight and a failure, in a counted order.
    let choices = events.len() * sights.len();
    for is_safe in [false, true] {
        for number in 0..choices.pow(4) {
            let mut route = Route::new(is_safe, s(3));
            let (mut rest, mut unknown, mut at) = (number, 0, s(0));
            for _ in 0..4 {
                let (event, sight) = (rest % events.len(), rest / events.len() % sights.len());
                rest /= choices;
                at += s(1);
                match route.next(at, sights[sight]) {
                    Step::Forward { seal, .. } => {
                        assert_eq!(sights[sight], Sight::Ready(seal));
                        let how = events[event];
                        unknown +=
                            u32::from(!matches!(how, Failure::NotSent | Failure::Misdirected));
                        if route.failed(at, seal, how, Kept::Whole).is_err() {
                            break;
                        }
                    }
                    Step::Hold { until } => assert!(until > at && until <= s(1 + 3 + 4)),
                    Step::Refuse(_) => break,
                }
            }
            assert!(unknown <= if is_safe { MOST_SENT } else { 1 });
        }
    }
}

#[test]
fn whoever_waited_in_vain_after_an_attempt_is_not_told_that_nothing_was_done() {
    let mut route = Route::new(true, HOLD);
    let broken = Failure::Broken { reused: false };
    route.failed(s(0), seal(1), broken, Kept::Whole).unwrap();
    assert_eq!(route.next(s(1), Sight::Nobody), Step::Hold { until: s(31) });
    assert_eq!(
        route.next(s(31), Sight::Nobody),
        Step::Refuse(Refusal::OutOfTime)
    );
}

#[test]
fn whoever_is_not_ready_is_asked_again_as_long_as_there_is_time() {
    let mut route = Route::new(true, s(2));
    let mut at = s(0);
    let mut pauses = Vec::new();
    while route.may_wait(Kept::Whole) {
        assert_eq!(route.next(at, Sight::Ready(seal(1))), forward(1));
        route
            .failed(at, seal(1), Failure::Unready, Kept::Whole)
            .unwrap();
        let Step::Hold { until } = route.next(at, Sight::Ready(seal(1))) else {
            panic!("it waits");
        };
        pauses.push((until - at).as_millis());
        at = until;
        // What it has waited is noted when it is sent.
        assert_eq!(route.next(at, Sight::Ready(seal(1))), forward(1));
    }
    assert_eq!(pauses, [50, 100, 200, 400, 500, 500]);
    assert!(
        !Route::new(false, HOLD).may_wait(Kept::Whole),
        "it may do harm"
    );
    assert!(!Route::new(true, HOLD).may_wait(Kept::Cut));
}

/// A gateway that ends lets go of what it holds by saying that all time has passed.
#[test]
fn no_time_is_too_long_to_be_added_up() {
    let mut route = Route::new(true, HOLD);
    for at in [s(0), s(1), s(1), Duration::MAX] {
        route.next(at, Sight::Nobody);
        route.next(at, Sight::Ready(seal(1)));
    }
    route.next(s(0), Sight::Nobody);
    route.next(Duration::MAX, Sight::Ready(seal(1)));
    assert!(!route.may_wait(Kept::Whole), "there is no time left");
}
