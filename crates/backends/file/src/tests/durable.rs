//! Which data is on the disk at which time. No power is lost here: the tests check which calls are
//! made, and in which order.

use std::sync::{Arc, Mutex};

use super::place::{Place, Process};
use crate::FileBackend;
use crate::hook::{Go, Hook, Step};

/// Records these steps. With `read_only`, renaming fails, as on a read-only file system.
fn noting(steps: &'static [Step], read_only: bool) -> (Hook, Arc<Mutex<Vec<Step>>>) {
    let noted = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&noted);
    let ask = move |step| {
        if steps.contains(&step) {
            notes.lock().unwrap().push(step);
        }
        if read_only && step == Step::Rename {
            Go::Dead
        } else {
            Go::On
        }
    };
    (Hook::new(ask), noted)
}

fn syncs_of_a_read(process: &Process, noted: &Mutex<Vec<Step>>) -> usize {
    noted.lock().unwrap().clear();
    assert_eq!(process.read().unwrap(), (65, b"closed".to_vec()));
    noted.lock().unwrap().len()
}

#[test]
fn a_reader_that_may_not_complete_a_generation_has_the_forward_on_the_disk() {
    let place = Place::with_forward_after(64);
    let (hook, noted) = noting(&[Step::SyncDir], true);
    let process = place.hooked(hook);
    // Four syncs: the group, the key, the new generation (which does not exist), and the old one,
    // which holds the forward.
    assert_eq!(syncs_of_a_read(&process, &noted), 4);
    assert_eq!(
        syncs_of_a_read(&process, &noted),
        0,
        "it is known to be there"
    );
}

#[test]
fn each_directory_above_a_new_store_is_on_the_disk_before_the_next_one_is_made() {
    use Step::{MakeDir as Make, SyncDir as Sync};
    for mode in ["full", "none"] {
        let place = Place::new();
        let address = format!("file://{}/a/b?sync={mode}", place.dir.path().display());
        let (hook, noted) = noting(&[Make, Sync], false);
        FileBackend::open_hooked(&address.parse().unwrap(), hook).unwrap();
        // Making `b` fails, since `a` is missing. Then `a` is made and its parent synced, and `b`
        // is made and `a` synced. The last sync is for the marker.
        let steps = [Make, Make, Sync, Make, Sync, Sync];
        assert_eq!(*noted.lock().unwrap(), steps);
        let (hook, noted) = noting(&[Make, Sync], false);
        FileBackend::open_hooked(&address.parse().unwrap(), hook).unwrap();
        assert_eq!(*noted.lock().unwrap(), [], "a store that is there");
    }
}

#[test]
fn a_directory_that_was_there_without_a_marker_is_on_the_disk_before_the_marker() {
    use Step::{Link, MakeDir as Make, SyncDir as Sync};
    let place = Place::new();
    std::fs::create_dir(place.dir.path().join("store")).unwrap();
    let (hook, noted) = noting(&[Make, Sync, Link], false);
    FileBackend::open_hooked(&place.address().parse().unwrap(), hook).unwrap();
    assert_eq!(*noted.lock().unwrap(), [Make, Sync, Link, Sync]);
}

#[test]
fn a_look_whether_there_is_a_store_makes_none() {
    let place = Place::new();
    let dir = place.dir.path().join("a/b");
    let address = format!("file://{}", dir.display()).parse().unwrap();
    assert!(!FileBackend::is_there(&address).unwrap());
    assert!(!place.dir.path().join("a").exists());
    std::fs::create_dir_all(&dir).unwrap();
    assert!(!FileBackend::is_there(&address).unwrap());
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0);
    FileBackend::open(&address).unwrap();
    assert!(FileBackend::is_there(&address).unwrap());
    let other = place.dir.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("thesis.txt"), "mine").unwrap();
    let address = format!("file://{}", other.display()).parse().unwrap();
    assert!(FileBackend::is_there(&address).is_err());
}
