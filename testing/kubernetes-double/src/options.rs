//! The options of a double.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// The options of a double.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens. Port 0 is any free one.
    pub listen: SocketAddr,
    /// How often a watch that wants bookmarks gets one. The real server takes a minute.
    pub bookmark_every: Duration,
    /// The namespaces that exist.
    pub namespaces: Vec<String>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            bookmark_every: Duration::from_secs(60),
            namespaces: ["default", "kube-system"].map(str::to_owned).to_vec(),
        }
    }
}
