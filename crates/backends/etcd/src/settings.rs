//! What an address says.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use incumbent_backend::{Address, BadAddress, Reach};
use rustls::ClientConfig;

use crate::error::EtcdError;
use crate::tls::TlsFiles;

/// Where records lie if the address names no path.
const USUAL_BASE: &str = "/incumbent";

/// Longest path: a page of keys, each of which begins with it, has to fit into an answer.
const LONGEST_BASE: usize = 512;

/// etcd's own port, if the address names none.
const USUAL_PORT: u16 = 2379;

/// The longest that a call takes: half of a usual renew deadline, so that there is time for one
/// more.
const USUAL_TIMEOUT: Duration = Duration::from_secs(5);
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(100);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(600);

/// The options that there are.
const OPTIONS: &str = "timeout, ca, cert and key";

pub(crate) struct Settings {
    pub(crate) hosts: Vec<Host>,
    /// Begins with a slash and does not end with one.
    pub(crate) base: String,
    /// The longest that a call takes.
    pub(crate) timeout: Duration,
    pub(crate) login: Option<Login>,
    pub(crate) tls: Option<Arc<ClientConfig>>,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    /// Without the brackets of an IPv6 address.
    pub(crate) name: String,
    pub(crate) port: u16,
}

/// A user and a password. Its `Debug` shows neither.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: String,
}

impl Settings {
    pub(crate) fn of(address: &Address) -> Result<Self, EtcdError> {
        if address.scheme() != "etcd" {
            return Err(address.unusable("its scheme is not etcd").into());
        }
        let (login, hosts) = match address.authority().rsplit_once('@') {
            Some((login, hosts)) => (Some(login_of(address, login)?), hosts),
            None => (None, address.authority()),
        };
        let hosts = hosts.split(',').map(|host| host_of(address, host));
        let mut settings = Self {
            hosts: hosts.collect::<Result<_, _>>()?,
            base: base_of(address)?,
            timeout: USUAL_TIMEOUT,
            login,
            tls: None,
        };
        let mut files = TlsFiles::default();
        for (name, value) in address.options() {
            match name {
                "timeout" => settings.timeout = timeout_of(address, value)?,
                "ca" => files.ca = Some(value.into()),
                "cert" => files.cert = Some(value.into()),
                "key" => files.key = Some(value.into()),
                _ => {
                    let why = format!("etcd has no option {name:?}, only {OPTIONS}");
                    return Err(address.unusable(why).into());
                }
            }
        }
        settings.tls = files.read(address)?;
        Ok(settings)
    }

    pub(crate) fn reach(&self) -> Reach {
        Reach::of_hosts(self.hosts.iter().map(|host| host.name.as_str()))
    }

    /// All of them, as people write them.
    pub(crate) fn hosts(&self) -> String {
        let hosts: Vec<_> = self.hosts.iter().map(Host::to_string).collect();
        hosts.join(",")
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.contains(':') {
            true => write!(f, "[{}]:{}", self.name, self.port),
            false => write!(f, "{}:{}", self.name, self.port),
        }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login")
    }
}

fn host_of(address: &Address, host: &str) -> Result<Host, BadAddress> {
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
        Some(port) if good && port > 0 => Ok(Host {
            name: bare.unwrap_or(name).to_owned(),
            port,
        }),
        _ => Err(address.unusable(format!(
            "{host:?} is no host and port; write etcd://h1:2379,h2:2379/prefix"
        ))),
    }
}

fn is_of_host(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

fn base_of(address: &Address) -> Result<String, BadAddress> {
    let path = address.path().trim_end_matches('/');
    if path.is_empty() {
        return Ok(USUAL_BASE.to_owned());
    }
    if path.len() > LONGEST_BASE {
        return Err(address.unusable(format!("its path is longer than {LONGEST_BASE} bytes")));
    }
    let bad = |name: &str| name.is_empty() || name.contains(char::is_control);
    if let Some(name) = path.split('/').skip(1).find(|name| bad(name)) {
        return Err(address.unusable(format!("{name:?} is no part of a readable key")));
    }
    Ok(path.to_owned())
}

fn login_of(address: &Address, login: &str) -> Result<Login, BadAddress> {
    let decoded = percent_encoding::percent_decode_str(login).decode_utf8();
    let decoded = decoded.ok().and_then(|login| {
        let (user, password) = login.split_once(':')?;
        Some(Login {
            user: user.to_owned(),
            password: password.to_owned(),
        })
    });
    decoded
        .filter(|login| !login.user.is_empty())
        .ok_or_else(|| address.unusable("what is before @ is not user:password"))
}

fn timeout_of(address: &Address, value: &str) -> Result<Duration, BadAddress> {
    let timeout = humantime::parse_duration(value).ok();
    timeout
        .filter(|timeout| (SHORTEST_TIMEOUT..=LONGEST_TIMEOUT).contains(timeout))
        .ok_or_else(|| {
            let why = format!("timeout is 100ms to 10min, as in 5s, not {value:?}");
            address.unusable(why)
        })
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
