//! Why nothing can listen at an address.

use std::io;
use std::net::SocketAddr;

use crate::exit::{Code, Failure};

/// Nothing can listen there, and what to do.
pub(crate) fn cannot_listen(address: SocketAddr, cause: io::Error) -> Failure {
    let what = format!("cannot listen on {address}");
    if cause.kind() != io::ErrorKind::AddrInUse {
        return Failure::new(what).because(cause).code(Code::Usage);
    }
    let port = address.port();
    Failure::new(format!(
        "{what}: another program listens there (`ss -ltnp sport = :{port}` shows which); end it, or choose another \
         address"
    ))
    .code(Code::Refused)
}
