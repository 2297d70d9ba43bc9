//! The tree is copied by hard links, as backup tools do it. Files then have names that the store
//! did not give them.

use std::sync::atomic::{AtomicUsize, Ordering};

use incumbent_backend::{Failure, Swapped};

use super::place::{Place, dying_at_nth, pausing_at, version};
use crate::hook::Step;

const MANY_CALLS: usize = 100;

/// Gives each draft a second name outside the store.
fn copy_drafts(place: &Place) {
    static COPIES: AtomicUsize = AtomicUsize::new(0);
    for draft in place.path("../@tmp").read_dir().unwrap() {
        let copy = format!("copy-{}", COPIES.fetch_add(1, Ordering::SeqCst));
        std::fs::hard_link(draft.unwrap().path(), place.dir.path().join(copy)).unwrap();
    }
}

#[test]
fn a_writer_whose_draft_has_a_second_name_and_who_comes_too_late_is_told_of_the_conflict() {
    for start in [1, 63, 64, 65] {
        let mut links = 0;
        let calls = (0..MANY_CALLS).find(|call| {
            let place = Place::with_versions(start);
            // At the end of a generation, the rival is killed once the forward exists, so that the
            // generation stays.
            let rival = match start {
                64 => place.hooked(dying_at_nth(Step::Link, 2)),
                _ => place.process(),
            };
            let (hook, pause) = pausing_at(*call);
            let writer = place.hooked(hook);
            let ran = pause.during(
                move || writer.replace(start, b"mine"),
                |step| {
                    let was_there = place.process().read().unwrap().0 > start;
                    if place.path("../@tmp").exists() {
                        copy_drafts(&place);
                    }
                    let _ = rival.replace(start, b"theirs");
                    (step, was_there)
                },
            );
            let Some((told, (step, was_there))) = ran else {
                return true;
            };
            let at = format!("from {start}, paused before call {call} ({step:?}): {told:?}");
            if !was_there {
                let lost = matches!(told, Ok(Swapped::Conflict) | Err(Failure::NotApplied(_)));
                assert!(lost, "{at}");
                assert_eq!(
                    place.process().read().unwrap(),
                    (start + 1, b"theirs".to_vec()),
                    "{at}"
                );
                if step == Step::Link {
                    assert_eq!(told.unwrap(), Swapped::Conflict, "{at}");
                    links += 1;
                }
            }
            false
        });
        assert!(calls.is_some(), "it never came to its end");
        assert!(
            links > 0,
            "from {start}: it was never paused before its link"
        );
    }
}

#[test]
fn a_writer_whose_draft_has_a_second_name_and_who_is_in_time_commits() {
    for start in [1, 64] {
        for call in 0..MANY_CALLS {
            let place = Place::with_versions(start);
            let (hook, pause) = pausing_at(call);
            let writer = place.hooked(hook);
            let ran = pause.during(
                move || writer.replace(start, b"mine"),
                |_| copy_drafts(&place),
            );
            let Some((told, ())) = ran else { break };
            assert_eq!(told.unwrap(), Swapped::Committed(version(start + 1)));
            assert!(call + 1 < MANY_CALLS, "it never came to its end");
        }
    }
}
