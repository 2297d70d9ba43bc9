//! A root that a person removed, or put back from a backup.

use super::*;

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

/// A standby that has seen epoch 7, and then finds `root` put back.
fn put_back(root: &Root) -> Bench {
    let mut newer = root.clone();
    (newer.epoch, newer.nonce) = (Epoch::new(7), Nonce::new(1));
    newer.state = TermState::Activating;
    let mut standby = Bench::standing_by(&newer);
    standby.at(Event::Hint { version: None });
    assert_eq!(standby.read(Some((2, root))), []);
    standby
}

#[test]
fn a_root_put_back_from_a_backup_is_left_alone_for_a_lease() {
    let (_, root) = Bench::leading();
    let mut standby = put_back(&root);
    standby.after(14 * SECOND);
    assert_eq!(standby.read(Some((2, &root))), []);
    let claim = swapped(&standby.after(SECOND));
    assert_eq!(claim.epoch, Epoch::new(8));
}

/// Epoch 7 never sealed the floor; somebody leads on from the root that was put back.
#[test]
fn a_root_below_the_highest_epoch_is_not_claimed_while_it_is_renewed() {
    let (_, root) = Bench::leading();
    let mut standby = put_back(&root);
    let mut renewed = root;
    for seq in 2..30 {
        standby.after(2 * SECOND);
        renewed.seq = seq;
        assert_eq!(standby.read(Some((seq as u32 + 1, &renewed))), [], "{seq}");
    }
}

#[test]
fn a_root_put_back_as_released_is_left_alone_for_a_lease_too() {
    let (_, mut root) = Bench::leading();
    root.state = TermState::Released;
    let mut standby = put_back(&root);
    standby.after(14 * SECOND);
    assert_eq!(standby.read(Some((2, &root))), []);
    assert_eq!(swapped(&standby.after(SECOND)).epoch, Epoch::new(8));
}

#[test]
fn a_proof_of_death_frees_a_root_that_was_put_back_after_a_lease() {
    let (_, root) = Bench::leading();
    let mut standby = put_back(&root);
    let nonce = root.nonce;
    assert_eq!(standby.at(Event::Dead { nonce }), []);
    let mut renewed = root;
    renewed.seq = 2;
    standby.after(14 * SECOND);
    assert_eq!(standby.read(Some((3, &renewed))), []);
    assert_eq!(swapped(&standby.after(SECOND)).epoch, Epoch::new(8));
}

/// Its own last term is over, and somebody else has led since.
#[test]
fn an_own_root_that_was_put_back_is_left_alone_for_a_lease_too() {
    let (mut bench, root) = Bench::leading();
    bench.at(Event::Resign { prefer: None });
    bench.committed(2);
    bench.at(Event::Campaign);
    bench.after(2 * SECOND);
    let mut released = root.clone();
    (released.state, released.seq) = (TermState::Released, 2);
    bench.read(Some((2, &released)));
    // Its second term, so that the first is not its last claim.
    let second = swapped(&bench.after(SECOND));
    assert_eq!(second.epoch, Epoch::new(2));
    let mut newer = root.clone();
    (newer.epoch, newer.nonce) = (Epoch::new(7), Nonce::new(1));
    bench.at(Event::RootSwapped(SwapAnswer::Conflict));
    bench.read(Some((4, &newer)));
    bench.at(Event::Hint { version: None });
    assert_eq!(bench.read(Some((5, &root))), []);
    bench.after(14 * SECOND);
    assert_eq!(bench.read(Some((5, &root))), []);
    assert_eq!(swapped(&bench.after(SECOND)).epoch, Epoch::new(8));
}

/// What was seen of the root is old, and a record has a newer seal.
#[test]
fn a_stale_view_beside_a_newer_seal_is_looked_at_again_before_anything_is_claimed() {
    let (_, root) = Bench::leading();
    let mut standby = Bench::standing_by(&root);
    let epoch = Epoch::new(7);
    assert_eq!(standby.at(Event::SealSeen { epoch }), []);
    let mut newer = root;
    (newer.epoch, newer.nonce) = (epoch, Nonce::new(1));
    standby.at(Event::Hint { version: None });
    assert_eq!(standby.read(Some((2, &newer))), []);
    standby.after(14 * SECOND);
    assert_eq!(standby.read(Some((2, &newer))), []);
}

/// Whether the own root at another version means that another has led meanwhile.
#[test]
fn a_leader_that_finds_its_root_put_back_looks_at_the_floor() {
    for answer in [FloorAnswer::Sealed, FloorAnswer::Fenced(Epoch::new(2))] {
        let (mut bench, root) = Bench::leading();
        let seal = root.seal();
        bench.at(Event::Hint { version: None });
        assert_eq!(
            bench.read(Some((7, &root))),
            [Action::SealFloor { seal }],
            "nobody has told it of this version"
        );
        let actions = bench.at(Event::Floor { seal, answer });
        match answer {
            FloorAnswer::Fenced(epoch) => {
                let why = LostBecause::Superseded(epoch);
                assert_eq!(actions, [Action::Lost { seal, why }, Action::ReadRoot]);
            }
            FloorAnswer::Sealed | FloorAnswer::Failed => assert_eq!(actions, []),
        }
    }
}
