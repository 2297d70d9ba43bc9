//! Hints from the operating system if it provides them, otherwise from polling.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::{StreamExt, stream};
use incumbent_backend::{Backend, GroupName, Hint, Key, Version, WatchStream};
use notify::event::{EventKind, RemoveKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::group::Group;
use crate::names;

/// Hints kept for a slow watcher. If it lags further behind, it gets the hint that anything may
/// have changed.
const KEPT_HINTS: usize = 1024;

/// How often to poll for changes where the system does not report them.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// The lack of system watches is logged once per process: it affects every group.
static REPORTED: AtomicBool = AtomicBool::new(false);

/// Hints about a group, from now on. The stream's threads and system watches end when it is
/// dropped.
pub(crate) fn watch(backend: Arc<dyn Backend>, group: &Group<'_>, name: &GroupName) -> WatchStream {
    let bells = match Bells::hang(group, name) {
        Ok(bells) => Some(bells),
        Err(why) => {
            report_polling(group, &*why);
            None
        }
    };
    let poll = Poll {
        backend,
        group: name.clone(),
        known: None,
    };
    stream::unfold((bells, poll), next).boxed()
}

type State = (Option<Bells>, Poll);

async fn next((mut bells, mut poll): State) -> Option<(Hint, State)> {
    if let Some(hung) = &mut bells {
        match hung.next().await {
            Some(hint) => return Some((hint, (bells, poll))),
            // The directory or its system watch is gone. Anything may have happened since.
            None => return Some((Hint::anything(), (None, poll))),
        }
    }
    let hint = poll.next().await;
    Some((hint, (bells, poll)))
}

/// Hears the removal of drafts.
struct Bells {
    heard: Receiver<Hint>,
    missed: Arc<AtomicBool>,
    /// Set when the directory of drafts was removed. A hint could be lost: the queue may be full
    /// then.
    gone: Arc<AtomicBool>,
    _watcher: RecommendedWatcher,
}

impl Bells {
    fn hang(group: &Group<'_>, name: &GroupName) -> Result<Self, Box<dyn std::error::Error>> {
        // The directory may exist without write permission for us. If it does not exist, the watch
        // fails.
        let _ = group.make();
        let (sender, heard) = mpsc::channel(KEPT_HINTS);
        let missed = Arc::new(AtomicBool::new(false));
        let gone = Arc::new(AtomicBool::new(false));
        let ear = Ear {
            group: name.clone(),
            drafts: group.drafts(),
            sender,
            missed: Arc::clone(&missed),
            gone: Arc::clone(&gone),
        };
        let mut watcher = notify::recommended_watcher(move |event| ear.hear(event))?;
        watcher.watch(&group.drafts(), RecursiveMode::NonRecursive)?;
        Ok(Self {
            heard,
            missed,
            gone,
            _watcher: watcher,
        })
    }

    /// `None` if no more hints can come.
    async fn next(&mut self) -> Option<Hint> {
        let hint = self.heard.recv().await?;
        if self.gone.load(Ordering::Acquire) {
            return None;
        }
        if self.missed.swap(false, Ordering::AcqRel) {
            return Some(Hint::anything());
        }
        Some(hint)
    }
}

/// Runs on the watcher's thread.
struct Ear {
    group: GroupName,
    drafts: PathBuf,
    sender: Sender<Hint>,
    missed: Arc<AtomicBool>,
    gone: Arc<AtomicBool>,
}

impl Ear {
    fn hear(&self, event: notify::Result<Event>) {
        let Ok(event) = event else {
            return self.tell(Hint::anything());
        };
        if event.need_rescan() {
            return self.tell(Hint::anything());
        }
        let EventKind::Remove(kind) = event.kind else {
            return;
        };
        for path in &event.paths {
            if *path == self.drafts {
                // Set before the hint is sent, so that the reader of the next hint sees the flag.
                self.gone.store(true, Ordering::Release);
                self.tell(Hint::anything());
            } else if kind != RemoveKind::Folder
                && let Some(hint) = self.understand(path)
            {
                self.tell(hint);
            }
        }
    }

    fn understand(&self, path: &Path) -> Option<Hint> {
        let (key, number) = names::parse_draft(&self.group, path.file_name()?.to_str()?)?;
        Some(Hint {
            key: Some(key),
            version: Some(number.version()),
        })
    }

    fn tell(&self, hint: Hint) {
        if self.sender.try_send(hint).is_err() {
            // The next hint taken from the full queue reports it.
            self.missed.store(true, Ordering::Release);
        }
    }
}

/// Looks for changes by listing.
struct Poll {
    backend: Arc<dyn Backend>,
    group: GroupName,
    known: Option<HashMap<Key, Version>>,
}

impl Poll {
    /// The first hint says that anything may have changed, since earlier changes are not known.
    async fn next(&mut self) -> Hint {
        loop {
            if self.known.is_some() {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
            // A failed listing is tried again later. A hint now would not help: its reader could
            // not read either.
            let Ok(listed) = self.backend.list(&self.group).await else {
                self.known.get_or_insert_default();
                continue;
            };
            let present: HashMap<_, _> = listed
                .into_iter()
                .map(|listed| (listed.key, listed.version))
                .collect();
            let before = self.known.replace(present);
            let (Some(before), Some(present)) = (before, &self.known) else {
                return Hint::anything();
            };
            let mut changed = present
                .iter()
                .filter(|(key, version)| before.get(key) != Some(version));
            match (changed.next(), changed.next()) {
                (Some((key, version)), None) => {
                    return Hint {
                        key: Some(key.clone()),
                        version: Some(version.clone()),
                    };
                }
                (Some(_), Some(_)) => return Hint::anything(),
                (None, _) if before.len() > present.len() => return Hint::anything(),
                (None, _) => {}
            }
        }
    }
}

fn report_polling(group: &Group<'_>, why: &dyn std::error::Error) {
    if !REPORTED.swap(true, Ordering::Relaxed) {
        let dir = group.dir.display();
        tracing::warn!(%dir, %why, interval = ?POLL_INTERVAL, "cannot watch the directory; polling for changes instead");
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use incumbent_backend::{Expected, Swapped};

    use crate::FileBackend;

    use super::*;

    fn open(dir: &tempfile::TempDir) -> FileBackend {
        FileBackend::open(
            &format!("file://{}?sync=none", dir.path().display())
                .parse()
                .unwrap(),
        )
        .unwrap()
    }

    async fn write(backend: &FileBackend, expected: Expected<'_>) -> Version {
        match backend.swap(&key(), expected, b"x").await.unwrap() {
            Swapped::Committed(version) => version,
            Swapped::Conflict => panic!("nobody else writes"),
        }
    }

    fn key() -> Key {
        Key::root("demo".parse().unwrap())
    }

    /// Without this, the watch would go on listening to a directory that no longer exists.
    #[tokio::test]
    async fn a_directory_that_vanishes_while_the_queue_is_full_ends_the_watch() {
        let drafts = PathBuf::from("/drafts");
        let (sender, heard) = mpsc::channel(2);
        let (missed, gone) = <(Arc<AtomicBool>, Arc<AtomicBool>)>::default();
        let ear = Ear {
            group: "demo".parse().unwrap(),
            drafts: drafts.clone(),
            sender,
            missed: Arc::clone(&missed),
            gone: Arc::clone(&gone),
        };
        let mut bells = Bells {
            heard,
            missed,
            gone,
            _watcher: notify::recommended_watcher(|_| {}).unwrap(),
        };
        for _ in 0..5 {
            ear.hear(Ok(Event::default().set_flag(notify::event::Flag::Rescan)));
        }
        let removed = EventKind::Remove(RemoveKind::Folder);
        ear.hear(Ok(Event::new(removed).add_path(drafts)));
        assert_eq!(bells.next().await, None);
    }

    #[tokio::test]
    async fn asking_again_and_again_finds_what_a_watch_would_tell() {
        let dir = tempfile::tempdir().unwrap();
        let mut poll = Poll {
            backend: Arc::new(open(&dir)),
            group: "demo".parse().unwrap(),
            known: None,
        };
        assert_eq!(poll.next().await, Hint::anything());
        let first = write(&open(&dir), Expected::Absent).await;
        assert_eq!(
            poll.next().await,
            Hint {
                key: Some(key()),
                version: Some(first.clone())
            }
        );
        let second = write(&open(&dir), Expected::At(&first)).await;
        assert_eq!(
            poll.next().await,
            Hint {
                key: Some(key()),
                version: Some(second)
            }
        );
    }

    #[tokio::test]
    async fn a_watch_whose_directory_is_removed_says_so_and_goes_on_by_asking() {
        let dir = tempfile::tempdir().unwrap();
        let mut hints = open(&dir).watch(key().group());
        assert!(hints.next().now_or_never().is_none());
        std::fs::remove_dir_all(dir.path().join("demo")).unwrap();
        while hints.next().await != Some(Hint::anything()) {}
        // The first listing may already show the new state. It is a hint in any case.
        let version = write(&open(&dir), Expected::Absent).await;
        let told = |hint: Option<Hint>| {
            hint.is_some_and(|hint| hint.version.is_none_or(|told| told == version))
        };
        assert!(told(hints.next().await));
    }

    #[tokio::test]
    async fn a_swap_that_conflicts_rings_no_bell() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (open(&dir), open(&dir));
        let first = write(&one, Expected::Absent).await;
        let mut hints = one.watch(key().group());
        assert_eq!(
            two.swap(&key(), Expected::Absent, b"y").await.unwrap(),
            Swapped::Conflict
        );
        let second = write(&two, Expected::At(&first)).await;
        assert_eq!(
            one.swap(&key(), Expected::At(&first), b"y").await.unwrap(),
            Swapped::Conflict
        );
        let third = write(&two, Expected::At(&second)).await;
        let told = [
            hints.next().await.unwrap().version,
            hints.next().await.unwrap().version,
        ];
        assert_eq!(told, [Some(second), Some(third)]);
    }
}
