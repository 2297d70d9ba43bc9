use super::*;
use crate::Nonce;

fn seal(epoch: u64, nonce: u128) -> Seal {
    Seal {
        epoch: Epoch::new(epoch),
        nonce: Nonce::new(nonce),
    }
}

fn version(text: &str) -> Version {
    Version::new(text)
}

fn data(text: &str) -> Option<Box<RawValue>> {
    Some(RawValue::from_string(text.into()).unwrap())
}

#[test]
fn an_open_seals_what_it_read_and_returns_what_it_sealed() {
    let (mut open, step) = Write::open(seal(2, 2), 1);
    assert_eq!(step, Step::Read);
    let old = RecordBody::new(seal(1, 1), 7, data("5"));
    let sealed = RecordBody::new(seal(2, 2), 1, data("5"));
    let step = open.step(Answer::Read(Some((version("a"), old))));
    assert_eq!(
        step,
        Step::Swap {
            expected: Some(version("a")),
            body: sealed.clone().into()
        }
    );
    assert_eq!(
        open.step(Answer::Committed(version("b"))),
        Step::Done {
            version: version("b"),
            body: sealed.into()
        }
    );
}

#[test]
fn the_data_that_an_open_reads_are_not_copied() {
    let (mut open, _) = Write::open(seal(2, 2), 1);
    let old = RecordBody::new(seal(1, 1), 7, data("[1, 2, 3]"));
    let read_at = old.json().map(str::as_ptr);
    let Step::Swap { body, .. } = open.step(Answer::Read(Some((version("a"), old)))) else {
        panic!("an open swaps what it has read");
    };
    assert_eq!(body.json().map(str::as_ptr), read_at);
}

#[test]
fn an_open_that_met_a_late_write_takes_that_write_as_the_state() {
    let (mut open, _) = Write::open(seal(2, 2), 1);
    open.step(Answer::Read(Some((
        version("a"),
        RecordBody::new(seal(1, 1), 7, data("5")),
    ))));
    assert_eq!(open.step(Answer::Conflict), Step::Read);
    let step = open.step(Answer::Read(Some((
        version("b"),
        RecordBody::new(seal(1, 1), 8, data("6")),
    ))));
    assert_eq!(
        step,
        Step::Swap {
            expected: Some(version("b")),
            body: RecordBody::new(seal(2, 2), 1, data("6")).into()
        }
    );
}

#[test]
fn an_absent_record_is_sealed_too() {
    let (mut open, _) = Write::open(seal(2, 2), 1);
    let vacant = RecordBody::new(seal(2, 2), 1, None);
    assert_eq!(
        open.step(Answer::Read(None)),
        Step::Swap {
            expected: None,
            body: vacant.into()
        }
    );
}

#[test]
fn a_newer_seal_fences_opens_and_commits() {
    for newer in [seal(3, 9), seal(2, 9)] {
        let found = Some((version("x"), RecordBody::new(newer, 1, None)));
        let (mut open, _) = Write::open(seal(2, 2), 1);
        let fenced = Step::Refused(Refused::Fenced {
            current: newer.epoch,
        });
        assert_eq!(open.step(Answer::Read(found.clone())), fenced);
        let (mut commit, _) = Write::commit(seal(2, 2), 2, version("a"), None, data("1"));
        assert_eq!(commit.step(Answer::Conflict), Step::Read);
        assert_eq!(commit.step(Answer::Read(found)), fenced);
    }
}

#[test]
fn a_lost_answer_is_settled_by_the_same_swap() {
    let (mut commit, first) = Write::commit(seal(2, 2), 5, version("a"), None, data("1"));
    assert_eq!(commit.step(Answer::Unknown), first);
    assert_eq!(
        commit.step(Answer::NotApplied),
        first,
        "not applied settles nothing once a request is unknown"
    );
    assert_eq!(commit.step(Answer::Conflict), Step::Read);
    let mine = RecordBody::new(seal(2, 2), 5, data("1"));
    let done = Step::Done {
        version: version("b"),
        body: mine.clone().into(),
    };
    assert_eq!(commit.step(Answer::Read(Some((version("b"), mine)))), done);
}

/// The first request may have landed, and the newer leader may have sealed over it: its data live
/// on under another seal.
#[test]
fn a_fence_after_a_lost_answer_does_not_say_that_nothing_was_written() {
    for (found, fenced_by) in [(seal(3, 3), Some(Epoch::new(3))), (seal(2, 2), None)] {
        let (mut commit, _) = Write::commit(seal(2, 2), 5, version("a"), None, data("1"));
        commit.step(Answer::Unknown);
        assert_eq!(commit.step(Answer::Conflict), Step::Read);
        let sealed = RecordBody::new(found, 9, data("1"));
        let step = commit.step(Answer::Read(Some((version("c"), sealed))));
        assert_eq!(step, Step::Refused(Refused::Unsettled { fenced_by }));
    }
}

#[test]
fn a_refusal_before_anything_was_unknown_is_final() {
    let (mut commit, _) = Write::commit(seal(2, 2), 5, version("a"), None, data("1"));
    assert_eq!(
        commit.step(Answer::NotApplied),
        Step::Refused(Refused::NotApplied)
    );
    assert!(!commit.is_unsettled());
}

#[test]
fn another_handles_write_is_a_conflict_and_no_fence() {
    let (mut commit, _) = Write::commit(seal(2, 2), 5, version("a"), None, data("1"));
    commit.step(Answer::Conflict);
    let other = RecordBody::new(seal(2, 2), 6, data("2"));
    assert_eq!(
        commit.step(Answer::Read(Some((version("b"), other)))),
        Step::Refused(Refused::Conflict)
    );
    let (mut commit, _) = Write::commit(seal(2, 2), 5, version("a"), None, data("1"));
    commit.step(Answer::Conflict);
    assert_eq!(
        commit.step(Answer::Read(None)),
        Step::Refused(Refused::Conflict),
        "removed by hand"
    );
}

fn opened_vacant() -> Write {
    let (mut open, _) = Write::open(seal(2, 2), 1);
    open.step(Answer::Read(None));
    assert_eq!(open.step(Answer::Committed(version("a"))), Step::ReadFloor);
    open
}

#[test]
fn a_record_without_data_is_open_only_if_the_floor_still_bears_the_own_seal() {
    let done = Step::Done {
        version: version("a"),
        body: RecordBody::new(seal(2, 2), 1, None).into(),
    };
    assert_eq!(opened_vacant().step(Answer::Floor(Some(seal(2, 2)))), done);
    let fenced = Step::Refused(Refused::Fenced {
        current: Epoch::new(3),
    });
    assert_eq!(
        opened_vacant().step(Answer::Floor(Some(seal(3, 3)))),
        fenced
    );
    for by_hand in [None, Some(seal(1, 1))] {
        assert_eq!(
            opened_vacant().step(Answer::Floor(by_hand)),
            Step::Refused(Refused::NoFloor)
        );
    }
    assert_eq!(opened_vacant().step(Answer::Unread), Step::ReadFloor);
}

/// What an older leader of this very term left behind, or this one before it gave up, may be
/// younger than an erasure.
#[test]
fn a_vacant_record_of_the_own_seal_is_no_exception() {
    let (mut open, _) = Write::open(seal(2, 2), 5);
    let vacant = RecordBody::new(seal(2, 2), 1, None);
    open.step(Answer::Read(Some((version("a"), vacant))));
    assert_eq!(open.step(Answer::Committed(version("b"))), Step::ReadFloor);
}

#[test]
fn the_floor_is_not_measured_by_itself() {
    let (mut open, _) = Write::floor(seal(2, 2), 1);
    open.step(Answer::Read(None));
    assert_eq!(
        open.step(Answer::Committed(version("a"))),
        Step::Done {
            version: version("a"),
            body: RecordBody::new(seal(2, 2), 1, None).into()
        }
    );
}

#[test]
fn an_erasure_names_the_version_and_is_repeated_as_it_was() {
    let (mut erase, first) = Write::erase(seal(2, 2), 7, version("a"));
    let ask = Step::Erase {
        expected: version("a"),
    };
    assert_eq!(first, ask);
    assert_eq!(erase.step(Answer::Unknown), ask);
    assert_eq!(erase.step(Answer::NotApplied), ask);
    assert_eq!(erase.step(Answer::Erased), Step::Gone { ours: true });
}

#[test]
fn an_erasure_that_lost_an_answer_and_finds_nothing_is_done_by_whomever() {
    let (mut erase, _) = Write::erase(seal(2, 2), 7, version("a"));
    erase.step(Answer::Unknown);
    assert_eq!(erase.step(Answer::Conflict), Step::Read);
    assert_eq!(erase.step(Answer::Read(None)), Step::Gone { ours: false });
}

#[test]
fn an_erasure_never_takes_what_others_wrote() {
    for (found, refused) in [
        (
            Some(seal(3, 3)),
            Refused::Fenced {
                current: Epoch::new(3),
            },
        ),
        (Some(seal(2, 2)), Refused::Conflict),
        (None, Refused::Conflict),
    ] {
        let (mut erase, _) = Write::erase(seal(2, 2), 7, version("a"));
        assert_eq!(erase.step(Answer::Conflict), Step::Read);
        let found = found.map(|seal| (version("b"), RecordBody::new(seal, 9, data("1"))));
        assert_eq!(erase.step(Answer::Read(found)), Step::Refused(refused));
    }
    let (mut erase, _) = Write::erase(seal(2, 2), 7, version("a"));
    assert_eq!(
        erase.step(Answer::NotApplied),
        Step::Refused(Refused::NotApplied)
    );
}

/// A person writes where a newer leader has erased; an older leader must not take that for its own
/// record.
#[test]
fn data_of_whoever_did_not_lead_are_open_only_if_the_floor_says_so_until_a_leader_has_written() {
    let mut by_hand = RecordBody::new(seal(0, 9), 1, data("5"));
    by_hand.unled = true;
    for found in [by_hand.clone(), by_hand.sealed(seal(2, 2), 1)] {
        let (mut open, _) = Write::open(seal(2, 2), 5);
        let step = open.step(Answer::Read(Some((version("a"), found))));
        let Step::Swap { body, .. } = step else {
            panic!("{step:?}");
        };
        assert!(body.unled, "a seal is no write");
        assert_eq!(open.step(Answer::Committed(version("b"))), Step::ReadFloor);
        assert!(matches!(
            open.step(Answer::Floor(Some(seal(3, 3)))),
            Step::Refused(Refused::Fenced { .. })
        ));
    }
    let (_, step) = Write::commit(seal(2, 2), 6, version("b"), None, data("6"));
    assert!(matches!(step, Step::Swap { body, .. } if !body.unled));
}

fn number() -> Nonce {
    Nonce::new(77)
}

fn create() -> (Write, Step) {
    Write::create(number(), data("1").unwrap())
}

#[test]
fn a_creation_expects_nothing_and_bears_the_lowest_seal_and_its_number() {
    let (mut create, step) = create();
    let Step::Swap { expected, body } = step else {
        panic!("a creation reads nothing first");
    };
    assert_eq!((expected, body.seal.epoch), (None, Epoch::ZERO));
    assert!(body.unled && body.created == Some(number()));
    assert_eq!(
        create.step(Answer::Committed(version("a"))),
        Step::Done {
            version: version("a"),
            body
        }
    );
}

#[test]
fn a_creation_replaces_neither_data_nor_a_tombstone_and_says_what_it_found() {
    for there in [data("2"), None] {
        let (mut create, _) = create();
        assert_eq!(create.step(Answer::Conflict), Step::Read);
        let body = RecordBody::new(seal(3, 3), 4, there);
        assert_eq!(
            create.step(Answer::Read(Some((version("b"), body.clone())))),
            Step::Found {
                version: version("b"),
                body: body.into()
            }
        );
    }
}

/// Its answer was lost; a leader has opened, written or deleted the record since.
#[test]
fn a_creator_recognizes_its_creation_under_the_seal_of_a_leader() {
    for there in [data("1"), data("2"), None] {
        let (mut create, first) = create();
        assert_eq!(create.step(Answer::Unknown), first, "the same swap again");
        assert_eq!(create.step(Answer::Conflict), Step::Read);
        let (mut commit, _) = Write::commit(seal(2, 2), 5, version("b"), Some(number()), there);
        let Step::Done { version, body } = commit.step(Answer::Committed(version("c"))) else {
            panic!("it is committed");
        };
        let read = Answer::Read(Some((version.clone(), (*body).clone())));
        assert_eq!(create.step(read), Step::Done { version, body });
    }
}

/// If its own creation may have been erased, creating it again would bring it back.
#[test]
fn a_creation_in_doubt_is_not_repeated_over_an_erased_record() {
    let (mut in_doubt, _) = create();
    in_doubt.step(Answer::Unknown);
    in_doubt.step(Answer::Conflict);
    let unsettled = Step::Refused(Refused::Unsettled { fenced_by: None });
    assert_eq!(in_doubt.step(Answer::Read(None)), unsettled);
    let (mut certain, first) = create();
    certain.step(Answer::Conflict);
    assert_eq!(certain.step(Answer::Read(None)), first);
}

#[test]
fn a_creation_that_the_backend_refused_was_not_written() {
    let (mut create, _) = create();
    assert_eq!(
        create.step(Answer::NotApplied),
        Step::Refused(Refused::NotApplied)
    );
}
