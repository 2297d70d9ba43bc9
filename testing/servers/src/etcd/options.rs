//! How an etcd is to be started.

use std::path::PathBuf;

/// What a plain server of tests is started with; whatever is set later comes after it and wins.
const ARGUMENTS: &[&str] = &[
    "--logger=zap",
    "--log-level=warn",
    // A server alone elects itself when this is over. A machine that is busy must not make several
    // elect again and again.
    "--heartbeat-interval=50",
    "--election-timeout=500",
];

/// How an [`Etcd`](crate::etcd::Etcd) is started. The default is right for most tests.
#[derive(Clone, Debug)]
#[must_use]
pub struct Options {
    pub(crate) arguments: Vec<String>,
    pub(crate) tls: Option<Tls>,
}

/// The files (PEM) of a server that is reached by TLS only.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    pub(crate) ca: PathBuf,
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            arguments: ARGUMENTS.iter().map(|&a| a.to_owned()).collect(),
            tls: None,
        }
    }
}

impl Options {
    /// One more argument, as in `--quota-backend-bytes=16777216`. The last one of a name wins, over
    /// the defaults too.
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Clients come by TLS, and only with a certificate of this authority. The server and `etcdctl`
    /// have this one.
    pub fn tls(
        mut self,
        ca: impl Into<PathBuf>,
        cert: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Self {
        let (ca, cert, key) = (ca.into(), cert.into(), key.into());
        self.tls = Some(Tls { ca, cert, key });
        self
    }
}
