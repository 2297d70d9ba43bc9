//! Where a cluster on one machine keeps what it has.

use std::path::{Path, PathBuf};

use crate::exit::{Code, Failure};
use crate::settings::Common;

/// The directory of a cluster on one machine, and what is in it.
#[derive(Clone, Debug)]
pub(super) struct Places {
    pub(super) dir: PathBuf,
}

impl Places {
    /// The directory that was named, otherwise the usual one of this user.
    pub(super) fn new(named: Option<&Path>) -> Result<Self, Failure> {
        let dir = match named {
            Some(dir) => std::path::absolute(dir).map_err(|cause| {
                let what = format!("cannot use the directory {}", dir.display());
                Failure::new(what).because(cause).code(Code::Usage)
            })?,
            None => usual()?,
        };
        Ok(Self { dir })
    }

    /// The store: what `--ha` says, otherwise a directory here.
    pub(super) fn ha(&self, common: &Common) -> Result<String, Failure> {
        match named_ha(common)? {
            Some(address) => Ok(address),
            None => self.url("ha"),
        }
    }

    /// The blobs: what `--blobs` says, otherwise a directory here.
    pub(super) fn blobs(&self, named: Option<&str>) -> Result<String, Failure> {
        match named {
            Some(url) => Ok(url.to_owned()),
            None => self.url("blobs"),
        }
    }

    /// Where tasks of a TaskManager have their directories and logs.
    pub(super) fn tasks(&self) -> PathBuf {
        self.dir.join("tasks")
    }

    /// The file that is locked while a cluster runs here.
    pub(super) fn lock(&self) -> PathBuf {
        self.dir.join("up.lock")
    }

    fn url(&self, name: &str) -> Result<String, Failure> {
        let path = self.dir.join(name);
        let Some(path) = path.to_str() else {
            let why = format!("the path {} is not UTF-8; choose another", path.display());
            return Err(Failure::new(why).code(Code::Usage));
        };
        Ok(format!(
            "file://{}",
            path.replace('%', "%25").replace('?', "%3F")
        ))
    }
}

/// The store that `--ha` names, if it names one.
///
/// # Errors
///
/// It exists in one process only, and a cluster is several.
pub(super) fn named_ha(common: &Common) -> Result<Option<String>, Failure> {
    match &common.ha {
        Some(address) if address.starts_with("memory:") => Err(Failure::new(
            "the store memory: exists only inside one process, and the processes of a cluster need one that all of them \
             reach; use another address, as --ha file:///dir",
        )
        .code(Code::Usage)),
        address => Ok(address.clone()),
    }
}

/// `incumbent-cluster` in the state directory of this user.
fn usual() -> Result<PathBuf, Failure> {
    let state = std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state"));
    match state.or_else(home) {
        Some(state) => Ok(state.join("incumbent-cluster")),
        None => Err(Failure::new(
            "neither HOME nor XDG_STATE_HOME is set, so there is no directory for the cluster; add --dir DIR",
        )
        .code(Code::Usage)),
    }
}
