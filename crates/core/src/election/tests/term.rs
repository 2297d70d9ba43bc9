//! Winning, renewing and ending a term.

use super::*;

#[test]
fn a_floor_that_outranks_the_term_is_campaigned_above() {
    let (mut bench, root) = Bench::claiming();
    let seal = root.seal();
    bench.committed(1);
    let actions = bench.at(Event::Floor {
        seal,
        answer: FloorAnswer::Fenced(Epoch::new(9)),
    });
    assert_eq!(
        actions,
        [Action::ReadRoot],
        "it was never granted, so nothing is lost"
    );
    assert_eq!(swapped(&bench.read(Some((1, &root)))).epoch, Epoch::new(10));
}

#[test]
fn renewals_count_from_when_they_were_sent() {
    let (mut bench, _) = Bench::leading();
    swapped(&bench.after(2 * SECOND));
    bench.now = bench.now + 4 * SECOND;
    bench.committed(2);
    assert_eq!(
        bench.election.valid_until(),
        Some(Time::from_origin(112 * SECOND))
    );
}

#[test]
fn a_leader_that_cannot_renew_stops_at_the_renew_deadline() {
    let (mut bench, root) = Bench::leading();
    swapped(&bench.after(2 * SECOND));
    for _ in 0..3 {
        assert_eq!(bench.at(Event::RootSwapped(SwapAnswer::Unknown)), []);
        let again = swapped(&bench.after(2 * SECOND));
        assert_eq!(again.seq, 2, "the same swap is repeated");
    }
    let lost = bench.after(2 * SECOND);
    assert_eq!(
        lost,
        [Action::Lost {
            seal: root.seal(),
            why: LostBecause::DeadlinePassed
        }]
    );
    assert_eq!(bench.election.valid_until(), None);
}

#[test]
fn a_sole_candidate_leads_again_after_an_outage_with_a_new_epoch() {
    let (mut bench, root) = Bench::leading();
    swapped(&bench.after(2 * SECOND));
    bench.at(Event::RootSwapped(SwapAnswer::Unknown));
    bench.now = bench.now + 60 * SECOND;
    let actions = bench.at(Event::Tick);
    assert_eq!(actions.len(), 2);
    bench.at(Event::RootUnread);
    bench.at(Event::Campaign);
    assert_eq!(bench.after(2 * SECOND), [Action::ReadRoot]);
    let mut late = root.clone();
    late.seq = 2;
    assert_eq!(
        swapped(&bench.read(Some((2, &late)))).epoch,
        Epoch::new(2),
        "no lease to wait for: it was its own"
    );
}

#[test]
fn a_lost_answer_to_a_renewal_is_no_loss_of_leadership() {
    let (mut bench, _) = Bench::leading();
    let renewal = swapped(&bench.after(2 * SECOND));
    bench.at(Event::RootSwapped(SwapAnswer::Unknown));
    assert_eq!(swapped(&bench.after(SECOND)), renewal);
    assert_eq!(
        bench.at(Event::RootSwapped(SwapAnswer::Conflict)),
        [Action::ReadRoot]
    );
    let seal = renewal.seal();
    assert_eq!(
        bench.read(Some((2, &renewal))),
        [Action::SealFloor { seal }],
        "another may have led before somebody put it there; the floor shows it"
    );
    // The first of the two may have landed, so the lease counts from it.
    assert_eq!(
        bench.election.valid_until(),
        Some(Time::from_origin(112 * SECOND))
    );
}

#[test]
fn a_change_is_told_when_it_is_in_the_root() {
    let (mut bench, _) = Bench::leading();
    let publish = Change::Publish("web".parse().unwrap(), "http://a".into());
    let root = swapped(&bench.at(Event::Change {
        ticket: 1,
        change: publish,
    }));
    assert_eq!(
        bench.at(Event::Change {
            ticket: 2,
            change: Change::Activate
        }),
        []
    );
    assert_eq!(root.endpoints.len(), 1);
    let actions = bench.committed(2);
    assert_eq!(actions[0], Action::Changed { ticket: 1 });
    assert_eq!(swapped(&actions[1..]).state, TermState::Active);
    assert_eq!(bench.committed(3), [Action::Changed { ticket: 2 }]);
    assert!(
        matches!(bench.election.view(bench.now), View::Active(leader) if leader.endpoints.len() == 1)
    );
}

#[test]
fn a_request_to_hand_over_is_passed_on_and_does_not_count_as_a_renewal() {
    let (mut bench, root) = Bench::leading();
    let asked = root.clone().asking(crate::root::Handover {
        to: None,
        by: "somebody".into(),
    });
    assert_eq!(
        bench.at(Event::Hint {
            version: Some(version(2))
        }),
        [Action::ReadRoot]
    );
    let seal = root.seal();
    assert_eq!(
        bench.read(Some((2, &asked))),
        [
            Action::AskedToResign { to: None },
            Action::SealFloor { seal }
        ]
    );
    let renewal = bench.after(2 * SECOND);
    assert!(
        matches!(&renewal[..], [Action::SwapRoot { expected: Some(v), .. }] if *v == version(2))
    );

    let mut standby = Bench::standing_by(&root);
    let before = standby.election.seen.changed_at;
    standby.now = standby.now + SECOND;
    standby.at(Event::Hint { version: None });
    standby.read(Some((2, &asked)));
    assert_eq!(standby.election.seen.changed_at, before);
}

#[test]
fn hints_about_own_writes_cost_no_read() {
    let (mut bench, _) = Bench::leading();
    assert_eq!(
        bench.at(Event::Hint {
            version: Some(version(1))
        }),
        []
    );
    swapped(&bench.after(2 * SECOND));
    assert_eq!(
        bench.at(Event::Hint {
            version: Some(version(2))
        }),
        []
    );
    assert_eq!(bench.committed(2), []);
}

#[test]
fn a_newer_root_ends_the_term_at_its_next_renewal() {
    let (mut bench, root) = Bench::leading();
    swapped(&bench.after(2 * SECOND));
    assert_eq!(
        bench.at(Event::RootSwapped(SwapAnswer::Conflict)),
        [Action::ReadRoot]
    );
    let mut newer = root.clone();
    (newer.epoch, newer.nonce) = (Epoch::new(2), Nonce::new(1));
    let actions = bench.read(Some((5, &newer)));
    assert_eq!(
        actions[0],
        Action::Lost {
            seal: root.seal(),
            why: LostBecause::Superseded(Epoch::new(2))
        }
    );
}

#[test]
fn an_answer_that_waited_while_the_process_slept_does_not_prolong_the_term() {
    let (mut bench, root) = Bench::leading();
    swapped(&bench.after(2 * SECOND));
    bench.now = bench.now + 9 * SECOND;
    let actions = bench.committed(2);
    assert_eq!(
        actions[0],
        Action::Lost {
            seal: root.seal(),
            why: LostBecause::DeadlinePassed
        }
    );
}

#[test]
fn a_candidate_that_cannot_seal_the_floor_lets_others_try() {
    let (mut bench, root) = Bench::claiming();
    let seal = root.seal();
    bench.committed(1);
    let (mut version, answer) = (1, FloorAnswer::Failed);
    loop {
        for action in bench.at(Event::Floor { seal, answer }) {
            if let Action::SwapRoot { root, .. } = action {
                version += 1;
                bench.committed(version);
                if root.state == TermState::Released {
                    return assert!(bench.now < Time::from_origin(112 * SECOND));
                }
            }
        }
        bench.now = bench.now + SECOND;
    }
}

#[test]
fn a_request_to_hand_over_that_comes_early_is_told_when_the_term_is_granted() {
    let (mut bench, root) = Bench::claiming();
    let seal = root.seal();
    bench.committed(1);
    let to = Some("b".parse().unwrap());
    let asked = root.asking(crate::root::Handover {
        to: to.clone(),
        by: "somebody".into(),
    });
    bench.at(Event::Hint { version: None });
    assert_eq!(bench.read(Some((2, &asked))), [Action::SealFloor { seal }]);
    let granted = bench.at(Event::Floor {
        seal,
        answer: FloorAnswer::Sealed,
    });
    assert_eq!(granted[1], Action::AskedToResign { to });
}

/// The answer to the claim was lost, and somebody asked before it was looked for.
#[test]
fn a_request_to_hand_over_that_is_found_with_a_lost_claim_is_told_too() {
    let (mut bench, root) = Bench::claiming();
    let seal = root.seal();
    bench.at(Event::RootSwapped(SwapAnswer::Unknown));
    bench.after(SECOND);
    let asked = root.asking(crate::root::Handover {
        to: None,
        by: "somebody".into(),
    });
    assert_eq!(
        bench.at(Event::RootSwapped(SwapAnswer::Conflict)),
        [Action::ReadRoot]
    );
    assert_eq!(bench.read(Some((2, &asked))), [Action::SealFloor { seal }]);
    let answer = FloorAnswer::Sealed;
    let granted = bench.at(Event::Floor { seal, answer });
    assert_eq!(granted[1], Action::AskedToResign { to: None });
}

#[test]
fn a_leader_that_cannot_look_at_the_floor_tries_again() {
    let (mut bench, root) = Bench::leading();
    let (seal, answer) = (root.seal(), FloorAnswer::Failed);
    bench.at(Event::Hint { version: None });
    bench.read(Some((7, &root)));
    assert_eq!(bench.at(Event::Floor { seal, answer }), []);
    assert_eq!(bench.after(SECOND), [Action::SealFloor { seal }]);
}

#[test]
fn a_term_that_was_never_granted_is_never_lost_and_a_new_campaign_outlives_it() {
    let (mut bench, root) = Bench::claiming();
    bench.at(Event::Abstain);
    bench.committed(1);
    bench.at(Event::Campaign);
    assert_eq!(bench.committed(2), [], "the application never led");
    assert_eq!(bench.after(2 * SECOND), [Action::ReadRoot]);
    let mut released = root;
    (released.state, released.seq) = (TermState::Released, 2);
    bench.read(Some((2, &released)));
    assert_eq!(swapped(&bench.after(SECOND)).epoch, Epoch::new(2));
}

#[test]
fn a_floor_that_is_heard_of_after_the_deadline_grants_nothing() {
    let (mut bench, root) = Bench::claiming();
    let seal = root.seal();
    bench.committed(1);
    bench.now = bench.now + 60 * SECOND;
    let answer = FloorAnswer::Sealed;
    assert_eq!(
        bench.at(Event::Floor { seal, answer }),
        [Action::ReadRoot],
        "the process slept while the answer waited"
    );
    assert_eq!(swapped(&bench.read(Some((1, &root)))).epoch, Epoch::new(2));
}
