//! File systems that are full or read-only. Only root may mount them: without root the tests are
//! skipped with a message.

use std::path::Path;
use std::process::Command;

use incumbent_backend::{Failure, Rights, Swapped};

use super::place::{Place, version};

/// A small file system in memory, unmounted on drop.
struct Mounted<'a>(&'a Path);

impl<'a> Mounted<'a> {
    fn new(dir: &'a Path) -> Option<Self> {
        run(
            "mount",
            &[
                "-t",
                "tmpfs",
                "-o",
                "size=1m,nr_inodes=1k",
                "none",
                dir.to_str()?,
            ],
        )
        .then_some(Self(dir))
    }

    fn make_read_only(&self) {
        assert!(run(
            "mount",
            &["-o", "remount,ro", self.0.to_str().unwrap()]
        ));
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        run("umount", &["-l", self.0.to_str().unwrap()]);
    }
}

#[expect(clippy::print_stderr, reason = "skipped aloud")]
fn mount(place: &Place) -> Option<Mounted<'_>> {
    let mounted = Mounted::new(place.dir.path());
    if mounted.is_none() {
        eprintln!("SKIPPED: no file system can be mounted here");
    }
    mounted
}

fn run(command: &str, arguments: &[&str]) -> bool {
    Command::new(command)
        .args(arguments)
        .output()
        .is_ok_and(|output| output.status.success())
}

fn full_disk_error(told: Result<Swapped, Failure>, dir: &Path) {
    let Err(Failure::NotApplied(why)) = told else {
        panic!("{told:?}")
    };
    let cause = why.source().unwrap().to_string();
    assert!(
        why.to_string().contains(dir.to_str().unwrap()) && cause.contains("No space left"),
        "{why}: {cause}"
    );
}

#[test]
fn a_full_disk_is_not_applied_by_name_and_goes_on_when_there_is_room() {
    for start in [0, 1, 64] {
        let place = Place::new();
        let Some(_mounted) = mount(&place) else {
            return;
        };
        let process = place.process();
        process.write_many(start);
        let hog = place.dir.path().join("hog");
        assert!(std::fs::write(&hog, vec![0; 2 * 1024 * 1024]).is_err());
        full_disk_error(process.replace(start, &[b'x'; 5000]), place.dir.path());
        assert_eq!(process.read().unwrap().0, start);
        std::fs::remove_file(hog).unwrap();
        // The file system does not always offer freed room at once.
        let told = (0..1000)
            .map(|_| process.replace(start, b"mine"))
            .find(|told| told.is_ok());
        assert_eq!(
            told.unwrap().unwrap(),
            Swapped::Committed(version(start + 1))
        );
        assert_eq!(
            place.process().read().unwrap(),
            (start + 1, b"mine".to_vec())
        );
    }
}

#[test]
fn a_disk_that_is_filled_by_one_key_keeps_every_version_whole() {
    let place = Place::new();
    let Some(_mounted) = mount(&place) else {
        return;
    };
    let process = place.process();
    let mut number = 0;
    let told = loop {
        match process.replace(number, &[b'x'; 20_000]) {
            Ok(Swapped::Committed(_)) => number += 1,
            told => break told,
        }
        assert!(number < 1000, "it was never full");
    };
    full_disk_error(told, place.dir.path());
    assert_eq!(
        place.process().read().unwrap(),
        (number, vec![b'x'; 20_000])
    );
}

#[test]
fn a_read_only_store_can_be_opened_and_read_and_a_write_names_it() {
    for (place, newest) in [(Place::new(), 3), (Place::new(), 64)] {
        let Some(mounted) = mount(&place) else { return };
        place.process().write_many(newest);
        mounted.make_read_only();
        let process = place.process();
        assert_eq!(process.read().unwrap().0, newest);
        for after in [0, newest] {
            match process.replace(after, b"mine") {
                Err(Failure::NotApplied(why)) => {
                    assert!(why.to_string().contains("store/demo"), "{why}")
                }
                Ok(Swapped::Conflict) if after == 0 => {}
                told => panic!("{told:?}"),
            }
        }
        assert_eq!(process.read().unwrap().0, newest);
    }
}

#[test]
fn who_could_not_campaign_is_told_before_it_has_to() {
    let place = Place::new();
    let Some(mounted) = mount(&place) else { return };
    let process = place.process();
    assert_eq!(process.rights(), Rights::Granted);
    process.write_many(1);
    assert_eq!(process.rights(), Rights::Granted);
    let store = place.dir.path().join("store");
    let missing = |rights: Rights, word: &str| match rights {
        Rights::Missing(why) => {
            let store = store.display().to_string();
            assert!(why.contains(word) && why.contains(&store), "{why}");
        }
        rights => panic!("{rights:?}"),
    };
    let hog = place.dir.path().join("hog");
    assert!(std::fs::write(&hog, vec![0; 2 * 1024 * 1024]).is_err());
    missing(process.rights(), "No space left");
    std::fs::remove_file(hog).unwrap();
    mounted.make_read_only();
    missing(process.rights(), "Read-only file system");
    assert_eq!(process.read().unwrap().0, 1);
    assert_eq!(store.join("demo/@tmp").read_dir().unwrap().count(), 0);
}

#[test]
fn a_store_without_the_group_says_whether_the_group_could_be_made() {
    let place = Place::new();
    let Some(mounted) = mount(&place) else { return };
    let process = place.process();
    mounted.make_read_only();
    let rights = process.rights();
    assert!(matches!(rights, Rights::Missing(_)), "{rights:?}");
}

#[test]
fn a_reader_that_may_not_complete_a_generation_reads_what_was_prepared() {
    let source = Place::with_forward_after(64);
    let place = Place::new();
    let Some(mounted) = mount(&place) else { return };
    let store = source.dir.path().join("store");
    assert!(run(
        "cp",
        &[
            "-a",
            store.to_str().unwrap(),
            place.dir.path().to_str().unwrap()
        ]
    ));
    mounted.make_read_only();
    let process = place.process();
    assert_eq!(process.read().unwrap(), (65, b"closed".to_vec()));
    assert_eq!(process.read().unwrap(), (65, b"closed".to_vec()));
}

#[test]
fn a_store_whose_volume_is_gone_is_unavailable_and_not_empty() {
    let place = Place::new();
    let Some(mounted) = mount(&place) else { return };
    let process = place.process();
    process.write_many(1);
    drop(mounted);
    std::fs::create_dir(place.dir.path().join("store")).unwrap();
    let why = process.read().unwrap_err().to_string();
    assert!(why.contains("incumbent-store.json"), "{why}");
    assert!(matches!(
        process.replace(0, b"mine"),
        Err(Failure::NotApplied(_))
    ));
    assert_eq!(
        place.dir.path().join("store").read_dir().unwrap().count(),
        0
    );
}
