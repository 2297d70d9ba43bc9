//! [`Listener`]: where connections come in.

use tokio::net::TcpListener;

/// Where connections come in.
pub struct Listener {
    pub(crate) socket: TcpListener,
    pub(crate) tls: bool,
}

impl Listener {
    /// Connections without TLS: HTTP/1.1, and HTTP/2 of clients that know that it is spoken here.
    pub fn plain(socket: TcpListener) -> Self {
        Self { socket, tls: false }
    }

    /// Connections with the TLS of [`Options::tls`](crate::Options::tls).
    pub fn tls(socket: TcpListener) -> Self {
        Self { socket, tls: true }
    }
}

impl From<TcpListener> for Listener {
    fn from(socket: TcpListener) -> Self {
        Self::plain(socket)
    }
}
