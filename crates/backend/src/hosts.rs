//! Hosts with ports, lists of them, and the login before them: `user:password@h1:2181,[::1]:99`.
//!
//! No error of this module and no `Debug` of its types repeats its input, because that may hold a
//! password, even in the wrong place: a `/` in a password ends the authority of an address, and the
//! rest looks like a host.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use crate::{Address, BadAddress, Reach};

/// Longest name of a host that DNS allows.
const LONGEST_NAME: usize = 253;

/// A host and a port. `Display` gives the form to connect to: `h1:2181`, `[::1]:2181`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Host {
    name: String,
    port: u16,
}

/// The authority of an address: the servers of one store, and the login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts {
    login: Option<Login>,
    list: Vec<Host>,
}

/// A user and a password. `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// Never empty.
    pub user: String,
    /// May be empty, and may contain any character.
    pub password: String,
}

/// Why a text is not a host and a port. It does not repeat the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHost {
    /// The text is empty, or nothing stands before the port.
    #[error("it has no host")]
    NoHost,
    /// The host contains an invalid character, or is too long.
    #[error("its host is neither a name nor an IP address (IPv6 in brackets, as in [::1]:2181)")]
    Name,
    /// The text has no port, and there is no usual port.
    #[error("it has no port")]
    NoPort,
    /// The port is not valid.
    #[error("its port is not a number from 1 to 65535")]
    Port,
}

impl Host {
    /// Parses `host:port`, or `host` alone if there is a usual port. An IPv6 address is in
    /// brackets.
    ///
    /// # Errors
    ///
    /// [`BadHost`].
    pub fn parse(text: &str, usual_port: Option<u16>) -> Result<Self, BadHost> {
        let (name, port) = match text.rsplit_once(':') {
            // The last colon of an IPv6 address in brackets does not precede a port.
            Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
            _ => (text, None),
        };
        if name.is_empty() {
            return Err(BadHost::NoHost);
        }
        let in_brackets = name.strip_prefix('[').and_then(|n| n.strip_suffix(']'));
        let good = match in_brackets {
            Some(ip) => ip.parse::<Ipv6Addr>().is_ok(),
            None => name.len() <= LONGEST_NAME && name.chars().all(is_of_name),
        };
        if !good {
            return Err(BadHost::Name);
        }
        let port = match port {
            Some(port) if port.starts_with('+') => return Err(BadHost::Port),
            Some(port) => port.parse().map_err(|_| BadHost::Port)?,
            None => usual_port.ok_or(BadHost::NoPort)?,
        };
        if port == 0 {
            return Err(BadHost::Port);
        }
        Ok(Self {
            name: in_brackets.unwrap_or(name).to_owned(),
            port,
        })
    }

    /// The name or IP address, without the brackets of IPv6, in the form that resolvers and TLS
    /// take.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The port; never 0.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether the host is certainly this machine: `localhost`, or a loopback address.
    pub fn is_loopback(&self) -> bool {
        let ip = self.name.parse::<IpAddr>();
        self.name.eq_ignore_ascii_case("localhost") || ip.is_ok_and(|ip| ip.is_loopback())
    }
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

impl FromStr for Host {
    type Err = BadHost;

    fn from_str(text: &str) -> Result<Self, BadHost> {
        Self::parse(text, None)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(':') {
            write!(f, "[{}]:{}", self.name, self.port)
        } else {
            write!(f, "{}:{}", self.name, self.port)
        }
    }
}

impl Hosts {
    /// Parses the authority of an address: `user:password@h1,h2:2181`. The user and the password
    /// are percent-decoded.
    ///
    /// # Errors
    ///
    /// [`BadAddress`], which says which host of the list is wrong and why, and repeats no part of
    /// the authority.
    pub fn of(address: &Address, usual_port: u16) -> Result<Self, BadAddress> {
        let (login, hosts) = match address.authority().rsplit_once('@') {
            Some((login, hosts)) => (Some(Login::of(address, login)?), hosts),
            None => (None, address.authority()),
        };
        let scheme = address.scheme();
        if hosts.is_empty() {
            let why =
                format!("it names no host; write {scheme}://h1:{usual_port},h2:{usual_port}/path");
            return Err(address.unusable_hosts(why));
        }
        let list = hosts.split(',').enumerate().map(|(n, host)| {
            Host::parse(host, Some(usual_port)).map_err(|bad| {
                let n = n + 1;
                address.unusable_hosts(format!(
                    "host {n} of the list cannot be used: {bad}; write \
                     {scheme}://h1:{usual_port},h2:{usual_port}/path, and in a password %2F for /, \
                     %3F for ? and %40 for @"
                ))
            })
        });
        Ok(Self {
            login,
            list: list.collect::<Result<_, _>>()?,
        })
    }

    /// The hosts; at least one.
    pub fn list(&self) -> &[Host] {
        &self.list
    }

    /// The login before the hosts, if there is one.
    pub fn login(&self) -> Option<&Login> {
        self.login.as_ref()
    }

    /// From where these servers can be reached.
    pub fn reach(&self) -> Reach {
        if self.list.iter().all(Host::is_loopback) {
            Reach::Machine
        } else {
            Reach::Network
        }
    }
}

/// Shows all hosts with their ports, without the login: `h1:2181,h2:2181`.
impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, host) in self.list.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            write!(f, "{comma}{host}")?;
        }
        Ok(())
    }
}

impl Login {
    fn of(address: &Address, text: &str) -> Result<Self, BadAddress> {
        let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
        let login = decoded.ok().and_then(|text| {
            let (user, password) = text.split_once(':')?;
            Some(Self {
                user: user.to_owned(),
                password: password.to_owned(),
            })
        });
        login
            .filter(|login| !login.user.is_empty())
            .ok_or_else(|| address.unusable_hosts("what is before @ is not user:password"))
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(authority: &str) -> Result<Hosts, String> {
        let address: Address = format!("etcd://{authority}/p")
            .parse()
            .map_err(|bad: BadAddress| bad.to_string())?;
        Hosts::of(&address, 2379).map_err(|bad| bad.to_string())
    }

    #[test]
    fn a_list_comes_apart_and_is_shown_as_it_connects() {
        let all = hosts("us%40er:pass%3Aword@h1:1,h_2.example.,127.0.0.1,[::1]:99,[fe80::2]");
        let all = all.unwrap();
        let shown = "h1:1,h_2.example.:2379,127.0.0.1:2379,[::1]:99,[fe80::2]:2379";
        assert_eq!(all.to_string(), shown);
        assert_eq!((all.list()[3].name(), all.list()[3].port()), ("::1", 99));
        let login = all.login().unwrap();
        assert_eq!((&*login.user, &*login.password), ("us@er", "pass:word"));
        assert_eq!(hosts("h").unwrap().login(), None);
        assert_eq!(hosts("u:@h").unwrap().login().unwrap().password, "");
    }

    #[test]
    fn only_loopback_is_of_this_machine() {
        for near in [
            "127.0.0.1",
            "localhost",
            "[::1]:5,127.1.2.3:7",
            "LocalHost:5",
        ] {
            assert_eq!(hosts(near).unwrap().reach(), Reach::Machine, "{near}");
        }
        for far in [
            "10.0.0.7",
            "zk1",
            "127.0.0.1,zk1",
            "localhost.example",
            "[::2]",
        ] {
            assert_eq!(hosts(far).unwrap().reach(), Reach::Network, "{far}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place_in_the_list() {
        for (authority, why) in [
            ("", "no host; write etcd://h1:2379,h2:2379/path"),
            ("u:secret@", "no host"),
            ("h:0", "host 1 of the list cannot be used: its port"),
            ("h,h:x", "host 2 of the list cannot be used: its port"),
            ("h:+1", "its port"),
            ("h:65536", "its port"),
            (
                "h1,,h2",
                "host 2 of the list cannot be used: it has no host",
            ),
            (":1", "it has no host"),
            ("::1:2379", "IPv6 in brackets"),
            ("[h]:1", "neither a name"),
            ("h h", "neither a name"),
            ("user@h", "user:password"),
            (":secret@h", "user:password"),
            ("%FF:secret@h", "user:password"),
        ] {
            let error = hosts(authority).expect_err(authority);
            assert!(error.contains(why), "{authority}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_password_with_the_wrong_characters_is_not_repeated() {
        for authority in [
            "user:secret/word@h",
            "user:secret?word@h",
            "user:sec@ret/word@h",
            "user:secret#/word@h",
            "user:secret,word@h:x",
            "user:secret@h:secret",
            "secret,secret:secret",
            "user:secret",
        ] {
            let error = hosts(authority).expect_err(authority);
            assert!(!error.contains("secret"), "{authority}: {error}");
            assert!(!error.contains("ret"), "{authority}: {error}");
        }
    }

    #[test]
    fn one_host_needs_a_port_if_there_is_no_usual_one() {
        let shown = |text: &str| text.parse::<Host>().map(|host| host.to_string());
        assert_eq!(shown("[::1]:5").as_deref(), Ok("[::1]:5"));
        assert_eq!(shown("h"), Err(BadHost::NoPort));
        assert_eq!(shown("[::1]"), Err(BadHost::NoPort));
        assert_eq!(
            format!("{:?}", hosts("u:secret@h").unwrap().login()),
            "Some(Login)"
        );
    }
}
