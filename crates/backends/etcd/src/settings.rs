//! The settings in an address.

use std::sync::Arc;
use std::time::Duration;

use incumbent_backend::hosts::Hosts;
use incumbent_backend::{Address, BadAddress};
use incumbent_tls::ClientFiles;
use rustls::ClientConfig;

use crate::error::EtcdError;

/// The base if the address names no path.
const USUAL_BASE: &str = "/incumbent";

/// Longest path. A page of keys, each of which begins with the path, must fit into an answer.
const LONGEST_BASE: usize = 512;

/// etcd's own port, if the address names none.
const USUAL_PORT: u16 = 2379;

/// The default time limit of a call: half of the usual renew deadline, so that a second call still
/// has time.
const USUAL_TIMEOUT: Duration = Duration::from_secs(5);
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(100);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(600);

/// The ALPN protocol of gRPC. Servers refuse a client that does not offer it.
const HTTP_2: &[u8] = b"h2";

/// All options, as error messages list them.
const OPTIONS: &str = "timeout, ca, cert and key";

pub(crate) struct Settings {
    /// The servers, and the login if the address has one.
    pub(crate) hosts: Hosts,
    /// Begins with a slash and does not end with one.
    pub(crate) base: String,
    /// The longest time a call takes.
    pub(crate) timeout: Duration,
    pub(crate) tls: Option<Arc<ClientConfig>>,
}

impl Settings {
    pub(crate) fn of(address: &Address) -> Result<Self, EtcdError> {
        if address.scheme() != "etcd" {
            return Err(address.unusable("its scheme is not etcd").into());
        }
        let mut settings = Self {
            hosts: Hosts::of(address, USUAL_PORT)?,
            base: base_of(address)?,
            timeout: USUAL_TIMEOUT,
            tls: None,
        };
        let (mut ca, mut cert, mut key) = (None, None, None);
        for (name, value) in address.options() {
            match name {
                "timeout" => settings.timeout = timeout_of(address, value)?,
                "ca" => ca = Some(value.into()),
                "cert" => cert = Some(value.into()),
                "key" => key = Some(value.into()),
                _ => {
                    let why = format!("etcd has no option {name:?}, only {OPTIONS}");
                    return Err(address.unusable(why).into());
                }
            }
        }
        let files = ClientFiles::of_options(ca, cert, key).map_err(|why| address.unusable(why))?;
        if let Some(files) = files {
            settings.tls = Some(Arc::new(files.read(&[HTTP_2])?));
        }
        Ok(settings)
    }
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
