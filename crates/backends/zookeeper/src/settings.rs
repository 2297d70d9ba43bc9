//! What an address says.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use incumbent_backend::{Address, BadAddress, Reach};
use zookeeper_client::{Acls, CreateMode, CreateOptions, TlsOptions};

use crate::error::ZooKeeperError;

/// Where records lie if the address names no path.
const USUAL_BASE: &str = "/incumbent";

/// Longest path: a body and the names of its nodes have to fit into one packet.
const LONGEST_BASE: usize = 4096;

/// ZooKeeper's own port, if the address names none.
const USUAL_PORT: u16 = 2181;

/// Silence after which a session is over. Two fifths of it, four seconds, is how long a connection
/// may be silent: far less than the renew deadline of a usual lease, far more than a pause of a
/// server that collects garbage.
const USUAL_SESSION: Duration = Duration::from_secs(10);
const SHORTEST_SESSION: Duration = Duration::from_millis(500);
const LONGEST_SESSION: Duration = Duration::from_secs(600);

/// The options that there are.
const OPTIONS: &str = "session-timeout, watch, presence, ca, cert and key";

pub(crate) struct Settings {
    /// As the client takes them: `h1:2181,h2:2181`.
    pub(crate) hosts: String,
    /// Absolute, without a slash at the end.
    pub(crate) base: String,
    pub(crate) session_timeout: Duration,
    /// `user:password`, for the scheme digest.
    pub(crate) login: Option<Secret>,
    pub(crate) tls: Option<TlsOptions>,
    pub(crate) watch: Watching,
    /// Whether holders show that they live, and are looked for.
    pub(crate) presence: bool,
}

/// How changes are heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watching {
    /// By one recursive watch, or by watches of single nodes if the server has no recursive ones.
    Any,
    /// By watches of single nodes.
    Nodes,
}

/// Text that is not to be seen in logs.
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Settings {
    pub(crate) fn of(address: &Address) -> Result<Self, ZooKeeperError> {
        if address.scheme() != "zookeeper" {
            return Err(address.unusable("its scheme is not zookeeper").into());
        }
        let (login, hosts) = match address.authority().rsplit_once('@') {
            Some((login, hosts)) => (Some(login_of(address, login)?), hosts),
            None => (None, address.authority()),
        };
        let mut settings = Self {
            hosts: hosts_of(address, hosts)?,
            base: base_of(address)?,
            session_timeout: USUAL_SESSION,
            login,
            tls: None,
            watch: Watching::Any,
            presence: false,
        };
        let mut files = TlsFiles::default();
        for (name, value) in address.options() {
            match name {
                "session-timeout" => settings.session_timeout = session_of(address, value)?,
                "watch" => settings.watch = watching_of(address, value)?,
                "presence" => settings.presence = presence_of(address, value)?,
                "ca" => files.ca = Some(value.into()),
                "cert" => files.cert = Some(value.into()),
                "key" => files.key = Some(value.into()),
                _ => {
                    let why = format!("zookeeper has no option {name:?}, only {OPTIONS}");
                    return Err(address.unusable(why).into());
                }
            }
        }
        settings.tls = files.read(address)?;
        Ok(settings)
    }

    /// How nodes are created.
    pub(crate) fn creation(&self, mode: CreateMode) -> CreateOptions<'static> {
        mode.with_acls(match self.login {
            Some(_) => Acls::creator_all(),
            None => Acls::anyone_all(),
        })
    }
}

impl Settings {
    pub(crate) fn reach(&self) -> Reach {
        let with_port = self.hosts.split(',');
        Reach::of_hosts(with_port.map(|host| host.rsplit_once(':').map_or(host, |(name, _)| name)))
    }
}

/// Several hosts, each with its port.
fn hosts_of(address: &Address, hosts: &str) -> Result<String, BadAddress> {
    let with_port = hosts.split(',').map(|host| {
        let (name, port) = match host.rsplit_once(':') {
            // The colons inside of an IPv6 address are none before a port.
            Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()),
            _ => (host, Some(USUAL_PORT)),
        };
        let bare = name.strip_prefix('[').and_then(|n| n.strip_suffix(']'));
        let good = match bare {
            Some(bare) => bare.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !name.is_empty() && name.chars().all(is_of_host),
        };
        match port {
            Some(port) if good && port > 0 => Ok(format!("{name}:{port}")),
            _ => Err(address.unusable(format!(
                "{host:?} is no host and port; write zookeeper://h1:2181,h2:2181/path"
            ))),
        }
    });
    Ok(with_port.collect::<Result<Vec<_>, _>>()?.join(","))
}

fn is_of_host(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
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

fn login_of(address: &Address, login: &str) -> Result<Secret, BadAddress> {
    let decoded = percent_encoding::percent_decode_str(login).decode_utf8();
    match decoded {
        Ok(login)
            if login
                .split_once(':')
                .is_some_and(|(user, _)| !user.is_empty()) =>
        {
            Ok(Secret(login.into_owned()))
        }
        _ => Err(address.unusable("what is before @ is not user:password")),
    }
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

#[derive(Default)]
struct TlsFiles {
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
}

impl TlsFiles {
    fn read(&self, address: &Address) -> Result<Option<TlsOptions>, ZooKeeperError> {
        let tls = |result: Result<TlsOptions, zookeeper_client::Error>| {
            result.map_err(|cause| ZooKeeperError::Tls(cause.into()))
        };
        let Some(ca) = &self.ca else {
            if self.cert.is_some() || self.key.is_some() {
                return Err(address.unusable("cert and key need ca").into());
            }
            return Ok(None);
        };
        let options = tls(TlsOptions::new().with_pem_ca(&pem(ca)?))?;
        match (&self.cert, &self.key) {
            (None, None) => Ok(Some(options)),
            (Some(cert), Some(key)) => {
                tls(options.with_pem_identity(&pem(cert)?, &pem(key)?)).map(Some)
            }
            _ => Err(address.unusable("cert and key go together").into()),
        }
    }
}

fn pem(path: &Path) -> Result<String, ZooKeeperError> {
    std::fs::read_to_string(path).map_err(|source| ZooKeeperError::File {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
