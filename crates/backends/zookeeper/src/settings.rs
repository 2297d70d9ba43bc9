//! The settings in an address.

use std::time::Duration;

use incumbent_backend::hosts::Hosts;
use incumbent_backend::{Address, BadAddress};
use incumbent_tls::ClientFiles;
use zookeeper_client::{Acls, CreateMode, CreateOptions, TlsOptions};

use crate::error::ZooKeeperError;

/// The base if the address names no path.
const USUAL_BASE: &str = "/incumbent";

/// Longest path. A body and the names of its nodes must fit into one packet.
const LONGEST_BASE: usize = 4096;

/// ZooKeeper's own port, if the address names none.
const USUAL_PORT: u16 = 2181;

/// Default session timeout. A connection may be silent for two fifths of it, four seconds. That is
/// far less than the renew deadline of a usual lease, and far more than a server's pause for
/// garbage collection.
const USUAL_SESSION: Duration = Duration::from_secs(10);
const SHORTEST_SESSION: Duration = Duration::from_millis(500);
const LONGEST_SESSION: Duration = Duration::from_secs(600);

/// All options, as error messages list them.
const OPTIONS: &str = "session-timeout, watch, presence, ca, cert and key";

pub(crate) struct Settings {
    /// The servers, and the login (scheme `digest`) if the address has one.
    pub(crate) hosts: Hosts,
    /// Absolute, without a slash at the end.
    pub(crate) base: String,
    pub(crate) session_timeout: Duration,
    pub(crate) tls: Option<TlsOptions>,
    pub(crate) watch: Watching,
    /// Whether holders show that they live, and standbys watch for it.
    pub(crate) presence: bool,
}

/// How the backend learns of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watching {
    /// One recursive watch, or watches of single nodes if the server has no recursive ones.
    Any,
    /// Watches of single nodes.
    Nodes,
}

impl Settings {
    pub(crate) fn of(address: &Address) -> Result<Self, ZooKeeperError> {
        if address.scheme() != "zookeeper" {
            return Err(address.unusable("its scheme is not zookeeper").into());
        }
        let mut settings = Self {
            hosts: Hosts::of(address, USUAL_PORT)?,
            base: base_of(address)?,
            session_timeout: USUAL_SESSION,
            tls: None,
            watch: Watching::Any,
            presence: false,
        };
        let (mut ca, mut cert, mut key) = (None, None, None);
        for (name, value) in address.options() {
            match name {
                "session-timeout" => settings.session_timeout = session_of(address, value)?,
                "watch" => settings.watch = watching_of(address, value)?,
                "presence" => settings.presence = presence_of(address, value)?,
                "ca" => ca = Some(value.into()),
                "cert" => cert = Some(value.into()),
                "key" => key = Some(value.into()),
                _ => {
                    let why = format!("zookeeper has no option {name:?}, only {OPTIONS}");
                    return Err(address.unusable(why).into());
                }
            }
        }
        let files = ClientFiles::of_options(ca, cert, key).map_err(|why| address.unusable(why))?;
        settings.tls = files.map(|files| tls_of(&files)).transpose()?;
        Ok(settings)
    }

    /// The options for creating nodes.
    pub(crate) fn creation(&self, mode: CreateMode) -> CreateOptions<'static> {
        mode.with_acls(match self.hosts.login() {
            Some(_) => Acls::creator_all(),
            None => Acls::anyone_all(),
        })
    }
}

fn base_of(address: &Address) -> Result<String, BadAddress> {
    let path = address.path().trim_end_matches('/');
    if path.is_empty() {
        return Ok(USUAL_BASE.to_owned());
    }
    let names = path.split('/').skip(1);
    let refused = |c: char| c.is_control() || matches!(u32::from(c), 0xe000..=0xf8ff | 0xfff0..);
    for name in names {
        if matches!(name, "" | "." | "..") || name.contains(refused) {
            let why = format!("ZooKeeper takes no node of the name {name:?}");
            return Err(address.unusable(why));
        }
    }
    if path.len() > LONGEST_BASE {
        return Err(address.unusable(format!("its path is longer than {LONGEST_BASE} bytes")));
    }
    if path == "/zookeeper" || path.starts_with("/zookeeper/") {
        return Err(address.unusable("/zookeeper is ZooKeeper's own"));
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

fn watching_of(address: &Address, value: &str) -> Result<Watching, BadAddress> {
    match value {
        "any" => Ok(Watching::Any),
        "nodes" => Ok(Watching::Nodes),
        _ => Err(address.unusable(format!("watch is any or nodes, not {value:?}"))),
    }
}

fn presence_of(address: &Address, value: &str) -> Result<bool, BadAddress> {
    match value {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(address.unusable(format!("presence is on or off, not {value:?}"))),
    }
}

/// The TLS files in the form that the client library takes.
fn tls_of(files: &ClientFiles) -> Result<TlsOptions, ZooKeeperError> {
    let pem = files.read_pem()?;
    let options = TlsOptions::new().with_pem_ca(&pem.ca);
    let options = match &pem.identity {
        None => options,
        Some((cert, key)) => options.and_then(|options| options.with_pem_identity(cert, key)),
    };
    // The library's message is left out, because it may quote the files.
    options.map_err(|_| ZooKeeperError::TlsUnsupported)
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
