//! Changes every byte of a journal, cuts every file at every length, loses every sector and every
//! file. Either all acknowledged entries are found, or an error names the file.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::life::{History, Life, files};
use super::sim_disk::SimDisk;
use crate::disk::{Disk, DiskFile};
use crate::error::OpenError;
use crate::files::Files;
use crate::format::header::BLOCK;
use crate::format::scan::Tail;
use crate::format::sector::SECTOR;
use crate::found::Found;
use crate::recover;

type Contents = BTreeMap<String, Vec<u8>>;

/// A directory that can only be read.
#[derive(Debug)]
struct Copied(Contents);

impl Disk for Copied {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.0.keys().cloned().collect())
    }
    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        Ok(self.0[name].clone())
    }
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        panic!("{name} is opened")
    }
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        panic!("{name} is created")
    }
    fn rename(&self, from: &str, _: &str) -> io::Result<()> {
        panic!("{from} is renamed")
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        panic!("{name} is removed")
    }
    fn sync_names(&self) -> io::Result<()> {
        Ok(())
    }
    fn random(&self) -> u64 {
        panic!("nothing is made")
    }
}

/// A journal all of which was acknowledged.
struct Written {
    contents: Contents,
    history: History,
    /// The last segment that is not empty, and where its last batch is.
    current: String,
    last: std::ops::Range<usize>,
}

impl Written {
    /// Three segments, the last of them unused, and two snapshots.
    fn new() -> Self {
        let disk = SimDisk::new(3);
        let mut dice = StdRng::seed_from_u64(4);
        let mut history = History::default();
        let mut life = Life::start(&disk, &mut history).unwrap();
        let mut offset = 0;
        for step in 0.. {
            if step == 1 || step == 2 {
                life.snapshot(&mut dice, &mut history).unwrap();
            }
            let before = life.offset();
            life.commit(&mut dice, &mut history).unwrap();
            offset = if before.0 == life.offset().0 {
                before.1
            } else {
                BLOCK as u64
            };
            if life.offset().0 == 2 && offset > BLOCK as u64 {
                break;
            }
        }
        life.prepare().unwrap();
        let last = usize::try_from(offset).unwrap()..usize::try_from(life.offset().1).unwrap();
        let mut contents = disk.contents();
        assert_eq!(contents.len(), 5, "{:?}", files(&disk).list());
        let current = contents.keys().nth(1).unwrap().clone();
        assert_eq!(current, "log-0000000000000002");
        contents.retain(|_, bytes| !bytes.is_empty());
        Self {
            contents,
            history,
            current,
            last,
        }
    }

    fn each_file(&self) -> impl Iterator<Item = (&String, &Vec<u8>)> {
        self.contents.iter()
    }

    fn changed(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> Contents {
        let mut contents = self.contents.clone();
        change(contents.get_mut(name).unwrap());
        contents
    }

    /// How many entries are found, and how the log ends.
    fn read(&self, contents: Contents) -> Result<(usize, Tail), OpenError> {
        let files = Files::new(Arc::new(Copied(contents)), Path::new("/sim"));
        let entries = &self.history.entries;
        let mut count = 0;
        let read = recover::read(&files, &mut |found| {
            match found {
                Found::Snapshot { index, bytes } => {
                    assert_eq!(bytes, self.history.state(index));
                    count = entries.iter().filter(|entry| entry.0 <= index).count();
                }
                Found::Entry { index, bytes } => {
                    assert_eq!((index, bytes), (entries[count].0, &entries[count].1[..]));
                    count += 1;
                }
            }
            Ok(())
        })?;
        Ok((count, read.unwrap().tail))
    }

    /// Checks that everything is found, or an error names the file.
    fn is_safe(&self, name: &str, contents: Contents) -> bool {
        match self.read(contents) {
            Ok((count, _)) => {
                assert_eq!(
                    count,
                    self.history.entries.len(),
                    "{name}: something was lost"
                );
                false
            }
            Err(OpenError::Damaged { file, .. } | OpenError::Newer { file, .. }) => {
                let before = "/sim/log-0000000000000002";
                assert!(
                    file.ends_with(name) || file == Path::new(before),
                    "{name}: {}",
                    file.display()
                );
                true
            }
            Err(error) => panic!("{name}: {error}"),
        }
    }
}

#[test]
fn every_flipped_byte_is_harmless_or_named() {
    let written = Written::new();
    let (mut refused, mut bytes) = (0, 0);
    for (name, file) in written.each_file() {
        for at in 0..file.len() {
            // A single bit or several, in turn.
            let flip = [0x01, 0xff, 0x80, 0x5a, 0x10][at % 5];
            let contents = written.changed(name, |file| file[at] ^= flip);
            refused += usize::from(written.is_safe(name, contents));
            bytes += 1;
        }
    }
    assert!(refused > bytes / 4, "{refused} of {bytes}");
}

#[test]
fn every_truncated_file_is_named() {
    let written = Written::new();
    for (name, file) in written.each_file() {
        let oldest_snapshot = written.contents.keys().nth(3) == Some(name);
        for length in 0..file.len() {
            let contents = written.changed(name, |file| file.truncate(length));
            assert_eq!(
                written.is_safe(name, contents),
                !oldest_snapshot,
                "{name} at {length}"
            );
        }
    }
}

#[test]
fn a_lost_sector_is_damage_unless_it_is_of_the_last_batch() {
    let written = Written::new();
    let acknowledged = written.history.entries.len();
    let before = written.history.batches[written.history.batches.len() - 2];
    let logs = written.each_file().filter(|file| file.0.starts_with("log"));
    for (name, file) in logs {
        for at in (0..file.len()).step_by(SECTOR) {
            let contents = written.changed(name, |file| file[at..at + SECTOR].fill(0));
            if &contents[name] == file {
                continue;
            }
            match written.read(contents) {
                Ok((count, Tail::Torn { .. })) => {
                    assert_eq!(count, before);
                    assert!(*name == written.current && written.last.contains(&at));
                }
                // The rest of a header is zeros anyway, and its first sector is checked.
                Err(OpenError::Damaged { file, .. }) => {
                    assert!(file.ends_with(name) || at < BLOCK, "{}", file.display());
                    assert!(*name != written.current || !written.last.contains(&at));
                }
                told => panic!("{name} at {at}: {told:?} of {acknowledged}"),
            }
        }
    }
}

/// What a disk does that loses whole writes: a sector is valid in itself, but old or of another
/// place.
#[test]
fn a_sector_of_another_place_is_damage() {
    let written = Written::new();
    let file = &written.contents[&written.current];
    for at in (BLOCK..written.last.end).step_by(SECTOR) {
        for from in [BLOCK, written.last.start] {
            let mut copy = file[from..from + SECTOR].to_vec();
            if at == from {
                copy = written.contents["log-0000000000000001"][at..at + SECTOR].to_vec();
            }
            let contents = written.changed(&written.current, |file| {
                file[at..at + SECTOR].copy_from_slice(&copy)
            });
            assert!(written.is_safe(&written.current, contents));
        }
    }
}

#[test]
fn a_file_that_is_gone_is_missed_unless_nothing_needs_it() {
    let written = Written::new();
    let names: Vec<_> = written.contents.keys().cloned().collect();
    let told = names.iter().map(|name| {
        let mut contents = written.contents.clone();
        contents.remove(name);
        match written.read(contents) {
            Ok((count, _)) => {
                assert_eq!(count, written.history.entries.len());
                "all found".to_string()
            }
            Err(error) => error.to_string(),
        }
    });
    let told: Vec<_> = told.collect();
    assert!(
        told[0].contains("lacks the entries before log-0000000000000002"),
        "{}",
        told[0]
    );
    assert!(
        told[1].contains("lacks log-0000000000000002"),
        "{}",
        told[1]
    );
    // The segment that was prepared, and each of the snapshots.
    assert_eq!(told[2..], ["all found", "all found", "all found"]);
}

#[test]
fn files_of_another_journal_or_number_are_refused() {
    let written = Written::new();
    let other = {
        let disk = SimDisk::new(33);
        Life::start(&disk, &mut History::default()).unwrap();
        disk.contents()["log-0000000000000001"].clone()
    };
    let contents = written.changed("log-0000000000000001", |file| *file = other);
    let told = written.read(contents).unwrap_err().to_string();
    assert!(told.contains("another journal"), "{told}");
    let first = written.contents["log-0000000000000001"].clone();
    let contents = written.changed("log-0000000000000002", |file| *file = first);
    let told = written.read(contents).unwrap_err().to_string();
    assert!(told.contains("another name"), "{told}");
}

#[test]
fn a_newer_format_is_said() {
    let written = Written::new();
    let contents = written.changed("log-0000000000000001", |file| {
        file[8..12].copy_from_slice(&2_u32.to_le_bytes());
        let sum = crc32fast::hash(&file[..BLOCK - 4]).to_le_bytes();
        file[BLOCK - 4..BLOCK].copy_from_slice(&sum);
    });
    let told = written.read(contents).unwrap_err();
    assert!(
        matches!(
            told,
            OpenError::Newer {
                found: 2,
                known: 1,
                ..
            }
        ),
        "{told}"
    );
}
