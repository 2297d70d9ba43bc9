//! A directory, and the processes that use it. Each process is a store that was opened on its own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use incumbent_backend::{Failure, Key, Rights, Swapped, Version};
use tempfile::TempDir;

use crate::codec::{self, Kind};
use crate::error::FileError;
use crate::hook::{Go, Hook, Step};
use crate::names::Number;
use crate::seen::Seen;
use crate::store::Store;
use crate::versions::Versions;

pub(super) struct Place {
    pub(super) dir: TempDir,
}

/// Everything that a separate process would have.
pub(super) struct Process {
    store: Store,
    seen: Seen,
    key: Key,
}

impl Place {
    pub(super) fn new() -> Self {
        // In memory if possible: these tests sync thousands of times and lose no power.
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        Self { dir: dir.unwrap() }
    }

    /// A place whose key has been written this many times. If there are many versions, only the
    /// last one exists: the others are never read again.
    pub(super) fn with_versions(count: u64) -> Self {
        let place = Self::new();
        let process = place.process();
        if count <= 2 {
            process.write_many(count);
            return place;
        }
        process.versions().group.make().unwrap();
        let last = process.versions().place(Number(count));
        std::fs::create_dir_all(last.parent().unwrap()).unwrap();
        std::fs::write(
            last,
            codec::encode(Kind::Body, count.to_string().as_bytes()),
        )
        .unwrap();
        place
    }

    /// A place whose key has a forward after this version. The process that linked the forward was
    /// killed just then.
    pub(super) fn with_forward_after(last: u64) -> Self {
        let place = Self::with_versions(last);
        let closing = dying_at_nth(Step::Link, 2);
        let _ = place.hooked(closing).replace(last, b"closed");
        assert!(place.path(&format!("g{}/{}", last / 64, last + 1)).exists());
        place
    }

    pub(super) fn process(&self) -> Process {
        self.hooked(Hook::default())
    }

    /// A process whose calls are counted from its first call on the key, not from opening the
    /// store. Keys that it creates begin at 1.
    pub(super) fn hooked(&self, hook: Hook) -> Process {
        let mut store = Store::open(&self.address().parse().unwrap(), Hook::default()).unwrap();
        store.disk.hook = hook;
        store.first = || Number(1);
        Process {
            store,
            seen: Seen::default(),
            key: key(),
        }
    }

    pub(super) fn address(&self) -> String {
        format!("file://{}/store", self.dir.path().display())
    }

    /// Removes the key the way a careful person does.
    pub(super) fn remove_key(&self) {
        let aside = self.dir.path().join("removed");
        std::fs::rename(self.path(""), &aside).unwrap();
        std::fs::remove_dir_all(aside).unwrap();
    }

    /// A path in the key's directory.
    pub(super) fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join("store/demo/@root").join(name)
    }
}

pub(super) fn key() -> Key {
    Key::root("demo".parse().unwrap())
}

impl Process {
    pub(super) fn rights(&self) -> Rights {
        self.versions().group.check_rights().unwrap()
    }

    pub(super) fn versions(&self) -> Versions<'_> {
        Versions::new(&self.store, &self.seen, &self.key)
    }

    /// The same process, but keys that it creates begin at another number.
    pub(super) fn beginning_at(mut self, first: fn() -> Number) -> Self {
        self.store.first = first;
        self
    }

    /// The number and body of the newest version. The number is 0 if there is none.
    pub(super) fn read(&self) -> Result<(u64, Vec<u8>), FileError> {
        Ok(self
            .versions()
            .read()?
            .map_or((0, Vec::new()), |(number, body)| (number.0, body)))
    }

    /// Writes after this version. 0 means that there is none.
    pub(super) fn replace(&self, after: u64, body: &[u8]) -> Result<Swapped, Failure> {
        match after {
            0 => self.versions().create(body),
            number => self.versions().replace(&version(number), body),
        }
    }

    /// Writes versions whose bodies are their numbers, after the newest one. No other process may
    /// write meanwhile.
    pub(super) fn write_many(&self, count: u64) -> u64 {
        let (mut number, _) = self.read().unwrap();
        for _ in 0..count {
            let body = (number + 1).to_string();
            assert_eq!(
                self.replace(number, body.as_bytes()).unwrap(),
                Swapped::Committed(version(number + 1))
            );
            number += 1;
        }
        number
    }
}

pub(super) fn version(number: u64) -> Version {
    Number(number).version()
}

/// Kills the process before this call, counted from 0. The counter shows how many calls it reached.
pub(super) fn dying_at(call: usize) -> (Hook, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let ask = move |_| {
        if counter.fetch_add(1, Ordering::SeqCst) < call {
            Go::On
        } else {
            Go::Dead
        }
    };
    (Hook::new(ask), calls)
}

/// Kills the process after the nth call of this kind.
pub(super) fn dying_at_nth(kind: Step, nth: usize) -> Hook {
    let left = Mutex::new(Some(nth));
    Hook::new(move |step| {
        let mut left = left.lock().unwrap();
        match *left {
            None | Some(0) => Go::Dead,
            Some(count) => {
                *left = Some(count - usize::from(step == kind));
                Go::On
            }
        }
    })
}

/// The other end of a process that pauses.
pub(super) struct Pause {
    paused: Receiver<Step>,
    resume: Sender<()>,
}

/// Pauses the process before this call, counted from 0, until it is resumed.
pub(super) fn pausing_at(call: usize) -> (Hook, Pause) {
    let ((tell, paused), (resume, resumed)) = (channel(), channel());
    let (calls, ends) = (AtomicUsize::new(0), Mutex::new((tell, resumed)));
    let ask = move |step| {
        if calls.fetch_add(1, Ordering::SeqCst) == call {
            let ends = ends.lock().unwrap();
            ends.0.send(step).unwrap();
            ends.1.recv().unwrap();
        }
        Go::On
    };
    (Hook::new(ask), Pause { paused, resume })
}

impl Pause {
    /// Runs `work` in a thread, and `meanwhile` while `work` is paused. `None` if `work` finished
    /// and was never paused.
    pub(super) fn during<T: Send, U>(
        self,
        work: impl FnOnce() -> T + Send,
        meanwhile: impl FnOnce(Step) -> U,
    ) -> Option<(T, U)> {
        let Self { paused, resume } = self;
        std::thread::scope(|scope| {
            // The work owns the hook, and the hook owns the sender. So when the work ends, waiting
            // for a pause ends too.
            let worker = scope.spawn(work);
            let Ok(step) = paused.recv() else {
                worker.join().unwrap();
                return None;
            };
            let seen = meanwhile(step);
            resume.send(()).unwrap();
            Some((worker.join().unwrap(), seen))
        })
    }
}
