//! Processes are paused before each system call, while others go on.

use incumbent_backend::{Failure, Swapped};

use super::place::{Place, pausing_at, version};

const MANY_CALLS: usize = 100;
const STARTS: [u64; 6] = [0, 1, 63, 64, 65, 128];

/// The number of versions that others write meanwhile: one, more than a generation, and several
/// generations.
const MEANWHILE: [u64; 3] = [1, 70, 200];

#[test]
fn a_writer_paused_at_any_step_is_told_the_truth_and_undoes_nothing() {
    for start in STARTS {
        for count in MEANWHILE {
            let calls = (0..MANY_CALLS).find(|call| !paused_writer(start, count, *call));
            assert!(calls.is_some(), "it never came to its end");
        }
    }
}

/// False if the writer finished without a pause.
fn paused_writer(start: u64, count: u64, call: usize) -> bool {
    let place = Place::with_versions(start);
    let rival = place.process();
    let (hook, pause) = pausing_at(call);
    let writer = place.hooked(hook);
    let ran = pause.during(
        move || writer.replace(start, b"mine"),
        |step| {
            let (found, body) = rival.read().unwrap();
            (step, found, body, rival.write_many(count))
        },
    );
    let Some((told, (step, found, body, last))) = ran else {
        return false;
    };
    let at = format!(
        "from {start}, paused before call {call} ({step:?}), {count} written meanwhile: {told:?}"
    );
    if found == start {
        // The write had not happened, and another process has taken the next version: so it never
        // can.
        assert!(
            matches!(told, Ok(Swapped::Conflict) | Err(Failure::NotApplied(_))),
            "{at}"
        );
    } else {
        assert_eq!((found, body.as_slice()), (start + 1, &b"mine"[..]), "{at}");
        let committed = matches!(&told, Ok(Swapped::Committed(at)) if *at == version(start + 1));
        assert!(
            committed || matches!(told, Err(Failure::Unknown(_))),
            "{at}"
        );
    }
    assert_eq!(
        place.process().read().unwrap(),
        (last, last.to_string().into_bytes()),
        "{at}"
    );
    assert_eq!(
        rival.read().unwrap(),
        (last, last.to_string().into_bytes()),
        "{at}"
    );
    assert_eq!(place.process().write_many(2), last + 2, "{at}");
    true
}

#[test]
fn a_reader_paused_at_any_step_returns_nothing_older_than_when_it_began() {
    for start in [1, 63, 64, 65] {
        for count in MEANWHILE {
            let calls = (0..MANY_CALLS).find(|call| {
                let place = Place::with_versions(start);
                !paused_reader(
                    &place,
                    (start, start.to_string().into_bytes()),
                    count,
                    *call,
                )
            });
            assert!(calls.is_some(), "it never came to its end");
        }
    }
}

#[test]
fn a_reader_paused_while_it_completes_a_generation_completes_none_that_is_gone() {
    for count in MEANWHILE {
        let calls = (0..MANY_CALLS).find(|call| {
            let place = Place::with_forward_after(64);
            !paused_reader(&place, (65, b"closed".to_vec()), count, *call)
        });
        assert!(calls.is_some(), "it never came to its end");
    }
}

fn paused_reader(place: &Place, start: (u64, Vec<u8>), count: u64, call: usize) -> bool {
    let (hook, pause) = pausing_at(call);
    let reader = place.hooked(hook);
    let rival = place.process();
    let ran = pause.during(
        move || reader.read(),
        |step| (step, rival.write_many(count)),
    );
    let Some((read, (step, last))) = ran else {
        return false;
    };
    let (number, body) = read.unwrap();
    let at = format!(
        "from {}, paused before call {call} ({step:?}), {count} written meanwhile",
        start.0
    );
    assert!(start.0 <= number && number <= last, "{at}: read {number}");
    let expected = if number == start.0 {
        start.1
    } else {
        number.to_string().into_bytes()
    };
    assert_eq!(body, expected, "{at}");
    assert_eq!(place.process().read().unwrap().0, last, "{at}");
    assert_eq!(place.process().write_many(2), last + 2, "{at}");
    true
}

#[test]
fn two_writers_paused_at_any_two_steps_of_closing_a_generation_do_not_both_win() {
    for first in 0..MANY_CALLS {
        let mut paused = false;
        for second in (0..MANY_CALLS).step_by(2) {
            match two_closers(first, second) {
                Some(true) => paused = true,
                Some(false) => break,
                None => return,
            }
        }
        assert!(paused || first > 0);
    }
    panic!("it never came to its end");
}

/// Pauses one closer, then another while the first is paused, then resumes both, the first one
/// first. `None` if the first was never paused, false if the second was not.
fn two_closers(first: usize, second: usize) -> Option<bool> {
    let place = Place::with_versions(64);
    let (hook, first_pause) = pausing_at(first);
    let one = place.hooked(hook);
    let (hook, second_pause) = pausing_at(second);
    let two = place.hooked(hook);
    let mut second_was_paused = true;
    let ran = second_pause.during(
        move || two.replace(64, b"two"),
        |_| {
            first_pause.during(
                move || one.replace(64, b"one"),
                |_| place.process().read().unwrap(),
            )
        },
    );
    let told_two = match ran {
        Some((told, Some((told_one, _)))) => (told_one, told),
        Some((_, None)) => return None,
        None => {
            second_was_paused = false;
            return Some(second_was_paused);
        }
    };
    let won = |told: &Result<Swapped, Failure>| matches!(told, Ok(Swapped::Committed(_)));
    let lost = |told: &Result<Swapped, Failure>| {
        matches!(told, Ok(Swapped::Conflict) | Err(Failure::NotApplied(_)))
    };
    let (number, body) = place.process().read().unwrap();
    assert_eq!(number, 65);
    let (winner, loser) = if body == b"one" {
        (&told_two.0, &told_two.1)
    } else {
        (&told_two.1, &told_two.0)
    };
    assert!(
        !lost(winner) && !won(loser),
        "paused at {first} and {second}: {told_two:?}, and {body:?} is there"
    );
    assert_eq!(place.process().write_many(2), 67);
    Some(second_was_paused)
}

#[test]
fn a_version_that_never_was_is_not_followed() {
    for (present, claimed) in [
        (0, 1),
        (1, 2),
        (5, 10),
        (5, 63),
        (5, 64),
        (64, 65),
        (64, 128),
        (65, 128),
    ] {
        let place = Place::with_versions(present);
        assert_eq!(
            place.process().replace(claimed, b"mine").unwrap(),
            Swapped::Conflict,
            "{claimed} at {present}"
        );
        assert_eq!(place.process().read().unwrap().0, present);
        assert_eq!(place.process().write_many(70), present + 70);
    }
}
