//! Processes are killed before each system call.

use std::sync::atomic::Ordering;

use incumbent_backend::Swapped;

use super::place::{Place, dying_at, version};

/// More calls than any swap makes.
const MANY_CALLS: usize = 100;

/// Where a writer may be when it is killed: creating the key, in the middle of a generation, at its
/// end, and at the start of the next one.
const STARTS: [u64; 6] = [0, 1, 63, 64, 65, 128];

#[test]
fn a_writer_killed_at_any_step_leaves_the_old_or_the_new_state_and_nobody_in_the_way() {
    for start in STARTS {
        for call in 0..MANY_CALLS {
            let place = Place::with_versions(start);
            let (hook, calls) = dying_at(call);
            let told = place.hooked(hook).replace(start, b"mine");
            let survivor = place.process();
            let (number, body) = survivor.read().unwrap();
            let at = format!("from {start}, killed before call {call}");
            match number - start {
                0 => assert_ne!(
                    told.ok(),
                    Some(Swapped::Committed(version(start + 1))),
                    "{at}"
                ),
                1 => assert_eq!(body, b"mine", "{at}"),
                _ => panic!("{at}: {number}"),
            }
            assert_eq!(place.process().read().unwrap(), (number, body), "{at}");
            let last = survivor.write_many(130);
            assert_eq!(
                place.process().read().unwrap(),
                (last, last.to_string().into_bytes()),
                "{at}"
            );
            assert!(generations(&place) <= 2, "{at}: closed generations stay");
            if calls.load(Ordering::SeqCst) <= call {
                assert_eq!(number, start + 1, "{at}");
                break;
            }
            assert!(call + 1 < MANY_CALLS, "it never came to its end");
        }
    }
}

#[test]
fn a_reader_killed_while_it_completes_a_generation_leaves_it_to_the_next() {
    for call in 0..MANY_CALLS {
        let place = Place::with_forward_after(64);
        let (hook, calls) = dying_at(call);
        let _ = place.hooked(hook).read();
        assert_eq!(
            place.process().read().unwrap(),
            (65, b"closed".to_vec()),
            "killed before call {call}"
        );
        assert_eq!(place.process().write_many(130), 195);
        if calls.load(Ordering::SeqCst) <= call {
            return;
        }
    }
    panic!("it never came to its end");
}

#[test]
fn an_opener_killed_at_any_step_leaves_a_directory_that_can_be_opened() {
    for call in 0..MANY_CALLS {
        let place = Place::new();
        let (hook, calls) = dying_at(call);
        let opened = crate::FileBackend::open_hooked(&place.address().parse().unwrap(), hook);
        assert_eq!(
            place.process().write_many(1),
            1,
            "killed before call {call}"
        );
        if calls.load(Ordering::SeqCst) <= call {
            assert!(opened.is_ok());
            return;
        }
    }
    panic!("it never came to its end");
}

/// Counts the directories of generations, closed or not, and of prepared ones.
fn generations(place: &Place) -> usize {
    place.path(".").read_dir().unwrap().count()
}
