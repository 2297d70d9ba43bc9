//! What an address says.

use std::path::{Path, PathBuf};
use std::time::Duration;

use incumbent_backend::{Address, BadAddress, BoxError};
use zookeeper_client::TlsOptions;

use crate::error::FlinkError;

/// ZooKeeper's own port, if the address names none.
const USUAL_PORT: u16 = 2181;

/// Silence after which our session is over. Two fifths of it is how long a connection may be silent
/// before it is given up.
const USUAL_SESSION: Duration = Duration::from_secs(10);
const SHORTEST_SESSION: Duration = Duration::from_millis(500);
const LONGEST_SESSION: Duration = Duration::from_secs(600);

/// Longest path: it has to fit into a packet, with the names of the nodes below it.
const LONGEST_BASE: usize = 4096;

/// What every certificate in PEM begins with. The client library takes a file without any.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";

/// The options that there are.
const OPTIONS: &str = "session-timeout, ca, cert and key";

#[derive(Clone)]
pub(crate) struct ZooKeeperPlace {
    /// As the client takes them: `h1:2181,h2:2181`.
    pub(crate) hosts: String,
    /// The cluster's node: absolute, without a slash at the end.
    pub(crate) base: String,
    pub(crate) session_timeout: Duration,
    /// `user:password`, for the scheme digest. It is not to be seen in logs: this type has no
    /// `Debug`.
    pub(crate) login: Option<String>,
    tls: Option<TlsFiles>,
}

/// Files of PEM, as the address names them.
#[derive(Clone)]
struct TlsFiles {
    ca: PathBuf,
    /// Certificate and key.
    identity: Option<(PathBuf, PathBuf)>,
}

impl ZooKeeperPlace {
    pub(crate) fn of(address: &Address) -> Result<Self, BadAddress> {
        let (login, hosts) = match address.authority().rsplit_once('@') {
            Some((login, hosts)) => (Some(login_of(address, login)?), hosts),
            None => (None, address.authority()),
        };
        let mut place = Self {
            hosts: hosts_of(address, hosts)?,
            base: base_of(address)?,
            session_timeout: USUAL_SESSION,
            login,
            tls: None,
        };
        let (mut ca, mut cert, mut key): (_, Option<PathBuf>, Option<PathBuf>) = (None, None, None);
        for (name, value) in address.options() {
            match name {
                "session-timeout" => place.session_timeout = session_of(address, value)?,
                "ca" => ca = Some(PathBuf::from(value)),
                "cert" => cert = Some(value.into()),
                "key" => key = Some(value.into()),
                _ => {
                    let why =
                        format!("a Flink in ZooKeeper has no option {name:?}, only {OPTIONS}");
                    return Err(address.unusable(why));
                }
            }
        }
        place.tls = match (ca, cert, key) {
            (None, None, None) => None,
            (None, ..) => return Err(address.unusable("cert and key need ca")),
            (Some(ca), None, None) => Some(TlsFiles { ca, identity: None }),
            (Some(ca), Some(cert), Some(key)) => Some(TlsFiles {
                ca,
                identity: Some((cert, key)),
            }),
            _ => return Err(address.unusable("cert and key go together")),
        };
        Ok(place)
    }

    /// Reads the files for TLS, if it is to be spoken.
    pub(crate) fn tls(&self) -> Result<Option<TlsOptions>, FlinkError> {
        self.tls.as_ref().map(TlsFiles::read).transpose()
    }
}

impl TlsFiles {
    fn read(&self) -> Result<TlsOptions, FlinkError> {
        let options = TlsOptions::new().with_pem_ca(&pem(&self.ca)?);
        let options = options.map_err(|cause| bad(&self.ca, cause))?;
        let Some((cert, key)) = &self.identity else {
            return Ok(options);
        };
        let key_text = pem(key)?;
        // Without a certificate, only the key can be wrong.
        let alone = TlsOptions::new().with_pem_identity("", &key_text);
        alone.map_err(|cause| bad(key, cause))?;
        let cert_text = pem(cert)?;
        if !cert_text.contains(CERTIFICATE) {
            return Err(bad(cert, "there is no certificate in it"));
        }
        let options = options.with_pem_identity(&cert_text, &key_text);
        options.map_err(|cause| bad(cert, cause))
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
        let of_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let good = match bare {
            Some(bare) => bare.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !name.is_empty() && name.chars().all(of_host),
        };
        match port {
            Some(port) if good && port > 0 => Ok(format!("{name}:{port}")),
            _ => Err(address.unusable(format!(
                "{host:?} is no host and port; write zookeeper://h1:2181,h2:2181/flink/cluster-id"
            ))),
        }
    });
    Ok(with_port.collect::<Result<Vec<_>, _>>()?.join(","))
}

fn base_of(address: &Address) -> Result<String, BadAddress> {
    let path = address.path().trim_end_matches('/');
    if path.is_empty() {
        let why = "it names no cluster; write zookeeper://host:2181/flink/cluster-id, and /flink/default if Flink was told none";
        return Err(address.unusable(why));
    }
    let refused = |c: char| c.is_control() || matches!(u32::from(c), 0xe000..=0xf8ff | 0xfff0..);
    for name in path.split('/').skip(1) {
        if matches!(name, "" | "." | "..") || name.contains(refused) {
            let why = format!("ZooKeeper takes no node of the name {name:?}");
            return Err(address.unusable(why));
        }
    }
    if path.len() > LONGEST_BASE {
        return Err(address.unusable(format!("its path is longer than {LONGEST_BASE} bytes")));
    }
    Ok(path.to_owned())
}

fn login_of(address: &Address, login: &str) -> Result<String, BadAddress> {
    let decoded = percent_encoding::percent_decode_str(login).decode_utf8();
    let named = |login: &str| {
        login
            .split_once(':')
            .is_some_and(|(user, _)| !user.is_empty())
    };
    match decoded {
        Ok(login) if named(&login) => Ok(login.into_owned()),
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

fn pem(path: &Path) -> Result<String, FlinkError> {
    std::fs::read_to_string(path).map_err(|cause| bad(path, cause))
}

fn bad(path: &Path, cause: impl Into<BoxError>) -> FlinkError {
    FlinkError::File {
        path: path.to_owned(),
        source: cause.into(),
    }
}

#[cfg(test)]
#[path = "place_tests.rs"]
mod tests;
