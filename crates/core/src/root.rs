//! The root record: the one record of a group that says who leads. Lock and addresses change
//! together, in one swap.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::name::check_characters;
use crate::timing::LONGEST_LEASE;
use crate::{EndpointName, Epoch, HolderName, Nonce, Seal};

/// Format number of the bodies that this version writes, and the highest that it reads.
pub const FORMAT: u32 = 1;

/// Most endpoints of one leader. The root is rewritten with every renewal, so it has to stay small.
pub const MOST_ENDPOINTS: usize = 64;

/// Longest address of an endpoint, in bytes.
pub const LONGEST_ENDPOINT: usize = 2048;

/// Checks an address before it is published as an endpoint: it must not be empty, and people must
/// see it as it is.
///
/// # Errors
///
/// What is wrong with it, in words.
pub fn check_endpoint(address: &str) -> Result<(), &'static str> {
    if address.is_empty() {
        return Err("it is empty");
    }
    check_characters(address)
}

/// Body of the root record, as it is stored: JSON that a person can read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// Always `root`: tells it from other JSON.
    incumbent: RootTag,
    /// Number of the format.
    format: u32,
    /// The fencing token of this term.
    pub epoch: Epoch,
    /// Who holds this term.
    pub holder: HolderName,
    /// The random number of this term.
    pub nonce: Nonce,
    /// How far the term has come.
    pub state: TermState,
    /// Where the leader's services are, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub endpoints: BTreeMap<EndpointName, String>,
    /// The endpoint that shows that the leader lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liveness: Option<LivenessAddress>,
    /// Lease duration, in milliseconds.
    lease_ms: u64,
    /// Number of this write within the term. Standbys watch it change, and the leader recognizes
    /// its own writes by it.
    pub seq: u64,
    /// When the term began, by the holder's wall clock. For people; never compared.
    #[serde(default)]
    pub since: String,
    /// When this was written, by the holder's wall clock. For people; never compared.
    #[serde(default)]
    pub renewed: String,
    /// After a release: the candidate that is to lead next, if one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred: Option<HolderName>,
    /// A request to the holder to hand over. It is added to the root by the process that asks, and
    /// changes nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handover: Option<Handover>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum RootTag {
    #[serde(rename = "root")]
    Root,
}

/// How far a term has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TermState {
    /// Won, but not ready to serve: records are being sealed, the program starts.
    Activating,
    /// Serving: its endpoints may be handed out.
    Active,
    /// Given up by its holder. Any candidate may lead next, at once.
    Released,
}

/// Where a process can be seen to live: the endpoint that proves it dead when it refuses.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LivenessAddress {
    /// Address, as `host:port`.
    pub address: String,
    /// Names the kernel and network namespace that the process runs in. For another one in the
    /// same, even the first refused connection is a proof: no network between them could refuse it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// It is not the address of the process's own socket, but what a person said that leads there.
    /// So whatever is in between may refuse a connection.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub advertised: bool,
}

/// A request to the present leader to hand over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handover {
    /// Who is to lead next; anyone if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<HolderName>,
    /// Name of the person or program that asks. For people.
    #[serde(default)]
    pub by: String,
}

/// A stored body that cannot be understood. Only a person overwrites it: a guess could lose a
/// write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadBody {
    /// It was not written by Incumbent, or is damaged.
    #[error("not a {what} of Incumbent: {why}")]
    Foreign {
        /// What was expected: `root` or `record`.
        what: &'static str,
        /// What the parser says.
        why: String,
    },
    /// It was written by a newer version.
    #[error("written in format {found}, and this version reads up to {FORMAT}: use a newer one")]
    Newer {
        /// The format it is in.
        found: u32,
    },
}

impl Root {
    /// The body that begins a term.
    pub(crate) fn begin(
        seal: Seal,
        holder: HolderName,
        liveness: Option<LivenessAddress>,
        lease: Duration,
        wall: String,
    ) -> Self {
        Self {
            incumbent: RootTag::Root,
            format: FORMAT,
            epoch: seal.epoch,
            holder,
            nonce: seal.nonce,
            state: TermState::Activating,
            endpoints: BTreeMap::new(),
            liveness,
            lease_ms: u64::try_from(lease.as_millis())
                .expect("a checked lease is at most ten minutes"),
            seq: 1,
            since: wall.clone(),
            renewed: wall,
            preferred: None,
            handover: None,
        }
    }

    /// Epoch and nonce of the term.
    pub fn seal(&self) -> Seal {
        Seal {
            epoch: self.epoch,
            nonce: self.nonce,
        }
    }

    /// The lease duration, believed up to ten minutes.
    pub fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms).min(LONGEST_LEASE)
    }

    /// This body with a request to hand over. The term and all else stay as they are.
    #[must_use]
    pub fn asking(self, handover: Handover) -> Self {
        Self {
            handover: Some(handover),
            ..self
        }
    }

    /// Reads a stored body.
    ///
    /// # Errors
    ///
    /// [`BadBody`].
    pub fn from_bytes(body: &[u8]) -> Result<Self, BadBody> {
        parse("root", body)
    }

    /// The body as it is stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a root is always JSON")
    }

    /// What standbys compare to see that the holder lives: it differs after every write of the
    /// holder, and only then.
    pub(crate) fn pulse(&self) -> (Seal, u64) {
        (self.seal(), self.seq)
    }
}

/// Reads a body, and tells one of a newer format from one that is damaged.
pub(crate) fn parse<T: serde::de::DeserializeOwned>(
    what: &'static str,
    body: &[u8],
) -> Result<T, BadBody> {
    #[derive(Deserialize)]
    struct Header {
        incumbent: String,
        format: u32,
    }
    let foreign = |error: serde_json::Error| BadBody::Foreign {
        what,
        why: error.to_string(),
    };
    let header: Header = serde_json::from_slice(body).map_err(foreign)?;
    if header.incumbent != what {
        return Err(BadBody::Foreign {
            what,
            why: format!("it says it is a {:?}", header.incumbent),
        });
    }
    if header.format > FORMAT {
        return Err(BadBody::Newer {
            found: header.format,
        });
    }
    serde_json::from_slice(body).map_err(foreign)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> Root {
        let seal = Seal {
            epoch: Epoch::new(7),
            nonce: Nonce::new(0xabc),
        };
        Root::begin(
            seal,
            "a".parse().unwrap(),
            None,
            Duration::from_secs(15),
            "2026-01-01T00:00:00.000Z".into(),
        )
    }

    #[test]
    fn a_root_reads_back() {
        assert_eq!(Root::from_bytes(&root().to_bytes()), Ok(root()));
    }

    #[test]
    fn the_stored_form_is_pinned() {
        assert_eq!(
            String::from_utf8(root().to_bytes()).unwrap(),
            concat!(
                r#"{"incumbent":"root","format":1,"epoch":7,"holder":"a","nonce":"00000000000000000000000000000abc","#,
                r#""state":"activating","lease_ms":15000,"seq":1,"since":"2026-01-01T00:00:00.000Z","renewed":"2026-01-01T00:00:00.000Z"}"#
            )
        );
    }

    #[test]
    fn newer_and_foreign_bodies_are_told_apart() {
        let newer = String::from_utf8(root().to_bytes())
            .unwrap()
            .replace("\"format\":1", "\"format\":2");
        assert_eq!(
            Root::from_bytes(newer.as_bytes()),
            Err(BadBody::Newer { found: 2 })
        );
        for foreign in [
            "",
            "{}",
            "null",
            "[1]",
            "hello",
            r#"{"incumbent":"record","format":1}"#,
        ] {
            assert!(
                matches!(
                    Root::from_bytes(foreign.as_bytes()),
                    Err(BadBody::Foreign { .. })
                ),
                "{foreign}"
            );
        }
        let body = root().to_bytes();
        for cut in 0..body.len() {
            assert!(Root::from_bytes(&body[..cut]).is_err());
        }
    }

    #[test]
    fn a_lease_found_in_a_root_is_believed_up_to_a_limit() {
        let pinned = String::from_utf8(root().to_bytes())
            .unwrap()
            .replace("15000", "99999999999");
        assert_eq!(
            Root::from_bytes(pinned.as_bytes()).unwrap().lease(),
            LONGEST_LEASE
        );
    }
}
