//! Looking for files in a directory, once or again and again.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use incumbent_stream::{BoxError, Waker};

use crate::Error;
use crate::place::Place;

/// Names of files that were found, or why no more will be.
pub(crate) type Looked = Result<Vec<String>, Error>;

/// Files that appear are sent here. Dropping it ends the looking.
#[derive(Debug)]
pub(crate) struct Looking {
    pub(crate) found: Receiver<Looked>,
    /// The thread that looks waits on the other end.
    _stop: Box<dyn std::any::Any + Send>,
}

impl Looking {
    #[cfg(feature = "s3")]
    pub(crate) fn new(found: Receiver<Looked>, stop: Box<dyn std::any::Any + Send>) -> Self {
        Self { found, _stop: stop }
    }

    /// Looks at a directory on a thread of its own: it may be on a network.
    pub(crate) fn locally(
        place: Place,
        root: PathBuf,
        every: Duration,
        known: BTreeSet<String>,
        waker: Waker,
    ) -> Result<Self, Error> {
        let (send, found) = channel();
        let (stop, stopped) = channel();
        let url = place.url.clone();
        let look = move || look_on(&place, &root, every, known, &waker, &send, &stopped);
        let thread = thread::Builder::new().name("files-watch".to_owned());
        thread.spawn(look).map_err(|error| Error::List {
            url,
            cause: error.into(),
        })?;
        let stop: Sender<()> = stop;
        Ok(Self {
            found,
            _stop: Box::new(stop),
        })
    }
}

fn look_on(
    place: &Place,
    root: &Path,
    every: Duration,
    mut known: BTreeSet<String>,
    waker: &Waker,
    send: &Sender<Looked>,
    stopped: &Receiver<()>,
) {
    while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
        let looked = list(place, root).map(|names| news(names, &mut known));
        let has_failed = looked.is_err();
        if looked.as_ref().is_ok_and(Vec::is_empty) {
            continue;
        }
        if send.send(looked).is_err() {
            return;
        }
        waker.wake();
        if has_failed {
            return;
        }
    }
}

/// What of these is not known; it is from now on.
pub(crate) fn news(mut names: Vec<String>, known: &mut BTreeSet<String>) -> Vec<String> {
    names.retain(|name| known.insert(name.clone()));
    names
}

/// The names of the files that are meant, sorted. Of one file, its name.
pub(crate) fn list(place: &Place, root: &Path) -> Result<Vec<String>, Error> {
    let failed = |cause: BoxError| Error::List {
        url: place.url.clone(),
        cause,
    };
    let found = fs::metadata(root).map_err(|error| failed(error.into()))?;
    if found.is_file() && place.pattern.is_none() {
        let name = root.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| failed("its name is not UTF-8".into()))?;
        return Ok(vec![name.to_owned()]);
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(root).map_err(|error| failed(error.into()))? {
        let entry = entry.map_err(|error| failed(error.into()))?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            // To leave it out without a word would lose records.
            return Err(failed(format!("the name {name:?} is not UTF-8").into()));
        };
        if !place.has(name) {
            continue;
        }
        match fs::metadata(entry.path()) {
            Ok(found) if found.is_file() => names.push(name.to_owned()),
            Ok(_) => {}
            // It was taken away since.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error.into())),
        }
    }
    names.sort();
    Ok(names)
}
