//! [`Ports`]: one port for each slot, reserved while no task has it.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::{fmt, io};

use rustix::io::Errno;
use rustix::net::sockopt::set_ipv6_v6only;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with};

/// The ports of all slots.
///
/// A reserved port is bound, and nobody listens there: connections are refused, and no other
/// program gets it. A task that runs has its port to itself, without anything in between.
#[derive(Debug)]
pub(super) struct Ports {
    slots: Vec<Slot>,
}

#[derive(Debug, Default)]
struct Slot {
    /// The port that it had last, to be taken again.
    port: Option<u16>,
    socket: Option<OwnedFd>,
}

/// Why a port cannot be given to a task.
#[derive(Debug)]
pub(super) struct PortTaken {
    port: u16,
    source: io::Error,
}

impl fmt::Display for PortTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { port, source } = self;
        write!(
            f,
            "port {port}, which was reserved for the task, is taken by another program ({source}); \
             the next attempt gets another one"
        )
    }
}

impl Ports {
    /// The ports of this many slots, of which none is reserved.
    pub(super) fn new(slots: u32) -> Self {
        let slots = (0..slots).map(|_| Slot::default()).collect();
        Self { slots }
    }

    /// Reserves a port for a slot: the one that it had, or another one if that is taken.
    ///
    /// # Errors
    ///
    /// If the system has none: too many are in use, or too many files are open.
    ///
    /// # Panics
    ///
    /// If there is no such slot.
    pub(super) fn reserve(&mut self, number: u32) -> io::Result<u16> {
        let slot = self.slot(number);
        if let (Some(_), Some(port)) = (&slot.socket, slot.port) {
            return Ok(port);
        }
        let again = slot.port.and_then(|port| reserve(port).ok());
        let (socket, port) = match again {
            Some(found) => found,
            None => self.another()?,
        };
        let slot = self.slot(number);
        slot.socket = Some(socket);
        slot.port = Some(port);
        Ok(port)
    }

    /// A port that no slot has. The system also offers one whose task does not listen there yet.
    fn another(&self) -> io::Result<(OwnedFd, u16)> {
        let mut unwanted = Vec::new();
        loop {
            let (socket, port) = reserve(0)?;
            if self.slots.iter().all(|slot| slot.port != Some(port)) {
                return Ok((socket, port));
            }
            // Held until another one is found, so that it is not offered again.
            unwanted.push(socket);
        }
    }

    /// Gives the port to a task of this slot. It is free from now on.
    ///
    /// # Errors
    ///
    /// [`PortTaken`]: somebody has it meanwhile. It is not the one that was reserved last, or a
    /// program took it while the slot had none.
    ///
    /// # Panics
    ///
    /// If there is no such slot.
    pub(super) fn release(&mut self, slot: u32, port: u16) -> Result<(), PortTaken> {
        let slot = self.slot(slot);
        let is_held = slot.port == Some(port) && slot.socket.is_some();
        // Also if it is another one: the slot has a task now, and that port is of no use to it.
        drop(slot.socket.take());
        slot.port = Some(port);
        if is_held {
            return Ok(());
        }
        match reserve(port) {
            Ok(_) => Ok(()),
            Err(source) => Err(PortTaken { port, source }),
        }
    }

    fn slot(&mut self, slot: u32) -> &mut Slot {
        let slot = self.slots.get_mut(slot as usize);
        slot.expect("only slots that were said to be there are ordered")
    }
}

/// Binds this port, or any if it is 0, on all addresses of both versions of IP.
fn reserve(port: u16) -> io::Result<(OwnedFd, u16)> {
    match bound(AddressFamily::INET6, (Ipv6Addr::UNSPECIFIED, port).into()) {
        // A machine without IPv6.
        Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL) => {}
        other => return Ok(other?),
    }
    Ok(bound(
        AddressFamily::INET,
        (Ipv4Addr::UNSPECIFIED, port).into(),
    )?)
}

fn bound(family: AddressFamily, address: SocketAddr) -> Result<(OwnedFd, u16), Errno> {
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    if family == AddressFamily::INET6 {
        set_ipv6_v6only(&socket, false)?;
    }
    // Without SO_REUSEADDR, a port on which connections of an earlier task linger is not chosen: a
    // task that does not set it either could not listen there.
    bind(&socket, &address)?;
    let bound = SocketAddr::try_from(getsockname(&socket)?).map_err(|_| Errno::AFNOSUPPORT)?;
    Ok((socket, bound.port()))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_reserved_port_is_refused_to_others_and_free_for_its_task() {
        let mut ports = Ports::new(2);
        let port = ports.reserve(0).unwrap();
        assert_ne!(port, ports.reserve(1).unwrap());
        assert_eq!(ports.reserve(0).unwrap(), port, "asked twice");
        for address in ["127.0.0.1", "0.0.0.0"] {
            assert!(TcpListener::bind((address, port)).is_err(), "{address}");
        }
        let refused = TcpStream::connect(("127.0.0.1", port)).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);

        ports.release(0, port).unwrap();
        let task = TcpListener::bind(("127.0.0.1", port)).unwrap();
        drop(task);
        assert_eq!(ports.reserve(0).unwrap(), port, "the same again");
    }

    #[test]
    fn another_port_is_chosen_if_it_was_taken_meanwhile() {
        let mut ports = Ports::new(1);
        let port = ports.reserve(0).unwrap();
        ports.release(0, port).unwrap();
        let stranger = TcpListener::bind(("127.0.0.1", port)).unwrap();
        assert_ne!(ports.reserve(0).unwrap(), port);
        let taken = ports.release(0, port).unwrap_err();
        assert!(taken.to_string().contains(&port.to_string()));
        drop(stranger);
        ports.release(0, port).unwrap();
    }
}
