//! Where etcd's programs are.

use std::path::PathBuf;

use crate::running;

/// If set, to anything, an absent etcd is a failure and not a skipped test.
const REQUIRED: &str = "INCUMBENT_REQUIRE_FOREIGN";

/// Below the target directory; `.ci/servers` unpacks Debian's packages there.
const UNPACKED: &str = "foreign/etcd/usr/bin";

pub(crate) struct Install {
    pub(crate) etcd: PathBuf,
    pub(crate) etcdctl: PathBuf,
}

impl Install {
    /// What is installed, or `None` after a report that it is absent.
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

/// In the search path, or where `.ci/servers` puts it.
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
