//! What an address of znodes says.

use std::path::PathBuf;
use std::time::Duration;

use incumbent_backend::hosts::Hosts;
use incumbent_backend::{Address, BadAddress};
use incumbent_tls::{ClientFiles, ClientPem};
use zookeeper_client::{Error, TlsOptions};

use crate::error::FlinkError;

/// ZooKeeper's own port, for hosts without one.
const USUAL_PORT: u16 = 2181;

/// The session timeout. The client gives up a connection that is silent for two fifths of it.
const USUAL_SESSION: Duration = Duration::from_secs(10);
const SHORTEST_SESSION: Duration = Duration::from_millis(500);
const LONGEST_SESSION: Duration = Duration::from_secs(600);

/// Longest path. With the names of the nodes below it, it has to fit into a packet.
const LONGEST_BASE: usize = 4096;

/// The known options, for messages.
const OPTIONS: &str = "session-timeout, ca, cert and key";

#[derive(Clone)]
pub(crate) struct ZooKeeperTarget {
    /// The servers, and the login with the scheme digest.
    pub(crate) hosts: Hosts,
    /// The path of the cluster's node, absolute, without a slash at the end. Empty if the address
    /// names none.
    pub(crate) base: String,
    pub(crate) session_timeout: Duration,
    tls: Option<ClientFiles>,
}

impl ZooKeeperTarget {
    pub(crate) fn of(address: &Address) -> Result<Self, BadAddress> {
        let mut target = Self {
            hosts: Hosts::of(address, USUAL_PORT)?,
            base: base_of(address)?,
            session_timeout: USUAL_SESSION,
            tls: None,
        };
        let (mut ca, mut cert, mut key): (_, Option<PathBuf>, Option<PathBuf>) = (None, None, None);
        for (name, value) in address.options() {
            match name {
                "session-timeout" => target.session_timeout = session_of(address, value)?,
                "ca" => ca = Some(PathBuf::from(value)),
                "cert" => cert = Some(value.into()),
                "key" => key = Some(value.into()),
                _ => {
                    let why = format!(
                        "there is no option {name:?} for a Flink in ZooKeeper; there are {OPTIONS}"
                    );
                    return Err(address.unusable(why));
                }
            }
        }
        let tls = ClientFiles::of_options(ca, cert, key);
        target.tls = tls.map_err(|why| address.unusable(why))?;
        Ok(target)
    }

    /// Reads the files for TLS, if the address asks for TLS.
    pub(crate) fn tls(&self) -> Result<Option<TlsOptions>, FlinkError> {
        let Some(files) = &self.tls else {
            return Ok(None);
        };
        let ClientPem { ca, identity } = files.read_pem()?;
        // The files are checked, so these refuse only what the client library has a limit on.
        let setup = |cause: Error| FlinkError::Tls(Box::new(cause));
        let mut options = TlsOptions::new().with_pem_ca(&ca).map_err(setup)?;
        if let Some((certificate, key)) = identity {
            options = options
                .with_pem_identity(&certificate, &key)
                .map_err(setup)?;
        }
        Ok(Some(options))
    }
}

fn base_of(address: &Address) -> Result<String, BadAddress> {
    let path = address.path().trim_end_matches('/');
    let refused = |c: char| c.is_control() || matches!(u32::from(c), 0xe000..=0xf8ff | 0xfff0..);
    for name in path.split('/').skip(1) {
        if matches!(name, "" | "." | "..") || name.contains(refused) {
            let why = format!("ZooKeeper accepts no node of the name {name:?}");
            return Err(address.unusable(why));
        }
    }
    if path.len() > LONGEST_BASE {
        return Err(address.unusable(format!("its path is longer than {LONGEST_BASE} bytes")));
    }
    Ok(path.to_owned())
}

fn session_of(address: &Address, value: &str) -> Result<Duration, BadAddress> {
    let timeout = humantime::parse_duration(value).ok();
    timeout
        .filter(|timeout| (SHORTEST_SESSION..=LONGEST_SESSION).contains(timeout))
        .ok_or_else(|| {
            let why = format!("session-timeout is 500ms to 10min, as in 10s, not {value:?}");
            address.unusable(why)
        })
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
