//! When a standby may take over.

use super::*;

#[test]
fn the_first_candidate_of_a_group_leads_at_epoch_one() {
    let (bench, root) = Bench::leading();
    assert_eq!(
        (root.epoch, root.state),
        (Epoch::new(1), TermState::Activating)
    );
    assert_eq!(bench.election.valid_until(), Some(bench.now + 10 * SECOND));
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
fn a_standby_takes_over_from_a_released_root_at_once_unless_another_is_preferred() {
    let (mut leader, root) = Bench::leading();
    let released = swapped(&leader.at(Event::Resign { prefer: None }));
    assert_eq!(released.state, TermState::Released);
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
fn a_campaign_that_was_given_up_while_its_claim_was_on_the_way_releases_what_it_won() {
    let (mut bench, _) = Bench::claiming();
    bench.at(Event::Abstain);
    assert_eq!(swapped(&bench.committed(1)).state, TermState::Released);
}

/// Its address is the earlier campaign's, where nobody listens any more.
#[test]
fn a_claim_with_the_liveness_endpoint_of_an_earlier_campaign_is_given_up_and_made_anew() {
    let liveness = |port: u16| LivenessAddress {
        address: format!("127.0.0.1:{port}"),
        scope: None,
        advertised: false,
    };
    let mut bench = Bench::new("a");
    bench.election.offer_liveness(Some(liveness(1)));
    bench.at(Event::Campaign);
    bench.read(None);
    let highest = Epoch::ZERO;
    let first = swapped(&bench.at(Event::SealsScanned { highest }));
    bench.at(Event::RootSwapped(SwapAnswer::Unknown));
    bench.at(Event::Abstain);
    bench.election.offer_liveness(Some(liveness(2)));
    bench.at(Event::Campaign);
    bench.after(SECOND);
    let released = swapped(&bench.read(Some((1, &first))));
    assert_eq!(released.state, TermState::Released);
    let claim = swapped(&bench.committed(2));
    assert_eq!(claim.liveness, Some(liveness(2)));
    assert_eq!(claim.epoch, Epoch::new(2));
}
