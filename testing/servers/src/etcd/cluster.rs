//! Several servers that are one etcd.

use std::io;
use std::ops::Deref;

use super::install::Install;
use super::options::Options;
use super::server::{Etcd, Member, Ports};
use crate::running;

/// Several real servers on 127.0.0.1 that are one etcd.
pub struct Cluster {
    members: Vec<Etcd>,
}

impl Cluster {
    /// Starts so many, and waits until all serve. `None`, said aloud, if etcd is not installed.
    ///
    /// # Panics
    ///
    /// If they do not come up; if it is not installed, and `INCUMBENT_REQUIRE_FOREIGN` is set.
    pub fn start(servers: usize, options: Options) -> Option<Self> {
        Install::find()?;
        let cluster = running::start("etcd", || Self::try_start(servers, &options));
        Some(cluster)
    }

    fn try_start(servers: usize, options: &Options) -> io::Result<Self> {
        let ports: Vec<_> = (0..servers)
            .map(|_| Ports::choose())
            .collect::<Result<_, _>>()?;
        let peers: Vec<_> = ports
            .iter()
            .enumerate()
            .map(|(n, ports)| format!("s{n}=http://127.0.0.1:{}", ports.peer))
            .collect();
        let peers = peers.join(",");
        let mut members = Vec::new();
        for (n, ports) in ports.into_iter().enumerate() {
            let member = Member {
                name: format!("s{n}"),
                peers: peers.clone(),
                ports,
            };
            members.push(Etcd::launched(options.clone(), member)?);
        }
        // None of them serves before most of them run.
        for member in &members {
            member.wait_until_it_serves()?;
        }
        Ok(Self { members })
    }

    /// Where they listen, as in `127.0.0.1:20731,127.0.0.1:20744`.
    pub fn addresses(&self) -> String {
        let addresses: Vec<_> = self.members.iter().map(Etcd::address).collect();
        addresses.join(",")
    }

    /// The one that leads the others, if there is one just now.
    pub fn leader(&self) -> Option<&Etcd> {
        self.members.iter().find(|member| member.leads())
    }
}

impl Deref for Cluster {
    type Target = [Etcd];

    fn deref(&self) -> &[Etcd] {
        &self.members
    }
}
