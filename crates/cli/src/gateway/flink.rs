//! `incumbent gateway --flink`: the leader that a real Apache Flink has elected.

use std::collections::BTreeMap;

use futures::StreamExt;
use futures::stream::BoxStream;
use hyper::Uri;
use incumbent::{EndpointName, Epoch, Leader, Nonce, View};
use incumbent_flink_ha::{Component, FlinkAddress, SessionId, follow};
use incumbent_gateway::Options;
use tracing::warn;

use crate::exit::Failure;

/// The leader in Flink's HA data, as it changes. Flink has no epochs: the gateway counts its
/// leaders to tell them apart in logs.
pub(super) fn views(
    address: &FlinkAddress,
    options: &Options,
) -> Result<BoxStream<'static, View>, Failure> {
    let leaders = follow(address, &Component::RestServer)?;
    let endpoint = options.endpoints[0].clone();
    let mut terms = Terms::default();
    let views = leaders.map(move |leader| match leader {
        None => View::None,
        Some(leader) => View::Active(Leader {
            epoch: terms.epoch(leader.session),
            nonce: Nonce::new(leader.session.number()),
            holder: "flink".parse().expect("it is a name"),
            endpoints: published(&endpoint, leader.address),
            since: String::new(),
        }),
    });
    Ok(views.boxed())
}

/// Counts the terms of Flink's leaders.
#[derive(Default)]
struct Terms {
    last: Option<SessionId>,
    count: u64,
}

impl Terms {
    /// The epoch of this leader. A leader whose entry disappears and comes back keeps its epoch: it
    /// has led all the time.
    fn epoch(&mut self, session: SessionId) -> Epoch {
        if self.last.replace(session) != Some(session) {
            self.count += 1;
        }
        Epoch::new(self.count)
    }
}

/// The address that the gateway connects to: none if Flink's address cannot be used.
fn published(endpoint: &EndpointName, address: String) -> BTreeMap<EndpointName, String> {
    match unusable(&address) {
        None => BTreeMap::from([(endpoint.clone(), address)]),
        Some(why) => {
            warn!(
                address,
                why,
                "cannot use the address that Flink published for its REST server; holding requests until it publishes another"
            );
            BTreeMap::new()
        }
    }
}

/// Why this is not the address of a REST server, if it is not.
fn unusable(address: &str) -> Option<String> {
    let uri: Uri = match address.parse() {
        Ok(uri) => uri,
        Err(why) => return Some(why.to_string()),
    };
    // The parts leave out a port that is no number and a user before the host.
    let host_and_port = match (uri.host(), uri.port_u16()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (host, _) => host.unwrap_or_default().to_owned(),
    };
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let spoken = matches!(uri.scheme_str(), None | Some("http" | "https"));
    let good = spoken && !authority.is_empty() && authority == host_and_port;
    (!good).then(|| "it is neither http://host:port nor https://host:port".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leader_that_comes_back_keeps_its_epoch_and_another_gets_the_next() {
        let [one, two] = ["01", "02"].map(|end| {
            let id = format!("8b5f5a4e-1c55-4f0c-9d2e-0000000000{end}");
            id.parse::<SessionId>().unwrap()
        });
        let mut terms = Terms::default();
        let epochs = [one, one, two, one, one, two].map(|session| terms.epoch(session));
        assert_eq!(epochs, [1, 1, 2, 3, 3, 4].map(Epoch::new));
    }

    #[test]
    fn an_address_that_cannot_be_used_says_why() {
        for good in [
            "http://10.0.0.7:8081",
            "https://[2001:db8::1]:8081",
            "HTTP://jm",
            "jm:8081",
        ] {
            assert_eq!(unusable(good), None, "{good}");
        }
        for (bad, why) in [
            ("", "empty"),
            ("http://", "empty"),
            ("http:// jm:8081", "invalid"),
            ("http://jm:http", "neither"),
            ("http://flink@jm:8081", "neither"),
            ("/jm", "neither"),
            ("pekko.tcp://flink@jm:6123/user/rpc", "neither"),
        ] {
            let said = unusable(bad).unwrap_or_default();
            assert!(said.contains(why), "{bad}: {said}");
        }
    }
}
