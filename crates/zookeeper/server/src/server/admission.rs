//! How many connections there are, and from where.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::options::Options;

/// Counts the connections that are open.
#[derive(Default)]
pub(super) struct Admission {
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// Counts one connection until it is dropped.
pub(super) struct Permit {
    admission: Arc<Admission>,
    address: IpAddr,
    /// Why this connection may not open a session, if a limit is reached.
    pub(super) full: Option<&'static str>,
}

/// How many connections a limit lets in beyond it: for clients that come back to a session they
/// have, and for four-letter words. A limit keeps others out, and must not end the sessions that
/// live.
fn reserve(limit: usize) -> usize {
    (limit / 8).clamp(1, 64)
}

impl Admission {
    /// Lets a connection in, or says why not.
    pub(super) fn enter(
        self: &Arc<Self>,
        address: IpAddr,
        options: &Options,
    ) -> Result<Permit, &'static str> {
        const ALL: &str = "the limit of connections (--max-connections) is reached";
        const ADDRESS: &str = "the limit of connections from one address \
                               (--max-connections-per-address) is reached";
        let mut open = self.open();
        let here = open.by_address.get(&address).copied().unwrap_or(0);
        let per_address = options.max_connections_per_address;
        let limits = [
            (open.all, options.max_connections, ALL),
            // 0 stands for any number.
            (
                here,
                if per_address > 0 {
                    per_address
                } else {
                    usize::MAX
                },
                ADDRESS,
            ),
        ];
        let mut full = None;
        for (count, limit, why) in limits {
            if count >= limit.saturating_add(reserve(limit)) {
                return Err(why);
            }
            if count >= limit {
                full = Some(why);
            }
        }
        open.all += 1;
        *open.by_address.entry(address).or_default() += 1;
        drop(open);
        Ok(Permit {
            admission: Arc::clone(self),
            address,
            full,
        })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.admission.open();
        open.all -= 1;
        if let Some(count) = open.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(last: u8) -> IpAddr {
        Ipv4Addr::new(10, 0, 0, last).into()
    }

    #[test]
    fn a_full_server_lets_a_few_in_who_may_only_come_back() {
        let options = Options {
            max_connections: 16,
            max_connections_per_address: 0,
            ..Options::local()
        };
        let admission = Arc::new(Admission::default());
        let enter = |last| admission.enter(address(last), &options);
        let mut permits: Vec<_> = (0..16).map(|last| enter(last).unwrap()).collect();
        assert!(permits.iter().all(|permit| permit.full.is_none()));
        let reserve: Vec<_> = (0..2).map(|last| enter(last).unwrap()).collect();
        assert!(reserve.iter().all(|permit| permit.full.is_some()));
        assert!(enter(3).is_err());
        drop(reserve);
        permits.pop();
        assert!(enter(3).unwrap().full.is_none());
    }

    #[test]
    fn one_address_that_has_enough_keeps_no_other_out() {
        let options = Options {
            max_connections_per_address: 2,
            ..Options::local()
        };
        let admission = Arc::new(Admission::default());
        let enter = |last| admission.enter(address(last), &options);
        let permits: Vec<_> = (0..3).map(|_| enter(1).unwrap()).collect();
        assert!(permits[1].full.is_none() && permits[2].full.is_some());
        assert!(enter(1).is_err());
        assert!(enter(2).unwrap().full.is_none());
    }
}
