//! Removing the leftovers of killed writers harms nobody.

use std::fs::File;
use std::path::Path;
use std::time::SystemTime;

use incumbent_backend::{Failure, Swapped};

use super::place::{Place, dying_at, pausing_at};

#[test]
fn old_drafts_are_removed_by_the_next_process_that_writes_and_young_ones_stay() {
    let place = Place::with_versions(1);
    for call in 4..9 {
        let _ = place.hooked(dying_at(call).0).replace(1, b"never");
    }
    let left = drafts(&place);
    assert!(left >= 3, "{left} are left");
    let (number, _) = place.process().read().unwrap();
    place.process().write_many(1);
    assert_eq!(drafts(&place), left, "young ones stay");
    make_old(&place);
    place.process().write_many(1);
    assert_eq!(drafts(&place), 0);
    assert_eq!(place.process().read().unwrap().0, number + 2);
}

#[test]
fn a_writer_whose_draft_was_removed_while_it_was_paused_is_told_that_nothing_was_written() {
    for start in [0, 1, 64] {
        for call in 0..40 {
            let place = Place::with_versions(start);
            // This write creates the directory of drafts.
            let other = incumbent_backend::Key::floor("demo".parse().unwrap());
            let (hook, pause) = pausing_at(call);
            let writer = place.hooked(hook);
            let cleaner = crate::FileBackend::open(&place.address().parse().unwrap()).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap();
            let clean = |_| {
                make_old(&place);
                use incumbent_backend::{Backend, Expected};
                let created = runtime
                    .block_on(cleaner.swap(&other, Expected::Absent, b"other"))
                    .unwrap();
                assert!(matches!(created, Swapped::Committed(_)));
            };
            let Some((told, ())) = pause.during(move || writer.replace(start, b"mine"), clean)
            else {
                break;
            };
            let (number, body) = place.process().read().unwrap();
            let at = format!("from {start}, cleaned before call {call}: {told:?}");
            match told {
                Ok(Swapped::Committed(_)) => {
                    assert_eq!((number, body), (start + 1, b"mine".to_vec()), "{at}")
                }
                Err(Failure::NotApplied(_)) => assert_eq!(number, start, "{at}"),
                _ => panic!("{at}"),
            }
            assert_eq!(place.process().write_many(70), number + 70, "{at}");
        }
    }
}

fn drafts_dir(place: &Place) -> std::path::PathBuf {
    place.dir.path().join("store/demo/@tmp")
}

fn drafts(place: &Place) -> usize {
    drafts_dir(place).read_dir().unwrap().count()
}

fn make_old(place: &Place) {
    let Ok(entries) = drafts_dir(place).read_dir() else {
        return;
    };
    for entry in entries {
        set_old(&entry.unwrap().path());
    }
}

fn set_old(path: &Path) {
    File::open(path)
        .unwrap()
        .set_modified(SystemTime::UNIX_EPOCH)
        .unwrap();
}
