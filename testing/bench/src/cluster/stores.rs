//! The kinds of stores, each with a server of its own on this machine.

use std::any::Any;
use std::path::Path;
use std::process::Stdio;

use incumbent_kubernetes_double::{Double, Options as DoubleOptions};
use incumbent_servers::etcd::{Etcd, Options as EtcdOptions};
use incumbent_servers::free_port;
use incumbent_servers::zookeeper::{Options as ZooKeeperOptions, ZooKeeper};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::progress::Progress;
use crate::{Failure, disguise};

/// So many requests a second that the client's own limit does not matter.
const UNLIMITED: &str = "&qps=100000&burst=100000";

/// A store that is there for one measurement.
pub(super) struct Site {
    pub(super) name: &'static str,
    /// As people would write it.
    pub(super) address: String,
    /// The same store, without what makes it slow on purpose: to fill it.
    pub(super) fast: String,
    /// How many requests a second the client allows itself, and how many at once.
    pub(super) limit: Option<(f64, f64)>,
    /// Ends with it.
    _server: Box<dyn Any>,
    /// For blobs and logs; last, so that it is removed last.
    pub(super) dir: TempDir,
}

/// Which store.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Directory,
    LeaderServer,
    ZooKeeper,
    Etcd,
    Kubernetes,
    KubernetesUnlimited,
}

impl Kind {
    pub(super) const ALL: [Self; 6] = [
        Self::Directory,
        Self::LeaderServer,
        Self::ZooKeeper,
        Self::Etcd,
        Self::KubernetesUnlimited,
        Self::Kubernetes,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Directory => "a directory",
            Self::LeaderServer => "the leader server",
            Self::ZooKeeper => "ZooKeeper",
            Self::Etcd => "etcd",
            Self::Kubernetes => "Kubernetes (double), 200 requests a second",
            Self::KubernetesUnlimited => "Kubernetes (double), no limit",
        }
    }

    /// Starts it; `None`, with a note, if it is not installed.
    pub(super) async fn start(
        self,
        program: &Path,
        above: &Path,
        progress: &Progress,
    ) -> Result<Option<Site>, Failure> {
        let dir = tempfile::Builder::new()
            .prefix("incumbent-bench-")
            .tempdir_in(above)?;
        let found: Option<(String, Box<dyn Any>)> = match self {
            Self::Directory => {
                let address = format!("file://{}/ha", dir.path().display());
                Some((address, Box::new(())))
            }
            Self::LeaderServer => {
                let port = free_port()?;
                let server = leader_server(program, port, dir.path())?;
                let address = format!("zookeeper://127.0.0.1:{port}/bench");
                Some((address, Box::new(server)))
            }
            Self::ZooKeeper => {
                let options = ZooKeeperOptions::default().data_dir(dir.path().join("zookeeper"));
                ZooKeeper::start(options).map(|server| {
                    let address = format!("zookeeper://{}/bench", server.address());
                    (address, Box::new(server) as Box<dyn Any>)
                })
            }
            Self::Etcd => Etcd::start(EtcdOptions::default()).map(|server| {
                let address = format!("etcd://{}/bench", server.address());
                (address, Box::new(server) as Box<dyn Any>)
            }),
            Self::Kubernetes | Self::KubernetesUnlimited => {
                let double = Double::start_now(DoubleOptions::default());
                let file = dir.path().join("kubeconfig");
                std::fs::write(&file, double.kubeconfig(None))?;
                let address = format!("kubernetes:///bench?kubeconfig={}", file.display());
                Some((address, Box::new(double)))
            }
        };
        let Some((address, server)) = found else {
            progress.note(&format!("{} is not installed; left out", self.name()));
            return Ok(None);
        };
        let fast = match self {
            Self::Directory => format!("{address}?sync=none"),
            Self::Kubernetes | Self::KubernetesUnlimited => format!("{address}{UNLIMITED}"),
            Self::LeaderServer | Self::ZooKeeper | Self::Etcd => address.clone(),
        };
        let is_unlimited = matches!(self, Self::KubernetesUnlimited);
        Ok(Some(Site {
            name: self.name(),
            address: if is_unlimited { fast.clone() } else { address },
            fast,
            limit: matches!(self, Self::Kubernetes).then_some((200.0, 400.0)),
            _server: server,
            dir,
        }))
    }
}

fn leader_server(program: &Path, port: u16, dir: &Path) -> Result<Child, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args([disguise::TIED, &std::process::id().to_string()])
        .arg(program)
        .args(["serve", "--log", "warn"])
        .args(["--listen", &format!("127.0.0.1:{port}")])
        .arg("--data-dir")
        .arg(dir.join("server"));
    // The user's configuration must not change the figures.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("INCUMBENT_") {
            command.env_remove(name);
        }
    }
    command.env("XDG_CONFIG_HOME", dir);
    Ok(command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()?)
}
