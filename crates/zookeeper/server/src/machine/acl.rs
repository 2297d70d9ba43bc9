//! Access control lists: what an identity may do.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use incumbent_zk_proto::{Acl, Code, Id, perms};
use sha1::{Digest, Sha1};

use super::node::AclList;

/// The scheme of a user who may do everything. A client gets it by proving the digest in the
/// options.
pub(super) const SUPER: &str = "super";

/// The lists of all nodes, each once. Lists that no node has any more are dropped as the set grows.
#[derive(Default)]
pub(super) struct Lists {
    known: HashSet<AclList>,
    /// At this many, lists of no node are dropped.
    sweep_at: usize,
}

impl Lists {
    /// Below this, dropping is not worth it.
    const FEW: usize = 64;

    pub(super) fn share(&mut self, list: &[Acl]) -> AclList {
        if let Some(known) = self.known.get(list) {
            return Arc::clone(known);
        }
        if self.known.len() >= self.sweep_at.max(Self::FEW) {
            self.known.retain(|list| Arc::strong_count(list) > 1);
            self.sweep_at = 2 * self.known.len();
        }
        let list = AclList::from(list);
        self.known.insert(Arc::clone(&list));
        list
    }
}

/// Refuses a client that has none of these permissions.
pub(super) fn check(list: &[Acl], wanted: i32, ids: &[Id]) -> Result<(), Code> {
    let is_super = || ids.iter().any(|id| id.scheme == SUPER);
    let granted = list
        .iter()
        .any(|entry| entry.perms & wanted != 0 && ids_match(&entry.id, ids));
    if granted || is_super() {
        Ok(())
    } else {
        Err(Code::NoAuth)
    }
}

fn ids_match(wanted: &Id, ids: &[Id]) -> bool {
    if wanted.scheme == "world" {
        return wanted.id == "anyone";
    }
    ids.iter()
        .filter(|id| id.scheme == wanted.scheme)
        .any(|id| match wanted.scheme.as_str() {
            "ip" => ip_matches(&wanted.id, &id.id),
            _ => wanted.id == id.id,
        })
}

/// Whether an address is `wanted`, or in its network of `address/bits`.
fn ip_matches(wanted: &str, address: &str) -> bool {
    let (Some((network, bits)), Ok(address)) = (parse_network(wanted), address.parse::<IpAddr>())
    else {
        return false;
    };
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            network.to_bits() & mask == address.to_bits() & mask
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            network.to_bits() & mask == address.to_bits() & mask
        }
        _ => false,
    }
}

fn parse_network(text: &str) -> Option<(IpAddr, u32)> {
    let (address, bits) = match text.split_once('/') {
        None => (text, None),
        Some((address, bits)) => (address, Some(bits)),
    };
    let address: IpAddr = address.parse().ok()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let bits = match bits {
        None => longest,
        Some(bits) => bits.parse().ok().filter(|bits| *bits <= longest)?,
    };
    Some((address, bits))
}

/// The list as it is stored: `auth` is replaced by the identities that the client has proven, and
/// duplicates are left out.
///
/// A list of more than `limit` bytes is refused: `auth` may stand for many identities, so a list
/// can be far longer than the request.
pub(super) fn resolve(list: &[Acl], ids: &[Id], limit: usize) -> Result<Vec<Acl>, Code> {
    let mut length = 0;
    let mut resolved: Vec<Acl> = Vec::with_capacity(list.len());
    // Lists may be long: searching `resolved` each time would take too long.
    let mut known = HashSet::with_capacity(list.len());
    let mut add = |entry: Acl| {
        if known.insert(entry.clone()) {
            length += logged(&entry);
            resolved.push(entry);
        }
        if length > limit {
            return Err(Code::QuotaExceeded);
        }
        Ok(())
    };
    for entry in list {
        let id = &entry.id;
        let valid = match id.scheme.as_str() {
            "world" => id.id == "anyone",
            "auth" => {
                let proven: Vec<_> = ids.iter().filter(|id| proves(&id.scheme)).collect();
                for id in &proven {
                    add(Acl {
                        perms: entry.perms,
                        id: (*id).clone(),
                    })?;
                }
                if proven.is_empty() {
                    return Err(Code::InvalidAcl);
                }
                continue;
            }
            "digest" => {
                matches!(id.id.split(':').collect::<Vec<_>>()[..], [_, password] if !password.is_empty())
            }
            "ip" => parse_network(&id.id).is_some(),
            "x509" => !id.id.is_empty(),
            _ => false,
        };
        if !valid {
            return Err(Code::InvalidAcl);
        }
        add(entry.clone())?;
    }
    if resolved.is_empty() {
        return Err(Code::InvalidAcl);
    }
    Ok(resolved)
}

/// Whether identities of this scheme are proven, rather than known from the connection.
fn proves(scheme: &str) -> bool {
    matches!(scheme, "digest" | "x509" | SUPER)
}

/// The list without digests of passwords, for clients that may not change it.
pub(super) fn redact(list: &[Acl]) -> Vec<Acl> {
    let redacted = |entry: &Acl| {
        let mut entry = entry.clone();
        if entry.id.scheme == "digest"
            && let Some(colon) = entry.id.id.find(':')
        {
            entry.id.id.replace_range(colon.., ":x");
        }
        entry
    };
    list.iter().map(redacted).collect()
}

/// The identity of a user: takes `user:password`, returns `user:digest`.
pub(super) fn digest(auth: &[u8]) -> Option<Id> {
    let auth = std::str::from_utf8(auth).ok()?;
    let user = auth.split(':').next()?;
    let digest = STANDARD.encode(Sha1::digest(auth));
    Some(Id {
        scheme: "digest".into(),
        id: format!("{user}:{digest}"),
    })
}

/// An identity without the digest of a password, for people to read.
pub(super) fn user(id: &Id) -> Id {
    let user = match id.scheme.as_str() {
        "digest" => id.id.split(':').next().unwrap_or_default(),
        _ => &id.id,
    };
    Id {
        scheme: id.scheme.clone(),
        id: user.into(),
    }
}

/// How many bytes an entry takes in the log.
pub(super) fn logged(entry: &Acl) -> usize {
    12 + entry.id.scheme.len() + entry.id.id.len()
}

/// About how much memory a list takes.
pub(super) fn bytes(list: &[Acl]) -> usize {
    /// Beside the texts of an entry.
    const ENTRY: usize = std::mem::size_of::<Acl>();
    let entries = list.iter();
    entries
        .map(|entry| ENTRY + entry.id.scheme.len() + entry.id.id.len())
        .sum()
}

/// Lets everybody read, and nobody change.
pub(super) fn read_only() -> Vec<Acl> {
    vec![Acl {
        perms: perms::READ,
        id: Id::anyone(),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(scheme: &str, id: &str) -> Id {
        Id {
            scheme: scheme.into(),
            id: id.into(),
        }
    }

    #[test]
    fn the_digest_is_that_of_zookeeper() {
        // As DigestAuthenticationProvider prints it for super:test.
        assert_eq!(
            digest(b"super:test"),
            Some(id("digest", "super:D/InIHSb7yEEbrWz8b9l71RjZJU="))
        );
    }

    #[test]
    fn networks_match_by_their_bits() {
        for (wanted, address, matches) in [
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("127.0.0.0/8", "127.9.9.9", true),
            ("127.0.0.0/8", "128.0.0.1", false),
            ("10.0.0.0/0", "1.2.3.4", true),
            ("::1", "::1", true),
            ("fe80::/10", "fe80::7", true),
            ("::/0", "1.2.3.4", false),
        ] {
            assert_eq!(ip_matches(wanted, address), matches, "{wanted} {address}");
        }
        assert_eq!(parse_network("127.0.0.1/33"), None);
        assert_eq!(parse_network("127.0.0/8"), None);
    }

    #[test]
    fn auth_stands_for_what_was_proven() {
        let list = [Acl {
            perms: perms::ALL,
            id: id("auth", ""),
        }];
        let seen = [id("ip", "127.0.0.1")];
        assert_eq!(resolve(&list, &seen, usize::MAX), Err(Code::InvalidAcl));
        let proven = [seen[0].clone(), id("digest", "a:b"), id("digest", "a:b")];
        let resolved = resolve(&list, &proven, usize::MAX).unwrap();
        assert_eq!(resolved.len(), 1);
        assert_eq!(resolved[0].id, id("digest", "a:b"));
    }

    #[test]
    fn lists_that_make_no_sense_are_refused() {
        let of = |scheme, name| {
            resolve(
                &[Acl {
                    perms: 1,
                    id: id(scheme, name),
                }],
                &[],
                usize::MAX,
            )
        };
        assert_eq!(resolve(&[], &[], usize::MAX), Err(Code::InvalidAcl));
        for (scheme, name) in [
            ("world", "everyone"),
            ("digest", "a"),
            ("digest", "a:"),
            ("digest", "a:b:c"),
            ("ip", "x"),
            ("sasl", "a"),
            ("", ""),
        ] {
            assert_eq!(of(scheme, name), Err(Code::InvalidAcl), "{scheme}:{name}");
        }
        for (scheme, name) in [("world", "anyone"), ("digest", "a:b"), ("ip", "1.2.3.4/8")] {
            assert!(of(scheme, name).is_ok(), "{scheme}:{name}");
        }
    }

    #[test]
    fn lists_of_no_node_are_dropped() {
        let mut lists = Lists::default();
        let kept = lists.share(&[Acl::open()]);
        for perms in 0..10_000 {
            lists.share(&[Acl {
                perms,
                id: Id::anyone(),
            }]);
        }
        assert!(lists.known.len() <= Lists::FEW);
        assert!(Arc::ptr_eq(&kept, &lists.share(&[Acl::open()])));
    }
}
