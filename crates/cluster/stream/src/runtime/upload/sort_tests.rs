//! What becomes of blocks while there is no room for files.

use std::sync::mpsc::{channel, sync_channel};

use incumbent_state::{Block, KeyGroup, msgpack};

use super::*;
use crate::Waker;
use crate::orders::Whole;
use crate::room::Room;
use crate::runtime::upload::spool::Waiting;

/// A file of a state is ended at this size.
const LARGE: usize = 4 << 20;

/// Room for two blocks.
const ROOM: usize = LARGE * 3 / 2;

/// A spool whose directory is not there, and which takes one file in memory.
struct Setting {
    dir: tempfile::TempDir,
    sorting: Sorting,
    store: Receiver<Store>,
    room: Room,
    states: u32,
}

impl Setting {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (store, to_store) = channel();
        let (shown, _) = sync_channel(1);
        let spool = Spool::new(dir.path().join("gone"), 1);
        let sorting = Sorting::new(shown, spool, GivenUp::default(), store);
        Self {
            dir,
            sorting,
            store: to_store,
            room: Room::new(ROOM, Waker::new(|| ())),
            states: 0,
        }
    }

    fn take(&mut self, report: Report) {
        self.sorting.take(report).unwrap();
        self.sorting.go_on().unwrap();
    }

    /// A block of a state of its own, and so of a file of its own: it is large, and its groups
    /// begin anew.
    fn block(&mut self, snapshot: Snapshot) {
        self.states += 1;
        let first = u64::from(100 - self.states) << 57;
        let mut bytes = Vec::new();
        msgpack::encode(&1_u64, &mut bytes).unwrap();
        msgpack::encode(&"x".repeat(LARGE), &mut bytes).unwrap();
        let block = Block {
            state: format!("state-{}", self.states),
            group: KeyGroup::of(first),
            first,
            last: first,
            entries: 1,
            bytes,
        };
        let held = self.room.hold(block.bytes.len());
        self.take(Report::Block(snapshot, block, held));
    }

    /// What is to be stored by now, in words, and the files.
    fn stored(&self) -> (Vec<String>, Vec<Waiting>) {
        let (mut words, mut files) = (Vec::new(), Vec::new());
        for store in self.store.try_iter() {
            words.push(match store {
                Store::Begin(of) => format!("begin {of:?}"),
                Store::File(of, name, waiting) => {
                    files.push(waiting);
                    format!("{name} of {of:?}")
                }
                Store::Whole(of, _, files) => format!("{} files of {of:?}", files.len()),
                Store::End(of) => format!("end {of:?}"),
            });
        }
        (words, files)
    }
}

const FIRST: Snapshot = Snapshot::Checkpoint(1);
const SECOND: Snapshot = Snapshot::Checkpoint(2);

#[test]
fn blocks_keep_their_room_while_a_file_has_none_and_go_on_in_order() {
    let mut setting = Setting::new();
    setting.take(Report::Begun(FIRST));
    (0..3).for_each(|_| setting.block(FIRST));
    // The first file is in memory. The second one is stuck.
    let (words, files) = setting.stored();
    assert_eq!(
        words,
        ["begin Checkpoint(1)", "state-0000 of Checkpoint(1)"]
    );
    assert!(
        setting.room.has_room(),
        "what is in files has given it back"
    );
    (0..2).for_each(|_| setting.block(FIRST));
    assert!(!setting.room.has_room());
    setting.take(Report::Whole(FIRST, Whole::default()));
    assert!(setting.stored().0.is_empty() && !setting.room.has_room());

    // It is stored, and each one after it.
    drop(files);
    let mut all = Vec::new();
    for _ in 0..5 {
        setting.sorting.go_on().unwrap();
        all.extend(setting.stored().0);
    }
    let file = |number| format!("state-000{number} of Checkpoint(1)");
    let mut expected = [1, 2, 3, 4].map(file).to_vec();
    expected.push("5 files of Checkpoint(1)".to_owned());
    assert_eq!(all, expected);
    assert!(setting.room.has_room());
}

#[test]
fn a_snapshot_that_is_given_up_gives_its_room_back_at_once() {
    let mut setting = Setting::new();
    setting.take(Report::Begun(FIRST));
    (0..5).for_each(|_| setting.block(FIRST));
    let (_, _in_memory) = setting.stored();
    assert!(!setting.room.has_room());
    setting.take(Report::GivenUp(FIRST));
    assert!(setting.room.has_room());
    assert!(setting.sorting.given_up.has(FIRST));
    setting.take(Report::Begun(SECOND));
    assert_eq!(
        setting.stored().0,
        ["end Checkpoint(1)", "begin Checkpoint(2)"]
    );
}

#[test]
fn a_disk_that_has_room_again_is_used() {
    let mut setting = Setting::new();
    setting.take(Report::Begun(FIRST));
    (0..3).for_each(|_| setting.block(FIRST));
    let (_, _in_memory) = setting.stored();
    std::fs::create_dir(setting.dir.path().join("gone")).unwrap();
    setting.take(Report::Whole(FIRST, Whole::default()));
    let (words, files) = setting.stored();
    assert_eq!(
        words,
        [
            "state-0001 of Checkpoint(1)",
            "state-0002 of Checkpoint(1)",
            "3 files of Checkpoint(1)"
        ]
    );
    assert!(files.iter().all(|file| matches!(file, Waiting::OnDisk(_))));
}
