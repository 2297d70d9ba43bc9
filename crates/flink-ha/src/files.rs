//! Whether the files that handles point to are there, as this machine sees them.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

use futures::{StreamExt, stream};
use percent_encoding::percent_decode_str;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::model::{FileCheck, FileState, FlinkCluster, Pointer};

/// How long a file system may take to answer. A network file system that is gone may never answer.
const IN_TIME: Duration = Duration::from_secs(10);

/// Files that are looked at at once.
const WINDOW: usize = 16;

/// Looks at the file of each pointer, and notes what it finds.
pub(crate) async fn look(cluster: &mut FlinkCluster) {
    let pointers: Vec<_> = cluster.pointers_mut().collect();
    let looking = stream::iter(pointers).for_each_concurrent(WINDOW, |pointer| async move {
        pointer.file = state(pointer).await;
    });
    looking.await;
    let mut check = FileCheck::default();
    for pointer in cluster.pointers_mut() {
        match &pointer.file {
            None => {}
            Some(FileState::Whole) => check.looked_at += 1,
            Some(FileState::Missing | FileState::WrongSize { .. }) => {
                check.looked_at += 1;
                check.damaged += 1;
            }
            Some(FileState::NotLookedAt { .. }) => check.not_looked_at += 1,
        }
    }
    cluster.files = Some(check);
}

/// The state of the pointer's file; `None` if it points to no file.
async fn state(pointer: &Pointer) -> Option<FileState> {
    let handle = pointer.handle.as_ref()?;
    let uri = handle.path.as_deref()?;
    let path = match local(uri)? {
        Ok(path) => path,
        Err(why) => return Some(FileState::NotLookedAt { why }),
    };
    let found = spawn_blocking(move || fs::metadata(path));
    Some(match timeout(IN_TIME, found).await {
        Err(_) => FileState::NotLookedAt {
            why: format!(
                "the file system did not answer within {} s",
                IN_TIME.as_secs()
            ),
        },
        Ok(Err(panicked)) => FileState::NotLookedAt {
            why: panicked.to_string(),
        },
        Ok(Ok(found)) => of_metadata(found, handle.size),
    })
}

fn of_metadata(found: io::Result<fs::Metadata>, expected: Option<u64>) -> FileState {
    match found {
        Ok(found) => match expected {
            Some(expected) if expected != found.len() => FileState::WrongSize { size: found.len() },
            _ => FileState::Whole,
        },
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => FileState::Missing,
            _ => FileState::NotLookedAt {
                why: error.to_string(),
            },
        },
    }
}

/// The local path that a URI names, or why there is none. `None` if it is not a URI, but the name
/// of a handle that has its bytes with it.
fn local(uri: &str) -> Option<Result<PathBuf, String>> {
    let (scheme, rest) = uri.split_once(':')?;
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    if scheme.is_empty() || !scheme.chars().all(is_scheme) || !rest.starts_with('/') {
        return None;
    }
    if scheme != "file" {
        return Some(Err(format!(
            "it is not a local file, but one of the scheme {scheme}"
        )));
    }
    // file:/path and file:///path.
    let path = match rest.strip_prefix("//") {
        Some(rest) => rest
            .strip_prefix("localhost")
            .filter(|rest| rest.starts_with('/'))
            .unwrap_or(rest),
        None => rest,
    };
    Some(if path.starts_with('/') {
        let path: Vec<u8> = percent_decode_str(path).collect();
        Ok(OsString::from_vec(path).into())
    } else {
        Err("its URI names another host".into())
    })
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
