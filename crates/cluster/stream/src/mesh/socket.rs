//! What the system is told about the sockets between ranks.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::time::Duration;

use rustix::net::sockopt;

use crate::{Error, Result};

/// A peer that takes nothing for this long is gone: its machine, or the way to it. Its process is
/// looked after by its TaskManager, and a process that is stopped by checkpoints that it misses.
const GONE_AFTER: Duration = Duration::from_secs(6);

/// An idle connection is probed so often.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// Listens on this port of all addresses of this machine.
///
/// # Errors
///
/// [`Error::Io`]: somebody has the port.
pub(crate) fn listen(port: u16) -> Result<TcpListener> {
    let both = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port));
    let bound = match both {
        // A machine without IPv6.
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))
        }
        bound => bound,
    };
    bound.map_err(|cause| Error::Io {
        doing: format!("listening on port {port} for the other tasks of this job"),
        cause,
    })
}

/// For the time after the greeting: small messages go at once, a peer that is gone is noticed, and
/// reading has no time limit.
pub(super) fn prepare(stream: &TcpStream) -> io::Result<()> {
    let gone_after = u32::try_from(GONE_AFTER.as_millis()).unwrap_or(u32::MAX);
    stream.set_nodelay(true)?;
    stream.set_read_timeout(None)?;
    stream.set_write_timeout(None)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, PROBE_EVERY)?;
    sockopt::set_tcp_keepintvl(stream, PROBE_EVERY)?;
    // With it, it is the time that counts and not the number of probes.
    sockopt::set_tcp_user_timeout(stream, gone_after)?;
    Ok(())
}
