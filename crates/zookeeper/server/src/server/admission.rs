//! How many connections there are, and from where.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::Options;

/// Who is inside.
#[derive(Default)]
pub(super) struct Doors {
    by_address: Mutex<HashMap<IpAddr, usize>>,
}

/// A place inside, given back when dropped.
pub(super) struct Place {
    doors: Arc<Doors>,
    address: IpAddr,
}

impl Doors {
    pub(super) fn enter(
        self: &Arc<Self>,
        address: IpAddr,
        options: &Options,
    ) -> Result<Place, &'static str> {
        let mut by_address = self
            .by_address
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if by_address.values().sum::<usize>() >= options.max_connections {
            return Err("too many connections");
        }
        let count = by_address.entry(address).or_default();
        let most = options.max_connections_per_address;
        if most > 0 && *count >= most {
            return Err("too many connections from this address");
        }
        *count += 1;
        Ok(Place {
            doors: Arc::clone(self),
            address,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut by_address = self
            .doors
            .by_address
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&self.address);
            }
        }
    }
}
