//! The options of an etcd server.

use std::path::PathBuf;

/// The arguments of a plain test server. Arguments that are added later come after these and win.
const ARGUMENTS: &[&str] = &[
    "--logger=zap",
    "--log-level=warn",
    // A single server elects itself when this time is over. A busy machine must not cause several
    // servers to repeat elections again and again.
    "--heartbeat-interval=50",
    "--election-timeout=500",
];

/// The options of an [`Etcd`](crate::etcd::Etcd). The defaults suit most tests.
#[derive(Clone, Debug)]
#[must_use]
pub struct Options {
    pub(crate) arguments: Vec<String>,
    pub(crate) tls: Option<Tls>,
}

/// The PEM files of a server that accepts only TLS.
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
    /// Adds an argument, such as `--quota-backend-bytes=16777216`. If a name occurs several times,
    /// the last argument wins, even over the defaults.
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Requires TLS and a client certificate of this CA. The server and `etcdctl` use the given
    /// certificate.
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
