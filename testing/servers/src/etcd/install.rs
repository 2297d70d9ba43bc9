//! Finds etcd's programs.

use std::path::PathBuf;

use crate::running;

/// If this is set, to any value, a missing etcd fails the test instead of skipping it.
const REQUIRED: &str = "INCUMBENT_REQUIRE_FOREIGN";

/// A path below the target directory, where `.ci/servers` unpacks Debian's packages.
const UNPACKED: &str = "foreign/etcd/usr/bin";

pub(crate) struct Install {
    pub(crate) etcd: PathBuf,
    pub(crate) etcdctl: PathBuf,
}

impl Install {
    /// Returns the installed programs, or reports that they are missing and returns `None`.
    ///
    /// # Panics
    ///
    /// If nothing is installed and `INCUMBENT_REQUIRE_FOREIGN` is set.
    pub(crate) fn find() -> Option<Self> {
        let (etcd, etcdctl) = (program("etcd"), program("etcdctl"));
        if let (Some(etcd), Some(etcdctl)) = (&etcd, etcdctl) {
            return Some(Self {
                etcd: etcd.clone(),
                etcdctl,
            });
        }
        let missing = etcd.map_or("etcd", |_| "etcdctl");
        running::skip(missing, REQUIRED, "run .ci/servers");
        None
    }
}

/// Looks in the search path, and where `.ci/servers` unpacks the programs.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let test = std::env::current_exe().unwrap_or_default();
    let mut unpacked = test.ancestors().map(|above| above.join(UNPACKED));
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|program| program.is_file())
        .or_else(|| {
            unpacked.find_map(|directory| Some(directory.join(name)).filter(|p| p.is_file()))
        })
}
