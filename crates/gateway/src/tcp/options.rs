//! [`TcpOptions`]: the target of connections, and their limits.

use std::time::Duration;

use incumbent::EndpointName;

/// Settings of a [`TcpGateway`](crate::TcpGateway). [`TcpOptions::to`] has defaults for everything
/// except the target.
#[derive(Clone, Debug)]
pub struct TcpOptions {
    /// The endpoints of the leader, the best first. Only host and port of their addresses count:
    /// TLS is passed on unchanged.
    pub endpoints: Vec<EndpointName>,
    /// Time limits.
    pub times: TcpTimes,
    /// Limits on numbers of connections.
    pub limits: TcpLimits,
    /// Whether to send the client's address to the leader, in a header of the PROXY protocol,
    /// version 2, before all other bytes. The leader must expect this header. Off by default.
    pub proxy_protocol: bool,
}

/// Time limits of a TCP gateway.
#[derive(Clone, Debug)]
pub struct TcpTimes {
    /// How long a connection is held in total while there is no leader to connect to. Default: 30
    /// s, twice the default lease. With zero, no connection is held.
    pub hold: Duration,
    /// How long connecting to one address of the leader may take. Default: 2 s.
    pub connect: Duration,
    /// How long connections to a leader continue once another node leads. Default: 10 s. They
    /// cannot be moved, because the gateway does not know what was sent on them.
    pub outlived: Duration,
    /// How long a connection may be silent in both directions. Off by default: TCP keep-alive
    /// detects peers that are gone.
    pub idle: Option<Duration>,
    /// The same limit once one side has ended its half. Default: 10 min. Some clients end their
    /// half and wait for a long answer. Others have forgotten to close, and keep-alive does not
    /// detect them.
    pub half_closed: Duration,
    /// How long connections may take to end when the gateway shuts down. Default: 10 s.
    pub drain: Duration,
}

/// Limits on the connections of a TCP gateway.
#[derive(Clone, Debug)]
pub struct TcpLimits {
    /// Most connections of clients. Further ones wait to be accepted. Default: 10 000.
    pub connections: usize,
    /// Most connections that are held at a time. Default: 1024. The gateway reads nothing from
    /// them, so each costs little more than a descriptor.
    pub held: usize,
}

impl TcpOptions {
    /// A gateway to this endpoint of the leader.
    pub fn to(endpoint: EndpointName) -> Self {
        Self {
            endpoints: vec![endpoint],
            times: TcpTimes::default(),
            limits: TcpLimits::default(),
            proxy_protocol: false,
        }
    }
}

impl Default for TcpTimes {
    fn default() -> Self {
        Self {
            hold: Duration::from_secs(30),
            connect: Duration::from_secs(2),
            outlived: Duration::from_secs(10),
            idle: None,
            half_closed: Duration::from_secs(600),
            drain: Duration::from_secs(10),
        }
    }
}

impl Default for TcpLimits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            held: 1024,
        }
    }
}
