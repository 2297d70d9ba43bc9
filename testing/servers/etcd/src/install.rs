//! Where etcd's programs are.

use std::io::Write;
use std::path::PathBuf;

/// If set, to anything, an absent etcd is a failure and not a skipped test.
const REQUIRED: &str = "INCUMBENT_REQUIRE_FOREIGN";

/// Below the target directory; `.ci/servers` unpacks Debian's packages there.
const UNPACKED: &str = "foreign/etcd/usr/bin";

pub(crate) struct Install {
    pub(crate) etcd: PathBuf,
    pub(crate) etcdctl: PathBuf,
}

impl Install {
    /// What is installed, or `None` after it was said aloud.
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
        assert!(
            std::env::var_os(REQUIRED).is_none(),
            "{REQUIRED} is set, and there is no {missing}: run .ci/servers"
        );
        // Not `eprintln!`: the output of a test that passes is kept back.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: there is no {missing}; .ci/servers unpacks it"
        );
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
