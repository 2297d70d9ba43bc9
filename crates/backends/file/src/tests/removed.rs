//! A person removes a key, and a process creates it again while others still know the old one.
//!
//! In production the new key begins at a random number. Here it begins on both sides of the old
//! one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use incumbent_backend::{Failure, Swapped};

use super::place::{Place, Process, pausing_at, version};
use crate::hook::{Go, Hook, Step};
use crate::names::Number;

const MANY_CALLS: usize = 100;

/// The number of the old key when it is removed: the first of a generation, one in its middle, and
/// its last.
const OLD: [u64; 3] = [961, 1000, 1024];

/// Where the new key begins: before all of these, and after them.
const NEW: [fn() -> Number; 2] = [|| Number(1), || Number(6401)];

/// Creates the key at this first number.
fn create(process: &Process, first: fn() -> Number) {
    assert_eq!(
        process
            .replace(0, first().0.to_string().as_bytes())
            .unwrap(),
        Swapped::Committed(version(first().0))
    );
}

#[test]
fn a_handle_that_knew_the_old_key_finds_the_new_one_wherever_it_begins() {
    for (old, first) in OLD
        .into_iter()
        .flat_map(|old| NEW.map(|first| (old, first)))
    {
        let place = Place::with_versions(old);
        let [reader, writer, stale] = [(); 3].map(|()| place.process());
        for knowing in [&reader, &writer, &stale] {
            assert_eq!(knowing.read().unwrap().0, old);
        }
        place.remove_key();
        create(&place.process().beginning_at(first), first);
        let new = first().0;
        let at = format!("{new} after {old}");
        assert_eq!(
            stale.replace(old, b"stale").unwrap(),
            Swapped::Conflict,
            "{at}"
        );
        assert_eq!(
            writer.replace(new, b"next").unwrap(),
            Swapped::Committed(version(new + 1)),
            "{at}"
        );
        for process in [&reader, &writer, &stale, &place.process()] {
            assert_eq!(process.read().unwrap(), (new + 1, b"next".to_vec()), "{at}");
        }
        for (count, process) in [&reader, &writer, &stale].into_iter().enumerate() {
            let last = process.write_many(70);
            assert_eq!(last, new + 1 + 70 * (count as u64 + 1), "{at}");
        }
        assert_eq!(
            place.process().replace(old, b"stale").unwrap(),
            Swapped::Conflict,
            "{at}"
        );
    }
}

#[test]
fn a_handle_that_knew_the_old_key_has_all_of_the_new_one_on_the_disk_before_it_reads_it() {
    let place = Place::with_versions(5);
    let ((hook, knowing_syncs), (fresh_hook, fresh_syncs)) = (counting_syncs(), counting_syncs());
    let knowing = place.hooked(hook);
    assert_eq!(knowing.read().unwrap().0, 5);
    place.remove_key();
    create(&place.process().beginning_at(|| Number(65)), || Number(65));
    let before = knowing_syncs.load(Ordering::SeqCst);
    for process in [&knowing, &place.hooked(fresh_hook)] {
        assert_eq!(process.read().unwrap().0, 65);
    }
    let syncs = knowing_syncs.load(Ordering::SeqCst) - before;
    assert_eq!(syncs, fresh_syncs.load(Ordering::SeqCst));
    assert_eq!(syncs, 3, "the group, the key, the generation");
}

fn counting_syncs() -> (Hook, Arc<AtomicUsize>) {
    let syncs = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&syncs);
    let ask = move |step| {
        counter.fetch_add(usize::from(step == Step::SyncDir), Ordering::SeqCst);
        Go::On
    };
    (Hook::new(ask), syncs)
}

#[test]
fn a_writer_paused_while_the_key_is_removed_and_created_again_changes_nothing_in_the_new_one() {
    for (old, first) in OLD
        .into_iter()
        .flat_map(|old| NEW.map(|first| (old, first)))
    {
        let calls = (0..MANY_CALLS).find(|call| !paused_writer(old, first, *call));
        assert!(calls.is_some(), "it never came to its end");
    }
}

/// False if the writer finished without a pause.
fn paused_writer(old: u64, first: fn() -> Number, call: usize) -> bool {
    let place = Place::with_versions(old);
    let rival = place.process().beginning_at(first);
    let (hook, pause) = pausing_at(call);
    let writer = place.hooked(hook);
    let ran = pause.during(
        move || writer.replace(old, b"mine"),
        |step| (step, recreate(&place, &rival, first)),
    );
    let Some((told, (step, (found, last)))) = ran else {
        return false;
    };
    let at = format!(
        "{} after {old}, paused before call {call} ({step:?}): {told:?}",
        first().0
    );
    if found == old {
        assert!(
            matches!(told, Ok(Swapped::Conflict) | Err(Failure::NotApplied(_))),
            "{at}"
        );
    } else {
        // The write had happened to the old key.
        assert_eq!(found, old + 1, "{at}");
        let committed = matches!(&told, Ok(Swapped::Committed(at)) if *at == version(old + 1));
        assert!(
            committed || matches!(told, Err(Failure::Unknown(_))),
            "{at}"
        );
    }
    for process in [&rival, &place.process()] {
        let newest = (last, last.to_string().into_bytes());
        assert_eq!(process.read().unwrap(), newest, "{at}");
    }
    assert_eq!(place.process().write_many(2), last + 2, "{at}");
    true
}

#[test]
fn a_reader_paused_while_the_key_is_removed_and_created_again_reads_one_of_both() {
    for (old, first) in OLD
        .into_iter()
        .flat_map(|old| NEW.map(|first| (old, first)))
    {
        let calls = (0..MANY_CALLS).find(|call| {
            let place = Place::with_versions(old);
            let rival = place.process().beginning_at(first);
            let (hook, pause) = pausing_at(*call);
            let reader = place.hooked(hook);
            let ran = pause.during(
                move || reader.read(),
                |step| (step, recreate(&place, &rival, first)),
            );
            let Some((read, (step, (_, last)))) = ran else {
                return true;
            };
            let (number, body) = read.unwrap();
            assert!(
                [old, last].contains(&number),
                "paused before call {call} ({step:?}): {number}"
            );
            assert_eq!(body, number.to_string().into_bytes());
            assert_eq!(place.process().write_many(2), last + 2);
            false
        });
        assert!(calls.is_some(), "it never came to its end");
    }
}

/// Removes the key, creates it and writes more than a generation. Returns the number before that,
/// and the number after it.
fn recreate(place: &Place, rival: &Process, first: fn() -> Number) -> (u64, u64) {
    let (found, _) = rival.read().unwrap();
    place.remove_key();
    create(rival, first);
    (found, rival.write_many(70))
}
