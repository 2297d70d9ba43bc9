//! Where the blobs are: what a URL names.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;

use crate::error::Error;
use crate::s3::Bucket;

/// The forms that are understood, for messages.
const KNOWN: &str = "file:///DIRECTORY, s3://BUCKET/PREFIX and memory: are known";

/// Where the blobs are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A directory that all nodes see, or that the only machine has.
    Dir(PathBuf),
    /// A bucket, or a part of one.
    Bucket(Bucket),
    /// This process and what it shares the handle with.
    Memory,
}

impl Place {
    /// # Errors
    ///
    /// [`Error::Address`]. Of a URL with an unknown scheme, only the scheme is shown: the rest may
    /// hold a password.
    pub(crate) fn parse(url: &str) -> Result<Self, Error> {
        let Some((scheme, rest)) = url.split_once(':') else {
            let why = if url.starts_with('/') {
                format!("it is a path and not a URL; write file://{url}")
            } else {
                format!("it has no scheme; {KNOWN}")
            };
            return Err(refused(url, why));
        };
        match scheme {
            "memory" if rest.is_empty() => Ok(Place::Memory),
            "memory" => Err(refused(url, "nothing may follow memory:".to_owned())),
            "file" => dir(url, rest).map(Place::Dir),
            "s3" => match Bucket::parse(rest) {
                Ok(bucket) => Ok(Place::Bucket(bucket)),
                Err(why) => Err(refused("a URL that begins with s3:", why)),
            },
            "s3a" | "s3n" => {
                let why = "s3: is what it is called here; write s3://BUCKET/PREFIX".to_owned();
                Err(refused(&format!("a URL that begins with {scheme}:"), why))
            }
            _ => Err(refused(
                &format!("a URL that begins with {scheme}:"),
                KNOWN.to_owned(),
            )),
        }
    }

    /// The URL, as messages show it.
    pub(crate) fn url(&self) -> String {
        match self {
            Place::Dir(dir) => format!("file://{}", dir.display()),
            Place::Bucket(bucket) => bucket.url(),
            Place::Memory => "memory:".to_owned(),
        }
    }

    /// Opens the place, and makes its directory if that is missing. Blocks.
    pub(crate) fn open(
        &self,
        settings: &[(String, String)],
    ) -> Result<Arc<dyn ObjectStore>, Error> {
        let dir = match self {
            Place::Memory => return Ok(Arc::new(InMemory::new())),
            Place::Bucket(bucket) => return bucket.open(settings),
            Place::Dir(dir) => dir,
        };
        match fs::metadata(dir) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(refused(&self.url(), "it is not a directory".to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_dirs(dir).map_err(|error| self.failed("making the directory", error))?;
            }
            Err(error) => return Err(self.failed("looking at the directory", error)),
        }
        let store = LocalFileSystem::new_with_prefix(dir)
            .map_err(|error| Error::of_store(&self.url(), "opening the directory", error))?;
        // What was acknowledged survives a loss of power. Deleting a job leaves no empty
        // directories.
        Ok(Arc::new(
            store.with_fsync(true).with_automatic_cleanup(true),
        ))
    }

    fn failed(&self, doing: &str, error: io::Error) -> Error {
        match error.kind() {
            // A part of the path is a file: no waiting helps.
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => Error::Address {
                url: self.url(),
                why: "a part of the path is not a directory".to_owned(),
                source: Some(error),
            },
            _ => Error::of_io(&self.url(), doing, error),
        }
    }
}

fn dir(url: &str, rest: &str) -> Result<PathBuf, Error> {
    let right = "write file:///DIRECTORY, three slashes and the whole path";
    let path = match rest.strip_prefix("//") {
        Some(path) if path.starts_with('/') => path,
        // `file:/dir` is the same directory to everybody.
        None if rest.starts_with('/') => rest,
        Some(path) => {
            let host = path.split('/').next().unwrap_or_default();
            let why = format!("{host:?} stands where a host would stand; {right}");
            return Err(refused(url, why));
        }
        None => return Err(refused(url, format!("its path is relative; {right}"))),
    };
    if path.contains(['?', '#']) {
        let why = "blobs in a directory have no options, so ? and # are not allowed";
        return Err(refused(url, why.to_owned()));
    }
    let path = Path::new(path);
    if path.parent().is_none() {
        return Err(refused(url, "it is the root of the file system".to_owned()));
    }
    let climbs = |part| matches!(part, std::path::Component::ParentDir);
    if path.components().any(climbs) {
        return Err(refused(url, format!("it contains ..; {right}")));
    }
    Ok(path.to_owned())
}

fn refused(url: &str, why: String) -> Error {
    Error::Address {
        url: url.to_owned(),
        why,
        source: None,
    }
}

/// Makes a directory and its parents, for this user only: logs may hold anything. Syncs them.
fn make_dirs(dir: &Path) -> io::Result<()> {
    let there = dir.ancestors().find(|dir| dir.exists());
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    for made in dir.ancestors() {
        File::open(made)?.sync_all()?;
        if Some(made) == there {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_or_memory_is_understood() {
        let dir = Place::Dir("/var/lib/blobs".into());
        assert_eq!(Place::parse("file:///var/lib/blobs").unwrap(), dir);
        assert_eq!(Place::parse("file:/var/lib/blobs").unwrap(), dir);
        assert_eq!(Place::parse("memory:").unwrap(), Place::Memory);
        let odd = "file:///var/lib/with space and 100%";
        assert_eq!(Place::parse(odd).unwrap().url(), odd);
    }

    #[test]
    fn a_refused_url_is_answered_with_what_is_right() {
        for (url, answer) in [
            (
                "gs://bucket/x",
                "file:///DIRECTORY, s3://BUCKET/PREFIX and memory: are known",
            ),
            ("blobs", "it has no scheme; file:///DIRECTORY, s3:"),
            ("s3://", "it names no bucket; write s3://BUCKET"),
            ("s3a://bucket/x", "write s3://BUCKET/PREFIX"),
            ("/var/lib/blobs", "write file:///var/lib/blobs"),
            (
                "file:blobs",
                "its path is relative; write file:///DIRECTORY",
            ),
            ("file:./blobs", "its path is relative"),
            (
                "file://blobs/x",
                "\"blobs\" stands where a host would stand",
            ),
            ("file://./blobs", "\".\" stands where a host would stand"),
            ("file:///", "the root of the file system"),
            ("file:///var/../etc", "it contains .."),
            ("file:///var/lib?sync=none", "have no options"),
            ("memory:shared", "nothing may follow memory:"),
        ] {
            let refused = Place::parse(url).unwrap_err().to_string();
            assert!(refused.contains(answer), "{url}: {refused}");
        }
    }

    #[test]
    fn a_url_with_a_password_is_not_echoed() {
        for scheme in ["s3", "gs"] {
            let url = format!("{scheme}://key:hunter2@bucket/?token=hunter2");
            let refused = Place::parse(&url).unwrap_err();
            let shown = format!("{refused} {refused:?}");
            assert!(!shown.contains("hunter2"), "{shown}");
            assert!(shown.contains(&format!("{scheme}:")), "{shown}");
        }
    }
}
