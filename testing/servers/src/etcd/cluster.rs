//! A cluster of several etcd servers.

use std::io;
use std::ops::Deref;

use super::install::Install;
use super::options::Options;
use super::server::{Etcd, Member, Ports};
use crate::running;

/// A cluster of several real etcd servers on 127.0.0.1.
pub struct Cluster {
    members: Vec<Etcd>,
}

impl Cluster {
    /// Starts this many servers, and waits until all serve. Returns `None`, with a message, if etcd
    /// is not installed.
    ///
    /// # Panics
    ///
    /// If a server does not start, or etcd is not installed while `INCUMBENT_REQUIRE_FOREIGN` is
    /// set.
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
        // No server serves before a majority of them runs.
        for member in &members {
            member.wait_until_it_serves()?;
        }
        Ok(Self { members })
    }

    /// The addresses that they listen on, as in `127.0.0.1:20731,127.0.0.1:20744`.
    pub fn addresses(&self) -> String {
        let addresses: Vec<_> = self.members.iter().map(Etcd::address).collect();
        addresses.join(",")
    }

    /// The cluster's leader, if it has one now.
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
