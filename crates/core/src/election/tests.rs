//! Events in, actions out. What needs many nodes and bad luck is in the simulation.

use std::time::{Duration, SystemTime};

use super::*;
use crate::root::State;

/// One process under test, and the time it is told.
struct Bench {
    election: Election,
    now: Time,
}

const SECOND: Duration = Duration::from_secs(1);

fn config(holder: &str, nonces: u128) -> Config {
    Config {
        holder: holder.parse().unwrap(),
        timing: Timing::default(),
        liveness: None,
        nonces: Nonce::new(nonces),
    }
}

fn version(number: u32) -> Version {
    Version::new(number.to_string())
}

impl Bench {
    fn new(holder: &str) -> Self {
        Self {
            election: Election::new(config(holder, 1000)),
            now: Time::from_origin(100 * SECOND),
        }
    }

    fn at(&mut self, event: Event) -> Vec<Action> {
        self.election.step(
            Now {
                time: self.now,
                wall: SystemTime::UNIX_EPOCH,
            },
            event,
        )
    }

    fn after(&mut self, duration: Duration) -> Vec<Action> {
        self.now = self.now + duration;
        self.at(Event::Tick)
    }

    fn read(&mut self, root: Option<(u32, &Root)>) -> Vec<Action> {
        self.at(Event::RootRead {
            root: root.map(|(v, root)| (version(v), Box::new(root.clone()))),
        })
    }

    fn committed(&mut self, v: u32) -> Vec<Action> {
        self.at(Event::RootSwapped(SwapAnswer::Committed(version(v))))
    }

    /// A candidate whose claim at epoch 1 is on its way.
    fn claiming() -> (Self, Root) {
        let mut bench = Self::new("a");
        bench.at(Event::Campaign);
        assert_eq!(bench.read(None), [Action::ScanSeals]);
        let highest = Epoch::ZERO;
        let root = swapped(&bench.at(Event::SealsScanned { highest }));
        (bench, root)
    }

    /// A leader at epoch 1 whose root has version 1.
    fn leading() -> (Self, Root) {
        let (mut bench, root) = Self::claiming();
        let seal = root.seal();
        assert_eq!(bench.committed(1), [Action::SealFloor { seal }]);
        assert_eq!(
            bench.at(Event::Floor {
                seal,
                answer: FloorAnswer::Sealed
            }),
            [Action::Granted {
                seal,
                vacancy: Vacancy::Absent
            }]
        );
        (bench, root)
    }

    /// A candidate that sees the root of somebody else.
    fn standing_by(root: &Root) -> Self {
        let mut bench = Self::new("b");
        bench.election.config.nonces = Nonce::new(5_000_000);
        bench.at(Event::Campaign);
        assert_eq!(bench.read(Some((1, root))), []);
        bench
    }
}

fn swapped(actions: &[Action]) -> Root {
    match actions {
        [Action::SwapRoot { root, .. }] => (**root).clone(),
        other => panic!("no swap but {other:?}"),
    }
}

#[test]
fn the_first_candidate_of_a_group_leads_at_epoch_one() {
    let (bench, root) = Bench::leading();
    assert_eq!((root.epoch, root.state), (Epoch::new(1), State::Activating));
    assert_eq!(bench.election.valid_until(), Some(bench.now + 10 * SECOND));
}

#[test]
fn a_root_that_was_deleted_by_hand_begins_above_the_highest_seal() {
    let mut bench = Bench::new("a");
    bench.at(Event::Campaign);
    bench.read(None);
    let highest = Epoch::new(41);
    let waits = bench.at(Event::SealsScanned { highest });
    assert_eq!(waits, [], "somebody led, and may not know yet");
    assert_eq!(bench.after(15 * SECOND), [Action::ReadRoot]);
    assert_eq!(swapped(&bench.read(None)).epoch, Epoch::new(42));
}

/// Sees the root removed, and has looked at the seals.
fn removed(standby: &mut Bench) {
    standby.at(Event::Hint { version: None });
    assert_eq!(standby.read(None), []);
}

#[test]
fn a_root_that_was_removed_by_hand_frees_nothing_while_its_holder_may_live() {
    let (_, root) = Bench::leading();
    let mut standby = Bench::standing_by(&root);
    removed(&mut standby);
    let rival = standby.election.rival().map(|root| root.nonce);
    assert_eq!(rival, Some(root.nonce), "it is still looked at");
    standby.after(14 * SECOND);
    assert_eq!(standby.read(None), []);
    assert_eq!(standby.after(SECOND), [Action::ScanSeals]);
    let highest = Epoch::new(1);
    let claim = swapped(&standby.at(Event::SealsScanned { highest }));
    assert_eq!(claim.epoch, Epoch::new(2));
}

#[test]
fn a_root_that_was_removed_by_hand_is_free_once_its_holder_is_dead() {
    let (_, root) = Bench::leading();
    let mut standby = Bench::standing_by(&root);
    removed(&mut standby);
    let nonce = root.nonce;
    assert_eq!(standby.at(Event::Dead { nonce }), [Action::ScanSeals]);
}

/// As with a role that lacks `list`: the root is read, and the seals are not.
#[test]
fn scans_that_fail_are_repeated_ever_more_slowly_although_reads_are_answered() {
    let mut bench = Bench::new("a");
    bench.at(Event::Campaign);
    let mut pauses = Vec::new();
    for _ in 0..10 {
        assert_eq!(bench.read(None), [Action::ScanSeals]);
        assert_eq!(bench.at(Event::SealsUnread), []);
        let wakeup = bench.election.wakeup();
        pauses.push(wakeup.since(bench.now));
        bench.now = wakeup;
        assert_eq!(bench.at(Event::Tick), [Action::ReadRoot]);
    }
    assert!(pauses.is_sorted(), "{pauses:?}");
    assert_eq!(pauses[9], 2 * SECOND);
}

#[test]
fn who_held_a_root_that_was_removed_by_hand_may_lead_again_at_once() {
    let (mut bench, root) = Bench::leading();
    bench.at(Event::Hint { version: None });
    let (seal, why) = (root.seal(), LostBecause::RootGone);
    let lost = [Action::Lost { seal, why }, Action::ReadRoot];
    assert_eq!(bench.read(None), lost);
    assert_eq!(bench.read(None), []);
    assert_eq!(bench.at(Event::Campaign), [Action::ScanSeals]);
}

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
    assert_eq!(bench.read(Some((2, &renewal))), []);
    // The first of the two may have landed, so the lease counts from it.
    assert_eq!(
        bench.election.valid_until(),
        Some(Time::from_origin(112 * SECOND))
    );
}

#[test]
fn a_standby_waits_for_the_lease_on_its_own_clock() {
    let (_, root) = Bench::leading();
    let mut standby = Bench::standing_by(&root);
    for _ in 0..7 {
        assert_eq!(standby.after(2 * SECOND), [Action::ReadRoot]);
        assert_eq!(standby.read(Some((1, &root))), []);
    }
    let claim = swapped(&standby.after(SECOND));
    assert_eq!((claim.epoch, claim.holder.as_str()), (Epoch::new(2), "b"));
}

#[test]
fn a_renewal_starts_the_lease_anew() {
    let (mut leader, root) = Bench::leading();
    let mut standby = Bench::standing_by(&root);
    let renewal = swapped(&leader.after(2 * SECOND));
    standby.now = standby.now + 14 * SECOND;
    standby.at(Event::Hint {
        version: Some(version(2)),
    });
    standby.read(Some((2, &renewal)));
    standby.after(14 * SECOND);
    assert_eq!(standby.read(Some((2, &renewal))), []);
}

#[test]
fn a_proof_of_death_lets_a_standby_campaign_at_once() {
    let (_, root) = Bench::leading();
    let mut standby = Bench::standing_by(&root);
    assert_eq!(
        standby.at(Event::Dead {
            nonce: Nonce::new(77)
        }),
        [],
        "of somebody else"
    );
    assert_eq!(
        swapped(&standby.at(Event::Dead { nonce: root.nonce })).epoch,
        Epoch::new(2)
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
    assert_eq!(swapped(&actions[1..]).state, State::Active);
    assert_eq!(bench.committed(3), [Action::Changed { ticket: 2 }]);
    assert!(
        matches!(bench.election.view(bench.now), View::Active(leader) if leader.endpoints.len() == 1)
    );
}

#[test]
fn a_standby_takes_over_from_a_released_root_at_once_unless_another_is_preferred() {
    let (mut leader, root) = Bench::leading();
    let released = swapped(&leader.at(Event::Resign { prefer: None }));
    assert_eq!(released.state, State::Released);
    let lost = leader.committed(2);
    assert_eq!(
        lost,
        [Action::Lost {
            seal: root.seal(),
            why: LostBecause::Resigned
        }]
    );
    let mut standby = Bench::standing_by(&root);
    standby.at(Event::Hint {
        version: Some(version(2)),
    });
    assert_eq!(
        swapped(&standby.read(Some((2, &released)))).epoch,
        Epoch::new(2)
    );

    let mut preferring = released;
    preferring.preferred = Some("c".parse().unwrap());
    let mut standby = Bench::standing_by(&root);
    standby.at(Event::Hint {
        version: Some(version(2)),
    });
    assert_eq!(standby.read(Some((2, &preferring))), []);
    standby.after(2 * SECOND);
    standby.read(Some((2, &preferring)));
    assert_eq!(
        swapped(&standby.after(SECOND)).epoch,
        Epoch::new(2),
        "the preferred one did not come"
    );
}

#[test]
fn who_resigned_lets_others_go_first() {
    let (mut bench, _) = Bench::leading();
    bench.at(Event::Resign { prefer: None });
    bench.committed(2);
    assert_eq!(bench.at(Event::Campaign), []);
    let root = bench.election.seen.root.clone().unwrap().1;
    assert_eq!(bench.after(2 * SECOND), [Action::ReadRoot]);
    bench.read(Some((2, &root)));
    assert_eq!(swapped(&bench.after(SECOND)).epoch, Epoch::new(2));
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
    assert_eq!(
        bench.read(Some((2, &asked))),
        [Action::AskedToResign { to: None }]
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
fn a_deleted_root_ends_the_term() {
    let (mut bench, root) = Bench::leading();
    bench.at(Event::Hint { version: None });
    let actions = bench.read(None);
    assert_eq!(
        actions[0],
        Action::Lost {
            seal: root.seal(),
            why: LostBecause::RootGone
        }
    );
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
fn a_campaign_that_was_given_up_while_its_claim_was_on_the_way_releases_what_it_won() {
    let (mut bench, _) = Bench::claiming();
    bench.at(Event::Abstain);
    assert_eq!(swapped(&bench.committed(1)).state, State::Released);
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
                if root.state == State::Released {
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
    assert_eq!(bench.read(Some((2, &asked))), []);
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
fn a_root_put_back_from_a_backup_is_free_at_once() {
    let (_, root) = Bench::leading();
    let mut newer = root.clone();
    (newer.epoch, newer.nonce) = (Epoch::new(7), Nonce::new(1));
    let mut standby = Bench::standing_by(&newer);
    standby.at(Event::Hint { version: None });
    let claim = swapped(&standby.read(Some((2, &root))));
    assert_eq!(claim.epoch, Epoch::new(8));
}

#[test]
fn a_failing_backend_is_asked_ever_less_often_and_no_step_spins() {
    let mut bench = Bench::new("a");
    bench.at(Event::Campaign);
    let mut asked = 0;
    let end = bench.now + 60 * SECOND;
    while bench.now < end {
        asked += 1;
        assert_eq!(bench.at(Event::RootUnread), []);
        assert!(bench.election.wakeup() > bench.now);
        bench.now = bench.election.wakeup();
        assert_eq!(bench.at(Event::Tick), [Action::ReadRoot]);
    }
    assert!((30..=40).contains(&asked), "{asked}");
}

#[test]
fn a_backend_that_answers_reads_and_fails_writes_is_asked_ever_less_often() {
    let mut bench = Bench::new("a");
    bench.at(Event::Campaign);
    let mut claims = 0;
    let end = bench.now + 60 * SECOND;
    let mut actions = vec![Action::ReadRoot];
    while bench.now < end {
        actions = match actions.pop() {
            Some(Action::ReadRoot) => bench.read(None),
            Some(Action::ScanSeals) => bench.at(Event::SealsScanned {
                highest: Epoch::ZERO,
            }),
            Some(Action::SwapRoot { .. }) => {
                claims += 1;
                bench.at(Event::RootSwapped(SwapAnswer::NotApplied))
            }
            None => {
                assert!(bench.election.wakeup() > bench.now, "no step spins");
                bench.now = bench.election.wakeup();
                bench.at(Event::Tick)
            }
            Some(other) => panic!("{other:?}"),
        };
    }
    assert!((30..=40).contains(&claims), "{claims}");
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
    (released.state, released.seq) = (State::Released, 2);
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
