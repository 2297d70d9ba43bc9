//! The settings in an address.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use incumbent_backend::{Address, BadAddress, Reach};
use incumbent_leader_server::{Options, machine};

/// The settings in an address.
pub(crate) struct Settings {
    pub(crate) dir: PathBuf,
    pub(crate) serves: bool,
    listen: SocketAddr,
    disconnect_grace: Option<Duration>,
    session_timeout: Option<Duration>,
    presence: bool,
}

/// All options, as error messages list them.
const OPTIONS: &str = "listen, disconnect-grace, session-timeout, presence and serve";

impl Settings {
    /// From where the server can be reached, if this process serves.
    pub(crate) fn reach(&self) -> Reach {
        if self.listen.ip().is_loopback() {
            Reach::Machine
        } else {
            Reach::Network
        }
    }

    pub(crate) fn of(address: &Address) -> Result<Self, BadAddress> {
        if address.scheme() != "embedded" {
            return Err(address.unusable("its scheme is not embedded"));
        }
        if !address.authority().is_empty() || address.path().is_empty() {
            return Err(address.unusable("it names no directory; write embedded:///dir"));
        }
        let mut settings = Self {
            dir: address.path().into(),
            serves: true,
            listen: SocketAddr::from(([127, 0, 0, 1], 2181)),
            disconnect_grace: None,
            session_timeout: None,
            presence: false,
        };
        for (name, value) in address.options() {
            let bad = |what| address.unusable(format!("{name} is {what}, not {value:?}"));
            let duration = || {
                let parsed = humantime::parse_duration(value);
                parsed.map(Some).map_err(|_| bad("a duration, as in 500ms"))
            };
            match (name, value) {
                ("listen", _) => {
                    let parsed = value.parse();
                    settings.listen = parsed.map_err(|_| bad("an address, as in 0.0.0.0:2181"))?;
                }
                ("disconnect-grace", "off") => settings.disconnect_grace = None,
                ("disconnect-grace", _) => settings.disconnect_grace = duration()?,
                ("session-timeout", _) => settings.session_timeout = duration()?,
                ("presence", "on") => settings.presence = true,
                ("presence", "off") => settings.presence = false,
                ("presence", _) => return Err(bad("on or off")),
                ("serve", "yes") => settings.serves = true,
                ("serve", "no") => settings.serves = false,
                ("serve", _) => return Err(bad("yes or no")),
                _ => {
                    let why = format!("embedded has no option {name:?}, only {OPTIONS}");
                    return Err(address.unusable(why));
                }
            }
        }
        Ok(settings)
    }

    pub(crate) fn server(&self) -> Options {
        let usual = machine::Options::default();
        let shortest = self.session_timeout.unwrap_or(usual.min_session_timeout);
        let longest = self.session_timeout.unwrap_or(usual.max_session_timeout);
        Options {
            listen: vec![self.listen],
            data_dir: Some(self.dir.clone()),
            machine: machine::Options {
                min_session_timeout: usual.min_session_timeout.min(shortest),
                max_session_timeout: usual.max_session_timeout.max(longest),
                disconnect_grace: self.disconnect_grace,
                ..usual
            },
            ..Options::default()
        }
    }

    /// The options that are passed on to the address of the client.
    pub(crate) fn client_options(&self) -> String {
        let presence = if self.presence { "on" } else { "off" };
        let mut options = format!("?presence={presence}");
        if let Some(timeout) = self.session_timeout {
            options += &format!("&session-timeout={}ms", timeout.as_millis());
        }
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(address: &str) -> Result<Settings, String> {
        Settings::of(&address.parse().unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn an_address_says_where_and_how() {
        let settings =
            of("embedded:///dir?listen=0.0.0.0:7&disconnect-grace=1s&session-timeout=1s").unwrap();
        let server = settings.server();
        assert_eq!(server.listen, ["0.0.0.0:7".parse().unwrap()]);
        assert_eq!(server.data_dir, Some("/dir".into()));
        assert_eq!(server.machine.min_session_timeout, Duration::from_secs(1));
        assert_eq!(
            server.machine.disconnect_grace,
            Some(Duration::from_secs(1))
        );
        assert_eq!(
            settings.client_options(),
            "?presence=off&session-timeout=1000ms"
        );
        let least = of("embedded:dir?serve=no&presence=on").unwrap();
        assert!(!least.serves);
        assert_eq!(least.client_options(), "?presence=on");
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        for (address, why) in [
            ("embedded:", "no directory"),
            ("embedded://host/dir", "no directory"),
            ("embedded:///dir?listen=x", "listen"),
            ("embedded:///dir?serve=maybe", "yes or no"),
            ("embedded:///dir?presence=maybe", "on or off"),
            ("embedded:///dir?disconnect-grace=soon", "duration"),
            ("embedded:///dir?colour=red", "no option \"colour\""),
        ] {
            let error = of(address).err().unwrap();
            assert!(error.contains(why), "{address}: {error}");
        }
    }
}
